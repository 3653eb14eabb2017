/** A clearing house in memory for tests of the law: members with keys, journals and a state tree. */
import { createHash, randomBytes } from 'node:crypto'
import {
  depositCommitment,
  leafHash,
  ownerKeyHash,
  rotationPayload,
  viewKeyHash,
  type Account,
  feeAccountOf,
} from '../../circuits/account.ts'
import {
  executeBatch,
  type BatchPlan,
  type BatchTrace,
  type Credit,
  type JournalRun,
  type KeyRequest,
  type Outcome,
} from '../../circuits/batch.ts'
import { eighthOf, sign, signingKey, type SigningKey } from '../../circuits/eddsa.ts'
import type { ExitRequest } from '../../circuits/exit.ts'
import { FIELD_MODULUS, ROW_VALUE_COUNT, TREE_DEPTH, type Shape } from '../../circuits/params.ts'
import { counterPage, headAfter, stampOf, type Entry, type Page } from '../../circuits/page.ts'
import { settlementsOf, tableOf, type Row } from '../../circuits/table.ts'
import { Tree } from '../../circuits/tree.ts'
import { buildBatch, type BuiltBatch } from '../../circuits/witness.ts'
import { evaluateWords } from '../../circuits/words.ts'

export const START = 1_584_000_000n
export const DOMAIN = 12345n
export const MAX_FEE = 1_000_000n

export type Member = {
  index: number
  key: SigningKey
  viewKey: bigint
  pending: Page[]
  rotation?: { key: SigningKey; viewKey: bigint }
}

export function randomField(): bigint {
  return BigInt(`0x${randomBytes(40).toString('hex')}`) % FIELD_MODULUS
}

/** A row whose values are the mark moved by a fixed pattern of worlds. */
export function row(id: number, mark: bigint, addOn = 2n): Row {
  const moves = [0n, 1n, -1n, 5n, -5n, 10n, -10n, 20n, -20n, 33n, -33n, 50n, -50n, 66n, -66n]
  return {
    id,
    status: 'live',
    addOn,
    values: Array.from(
      { length: ROW_VALUE_COUNT },
      (_, i) => mark + (mark * (moves[i % moves.length] as bigint)) / 100n,
    ),
  }
}

export class House {
  readonly tree = new Tree(TREE_DEPTH)
  readonly accounts = new Map<number, Account>()
  readonly viewKeys = new Map<number, bigint>()
  readonly members: Member[] = []
  rows: Row[] = [
    row(2, 1_000_000n),
    row(1024, 50_000_000n),
    row(1025, 2_000_000n),
    row(1026, -500_000n),
  ]
  settled: Row[] = []
  batchNumber = 0n
  time = START
  fee = 100n
  serial = 0n
  depositId = 0n
  accountCount = 16n

  private readonly seed: string | undefined
  private drawn = 0

  /** With a seed, all that is random follows from it. */
  constructor(seed?: string) {
    this.seed = seed
    const viewKey = 777n
    const fee = feeAccountOf(viewKey, START)
    this.accounts.set(0, fee)
    this.viewKeys.set(0, viewKey)
    this.tree.set(0, leafHash(fee))
  }

  private bytes(): Uint8Array {
    return this.seed === undefined
      ? randomBytes(32)
      : createHash('sha256').update(`${this.seed}/house/${this.drawn++}`).digest()
  }
  private field(): bigint {
    return BigInt(`0x${Buffer.from(this.bytes()).toString('hex')}`) % FIELD_MODULUS
  }

  /** A new member; the request goes into the next batch. */
  join(
    index = Number(this.accountCount) +
      this.members.filter((m) => !this.accounts.has(m.index)).length,
  ): { member: Member; request: KeyRequest } {
    const member: Member = {
      index,
      key: signingKey(this.bytes()),
      viewKey: this.field(),
      pending: [],
    }
    this.members.push(member)
    this.viewKeys.set(index, member.viewKey)
    const request: KeyRequest = {
      kind: 'register',
      serial: this.serial++,
      account: index,
      key: eighthOf(member.key),
      viewKeyHash: viewKeyHash(member.viewKey),
    }
    return { member, request }
  }

  /** The L1 owner asks for one token; `freeVault` is what L1 could pay. */
  exit(member: Member, token: number, freeVault = (1n << 55n) - 1n): ExitRequest {
    return {
      kind: 'forcedExit',
      serial: this.serial++,
      account: member.index,
      token,
      to: 0xdecafn,
      freeVault,
    }
  }

  credit(member: Member, token: number, amount: bigint): Credit {
    const secret = this.field()
    return {
      id: ++this.depositId,
      commitment: depositCommitment(member.index, secret),
      token,
      amount,
      account: member.index,
      secret,
    }
  }

  stamp(): bigint {
    return stampOf(this.time, this.field() % (1n << 20n))
  }

  /** Both sides append their pages. */
  trade(
    buyer: Member,
    seller: Member,
    entries: readonly Entry[],
    over: Partial<Page> = {},
  ): [Page, Page] {
    const page: Page = {
      kind: 'trade',
      account: buyer.index,
      counterparty: seller.index,
      stamp: this.stamp(),
      maxFee: MAX_FEE,
      payload: this.field(),
      entries,
      ...over,
    }
    const other = counterPage(page, MAX_FEE)
    buyer.pending.push(page)
    seller.pending.push(other)
    return [page, other]
  }

  withdraw(member: Member, token: number, amount: bigint, to = 0xabcdefn): Page {
    const page: Page = {
      kind: 'withdrawal',
      account: member.index,
      counterparty: 0,
      stamp: this.stamp(),
      maxFee: MAX_FEE,
      payload: to,
      entries: [{ instrument: token, quantity: -amount, price: 0n }],
    }
    member.pending.push(page)
    return page
  }

  rotate(member: Member): void {
    member.rotation = { key: signingKey(this.bytes()), viewKey: this.field() }
    const payload = rotationPayload(
      ownerKeyHash(member.rotation.key.publicKey),
      viewKeyHash(member.rotation.viewKey),
    )
    member.pending.push({
      kind: 'rotation',
      account: member.index,
      counterparty: 0,
      stamp: this.stamp(),
      maxFee: MAX_FEE,
      payload,
      entries: [],
    })
  }

  run(member: Member): JournalRun {
    let head = (this.accounts.get(member.index) as Account).head
    for (const page of member.pending) head = headAfter(head, page)
    const base = {
      pages: [...member.pending],
      signature: sign(member.key, head),
      signer: member.key.publicKey,
    }
    return member.rotation === undefined
      ? base
      : {
          ...base,
          rotation: { key: eighthOf(member.rotation.key), viewKey: member.rotation.viewKey },
        }
  }

  plan(parts: Partial<BatchPlan> = {}): BatchPlan {
    const journals = new Map(
      this.members
        .filter((m) => m.pending.length > 0 && this.accounts.has(m.index))
        .map((m) => [m.index, this.run(m)]),
    )
    const viewKeys = new Map(this.viewKeys)
    for (const m of this.members) if (m.rotation) viewKeys.set(m.index, m.rotation.viewKey)
    return {
      context: {
        domain: DOMAIN,
        batchNumber: this.batchNumber + 1n,
        time: this.time,
        fee: this.fee,
        batchNonce: this.field(),
        table: tableOf(this.rows),
        settlements: settlementsOf(this.settled),
      },
      requests: [],
      credits: [],
      journals,
      cover: [],
      viewKeys,
      ...parts,
    }
  }

  execute(plan: BatchPlan): Outcome {
    return executeBatch(this.accounts, plan)
  }

  build(shape: Shape, trace: BatchTrace): BuiltBatch {
    return buildBatch(
      shape,
      trace,
      this.tree,
      {
        tableNumber: 1n,
        confirmedTableRoot:
          trace.plan.context.isTableConfirmed === false ? 1n : trace.plan.context.table.root,
        accountCountBefore: this.accountCount,
      },
      this.field(),
    )
  }

  /** Takes the trace over as the new state. */
  accept(trace: BatchTrace): void {
    for (const m of trace.members) {
      this.accounts.set(m.index, m.after)
      this.viewKeys.set(m.index, m.viewKey)
      this.tree.set(m.index, leafHash(m.after))
    }
    this.accounts.set(0, trace.feeAccount.after)
    this.tree.set(0, leafHash(trace.feeAccount.after))
    for (const member of this.members) {
      if (member.rotation && trace.plan.journals.has(member.index)) {
        member.key = member.rotation.key
        member.viewKey = member.rotation.viewKey
        delete member.rotation
      }
      if (trace.plan.journals.has(member.index)) member.pending = []
    }
    this.batchNumber++
    this.accountCount += BigInt(trace.plan.requests.filter((r) => r.kind === 'register').length)
  }
}

/** The whole input of the circuit for a challenge that a test picks. */
export function finish(built: BuiltBatch, x = randomField()) {
  return built.finish(x, evaluateWords(built.words, x))
}

/** The same by name, for a draft. */
export function signalsOf(built: BuiltBatch, x = randomField()) {
  return built.signals(x, evaluateWords(built.words, x))
}
