/** What L1 says, added up: the state that replay.ts fills while it reads the events in order. */
import { SETTLEMENT_DEPTH, TREE_DEPTH } from '../../circuits/params.ts'
import { Tree } from '../../circuits/tree.ts'
import type { BatchWords } from './batch-words.ts'
import type {
  BatchEvent,
  DepositEvent,
  GenesisEvent,
  Place,
  ShapeEvent,
  TableEvent,
  TokenEvent,
} from './events.ts'

/** Something on L1 that the protocol does not allow; `must` is the broken expectation. */
export type Fault = {
  readonly must: string
  readonly detail: string
  readonly block: number
  /** L1 took the oracle's word for it: everything else holds, and nobody is to be kept in by it. */
  readonly isOfOracle?: true
}

/**
 * An entry of L1's queue. A key to install: point Q in x and y, the owner key being 8 Q. A forced
 * exit: the token in x, the address to pay in y.
 */
export type KeyRequest = {
  readonly kind: 'register' | 'rotate' | 'forcedExit'
  readonly serial: bigint
  readonly account: number
  readonly x: bigint
  readonly y: bigint
  /** 0 for a rotation: it leaves the view key alone. */
  readonly viewKeyHash: bigint
  /** The batch that served it, or null. */
  readonly servedBy: bigint | null
}
/** What one batch wrote for one account. */
export type Touch = {
  readonly index: number
  readonly leaf: bigint
  readonly cipher: readonly bigint[]
  readonly batchNumber: bigint
  readonly batchNonce: bigint
  readonly time: bigint
}
export type DepositRecord = DepositEvent & {
  readonly status: 'open' | 'consumed' | 'refunded'
  readonly refundDueAt: bigint | null
  readonly batch: bigint | null
}
export type WithdrawalRecord = {
  readonly batch: bigint
  readonly slot: number
  readonly token: number
  readonly amount: bigint
  readonly to: string
  readonly isClaimed: boolean
}
/** Lots. consumed - withdrawn is what all accounts hold together. */
export type TokenTotals = {
  readonly deposited: bigint
  readonly refunded: bigint
  readonly consumed: bigint
  readonly withdrawn: bigint
  readonly claimed: bigint
  /** Paid out of the pot after a freeze. */
  readonly escaped: bigint
}
/** A freeze, and what was claimed and paid since. */
export type Freeze = {
  readonly block: number
  readonly ground: number
  readonly claimsEndAt: bigint
}
export type BatchRecord = {
  readonly place: Place
  readonly event: BatchEvent
  readonly shape: ShapeEvent
  readonly parts: BatchWords
  /** Accounts with a leaf, the fee account included; padding is not counted. */
  readonly touchedCount: number
}
/** What stays of a batch when its words are let go: enough to hold it against L1's own record. */
export type BatchSummary = {
  readonly number: bigint
  readonly place: Place
  readonly shapeId: number
  readonly root: bigint
  readonly time: bigint
  readonly tableNumber: bigint
  /** Both as of the end of the batch. */
  readonly accountCount: bigint
  readonly served: bigint
  readonly wordCount: number
  readonly touchedCount: number
  readonly deposits: number
  readonly requests: number
  readonly withdrawals: number
}
/** What to keep in memory: the words of a year of batches do not fit there. */
export type Retention = {
  readonly isKeepingBatches: boolean
  readonly isKeepingTouches: boolean
}
const EVERYTHING: Retention = { isKeepingBatches: true, isKeepingTouches: true }

export type Registration = {
  readonly account: number
  readonly l1Owner: string | null
  readonly request: KeyRequest | null
}

/** Filled by replay.ts alone; everybody else reads it as Rebuilt. */
export class Ledger {
  tree = new Tree(TREE_DEPTH)
  readonly settlementTree = new Tree(SETTLEMENT_DEPTH)
  readonly faults: Fault[] = []
  genesis: GenesisEvent | null = null
  /** Empty where the words are not kept; the summaries are always there. */
  readonly batches: BatchRecord[] = []
  readonly summaries: BatchSummary[] = []
  readonly keyRequests: KeyRequest[] = []
  readonly l1Owners = new Map<number, string>()
  readonly touches = new Map<number, Touch[]>()
  readonly deposits = new Map<bigint, DepositRecord>()
  readonly withdrawals = new Map<string, WithdrawalRecord>()
  readonly tokens = new Map<number, TokenEvent>()
  readonly totals = new Map<number, TokenTotals>()
  readonly shapes = new Map<number, ShapeEvent>()
  readonly tables: TableEvent[] = []
  readonly settlements = new Map<number, bigint>()
  /** The register's root as it was posted, which need not be that of the values; null before the first. */
  postedRegister: bigint | null = null
  fee: bigint | null = null
  served = 0n
  accountCount: bigint
  /** Tables that were confirmed; empty on a chain where posting one confirms it. */
  readonly confirmed = new Set<bigint>()
  mode = 0n
  freeze: Freeze | null = null
  /** The domain that every batch must carry; null accepts that of the first batch. */
  domain: bigint | null

  readonly retention: Retention

  constructor(domain: bigint | null, firstMemberIndex: number, retention = EVERYTHING) {
    this.domain = domain
    this.retention = retention
    this.accountCount = BigInt(firstMemberIndex)
  }

  get root(): bigint {
    return this.tree.root
  }
  /** What L1 holds batches and tables to. */
  get registerRoot(): bigint {
    return this.postedRegister ?? this.settlementTree.root
  }
  get batchNumber(): bigint {
    return this.summaries.at(-1)?.number ?? 0n
  }
  get time(): bigint {
    return this.summaries.at(-1)?.time ?? 0n
  }
  /** The latest leaf and ciphertext of an account. */
  last(index: number): Touch | undefined {
    return this.touches.get(index)?.at(-1)
  }
  totalsOf(token: number): TokenTotals {
    return (
      this.totals.get(token) ?? {
        deposited: 0n,
        refunded: 0n,
        consumed: 0n,
        withdrawn: 0n,
        claimed: 0n,
        escaped: 0n,
      }
    )
  }
  registration(account: number): Registration {
    const request = this.keyRequests.find((r) => r.account === account && r.kind === 'register')
    return { account, l1Owner: this.l1Owners.get(account) ?? null, request: request ?? null }
  }
  /** All of them, by index. */
  get registrations(): ReadonlyMap<number, KeyRequest> {
    return new Map(this.keyRequests.filter((r) => r.kind === 'register').map((r) => [r.account, r]))
  }

  add(token: number, change: Partial<TokenTotals>): void {
    const totals = this.totalsOf(token)
    this.totals.set(token, {
      deposited: totals.deposited + (change.deposited ?? 0n),
      refunded: totals.refunded + (change.refunded ?? 0n),
      consumed: totals.consumed + (change.consumed ?? 0n),
      withdrawn: totals.withdrawn + (change.withdrawn ?? 0n),
      claimed: totals.claimed + (change.claimed ?? 0n),
      escaped: totals.escaped + (change.escaped ?? 0n),
    })
  }
}

export type Rebuilt = Omit<
  Readonly<Ledger>,
  'add' | 'faults' | 'batches' | 'summaries' | 'keyRequests' | 'tables'
> & {
  readonly faults: readonly Fault[]
  readonly batches: readonly BatchRecord[]
  readonly summaries: readonly BatchSummary[]
  readonly keyRequests: readonly KeyRequest[]
  readonly tables: readonly TableEvent[]
}

/** Lots that the vault holds by the events alone, and how they are split. */
export function vaultOf(totals: TokenTotals) {
  return {
    vault: totals.deposited - totals.refunded - totals.claimed - totals.escaped,
    owed: totals.withdrawn - totals.claimed,
    unconsumed: totals.deposited - totals.refunded - totals.consumed,
    balances: totals.consumed - totals.withdrawn - totals.escaped,
  }
}
