/** Random histories, judged by TypeScript and by the circuit: the second half. */
import { runHalf } from './history-run.ts'

runHalf(2)
