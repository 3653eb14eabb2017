/** Events as L1 would emit them for a house in memory: no chain, no proofs. */
import { viewKeyHash, leafHash, type Account } from '../../circuits/account.ts'
import type { BatchPlan, BatchTrace, Credit, KeyRequest, L1Request } from '../../circuits/batch.ts'
import { SHAPES, type Shape } from '../../circuits/params.ts'
import { settledRow, settlementsOf, tableOf } from '../../circuits/table.ts'
import { challengeOf, domainOf } from '../../client/l1/batch-words.ts'
import type { EventBody, L1Event } from '../../client/l1/events.ts'
import { DOMAIN, House, START, type Member } from '../law/house.ts'

export { DOMAIN }
const ADDRESS = `0x${'11'.repeat(20)}`
export const SHAPE = SHAPES.find((shape) => shape.name === 'mini') as Shape

const KEY_HASH = `0x${'22'.repeat(32)}`
/** Of a chain and contract that the words are to be bound to. */
export type Home = { readonly chainId: bigint; readonly contract: string }

/** A house that tells L1 what happens. */
export class SyntheticL1 {
  readonly house: House
  readonly events: L1Event[] = []
  /** Without a home the domain is DOMAIN and the challenge any number. */
  readonly home: Home | null
  private queue: L1Request[] = []

  constructor(home: Home | null = null, seed?: string) {
    this.home = home
    this.house = new House(seed)
    const fee = this.house.accounts.get(0) as Account
    this.emit({
      kind: 'genesis',
      root: this.house.tree.root,
      feeAccountLeaf: leafHash(fee),
      feeAccountViewKeyHash: viewKeyHash(777n),
      feeAccountMeta: fee.meta,
    })
    this.emit({ kind: 'fee', fee: this.house.fee })
    this.emit({ kind: 'token', id: 1, address: ADDRESS, unit: 1n, cap: 1n << 54n })
    this.emit({
      kind: 'shape',
      id: 7,
      name: SHAPE.name,
      verifier: ADDRESS,
      keyHash: KEY_HASH,
      isDevelopmentKey: true,
      sizes: SHAPE,
    })
    this.postTable()
  }

  emit(body: EventBody): void {
    const index = this.events.length
    this.events.push({
      block: 100 + index,
      index: 0,
      transaction: `0x${index.toString(16).padStart(64, '0')}`,
      ...body,
    })
  }

  postTable(): void {
    const table = tableOf(this.house.rows)
    this.emit({
      kind: 'table',
      number: 1n,
      root: table.root,
      marksRoot: table.marksRoot,
      dataHash: '0x',
      time: START,
      marks: '0x',
    })
  }

  join(): Member {
    const { member, request } = this.house.join()
    this.emit({ kind: 'registered', account: member.index, l1Owner: ADDRESS })
    this.request(request)
    return member
  }

  request(request: KeyRequest): void {
    this.queue.push(request)
    this.emit({
      kind: 'request',
      serial: request.serial,
      account: request.account,
      requestKind: request.kind === 'register' ? 1 : 2,
      x: request.key.x,
      y: request.key.y,
      viewKeyHash: request.kind === 'register' ? request.viewKeyHash : 0n,
    })
  }

  deposit(member: Member, amount: bigint): Credit {
    const credit = this.house.credit(member, 1, amount)
    this.emit({
      kind: 'deposit',
      id: credit.id,
      depositor: ADDRESS,
      token: 1,
      amount,
      commitment: credit.commitment,
    })
    return credit
  }

  settle(id: number, value: bigint): void {
    this.house.settled.push(settledRow(id, value))
    this.emit({
      kind: 'settlement',
      ids: [id],
      values: [value],
      root: settlementsOf(this.house.settled).tree.root,
    })
  }

  /** Serves the whole queue and takes the result over as the new state. */
  batch(parts: Partial<BatchPlan> = {}): BatchTrace {
    const base = this.house.plan({ requests: this.queue, ...parts })
    const domain = this.home === null ? DOMAIN : domainOf(this.home.chainId, this.home.contract)
    const outcome = this.house.execute({ ...base, context: { ...base.context, domain } })
    if (!outcome.ok) throw new Error(`${outcome.rejection.rule}: ${outcome.rejection.detail}`)
    this.queue = []
    const built = this.house.build(SHAPE, outcome.trace)
    this.house.accept(outcome.trace)
    const { commitment, words } = built
    const x =
      this.home === null
        ? 5n
        : challengeOf({ ...this.home, keyHash: KEY_HASH, commitment }, words).x
    this.emit({
      kind: 'batch',
      number: this.house.batchNumber,
      shapeId: 7,
      newRoot: built.newRoot,
      commitment,
      x,
      words,
    })
    return outcome.trace
  }
}
