/** The events of the contract as plain values, in the order of the chain. */
import { wordsOfBytes, type ShapeSizes } from './batch-words.ts'
import { ReadError, type DecodedLog, type L1 } from './rpc.ts'

export type Place = { readonly block: number; readonly index: number; readonly transaction: string }

export type GenesisEvent = {
  readonly kind: 'genesis'
  readonly root: bigint
  readonly feeAccountLeaf: bigint
  readonly feeAccountViewKeyHash: bigint
  readonly feeAccountMeta: bigint
}
export type TokenEvent = {
  readonly kind: 'token'
  readonly id: number
  readonly address: string
  readonly unit: bigint
  readonly cap: bigint
}
export type ShapeEvent = {
  readonly kind: 'shape'
  readonly id: number
  readonly name: string
  readonly verifier: string
  readonly keyHash: string
  readonly isDevelopmentKey: boolean
  /** From the contract's view: the event does not carry them. */
  readonly sizes: ShapeSizes
}
export type RequestEvent = {
  readonly kind: 'request'
  readonly serial: bigint
  readonly account: number
  /** 1 register, 2 rotate, 3 forced exit: then x is the token, y the address. */
  readonly requestKind: number
  readonly x: bigint
  readonly y: bigint
  readonly viewKeyHash: bigint
}
export type DepositEvent = {
  readonly kind: 'deposit'
  readonly id: bigint
  readonly depositor: string
  readonly token: number
  readonly amount: bigint
  readonly commitment: bigint
}
export type TableEvent = {
  readonly kind: 'table'
  readonly number: bigint
  readonly root: bigint
  readonly marksRoot: bigint
  readonly dataHash: string
  readonly time: bigint
  readonly marks: string
}
export type BatchEvent = {
  readonly kind: 'batch'
  readonly number: bigint
  readonly shapeId: number
  readonly newRoot: bigint
  readonly commitment: bigint
  readonly x: bigint
  readonly words: readonly bigint[]
}
export type ClaimEvent = {
  readonly kind: 'claim'
  readonly batch: bigint
  readonly slot: number
  readonly to: string
  readonly token: number
  readonly amount: bigint
}
export type EventBody =
  | GenesisEvent
  | TokenEvent
  | ShapeEvent
  | RequestEvent
  | DepositEvent
  | TableEvent
  | BatchEvent
  | ClaimEvent
  | { readonly kind: 'fee'; readonly fee: bigint }
  | { readonly kind: 'registered'; readonly account: number; readonly l1Owner: string }
  | { readonly kind: 'ownerOffered'; readonly account: number; readonly nextL1Owner: string }
  | { readonly kind: 'ownerChanged'; readonly account: number; readonly l1Owner: string }
  | { readonly kind: 'refundRequested'; readonly id: bigint; readonly dueAt: bigint }
  | { readonly kind: 'refunded'; readonly id: bigint }
  | { readonly kind: 'confirmed'; readonly number: bigint }
  | { readonly kind: 'mode'; readonly mode: bigint }
  | { readonly kind: 'frozen'; readonly ground: number; readonly claimsEndAt: bigint }
  | {
      readonly kind: 'escapeClaim'
      readonly account: number
      readonly equity: bigint
      readonly amount: bigint
    }
  | {
      readonly kind: 'escapePaid'
      readonly account: number
      readonly token: number
      readonly to: string
      readonly amount: bigint
    }
  | {
      readonly kind: 'settlement'
      readonly ids: readonly number[]
      readonly values: readonly bigint[]
      readonly root: bigint
    }
export type L1Event = Place & EventBody

export type Progress = (what: string) => void

/** So many blocks between two words of progress. */
export const BLOCKS_A_CHUNK = 10_000

/** Every event up to the head at which `l1` reads, from block `from` on. */
export async function readEvents(
  l1: L1,
  from = 0,
  progress: Progress = () => {},
): Promise<readonly L1Event[]> {
  const logs: DecodedLog[] = []
  for (let first = from; first <= l1.head.number; first += BLOCKS_A_CHUNK) {
    const last = Math.min(first + BLOCKS_A_CHUNK - 1, l1.head.number)
    logs.push(...(await l1.logs(first, last)))
    progress(`read blocks ${first} to ${last} of ${l1.head.number}: ${logs.length} events so far`)
  }
  return eventsOf(l1, logs)
}

/** The events among the logs; what the ABI knows and the replay has no use for is left out. */
export async function eventsOf(l1: L1, logs: readonly DecodedLog[]): Promise<readonly L1Event[]> {
  const sizes = new Map<number, ShapeSizes>()
  for (const { args } of logs.filter((log) => log.name === 'ShapeAdded')) {
    const id = smallOf(args.id)
    sizes.set(id, await readShapeSizes(l1, id))
  }
  return logs.flatMap((log) => {
    const body = eventBody(log, sizes)
    return body === null
      ? []
      : [{ block: log.block, index: log.index, transaction: log.transaction, ...body }]
  })
}

/** Ids of shapes, accounts, tokens: the contract bounds each well below 2^53. */
function smallOf(value: unknown): number {
  const small = Number(value)
  if (!Number.isSafeInteger(small))
    throw new ReadError(`the RPC node tells of an id that the contract never gave: ${small}`)
  return small
}

async function readShapeSizes(l1: L1, id: number): Promise<ShapeSizes> {
  const [, members, deposits, withdrawals, requests] = (
    await l1.view('shapes', [id])
  )[0] as readonly unknown[]
  return {
    members: Number(members),
    deposits: Number(deposits),
    withdrawals: Number(withdrawals),
    requests: Number(requests),
  }
}

/** Values come from ethers' decoder, which has already held them to the types of the ABI. */
function eventBody(
  { name, args }: DecodedLog,
  sizes: ReadonlyMap<number, ShapeSizes>,
): EventBody | null {
  const big = (key: string): bigint => args[key] as bigint
  const small = (key: string): number => smallOf(args[key])
  const text = (key: string): string => args[key] as string
  switch (name) {
    case 'Genesis':
      return {
        kind: 'genesis',
        root: big('root'),
        feeAccountLeaf: big('feeAccountLeaf'),
        feeAccountViewKeyHash: big('feeAccountViewKeyHash'),
        feeAccountMeta: big('feeAccountMeta'),
      }
    case 'TokenAdded':
      return {
        kind: 'token',
        id: small('id'),
        address: text('token'),
        unit: big('unit'),
        cap: big('cap'),
      }
    case 'ShapeAdded':
      return {
        kind: 'shape',
        id: small('id'),
        name: text('name'),
        verifier: text('verifier'),
        keyHash: text('keyHash'),
        isDevelopmentKey: args.isDevelopmentKey as boolean,
        sizes: sizes.get(small('id')) as ShapeSizes,
      }
    case 'FeeSet':
      return { kind: 'fee', fee: big('fee') }
    case 'Registered':
      return { kind: 'registered', account: small('account'), l1Owner: text('l1Owner') }
    case 'RequestQueued':
      return {
        kind: 'request',
        serial: big('serial'),
        account: small('account'),
        requestKind: small('kind'),
        x: big('x'),
        y: big('y'),
        viewKeyHash: big('viewKeyHash'),
      }
    case 'L1OwnerOffered':
      return { kind: 'ownerOffered', account: small('account'), nextL1Owner: text('nextL1Owner') }
    case 'L1OwnerChanged':
      return { kind: 'ownerChanged', account: small('account'), l1Owner: text('l1Owner') }
    case 'Deposited':
      return {
        kind: 'deposit',
        id: big('id'),
        depositor: text('depositor'),
        token: small('token'),
        amount: big('amount'),
        commitment: big('commitment'),
      }
    case 'RefundRequested':
      return { kind: 'refundRequested', id: big('id'), dueAt: big('dueAt') }
    case 'Refunded':
      return { kind: 'refunded', id: big('id') }
    case 'TableConfirmed':
      return { kind: 'confirmed', number: big('number') }
    case 'ModeSet':
      return { kind: 'mode', mode: big('mode') }
    case 'Frozen':
      return { kind: 'frozen', ground: small('ground'), claimsEndAt: big('claimsEndAt') }
    case 'EscapeClaimed':
      return {
        kind: 'escapeClaim',
        account: small('account'),
        equity: big('equity'),
        amount: big('amount'),
      }
    case 'EscapePaid':
      return {
        kind: 'escapePaid',
        account: small('account'),
        token: small('token'),
        to: text('to'),
        amount: big('amount'),
      }
    case 'TablePosted':
      return {
        kind: 'table',
        number: big('number'),
        root: big('root'),
        marksRoot: big('marksRoot'),
        dataHash: text('dataHash'),
        time: big('time'),
        marks: text('marks'),
      }
    case 'SettlementPosted':
      return {
        kind: 'settlement',
        ids: (args.ids as readonly bigint[]).map(Number),
        values: [...(args.values as readonly bigint[])],
        root: big('root'),
      }
    case 'Batch':
      return {
        kind: 'batch',
        number: big('number'),
        shapeId: small('shapeId'),
        newRoot: big('newRoot'),
        commitment: big('commitment'),
        x: big('x'),
        words: wordsOfBytes(text('words')),
      }
    case 'Claimed':
      return {
        kind: 'claim',
        batch: big('batch'),
        slot: small('slot'),
        to: text('to'),
        token: small('token'),
        amount: big('amount'),
      }
    default:
      return null
  }
}
