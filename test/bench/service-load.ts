/** Members of a house under load, in a process of their own: pairs that trade one package after the other. */
import { Agent, request } from 'node:http'
import { genesisHead, ownerKeyHash } from '../../circuits/account.ts'
import { sign, type SigningKey } from '../../circuits/eddsa.ts'
import { headAfter, type Page } from '../../circuits/page.ts'
import {
  encode,
  pageBody,
  type AccountView,
  type HouseStatus,
  type TicketView,
} from '../../client/api.ts'
import { memberKeys } from '../../client/keys.ts'
import { pageOf } from '../../client/pages.ts'
import { newOpening, Session } from '../../client/session.ts'

export type LoadOrder = {
  readonly url: string
  /** Seeds are made of the number, as the floor makes them. */
  readonly members: readonly { readonly number: number; readonly account: number }[]
  /** Packages a second over all pairs; null: as many as the house takes. */
  readonly rate: number | null
  readonly milliseconds: number
}
export type LoadResult = {
  readonly packages: number
  readonly legs: number
  readonly seconds: number
  /** Processor milliseconds of the members: they share the cores with the house. */
  readonly cpuMs: number
  /** From sending a page to its acknowledgement, in milliseconds, sorted. */
  readonly waits: readonly number[]
}

const LEGS = [
  { instrument: 1024, quantity: 1n, price: 50_000_000n },
  { instrument: 1025, quantity: -1n, price: 2_000_000n },
] as const

/**
 * One connection of its own and no more than HTTP: what the client's convenience costs is not the
 * house's, and shares the cores with it.
 */
class Line {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 4 })
  private readonly url: string
  private session: Session | null = null

  constructor(url: string) {
    this.url = url
  }

  async open(account: number, key: SigningKey, domain: bigint): Promise<void> {
    const { instance } = await this.ask<{ instance: string }>('GET', '/v1/status')
    const { opening, privateKey } = newOpening({ account, key, domain }, instance)
    const made = await this.ask<{ session: string; until: number }>('POST', '/v1/sessions', opening)
    this.session = new Session(made.session, made.until, domain, privateKey)
  }

  ask<T>(method: 'GET' | 'POST', path: string, value?: unknown): Promise<T> {
    const body = value === undefined ? '' : encode(value)
    const headers = {
      ...this.session?.headers(method, path, body),
      ...(value === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    }
    return new Promise((resolve, reject) => {
      const sent = request(this.url + path, { method, headers, agent: this.agent }, (answer) => {
        const parts: Buffer[] = []
        answer.on('data', (part: Buffer) => parts.push(part))
        answer.on('error', reject)
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString()
          if (answer.statusCode === 200) resolve(JSON.parse(text) as T)
          else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text.slice(0, 300)}`))
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }
}

/** A member that holds its own head in memory: the file that a real one keeps is not measured. */
class Side {
  readonly line: Line
  readonly account: number
  private readonly keys
  private readonly fee: bigint
  private head: bigint

  private constructor(
    line: Line,
    account: number,
    keys: ReturnType<typeof memberKeys>,
    fee: bigint,
    head: bigint,
  ) {
    this.line = line
    this.account = account
    this.keys = keys
    this.fee = fee
    this.head = head
  }

  static async open(url: string, { number, account }: LoadOrder['members'][number]): Promise<Side> {
    const line = new Line(url)
    const keys = memberKeys(new Uint8Array(32).fill(number + 1), `M${number}`)
    const { domain, fee } = await line.ask<HouseStatus>('GET', '/v1/status')
    await line.open(account, keys.signing, BigInt(domain))
    const { head } = await line.ask<AccountView>('GET', '/v1/account')
    const genesis = genesisHead(BigInt(domain), account, ownerKeyHash(keys.signing.publicKey))
    return new Side(line, account, keys, BigInt(fee), head === null ? genesis : BigInt(head))
  }

  /** Milliseconds until the page was acknowledged. */
  async settle(ticket: TicketView, other: Side): Promise<number> {
    const page: Page = pageOf(this.account, { ...ticket, counterparty: other.account }, this.fee)
    const previousHead = this.head
    this.head = headAfter(previousHead, page)
    const signature = sign(this.keys.signing, this.head)
    const clientId = `page-${ticket.id}`
    const body = { clientId, ...pageBody({ page, previousHead, signature }), ticket: ticket.id }
    const from = performance.now()
    await this.line.ask('POST', '/v1/pages', body)
    return performance.now() - from
  }
}

async function packageOf(
  clientId: string,
  buyer: Side,
  seller: Side,
  waits: number[],
): Promise<void> {
  const proposal = { clientId, counterparty: seller.account, entries: LEGS, payload: 7n }
  const { id } = await buyer.line.ask<TicketView>('POST', '/v1/trades', proposal)
  const theirs = await seller.line.ask<TicketView>('POST', `/v1/trades/${id}/affirm`, {})
  const mine = await buyer.line.ask<TicketView>('GET', `/v1/trades/${id}`)
  const both = [buyer.settle(mine, seller), seller.settle(theirs, buyer)]
  waits.push(...(await Promise.all(both)))
}

async function load({ url, members, rate, milliseconds }: LoadOrder): Promise<LoadResult> {
  const sides = await Promise.all(members.map((member) => Side.open(url, member)))
  const waits: number[] = []
  let packages = 0
  let sent = 0
  const started = performance.now()
  const cpu = process.cpuUsage()
  const run = Math.random().toString(36).slice(2)
  const pair = async (i: number): Promise<void> => {
    const [a, b] = [sides[2 * i], sides[2 * i + 1]] as [Side, Side]
    for (let n = 0; ; n++) {
      const place = sent++
      const due = rate === null ? 0 : (1000 * place) / rate
      const early = due - (performance.now() - started)
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
      if (performance.now() - started > milliseconds) return
      // Both directions in turn: nobody's book grows without end.
      await packageOf(`${run}-${i}-${n}`, n % 2 === 0 ? a : b, n % 2 === 0 ? b : a, waits)
      packages++
    }
  }
  await Promise.all(Array.from({ length: Math.floor(sides.length / 2) }, (_, i) => pair(i)))
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const legs = packages * LEGS.length
  waits.sort((a, b) => a - b)
  return { packages, legs, seconds, cpuMs: (user + system) / 1000, waits }
}

process.on('message', (text: string) => {
  load(JSON.parse(text) as LoadOrder).then(
    (result) => process.send?.(JSON.stringify({ result })),
    (error: unknown) => process.send?.(JSON.stringify({ error: String(error) })),
  )
})
process.on('disconnect', () => process.exit(0))
process.send?.('"ready"')
