/**
 * A clearing house with its HTTP face and real members, on an L1 that lives in memory and believes
 * every batch: what the sequencer and its members do with each other, without proofs.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { feeAccountOf } from '../../circuits/account.ts'
import type { KeyRequest } from '../../circuits/batch.ts'
import type { Entry } from '../../circuits/page.ts'
import type { Shape } from '../../circuits/params.ts'
import { settledRow, tableOf, type Row, type Table } from '../../circuits/table.ts'
import { HouseApi, type TicketView } from '../../client/api.ts'
import { memberKeys } from '../../client/keys.ts'
import { isRefused, Member, type Outcome } from '../../client/member.ts'
import { addressOfPrivateKey, makeReceipt } from '../../client/receipt.ts'
import type { ShapeKey } from '../../prover/artifacts.ts'
import { serve, type ApiOptions } from '../../sequencer/api.ts'
import { House, type BatchReport, type HouseL1, type HouseOptions } from '../../sequencer/house.ts'
import type { Journal } from '../../sequencer/journal/journal.ts'
import type {
  Duties,
  L1Deposit,
  L1News,
  L1Table,
  Submission,
  TableAge,
} from '../../sequencer/l1.ts'
import { NO_NEWS } from '../../sequencer/l1/news.ts'
import type { RandomBelow } from '../../sequencer/room.ts'
import { row } from '../law/house.ts'

export const SHAPE: Shape = {
  name: 'floor',
  pages: 16,
  members: 6,
  rows: 8,
  rowsPerNode: 1,
  deposits: 6,
  withdrawals: 1,
  requests: 6,
  rotations: 1,
  rescues: 2,
  forcedExits: 1,
  reductions: 4,
  releases: 2,
}
export const FEE = 100n
const FEE_VIEW_KEY = 777n
const OPERATOR_KEY = new Uint8Array(32).fill(5)
const OPERATOR = addressOfPrivateKey(OPERATOR_KEY)
const DOMAIN = 12345n
/** On a machine that stands still for a while nobody is slow, unless a test says so. */
export const PATIENT = { headersTimeout: 290_000, requestTimeout: 300_000, feedTimeout: 300_000 }
const keyOf = (shape: Shape) =>
  ({ shape, keyHash: '22'.repeat(32), zkeyPath: 'floor.development.zkey' }) as ShapeKey
/** Fewer rows and hardly any pages. */
export const ENTRY: Shape = { ...SHAPE, name: 'entry', pages: 2, rows: 1 }

/** The contract as far as the house and its members ask it. */
export class MemoryL1 implements HouseL1 {
  readonly operator = OPERATOR
  readonly tables = new Map<bigint, Table>()
  private news_: { -readonly [name in keyof L1News]: L1News[name] } = { ...NO_NEWS }
  private accounts = 16
  private serial = 0n
  private depositId = 0n
  private tableCount = 0n

  /** Its number. An indicative one waits for confirm(). */
  post(rows: readonly Row[], isConfirmed = true): bigint {
    const table = tableOf(rows)
    this.tables.set(table.root, table)
    const number = ++this.tableCount
    const posted: L1Table = { number, root: table.root, time: 0n }
    this.news_.tables = [...this.news_.tables, posted]
    if (isConfirmed) this.confirm(number)
    return number
  }
  confirm(number: bigint): void {
    this.news_.confirmed = [...this.news_.confirmed, number]
  }
  setMode(mode: bigint): void {
    this.news_.mode = mode
  }
  private nextFee: bigint | null = null
  /** The batch after the next one is the first that has it. */
  setFee(fee: bigint): void {
    this.nextFee = fee
    this.news_.fees = { fee: this.news_.fees?.fee ?? null, next: fee }
  }
  settle(id: number, value: bigint): void {
    this.news_.settled = [...this.news_.settled, settledRow(id, value)]
  }
  /** Lots that the contract says it can pay out of any token. */
  free = 1n << 50n
  /** What the terms ask of the next batch. */
  readonly owed: { -readonly [name in keyof Duties]: Duties[name] } = {
    isFrozen: false,
    isPaused: false,
    areWithdrawalsHeld: false,
    isBatchDue: false,
  }
  async duties() {
    return this.owed
  }
  /** Of every table up to this number, as L1's clock has it. */
  age: TableAge = 'young'
  agedUpTo = 1n << 60n
  async tableAge(number: bigint) {
    return number <= this.agedUpTo ? this.age : 'young'
  }
  /** Before it answers: what else happens on L1 in that moment. */
  onFreeVault: () => Promise<void> = async () => {}
  forceExit(account: number, token: number): void {
    const request = { kind: 'forcedExit' as const, serial: this.serial++, account, token, to: 7n }
    this.news_.requests = [...this.news_.requests, request]
  }
  rotate(account: number, key: KeyRequest['key']): bigint {
    const request = { kind: 'rotate' as const, serial: this.serial++, account, key }
    this.news_.requests = [...this.news_.requests, { ...request, viewKeyHash: 0n }]
    return request.serial
  }
  memberDoor(address: string) {
    return {
      address,
      register: async (key: KeyRequest['key'], hash: bigint): Promise<number> => {
        const account = this.accounts++
        const request = { kind: 'register' as const, serial: this.serial++, account, key }
        this.news_.requests = [...this.news_.requests, { ...request, viewKeyHash: hash }]
        return account
      },
      deposit: async (token: number, amount: bigint, commitment: bigint): Promise<bigint> => {
        const deposit: L1Deposit = { id: ++this.depositId, token, amount, commitment }
        this.news_.deposits = [...this.news_.deposits, deposit]
        return deposit.id
      },
    }
  }

  async news(): Promise<L1News> {
    const news = this.news_
    this.news_ = { ...NO_NEWS }
    return news
  }
  async countersign(): Promise<string> {
    return '0x'
  }
  async freeVault() {
    const { free, roots } = this
    const batch = BigInt(roots.length)
    await this.onFreeVault()
    return { lots: free, batch }
  }
  async signReceipt(text: string): Promise<string> {
    const [, , domain, account, head, time] = text.split(' ')
    const body = { account: Number(account), head: BigInt(head ?? 0), time: BigInt(time ?? 0) }
    return makeReceipt(BigInt(domain ?? 0), body, OPERATOR_KEY).signature
  }
  /** Roots by batch, as the contract keeps them. */
  readonly roots: bigint[] = []
  readonly submitted: Submission[] = []
  async rootOf(number: bigint): Promise<bigint | null> {
    return this.roots[Number(number) - 1] ?? null
  }
  async submit(batch: Submission) {
    this.submitted.push(batch)
    this.roots.push(batch.newRoot)
    if (this.nextFee !== null) this.news_.fees = { fee: this.nextFee, next: null }
    this.nextFee = null
    return { gasUsed: 1n, hash: '0x' }
  }
  close(): void {}
}

export class Floor {
  /** What the house says by itself. */
  readonly notes: string[] = []
  readonly l1: MemoryL1
  prove: HouseOptions['prove'] = async () => {
    await this.whileProving()
    return {} as never
  }
  readonly house: House
  rows: Row[] = [row(1024, 50_000_000n), row(1025, 2_000_000n), row(1026, 500_000n)]
  private readonly folder = mkdtempSync(join(tmpdir(), 'cloister-floor-'))
  /** What happens between the choice of a batch and its submission. */
  whileProving: () => Promise<void> = async () => {}
  app: FastifyInstance | null = null
  url = ''
  private trades = 0

  /** With null the recorded seeds draw; an L1 given is one that another floor has used. */
  constructor(
    randomBelow: RandomBelow | null = () => 0,
    journal?: Journal,
    l1 = new MemoryL1(),
    shapes: readonly Shape[] = [SHAPE, ENTRY],
    domain = DOMAIN,
  ) {
    this.l1 = l1
    this.house = new House({
      rpcUrl: '',
      deployment: {
        contract: `0x${'11'.repeat(20)}`,
        token: `0x${'33'.repeat(20)}`,
        chainId: 31337n,
        feeAccount: feeAccountOf(FEE_VIEW_KEY, 0n),
        shapeIds: new Map(shapes.map(({ name }, i) => [name, BigInt(i + 1)])),
      },
      domain,
      l1: this.l1,
      prove: (key, input, signals, signal) => this.prove(key, input, signals, signal),
      feeAccountViewKey: FEE_VIEW_KEY,
      keys: shapes.map(keyOf),
      fee: FEE,
      tableByRoot: (root) => this.l1.tables.get(root),
      log: (line) => void this.notes.push(line),
      ...(randomBelow === null ? {} : { randomBelow }),
      ...(journal === undefined ? {} : { journal }),
    })
  }

  /** A floor with members that hold the given dollars. */
  static async open(
    dollars: readonly number[],
    random: RandomBelow | null = () => 0,
    journal?: Journal,
    api: ApiOptions = {},
    shapes?: readonly Shape[],
  ) {
    const floor = new Floor(random, journal, new MemoryL1(), shapes)
    floor.l1.post(floor.rows)
    await floor.house.open()
    floor.app = await serve(floor.house, 0, { ...api, limits: { ...PATIENT, ...api.limits } })
    const address = floor.app.server.address()
    if (typeof address !== 'object' || address === null) throw new Error('no address')
    floor.url = `http://127.0.0.1:${address.port}`
    const members: Member[] = []
    for (const [i, amount] of dollars.entries()) members.push(await floor.join(i, amount))
    await floor.batch()
    return { floor, members }
  }

  async join(i: number, dollars: number): Promise<Member> {
    const member = new Member({
      api: new HouseApi(this.url),
      l1: this.l1.memberDoor(`0x${String(i + 10).repeat(20)}`),
      keys: memberKeys(new Uint8Array(32).fill(i + 1), `M${i}`),
      record: { account: null, deposits: 0 },
      journalPath: join(this.folder, `${i}.journal`),
    })
    await member.register()
    await member.deposit(1, BigInt(dollars) * 1_000_000n)
    return member
  }

  batch(): Promise<BatchReport | null> {
    return this.house.runBatch()
  }

  /** Proposed and affirmed; not signed yet. */
  async agree(buyer: Member, seller: Member, entries: readonly Entry[]): Promise<string> {
    const clientId = `t${++this.trades}`
    const made = await buyer.propose(clientId, seller.account, entries, clientId)
    if (isRefused(made)) throw new Error(`${made.refused}: ${made.detail}`)
    const affirmed = await seller.api.affirm(made.id)
    if (isRefused(affirmed)) throw new Error(`${affirmed.refused}: ${affirmed.detail}`)
    return made.id
  }

  async trade(buyer: Member, seller: Member, entries: readonly Entry[]): Promise<string> {
    const id = await this.agree(buyer, seller, entries)
    const [one, other] = await this.sign(id, buyer, seller)
    if (one?.state !== 'accepted' || other?.state !== 'accepted')
      throw new Error(`trade ${id} was refused: ${one?.rule ?? other?.rule}`)
    return id
  }

  /**
   * A trade until nothing comes of it any more: settled, refused, or signed by one side alone, which
   * waits for the other as long as the floor is open.
   */
  async tradeOrNot(buyer: Member, seller: Member, entries: readonly Entry[]): Promise<void> {
    const id = await this.agree(buyer, seller, entries).catch(() => null)
    if (id === null) return
    const sides = [buyer, seller].map(({ account }) => ({ account, isDone: false }))
    const works = [buyer, seller].map(async (side, i) => {
      await this.sign(id, side).catch(() => {})
      ;(sides[i] as { isDone: boolean }).isDone = true
    })
    const isSigned = (account: number): boolean =>
      this.house.desk.tickets.get(id)?.sides.has(account) ?? true
    const isOver = (): boolean =>
      sides.some(({ isDone }) => isDone) &&
      sides.every(({ account, isDone }) => isDone || isSigned(account))
    const waiting = (async () => {
      while (!isOver()) await new Promise((resolve) => setTimeout(resolve, 2))
      // One that is signed by both is settled; the other side says so at its next look.
      const isAgreed = sides.every(({ account }) => isSigned(account))
      if (isAgreed) await Promise.all(works)
    })()
    await Promise.race([Promise.all(works), waiting])
  }

  sign(id: string, ...sides: readonly Member[]): Promise<readonly Outcome[]> {
    return Promise.all(sides.map(async (side) => side.settleTicket(await ticketOf(side, id))))
  }

  balance(member: Member, instrument: number): bigint {
    const account = this.house.ledger.accounts.get(member.account)
    if (instrument === 1) return account?.cash ?? 0n
    return account?.balances.find((b) => b.id === instrument)?.quantity ?? 0n
  }

  /** All cash of all accounts, the fee account's included. */
  get cash(): bigint {
    return [...this.house.ledger.accounts.values()].reduce((sum, a) => sum + a.cash, 0n)
  }

  /** From here on no member is heard: one that waits for its other side signs anew when it sees a cut. */
  async shut(): Promise<void> {
    await this.app?.close()
    this.app = null
  }

  async close(): Promise<void> {
    await this.shut()
    await this.house.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export async function ticketOf(member: Member, id: string): Promise<TicketView> {
  const ticket = (await member.api.tickets()).find((t) => t.id === id)
  if (ticket === undefined) throw new Error(`no ticket ${id}`)
  return ticket
}

/** A row that may lose all of its mark or double it, where row() moves by two thirds at most. */
export function wideRow(id: number, mark: bigint): Row {
  const usual = row(id, mark)
  return {
    ...usual,
    values: usual.values.map((v, i) => (i === 0 ? v : i % 2 === 0 ? 0n : 2n * mark)),
  }
}
