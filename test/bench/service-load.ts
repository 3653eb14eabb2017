/** Members of a house under load, in a process of their own: pairs that trade one package after the other. */
import { genesisHead, ownerKeyHash } from '../../circuits/account.ts'
import { sign } from '../../circuits/eddsa.ts'
import { headAfter, type Page } from '../../circuits/page.ts'
import { HouseApi, type TicketView } from '../../client/api.ts'
import { memberKeys } from '../../client/keys.ts'
import { isRefused } from '../../client/member.ts'
import { pageOf } from '../../client/pages.ts'

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
  /** From sending a page to its acknowledgement, in milliseconds, sorted. */
  readonly waits: readonly number[]
}

const LEGS = [
  { instrument: 1024, quantity: 1n, price: 50_000_000n },
  { instrument: 1025, quantity: -1n, price: 2_000_000n },
] as const

/** A member that holds its own head in memory: the file that a real one keeps is not measured. */
class Side {
  readonly api: HouseApi
  readonly account: number
  private readonly keys
  private readonly fee: bigint
  private head: bigint

  private constructor(
    api: HouseApi,
    account: number,
    keys: ReturnType<typeof memberKeys>,
    fee: bigint,
    head: bigint,
  ) {
    this.api = api
    this.account = account
    this.keys = keys
    this.fee = fee
    this.head = head
  }

  static async open(url: string, { number, account }: LoadOrder['members'][number]): Promise<Side> {
    const api = new HouseApi(url)
    const keys = memberKeys(new Uint8Array(32).fill(number + 1), `M${number}`)
    const { domain, fee } = await api.status()
    api.authenticate(account, keys.signing, BigInt(domain))
    const head = (await api.account()).head
    const genesis = genesisHead(BigInt(domain), account, ownerKeyHash(keys.signing.publicKey))
    return new Side(api, account, keys, BigInt(fee), head === null ? genesis : BigInt(head))
  }

  /** Milliseconds until the page was acknowledged. */
  async settle(ticket: TicketView, other: Side): Promise<number> {
    const page: Page = pageOf(this.account, { ...ticket, counterparty: other.account }, this.fee)
    const previousHead = this.head
    this.head = headAfter(previousHead, page)
    const signature = sign(this.keys.signing, this.head)
    const from = performance.now()
    const answer = await this.api.page({ page, previousHead, signature }, { ticket: ticket.id })
    if (isRefused(answer)) throw new Error(`${answer.refused}: ${answer.detail}`)
    return performance.now() - from
  }
}

const done = <T extends object>(answer: T): Exclude<T, { refused: unknown; detail: string }> => {
  if (isRefused(answer)) throw new Error(`${answer.refused}: ${answer.detail}`)
  return answer as Exclude<T, { refused: unknown; detail: string }>
}

async function packageOf(name: string, buyer: Side, seller: Side, waits: number[]): Promise<void> {
  const made = done(await buyer.api.propose(name, seller.account, LEGS, 7n))
  const theirs = done(await seller.api.affirm(made.id))
  const mine = await buyer.api.trade(made.id)
  const both = [buyer.settle(mine, seller), seller.settle(theirs, buyer)]
  waits.push(...(await Promise.all(both)))
}

async function load({ url, members, rate, milliseconds }: LoadOrder): Promise<LoadResult> {
  const sides = await Promise.all(members.map((member) => Side.open(url, member)))
  const waits: number[] = []
  let packages = 0
  let sent = 0
  const started = performance.now()
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
  return { packages, legs: packages * LEGS.length, seconds, waits: waits.sort((a, b) => a - b) }
}

process.on('message', (text: string) => {
  load(JSON.parse(text) as LoadOrder).then(
    (result) => process.send?.(JSON.stringify({ result })),
    (error: unknown) => process.send?.(JSON.stringify({ error: String(error) })),
  )
})
process.on('disconnect', () => process.exit(0))
process.send?.('"ready"')
