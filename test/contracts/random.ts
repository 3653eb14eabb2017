/** What random calls on a contract need: numbers that a seed repeats, and whether a call was taken. */

/** Mulberry32: whole numbers from 0 below the bound. */
export function createRandom(seed: number): (bound: number) => number {
  let state = seed >>> 0
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % bound
  }
}

/** False if the contract refused; any other error is thrown on. */
export async function isAccepted(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => true,
    (error: Error) => {
      if (/custom error|reverted/.test(error.message)) return false
      throw error
    },
  )
}
