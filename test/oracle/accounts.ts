/** An account of which only the holdings matter. */
import type { Account } from '../../circuits/account.ts'
import type { Holdings } from '../../oracle/margin.ts'

export function genesisAccount({ cash, balances }: Holdings): Account {
  return { cash, balances } as unknown as Account
}
