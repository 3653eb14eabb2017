/** The words of a Batch event, taken apart in the order of circuits/words.ts. */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { CIPHER_WORD_COUNT, FIELD_MODULUS, type Shape } from '../../circuits/params.ts'
import {
  ACCOUNT_WORDS,
  DEPOSIT_WORDS,
  evaluateWords,
  headerWords,
  REQUEST_WORDS,
  wordCount,
  wordLayout,
  WITHDRAWAL_WORDS,
  type HeaderWord,
} from '../../circuits/words.ts'

/** What L1 keeps of a shape: enough to find every word. */
export type ShapeSizes = Pick<Shape, 'members' | 'deposits' | 'withdrawals' | 'requests'>

export type DepositWords = {
  readonly id: bigint
  readonly commitment: bigint
  readonly token: number
  readonly amount: bigint
}
/** x, y and viewKeyHash are data 0 to 2: of a forced exit the token, the address, the free vault. */
export type RequestWords = {
  readonly kind: number
  readonly serial: bigint
  readonly account: number
  readonly x: bigint
  readonly y: bigint
  readonly viewKeyHash: bigint
  /** Lots that a forced exit was paid; 0 otherwise. */
  readonly data3: bigint
}
export type WithdrawalWords = {
  readonly slot: number
  readonly token: number
  readonly amount: bigint
  readonly to: string
}
export type AccountWords = {
  readonly index: number
  readonly leaf: bigint
  readonly cipher: readonly bigint[]
}
export type BatchWords = {
  readonly header: Readonly<Record<HeaderWord, bigint>>
  /** Used slots only; the contract fills the first ones first. */
  readonly deposits: readonly DepositWords[]
  readonly requests: readonly RequestWords[]
  readonly withdrawals: readonly WithdrawalWords[]
  /** The fee account, then every member slot, padding (leaf 0) included. */
  readonly accounts: readonly AccountWords[]
}

const REQUEST_KIND_BITS = 3n

export function wordCountOf(sizes: ShapeSizes): number {
  return wordCount(sizes)
}

/** The bytes of the event as numbers. */
export function wordsOfBytes(bytes: string): readonly bigint[] {
  const text = bytes.slice(2)
  return Array.from({ length: text.length / 64 }, (_, i) =>
    BigInt(`0x${text.slice(64 * i, 64 * (i + 1))}`),
  )
}

export function addressOfWord(word: bigint): string {
  return `0x${word.toString(16).padStart(40, '0')}`
}

/** Throws on a number of words that is not the shape's. */
export function parseBatchWords(sizes: ShapeSizes, words: readonly bigint[]): BatchWords {
  const expected = wordCountOf(sizes)
  if (words.length !== expected)
    throw new Error(`batch words: ${words.length} where the shape has ${expected}`)
  const parts = new Map(
    wordLayout(sizes).map((part) => [part.name, words.slice(part.first, part.first + part.count)]),
  )
  const rows = (name: string, width: number): readonly (readonly bigint[])[] => {
    const part = parts.get(name) ?? []
    return Array.from({ length: part.length / width }, (_, i) =>
      part.slice(i * width, (i + 1) * width),
    )
  }
  const used = (list: readonly (readonly bigint[])[]): readonly (readonly bigint[])[] =>
    list.filter((row) => row.some((w) => w !== 0n))
  const at = (row: readonly bigint[], i: number): bigint => row[i] as bigint
  const header = parts.get('header') ?? []
  return {
    header: Object.fromEntries(headerWords.map((name, i) => [name, header[i] as bigint])) as Record<
      HeaderWord,
      bigint
    >,
    deposits: used(rows('deposits', DEPOSIT_WORDS.length)).map((r) => ({
      id: at(r, 0),
      commitment: at(r, 1),
      token: Number(at(r, 2)),
      amount: at(r, 3),
    })),
    requests: used(rows('requests', REQUEST_WORDS.length)).map((r) => ({
      kind: Number(at(r, 0) & ((1n << REQUEST_KIND_BITS) - 1n)),
      serial: at(r, 0) >> REQUEST_KIND_BITS,
      account: Number(at(r, 1)),
      x: at(r, 2),
      y: at(r, 3),
      viewKeyHash: at(r, 4),
      data3: at(r, 5),
    })),
    withdrawals: rows('withdrawals', WITHDRAWAL_WORDS.length).flatMap((r, slot) =>
      r.every((w) => w === 0n)
        ? []
        : [
            {
              slot,
              token: Number(at(r, 0)),
              amount: at(r, 1),
              to: addressOfWord(at(r, 2)),
            },
          ],
    ),
    accounts: rows('accounts', ACCOUNT_WORDS).map((r) => ({
      index: Number(at(r, 0)),
      leaf: at(r, 1),
      cipher: r.slice(2, 2 + CIPHER_WORD_COUNT),
    })),
  }
}

/** Each word as 32 bytes, big-endian. */
function bytesOf(words: readonly bigint[]): Uint8Array {
  const hex = words.map((word) => word.toString(16).padStart(64, '0')).join('')
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

export function keccakOf(words: readonly bigint[]): bigint {
  return BigInt(`0x${Buffer.from(keccak_256(bytesOf(words))).toString('hex')}`)
}

/** keccak256("cloister.v1"): the first element of the challenge's preimage. */
const TAG = BigInt(
  `0x${Buffer.from(keccak_256(new TextEncoder().encode('cloister.v1'))).toString('hex')}`,
)

/** The first word of every batch: it ties a statement to one chain and one contract. */
export function domainOf(chainId: bigint, contract: string): bigint {
  return keccakOf([chainId, BigInt(contract)]) % FIELD_MODULUS
}

export type Statement = {
  readonly chainId: bigint
  readonly contract: string
  readonly keyHash: string
  readonly commitment: bigint
}

/**
 * x = keccak256(TAG, chainId, contract, keyHash, C, words...) mod p and y, as contracts/WordLib.sol
 * has them.
 */
export function challengeOf(
  statement: Statement,
  words: readonly bigint[],
): { readonly x: bigint; readonly y: bigint } {
  const { chainId, contract, keyHash, commitment } = statement
  const x =
    keccakOf([TAG, chainId, BigInt(contract), BigInt(keyHash), commitment, ...words]) %
    FIELD_MODULUS
  return { x, y: evaluateWords(words, x) }
}
