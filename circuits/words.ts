/** The public words of a batch: their order, and how they are evaluated at the challenge. */
import { CIPHER_WORD_COUNT, FIELD_MODULUS, type Shape } from './params.ts'

export const headerWords = [
  'domain',
  'batchNumber',
  'time',
  'mode',
  'oldRoot',
  'newRoot',
  'tableNumber',
  'tableRoot',
  'confirmedTableRoot',
  'settlementRoot',
  'fee',
  'accountCountBefore',
  'accountCountAfter',
  'batchNonce',
  'reserved0',
  'reserved1',
] as const
export type HeaderWord = (typeof headerWords)[number]

export const DEPOSIT_WORDS = ['id', 'commitment', 'token', 'amount'] as const
export const REQUEST_WORDS = [
  'kindAndSerial',
  'account',
  'data0',
  'data1',
  'data2',
  'data3',
] as const
/** data0 to data3 by kind of request. */
export const REQUEST_DATA = {
  register: ['key x', 'key y', 'view key hash', '0'],
  rotate: ['key x', 'key y', '0', '0'],
  forcedExit: ['token', 'L1 address', 'free vault in lots', 'amount paid'],
} as const
export const WITHDRAWAL_WORDS = ['token', 'amount', 'to'] as const
export const ACCOUNT_WORDS = 2 + CIPHER_WORD_COUNT

export type WordPart = {
  readonly first: number
  readonly name: string
  readonly count: number
  readonly filledBy: 'L1' | 'prover' | 'both'
}

/** The numbers of a shape that its words depend on. */
export type WordSizes = Pick<Shape, 'deposits' | 'requests' | 'withdrawals' | 'members'>

/**
 * Section one: header, deposits, requests, withdrawals. Section two: per touched account (the fee
 * account first) its index, leaf and ciphertext; it can move to a blob without changing section one.
 */
export function wordLayout(shape: WordSizes): readonly WordPart[] {
  const parts: WordPart[] = []
  let first = 0
  const add = (name: string, count: number, filledBy: WordPart['filledBy']): void => {
    parts.push({ first, name, count, filledBy })
    first += count
  }
  add('header', headerWords.length, 'both')
  add('deposits', shape.deposits * DEPOSIT_WORDS.length, 'L1')
  add('requests', shape.requests * REQUEST_WORDS.length, 'L1')
  add('withdrawals', shape.withdrawals * WITHDRAWAL_WORDS.length, 'prover')
  add('accounts', (shape.members + 1) * ACCOUNT_WORDS, 'prover')
  return parts
}

export function wordCount(shape: WordSizes): number {
  return wordLayout(shape).reduce((sum, part) => sum + part.count, 0)
}

/** y = sum of words[i] * x^i mod p, by Horner's rule. */
export function evaluateWords(words: readonly bigint[], x: bigint): bigint {
  return words.reduceRight((sum, word) => (sum * x + word) % FIELD_MODULUS, 0n)
}
