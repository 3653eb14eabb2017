/** The client's line to the house: signed HTTP calls, decimal strings, errors in words. */
import { randomBytes } from 'node:crypto'
import { WebSocket } from 'ws'
import type { Point, Signature, SigningKey } from '../circuits/eddsa.ts'
import type { Entry, Page } from '../circuits/page.ts'
import type { RuleName } from '../circuits/rules.ts'
import type {
  Events,
  Holdings,
  HouseWord,
  MarginView,
  PageView,
  ProofView,
  ReceiptFile,
  ReceiptView,
  TradeState,
} from './house-views.ts'
import { newOpening, Session, type Credentials } from './session.ts'

export type HouseStatus = {
  readonly contract: string
  readonly token: string
  readonly chainId: string
  readonly domain: string
  readonly operator: string
  readonly fee: string
  readonly batchNumber: string
  readonly tableNumber: string
  /** Reduce-only: nothing is opened, withdrawals wait. */
  readonly mode: 'normal' | 'reduceOnly'
  readonly rpcUrl: string
  /** Drawn when the house started: a session belongs to it. */
  readonly instance: string
}
/** As the house's OpenAPI says. */
const RESIGN_AT_ONCE = 512
export type Refused = { readonly refused: RuleName | HouseWord; readonly detail: string }
export function isRefused(answer: object): answer is Refused {
  return 'refused' in answer && typeof (answer as Refused).refused === 'string' && !('id' in answer)
}
export type TicketView = {
  readonly id: string
  readonly clientId: string
  readonly state: TradeState
  readonly role: 'proposer' | 'counterparty'
  readonly counterparty: number
  readonly stamp: string
  readonly payload: string
  readonly batch: string | null
  readonly entries: readonly {
    readonly instrument: number
    readonly quantity: string
    readonly price: string
  }[]
  readonly isSigned: boolean
  readonly refused: RuleName | HouseWord | null
  /** Once both sides are admitted. */
  readonly receipt: ReceiptView | null
}
export type PageAnswer = {
  readonly head: string
  readonly complete: boolean
  readonly receipt: ReceiptView | null
}
export type AccountView = {
  readonly account: number
  readonly settledHead: string | null
  /** Where the next page goes. */
  readonly head: string | null
  readonly pending: number
  /** Pages to be signed anew after `head`, named by their hash on head 0, in order. */
  readonly resign: readonly string[]
  /** As the last batch left it; with all pages that wait, as they will. */
  readonly settled: Holdings | null
  readonly projected: Holdings | null
  /** Number of the last event. */
  readonly events: number
}
/** What the house says of a batch that L1 has accepted. */
export type BatchReport = {
  readonly number: string
  readonly shape: string
  readonly trades: number
  readonly legs: number
  /** Pages that settled; skipped ones are not counted. */
  readonly pages: number
  readonly pageSlots: number
  readonly accounts: number
  readonly proveSeconds: number
  readonly gas: string
  readonly publicBytes: number
  readonly root: string
}
export type TableView = {
  readonly number: string
  readonly root: string
  readonly rows: readonly {
    readonly id: number
    readonly status: 'live' | 'expired'
    readonly addOn: string
    readonly values: readonly string[]
  }[]
}

/** `code` is what the house answered, a rule or a word of its API; null if it did not answer. */
export class HouseError extends Error {
  readonly code: string | null
  constructor(message: string, code: string | null = null) {
    super(message)
    this.code = code
  }
}
/** A rule of the law, or a word of the desk, and not a fault of the request. */
const REFUSAL_STATUS = 422
const CLIENT_ID_TAKEN = 'ClientIdMustBeNew'
/** The page was not taken, and leaves the journal: it is signed again later, on the head of then. */
const FULL = 'PagesMustBeFew'
/** The house has started again, or the session has run out: a new one is opened. */
const REOPENED: ReadonlySet<string> = new Set(['SessionMustBeLive', 'InstanceMustBeCurrent'])
const TRIES = 3
const RETRY_MILLISECONDS = 200
/** A house that stood still has not heard such a request whole, and has done nothing for it. */
const TOO_LATE = 408

const pause = (): Promise<unknown> =>
  new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS))

/** JSON with bigints as decimal strings. */
export const encode = (value: unknown): string =>
  JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'bigint' ? item.toString() : item,
  )

export type Answered = { readonly status: number; readonly value: unknown }
type Failure = { readonly error?: { readonly code?: string; readonly detail?: string } }

export class HouseApi {
  readonly url: string
  private credentials: Credentials | null = null
  private session: Promise<Session> | null = null

  constructor(url: string) {
    this.url = url.replace(/\/$/, '')
  }

  /** From now on this account is spoken for; a session is opened when it is needed. */
  authenticate(account: number, key: SigningKey, domain: bigint): void {
    const known = this.credentials
    if (known?.account === account && known.key === key && known.domain === domain) return
    this.credentials = { account, key, domain }
    this.session = null
  }

  private async openSession(): Promise<Session> {
    if (this.credentials === null)
      throw new HouseError('nobody is signed in: register or open an account first')
    const { instance } = await this.status()
    const { opening, privateKey } = newOpening(this.credentials, instance)
    const opened = await this.call<{ session: string; until: number }>(
      'POST',
      '/v1/sessions',
      opening,
    )
    return new Session(opened.session, opened.until, this.credentials.domain, privateKey)
  }

  private async liveSession(): Promise<Session> {
    const known = await this.session?.catch(() => null)
    if (known?.isLive === true) return known
    // Calls at the same time share one.
    this.session = this.openSession()
    return this.session
  }

  private async send(
    method: string,
    path: string,
    body: string | null,
    headers: Record<string, string>,
    { end = null, isAsking = false }: { end?: AbortSignal | null; isAsking?: boolean } = {},
  ): Promise<Answered> {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await fetch(
          `${this.url}${path}`,
          body === null
            ? { method, headers, signal: end }
            : { method, headers: { 'content-type': 'application/json', ...headers }, body },
        )
        const value: unknown = await response.json()
        if (response.status !== TOO_LATE || attempt === TRIES)
          return { status: response.status, value }
      } catch {
        // A house closes what nobody has used for a while, perhaps at the moment that it is used again.
        if (!isAsking || attempt === TRIES)
          throw new HouseError(`no answer from the house at ${this.url}: is it running?`)
      }
      await pause()
    }
  }

  private failure(method: string, path: string, { status, value }: Answered): HouseError {
    const { code = null, detail = 'no reason given' } = (value as Failure).error ?? {}
    return new HouseError(`the house refused ${method} ${path} (${status}): ${detail}`, code)
  }

  /** Without a signature. What only asks is sent again if no answer came. */
  private async call<T>(method: 'GET' | 'POST', path: string, value?: unknown): Promise<T> {
    const body = value === undefined ? null : encode(value)
    const answer = await this.send(method, path, body, {}, { isAsking: method === 'GET' })
    if (answer.status !== 200) throw this.failure(method, path, answer)
    return answer.value as T
  }

  /** As this account. What is safe to repeat is sent again if no answer came. */
  private async own<T>(
    method: 'GET' | 'POST',
    path: string,
    value?: unknown,
    end?: AbortSignal,
  ): Promise<T> {
    const body = value === undefined ? null : encode(value)
    const answer = await this.signedText(method, path, body, end)
    if (answer.status !== 200) throw this.failure(method, path, answer)
    return answer.value as T
  }

  private signed(method: 'GET' | 'POST', path: string, value?: unknown): Promise<Answered> {
    return this.signedText(method, path, value === undefined ? null : encode(value))
  }

  private async signedText(
    method: 'GET' | 'POST',
    path: string,
    body: string | null,
    end?: AbortSignal,
  ): Promise<Answered> {
    for (let attempt = 1; ; attempt++) {
      const session = await this.liveSession()
      try {
        const headers = session.headers(method, path, body ?? '')
        const answer = await this.send(method, path, body, headers, { end: end ?? null })
        const code = (answer.value as Failure).error?.code ?? ''
        if (answer.status !== 401 || !REOPENED.has(code) || attempt === TRIES) return answer
        this.session = null
      } catch (error) {
        // Every request is the same asked twice: by its client id, or by what it names.
        if (attempt === TRIES || end?.aborted === true) throw error
        await pause()
      }
    }
  }

  /** As `own`, where a rule may refuse. */
  private async asked<T>(path: string, value: unknown): Promise<T | Refused> {
    const answer = await this.signed('POST', path, value)
    if (answer.status === 200) return answer.value as T
    const { code, detail = '' } = (answer.value as Failure).error ?? {}
    if (answer.status === REFUSAL_STATUS || code === CLIENT_ID_TAKEN || code === FULL)
      return { refused: code as Refused['refused'], detail }
    throw this.failure('POST', path, answer)
  }

  /** Headers that sign one request of this account: good once, for 30 seconds. */
  async headersOf(
    method: 'GET' | 'POST',
    path: string,
    body: string,
  ): Promise<Record<string, string>> {
    return (await this.liveSession()).headers(method, path, body)
  }
  /** Any request of this account as it is written, with whatever the house answers. */
  request(method: 'GET' | 'POST', path: string, body: string | null): Promise<Answered> {
    return this.signedText(method, path, body)
  }

  status(): Promise<HouseStatus> {
    return this.call('GET', '/v1/status')
  }
  table(): Promise<TableView> {
    return this.call('GET', '/v1/table')
  }
  countersign(l1Owner: string, key: Point, viewKey: bigint): Promise<{ signature: string }> {
    return this.call('POST', '/v1/countersignatures', { l1Owner, key, viewKey })
  }
  showDeposit(account: number, secret: bigint): Promise<unknown> {
    return this.call('POST', '/v1/deposits', { account, secret })
  }
  account(): Promise<AccountView> {
    return this.own('GET', '/v1/account')
  }
  /** The own leaf and all children of each node above it. */
  proof(): Promise<ProofView> {
    return this.own('GET', '/v1/account/proof')
  }
  /** What these entries would do to the own margin; nothing is recorded. */
  margin(entries: readonly Entry[]): Promise<MarginView> {
    return this.own('POST', '/v1/account/margin', { entries })
  }
  receipt(head: bigint): Promise<ReceiptFile> {
    return this.own('GET', `/v1/receipts/${head}`)
  }
  /** All trades of the account, or those that are not settled or refused. */
  async tickets(onlyOpen = false): Promise<readonly TicketView[]> {
    const all: TicketView[] = []
    for (let after: string | null = null; ;) {
      const query = [
        ...(after === null ? [] : [`after=${after}`]),
        ...(onlyOpen ? ['open=true'] : []),
      ]
      const path = `/v1/trades${query.length === 0 ? '' : `?${query.join('&')}`}`
      const page: { trades: readonly TicketView[]; next: string | null } = await this.own(
        'GET',
        path,
      )
      all.push(...page.trades)
      if (page.next === null) return all
      after = page.next
    }
  }
  trade(id: string): Promise<TicketView> {
    return this.own('GET', `/v1/trades/${id}`)
  }
  propose(
    clientId: string,
    counterparty: number,
    entries: readonly Entry[],
    payload: bigint,
  ): Promise<TicketView | Refused> {
    return this.asked('/v1/trades', { clientId, counterparty, entries, payload })
  }
  affirm(id: string): Promise<TicketView | Refused> {
    return this.asked(`/v1/trades/${id}/affirm`, {})
  }
  reject(id: string): Promise<TicketView | Refused> {
    return this.asked(`/v1/trades/${id}/reject`, {})
  }
  /** `clientId`: the page is taken once under it, however often it is sent. */
  page(
    page: PageOnHead,
    extra: { ticket?: string; rotation?: RotationKeys } = {},
    clientId = `page-${randomBytes(12).toString('hex')}`,
  ): Promise<PageAnswer | Refused> {
    return this.asked('/v1/pages', { clientId, ...pageBody(page), ...extra })
  }
  pageState(clientId: string): Promise<PageView> {
    return this.own('GET', `/v1/pages/${clientId}`)
  }
  /** Pages that the house asked for, signed on new heads: in journal order, as many at a time as it takes. */
  async resign(pages: readonly PageOnHead[]): Promise<PageAnswer | Refused> {
    for (let first = 0; ; first += RESIGN_AT_ONCE) {
      const some = pages.slice(first, first + RESIGN_AT_ONCE)
      const answer = await this.asked<PageAnswer>('/v1/resign', { pages: some.map(pageBody) })
      if ('refused' in answer || first + RESIGN_AT_ONCE >= pages.length) return answer
    }
  }
  /** Events behind a number; waits so many seconds for the first, unless it is ended before. */
  events(after: number, wait = 0, end?: AbortSignal): Promise<Events> {
    return this.own('GET', `/v1/events?after=${after}&wait=${wait}`, undefined, end)
  }
  /** As `events`, one after the other as they happen, until the socket is closed. */
  async stream(after: number, onEvents: (events: Events) => void): Promise<WebSocket> {
    const path = `/v1/events?after=${after}`
    const headers = await this.headersOf('GET', path, '')
    const socket = new WebSocket(`${this.url.replace(/^http/, 'ws')}${path}`, { headers })
    socket.on('message', (data) => onEvents(JSON.parse(String(data)) as Events))
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
    return socket
  }
}

export type RotationKeys = { readonly key: Point; readonly viewKey: bigint }
export type PageOnHead = {
  readonly page: Page
  readonly previousHead: bigint
  readonly signature: Signature
}

export function pageBody({ page, previousHead, signature }: PageOnHead): Record<string, unknown> {
  const { kind, counterparty, stamp, maxFee, payload, entries } = page
  return { kind, counterparty, stamp, maxFee, payload, entries, previousHead, signature }
}
