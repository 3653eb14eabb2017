/** How much memory V8 may take for what is dead. */
import { setFlagsFromString } from 'node:v8'

/**
 * V8 lets the heap of a busy process grow to four times what lives in it before it collects, so a
 * house looks as if it leaked until the next collection. Half as much again is enough: the memory
 * of the process then tells what the house holds.
 */
const GROWTH_PERCENT = 50

export function keepHeapTight(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`)
}
