/** SPAN's scan risk and Deribit's scenario vector of inverse futures, as published. */

/** The profit of a portfolio in each scenario: quantities times the profit of one long. */
export function spanProfits(
  positions: readonly { readonly quantity: number; readonly profits: readonly number[] }[],
): readonly number[] {
  const count = positions[0]?.profits.length ?? 0
  if (count === 0 || positions.some(({ profits }) => profits.length !== count))
    throw new RangeError('SPAN: all arrays must have the same scenarios')
  return Array.from({ length: count }, (_, s) =>
    positions.reduce((sum, { quantity, profits }) => sum + quantity * (profits[s] as number), 0),
  )
}

/** The largest loss over the scenarios, at least 0. */
export function scanRisk(profits: readonly number[]): number {
  return Math.max(0, ...profits.map((profit) => -profit))
}

export type InverseInputs = {
  /** The largest move, as a fraction. */
  readonly range: number
  /** Steps from no move to the largest one. */
  readonly buckets: number
  /** Quantities in the underlying, long positive. */
  readonly quantities: readonly number[]
  readonly rollShock: number
  readonly marketMakerMargin: number
  readonly openOrdersMargin: number
  readonly maintenanceFactor: number
}

/** In the underlying: a position of q in an inverse future gains q * (1 - 1/(1+x)) in a move x. */
export function inverseProfits({
  range,
  buckets,
  quantities,
}: Pick<InverseInputs, 'range' | 'buckets' | 'quantities'>): readonly number[] {
  const net = quantities.reduce((sum, quantity) => sum + quantity, 0)
  return Array.from({ length: 2 * buckets + 1 }, (_, i) => {
    const move = (range * (i - buckets)) / buckets
    return net * (1 - 1 / (1 + move))
  })
}

export function inverseMargin(inputs: InverseInputs): {
  readonly worst: number
  readonly matrix: number
  readonly initial: number
  readonly maintenance: number
} {
  const worst = scanRisk(inverseProfits(inputs))
  const matrix = worst + inputs.rollShock
  const initial = matrix + inputs.marketMakerMargin + inputs.openOrdersMargin
  return { worst, matrix, initial, maintenance: inputs.maintenanceFactor * matrix }
}
