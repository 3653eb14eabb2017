/** A member's directory: its seed, its L1 key, and what it must not forget between two commands. */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { KeyRing, type KeysInForce } from '../key-ring.ts'
import { createSeedFile, readSeedFile, type Seed } from '../keys.ts'
import { tryLock, type Release } from '../pid-lock.ts'
import { Busy, Undone } from './failures.ts'
import { fromHere, ROOT } from './root.ts'
import { parseName } from './terms.ts'

/** One trade as this member agreed to it, from its own side. */
export type Terms = {
  readonly counterparty: number
  readonly payload: string
  readonly entries: readonly {
    readonly instrument: number
    readonly quantity: string
    readonly price: string
  }[]
}
export type Withdrawing = {
  /** Its name in the journal. */
  readonly id: string
  readonly amount: string
  readonly to: string
  /** The latest batch when it was signed: it is paid in a later one. */
  readonly after: string
}
/** A change of keys that was begun: written down before anything of it leaves this machine. */
export type Rotating = {
  /** The rotation of the seed whose keys are to be installed. */
  readonly to: number
  readonly by: 'page' | 'l1'
  /** The page's name in the journal. */
  readonly id: string | null
}
/** Numbers of any size are decimal strings. */
export type Stored = {
  readonly format: 2
  readonly name: string
  readonly chainId: string
  readonly contract: string
  readonly token: string
  readonly rpcUrl: string
  readonly account: number | null
  readonly deposits: number
  /** Deposits below this counter have been shown to the house. */
  readonly shown: number
  /** What may be signed: terms that this member proposed or affirmed, by proposal or ticket. */
  readonly agreed: Readonly<Record<string, Terms>>
  readonly withdrawals: readonly Withdrawing[]
  /** As the leaf on L1 was seen to have them; those of the registration where it says nothing. */
  readonly keys?: KeysInForce
  readonly rotating?: Rotating | null
}

/** Five seconds: a command that asks the house and L1 may hold it for one or two on a crowded machine. */
const LOCK_ATTEMPTS = 50
const LOCK_PAUSE_MS = 100

export class MemberStore {
  readonly directory: string
  readonly name: string
  #stored: Stored | null = null

  constructor(name: string, directory?: string) {
    this.name = parseName(name)
    this.directory =
      directory === undefined ? join(ROOT, '.cache', 'members', name) : fromHere(directory)
  }

  get seedPath(): string {
    return join(this.directory, 'seed')
  }
  get l1KeyPath(): string {
    return join(this.directory, 'l1.key')
  }
  /** Every page that was signed here, and the receipts for them. */
  get journalPath(): string {
    return join(this.directory, 'journal.jsonl')
  }
  get recordPath(): string {
    return join(this.directory, 'member.json')
  }
  get exists(): boolean {
    return existsSync(this.recordPath)
  }

  /** Makes whatever is not there yet; asked again after a crash, it goes on. */
  create(start: Pick<Stored, 'chainId' | 'contract' | 'token' | 'rpcUrl'>): void {
    if (!existsSync(this.seedPath)) createSeedFile(this.seedPath)
    if (!existsSync(this.l1KeyPath)) writePrivate(this.l1KeyPath, `0x${hex(32)}\n`)
    if (this.exists) return
    this.save({
      format: 2,
      name: this.name,
      ...start,
      account: null,
      deposits: 0,
      shown: 0,
      agreed: {},
      withdrawals: [],
    })
  }

  /** Keeps other commands of this member away until `work` is done: they would fork its heads. */
  async locked<T>(work: () => Promise<T>): Promise<T> {
    const release = await this.#release('lock', (process) => {
      throw new Busy(`another command (${process}) is at work for ${this.name}: let it finish`)
    })
    try {
      this.#stored = null
      return await work()
    } finally {
      release()
    }
  }

  /** One process attends a member; commands go on beside it. */
  async attended<T>(work: () => Promise<T>): Promise<T> {
    const release = await this.#release('attending', (process) => {
      throw new Undone(`${this.name} is attended already, by ${process}`)
    })
    return work().finally(release)
  }

  /** A command holds the lock for moments, unless it waits for the other side of a trade. */
  async #release(name: string, busy: (process: string) => never): Promise<Release> {
    if (!existsSync(this.directory)) mkdirSync(this.directory, { recursive: true, mode: 0o700 })
    for (let attempt = 1; ; attempt++) {
      const taken = tryLock(join(this.directory, name))
      if (typeof taken === 'function') return taken
      if (attempt === LOCK_ATTEMPTS)
        busy(Number.isNaN(taken.heldBy) ? 'an unknown process' : `process ${taken.heldBy}`)
      await new Promise((wake) => setTimeout(wake, LOCK_PAUSE_MS))
    }
  }

  get stored(): Stored {
    this.#stored ??= this.#read()
    return this.#stored
  }

  /** On the disk, whole, before it returns. */
  save(change: Partial<Stored>): void {
    const next =
      this.#stored === null && !this.exists ? (change as Stored) : { ...this.stored, ...change }
    const part = `${this.recordPath}.${process.pid}.${hex(4)}`
    writePrivate(part, `${JSON.stringify(next, null, 1)}\n`)
    renameSync(part, this.recordPath)
    const folder = openSync(this.directory, 'r')
    fsyncSync(folder)
    closeSync(folder)
    this.#stored = next
  }

  seed(): Seed {
    return readSeedFile(this.seedPath)
  }

  ring(): KeyRing {
    return new KeyRing(this.seed(), this.name)
  }
  get keys(): KeysInForce {
    return this.stored.keys ?? { owner: 0, view: 0 }
  }

  l1Key(): string {
    const file = openSync(this.l1KeyPath, 'r')
    try {
      if ((fstatSync(file).mode & 0o077) !== 0)
        throw new Undone(`others may read ${this.l1KeyPath}: run chmod 600 ${this.l1KeyPath}`)
      const key = readFileSync(file, 'utf8').trim()
      if (!/^0x[0-9a-f]{64}$/i.test(key)) throw new Undone(`${this.l1KeyPath} does not hold a key`)
      return key
    } finally {
      closeSync(file)
    }
  }

  /** The document behind a trade's payload: whoever has it can show what was agreed. */
  keepDocument(clientId: string, document: string): void {
    const folder = join(this.directory, 'documents')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const path = join(folder, `${clientId}.json`)
    if (!existsSync(path)) writePrivate(path, document)
    else if (readFileSync(path, 'utf8') !== document)
      throw new Undone(`${clientId} names another trade already: use another --client-id`)
  }

  /** A document that was kept under this name, or null. */
  document(name: string): string | null {
    const path = join(this.directory, 'documents', `${name}.json`)
    return existsSync(path) ? readFileSync(path, 'utf8') : null
  }

  #read(): Stored {
    if (!this.exists)
      throw new Undone(
        `there is no member ${this.name} in ${this.directory}: make one with: ` +
          `cloister account new ${this.name}`,
      )
    let stored: Stored
    try {
      stored = JSON.parse(readFileSync(this.recordPath, 'utf8')) as Stored
    } catch {
      throw new Undone(`${this.recordPath} is not a member's record`)
    }
    if (stored.format !== 2) throw new Undone(`${this.recordPath} is of another version`)
    if (stored.name !== this.name)
      throw new Undone(`${this.directory} is the directory of ${stored.name}, not of ${this.name}`)
    return stored
  }
}

const hex = (bytes: number): string => randomBytes(bytes).toString('hex')

function writePrivate(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    fchmodSync(file, 0o600)
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
