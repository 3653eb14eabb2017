/** Prints the table of one candle of 12 March 2020: `tsx oracle/print-table.ts [step 0..5]`. */

import { INSTRUMENTS, marketAt } from './day-2020-03-12.ts'
import { buildTable } from './table.ts'
import { WORLDS } from './worlds.ts'

const market = marketAt(Number(process.argv[2] ?? '0'))
const nameOf = new Map(INSTRUMENTS.map((spec) => [spec.id, spec.name]))

console.log(`${new Date(market.time * 1000).toISOString()}  micro-dollars per lot`)
WORLDS.forEach((world, i) => console.log(`world ${String(i).padStart(2)}  ${world.name}`))
for (const row of buildTable(market, INSTRUMENTS, WORLDS)) {
  const values = row.values.map((value) => String(value).padStart(10)).join('')
  const head = `${row.id} ${(nameOf.get(row.id) ?? '').padEnd(20)} ${row.status}`
  console.log(`${head} add-on ${String(row.addOn).padStart(7)} ${values}`)
}
