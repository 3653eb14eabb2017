/** A member of the house: registers, deposits, trades, withdraws and checks, with keys that stay here. */
import { randomBytes } from 'node:crypto'
import {
  genesisHead,
  depositCommitment,
  ownerKeyHash,
  rotationPayload,
  viewKeyHash,
} from '../circuits/account.ts'
import { documentHash } from '../circuits/document.ts'
import { eighthOf, sign, type SigningKey } from '../circuits/eddsa.ts'
import { headAfter, stampOf, stampSeconds, type Entry, type Page } from '../circuits/page.ts'
import type { RuleName } from '../circuits/rules.ts'
import type { MemberKeys } from './keys.ts'
import { HouseApi, HouseError, type HouseStatus, type Refused, type TicketView } from './api.ts'
import type { MemberL1 } from './l1/member-l1.ts'

/** What a member must not forget between runs. The seed finds the rest again. */
export type MemberRecord = { account: number | null; head: bigint | null; deposits: number }
export type Outcome = {
  readonly trade: string
  readonly state: 'accepted' | 'refused'
  readonly rule: RuleName | null
}
export type PageOverride = (
  page: Page,
  previousHead: bigint,
) => { page?: Page; previousHead?: bigint; key?: SigningKey }

/** Stamps further off the member's own clock than this are not signed. */
const CLOCK_SLACK_SECONDS = 120n
const POLL_MILLISECONDS = 40
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export function isRefused(answer: object): answer is Refused {
  return 'refused' in answer && typeof (answer as Refused).refused === 'string' && !('id' in answer)
}

export class Member {
  readonly api: HouseApi
  readonly l1: MemberL1
  readonly record: MemberRecord
  readonly receipts: { readonly head: bigint; readonly time: number; readonly receipt: string }[] =
    []
  keys: MemberKeys
  private readonly save: (record: MemberRecord) => void
  private status: HouseStatus | null = null

  constructor(options: {
    api: HouseApi
    l1: MemberL1
    keys: MemberKeys
    record: MemberRecord
    save?: (record: MemberRecord) => void
  }) {
    this.api = options.api
    this.l1 = options.l1
    this.keys = options.keys
    this.record = options.record
    this.save = options.save ?? (() => {})
  }

  async house(): Promise<HouseStatus> {
    this.status ??= await this.api.status()
    return this.status
  }

  get account(): number {
    if (this.record.account === null)
      throw new HouseError('this member has no account yet: register first')
    return this.record.account
  }

  async connect(): Promise<this> {
    const house = await this.house()
    if (this.record.account !== null)
      this.api.authenticate(this.record.account, this.keys.signing, BigInt(house.domain))
    return this
  }

  /** Registers on L1 with the operator's countersignature. Asked twice, it answers the same account. */
  async register(): Promise<number> {
    if (this.record.account !== null) return this.record.account
    const house = await this.house()
    const key = eighthOf(this.keys.signing)
    const { signature } = await this.api.countersign(this.l1.address, key, this.keys.viewKey)
    const account = await this.l1.register(key, viewKeyHash(this.keys.viewKey), signature)
    this.record.account = account
    this.record.head = genesisHead(
      BigInt(house.domain),
      account,
      ownerKeyHash(this.keys.signing.publicKey),
    )
    this.save(this.record)
    await this.connect()
    return account
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

  /** Signs this member's page of a stamped trade and waits until both sides are in, or one is refused. */
  async settleTicket(ticket: TicketView, override?: PageOverride): Promise<Outcome> {
    const { fee } = await this.house()
    const stamp = BigInt(ticket.stamp)
    const off = stampSeconds(stamp) - BigInt(Math.floor(Date.now() / 1000))
    if (off > CLOCK_SLACK_SECONDS || off < -CLOCK_SLACK_SECONDS)
      throw new HouseError(
        `the stamp of trade ${ticket.clientId} is ${off} s off this clock: not signed`,
      )
    const page: Page = {
      kind: 'trade',
      account: this.account,
      counterparty: ticket.counterparty,
      stamp,
      maxFee: BigInt(fee),
      payload: BigInt(ticket.payload),
      entries: ticket.entries.map((e) => ({
        instrument: e.instrument,
        quantity: BigInt(e.quantity),
        price: BigInt(e.price),
      })),
    }
    const sent = await this.send(page, { ticket: ticket.id }, override)
    if ('refused' in sent) return { trade: ticket.clientId, state: 'refused', rule: sent.refused }
    return this.waitForTicket(ticket, sent.head)
  }

  private async waitForTicket(ticket: TicketView, head: bigint): Promise<Outcome> {
    for (;;) {
      const now = (await this.api.tickets()).find((t) => t.id === ticket.id)
      if (now?.state === 'refused')
        return { trade: ticket.clientId, state: 'refused', rule: now.refused }
      if (now !== undefined && now.state !== 'stamped' && now.state !== 'proposed') {
        this.advance(head)
        return { trade: ticket.clientId, state: 'accepted', rule: null }
      }
      await pause(POLL_MILLISECONDS)
    }
  }

  private advance(head: bigint): void {
    this.record.head = head
    this.save(this.record)
  }

  private async send(
    page: Page,
    extra: Parameters<HouseApi['page']>[3],
    override?: PageOverride,
  ): Promise<Refused | { head: bigint }> {
    const previous = this.record.head
    if (previous === null) throw new HouseError('this member has no journal yet: register first')
    const changed = override?.(page, previous) ?? {}
    const final = changed.page ?? page
    const continued = changed.previousHead ?? previous
    const head = headAfter(continued, final)
    const answer = await this.api.page(
      final,
      continued,
      sign(changed.key ?? this.keys.signing, head),
      extra,
    )
    if (isRefused(answer)) return answer
    const {
      head: theirs,
      time,
      receipt,
    } = answer as { head: string; time: number; receipt: string }
    if (BigInt(theirs) !== head && (answer as { complete: boolean }).complete)
      throw new HouseError('the house answers with another head than the one signed')
    this.receipts.push({ head, time, receipt })
    return { head }
  }

  private ownStamp(): bigint {
    return stampOf(
      BigInt(Math.floor(Date.now() / 1000)),
      BigInt(`0x${randomBytes(2).toString('hex')}`),
    )
  }

  /** Withdraws to an L1 address; claimable there once a batch with this page is accepted. */
  async withdraw(
    token: number,
    amount: bigint,
    to: bigint,
    override?: PageOverride,
  ): Promise<Outcome> {
    const { fee } = await this.house()
    const page: Page = {
      kind: 'withdrawal',
      account: this.account,
      counterparty: 0,
      stamp: this.ownStamp(),
      maxFee: BigInt(fee),
      payload: to,
      entries: [{ instrument: token, quantity: -amount, price: 0n }],
    }
    return this.single('withdrawal', page, {}, override)
  }

  /** Changes owner and view key by a page; the old keys sign it. */
  async rotate(
    next: MemberKeys,
    override?: PageOverride,
    shown: { key: { x: bigint; y: bigint }; viewKey: bigint } | null = {
      key: eighthOf(next.signing),
      viewKey: next.viewKey,
    },
  ): Promise<Outcome> {
    const { fee } = await this.house()
    const payload = rotationPayload(ownerKeyHash(next.signing.publicKey), viewKeyHash(next.viewKey))
    const page: Page = {
      kind: 'rotation',
      account: this.account,
      counterparty: 0,
      stamp: this.ownStamp(),
      maxFee: BigInt(fee),
      payload,
      entries: [],
    }
    return this.single('rotation', page, shown === null ? {} : { rotation: shown }, override)
  }

  private async single(
    trade: string,
    page: Page,
    extra: Parameters<HouseApi['page']>[3],
    override?: PageOverride,
  ): Promise<Outcome> {
    const sent = await this.send(page, extra, override)
    if ('refused' in sent) return { trade, state: 'refused', rule: sent.refused }
    this.advance(sent.head)
    return { trade, state: 'accepted', rule: null }
  }
}
