/** States of a house made by hand: accounts at indices, a table and a register, for claims and sweeps. */
import { activeMeta, leafHash, type Account, type Balance } from '../../circuits/account.ts'
import { TREE_DEPTH } from '../../circuits/params.ts'
import {
  settlementsOf,
  tableOf,
  type Row,
  type Settlements,
  type Table,
} from '../../circuits/table.ts'
import { Tree } from '../../circuits/tree.ts'
import { circuitOf, PROJECT_ROOT } from '../../prover/artifacts.ts'
import { Circuit } from './circuit.ts'

export const TIME = 1_584_000_000n

export function accountOf(
  cash: bigint,
  balances: readonly Balance[] = [],
  over: Partial<Account> = {},
): Account {
  return {
    ownerKeyHash: 11n,
    viewKeyHash: 12n,
    head: 13n,
    meta: activeMeta(TIME - 1_000n),
    cash,
    balances,
    salt: 14n + (cash % 97n) + 200n,
    ...over,
  }
}

export type HandMade = {
  readonly tree: Tree
  readonly accounts: ReadonlyMap<number, Account>
  readonly table: Table
  readonly settlements: Settlements
}

export function stateOf(
  accounts: Readonly<Record<number, Account>>,
  rows: readonly Row[],
  settled: readonly Row[] = [],
): HandMade {
  const tree = new Tree(TREE_DEPTH)
  const entries = Object.entries(accounts).map(
    ([index, account]) => [Number(index), account] as const,
  )
  for (const [index, account] of entries) tree.set(index, leafHash(account))
  return {
    tree,
    accounts: new Map(entries),
    table: tableOf(rows),
    settlements: settlementsOf(settled),
  }
}

/** A compiled shape of claims or sweeps. */
export async function compiledCircuit(name: string): Promise<Circuit> {
  const entry = `${PROJECT_ROOT}/circuits/shapes/${name}.circom`
  return new Circuit(await circuitOf(entry, name, (what) => console.log(what)))
}
