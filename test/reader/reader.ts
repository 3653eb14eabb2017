/**
 * A second reader of the format, written from docs/encodings.md alone. It shares nothing with the
 * project but the Poseidon library and an ABI decoder, so a mistake in one of the two does not hide
 * in the other.
 */
import { buildPoseidon } from 'circomlibjs'
import { Interface, keccak256 } from 'ethers'
import { readPage, type Page } from './page.ts'

const poseidon = await buildPoseidon()

export type RawLog = { readonly topics: readonly string[]; readonly data: string }
export type Row = Readonly<Record<string, bigint>>
export type ReadBatch = {
  readonly number: bigint
  readonly header: Row
  readonly deposits: readonly Row[]
  readonly requests: readonly Row[]
  readonly withdrawals: readonly Row[]
  /** Padding left out. */
  readonly accounts: readonly Row[]
  /** Of the reader's own tree after this batch. */
  readonly root: bigint
  readonly challenge: bigint
  readonly y: bigint
  readonly withdrawalsRoot: string
}
export type Read = {
  readonly batches: readonly ReadBatch[]
  readonly leaves: ReadonlyMap<number, bigint>
  /** OWNER_KEY hashes that L1 was asked to install, by account. */
  readonly installed: ReadonlyMap<number, readonly bigint[]>
}
export type Leaf = {
  readonly words: readonly bigint[]
  readonly salt: bigint
  readonly holdings: readonly { readonly id: bigint; readonly quantity: bigint }[]
}

export class Reader {
  readonly page: Page
  readonly #abi: Interface
  /** Hash of an empty subtree by level. */
  readonly #empty: bigint[] = [0n]

  constructor(page = readPage()) {
    this.page = page
    this.#abi = new Interface(page.events.map((line) => `event ${line}`))
    for (let level = 0; level < this.number('TREE_DEPTH'); level++)
      this.#empty.push(this.hash('NODE', Array<bigint>(8).fill(this.#empty[level] as bigint)))
  }

  number(name: string): number {
    return Number(must(this.page.numbers.get(name), `number ${name}`))
  }

  permute(capacity: bigint, words: readonly bigint[], outputs: number): bigint[] {
    const out = poseidon([...words], capacity, outputs) as unknown
    const list = outputs === 1 ? [out as Uint8Array] : (out as Uint8Array[])
    return list.map((element) => poseidon.F.toObject(element) as bigint)
  }
  hash(name: string, words: readonly bigint[]): bigint {
    let capacity = must(this.page.tags.get(name), `tag ${name}`)
    for (let at = 0; at < words.length; at += 16)
      capacity = this.permute(capacity, words.slice(at, at + 16), 1)[0] as bigint
    return capacity
  }
  field(value: bigint): bigint {
    const rest = value % this.page.modulus
    return rest < 0n ? rest + this.page.modulus : rest
  }

  domain(chainId: bigint, contract: string): bigint {
    return this.field(BigInt(keccak256(bytesOf([chainId, BigInt(contract)]))))
  }

  /** Every batch among the logs; throws on the first thing that is not as the page says. */
  read(logs: readonly RawLog[], chainId: bigint, contract: string): Read {
    const shapes = new Map<bigint, { readonly name: string; readonly keyHash: bigint }>()
    const leaves = new Map<number, bigint>()
    const installed = new Map<number, bigint[]>()
    const batches: ReadBatch[] = []
    let root = 0n
    for (const log of logs) {
      const event = this.#abi.parseLog({ topics: [...log.topics], data: log.data })
      if (event === null) continue
      const args = event.args.toArray() as unknown[]
      const big = (i: number): bigint => args[i] as bigint
      if (event.name === 'Genesis') {
        leaves.set(0, big(1))
        root = this.rootOf(leaves)
        same('root of genesis', root, big(0))
      }
      if (event.name === 'ShapeAdded')
        shapes.set(big(0), { name: args[1] as string, keyHash: BigInt(args[3] as string) })
      if (event.name === 'RequestQueued' && big(2) !== 3n) {
        const account = Number(big(1))
        const hash = this.ownerKeyHash(big(3), big(4))
        installed.set(account, [...(installed.get(account) ?? []), hash])
      }
      if (event.name !== 'Batch') continue
      const shape = must(shapes.get(big(1)), `shape ${big(1)}`)
      const words = wordsOf(args[5] as string)
      const batch = this.batch(shape.name, words, big(0), contract)
      same('domain', batch.header['domain'], this.domain(chainId, contract))
      same('number', batch.header['batchNumber'], big(0))
      same('old root', batch.header['oldRoot'], root)
      for (const row of batch.accounts) leaves.set(Number(row['index']), row['leaf'] as bigint)
      root = this.rootOf(leaves)
      same('new root', batch.header['newRoot'], root)
      same('new root of the event', big(2), root)
      const tag = BigInt(keccak256(new TextEncoder().encode('cloister.v1')))
      const statement = [tag, chainId, BigInt(contract), shape.keyHash, big(3), ...words]
      const challenge = this.field(BigInt(keccak256(bytesOf(statement))))
      same('challenge', challenge, big(4))
      batches.push({ ...batch, root, challenge, y: this.evaluate(words, challenge) })
    }
    return { batches, leaves, installed }
  }

  /** The parts of a batch's words. */
  batch(
    shape: string,
    words: readonly bigint[],
    number: bigint,
    contract: string,
  ): Omit<ReadBatch, 'root' | 'challenge' | 'y'> {
    const parts = must(this.page.shapes.get(shape), `shape ${shape}`)
    same(
      'number of words',
      words.length,
      parts.reduce((sum, part) => sum + part.count, 0),
    )
    const rows = (name: string): Row[] => {
      const part = must(
        parts.find((p) => p.name === name),
        `part ${name}`,
      )
      const names = must(this.page.rows.get(name), `row of ${name}`)
      return Array.from({ length: part.count / names.length }, (_, r) =>
        Object.fromEntries(
          names.map((word, i) => [word, words[part.first + r * names.length + i] as bigint]),
        ),
      )
    }
    const used = (list: Row[]): Row[] =>
      list.filter((row) => Object.values(row).some((word) => word !== 0n))
    const [withdrawals, requests] = [used(rows('withdrawals')), used(rows('requests'))]
    const forced = requests.filter((r) => (r['kindAndSerial'] as bigint) % 8n === 3n)
    const payments = [
      ...withdrawals.map((w) => [w['token'], w['amount'], w['to']] as bigint[]),
      ...forced.map((r) => [r['data0'], r['data3'], r['data1']] as bigint[]),
    ]
    return {
      number,
      header: rows('header')[0] as Row,
      deposits: used(rows('deposits')),
      requests,
      withdrawals,
      accounts: rows('accounts').filter((row) => row['leaf'] !== 0n),
      withdrawalsRoot: keccakRoot(
        payments.map((p, slot) => [BigInt(contract), number, BigInt(slot), ...p]),
      ),
    }
  }

  /** All at once from the leaves: no tree is kept that could be wrong for longer than a batch. */
  rootOf(leaves: ReadonlyMap<number, bigint>): bigint {
    let level = new Map([...leaves].filter(([, leaf]) => leaf !== 0n))
    for (let l = 0; l < this.number('TREE_DEPTH'); l++) {
      const above = new Map<number, bigint>()
      for (const parent of new Set([...level.keys()].map((i) => i >> 3))) {
        const children = Array.from({ length: 8 }, (_, k) => 8 * parent + k)
        const nodes = children.map((i) => level.get(i) ?? (this.#empty[l] as bigint))
        above.set(parent, this.hash('NODE', nodes))
      }
      level = above
    }
    return level.get(0) ?? (this.#empty.at(-1) as bigint)
  }

  evaluate(words: readonly bigint[], x: bigint): bigint {
    let [sum, power] = [0n, 1n]
    for (const word of words) {
      sum = this.field(sum + word * power)
      power = this.field(power * x)
    }
    return sum
  }

  batchKey(viewKey: bigint, header: Row, index: bigint): bigint {
    const { batchNumber = 0n, batchNonce = 0n } = header
    return this.hash('BATCH_KEY', [viewKey, index, batchNumber, batchNonce])
  }

  /** The plaintext of a row of accounts, or null if the leaf is not the one of these keys. */
  open(row: Row, batchKey: bigint, owner: bigint, view: bigint): Leaf | null {
    const count = this.number('CIPHER_WORD_COUNT')
    const capacity = must(this.page.tags.get('KEYSTREAM'), 'tag KEYSTREAM')
    const input = [batchKey, ...Array<bigint>(count - 1).fill(0n)]
    const stream = this.permute(capacity, input, count + 1)
    const words = Array.from({ length: count }, (_, i) =>
      this.field((row[`cipher${i}`] as bigint) - (stream[i + 1] as bigint)),
    )
    const salt = this.hash('SALT', [batchKey])
    const leaf = this.hash('LEAF', [owner, view, ...words, salt, 0n, 0n, 0n])
    if (leaf !== row['leaf']) return null
    const [ids, quantities] = [this.number('INSTRUMENT_BITS'), this.number('QUANTITY_BITS')]
    const bits = (value: bigint, from: number, count: number): bigint =>
      (value >> BigInt(from)) & ((1n << BigInt(count)) - 1n)
    const holdings = words.slice(2).flatMap((word) =>
      [0, 1, 2].map((slot) => ({
        id: bits(word, (ids + quantities) * slot, ids),
        quantity:
          bits(word, (ids + quantities) * slot + ids, quantities) - (1n << BigInt(quantities - 1)),
      })),
    )
    return { words, salt, holdings: holdings.filter(({ id }) => id !== 0n) }
  }

  viewKeyHash(viewKey: bigint): bigint {
    return this.hash('VIEW_KEY', [viewKey])
  }

  /** OWNER_KEY of 8 Q, by doubling three times with the affine law of the curve. */
  ownerKeyHash(x: bigint, y: bigint): bigint {
    let [px, py] = [x, y]
    for (let i = 0; i < 3; i++) [px, py] = this.double(px, py)
    return this.hash('OWNER_KEY', [1n, px, py])
  }
  private double(x: bigint, y: bigint): [bigint, bigint] {
    const f = (value: bigint): bigint => this.field(value)
    const shared = f(168696n * f(x * x) * f(y * y))
    const nextX = f(2n * x * y) * this.inverse(f(1n + shared))
    const nextY = f(y * y - 168700n * x * x) * this.inverse(f(1n - shared))
    return [f(nextX), f(nextY)]
  }
  /** By Fermat: value^(p - 2). */
  private inverse(value: bigint): bigint {
    let [result, base] = [1n, value]
    for (let e = this.page.modulus - 2n; e > 0n; e >>= 1n) {
      if ((e & 1n) === 1n) result = this.field(result * base)
      base = this.field(base * base)
    }
    return result
  }
}

export function wordsOf(bytes: string): bigint[] {
  return (bytes.slice(2).match(/.{64}/g) ?? []).map((word) => BigInt(`0x${word}`))
}
export function bytesOf(words: readonly bigint[]): Uint8Array {
  const text = words.map((word) => word.toString(16).padStart(64, '0')).join('')
  return new Uint8Array(Buffer.from(text, 'hex'))
}

function keccakRoot(payments: readonly (readonly bigint[])[]): string {
  let nodes = payments.map((payment) => keccak256(keccak256(bytesOf(payment))))
  while (nodes.length > 1) {
    const next: string[] = []
    for (let i = 0; i < nodes.length; i += 2) {
      const pair = nodes.slice(i, i + 2).sort()
      next.push(
        pair.length === 1
          ? (pair[0] as string)
          : keccak256(`0x${pair.map((h) => h.slice(2)).join('')}`),
      )
    }
    nodes = next
  }
  return nodes[0] ?? `0x${'0'.repeat(64)}`
}

function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the page has no ${what}`)
  return value
}
function same(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) throw new Error(`${what}: ${found} where ${expected} was to be`)
}
