/** What the day calls conserved: each way in which it would not be is named. */
import { beforeAll, describe, expect, it } from 'vitest'
import { conservationFaults, type OpenedLeaf } from '../../client/day/conservation.ts'
import { openAccount } from '../../client/l1/open.ts'
import type { Rebuilt } from '../../client/l1/ledger.ts'
import { replay } from '../../client/l1/replay.ts'
import { ownerKeyHash } from '../../circuits/account.ts'
import { DOMAIN, SyntheticL1 } from './synthetic.ts'

const DEPOSITS = 1_000_000_000n + 2_000_000_000n
const OPEN_DEPOSIT = 7n
let rebuilt: Rebuilt
let leaves: readonly OpenedLeaf[]

beforeAll(() => {
  const l1 = new SyntheticL1()
  const [a, b] = [l1.join(), l1.join()]
  const credits = [l1.deposit(a, 1_000_000_000n), l1.deposit(b, 2_000_000_000n)]
  l1.batch({ credits })
  l1.house.trade(a, b, [
    { instrument: 1024, quantity: 5n, price: 50_100_000n },
    { instrument: 1025, quantity: -7n, price: 2_000_000n },
  ])
  l1.batch()
  l1.house.withdraw(a, 1, 1_000_000n)
  l1.batch()
  l1.deposit(b, OPEN_DEPOSIT)
  rebuilt = replay(l1.events, { domain: DOMAIN })
  const members = [a, b].map((member) => ({
    ...openAccount(rebuilt, member.index, member.viewKey, [ownerKeyHash(member.key.publicKey)]),
    account: member.index,
  }))
  leaves = [{ ...openAccount(rebuilt, 0, 777n), account: 0 }, ...members]
})

const held = (raw: bigint) => new Map([[1, raw]])
/** The leaves with one of them otherwise. */
const altered = (account: number, change: (leaf: OpenedLeaf) => OpenedLeaf) =>
  leaves.map((leaf) => (leaf.account === account ? change(leaf) : leaf))

describe('conservation', () => {
  it('holds of leaves that their owners opened, an open deposit and an unclaimed withdrawal', () => {
    expect(rebuilt.withdrawals.size).toBe(1)
    expect(leaves[0]?.cash).toBeGreaterThan(0n)
    expect(conservationFaults(rebuilt, leaves, held(DEPOSITS + OPEN_DEPOSIT))).toEqual([])
  })

  it.each([-1n, 1n])('fails where the vault has %s units other than it owes', (difference) => {
    const faults = conservationFaults(rebuilt, leaves, held(DEPOSITS + OPEN_DEPOSIT + difference))
    expect(faults).toEqual([expect.stringMatching(/^the vault holds \d+ of token 1, and/)])
  })

  it('fails where a token was not asked what it holds', () => {
    expect(conservationFaults(rebuilt, leaves, new Map())).toHaveLength(1)
  })

  it.each([0, 16, 17])('fails where account %s has one unit more', (account) => {
    const more = altered(account, (leaf) => ({ ...leaf, cash: leaf.cash + 1n }))
    expect(conservationFaults(rebuilt, more, held(DEPOSITS + OPEN_DEPOSIT))).toHaveLength(1)
  })

  it('fails where an instrument does not sum to zero, for that instrument alone', () => {
    const off = altered(16, (leaf) => ({
      ...leaf,
      balances: leaf.balances.map((x) => (x.id === 1025 ? { ...x, quantity: x.quantity + 1n } : x)),
    }))
    expect(conservationFaults(rebuilt, off, held(DEPOSITS + OPEN_DEPOSIT))).toEqual([
      'all positions in instrument 1025 sum to 1, not to zero',
    ])
  })

  it('fails where nobody opened an account, even one with nothing in it', () => {
    const empty = altered(0, (leaf) => ({ ...leaf, cash: 0n }))
    const missing = empty.filter(({ account }) => account !== 0)
    const fees = leaves[0]?.cash ?? 0n
    expect(conservationFaults(rebuilt, missing, held(DEPOSITS + OPEN_DEPOSIT - fees))).toEqual([
      'nobody opened account 0',
    ])
  })

  it('fails where an account is counted twice or a token is of nobody', () => {
    const twice = [...leaves, { account: 16, cash: 0n, balances: [{ id: 2, quantity: 1n }] }]
    expect(conservationFaults(rebuilt, twice, held(DEPOSITS + OPEN_DEPOSIT))).toEqual([
      'account 16 was counted twice',
      'accounts hold token 2, which L1 does not know',
    ])
  })
})
