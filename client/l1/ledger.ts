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
export type Fault = { readonly must: string; readonly detail: string; readonly block: number }

/** A key that L1 was asked to install: point Q, the owner key being 8 Q. */
export type KeyRequest = {
  readonly kind: 'register' | 'rotate'
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
/** Lots. balances = consumed - withdrawn: what all accounts hold together. */
export type TokenTotals = {
  readonly deposited: bigint
  readonly refunded: bigint
  readonly consumed: bigint
  readonly withdrawn: bigint
  readonly claimed: bigint
}
export type BatchRecord = {
  readonly place: Place
  readonly event: BatchEvent
  readonly shape: ShapeEvent
  readonly parts: BatchWords
  /** Accounts with a leaf, the fee account included; padding is not counted. */
  readonly touchedCount: number
}
export type Registration = {
  readonly account: number
  readonly l1Owner: string | null
  readonly request: KeyRequest | null
}

/** Filled by replay.ts alone; everybody else reads it as Rebuilt. */
export class Ledger {
  readonly tree = new Tree(TREE_DEPTH)
  readonly settlementTree = new Tree(SETTLEMENT_DEPTH)
  readonly faults: Fault[] = []
  genesis: GenesisEvent | null = null
  readonly batches: BatchRecord[] = []
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
  fee: bigint | null = null
  served = 0n
  accountCount: bigint
  /** The domain that every batch must carry; null accepts that of the first batch. */
  domain: bigint | null

  constructor(domain: bigint | null, firstMemberIndex: number) {
    this.domain = domain
    this.accountCount = BigInt(firstMemberIndex)
  }

  get root(): bigint {
    return this.tree.root
  }
  get batchNumber(): bigint {
    return this.batches.at(-1)?.event.number ?? 0n
  }
  get time(): bigint {
    return this.batches.at(-1)?.parts.header.time ?? 0n
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
    })
  }
}

export type Rebuilt = Omit<
  Readonly<Ledger>,
  'add' | 'faults' | 'batches' | 'keyRequests' | 'tables'
> & {
  readonly faults: readonly Fault[]
  readonly batches: readonly BatchRecord[]
  readonly keyRequests: readonly KeyRequest[]
  readonly tables: readonly TableEvent[]
}

/** Lots that the vault holds by the events alone, and how they are split. */
export function vaultOf(totals: TokenTotals) {
  return {
    vault: totals.deposited - totals.refunded - totals.claimed,
    owed: totals.withdrawn - totals.claimed,
    unconsumed: totals.deposited - totals.refunded - totals.consumed,
    balances: totals.consumed - totals.withdrawn,
  }
}
