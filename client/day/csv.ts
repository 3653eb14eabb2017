/**
 * Reads a day of trades: one package of one to three legs a line. It checks the form of a line,
 * never its sense: lines that a rule of the house must reject have to come through.
 */

export type TradeLeg = {
  /** The instrument's name. */
  readonly instrument: string
  /** Lots that the buyer gets; negative for a leg that the buyer sells. */
  readonly quantity: bigint
  /** Micro-dollars per lot. */
  readonly price: bigint
}

export type DayTrade = {
  /** Where in the file it stands, counted from 1, for messages. */
  readonly line: number
  readonly tradeId: string
  /** Counted from 1: which batch it belongs to. */
  readonly round: number
  readonly buyer: string
  readonly seller: string
  readonly legs: readonly TradeLeg[]
  readonly note: string
  /** 'settle', or the name of the rule that must reject it. */
  readonly expect: string
}

const COLUMNS = ['trade_id', 'round', 'buyer', 'seller', 'legs', 'note', 'expect'] as const
type Column = (typeof COLUMNS)[number]

const LEG_COUNT = 3
const PRICE_DECIMALS = 6
const LEG_FORM = /^([A-Z0-9-]+):(-?\d{1,17})@(\d{1,12})(?:\.(\d{1,6}))?$/

/** Crashes with the line's number on the first line that is not in form; trade ids are unique. */
export function parseDayTrades(text: string): readonly DayTrade[] {
  const lines = text.split(/\r?\n/)
  if (lines[0] !== COLUMNS.join(',')) throw lineError(1, `the header must be ${COLUMNS.join(',')}`)
  const trades: DayTrade[] = []
  const lineOf = new Map<string, number>()
  lines.forEach((row, i) => {
    if (i === 0 || row === '') return
    const trade = parseTrade(row, i + 1)
    const first = lineOf.get(trade.tradeId)
    if (first !== undefined) {
      throw lineError(trade.line, `trade_id ${trade.tradeId} stands in line ${first} already`)
    }
    lineOf.set(trade.tradeId, trade.line)
    trades.push(trade)
  })
  return trades
}

function parseTrade(row: string, line: number): DayTrade {
  // No quotes: no field of ours contains a comma.
  const cells = row.split(',')
  if (cells.length !== COLUMNS.length) {
    throw lineError(line, `${cells.length} fields where ${COLUMNS.length} are expected`)
  }
  const read = (column: Column, form: RegExp): string => {
    const cell = cells[COLUMNS.indexOf(column)] ?? ''
    if (!form.test(cell)) throw lineError(line, `${column} is "${cell}", which is not ${form}`)
    return cell
  }
  return {
    line,
    tradeId: read('trade_id', /^[A-Za-z0-9-]+$/),
    round: Number(read('round', /^[1-9]\d{0,3}$/)),
    buyer: read('buyer', /^[A-Z]+$/),
    seller: read('seller', /^[A-Z]+$/),
    legs: parseLegs(read('legs', /./), line),
    note: read('note', /^[^"]*$/),
    expect: read('expect', /^[A-Za-z]+$/),
  }
}

function parseLegs(cell: string, line: number): readonly TradeLeg[] {
  const legs = cell.split(';')
  if (legs.length > LEG_COUNT) {
    throw lineError(line, `${legs.length} legs; a page holds ${LEG_COUNT}`)
  }
  return legs.map((leg) => {
    const [, instrument, quantity, dollars, decimals = ''] = LEG_FORM.exec(leg) ?? []
    if (instrument === undefined || quantity === undefined || dollars === undefined) {
      throw lineError(line, `leg "${leg}" is not INSTRUMENT:quantity@price with 6 decimals at most`)
    }
    // Digits are glued, not multiplied, so that no decimal ever passes through a float.
    const price = BigInt(dollars + decimals.padEnd(PRICE_DECIMALS, '0'))
    return { instrument, quantity: BigInt(quantity), price }
  })
}

function lineError(line: number, why: string): Error {
  return new Error(`trades file, line ${line}: ${why}`)
}
