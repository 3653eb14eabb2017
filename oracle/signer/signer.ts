/**
 * A signer: it looks at its own sources, computes the whole table itself, and signs what it has
 * computed. Another's proposal is signed only if it is near what it sees itself.
 */
import type { SigningKey } from '../ethers.ts'
import { documentHash, InputError } from './canonical.ts'
import { marketTime, type SignerConfig } from './config.ts'
import { decimalOfMicro, isWithin, microOf } from './decimal.ts'
import {
  computeTable,
  marketBytes,
  readInstruments,
  readMarket,
  readWorlds,
  type MarketDocument,
} from './engine.ts'
import { observe, Refusal, type Observed } from './observe.ts'
import { currentPolicy, marketOf, type Policy } from './policy.ts'
import {
  addressOfKey,
  confirmationDigest,
  decodeMarks,
  reportOf,
  settlementDigest,
  signDigest,
  tableDigest,
  type SettlementReport,
  type TableReport,
} from './report.ts'
import {
  readSettlement,
  settlementReportOf,
  type SettledValue,
  type SettlementDocument,
} from './settlement.ts'
import { SampleLog, timeWeighted } from './window.ts'

/** Read once, published on L1; the market comes to them at each report. */
export type Documents = { readonly worlds: string; readonly instruments: string }
export type Signed<T> = {
  readonly signer: string
  readonly report: T
  readonly digest: string
  readonly signature: string
}
export type Observation = {
  readonly signer: string
  readonly market: MarketDocument
  readonly observed: Readonly<Record<string, Observed>>
}
/** What a recorded day knows besides its prices; a signer of a live market has none of it. */
export type Recorded = {
  /** Market time of a second of L1's clock, where it does not simply run. */
  readonly marketTime?: (time: number) => number
  /** What the configuration says of the market, as it was at a market time. */
  readonly policyAt?: (marketTime: number) => Policy
}
export type SignerOptions = {
  readonly config: SignerConfig
  readonly recorded?: Recorded
  readonly documents: Documents
  readonly key: SigningKey
  /** Unix seconds of this machine. */
  readonly clock?: () => number
  /** Called before a signature leaves with what must survive a restart. */
  readonly remember?: (memory: Memory) => void
  readonly memory?: Memory
}
/** The latest report time that was signed, and the digest. */
export type Memory = { readonly time: string; readonly digest: string }

const KEEP_SECONDS = 3 * 86_400
const SEEN_COUNT = 32

export class Signer {
  readonly address: string
  readonly log = new SampleLog(KEEP_SECONDS)
  private readonly options: SignerOptions
  private readonly instruments: ReturnType<typeof readInstruments>
  private readonly worlds: ReturnType<typeof readWorlds>
  private readonly seen = new Map<number, Promise<Observation>>()
  private memory: Memory

  constructor(options: SignerOptions) {
    this.options = options
    this.address = addressOfKey(options.key)
    this.instruments = readInstruments(options.documents.instruments)
    this.worlds = readWorlds(options.documents.worlds)
    this.memory = options.memory ?? { time: '0', digest: '' }
  }

  get hashes(): { readonly worldsHash: string; readonly instrumentsHash: string } {
    const { worlds, instruments } = this.options.documents
    return { worldsHash: documentHash(worlds), instrumentsHash: documentHash(instruments) }
  }

  now(): number {
    return this.options.clock?.() ?? Math.floor(Date.now() / 1000)
  }

  /**
   * What this signer sees at a time of L1's clock; it refuses where its sources do not suffice. Of
   * one second it has one opinion, however often it is asked.
   */
  async observe(time: number): Promise<Observation> {
    this.requireClock(time)
    const known = this.seen.get(time)
    if (known !== undefined) return known
    const looking = this.look(time)
    this.seen.set(time, looking)
    looking.catch(() => this.seen.delete(time))
    for (const old of this.seen.keys()) {
      if (this.seen.size <= SEEN_COUNT) break
      this.seen.delete(old)
    }
    return looking
  }

  private marketTime(time: number): number {
    const { config, recorded } = this.options
    return recorded?.marketTime?.(time) ?? marketTime(config.replay, time)
  }

  private async look(time: number): Promise<Observation> {
    const { config, recorded } = this.options
    const at = this.marketTime(time)
    const seen = await Promise.all(
      config.underlyings.map(async ({ name, sources }) => {
        const found = await observe(sources, at, config.observe, name, config.limits)
        return [name, found] as const
      }),
    )
    const prices = config.underlyings.map(({ id, name }, i) => {
      const price = (seen[i]?.[1] as Observed).price
      this.log.add(name, { price, time: at })
      return { id, name, spot: decimalOfMicro(price) }
    })
    const policy = recorded?.policyAt?.(at) ?? (await currentPolicy(config.policy))
    const market = marketOf(policy, at, prices)
    return { signer: this.address, market, observed: Object.fromEntries(seen) }
  }

  /**
   * Signs the table of the market it sees itself, or of a proposed one that is near it.
   * @param rows Ids that the contract lists; what is settled has left the table.
   */
  async report(
    number: bigint,
    time: number,
    rows: readonly number[],
    proposal?: string,
  ): Promise<Signed<TableReport>> {
    const own = (await this.observe(time)).market
    const market = proposal === undefined ? own : this.requireNear(readMarket(proposal), own)
    const listed = new Set(rows)
    const specs = this.instruments.filter(({ id }) => listed.has(id))
    if (specs.length !== listed.size || listed.size !== rows.length) {
      throw new Refusal(
        'InstrumentsMustBeKnown',
        `${specs.length} of ${rows.length} rows are known`,
      )
    }
    const { worlds, instruments } = this.options.documents
    const table = computeTable(market, specs, this.worlds)
    const report = reportOf(table, { number, time: BigInt(time), worlds, instruments, market })
    const digest = tableDigest(this.options.config.domain, report)
    this.requireConsistent(BigInt(time), digest)
    return { signer: this.address, report, digest, signature: this.sign(digest) }
  }

  /**
   * A second look at an indicative report: some time later its prices must still be what this
   * signer sees. The table is computed again; nothing of the report is taken on trust.
   */
  async confirmation(report: TableReport, time: number): Promise<Signed<string>> {
    const { config } = this.options
    if (BigInt(time) < report.time + BigInt(config.confirmAfter)) {
      throw new Refusal('ConfirmationMustWait', `until ${config.confirmAfter} s after the report`)
    }
    const market = readMarket(report.market)
    const own = (await this.observe(time)).market
    this.requirePolicy(market, own)
    this.requirePrices(market, own)
    if (market.time !== this.marketTime(Number(report.time))) {
      throw new Refusal('TimeMustBeNow', `a market of ${market.time} in a report of ${report.time}`)
    }
    const listed = new Set(decodeMarks(report.marks).map(({ id }) => id))
    const specs = this.instruments.filter(({ id }) => listed.has(id))
    const table = computeTable(market, specs, this.worlds)
    const { number, time: reported } = report
    const again = reportOf(table, { number, time: reported, ...this.options.documents, market })
    const digest = tableDigest(config.domain, report)
    if (tableDigest(config.domain, again) !== digest) {
      throw new Refusal('TableMustFollowInputs', `table ${number} is not what its inputs give`)
    }
    const signature = this.sign(confirmationDigest(config.domain, digest))
    return { signer: this.address, report: digest, digest, signature }
  }

  /** The average of every underlying that this signer saw in a window of L1's clock. */
  async averages(start: number, end: number): Promise<SettlementDocument> {
    const { config } = this.options
    if (!(start < end && end <= this.now())) {
      throw new Refusal('WindowMustBePast', `${start} to ${end}`)
    }
    const [windowStart, windowEnd] = [start, end].map((time) => this.marketTime(time)) as [
      number,
      number,
    ]
    const underlyings = config.underlyings.map(({ id, name }) => {
      const average = timeWeighted(this.log.of(name), windowStart, windowEnd, config.maxGap)
      return { id, name, price: decimalOfMicro(average) }
    })
    return { version: 1, windowStart, windowEnd, underlyings }
  }

  /**
   * Signs the values of what expired at the end of the window, at averages near its own.
   * @param window Of L1's clock.
   * @param settled All entries of the register so far, from which both roots follow.
   */
  async settlement(
    serial: bigint,
    ids: readonly number[],
    settled: readonly SettledValue[],
    window: readonly [number, number],
    proposal?: string,
  ): Promise<Signed<SettlementReport>> {
    const { config } = this.options
    const own = await this.averages(...window)
    const document = proposal === undefined ? own : readSettlement(proposal)
    if (document.windowStart !== own.windowStart || document.windowEnd !== own.windowEnd)
      throw new Refusal('WindowMustMatch', `not ${window.join(' to ')}`)
    this.requirePricesNear(
      document.underlyings.map(({ id, price }) => [id, price] as const),
      own.underlyings.map(({ id, price }) => [id, price] as const),
    )
    const report = settlementReportOf(this.instruments, { serial, ids, settled, document, window })
    const digest = settlementDigest(config.domain, report)
    return { signer: this.address, report, digest, signature: this.sign(digest) }
  }

  /** After a second look at the averages: the word of the large quorum to replace a settlement. */
  async settlementConfirmation(
    ...given: Parameters<Signer['settlement']>
  ): Promise<Signed<SettlementReport>> {
    const signed = await this.settlement(...given)
    const digest = confirmationDigest(this.options.config.domain, signed.digest)
    return { ...signed, signature: this.sign(digest) }
  }

  private sign(digest: string): string {
    return signDigest(this.options.key, digest)
  }

  private requireClock(time: number): void {
    const off = Math.abs(time - this.now())
    if (!(off <= this.options.config.clockSlack)) {
      throw new Refusal('TimeMustBeNow', `${time} is ${off} s from this clock`)
    }
  }

  /** One report a second: two of the same time with other content are never both signed. */
  private requireConsistent(time: bigint, digest: string): void {
    const last = BigInt(this.memory.time)
    if (time < last || (time === last && digest !== this.memory.digest)) {
      throw new Refusal('ReportMustNotContradict', `another report of ${last} was signed`)
    }
    this.memory = { time: String(time), digest }
    this.options.remember?.(this.memory)
  }

  private requireNear(market: MarketDocument, own: MarketDocument): MarketDocument {
    if (market.time !== own.time) {
      throw new Refusal('TimeMustBeNow', `the market of ${market.time}, not ${own.time}`)
    }
    this.requirePolicy(market, own)
    this.requirePrices(market, own)
    return market
  }

  private requirePrices(market: MarketDocument, own: MarketDocument): void {
    const pairs = ({ underlyings }: MarketDocument) =>
      underlyings.map(({ id, spot }) => [id, spot] as const)
    this.requirePricesNear(pairs(market), pairs(own))
  }

  /** All but prices and time is agreed beforehand: it must be the same to the byte. */
  private requirePolicy(market: MarketDocument, own: MarketDocument): void {
    const stripped = (document: MarketDocument): string =>
      marketBytes({
        ...document,
        time: 0,
        underlyings: document.underlyings.map((one) => ({ ...one, spot: '1' })),
      })
    if (stripped(market) !== stripped(own)) {
      throw new Refusal('PolicyMustMatch', 'rates, vols, ranges and underlyings are not ours')
    }
  }

  private requirePricesNear(
    given: readonly (readonly [number, string])[],
    own: readonly (readonly [number, string])[],
  ): void {
    const { tolerance } = this.options.config
    if (given.length !== own.length) throw new InputError('every underlying must have a price')
    own.forEach(([id, price], i) => {
      const [otherId, other] = given[i] as readonly [number, string]
      const isNear =
        id === otherId &&
        isWithin(microOf(other, 'price'), microOf(price, 'price'), BigInt(tolerance))
      if (!isNear) {
        throw new Refusal('ProposalMustBeNear', `${other} of underlying ${otherId}, not ${price}`)
      }
    })
  }
}
