/**
 * What an outsider sees of each batch: how many accounts it touched, and how many bytes say
 * nothing.
 */
import { FIRST_MEMBER_INDEX } from '../../circuits/params.ts'
import type { Rebuilt } from './ledger.ts'

const WORD_BYTES = 32

export type BatchFootprint = {
  readonly number: bigint
  readonly shape: string
  readonly time: bigint
  /** Member accounts with a new leaf; whether a trade or cover moved them does not show. */
  readonly touchedMembers: number
  /** Slots that wrote an empty leaf: they show how far the batch was from full. */
  readonly paddingSlots: number
  readonly wordBytes: number
  /** New leaves: one word an account. */
  readonly commitmentBytes: number
  readonly cipherBytes: number
  /** Everything else: header, deposits, requests, withdrawals, indices, padding. */
  readonly openBytes: number
  readonly deposits: number
  readonly requests: number
  readonly withdrawals: number
}

export type Footprint = {
  readonly batches: readonly BatchFootprint[]
  /** How often each member account was touched: what a patient outsider can count. */
  readonly touchesByMember: ReadonlyMap<number, number>
  readonly total: Pick<
    BatchFootprint,
    'touchedMembers' | 'wordBytes' | 'commitmentBytes' | 'cipherBytes' | 'openBytes'
  >
}

export function footprintOf(rebuilt: Rebuilt): Footprint {
  const batches = rebuilt.batches.map(({ event, shape, parts }): BatchFootprint => {
    const touched = parts.accounts.filter((account) => account.leaf !== 0n)
    const wordBytes = event.words.length * WORD_BYTES
    const commitmentBytes = touched.length * WORD_BYTES
    const cipherBytes = touched.reduce(
      (sum, account) => sum + account.cipher.length * WORD_BYTES,
      0,
    )
    return {
      number: event.number,
      shape: shape.name,
      time: parts.header.time,
      wordBytes,
      commitmentBytes,
      cipherBytes,
      openBytes: wordBytes - commitmentBytes - cipherBytes,
      touchedMembers: touched.filter((account) => account.index >= FIRST_MEMBER_INDEX).length,
      paddingSlots: parts.accounts.length - touched.length,
      deposits: parts.deposits.length,
      requests: parts.requests.length,
      withdrawals: parts.withdrawals.length,
    }
  })
  const touchesByMember = new Map(
    [...rebuilt.touches]
      .filter(([index]) => index >= FIRST_MEMBER_INDEX)
      .map(([index, touches]) => [index, touches.length]),
  )
  const sum = (get: (batch: BatchFootprint) => number): number =>
    batches.reduce((total, batch) => total + get(batch), 0)
  return {
    batches,
    touchesByMember,
    total: {
      touchedMembers: sum((b) => b.touchedMembers),
      wordBytes: sum((b) => b.wordBytes),
      commitmentBytes: sum((b) => b.commitmentBytes),
      cipherBytes: sum((b) => b.cipherBytes),
      openBytes: sum((b) => b.openBytes),
    },
  }
}
