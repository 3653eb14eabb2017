/** The state after any earlier batch, as a sweep needs it: also by a house that was started again. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { leafHash, type Account } from '../../circuits/account.ts'
import { TREE_DEPTH } from '../../circuits/params.ts'
import { Tree } from '../../circuits/tree.ts'
import type { Core } from '../../sequencer/core.ts'
import { replay } from '../../sequencer/journal/replay.ts'
import { Floor } from './floor.ts'

let floor: Floor
const lots = [{ instrument: 1024, quantity: 1n, price: 50_000_000n }]

const rootOf = (accounts: ReadonlyMap<number, Account>): bigint => {
  const tree = new Tree(TREE_DEPTH)
  for (const [index, account] of accounts) tree.set(index, leafHash(account))
  return tree.root
}
const rootsOf = ({ ledger, batchNumber }: Core, from = 1n): readonly bigint[] =>
  Array.from({ length: Number(batchNumber - from) + 1 }, (_, i) =>
    rootOf(ledger.history.at(from + BigInt(i), ledger.accounts)),
  )

beforeEach(async () => {
  const opened = await Floor.open([1000, 1000, 1000])
  floor = opened.floor
  const [a, b, c] = opened.members as [
    (typeof opened.members)[0],
    (typeof opened.members)[0],
    (typeof opened.members)[0],
  ]
  await floor.trade(a, b, lots)
  await floor.batch()
  await floor.join(3, 500)
  await floor.trade(b, c, lots)
  await floor.batch()
  await floor.batch()
})
afterEach(() => floor.close())

it('is had back to the leaf, from the latest accounts and what each batch changed', () => {
  const { core } = floor.house
  expect(core.batchNumber).toBeGreaterThan(2n)
  expect(rootsOf(core)).toEqual(floor.l1.roots)
  // Before the first batch nobody but the house was there.
  const genesis = core.ledger.history.at(0n, core.ledger.accounts)
  expect([...genesis.keys()]).toEqual([0])
})

it('is the same for a house that has read its journal again', async () => {
  const { core } = await replay(
    floor.house.journal.entries(0),
    () => {},
    () => () => 0,
  )
  expect(rootsOf(core)).toEqual(floor.l1.roots)
})

it('goes back no further than what was kept', () => {
  const { core } = floor.house
  core.ledger.history.keepFrom(2n)
  expect(rootsOf(core, 2n)).toEqual(floor.l1.roots.slice(1))
  expect(rootOf(core.ledger.history.at(1n, core.ledger.accounts))).toBe(floor.l1.roots[1])
})
