/** The accounts of Hardhat's embedded chain: their mnemonic is public, they hold play money only. */
import { accountsOf } from '../l1/ethers.ts'

const MNEMONIC = 'test test test test test test test test test test test junk'

export function developmentAccounts(count: number): ReturnType<typeof accountsOf> {
  return accountsOf(MNEMONIC, count)
}
