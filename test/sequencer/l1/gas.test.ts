/** Fees: enough for the next blocks, each replacement dear enough to be taken, never beyond the cap. */
import { describe, expect, it } from 'vitest'
import { firstFees, isEnough, raisedFees, type GasPolicy } from '../../../sequencer/l1/gas.ts'

const GWEI = 1_000_000_000n
const policy: GasPolicy = {
  maxFeeCap: 100n * GWEI,
  priorityFee: 2n * GWEI,
  bumpAfterMilliseconds: 1,
}

describe('the first fees', () => {
  it.each([
    [0n, 2n * GWEI, 2n * GWEI],
    [10n * GWEI, 22n * GWEI, 2n * GWEI],
    [49n * GWEI, 100n * GWEI, 2n * GWEI],
    [50n * GWEI, 100n * GWEI, 2n * GWEI],
    [500n * GWEI, 100n * GWEI, 2n * GWEI],
  ])(
    'at a base fee of %d leave room for it to double, up to the cap',
    (base, maxFee, priorityFee) => {
      expect(firstFees(base, policy)).toEqual({ maxFee, priorityFee })
    },
  )
  it('never give more than all of it to whoever builds the block', () => {
    const { maxFee, priorityFee } = firstFees(0n, { ...policy, maxFeeCap: GWEI })
    expect([maxFee, priorityFee]).toEqual([GWEI, GWEI])
  })
  it('are enough up to the base fee itself', () => {
    const fees = firstFees(500n * GWEI, policy)
    expect([99n, 100n, 101n].map((base) => isEnough(fees, base * GWEI))).toEqual([
      true,
      true,
      false,
    ])
  })
})

describe('a replacement', () => {
  it('raises both fees by more than the tenth that nodes ask, of the smallest ones too', () => {
    for (const fee of [0n, 1n, 7n, 8n, 9n, 10n, GWEI]) {
      const next = raisedFees({ maxFee: fee, priorityFee: fee }, 0n, { ...policy, priorityFee: 0n })
      expect(next !== null && next.maxFee * 10n >= fee * 11n && next.maxFee > fee).toBe(true)
      expect(next !== null && next.priorityFee * 10n >= fee * 11n).toBe(true)
    }
  })
  it('follows a base fee that has risen further', () => {
    expect(raisedFees({ maxFee: 4n * GWEI, priorityFee: GWEI }, 40n * GWEI, policy)?.maxFee).toBe(
      82n * GWEI,
    )
  })
  it('that the cap leaves no room for is none; at its edge it is one', () => {
    const old = { maxFee: 80n * GWEI, priorityFee: GWEI }
    const needed = (80n * GWEI * 1125n) / 1000n + 1n
    expect(raisedFees(old, 0n, { ...policy, maxFeeCap: needed })?.maxFee).toBe(needed)
    expect(raisedFees(old, 0n, { ...policy, maxFeeCap: needed - 1n })).toBeNull()
  })
})
