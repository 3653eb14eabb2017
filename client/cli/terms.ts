/** What a user writes and reads: names, amounts, legs. No decimal ever passes through a float. */
import { getAddress } from '../l1/ethers.ts'
import {
  AMOUNT_BITS,
  ENTRY_COUNT,
  FIRST_MEMBER_INDEX,
  INDEX_BITS,
  INSTRUMENT_BITS,
} from '../../circuits/params.ts'
import type { Entry } from '../../circuits/page.ts'
import { INSTRUMENT_NAMES } from '../day/instruments.ts'
import { Undone } from './failures.ts'

/** Micro-dollars, the lots of cash, in a dollar. */
const DECIMALS = 6
const MICRO = 10n ** BigInt(DECIMALS)
const AMOUNT_END = 1n << BigInt(AMOUNT_BITS)

export function parseName(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)) return text
  throw new Undone(`"${text}" is no name: 1 to 64 letters, digits, dots, hyphens, underscores`)
}

/** Dollars with up to six decimals as micro-dollars. */
export function parseDollars(text: string): bigint {
  const [, whole, decimals = ''] = /^(\d{1,40})(?:\.(\d+))?$/.exec(text) ?? []
  if (whole === undefined)
    throw new Undone(`"${text}" is no amount: dollars like 250 or 0.25, without sign or separators`)
  if (decimals.length > DECIMALS)
    throw new Undone(`"${text}" has ${decimals.length} decimals: a dollar has ${DECIMALS}`)
  const amount = BigInt(whole + decimals.padEnd(DECIMALS, '0'))
  if (amount === 0n) throw new Undone('an amount must be more than zero')
  if (amount >= AMOUNT_END)
    throw new Undone(`"${text}" is too much: amounts are below ${dollars(AMOUNT_END)}`)
  return amount
}

/** INSTRUMENT:QUANTITY@PRICE as in the trades file: lots to the proposer, dollars a lot. */
export function parseLeg(text: string): Entry {
  const form = /^([A-Za-z0-9-]+):(-?\d{1,17})@(\d{1,12})(?:\.(\d{1,6}))?$/
  const [, instrument, quantity, whole, decimals = ''] = form.exec(text) ?? []
  if (instrument === undefined || quantity === undefined || whole === undefined)
    throw new Undone(
      `"${text}" is no leg: write INSTRUMENT:QUANTITY@PRICE, like BTC-27MAR20:-2@79.25 ` +
        '(whole lots, negative to sell; dollars a lot, 6 decimals at most)',
    )
  if (BigInt(quantity) === 0n) throw new Undone(`"${text}" moves nothing: a leg has a quantity`)
  return {
    instrument: instrumentId(instrument),
    quantity: BigInt(quantity),
    price: BigInt(whole + decimals.padEnd(DECIMALS, '0')),
  }
}

export function parseLegs(texts: readonly string[]): readonly Entry[] {
  if (texts.length > ENTRY_COUNT)
    throw new Undone(`${texts.length} legs: a trade has ${ENTRY_COUNT} at most`)
  return texts.map(parseLeg)
}

function instrumentId(text: string): number {
  const known = Object.hasOwn(INSTRUMENT_NAMES, text) ? INSTRUMENT_NAMES[text] : undefined
  if (known !== undefined) return known
  const [, id] = /^(?:ID-)?([1-9]\d{0,8})$/.exec(text) ?? []
  if (id !== undefined && Number(id) < 2 ** INSTRUMENT_BITS) return Number(id)
  const names = Object.keys(INSTRUMENT_NAMES).join(', ')
  throw new Undone(`"${text}" is no instrument: use an id, or one of ${names}`)
}

export function parseAccount(text: string): number {
  const index = /^\d{1,9}$/.test(text) ? Number(text) : -1
  if (index >= FIRST_MEMBER_INDEX && index < 2 ** INDEX_BITS) return index
  throw new Undone(
    `"${text}" is no member's account: a whole number from ${FIRST_MEMBER_INDEX} ` +
      `(cloister account show prints it)`,
  )
}

export function parseAddress(text: string): string {
  try {
    const address = getAddress(text)
    if (BigInt(address) !== 0n) return address
  } catch {
    throw new Undone(`"${text}" is no L1 address (0x and 40 digits, with the checksum right)`)
  }
  throw new Undone(`"${text}" is the zero address, which is nobody's: what is paid to it is lost`)
}

export function parseSeconds(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new Undone(`"${text}" is no timeout: whole seconds`)
}

/** $1,234.50: two decimals at least, more only where they are not zero. */
export function dollars(micro: bigint): string {
  const size = micro < 0n ? -micro : micro
  const whole = (size / MICRO).toString().replace(/\B(?=(\d{3})+$)/g, ',')
  const decimals = (size % MICRO)
    .toString()
    .padStart(DECIMALS, '0')
    .replace(/0{1,4}$/, '')
  return `${micro < 0n ? '-' : ''}$${whole}.${decimals}`
}

export function instrumentName(id: number): string {
  return Object.entries(INSTRUMENT_NAMES).find(([, known]) => known === id)?.[0] ?? `ID-${id}`
}

type LegLike = {
  readonly instrument: number
  readonly quantity: bigint | string
  readonly price: bigint | string
}

/** "1 lot", "-2 lots". */
export function lotsInWords(quantity: bigint): string {
  return `${quantity} ${quantity === 1n || quantity === -1n ? 'lot' : 'lots'}`
}

/** "buys 2 lots BTC-27MAR20 at $79.25 a lot", from the side whose entries these are. */
export function legsInWords(entries: readonly LegLike[]): string {
  return entries
    .filter((entry) => BigInt(entry.quantity) !== 0n)
    .map(({ instrument, quantity, price }) => {
      const lots = BigInt(quantity)
      const size = lots < 0n ? -lots : lots
      return (
        `${lots < 0n ? 'sell' : 'buy'} ${lotsInWords(size)} ` +
        `${instrumentName(instrument)} at ${dollars(BigInt(price))} a lot`
      )
    })
    .join(', ')
}
