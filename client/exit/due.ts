/** All that L1 would pay an owner now: payments of batches, refunds, and its share of each pot. */
import { getAddress } from '../l1/ethers.ts'
import { NO_PAGES, type KnownPages } from '../l1/own-pages.ts'
import { withdrawalProof, type Withdrawal } from '../l1/withdrawals.ts'
import type { Rebuilt } from '../l1/ledger.ts'
import type { L1 } from '../l1/rpc.ts'
import type { Scan } from '../l1/scan.ts'

/** A call on L1 that pays; `only` says who must send it, null for anybody. */
export type Due = {
  readonly what: 'payment' | 'refund' | 'share' | 'valuePot'
  readonly token: number
  /** Lots. */
  readonly amount: bigint
  readonly to: string
  readonly only: string | null
  readonly call: { readonly name: string; readonly args: readonly unknown[] }
}

/**
 * Payments to the owner, to the addresses that its forced exits named, and to those of its pages, where
 * the journal is at hand: L1 does not say whose a withdrawal was, and anybody may collect one for whom
 * it pays.
 */
export function paymentsDue(
  l1: L1,
  rebuilt: Rebuilt,
  account: number,
  pages: KnownPages = NO_PAGES,
): readonly Due[] {
  const owner = rebuilt.l1Owners.get(account)
  const own = new Set(owner === undefined ? [] : [BigInt(owner)])
  for (const { page } of pages.values())
    if (page.account === account && page.kind === 'withdrawal') own.add(page.payload)
  for (const { account: of, kind, y } of rebuilt.keyRequests)
    if (of === account && kind === 'forcedExit') own.add(y)
  const all = [...rebuilt.withdrawals.values()]
  return all
    .filter(({ to, isClaimed, amount }) => own.has(BigInt(to)) && !isClaimed && amount > 0n)
    .map((payment) => {
      const { batch, slot, token, amount, to } = payment
      const ofBatch: readonly Withdrawal[] = all
        .filter((other) => other.batch === batch)
        .sort((a, b) => a.slot - b.slot)
      const proof = withdrawalProof(l1.contract, ofBatch, slot)
      const call = { name: 'claim', args: [batch, slot, token, amount, to, proof] }
      return { what: 'payment', token, amount, to: getAddress(to), only: null, call }
    })
}

/** Deposits of this depositor that no batch has credited; after a freeze they go back at once. */
export function refundsDue(l1: L1, rebuilt: Rebuilt, depositor: string): readonly Due[] {
  const { time } = l1.head
  return [...rebuilt.deposits.values()]
    .filter((deposit) => deposit.status === 'open' && isSame(deposit.depositor, depositor))
    .filter(
      ({ refundDueAt }) => rebuilt.freeze !== null || (refundDueAt !== null && refundDueAt <= time),
    )
    .map(({ id, token, amount }) => {
      const call = { name: 'takeRefund', args: [id] }
      return { what: 'refund', token, amount, to: depositor, only: depositor, call }
    })
}

/** Before its shares a pot must be valued, by anybody, with the marks as they were posted. */
export async function sharesDue(
  l1: L1,
  { rebuilt, log }: Pick<Scan, 'rebuilt' | 'log'>,
  account: number,
  owner: string,
  to: string,
): Promise<readonly Due[]> {
  const escape = await fields(l1, 'escape')
  const claim = await fields(l1, 'escapeClaims', account)
  if (escape['frozenAt'] === 0n || claim['isMade'] !== true) return []
  if (l1.head.time <= (escape['claimsEndAt'] as bigint)) return []
  const pots = new Map<number, bigint>()
  for (const id of rebuilt.tokens.keys()) pots.set(id, (await l1.view('pot', [id]))[0] as bigint)
  const paid = new Set<number>()
  for (const event of log.events())
    if (event.kind === 'escapePaid' && event.account === account) paid.add(event.token)
  const { value, valuing } = await potValue(l1, rebuilt, escape, pots)
  const claims = escape['claims'] as bigint
  const denominator = claims > value ? claims : value
  const shares = [...pots]
    .filter(([token]) => !paid.has(token))
    .map(([token, pot]): Due => {
      const share = denominator === 0n ? 0n : (pot * (claim['amount'] as bigint)) / denominator
      const call = { name: 'escapePay', args: [account, token, to] }
      return { what: 'share', token, amount: share, to, only: owner, call }
    })
    .filter(({ amount }) => amount > 0n)
  return shares.length === 0 ? [] : [...valuing, ...shares]
}

/** The value of the pot, and the call that fixes it on L1 where nobody has made it yet. */
async function potValue(
  l1: L1,
  rebuilt: Rebuilt,
  escape: Readonly<Record<string, unknown>>,
  pots: ReadonlyMap<number, bigint>,
): Promise<{ readonly value: bigint; readonly valuing: readonly Due[] }> {
  if (escape['isPotValued'] === true) return { value: escape['potValue'] as bigint, valuing: [] }
  const [number] = (await l1.view('confirmedTableNumber')) as readonly [bigint]
  const marks = rebuilt.tables.find((table) => table.number === number)?.marks ?? '0x'
  const call = { name: 'valuePot', args: [marks] }
  const value = valueOf(pots, marks)
  const due: Due = { what: 'valuePot', token: 0, amount: 0n, to: l1.contract, only: null, call }
  return { value, valuing: [due] }
}

const CASH = 1
const TOKEN_END = 1024n
const MARK_END = 1n << 48n

/** As contracts/WayOut.sol reads them: once, ids ascending; what is no mark counts for nothing. */
export function valueOf(pots: ReadonlyMap<number, bigint>, marks: string): bigint {
  const bytes = Buffer.from(marks.slice(2), 'hex')
  const word = (at: number): bigint => BigInt(`0x${bytes.subarray(at, at + 32).toString('hex')}`)
  let last = BigInt(CASH)
  let value = pots.get(CASH) ?? 0n
  for (let place = 64; place + 96 <= bytes.length; place += 96) {
    const id = word(place)
    if (id <= last || id >= TOKEN_END) continue
    last = id
    const mark = word(place + 64)
    if (mark < MARK_END) value += (pots.get(Number(id)) ?? 0n) * mark
  }
  return value
}

export async function fields(
  l1: L1,
  name: string,
  ...args: readonly unknown[]
): Promise<Readonly<Record<string, unknown>>> {
  const [answer] = await l1.view(name, args)
  return (answer as { toObject: () => Record<string, unknown> }).toObject()
}

const isSame = (a: string, b: string): boolean => BigInt(a) === BigInt(b)
