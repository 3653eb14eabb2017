/**
 * The directory of a house that is kept: what it is, its keys, its journal and its L1. It is made
 * whole or begun again; what another version wrote, or what is damaged, is said and left alone.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { holderOf, isOfLock, tryLock, type Release } from '../pid-lock.ts'

const FORMAT = 1
const SIGNERS = 5
const LOCK = 'lock'

export class FolderError extends Error {}

/** `making`: the first start has not ended, and nobody can have relied on it. */
export type HouseFile = {
  readonly format: typeof FORMAT
  readonly state: 'making' | 'open'
  readonly shapes: readonly string[]
  readonly contract?: string
}
export type Keys = {
  readonly operator: string
  readonly admin: string
  readonly collector: string
  readonly sweeper: string
  readonly feeAccountViewKey: string
  readonly signers: readonly string[]
}
/** Where the running house is: what the command line looks for. */
export type Running = {
  readonly url: string
  readonly rpcUrl: string
  readonly contract: string
  readonly token: string
  readonly oracle: string
  readonly operatorUrl: string
  readonly pid: number
}

export class Folder {
  readonly path: string
  readonly isNew: boolean
  readonly keys: Keys
  private house: HouseFile
  private unlock: Release = () => {}

  private constructor(path: string, isNew: boolean, house: HouseFile, keys: Keys) {
    this.path = path
    this.isNew = isNew
    this.house = house
    this.keys = keys
  }

  /** Takes the directory for this process. Throws FolderError with a sentence that says what to do. */
  static open(given: string, shapes: readonly string[]): Folder {
    const path = resolve(given)
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const names = readdirSync(path).filter((name) => !isOfLock(name, LOCK))
    if (names.length > 0 && !names.includes('house.json'))
      throw new FolderError(
        `${path} must be empty or hold a house: it holds ${names[0]} and no house.json`,
      )
    const unlock = lock(path)
    try {
      const folder = Folder.take(path, shapes)
      folder.unlock = unlock
      return folder
    } catch (error) {
      unlock()
      throw error
    }
  }

  private static take(path: string, shapes: readonly string[]): Folder {
    const known = existsSync(join(path, 'house.json')) ? readHouse(path) : null
    if (known !== null && known.state === 'open') {
      if (String(known.shapes) !== String(shapes))
        throw new FolderError(
          `${path} was made with the shapes ${known.shapes.join(', ')}: they stay`,
        )
      return new Folder(path, false, known, readKeys(path))
    }
    // Nobody was told of a house that was not finished: it begins again, with other keys.
    for (const name of [
      'l1.chain',
      'journal',
      'journal.key',
      'tables',
      'signers',
      'keys.json',
      'run.json',
    ])
      rmSync(join(path, name), { recursive: true, force: true })
    const house: HouseFile = { format: FORMAT, state: 'making', shapes }
    writeWhole(join(path, 'house.json'), house)
    const keys: Keys = {
      operator: key(),
      admin: key(),
      collector: key(),
      sweeper: key(),
      feeAccountViewKey: `0x${randomBytes(31).toString('hex')}`,
      signers: Array.from({ length: SIGNERS }, key),
    }
    writeWhole(join(path, 'keys.json'), keys)
    for (const name of ['signers', 'logs'])
      mkdirSync(join(path, name), { recursive: true, mode: 0o700 })
    return new Folder(path, true, house, keys)
  }

  file(name: string): string {
    return join(this.path, name)
  }

  /** From now on a start goes on with what is here. */
  finish(contract: string): void {
    this.house = { ...this.house, state: 'open', contract }
    writeWhole(this.file('house.json'), this.house)
  }

  /** What L1 and journal must be of. */
  get contract(): string | undefined {
    return this.house.contract
  }

  announce(running: Running): void {
    writeWhole(this.file('run.json'), running)
  }

  release(): void {
    rmSync(this.file('run.json'), { force: true })
    this.unlock()
  }
}

const key = (): string => `0x${randomBytes(32).toString('hex')}`

function parsed(path: string, name: string): Record<string, unknown> {
  try {
    const value = JSON.parse(readFileSync(join(path, name), 'utf8')) as unknown
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw missing(path, name)
  }
  throw new FolderError(
    `${join(path, name)} is damaged: put a copy of the whole directory in its place`,
  )
}

function missing(path: string, name: string): FolderError {
  return new FolderError(`${join(path, name)} must be there and readable: put it back from a copy`)
}

function readHouse(path: string): HouseFile {
  const house = parsed(path, 'house.json')
  if (house['format'] !== FORMAT)
    throw new FolderError(
      `${path} must be of format ${FORMAT}; it is of format ${String(house['format'])}: start it with ` +
        'the version of cloister that made it, or begin with another directory',
    )
  if (house['state'] === 'open')
    for (const name of ['l1.chain', 'journal', 'journal.key', 'keys.json'])
      if (!existsSync(join(path, name))) throw missing(path, name)
  return house as unknown as HouseFile
}

function readKeys(path: string): Keys {
  const keys = parsed(path, 'keys.json') as unknown as Keys
  const all = [keys.operator, keys.admin, keys.collector, keys.sweeper, ...(keys.signers ?? [])]
  const isWhole = all.length === 4 + SIGNERS && all.every((k) => /^0x[0-9a-f]{64}$/.test(k))
  if (!isWhole || !/^0x[0-9a-f]{62}$/.test(keys.feeAccountViewKey))
    throw new FolderError(`${join(path, 'keys.json')} is damaged: put it back from a copy`)
  return keys
}

/** On the disk, whole, before it returns; readable by its owner alone. */
function writeWhole(path: string, value: object): void {
  const part = `${path}.part`
  rmSync(part, { force: true })
  const file = openSync(part, 'wx', 0o600)
  writeSync(file, `${JSON.stringify(value, null, 1)}\n`)
  fsyncSync(file)
  closeSync(file)
  renameSync(part, path)
  const folder = openSync(join(path, '..'), 'r')
  fsyncSync(folder)
  closeSync(folder)
}

/** Throws FolderError if another process keeps a house there; a place that is none yet is free. */
export function requireUnkept(given: string): void {
  const path = resolve(given)
  const owner = holderOf(join(path, LOCK))
  if (owner !== null) throw mustBeFree(path, owner)
}

function lock(path: string): Release {
  const taken = tryLock(join(path, LOCK))
  if (typeof taken === 'function') return taken
  throw mustBeFree(path, taken.heldBy)
}

function mustBeFree(path: string, heldBy: number): FolderError {
  const owner = Number.isNaN(heldBy) ? 'another process' : `process ${heldBy}`
  const file = join(path, LOCK)
  return new FolderError(
    `${path} must be free: ${owner} keeps a house in it (if it is something else, remove ${file})`,
  )
}
