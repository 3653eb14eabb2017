/** The replay of what L1 may do beside batches: forced exits, confirmed tables, freeze, escape. */
import { beforeEach, describe, expect, it } from 'vitest'
import { headerWords, wordLayout } from '../../circuits/words.ts'
import type { BatchEvent, EventBody, L1Event } from '../../client/l1/events.ts'
import { paymentsDue } from '../../client/exit/due.ts'
import type { SignedPage } from '../../client/journal-file.ts'
import type { L1 } from '../../client/l1/rpc.ts'
import { vaultOf, type Rebuilt } from '../../client/l1/ledger.ts'
import { replay } from '../../client/l1/replay.ts'
import { withdrawalsRoot } from '../../client/l1/withdrawals.ts'
import { Reader } from '../reader/reader.ts'
import { OWNER } from './seeded.ts'
import { DOMAIN, SHAPE, SyntheticL1 } from './synthetic.ts'

const TO = 0xabcdefn
let l1: SyntheticL1

beforeEach(() => {
  l1 = new SyntheticL1(null, 'exits')
  const [a, b] = [l1.join(), l1.join()]
  l1.batch({ credits: [l1.deposit(a, 1_000_000_000n), l1.deposit(b, 2_000_000_000n)] })
})

const first = (part: string): number =>
  wordLayout(SHAPE).find(({ name }) => name === part)?.first ?? 0
const read = (events: readonly L1Event[] = l1.events): Rebuilt => replay(events, { domain: DOMAIN })
const faultsOf = (events?: readonly L1Event[]): string[] => [
  ...new Set(read(events).faults.map(({ must }) => must)),
]

/** The last batch, with words changed: the replay knows L1's record, not the circuit. */
function amend(change: (words: bigint[]) => void): void {
  const last = l1.events.pop() as BatchEvent & L1Event
  const words = [...last.words]
  change(words)
  l1.events.push({ ...last, words })
}
function ask(serial: bigint, account: number, token = 1n): void {
  const request = { x: token, y: TO, viewKeyHash: 0n }
  l1.emit({ kind: 'request', serial, account, requestKind: 3, ...request })
}
function serve(slot: number, serial: bigint, account: number, free: bigint, paid: bigint): void {
  amend((words) => {
    const row = [3n + 8n * serial, BigInt(account), 1n, TO, free, paid]
    row.forEach((word, i) => (words[first('requests') + 6 * slot + i] = word))
  })
}

it('a batch under a register whose root the oracle made up is read as L1 took it', () => {
  l1.emit({ kind: 'settlement', ids: [1024], values: [7n], root: 5n })
  l1.batch()
  amend((words) => (words[headerWords.indexOf('settlementRoot')] = 5n))
  expect(read().faults).toMatchObject([
    { must: 'SettlementRootMustFollowValues', isOfOracle: true },
  ])
  amend((words) => (words[headerWords.indexOf('settlementRoot')] = 6n))
  expect(faultsOf()).toContain('SettlementRootMustBeCurrent')
})

describe('a forced exit', () => {
  it('is owed after the voluntary withdrawals, also when it was paid nothing', () => {
    ask(2n, 16)
    ask(3n, 17)
    const [member] = l1.house.members
    if (member === undefined) throw new Error('no member')
    l1.house.withdraw(member, 1, 5n)
    l1.batch()
    serve(0, 2n, 16, 3_000_000_000n, 0n)
    serve(1, 3n, 17, 3_000_000_000n, 700n)
    const rebuilt = read()
    expect(rebuilt.faults).toEqual([])
    expect(rebuilt.served).toBe(4n)
    const paid = [...rebuilt.withdrawals.values()].map(({ slot, amount }) => [slot, amount])
    expect(paid).toEqual([
      [0, 5n],
      [1, 0n],
      [2, 700n],
    ])
    expect(vaultOf(rebuilt.totalsOf(1)).owed).toBe(705n)
    const words = (l1.events.at(-1) as BatchEvent).words
    expect(new Reader().batch('mini', words, 2n, OWNER).withdrawalsRoot).toBe(
      withdrawalsRoot(OWNER, [...rebuilt.withdrawals.values()]),
    )
    const to = `0x${TO.toString(16).padStart(40, '0')}`
    l1.emit({ kind: 'claim', batch: 2n, slot: 2, to, token: 1, amount: 700n })
    expect(faultsOf()).toEqual([])
    l1.emit({ kind: 'claim', batch: 2n, slot: 1, to, token: 1, amount: 700n })
    expect(faultsOf()).toEqual(['ClaimMustMatchWithdrawal'])
  })
  it.each<readonly [string, (words: bigint[], at: number) => void]>([
    ['another account', (w, at) => (w[at + 1] = 17n)],
    ['another token', (w, at) => (w[at + 2] = 2n)],
    ['another address', (w, at) => (w[at + 3] = 1n)],
    ['another serial', (w, at) => (w[at] = 3n + 8n * 3n)],
    ['another kind', (w, at) => (w[at] = 2n + 8n * 2n)],
    ['more than is free', (w, at) => (w[at + 5] = 3_000_000_001n)],
  ])('served with %s is a fault', (_name, change) => {
    ask(2n, 16)
    l1.batch()
    serve(0, 2n, 16, 3_000_000_000n, 3_000_000_000n)
    expect(faultsOf()).toEqual([])
    amend((words) => change(words, first('requests')))
    expect(faultsOf()).toContain('RequestMustBeServed')
  })
  it('installs no key', () => {
    ask(2n, 16)
    l1.batch()
    serve(0, 2n, 16, 0n, 0n)
    expect([...read().registrations.keys()]).toEqual([16, 17])
    l1.emit({
      kind: 'request',
      serial: 3n,
      account: 16,
      requestKind: 4,
      x: 1n,
      y: 1n,
      viewKeyHash: 0n,
    })
    expect(faultsOf()).toContain('RequestKindMustBeKnown')
  })
})

describe('a withdrawal to somebody else', () => {
  it('is collected by whoever has the journal, without the house', () => {
    const [member, other] = l1.house.members
    if (member === undefined || other === undefined) throw new Error('no member')
    const page = l1.house.withdraw(member, 1, 5n, 0xdeadn)
    l1.batch()
    const rebuilt = read()
    const chain = { contract: OWNER } as unknown as L1
    const signed = { page, head: 1n } as SignedPage
    expect(paymentsDue(chain, rebuilt, member.index)).toEqual([])
    const due = paymentsDue(chain, rebuilt, member.index, new Map([[1n, signed]]))
    expect(due).toMatchObject([{ what: 'payment', amount: 5n, only: null }])
    expect(BigInt(due[0]?.to ?? 0)).toBe(0xdeadn)
    // A page of another account says nothing of this one's.
    expect(paymentsDue(chain, rebuilt, other.index, new Map([[1n, signed]]))).toEqual([])
  })
})

describe('tables', () => {
  const root = (): bigint => read().tables[0]?.root ?? 0n
  const table = (number: bigint, root: bigint): EventBody => {
    return { kind: 'table', number, root, marksRoot: 1n, dataHash: '0x', time: 1n, marks: '0x' }
  }
  const headed = (number: bigint, root: bigint, confirmed: bigint): void => {
    l1.batch()
    amend((words) => {
      words[6] = number
      words[7] = root
      words[8] = confirmed
    })
  }
  it('that are indicative go with the root of the one confirmed last', () => {
    l1.emit({ kind: 'confirmed', number: 1n })
    l1.emit(table(2n, 99n))
    headed(2n, 99n, root())
    expect(faultsOf()).toEqual([])
    amend((words) => (words[8] = 99n))
    expect(faultsOf()).toEqual(['TableMustMatch'])
  })
  it('that are confirmed later stand for themselves', () => {
    l1.emit({ kind: 'confirmed', number: 1n })
    l1.emit(table(2n, 99n))
    l1.emit({ kind: 'confirmed', number: 2n })
    headed(2n, 99n, 99n)
    expect(faultsOf()).toEqual([])
    amend((words) => (words[8] = root()))
    expect(faultsOf()).toEqual(['TableMustMatch'])
  })
  it('are not confirmed before they are posted', () => {
    l1.emit({ kind: 'confirmed', number: 2n })
    expect(faultsOf()).toEqual(['TableMustBeKnown'])
  })
})

describe('the mode', () => {
  it.each([
    [0n, 0n, []],
    [0n, 1n, []],
    [1n, 1n, []],
    [1n, 0n, ['ModeMustBeKnown']],
    [0n, 2n, ['ModeMustBeKnown']],
  ])('set to %s, a batch in mode %s gives %j', (set, mode, faults) => {
    l1.emit({ kind: 'mode', mode: set })
    l1.batch()
    amend((words) => (words[3] = mode))
    expect(faultsOf()).toEqual(faults)
  })
})

describe('after a freeze', () => {
  const freeze = (): void => l1.emit({ kind: 'frozen', ground: 1, claimsEndAt: 9n })
  it('no batch is accepted', () => {
    l1.batch()
    freeze()
    expect(faultsOf()).toEqual([])
    l1.batch()
    expect(faultsOf()).toEqual(['FrozenMustNotContinue'])
  })
  it('a deposit is refunded without having been asked for, and only then', () => {
    const [member] = l1.house.members
    if (member === undefined) throw new Error('no member')
    const { id } = l1.deposit(member, 5n)
    l1.emit({ kind: 'refunded', id })
    expect(faultsOf()).toEqual(['RefundMustBeRequested'])
    l1.events.pop()
    freeze()
    l1.emit({ kind: 'refunded', id })
    expect(faultsOf()).toEqual([])
  })
  it('what is paid to claimants leaves the vault, and only then', () => {
    const claim = { account: 16, equity: 10n, amount: 10n } as const
    const pay = { account: 16, token: 1, to: OWNER, amount: 10n } as const
    l1.emit({ kind: 'escapePaid', ...pay })
    expect(faultsOf()).toEqual(['EscapeMustFollowFreeze'])
    l1.events.pop()
    freeze()
    l1.emit({ kind: 'escapeClaim', ...claim })
    l1.emit({ kind: 'escapePaid', ...pay })
    const rebuilt = read()
    expect(rebuilt.faults).toEqual([])
    expect(rebuilt.freeze).toMatchObject({ ground: 1, claimsEndAt: 9n })
    expect(vaultOf(rebuilt.totalsOf(1)).vault).toBe(2_999_999_990n)
  })
})
