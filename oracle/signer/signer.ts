/**
 * A signer: it looks at its own sources, computes the whole table itself, and signs what it has
 * computed. Another's proposal is signed only if it is near what it sees itself.
 */
import type { SigningKey } from '../ethers.ts'
import { requireAgreement, requirePricesNear } from './agreement.ts'
import { requireBound, type Bindings } from './binding.ts'
import { documentHash } from './canonical.ts'
import type { SignerConfig } from './config.ts'
import {
  computeTable,
  readInstruments,
  readMarket,
  readWorlds,
  underlyingOf,
  type InstrumentSpec,
  type MarketDocument,
} from './engine.ts'
import { Lookout, type Look, type LookoutOptions } from './look.ts'
import { settlingKey, withSettling, type SettlingState } from './market-document.ts'
import { Refusal, type Observed } from './observe.ts'
import { Register, type SettledValue } from './register.ts'
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
  FALLBACK_SECONDS,
  fallbackOf,
  readSettlement,
  settlementBytes,
  settlementReportBy,
  termsOfSettlement,
  type AverageDocument,
  type FallbackDocument,
  type ReferenceTable,
  type SettlementDocument,
} from './settlement.ts'
import {
  knownSettling,
  pinnedOr,
  requireSettling,
  windowsBegun,
  type KnownSettling,
  type SettlingView,
} from './settling.ts'
import { timeWeighted, type SampleLog } from './window.ts'

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
export type SignerOptions = Omit<LookoutOptions, 'instruments'> & {
  readonly config: SignerConfig
  readonly documents: Documents
  readonly key: SigningKey
  /** Unix seconds of this machine. */
  readonly clock?: () => number
  /** Called before a signature leaves with what must survive a restart. */
  readonly remember?: (memory: Memory) => void
  readonly memory?: Memory
  /** What L1 binds, or will bind, the instruments of these documents to; without, that is not looked at. */
  readonly bindings?: () => Promise<Bindings | null>
  /** The last confirmed table on L1 of a time of L1's clock or before: what a fallback settles at. */
  readonly tableBefore?: (time: number) => Promise<ReferenceTable | null>
  /** What L1 says of settlements; without it nothing is said of the average of a window in a table. */
  readonly settlingView?: () => Promise<SettlingView>
}
/** The latest report time that was signed, and the digest. */
export type Memory = { readonly time: string; readonly digest: string }

/** Averages over a window, and which of them L1 carries already. */
type Averages = Pick<AverageDocument, 'windowStart' | 'windowEnd'> & {
  readonly underlyings: readonly (AverageDocument['underlyings'][number] & {
    readonly isPinned: boolean
  })[]
}

function documentOf({ windowStart, windowEnd, underlyings }: Averages): AverageDocument {
  const prices = underlyings.map(({ id, name, price }) => ({ id, name, price }))
  return { version: 1, windowStart, windowEnd, underlyings: prices }
}

function statesOf(known: readonly KnownSettling[]): readonly SettlingState[] {
  return known.map(({ isPinned: _isPinned, ...state }) => state)
}

const LOOK_COUNT = 32

export class Signer {
  readonly address: string
  private readonly lookout: Lookout
  private readonly options: SignerOptions
  private readonly instruments: ReturnType<typeof readInstruments>
  private readonly worlds: ReturnType<typeof readWorlds>
  private readonly looks = new Map<number, Promise<Look>>()
  private readonly register = new Register()
  private memory: Memory
  private bindings: Bindings | null = null

  constructor(options: SignerOptions) {
    this.options = options
    this.address = addressOfKey(options.key)
    this.instruments = readInstruments(options.documents.instruments)
    this.worlds = readWorlds(options.documents.worlds)
    this.lookout = new Lookout({ ...options, instruments: this.instruments })
    this.memory = options.memory ?? { time: '0', digest: '' }
  }

  get log(): SampleLog {
    return this.lookout.log
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
    const { market, observed } = await this.look(time)
    return { signer: this.address, market, observed }
  }

  private async look(time: number): Promise<Look> {
    this.requireClock(time)
    const known = this.looks.get(time)
    if (known !== undefined) return known
    const looking = this.lookout.look(time)
    this.looks.set(time, looking)
    looking.catch(() => this.looks.delete(time))
    for (const old of this.looks.keys()) {
      if (this.looks.size <= LOOK_COUNT) break
      this.looks.delete(old)
    }
    return looking
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
    const own = await this.look(time)
    const listed = new Set(rows)
    const specs = this.instruments.filter(({ id }) => listed.has(id))
    const market =
      proposal === undefined
        ? withSettling(own.market, statesOf(await this.knownOf(specs, own.market.time)))
        : await this.requireNear(readMarket(proposal), own, specs)
    if (specs.length !== listed.size || listed.size !== rows.length) {
      throw new Refusal(
        'InstrumentsMustBeKnown',
        `${specs.length} of ${rows.length} rows are known`,
      )
    }
    await this.requireListing(specs)
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
    const own = this.lookout.asOf(await this.look(time), market.time)
    requireAgreement(market, own, config, this.instruments)
    if (market.time !== this.lookout.marketTime(Number(report.time))) {
      throw new Refusal('TimeMustBeNow', `a market of ${market.time} in a report of ${report.time}`)
    }
    const listed = new Set(decodeMarks(report.marks).map(({ id }) => id))
    const specs = this.instruments.filter(({ id }) => listed.has(id))
    await this.requireAverages(market, specs)
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

  /** What this signer can say of the windows of these instruments at a time of L1's clock. */
  async settling(
    time: number,
    rows: readonly number[],
  ): Promise<{ readonly signer: string; readonly settling: readonly SettlingState[] }> {
    const { market } = await this.look(time)
    const specs = this.instruments.filter(({ id }) => rows.includes(id))
    return { signer: this.address, settling: statesOf(await this.knownOf(specs, market.time)) }
  }

  private async knownOf(
    specs: readonly InstrumentSpec[],
    time: number,
  ): Promise<readonly KnownSettling[]> {
    const { config, settlingView } = this.options
    const idOf = (name: string) => config.underlyings.find((one) => one.name === name)?.id
    // L1 is not asked where there is nothing to be said.
    if (settlingView === undefined || windowsBegun(specs, idOf, time).length === 0) return []
    const { log } = this
    return knownSettling(specs, time, await settlingView(), { ...config, log })
  }

  private async requireAverages(
    market: MarketDocument,
    specs: readonly InstrumentSpec[],
  ): Promise<void> {
    const known = await this.knownOf(specs, market.time)
    requireSettling(market, known, this.options.config.tolerance)
  }

  /**
   * The averages of the underlyings that this signer saw all through a window of L1's clock, or that L1
   * carries of it; it refuses where that is none. What expires on the others settles all the same.
   */
  async averages(start: number, end: number): Promise<AverageDocument> {
    return documentOf(await this.averagesOf(start, end))
  }

  private async averagesOf(start: number, end: number): Promise<Averages> {
    const { config } = this.options
    if (!(start < end && end <= this.now())) {
      throw new Refusal('WindowMustBePast', `${start} to ${end}`)
    }
    const windowStart = this.lookout.marketTime(start)
    const windowEnd = this.lookout.marketTime(end)
    const refusals: Refusal[] = []
    const pins = (await this.options.settlingView?.())?.pins
    const underlyings = config.underlyings.flatMap(({ id, name, index }) => {
      const terms = { underlying: id, expiry: windowEnd, windowSeconds: end - start }
      const pin = index === null ? undefined : pins?.get(settlingKey({ ...terms, source: index }))
      let own: bigint | null = null
      try {
        own = timeWeighted(this.log.of(name), windowStart, windowEnd, config.maxGap)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        refusals.push(error)
      }
      const known = pinnedOr(own, pin, config.tolerance)
      return known === null ? [] : [{ id, name, ...known }]
    })
    const [refusal] = refusals
    if (underlyings.length === 0 && refusal !== undefined) throw refusal
    return { windowStart, windowEnd, underlyings }
  }

  /**
   * Signs the values of what expired at the end of the window: at averages near its own, over the window
   * and from the source that each was listed with; or, where no quorum can have seen that, at the last
   * confirmed table before the expiry.
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
    const given = proposal === undefined ? null : readSettlement(proposal)
    const document =
      given?.version === 2
        ? await this.requireFallback(ids, window, given)
        : await this.requireSettlement(ids, window, given)
    const terms = { serial, ids, settled, document, window }
    const report = await settlementReportBy(this.register, this.instruments, terms)
    const digest = settlementDigest(config.domain, report)
    return { signer: this.address, report, digest, signature: this.sign(digest) }
  }

  private async requireSettlement(
    ids: readonly number[],
    window: readonly [number, number],
    proposed: SettlementDocument | null,
  ): Promise<SettlementDocument> {
    const own = await this.averagesOf(...window)
    const document = proposed ?? documentOf(own)
    if (document.windowStart !== own.windowStart || document.windowEnd !== own.windowEnd)
      throw new Refusal('WindowMustMatch', `not ${window.join(' to ')}`)
    for (const id of ids) {
      const refusal = this.unfit(id, window)
      if (refusal !== null) throw refusal
    }
    // Values follow from names: a price must not be called another's. One left out settles nothing.
    const same = own.underlyings.filter((mine) =>
      document.underlyings.some(({ id, name }) => id === mine.id && name === mine.name),
    )
    if (same.length !== document.underlyings.length)
      throw new Refusal('NamesMustMatch', 'underlyings of the settlement are not ours')
    requirePricesNear(
      document.underlyings.map(({ id, price }) => [id, price] as const),
      same.map(({ id, price }) => [id, price] as const),
      this.options.config.tolerance,
    )
    // Rows are valued at what a table says of a whole window: that is what is paid, to the micro.
    for (const { id, price, isPinned } of same)
      if (isPinned && document.underlyings.find((one) => one.id === id)?.price !== price)
        throw new Refusal('AverageMustBeKept', `${price} of underlying ${id}, as L1 has it`)
    return document
  }

  /** Why an instrument cannot be settled at an average of this window from these sources, or null. */
  private unfit(id: number, [start, end]: readonly [number, number]): Refusal | null {
    const spec = this.instruments.find((one) => one.id === id)
    const terms = termsOfSettlement(spec)
    if (spec === undefined || terms === null) return null
    const name = underlyingOf(spec)
    const index = this.options.config.underlyings.find((one) => one.name === name)?.index ?? null
    if (terms.windowSeconds !== end - start)
      return new Refusal(
        'WindowMustMatch',
        `${spec.name} is averaged over ${terms.windowSeconds} s`,
      )
    if (terms.source !== index)
      return new Refusal('SourceMustMatch', `${spec.name} settles by ${terms.source}, not ${index}`)
    return null
  }

  /**
   * Signed by who has no proper average itself, and by nobody else: so if a quorum signs, those who have
   * one are too few, and no minority can choose a fallback that a quorum need not take.
   */
  private async requireFallback(
    ids: readonly number[],
    window: readonly [number, number],
    proposed: FallbackDocument,
  ): Promise<SettlementDocument> {
    const from = window[1] + FALLBACK_SECONDS
    if (this.now() < from) throw new Refusal('FallbackMustWait', `until ${from}`)
    const known = await this.averages(...window).then(
      ({ underlyings }) => underlyings,
      (error: unknown) => {
        if (!(error instanceof Refusal)) throw error
        return []
      },
    )
    for (const id of ids) {
      const name = underlyingOf(this.instruments.find((one) => one.id === id))
      if (this.unfit(id, window) === null && known.some((one) => one.name === name))
        throw new Refusal('FallbackMustBeNeeded', `the average of ${id} is known`)
    }
    const table = (await this.options.tableBefore?.(window[1])) ?? null
    if (table === null) throw new Refusal('FallbackMustHaveTable', `none before ${window[1]}`)
    const named = this.options.config.underlyings.filter(({ id }) =>
      proposed.underlyings.some((one) => one.id === id),
    )
    const [start, end] = window.map((time) => this.lookout.marketTime(time)) as [number, number]
    const own = fallbackOf(table, [start, end], named)
    if (settlementBytes(own) !== settlementBytes(proposed))
      throw new Refusal('FallbackMustMatchTable', `not what table ${table.number} says`)
    return own
  }

  /** After a second look at the averages: the word of the large quorum to replace a settlement. */
  async settlementConfirmation(
    ...given: Parameters<Signer['settlement']>
  ): Promise<Signed<SettlementReport>> {
    const signed = await this.settlement(...given)
    const digest = confirmationDigest(this.options.config.domain, signed.digest)
    return { ...signed, signature: this.sign(digest) }
  }

  /** Read until the document counts on L1: a proposal can still become another. */
  private async requireListing(specs: readonly InstrumentSpec[]): Promise<void> {
    const { bindings: read, config, recorded } = this.options
    if (read === undefined) return
    const bindings = this.bindings ?? (await read())
    if (bindings === null)
      throw new Refusal('DocumentMustBeOnL1', 'these instruments are neither listed nor proposed')
    if (bindings.isFinal) this.bindings = bindings
    // A replay has a clock of its own, and says itself what a second of L1 is on it.
    requireBound(bindings, specs, config.replay === null && recorded === undefined)
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

  private async requireNear(
    market: MarketDocument,
    own: Look,
    specs: readonly InstrumentSpec[],
  ): Promise<MarketDocument> {
    if (market.time !== own.market.time) {
      throw new Refusal('TimeMustBeNow', `the market of ${market.time}, not ${own.market.time}`)
    }
    requireAgreement(market, own, this.options.config, this.instruments)
    await this.requireAverages(market, specs)
    return market
  }
}
