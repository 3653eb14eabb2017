/** What comes from outside, as the journal records it. Whatever is drawn at random is drawn before. */
import type { Account } from '../../circuits/account.ts'
import type { Point } from '../../circuits/eddsa.ts'
import type { Entry as Leg } from '../../circuits/page.ts'
import type { Shape } from '../../circuits/params.ts'
import type { Row } from '../../circuits/table.ts'
import type { SignedPage } from '../admission.ts'
import type { Due } from '../builder.ts'
import type { Fees, L1Deposit, QueuedRequest } from '../l1.ts'
import { decode, encode, type Plain } from './codec.ts'
import { JournalError } from './journal.ts'

/** What a house is: the first record, the same in every later run. */
export type Genesis = {
  readonly chainId: bigint
  readonly contract: string
  /** Who posted tables when it was deployed; null where the deployment did not say. */
  readonly oracle: string | null
  readonly token: string
  readonly shapeIds: ReadonlyMap<string, bigint>
  readonly domain: bigint
  /** Micro-dollars per page. */
  readonly fee: bigint
  readonly feeAccount: Account
  readonly feeAccountViewKey: bigint
}
/** A posted table with its rows: the journal does not depend on where a deployment serves them. */
export type TablePosted = {
  readonly number: bigint
  readonly root: bigint
  readonly flags: bigint
  readonly rows: readonly Row[]
}
/** What L1 said since the last look, in its order. */
export type L1Seen = {
  readonly requests: readonly QueuedRequest[]
  readonly deposits: readonly L1Deposit[]
  readonly refundRequests: readonly bigint[]
  readonly settled: readonly Row[]
  /** Posted, whether confirmed or not; only those that L1 still takes a batch of. */
  readonly tables: readonly TablePosted[]
  /** Numbers of tables that were confirmed. */
  readonly confirmed: readonly bigint[]
  /** What the mode was set to; null if nothing. */
  readonly mode: bigint | null
  /** Absent where L1 said nothing new of the fee, and in records of version 2. */
  readonly fees?: Fees
  /** The first block that was not looked at. */
  readonly nextBlock: number
  /** Hash of the block before it; a house on another fork must not go on. */
  readonly blockHash?: string
}

/**
 * Whoever did not sign anew in time loses all of those pages. Absent in records before version 4: there
 * it lost one, and had its time again for the others, whose other sides waited on.
 */
type Late = 'all'

export type Input =
  | { readonly kind: 'genesis'; readonly genesis: Genesis }
  | {
      readonly kind: 'proposal'
      readonly account: number
      readonly clientId: string
      readonly counterparty: number
      /** From the proposer's side. */
      readonly entries: readonly Leg[]
      readonly payload: bigint
      /** 64 random bits: for the ticket's name. */
      readonly chance: bigint
    }
  | {
      readonly kind: 'affirmation'
      readonly account: number
      readonly ticket: string
      /** 64 random bits: for the stamp. */
      readonly chance: bigint
      /**
       * The stamp is of this second, even behind one of a later second: the clock was ahead then. Absent in
       * records before version 5: there every stamp was later than the last, and lay ahead with it.
       */
      readonly isOfNow?: true
    }
  | { readonly kind: 'rejection'; readonly account: number; readonly ticket: string }
  | {
      readonly kind: 'page'
      readonly ticket: string | null
      readonly signed: SignedPage
      /** What its account calls it: asked again under this name, it is answered as before. */
      readonly clientId?: string
      /** On which head and under which key the signature was verified before this was recorded. */
      readonly verified?: { readonly head: bigint; readonly owner: Point }
    }
  | {
      readonly kind: 'resigned'
      readonly account: number
      /** The first of the pages that are wanted; absent in records before version 4: all of them. */
      readonly isPart?: true
      readonly pages: readonly SignedPage[]
    }
  /** A member was told that its journal was cut. */
  | { readonly kind: 'told'; readonly account: number }
  | { readonly kind: 'viewKey'; readonly viewKey: bigint }
  | { readonly kind: 'opening'; readonly account: number; readonly secret: bigint }
  | { readonly kind: 'l1'; readonly seen: L1Seen }
  /** By L1's clock: whether a batch of this table may only reduce risk because of its age. */
  | { readonly kind: 'tableAge'; readonly number: bigint; readonly isOld: boolean }
  | { readonly kind: 'tick'; readonly late?: Late }
  | {
      readonly kind: 'batch'
      readonly late?: Late
      /** The batch on its way to L1 that this one is built on; without it there is none. */
      readonly after?: bigint
      /** It is made of cover alone where nothing waits. */
      readonly due?: Due
      /** That the house has keys for, the usual one first; the core chooses among them. */
      readonly shapes: readonly Shape[]
      /** What L1 could pay out of each token that a waiting forced exit asks for, in lots. */
      readonly freeVaults: ReadonlyMap<number, bigint>
      /** L1 takes no withdrawal before the sweep that is late. */
      readonly areWithdrawalsHeld?: true
      /** The table of the sweep whose state is not fixed yet; its rows where the core has them not. */
      readonly sweep?: { readonly number: bigint; readonly posted?: TablePosted }
      readonly nonce: bigint
      /** Of the commitment. */
      readonly salt: bigint
      /** 32 bytes: cover accounts are drawn from it. */
      readonly seed: Uint8Array
    }
  | { readonly kind: 'proven'; readonly number: bigint; readonly seconds: number }
  /** A transaction of a batch, signed and not sent yet: whoever goes on knows what may be out. */
  | { readonly kind: 'sent'; readonly number: bigint; readonly raw: string }
  | {
      readonly kind: 'accepted'
      readonly number: bigint
      readonly root: bigint
      /** 0 if a restart came between, and nobody has looked it up. */
      readonly gas: bigint
    }
  /** A batch that never will be accepted: no prover could prove it, or L1 refused it. */
  | { readonly kind: 'withdrawn'; readonly number: bigint; readonly reason: string }

export type Kind = Input['kind']
export type InputOf<K extends Kind> = Extract<Input, { readonly kind: K }>
export type JournalRecord = {
  /** Milliseconds since 1970, by the clock of who recorded it. */
  readonly at: number
  readonly input: Input
}

/**
 * A change of meaning of any kind is a new one. Records of 2 know no batch behind another and no change
 * of the fee; 2 and 3 take pages that were not signed anew one by one; up to 4 stamps follow a clock that
 * was ahead. All mean what they meant.
 */
const VERSION = 5
const READABLE: readonly number[] = [2, 3, 4, VERSION]

export function encodeRecord({ at, input }: JournalRecord): Uint8Array {
  return Buffer.from(encode({ v: VERSION, at, input: input as unknown as Plain }), 'utf8')
}

export function decodeRecord(payload: Uint8Array): JournalRecord {
  const value = decode(Buffer.from(payload).toString('utf8')) as unknown as JournalRecord & {
    readonly v: number
  }
  if (!READABLE.includes(value.v)) {
    const detail = `a record has version ${value.v}; this program knows ${READABLE.join(', ')}`
    throw new JournalError('JournalMustBeKnown', detail)
  }
  return { at: value.at, input: value.input }
}
