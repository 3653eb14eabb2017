/** The whole chain of batches again, from decoded events alone: no network, no secrets. */
import { FIRST_MEMBER_INDEX, REQUEST_KIND } from '../../circuits/params.ts'
import { rowHash, settledRow } from '../../circuits/table.ts'
import type { EventBody, L1Event, Place, RequestEvent } from './events.ts'
import { Ledger, type Rebuilt, type Retention } from './ledger.ts'
import { replayBatch } from './replay-batch.ts'

export type ReplayOptions = {
  /** domainOf(chainId, contract); without it the first batch's is taken and must stay. */
  readonly domain?: bigint
  readonly onBatch?: (number: bigint) => void
}

/** Never throws on what L1 carries: whatever must not be becomes a fault, and reading goes on. */
export function replay(events: readonly L1Event[], options: ReplayOptions = {}): Rebuilt {
  const ledger = emptyLedger(options.domain ?? null)
  events.forEach((event, i) => {
    applyEvent(ledger, event, i === 0)
    if (event.kind === 'batch') options.onBatch?.(event.number)
  })
  return concluded(ledger)
}

export function emptyLedger(domain: bigint | null, retention?: Retention): Ledger {
  return new Ledger(domain, FIRST_MEMBER_INDEX, retention)
}

/** One event more; `isFirst` for the first that the contract ever emitted. */
export function applyEvent(ledger: Ledger, event: L1Event, isFirst = false): void {
  expect(
    ledger,
    event,
    !isFirst || event.kind === 'genesis',
    'EventsMustBeginWithGenesis',
    `the first event is ${event.kind}`,
  )
  apply(ledger, event)
}

export function concluded(ledger: Ledger): Ledger {
  if (ledger.genesis === null) {
    ledger.faults.push({
      must: 'GenesisMustExist',
      detail: 'the contract has emitted no Genesis event',
      block: 0,
    })
  }
  return ledger
}

export type Expect = (holds: boolean, must: string, detail: string) => boolean

function expect(
  ledger: Ledger,
  place: Place,
  holds: boolean,
  must: string,
  detail: string,
): boolean {
  if (!holds) ledger.faults.push({ must, detail, block: place.block })
  return holds
}

function apply(ledger: Ledger, event: L1Event): void {
  const must: Expect = (holds, name, detail) => expect(ledger, event, holds, name, detail)
  switch (event.kind) {
    case 'genesis':
      return applyGenesis(ledger, event, must)
    case 'token':
      must(!ledger.tokens.has(event.id), 'TokenMustBeNew', `token ${event.id} is listed twice`)
      ledger.tokens.set(event.id, event)
      return
    case 'shape':
      must(!ledger.shapes.has(event.id), 'ShapeMustBeNew', `shape ${event.id} is added twice`)
      ledger.shapes.set(event.id, event)
      return
    case 'fee':
      ledger.fee = event.fee
      return
    case 'registered':
    case 'ownerChanged':
      ledger.l1Owners.set(event.account, event.l1Owner)
      return
    case 'ownerOffered':
      return
    case 'request':
      return applyRequest(ledger, event, must)
    case 'deposit':
    case 'refundRequested':
    case 'refunded':
      return applyDeposit(ledger, event, must)
    case 'table':
      must(
        event.number === BigInt(ledger.tables.length) + 1n,
        'TablesMustBeInOrder',
        `table ${event.number} comes after ${ledger.tables.length}`,
      )
      ledger.tables.push(event)
      return
    case 'confirmed':
      must(
        event.number >= 1n && event.number <= BigInt(ledger.tables.length),
        'TableMustBeKnown',
        `table ${event.number} is confirmed, ${ledger.tables.length} are posted`,
      )
      ledger.confirmed.add(event.number)
      return
    case 'mode':
      ledger.mode = event.mode
      return
    case 'frozen': {
      const { block, ground, claimsEndAt } = event
      ledger.freeze = { block, ground, claimsEndAt }
      return
    }
    case 'escapeClaim':
    case 'escapePaid':
      must(ledger.freeze !== null, 'EscapeMustFollowFreeze', `account ${event.account}`)
      if (event.kind === 'escapePaid') ledger.add(event.token, { escaped: event.amount })
      return
    case 'settlement':
      return applySettlement(ledger, event, must)
    case 'batch':
      return replayBatch(ledger, event, event, must)
    case 'claim':
      return applyClaim(ledger, event, must)
  }
}

type Body<K extends EventBody['kind']> = Extract<EventBody, { kind: K }>

function applyGenesis(ledger: Ledger, event: Body<'genesis'>, must: Expect): void {
  if (!must(ledger.genesis === null, 'GenesisMustBeOnce', 'a second Genesis event')) return
  ledger.genesis = event
  ledger.tree.set(0, event.feeAccountLeaf)
  must(
    ledger.root === event.root,
    'GenesisRootMustHoldOneLeaf',
    `the tree of the fee account's leaf alone has root ${ledger.root}, L1 says ${event.root}`,
  )
}

const REQUEST_NAMES = ['register', 'rotate', 'forcedExit'] as const

function applyRequest(ledger: Ledger, event: RequestEvent, must: Expect): void {
  const kind = REQUEST_NAMES.find((name) => REQUEST_KIND[name] === event.requestKind) ?? null
  must(
    event.serial === BigInt(ledger.keyRequests.length),
    'RequestsMustBeInOrder',
    `request ${event.serial} comes after ${ledger.keyRequests.length}`,
  )
  if (
    !must(
      kind !== null,
      'RequestKindMustBeKnown',
      `request ${event.serial} is of kind ${event.requestKind}`,
    )
  )
    return
  const { serial, account, x, y, viewKeyHash } = event
  ledger.keyRequests.push({
    kind: kind ?? 'rotate',
    serial,
    account,
    x,
    y,
    viewKeyHash,
    servedBy: null,
  })
}

function applyDeposit(
  ledger: Ledger,
  event: Body<'deposit' | 'refundRequested' | 'refunded'>,
  must: Expect,
): void {
  if (event.kind === 'deposit') {
    must(!ledger.deposits.has(event.id), 'DepositMustBeNew', `deposit ${event.id} is made twice`)
    ledger.deposits.set(event.id, { ...event, status: 'open', refundDueAt: null, batch: null })
    return ledger.add(event.token, { deposited: event.amount })
  }
  const deposit = ledger.deposits.get(event.id)
  const name = event.kind === 'refunded' ? 'refund taken' : 'refund requested'
  must(
    deposit?.status === 'open',
    'DepositMustBeOpen',
    `${name} of deposit ${event.id}, which is ${deposit?.status ?? 'unknown'}`,
  )
  if (deposit === undefined) return
  if (event.kind === 'refundRequested') {
    ledger.deposits.set(event.id, { ...deposit, refundDueAt: event.dueAt })
    return
  }
  must(
    deposit.refundDueAt !== null || ledger.freeze !== null,
    'RefundMustBeRequested',
    `deposit ${event.id} is refunded without a request`,
  )
  ledger.deposits.set(event.id, { ...deposit, status: 'refunded' })
  ledger.add(deposit.token, { refunded: deposit.amount })
}

/** The register is append-only in order of posting, so its root follows from the values posted. */
function applySettlement(ledger: Ledger, event: Body<'settlement'> & Place, must: Expect): void {
  event.ids.forEach((id, i) => {
    const value = event.values[i] ?? 0n
    if (
      !must(
        !ledger.settlements.has(id),
        'SettlementMustBeFinal',
        `instrument ${id} is settled a second time`,
      )
    )
      return
    ledger.settlementTree.set(ledger.settlements.size, rowHash(settledRow(id, value)))
    ledger.settlements.set(id, value)
  })
  ledger.postedRegister = event.root
  const { root } = ledger.settlementTree
  if (root === event.root) return
  ledger.faults.push({
    must: 'SettlementRootMustFollowValues',
    detail: `the values posted have root ${root}, L1 says ${event.root}`,
    block: event.block,
    isOfOracle: true,
  })
}

function applyClaim(ledger: Ledger, event: Body<'claim'>, must: Expect): void {
  const key = `${event.batch}/${event.slot}`
  const paid = ledger.withdrawals.get(key)
  const isSame =
    paid !== undefined &&
    paid.token === event.token &&
    paid.amount === event.amount &&
    BigInt(paid.to) === BigInt(event.to)
  must(
    isSame && !paid.isClaimed,
    'ClaimMustMatchWithdrawal',
    `claim of ${event.amount} lots of token ${event.token} from batch ${event.batch}, slot ` +
      `${event.slot}` +
      (paid === undefined
        ? ': no such withdrawal'
        : paid.isClaimed
          ? ': paid before'
          : ': the withdrawal differs'),
  )
  if (paid !== undefined) ledger.withdrawals.set(key, { ...paid, isClaimed: true })
  ledger.add(event.token, { claimed: event.amount })
}
