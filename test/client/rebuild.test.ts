/** The replay of L1: it finds every account again, and notices everything that was altered. */
import { beforeAll, describe, expect, it } from 'vitest'
import { batchKey, ownerKeyHash, viewKeyHash, type Account } from '../../circuits/account.ts'
import { eighthOf, signingKey } from '../../circuits/eddsa.ts'
import { headerWords } from '../../circuits/words.ts'
import { wordLayout } from '../../circuits/words.ts'
import type { BatchEvent, L1Event } from '../../client/l1/events.ts'
import { footprintOf } from '../../client/l1/footprint.ts'
import { vaultOf, type Rebuilt } from '../../client/l1/ledger.ts'
import { history, openAccount, OpenError, openWithBatchKey } from '../../client/l1/open.ts'
import { replay } from '../../client/l1/replay.ts'
import { DOMAIN, SHAPE, SyntheticL1 } from './synthetic.ts'
import type { Member } from '../law/house.ts'

let l1: SyntheticL1
let a: Member
let b: Member
let rebuilt: Rebuilt
/** What each batch left in each account, as the house itself had it. */
const kept = new Map<string, Account>()
let oldViewKey = 0n
let firstOwnerHash = 0n

function keep(): void {
  for (const [index, account] of l1.house.accounts)
    kept.set(`${index}/${l1.house.batchNumber}`, account)
}

beforeAll(() => {
  l1 = new SyntheticL1()
  a = l1.join()
  b = l1.join()
  oldViewKey = b.viewKey
  firstOwnerHash = ownerKeyHash(a.key.publicKey)
  const credits = [l1.deposit(a, 1_000_000_000n), l1.deposit(b, 2_000_000_000n)]
  l1.batch({ credits })
  keep()
  l1.house.trade(a, b, [
    { instrument: 1024, quantity: 5n, price: 50_100_000n },
    { instrument: 1025, quantity: -7n, price: 2_000_000n },
  ])
  l1.batch()
  keep()
  l1.house.withdraw(a, 1, 1_000_000n)
  l1.house.rotate(b)
  l1.batch()
  keep()
  // A rotation from L1: the owner key only.
  const next = signingKey(new Uint8Array(32).fill(9))
  l1.request({
    kind: 'rotate',
    serial: l1.house.serial++,
    account: a.index,
    key: eighthOf(next),
    viewKeyHash: 0n,
  })
  l1.deposit(a, 5n)
  l1.settle(1024, 70_000_000n)
  l1.batch({ cover: [b.index] })
  a.key = next
  keep()
  l1.emit({
    kind: 'claim',
    batch: 3n,
    slot: 0,
    to: `0x${(0xabcdef).toString(16).padStart(40, '0')}`,
    token: 1,
    amount: 1_000_000n,
  })
  rebuilt = replay(l1.events, { domain: DOMAIN })
})

describe('replay', () => {
  it('finds no fault and the root of the house', () => {
    expect(rebuilt.faults).toEqual([])
    expect(rebuilt.root).toBe(l1.house.tree.root)
    expect(rebuilt.batchNumber).toBe(4n)
    expect(rebuilt.accountCount).toBe(18n)
    expect(rebuilt.served).toBe(3n)
  })
  it('adds up the money', () => {
    expect(vaultOf(rebuilt.totalsOf(1))).toEqual({
      vault: 2_999_000_005n,
      owed: 0n,
      unconsumed: 5n,
      balances: 2_999_000_000n,
    })
    expect([...rebuilt.deposits.values()].map((d) => d.status)).toEqual([
      'consumed',
      'consumed',
      'open',
    ])
    expect([...rebuilt.withdrawals.values()]).toMatchObject([
      { batch: 3n, slot: 0, amount: 1_000_000n, isClaimed: true },
    ])
  })
  it('knows who registered with which keys', () => {
    expect([...rebuilt.registrations.keys()]).toEqual([16, 17])
    expect(rebuilt.registrations.get(17)).toMatchObject({
      kind: 'register',
      viewKeyHash: viewKeyHash(oldViewKey),
      servedBy: 1n,
    })
    expect(rebuilt.registration(16).l1Owner).toMatch(/^0x11/)
  })
})

describe('openAccount', () => {
  it('opens an account after an L1 rotation without being told the owner key', () => {
    expect(openAccount(rebuilt, 16, a.viewKey)).toEqual(l1.house.accounts.get(16))
  })
  it('opens an account after a rotation by page, given the new keys', () => {
    expect(openAccount(rebuilt, 17, b.viewKey, [ownerKeyHash(b.key.publicKey)])).toEqual(
      l1.house.accounts.get(17),
    )
  })
  it('opens the fee account, which holds the fees', () => {
    expect(openAccount(rebuilt, 0, 777n)).toEqual(l1.house.accounts.get(0))
    expect(openAccount(rebuilt, 0, 777n).cash).toBe(400n)
    const genesis = replay(l1.events.slice(0, 5), { domain: DOMAIN })
    expect(openAccount(genesis, 0, 777n).cash).toBe(0n)
    expect(() => openAccount(genesis, 0, 778n)).toThrow('not the one whose hash the genesis names')
  })
  it('says which key does not fit', () => {
    expect(() => openAccount(rebuilt, 17, oldViewKey)).toThrow(
      'the view key does not open the ciphertext of batch 4',
    )
    expect(() => openAccount(rebuilt, 17, b.viewKey)).toThrow(
      'belongs to none of the 1 owner keys tried',
    )
    expect(() => openAccount(rebuilt, 18, b.viewKey)).toThrow('account 18 does not exist')
    const waiting = replay(
      l1.events.filter((event) => event.kind !== 'batch'),
      { domain: DOMAIN },
    )
    expect(() => openAccount(waiting, 17, b.viewKey)).toThrow('no batch has served the request yet')
  })
  it('names no key in its errors', () => {
    try {
      openAccount(rebuilt, 17, oldViewKey)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(OpenError)
      expect(String(error)).not.toContain(String(oldViewKey))
    }
  })
})

describe('history and disclosure', () => {
  it('gives the account after each batch that touched it', () => {
    const list = history(rebuilt, 17, [b.viewKey, oldViewKey], [ownerKeyHash(b.key.publicKey)])
    expect(list.map(({ touch }) => touch.batchNumber)).toEqual([1n, 2n, 3n, 4n])
    for (const { account, touch } of list)
      expect(account).toEqual(kept.get(`17/${touch.batchNumber}`))
    expect(() => history(rebuilt, 17, [b.viewKey])).toThrow(
      'does not open the ciphertext of batch 1',
    )
  })
  it('opens one batch to an auditor who has its key, and no other', () => {
    const [first, second] = rebuilt.touches.get(16) ?? []
    if (first === undefined || second === undefined) throw new Error('no touches')
    const key = batchKey(a.viewKey, 16, first.batchNumber, first.batchNonce)
    const hashes = { ownerKeyHash: firstOwnerHash, viewKeyHash: viewKeyHash(a.viewKey) }
    expect(openWithBatchKey(first, key, hashes)).toEqual(kept.get('16/1'))
    expect(() => openWithBatchKey(second, key, hashes)).toThrow('the batch key does not open')
    expect(() => openWithBatchKey(first, key, { ...hashes, ownerKeyHash: 1n })).toThrow(
      'other key hashes',
    )
  })
})

describe('footprint', () => {
  it('is ten words a touched account, and the rest in clear', () => {
    const { batches, total, touchesByMember } = footprintOf(rebuilt)
    expect(batches.map((batch) => batch.touchedMembers)).toEqual([2, 2, 2, 2])
    expect(batches[0]).toMatchObject({
      commitmentBytes: 3 * 32,
      cipherBytes: 3 * 8 * 32,
      paddingSlots: 1,
      deposits: 2,
      requests: 2,
    })
    expect(total.wordBytes).toBe(total.commitmentBytes + total.cipherBytes + total.openBytes)
    expect(touchesByMember).toEqual(
      new Map([
        [16, 4],
        [17, 4],
      ]),
    )
  })
})

const batchAt = (n: bigint): number =>
  l1.events.findIndex((event) => event.kind === 'batch' && event.number === n)
const altered = (n: bigint, change: (words: bigint[]) => void): readonly L1Event[] =>
  l1.events.map((event, i) => {
    if (i !== batchAt(n)) return event
    const words = [...(event as BatchEvent).words]
    change(words)
    return { ...event, words } as L1Event
  })
const faultsOf = (events: readonly L1Event[]): readonly string[] => [
  ...new Set(replay(events, { domain: DOMAIN }).faults.map((f) => f.must)),
]

describe('alterations', () => {
  it('of any word that L1 could have known are noticed', () => {
    const unseen: string[] = []
    const words = (l1.events[batchAt(1n)] as BatchEvent).words
    const accounts = wordLayout(SHAPE).find((part) => part.name === 'accounts')?.first ?? 0
    words.forEach((_, i) => {
      if (
        faultsOf(
          altered(1n, (w) => {
            w[i] = (w[i] ?? 0n) + 1n
          }),
        ).length > 0
      )
        return
      // These are bound by the proof, which the audit verifies.
      const inAccount = (i - accounts) % 10
      unseen.push(
        i < headerWords.length
          ? (headerWords[i] as string)
          : i >= accounts && inAccount >= 2
            ? 'cipher'
            : `word ${i}`,
      )
    })
    // Mode, too: L1 sets it by the age of the table, which no event shows.
    expect([...new Set(unseen)].sort()).toEqual(['batchNonce', 'cipher', 'mode'])
  })
  it.each([
    [
      'RootMustFollowLeaves',
      () =>
        l1.events.map((e) => (e.kind === 'batch' && e.number === 2n ? { ...e, newRoot: 1n } : e)),
    ],
    [
      'GenesisRootMustHoldOneLeaf',
      () => l1.events.map((e) => (e.kind === 'genesis' ? { ...e, feeAccountLeaf: 5n } : e)),
    ],
    ['BatchesMustBeInOrder', () => l1.events.filter((_, i) => i !== batchAt(2n))],
    ['DepositMustBeOpen', () => l1.events.filter((e) => e.kind !== 'deposit' || e.id !== 1n)],
    [
      'DepositMustBeOpen',
      () => [
        ...l1.events.slice(0, batchAt(1n)),
        { ...(l1.events[0] as L1Event), kind: 'refunded', id: 1n } as L1Event,
        ...l1.events.slice(batchAt(1n)),
      ],
    ],
    [
      'RequestsMustBeInOrder',
      () => l1.events.filter((e) => e.kind !== 'request' || e.serial !== 0n),
    ],
    [
      'SettlementRootMustFollowValues',
      () => l1.events.map((e) => (e.kind === 'settlement' ? { ...e, values: [1n] } : e)),
    ],
    [
      'SettlementMustBeFinal',
      () => [...l1.events, ...l1.events.filter((e) => e.kind === 'settlement')],
    ],
    [
      'ClaimMustMatchWithdrawal',
      () => [...l1.events, ...l1.events.filter((e) => e.kind === 'claim')],
    ],
    [
      'ClaimMustMatchWithdrawal',
      () => l1.events.map((e) => (e.kind === 'claim' ? { ...e, amount: 2n } : e)),
    ],
    ['TablesMustBeInOrder', () => [...l1.events, ...l1.events.filter((e) => e.kind === 'table')]],
    ['TableMustMatch', () => l1.events.map((e) => (e.kind === 'table' ? { ...e, root: 3n } : e))],
    ['FeeMustBeCurrent', () => l1.events.map((e) => (e.kind === 'fee' ? { ...e, fee: 3n } : e))],
    ['ShapeMustBeKnown', () => l1.events.filter((e) => e.kind !== 'shape')],
    ['WordsMustFitShape', () => altered(2n, (w) => w.pop())],
    [
      'WordMustBeBelowModulus',
      () =>
        altered(2n, (w) => {
          w[20] = (1n << 256n) - 1n
        }),
    ],
    ['GenesisMustExist', () => l1.events.slice(1)],
  ] as const)('give %s (%#)', (must, events) => {
    expect(faultsOf(events() as readonly L1Event[])).toContain(must)
  })
  it('of the domain are noticed: batches of another house', () => {
    expect(
      replay(l1.events, { domain: 1n }).faults.every((f) => f.must === 'DomainMustMatch'),
    ).toBe(true)
    expect(replay(l1.events).faults).toEqual([])
  })
})
