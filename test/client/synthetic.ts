/** Events as L1 would emit them for a house in memory: no chain, no proofs. */
import { viewKeyHash, leafHash, type Account } from '../../circuits/account.ts'
import type { BatchPlan, BatchTrace, Credit, KeyRequest, L1Request } from '../../circuits/batch.ts'
import { SHAPES, type Shape } from '../../circuits/params.ts'
import { settledRow, settlementsOf, tableOf } from '../../circuits/table.ts'
import type { EventBody, L1Event } from '../../client/l1/events.ts'
import { DOMAIN, House, START, type Member } from '../law/house.ts'

export { DOMAIN }
const ADDRESS = `0x${'11'.repeat(20)}`
export const SHAPE = SHAPES.find((shape) => shape.name === 'mini') as Shape

/** A house that tells L1 what happens. */
export class SyntheticL1 {
  readonly house = new House()
  readonly events: L1Event[] = []
  private queue: L1Request[] = []

  constructor() {
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
      keyHash: `0x${'22'.repeat(32)}`,
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
    const outcome = this.house.execute(this.house.plan({ requests: this.queue, ...parts }))
    if (!outcome.ok) throw new Error(`${outcome.rejection.rule}: ${outcome.rejection.detail}`)
    this.queue = []
    const built = this.house.build(SHAPE, outcome.trace)
    this.house.accept(outcome.trace)
    this.emit({
      kind: 'batch',
      number: this.house.batchNumber,
      shapeId: 7,
      newRoot: built.newRoot,
      commitment: built.commitment,
      x: 5n,
      words: built.words,
    })
    return outcome.trace
  }
}
