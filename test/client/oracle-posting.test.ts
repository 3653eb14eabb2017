/** What the oracle's contract posts to the house is all that a claim after a freeze needs. */
import { expect, test } from 'vitest'
import { escapeClaim } from '../../circuits/escape.ts'
import { tableOf } from '../../circuits/table.ts'
import { markedTableOf, postingOf } from '../../client/exit/posted-table.ts'
import { readEvents, type TableEvent } from '../../client/l1/events.ts'
import { connect } from '../../client/l1/rpc.ts'
import { computeTable, readMarket, STANDARD_WORLDS } from '../../oracle/signer/engine.ts'
import type { TableReport } from '../../oracle/signer/report.ts'
import { GROUND } from '../contracts/exits.ts'
import { mustRefuse, provider, send, TERMS } from '../contracts/l1.ts'
import {
  confirmFirst,
  createOracleWorld,
  createReport,
  LISTED,
  post,
  wait,
} from '../contracts/oracle-world.ts'
import { accountOf, compiledCircuit, stateOf } from '../law/states.ts'

const world = await createOracleWorld()
const first = await confirmFirst(world)
await wait(60n)
const INDEX = 4_711
const OPTION = 1033

/** As a member reads them, who has nothing but a node. */
async function postedOn(number: bigint): Promise<TableEvent> {
  const contract = await world.cloister.getAddress()
  const l1 = await connect((method, params) => provider.send(method, [...params]), contract)
  const events = await readEvents(l1)
  return events.find((event) => event.kind === 'table' && event.number === number) as TableEvent
}
const rowsOf = (report: TableReport) =>
  computeTable(readMarket(report.market), LISTED, STANDARD_WORLDS).rows

test('a claim is proven from the bytes that the contract posted, without the rows', async () => {
  const rows = rowsOf(first)
  const table = markedTableOf(await postedOn(first.number))
  expect([table.root, table.worlds.root, table.flags]).toEqual([
    first.tableRoot,
    tableOf(rows).worlds.root,
    0n,
  ])
  expect(table.rows.map(({ id, status, values }) => [id, status, values[0]])).toEqual(
    rows.map(({ id, status, values }) => [id, status, values[0]]),
  )

  const account = accountOf(5_000_000_000n, [{ id: OPTION, quantity: -2n }])
  const { tree, settlements } = stateOf({ [INDEX]: account }, rows)
  const claim = escapeClaim(INDEX, account, { tree, table, settlements })
  if (!claim.ok) throw new Error(claim.rejection.detail)
  const mark = rows.find(({ id }) => id === OPTION)?.values[0] as bigint
  expect(claim.statement.tableRoot).toBe(first.tableRoot)
  expect(claim.statement.equity).toBe(5_000_000_000n - 2n * mark)
  expect((await compiledCircuit('escape')).failedRule(claim.input)).toBeNull()
})

test('a false worlds root that a quorum signed is found, and the rows cure it', async () => {
  const honest = await createReport(world)
  await post(world, { ...honest, worldsRoot: honest.worldsRoot + 1n })
  const posted = await postedOn(honest.number)
  expect(postingOf(posted.marks).worldsRoot).toBe(honest.worldsRoot + 1n)
  expect(() => markedTableOf(posted)).toThrow('do not lead to its root')
  expect(markedTableOf(posted, rowsOf(honest)).root).toBe(honest.tableRoot)
})

test('the pot is valued by the same bytes', async () => {
  const { marks } = await postedOn(await world.cloister.getFunction('confirmedTableNumber')())
  await wait(TERMS.tableDelay + 1n)
  await send(world.anyone, world.cloister, 'freeze', GROUND.noTable, 0n)
  // The rows alone are another posting.
  const bare = marks.slice(0, -2 * 64)
  await mustRefuse('MarksMustMatchTable', world.anyone, world.cloister, 'valuePot', bare)
  await send(world.anyone, world.cloister, 'valuePot', marks)
  expect((await world.cloister.getFunction('escape')()).isPotValued).toBe(true)
})
