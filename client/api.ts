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
}
export type PageAnswer = {
  readonly head: string
  readonly complete: boolean
  readonly time: number
  readonly receipt: string
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
  account(): Promise<{ settledHead: string | null; head: string | null; pending: number }> {
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
    page: Page,
    previousHead: bigint,
    signature: Signature,
    extra: { ticket?: string; rotation?: { key: Point; viewKey: bigint } } = {},
  ): Promise<PageAnswer | Refused> {
    const { kind, counterparty, stamp, maxFee, payload, entries } = page
    return this.call('POST', '/pages', {
      kind,
      counterparty,
      stamp,
      maxFee,
      payload,
      entries,
      previousHead,
      signature,
      ...extra,
    })
  }
}
