/** The register that a signer keeps: the same roots as of all entries anew, for whatever it is shown. */
import { describe, expect, test, vi } from 'vitest'
import { mod } from '../../circuits/field.ts'
import { emptyRoot } from '../../circuits/tree.ts'
import { SETTLEMENT_DEPTH, TREE_ARITY } from '../../circuits/params.ts'
import type * as Poseidon from '../../circuits/poseidon.ts'
import { settledRow, settlementsOf } from '../../circuits/table.ts'
import {
  Register,
  registerRoot,
  registerRoots,
  type SettledValue,
} from '../../oracle/signer/register.ts'

const counted = vi.hoisted(() => ({ hashes: 0 }))
vi.mock('../../circuits/poseidon.ts', async (original) => {
  const real = await original<typeof Poseidon>()
  const hash: typeof real.hash = (...given) => {
    counted.hashes++
    return real.hash(...given)
  }
  return { ...real, hash }
})
async function hashesIn(work: () => Promise<unknown>): Promise<number> {
  const before = counted.hashes
  await work()
  return counted.hashes - before
}

const entries = (count: number, first = 1000): readonly SettledValue[] =>
  Array.from({ length: count }, (_, i) => ({ id: first + i, value: BigInt(i) * 1000n - 5000n }))
/** As the house hashes its register, all at once. */
const anew = (list: readonly SettledValue[]): bigint =>
  mod(settlementsOf(list.map(({ id, value }) => settledRow(id, value))).tree.root)
const changed = (list: readonly SettledValue[], i: number, change: Partial<SettledValue>) =>
  list.map((one, at) => (at === i ? { ...one, ...change } : one))

const TRUE = entries(200)
const ADDED = entries(3, 5000)
const TRUE_ROOT = anew(TRUE)

describe('the roots before and after', () => {
  test.each([0, 1, 7, 8, 9, 63, 64, 65, 128, 200])('of %i entries, at once and kept', async (n) => {
    const settled = entries(n)
    const expected = { previousRoot: anew(settled), newRoot: anew([...settled, ...ADDED]) }
    expect(registerRoots(settled, ADDED)).toEqual(expected)
    expect(registerRoot(settled)).toBe(expected.previousRoot)
    const register = new Register()
    expect(await register.roots(settled, ADDED)).toEqual(expected)
    expect(await register.roots(settled, ADDED)).toEqual(expected)
  })

  test('as the register grows, shrinks to nothing and is full again', async () => {
    const register = new Register()
    for (const n of [3, 10, 200, 64, 0, 130]) {
      const settled = entries(n)
      const { previousRoot, newRoot } = await register.roots(settled, ADDED)
      expect([previousRoot, newRoot]).toEqual([anew(settled), anew([...settled, ...ADDED])])
    }
    expect((await register.roots([], [])).newRoot).toBe(mod(emptyRoot(SETTLEMENT_DEPTH)))
  })

  test('asked twice at once: each has its own', async () => {
    const register = new Register()
    const lists = [TRUE, entries(150, 2000), [], TRUE]
    const said = await Promise.all(lists.map((list) => register.roots(list, ADDED)))
    for (const [i, list] of lists.entries())
      expect(said[i]).toEqual({ previousRoot: anew(list), newRoot: anew([...list, ...ADDED]) })
  })
})

describe('a false register', () => {
  const lies: readonly (readonly [string, readonly SettledValue[]])[] = [
    ['another first value', changed(TRUE, 0, { value: 1n })],
    ['another value in the middle', changed(TRUE, 100, { value: TRUE[100]!.value + 1n })],
    ['another last value', changed(TRUE, 199, { value: TRUE[199]!.value - 1n })],
    ['another id', changed(TRUE, 63, { id: 9999 })],
    ['the last left out', TRUE.slice(0, -1)],
    ['one more', [...TRUE, { id: 7000, value: 0n }]],
    ['two exchanged', changed(changed(TRUE, 64, TRUE[65]!), 65, TRUE[64]!)],
    ['nothing', []],
  ]
  test.each(lies)(
    '%s: not the root of the true one, which the contract asks for',
    async (_, lie) => {
      const register = new Register()
      expect((await register.roots(TRUE, ADDED)).previousRoot).toBe(TRUE_ROOT)
      const said = await register.roots(lie, ADDED)
      expect(said).toEqual(registerRoots(lie, ADDED))
      expect(said.previousRoot).not.toBe(TRUE_ROOT)
      // Nor does a lie stay in what is said of the true one.
      expect(await register.roots(TRUE, ADDED)).toEqual(registerRoots(TRUE, ADDED))
    },
  )

  test('shown first, it spoils nothing', async () => {
    const register = new Register()
    await register.roots(entries(250, 1), ADDED)
    expect((await register.roots(TRUE, ADDED)).previousRoot).toBe(TRUE_ROOT)
  })

  test('that cannot be hashed is an error, and the next is answered', async () => {
    const register = new Register()
    await register.roots(TRUE, ADDED)
    const large = { length: TREE_ARITY ** SETTLEMENT_DEPTH + 1 } as readonly SettledValue[]
    await expect(register.roots(large, [])).rejects.toThrow('the register must have 262144 entries')
    const broken = changed(TRUE, 150, { value: null as unknown as bigint })
    await expect(register.roots([{ id: 1, value: 1n }, ...broken], [])).rejects.toThrow()
    expect((await register.roots(TRUE, ADDED)).previousRoot).toBe(TRUE_ROOT)
  })
})

describe('the second time', () => {
  test('only what changed is hashed, however long the register is', async () => {
    const register = new Register()
    await register.roots(TRUE, ADDED)
    const settled = [...TRUE, ...ADDED]
    const more = entries(2, 8000)
    const work = await hashesIn(() => register.roots(settled, more))
    // Two leaves, and the nodes over them.
    expect(work).toBeLessThanOrEqual(2 + 2 * SETTLEMENT_DEPTH)
    expect(await hashesIn(() => register.roots([...settled, ...more], []))).toBe(0)
    expect(work).toBeGreaterThan(0)
  })

  test('others are answered while a long one is hashed', async () => {
    const register = new Register()
    let turns = 0
    let isOver = false
    const count = () => {
      turns++
      if (!isOver) setImmediate(count)
    }
    setImmediate(count)
    await register.roots(TRUE, ADDED)
    isOver = true
    expect(turns).toBeGreaterThanOrEqual(Math.floor(TRUE.length / 64))
  })
})
