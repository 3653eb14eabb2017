/** Lists as the inputs of a circuit want them. */

export const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))

/** The lowest bits of a number that is not negative, lowest first. */
export const bitsOf = (value: bigint | number, count: number): bigint[] =>
  times(count, (i) => (BigInt(value) >> BigInt(i)) & 1n)
