/** Random histories, judged by TypeScript and by the circuit: the first half. */
import { runHalf } from './history-run.ts'

runHalf(1)
