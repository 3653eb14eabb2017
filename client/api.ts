/** The client's line to the house: signed HTTP calls, decimal strings, errors in words. */
import { requestMessage } from '../circuits/document.ts'
import { sign, type Point, type Signature, type SigningKey } from '../circuits/eddsa.ts'
import type { Entry, Page } from '../circuits/page.ts'
import type { RuleName } from '../circuits/rules.ts'

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
  readonly trades: number
}
export type Refused = { readonly refused: RuleName; readonly detail: string }
export type TicketView = {
  readonly id: string
  readonly clientId: string
  readonly state: 'proposed' | 'stamped' | 'accepted' | 'proven' | 'final' | 'refused'
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
  readonly refused: RuleName | null
  /** Once both sides are admitted. */
  readonly receipt: ReceiptView | null
}
/** The operator's signature under a head that it has admitted; `time` in seconds. */
export type ReceiptView = {
  readonly head: string
  readonly time: number
  readonly signature: string
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

export class HouseError extends Error {}

const encode = (value: unknown): string =>
  JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'bigint' ? item.toString() : item,
  )

export class HouseApi {
  readonly url: string
  private credentials: {
    readonly account: number
    readonly key: SigningKey
    readonly domain: bigint
  } | null = null

  constructor(url: string) {
    this.url = url.replace(/\/$/, '')
  }

  /** From now on calls are signed as this account. */
  authenticate(account: number, key: SigningKey, domain: bigint): void {
    this.credentials = { account, key, domain }
  }

  private async call<T>(method: 'GET' | 'POST', path: string, value?: unknown): Promise<T> {
    const body = value === undefined ? '' : encode(value)
    const headers: Record<string, string> =
      value === undefined ? {} : { 'content-type': 'application/json' }
    if (this.credentials !== null) {
      const { account, key, domain } = this.credentials
      const time = Math.floor(Date.now() / 1000)
      const { r, s } = sign(key, requestMessage(domain, account, time, method, path, body))
      Object.assign(headers, {
        'x-cloister-account': String(account),
        'x-cloister-time': String(time),
        'x-cloister-signature': `${r.x}.${r.y}.${s}`,
      })
    }
    let response: Response
    try {
      response = await fetch(
        `${this.url}${path}`,
        value === undefined ? { method, headers } : { method, headers, body },
      )
    } catch {
      throw new HouseError(`no answer from the house at ${this.url}: is it running?`)
    }
    const answer = (await response.json()) as T & { error?: string }
    if (!response.ok)
      throw new HouseError(
        `the house refused ${method} ${path} (${response.status}): ${answer.error ?? 'no reason given'}`,
      )
    return answer
  }

  status(): Promise<HouseStatus> {
    return this.call('GET', '/status')
  }
  table(): Promise<TableView> {
    return this.call('GET', '/table')
  }
  account(): Promise<AccountView> {
    return this.call('GET', '/account')
  }
  tickets(): Promise<readonly TicketView[]> {
    return this.call('GET', '/tickets')
  }
  countersign(l1Owner: string, key: Point, viewKey: bigint): Promise<{ signature: string }> {
    return this.call('POST', '/countersign', { l1Owner, key, viewKey })
  }
  showDeposit(account: number, secret: bigint): Promise<unknown> {
    return this.call('POST', '/deposits', { account, secret })
  }
  propose(
    clientId: string,
    counterparty: number,
    entries: readonly Entry[],
    payload: bigint,
  ): Promise<TicketView | Refused> {
    return this.call('POST', '/proposals', { clientId, counterparty, entries, payload })
  }
  affirm(id: string): Promise<TicketView | Refused> {
    return this.call('POST', '/affirm', { id })
  }
  reject(id: string): Promise<TicketView | Refused> {
    return this.call('POST', '/reject', { id })
  }
  page(
    page: PageOnHead,
    extra: { ticket?: string; rotation?: RotationKeys } = {},
  ): Promise<PageAnswer | Refused> {
    return this.call('POST', '/pages', { ...pageBody(page), ...extra })
  }
  /** Pages that the house asked for, signed on new heads. */
  resign(pages: readonly PageOnHead[]): Promise<PageAnswer | Refused> {
    return this.call('POST', '/resign', { pages: pages.map(pageBody) })
  }
}

export type RotationKeys = { readonly key: Point; readonly viewKey: bigint }
export type PageOnHead = {
  readonly page: Page
  readonly previousHead: bigint
  readonly signature: Signature
}

function pageBody({ page, previousHead, signature }: PageOnHead): Record<string, unknown> {
  const { kind, counterparty, stamp, maxFee, payload, entries } = page
  return { kind, counterparty, stamp, maxFee, payload, entries, previousHead, signature }
}
