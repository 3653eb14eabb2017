/**
 * The accounts of one day's embedded chain, which hold play money only. Each day draws others: with the
 * same ones every day's contract would have the same address, and a member kept from yesterday would be
 * taken for one of today.
 */
import { accountsOf, newPhrase } from '../l1/ethers.ts'

export type DayAccounts = {
  /** What the chain makes them from. */
  readonly phrase: string
  readonly accounts: ReturnType<typeof accountsOf>
}

export function newAccounts(count: number): DayAccounts {
  const phrase = newPhrase()
  return { phrase, accounts: accountsOf(phrase, count) }
}
