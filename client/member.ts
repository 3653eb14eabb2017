/** A member of the house: registers, deposits, trades, withdraws and checks, with keys that stay here. */
import { randomBytes } from 'node:crypto'
import {
  depositCommitment,
  genesisHead,
  ownerKeyHash,
  viewKeyHash,
  type Account,
} from '../circuits/account.ts'
import { documentHash } from '../circuits/document.ts'
import { eighthOf } from '../circuits/eddsa.ts'
import { isPastSigning, stampOf, type Entry, type Page } from '../circuits/page.ts'
import type { RuleName } from '../circuits/rules.ts'
import {
  HouseApi,
  HouseError,
  isRefused,
  type HouseStatus,
  type PageAnswer,
  type Refused,
  type RotationKeys,
  type TicketView,
} from './api.ts'
import type { HouseWord, ReceiptView } from './house-views.ts'
import { Journal, type SignedPage } from './journal.ts'
import type { MemberKeys } from './keys.ts'
import type { MemberL1 } from './l1/member-l1.ts'
import type { FundingTables } from './l1/oracle-tables.ts'
import { openAccount, type Rebuilt } from './l1/rebuild.ts'
import { pageOf, rotationPage, withdrawalPage, type OwnTerms } from './pages.ts'
import { checkFunding, checkHalts, type FundingRefusal, type FundingRule } from './perpetual.ts'
import { fateOf, realign, RESIGN_ATTEMPTS, type Realigned } from './realign.ts'

export { isRefused } from './api.ts'
export type { Realigned } from './realign.ts'

/** What a member must not forget between runs, besides its journal. The seed finds the rest. */
export type MemberRecord = { account: number | null; deposits: number }
export type Rule = RuleName | HouseWord | FundingRule
export type Outcome = {
  readonly trade: string
  readonly state: 'accepted' | 'refused'
  /** Of the law, or of this client where it would not sign. */
  readonly rule: Rule | null
}
export type MemberOptions = {
  readonly api: HouseApi
  readonly l1: Pick<MemberL1, 'address' | 'register' | 'deposit'>
  readonly keys: MemberKeys
  /** The keys of a rotation that has been signed and may not have settled. */
  readonly next?: MemberKeys
  /** Hash of the owner key at the registration, where `keys` are of a later rotation. */
  readonly registeredAs?: bigint
  readonly record: MemberRecord
  /** Where the journal is kept. */
  readonly journalPath: string
  readonly save?: (record: MemberRecord) => void
  /** What the oracle said on L1; with it no perpetual is signed at another funding than its table's. */
  readonly fundingTables?: () => Promise<FundingTables>
}

const POLL_MILLISECONDS = 40
/** What the clock of the house may be behind. */
const CLOCK_SECONDS = 30n
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const nowSeconds = (): bigint => BigInt(Math.floor(Date.now() / 1000))

/**
 * One call at a time: a page is on its way between two looks at the journal. Crashes are healed by
 * realign(), which every process calls before it signs.
 */
export class Member {
  readonly api: HouseApi
  readonly record: MemberRecord
  keys: MemberKeys
  private next: MemberKeys | null
  private readonly registeredAs: bigint
  private readonly l1: MemberOptions['l1']
  private readonly save: (record: MemberRecord) => void
  private readonly journalPath: string
  private readonly fundingTables: MemberOptions['fundingTables']
  private status: HouseStatus | null = null
  private opened: Journal | null = null

  constructor(options: MemberOptions) {
    this.api = options.api
    this.l1 = options.l1
    this.keys = options.keys
    this.next = options.next ?? null
    this.registeredAs = options.registeredAs ?? ownerKeyHash(this.keys.signing.publicKey)
    this.record = options.record
    this.journalPath = options.journalPath
    this.fundingTables = options.fundingTables
    this.save = options.save ?? (() => {})
  }

  async house(): Promise<HouseStatus> {
    this.status ??= await this.api.status()
    return this.status
  }

  /** Micro-dollars that a page must allow. Asked anew for each: it may have changed on L1. */
  private async fee(): Promise<bigint> {
    return BigInt((await this.api.status()).fee)
  }

  get account(): number {
    if (this.record.account === null)
      throw new HouseError('this member has no account yet: register first')
    return this.record.account
  }

  /** Everything that this member has signed: the only place that knows its head. */
  get journal(): Journal {
    if (this.opened === null) throw new HouseError('this member is not connected yet')
    return this.opened
  }

  async connect(): Promise<this> {
    const house = await this.house()
    if (this.record.account === null) return this
    const domain = BigInt(house.domain)
    const { account } = this
    this.api.authenticate(account, this.keys.signing, domain)
    const head = genesisHead(domain, account, this.registeredAs)
    // The head counts for a journal that begins now; one that exists has its own.
    this.opened ??= Journal.open(this.journalPath, { domain, account, head })
    return this
  }

  /** Registers on L1 with the operator's countersignature. Asked twice, it answers the same account. */
  async register(): Promise<number> {
    if (this.record.account === null) {
      await this.house()
      const key = eighthOf(this.keys.signing)
      const { signature } = await this.api.countersign(this.l1.address, key, this.keys.viewKey)
      this.adopt(await this.l1.register(key, viewKeyHash(this.keys.viewKey), signature))
    }
    await this.connect()
    return this.account
  }

  /** Writes down which account is this member's. */
  adopt(account: number): void {
    this.record.account = account
    this.save(this.record)
  }

  /** Deposits `amount` lots of a token; L1 sees the amount, not the account. */
  async deposit(token: number, amount: bigint): Promise<bigint> {
    const secret = this.keys.depositSecret(this.record.deposits)
    this.record.deposits++
    this.save(this.record)
    const id = await this.l1.deposit(token, amount, depositCommitment(this.account, secret))
    await this.api.showDeposit(this.account, secret)
    return id
  }

  propose(
    clientId: string,
    counterparty: number,
    entries: readonly Entry[],
    document: string,
  ): Promise<TicketView | Refused> {
    return this.api.propose(clientId, counterparty, entries, documentHash(document))
  }

  /** What keeps this member from signing a trade that the house shows; null if nothing does. */
  async checkTerms(ticket: TicketView, document: string | null): Promise<FundingRefusal | null> {
    if (this.fundingTables === undefined) return null
    const { entries, payload } = pageOf(this.account, ticket, 0n)
    const tables = await this.fundingTables()
    return checkHalts(entries, tables) ?? checkFunding(entries, payload, document, tables)
  }

  /**
   * Signs this member's page of a stamped trade and waits until both sides are in, one is refused, or it
   * is too late for the other one (StampMustBeLive, four and a half minutes after the stamp at most).
   * @param document What the payload is the hash of; without it no perpetual is signed.
   */
  async settleTicket(ticket: TicketView, document: string | null = null): Promise<Outcome> {
    const outcome = (rule: Rule | null): Outcome => ({
      trade: ticket.clientId,
      state: rule === null ? 'accepted' : 'refused',
      rule,
    })
    const wrong = await this.checkTerms(ticket, document)
    if (wrong !== null) return outcome(wrong.refused)
    // Under one name one page is signed: asked again, it is that one, whatever the fee is by now.
    const maxFee = this.journal.page(ticket.id)?.page.maxFee ?? (await this.fee())
    const page = pageOf(this.account, ticket, maxFee)
    for (let isSent = false; ;) {
      if (!isSent) {
        const refused = await this.send(page, ticket.id, { ticket: ticket.id })
        if (refused !== null) return outcome(refused)
        isSent = true
      }
      const now = await this.api.trade(ticket.id)
      if (now.state === 'refused') {
        this.leaveOut(ticket.id)
        return outcome(now.refused)
      }
      if (now.receipt !== null) {
        await this.keep(now.receipt)
        return outcome(null)
      }
      // By both clocks: the house takes no side any more, whatever is left of its second.
      if (now.state === 'stamped' && isPastSigning(page.stamp, nowSeconds() - CLOCK_SECONDS)) {
        this.leaveOut(ticket.id)
        return outcome('StampMustBeLive')
      }
      await pause(POLL_MILLISECONDS)
      // The house has cut the journal below this page, or owes a receipt for it: it comes again.
      isSent = now.state === 'stamped' && now.isSigned
    }
  }

  /** Signs a page, sends it, and takes it back out of the journal if the house refuses it. */
  private async send(
    page: Page,
    clientId: string,
    extra: { ticket?: string; rotation?: RotationKeys },
  ): Promise<Rule | null> {
    if (this.journal.page(clientId) === undefined && (await this.isBehindRotation()))
      return 'RotationMustEndItsJournal'
    for (let attempt = 1; ; attempt++) {
      const signed = this.journal.signPage(page, {
        key: this.keys.signing,
        clientId,
        now: nowSeconds(),
      })
      const answer = await this.api.page(signed, extra)
      if (!isRefused(answer)) {
        await this.take(answer, signed)
        return null
      }
      this.leaveOut(clientId)
      // Another head than the house has: perhaps a page before this one cannot settle. Once more
      // even if the journal was right: the house waits for its owner to have looked.
      if (answer.refused !== 'JournalMustContinue' || attempt >= RESIGN_ATTEMPTS)
        return answer.refused
      if (!(await this.realign()) && attempt > 1) return answer.refused
    }
  }

  private async take(answer: PageAnswer, signed: SignedPage): Promise<void> {
    if (!answer.complete) return
    if (signed.page.kind !== 'trade' && BigInt(answer.head) !== signed.head)
      throw new HouseError('the house answers with another head than the one signed')
    if (answer.receipt === null) return
    if (BigInt(answer.receipt.head) === signed.head) await this.keep(answer.receipt)
  }

  /** Keeps a receipt for a head of this journal; throws if the operator has not signed it. */
  private async keep({ head, time, signature }: ReceiptView): Promise<void> {
    const { operator } = await this.house()
    const { pending } = this.journal.state
    // Signed anew since: the receipt for the new head came with that.
    if (!pending.some((p) => p.head === BigInt(head))) return
    const receipt = { account: this.account, head: BigInt(head), time: BigInt(time), signature }
    this.journal.keepReceipt(receipt, operator)
  }

  /** A refused page never counts: the journal goes on from the page before it. */
  private leaveOut(clientId: string): void {
    if (this.journal.isPending(clientId)) this.journal.rebase([clientId], this.keys.signing)
  }

  /** Brings the journal to the head that the house has (`realign.ts`). True if something has changed. */
  realign(): Promise<boolean> {
    return realign(this.journal, this.api, this.keys.signing, (answer, last) =>
      this.take(answer, last),
    )
  }

  /** As realign; says what was signed anew and what was left out. */
  async realigned(): Promise<Realigned> {
    this.journal.refresh()
    const before = this.journal.state.pending
    const isChanged = await this.realign()
    return { isChanged, ...fateOf(before, this.journal.state.pending) }
  }

  /** Whether the last page signed is a rotation that has not settled, as far as the journal knows. */
  get isRotating(): boolean {
    return this.journal.state.pending.at(-1)?.page.kind === 'rotation'
  }

  /** Nothing that is signed there could settle. Whether the rotation has, the house knows first. */
  private async isBehindRotation(): Promise<boolean> {
    if (!this.isRotating) return false
    const { head, settledHead } = await this.api.account()
    return head !== settledHead
  }

  /** Speaks and signs with these keys from now on: whoever calls has seen the leaf that has them. */
  use(keys: MemberKeys): void {
    this.keys = keys
    this.next = null
    if (this.opened !== null)
      this.api.authenticate(this.account, keys.signing, this.journal.state.domain)
  }

  /** Later than every page before it: both journals of a trade follow the order of stamps. */
  private async termsOf(): Promise<OwnTerms> {
    const random = BigInt(`0x${randomBytes(2).toString('hex')}`)
    const stamp = stampOf(nowSeconds(), random)
    const last = this.journal.state.pending.at(-1)?.page.stamp ?? 0n
    return {
      account: this.account,
      stamp: stamp > last ? stamp : last + 1n,
      maxFee: await this.fee(),
    }
  }

  /** Withdraws to an L1 address; claimable there once a batch with this page is accepted. */
  async withdraw(
    token: number,
    amount: bigint,
    to: bigint,
    clientId = `withdrawal-${randomBytes(6).toString('hex')}`,
  ): Promise<Outcome> {
    const page = withdrawalPage(await this.termsOf(), token, amount, to)
    const rule = await this.send(page, clientId, {})
    return { trade: 'withdrawal', state: rule === null ? 'accepted' : 'refused', rule }
  }

  /** Changes owner and view key by a page; the old keys sign until a batch has settled it. */
  async rotate(next: MemberKeys, clientId?: string): Promise<Outcome> {
    const page = await this.rotationPage(next)
    const rotation = { key: eighthOf(next.signing), viewKey: next.viewKey }
    const before = this.next
    this.next = next
    const rule = await this.send(page, clientId ?? `rotation-${page.payload}`, { rotation })
    if (rule !== null) this.next = before
    return { trade: 'rotation', state: rule === null ? 'accepted' : 'refused', rule }
  }

  async rotationPage(next: MemberKeys): Promise<Page> {
    return rotationPage(await this.termsOf(), next)
  }

  /**
   * Opens this member's leaf on L1 and takes it over: its journal knows what has settled, and after
   * a settled rotation the new keys sign. Throws if the keys do not open the leaf, or if its head is
   * none that was signed here.
   */
  sync(rebuilt: Rebuilt): Account {
    const { account, keys } = this.openLeaf(rebuilt)
    this.journal.settle(account.head, rebuilt.last(this.account)?.batchNumber ?? 0n)
    if (keys !== this.keys) this.use(keys)
    return account
  }

  private openLeaf(rebuilt: Rebuilt): { readonly account: Account; readonly keys: MemberKeys } {
    const tries = this.next === null ? [this.keys] : [this.next, this.keys]
    // L1 does not show an owner key that a page has installed: the own candidates must be tried.
    const candidates = tries.map((keys) => keys.ownerKeyHash)
    let problem: unknown = null
    for (const keys of tries) {
      try {
        return {
          account: openAccount(rebuilt, this.account, keys.viewKey, candidates),
          keys,
        }
      } catch (error) {
        problem = error
      }
    }
    throw problem
  }
}
