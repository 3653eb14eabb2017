/** The running house: where it is, and whether it speaks for the contract that L1 knows. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HouseApi, HouseError, type HouseStatus } from '../api.ts'
import { domainOf } from '../l1/batch-words.ts'
import { connect, type L1 } from '../l1/rpc.ts'
import { NotYet, Undone } from './failures.ts'
import { dayPath, fromHere } from './root.ts'

export type Common = {
  readonly json: boolean
  readonly house?: string
  /** The directory of a house that `cloister up` keeps. */
  readonly data?: string
  readonly rpc?: string
  readonly dir?: string
  readonly timeout: number
  /** Progress for people; nothing in it is needed. */
  readonly note: (line: string) => void
}
export type Result = {
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
  readonly code?: 0 | 1 | 2
  /** The text is the JSON, whatever was asked for: an answer that is no object. */
  readonly isJsonText?: true
}
/** What `npm start -- --stay` leaves in .cache/day.json, and `cloister up` there and in its directory. */
export type Day = { readonly url: string; readonly rpcUrl: string; readonly contract: string }
export type House = {
  readonly api: HouseApi
  readonly status: HouseStatus
  readonly rpcUrl: string
}

export const START = 'start one with: cloister up --data DIR (or npm start -- --stay)'

type Named = { readonly house?: string; readonly data?: string }

/** A variable that is set to nothing is not set. */
const variable = (name: string): string | undefined => process.env[name] || undefined

/** The directory that is named by --data or CLOISTER_DATA. */
export function houseFolder({ data }: { readonly data?: string }): string | undefined {
  return data ?? variable('CLOISTER_DATA')
}

/** Where a house that runs here has said that it is: in --data, CLOISTER_DATA, or as the latest. */
function placeOf(named: Named): string {
  const folder = houseFolder(named)
  return folder === undefined ? dayPath() : join(fromHere(folder), 'run.json')
}

export function findDay(named: Named = {}): Day | null {
  const place = placeOf(named)
  if (!existsSync(place)) return null
  try {
    const day = JSON.parse(readFileSync(place, 'utf8')) as Partial<Day>
    if (day.url === undefined || day.rpcUrl === undefined || day.contract === undefined) return null
    return { url: day.url, rpcUrl: day.rpcUrl, contract: day.contract }
  } catch {
    throw new Undone(`${place} cannot be read; ${START}`)
  }
}

/**
 * The house of --house, of CLOISTER_HOUSE where no directory is named, or the running one; its
 * contract is looked up on L1, not believed.
 */
export async function findHouse(options: Common): Promise<House> {
  const named =
    options.house ?? (options.data === undefined ? variable('CLOISTER_HOUSE') : undefined)
  const day = named === undefined ? findDay(options) : null
  const url = named ?? day?.url
  if (url === undefined)
    throw new NotYet(
      `no house is running (looked in ${placeOf(options)}): name it with --data DIR or --house URL, ` +
        `or ${START}`,
    )
  if (!/^https?:\/\//.test(url))
    throw new Undone('--house and CLOISTER_HOUSE must be an http or https address')
  const api = new HouseApi(url)
  let status: HouseStatus
  try {
    status = await api.status()
  } catch (error) {
    if (!(error instanceof HouseError)) throw new NotYet(`${url} does not answer like a house`)
    if (day === null) throw error
    throw new NotYet(`no house is running: the last one, at ${url}, does not answer; ${START}`)
  }
  if (day !== null && BigInt(day.contract) !== BigInt(status.contract))
    throw new Undone(`the house at ${url} names another contract than the one that was started`)
  const rpcUrl = options.rpc ?? day?.rpcUrl ?? status.rpcUrl
  const l1 = await connect(rpcUrl, status.contract)
  if (BigInt(status.domain) !== domainOf(l1.chainId, l1.contract))
    throw new Undone(`the house at ${url} does not speak for ${status.contract} on this chain`)
  return { api, status, rpcUrl }
}

/** L1 of a member's house: where that house runs here, at its present address. */
export function rpcOf(
  options: Pick<Common, 'rpc' | 'data'>,
  stored: { readonly rpcUrl: string; readonly contract: string },
): string {
  if (options.rpc !== undefined) return options.rpc
  const day = findDay(options)
  return day?.contract === stored.contract ? day.rpcUrl : stored.rpcUrl
}

/** Looks again and again until there is an answer; also where it could not look now. */
export async function until<T>(
  what: string,
  seconds: number,
  look: () => Promise<T | null>,
): Promise<T> {
  const end = Date.now() + seconds * 1000
  for (let why = ''; ;) {
    const found = await look().catch((error: unknown) => {
      if (!(error instanceof NotYet)) throw error
      why = `: ${error.message}`
      return null
    })
    if (found !== null) return found
    if (Date.now() >= end) throw new Undone(`${what}: not within ${seconds} s${why}`)
    await new Promise((wake) => setTimeout(wake, 500))
  }
}

/** Looks at L1 once now and once after each further batch. */
export function untilBatch<T>(
  what: string,
  house: Pick<House, 'rpcUrl'> & { readonly status: { readonly contract: string } },
  seconds: number,
  look: (l1: L1) => Promise<T | null>,
): Promise<T> {
  let seen: unknown = null
  return until(what, seconds, async () => {
    const l1 = await connect(house.rpcUrl, house.status.contract)
    const [number] = await l1.view('batchNumber')
    if (number === seen) return null
    const found = await look(l1)
    seen = number
    return found
  })
}
