/**
 * Posts the table of one step of the recorded day to L1 and keeps its rows where the house reads them.
 * Usage: tsx oracle/post.ts --rpc URL --contract ADDRESS --step N --tables DIR   (key in ORACLE_KEY)
 * `--step expiry` posts the settlement values of what expired that morning.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { AbiCoder, Contract, JsonRpcProvider, keccak256, toUtf8Bytes, Wallet } from 'ethers'
import { tableOf, type Row, type Table } from '../circuits/table.ts'
import { INSTRUMENTS, marketAt } from './day-2020-03-12.ts'
import { buildTable } from './table.ts'
import { WORLDS } from './worlds.ts'

const ABI = [
  'function postTable(uint256 root, uint256 marksRoot, bytes32 dataHash, bytes marks, bool isConfirmed) returns (uint256)',
  'function tableNumber() view returns (uint256)',
]

/** The table of a step as the law has it. */
export function tableOfStep(step: number): Table {
  const rows: Row[] = buildTable(marketAt(step), INSTRUMENTS, WORLDS).map((row) => ({
    ...row,
    status: row.status === 'LIVE' ? ('live' as const) : ('expired' as const),
  }))
  return tableOf(rows)
}

/**
 * Marks and statuses as data on L1: 28-bit id, status, signed mark. The way out needs them, and it needs
 * the worlds root and the flags, without which the marks do not lead to the table's root: two words
 * behind the rows, where every decoder of the rows stops reading.
 */
export function marksData(table: Table): string {
  const coder = AbiCoder.defaultAbiCoder()
  const rows = coder.encode(
    ['tuple(uint32 id, uint8 status, int64 mark)[]'],
    [table.rows.map((row) => [row.id, row.status === 'live' ? 1 : 2, row.values[0]])],
  )
  return rows + coder.encode(['uint256', 'uint256'], [table.worlds.root, table.flags]).slice(2)
}

export function rowsJson(table: Table): string {
  return JSON.stringify(table.rows, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rpc: { type: 'string' },
      contract: { type: 'string' },
      step: { type: 'string' },
      tables: { type: 'string' },
    },
  })
  const { rpc, contract, step, tables } = values
  const key = process.env['ORACLE_KEY']
  if (!rpc || !contract || !step || !tables || !key)
    throw new Error(
      'usage: --rpc URL --contract ADDRESS --step N --tables DIR, the key in ORACLE_KEY',
    )
  const table = tableOfStep(Number(step))
  const rows = rowsJson(table)
  mkdirSync(tables, { recursive: true })
  const file = join(tables, `${table.root}.json`)
  writeFileSync(`${file}.tmp`, rows)
  renameSync(`${file}.tmp`, file)
  const provider = new JsonRpcProvider(rpc, undefined, { pollingInterval: 100 })
  const house = new Contract(contract, ABI, new Wallet(key, provider))
  const sent = await house.getFunction('postTable')(
    table.root,
    table.marksRoot,
    keccak256(toUtf8Bytes(rows)),
    marksData(table),
    true,
  )
  await sent.wait()
  process.stdout.write(
    `table ${await house.getFunction('tableNumber')()} posted: ${table.rows.length} rows\n`,
  )
  provider.destroy()
}

if (import.meta.filename === process.argv[1]) await main()
