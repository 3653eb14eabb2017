/** Numbers on the command lines of signer and collector: a slip must not become a loop without pause. */

/** A whole number within bounds, both included; the default where the option is not given. */
export function wholeOption(
  given: string | undefined,
  name: string,
  [least, most]: readonly [number, number],
  byDefault: number,
): number {
  if (given === undefined) return byDefault
  const number = /^\d{1,15}$/.test(given) ? Number(given) : NaN
  if (number >= least && number <= most) return number
  throw new Error(`--${name} must be a whole number from ${least} to ${most}, not "${given}"`)
}

/** Seconds between two looks, or the length of a window: the contract's largest is a day, too. */
export const SECONDS = [1, 86_400] as const
