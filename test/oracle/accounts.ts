/** An account of which only the holdings matter. */
import { STATUS } from '../../circuits/params.ts'
import type { Account } from '../../circuits/account.ts'
import type { Holdings } from '../../oracle/margin.ts'

export function genesisAccount({ cash, balances }: Holdings): Account {
  return { cash, balances, meta: BigInt(STATUS.active) } as unknown as Account
}
