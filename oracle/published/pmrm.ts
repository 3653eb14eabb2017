/**
 * The scenario rule of the Derive v2 portfolio risk manager (PMRM_2), as its documentation and its
 * published books state it: the rule is theirs, the prices are Black-76.
 *
 * Each option is priced again at the moved forward and volatility. An expiry's value is scaled
 * against the holder: where it is positive by 0.95 * e^(-T(r+0.08)), where it is negative by
 * 1.04 * e^(T(r/2+0.08)), but never by more than one over the discount factor. A scenario's profit is
 * the sum over expiries of (scaled value - mark), plus that of the perpetuals, times its dampening.
 */

import { black76 } from '../black76.ts'
import { exp, ln, pow } from '../elementary.ts'
import { SECONDS_PER_DAY, SECONDS_PER_YEAR } from '../market.ts'
import {
  boundedAt,
  fieldsAt,
  listAt,
  MalformedBooks,
  numberAt,
  positiveAt,
  UnpublishedInput,
  type Fields,
} from './reading.ts'

export type Direction = 'Up' | 'Down' | 'None' | 'LINEAR' | 'ABS'
export type Scenario = {
  /** What forwards and perpetuals are multiplied by. */
  readonly price: number
  readonly direction: Direction
  readonly dampening: number
}
export type BookOption = {
  readonly quantity: number
  readonly side: 'call' | 'put'
  readonly strike: number
  readonly vol: number
}
export type BookExpiry = {
  readonly seconds: number
  readonly forward: number
  readonly rate: number
  readonly discount: number
  readonly options: readonly BookOption[]
}
export type Book = {
  readonly id: string
  readonly spot: number
  readonly perpetuals: number
  readonly perpetualPrice: number
  readonly expiries: readonly BookExpiry[]
  readonly scenarios: readonly Scenario[]
  readonly parameters: Fields
}

const UPPER = 1e15

export function bookFrom(id: string, inputs: Fields): Book {
  const known = ['spot', 'perps', 'perp_price', 'options', 'forwards', 'parameters']
  for (const [name, value] of Object.entries(inputs)) {
    const isEmpty = value === 0 || value === null || (Array.isArray(value) && value.length === 0)
    if (!known.includes(name) && !isEmpty)
      throw new UnpublishedInput(`inputs.${name} is not part of the published format`)
  }
  const perpetuals = boundedAt(inputs['perps'] ?? 0, -UPPER, UPPER, 'inputs.perps')
  const parameters = fieldsAt(inputs['parameters'], 'inputs.parameters')
  const scenarios = listAt(parameters['Scenarios'] ?? missing('Scenarios'), 'Scenarios')
  return {
    id,
    spot: positiveAt(inputs['spot'], 'inputs.spot'),
    perpetuals,
    perpetualPrice: perpetuals === 0 ? 0 : positiveAt(inputs['perp_price'], 'inputs.perp_price'),
    expiries: expiriesFrom(inputs),
    scenarios: scenarios.map((item, i) => scenarioFrom(fieldsAt(item, `Scenarios[${i}]`), i)),
    parameters,
  }
}

function missing(what: string): never {
  throw new UnpublishedInput(`inputs.parameters.${what} is not published`)
}

const DIRECTIONS: readonly Direction[] = ['Up', 'Down', 'None', 'LINEAR', 'ABS']

function scenarioFrom(fields: Fields, i: number): Scenario {
  const given = String(fields['VolShockDirection']).toLowerCase()
  const direction = DIRECTIONS.find((known) => known.toLowerCase() === given)
  if (direction === undefined)
    throw new MalformedBooks(`Scenarios[${i}].VolShockDirection must be one of ${DIRECTIONS}`)
  return {
    price: positiveAt(fields['SpotShock'], `Scenarios[${i}].SpotShock`),
    direction,
    dampening: boundedAt(fields['DampeningFactor'], 0, UPPER, `Scenarios[${i}].DampeningFactor`),
  }
}

function expiriesFrom(inputs: Fields): readonly BookExpiry[] {
  const forwards = fieldsAt(inputs['forwards'] ?? {}, 'inputs.forwards')
  const expiries = new Map<number, BookExpiry & { readonly options: BookOption[] }>()
  listAt(inputs['options'] ?? [], 'inputs.options').forEach((item, i) => {
    const at = `options[${i}]`
    const [quantity, side, strike, seconds, vol, discount] = listAt(item, at)
    if (side !== 'C' && side !== 'P') throw new MalformedBooks(`${at}: side must be C or P`)
    const time = boundedAt(seconds, 0, 100 * SECONDS_PER_YEAR, `${at} seconds to expiry`)
    const factor = positiveAt(discount, `${at} discount factor`)
    let expiry = expiries.get(time)
    if (expiry === undefined) {
      const name = `the forward of expiry ${time}`
      const pair = listAt(forwards[String(seconds)] ?? unpublished(name), name)
      const forward = positiveAt(pair[0], name)
      const rate = boundedAt(pair[1], -5, 5, `the rate of expiry ${time}`)
      expiry = { seconds: time, forward, rate, discount: factor, options: [] }
      expiries.set(time, expiry)
    }
    if (expiry.discount !== factor)
      throw new MalformedBooks(`${at}: its expiry must have one discount factor`)
    expiry.options.push({
      quantity: boundedAt(quantity, -UPPER, UPPER, `${at} quantity`),
      side: side === 'C' ? 'call' : 'put',
      strike: positiveAt(strike, `${at} strike`),
      vol: boundedAt(vol, 0, 100, `${at} volatility`),
    })
  })
  return [...expiries.values()]
}

function unpublished(what: string): never {
  throw new UnpublishedInput(`${what} is not published`)
}

/** The value of an expiry at a moved forward, each volatility changed by `volOf`. */
function expiryValue(
  expiry: BookExpiry,
  price: number,
  volOf: (option: BookOption) => number = (option) => option.vol,
): number {
  const forward = expiry.forward * price
  const years = expiry.seconds / SECONDS_PER_YEAR
  return expiry.options.reduce((sum, option) => {
    const { side, strike, quantity } = option
    const undiscounted = black76({ side, forward, strike, vol: volOf(option), years, rate: 0 })
    return sum + quantity * expiry.discount * undiscounted
  }, 0)
}

/** What the options are worth as marked; a perpetual counts nothing. */
export function bookMark(book: Book): number {
  return book.expiries.reduce((sum, expiry) => sum + expiryValue(expiry, 1), 0)
}

/** The profit of a book in a scenario, in dollars; a loss is negative. */
export function scenarioProfit(book: Book, scenario: Scenario): number {
  const isSkew = scenario.direction === 'LINEAR' || scenario.direction === 'ABS'
  const perpetuals = book.perpetuals * book.perpetualPrice * (scenario.price - 1)
  const options = book.expiries.map((expiry) => {
    const value = expiryValue(expiry, scenario.price, volRule(book, expiry, scenario))
    const profit = value * scaleOf(book, expiry, value) - expiryValue(expiry, 1)
    // A skew may turn either way: its profit counts as a loss.
    return isSkew ? -Math.abs(profit) : profit
  })
  return scenario.dampening * options.reduce((sum, profit) => sum + profit, perpetuals)
}

function parameter(book: Book, group: string, name: string): number {
  const fields = fieldsAt(book.parameters[group], `inputs.parameters.${group}`)
  return boundedAt(fields[name], -1000, 1000, `inputs.parameters.${group}.${name}`)
}

function scaleOf(book: Book, expiry: BookExpiry, value: number): number {
  const years = expiry.seconds / SECONDS_PER_YEAR
  const of = (name: string): number => parameter(book, 'Margin', name)
  const rate = Math.max(expiry.rate, 0)
  if (value >= 0) {
    const growth = rate * of('LONG_RATE_MULTSCALE') + of('LONG_RATE_ADDSCALE')
    return of('BASE_STATIC_DISCOUNT') * exp(-growth * years)
  }
  const growth = rate * of('SHORT_RATE_MULTSCALE') + of('SHORT_RATE_ADDSCALE')
  return Math.min(of('BASE_STATIC_DISCOUNT_NEG') * exp(growth * years), 1 / expiry.discount)
}

const QUOTED_DAYS = 30

function volRule(
  book: Book,
  expiry: BookExpiry,
  { direction }: Scenario,
): (option: BookOption) => number {
  const of = (name: string): number => parameter(book, 'VolShock', name)
  const days = expiry.seconds / SECONDS_PER_DAY
  const size = (range: string): number => {
    const power = of(days <= QUOTED_DAYS ? 'SHORTTERMPOWER' : 'LONGTERMPOWER')
    return of(range) * pow(QUOTED_DAYS / Math.max(days, of('DTE_FLOOR')), power)
  }
  switch (direction) {
    case 'None':
      return ({ vol }) => vol
    case 'Up': {
      const factor = 1 + size('VOLRANGEUP')
      const floor = of('MIN_VOL_EVAL_SHOCKED')
      return ({ vol }) => Math.max(vol * factor, floor)
    }
    case 'Down': {
      const factor = Math.max(1 - size('VOLRANGEDOWN'), 0)
      return ({ vol }) => vol * factor
    }
    case 'LINEAR':
    case 'ABS':
      return skewRule(book, expiry, direction)
  }
}

/** Volatilities turn about the forward: linear in log moneyness, up to a cap in the wings. */
function skewRule(
  book: Book,
  expiry: BookExpiry,
  direction: 'LINEAR' | 'ABS',
): (option: BookOption) => number {
  const of = (name: string): number => parameter(book, 'SkewShock', name)
  const root = Math.sqrt(expiry.seconds / SECONDS_PER_YEAR)
  const cap = of(`${direction}_CBASE`) * root + of(`${direction}_SCALE_CAP`)
  const level = of('VOL_PARAM_STATIC') + root * of('VOL_PARAM_SCALE')
  const width = Math.max(of('MIN_K_STAR'), root * of('MIN_WIDTH_SCALE') * level)
  return ({ strike, vol }) => {
    const moneyness = ln(strike / expiry.forward)
    const from = direction === 'ABS' ? Math.abs(moneyness) : moneyness
    const linear = (from * cap) / width
    const turn = from >= 0 ? Math.min(linear, cap) : Math.max(linear, -cap)
    return vol * Math.max(1 + turn, 0)
  }
}

/** The scenarios that move price and volatility, in the order of the file. */
export function priceScenarios(book: Book): readonly Scenario[] {
  return book.scenarios.filter(({ direction }) => direction !== 'LINEAR' && direction !== 'ABS')
}

export function skewScenarios(book: Book): readonly Scenario[] {
  return book.scenarios.filter(({ direction }) => direction === 'LINEAR' || direction === 'ABS')
}

/**
 * The scenarios in the order of a published result, entries [move, direction]: `reg` before `tail`.
 * Without one the file's own order stands, which is the same in every published book.
 */
export function scenariosInOrder(book: Book, expected: unknown): readonly Scenario[] {
  const all = priceScenarios(book)
  if (expected === undefined || expected === null) return all
  const { reg, tail } = fieldsAt(expected, 'expected')
  if (reg === undefined && tail === undefined) return all
  const left = [...all]
  const entries = [...listAt(reg ?? [], 'expected.reg'), ...listAt(tail ?? [], 'expected.tail')]
  return entries.map((entry, i) => {
    const [move, sign] = listAt(entry, `expected scenario ${i}`)
    const price = 1 + numberAt(move, `the move of expected scenario ${i}`)
    const direction = sign === 1 ? 'Up' : sign === -1 ? 'Down' : 'None'
    const at = left.findIndex((s) => s.direction === direction && Math.abs(s.price - price) < 1e-9)
    const [found] = at === -1 ? [] : left.splice(at, 1)
    if (found === undefined)
      throw new UnpublishedInput(`the parameters of scenario ${price - 1} ${direction} are missing`)
    return found
  })
}
