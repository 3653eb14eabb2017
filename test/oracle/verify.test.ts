/** A posted table computed again, from L1 alone: what is right, what is wrong, and where. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { main } from '../../client/cli/main.ts'
import { SETTLEMENT_DEPTH } from '../../circuits/params.ts'
import { tableOf, type Row } from '../../circuits/table.ts'
import { emptyRoot } from '../../circuits/tree.ts'
import {
  computeTable,
  instrumentsBytes,
  marketBytes,
  readMarket,
  STANDARD_WORLDS,
  worldsBytes,
} from '../../oracle/signer/engine.ts'
import { INSTRUMENTS } from '../../oracle/day-2020-03-12.ts'
import {
  decodeMarks,
  encodeMarks,
  stringify,
  type SettlementReport,
  type TableReport,
} from '../../oracle/signer/report.ts'
import { settlementReportOf, type SettlementDocument } from '../../oracle/signer/settlement.ts'
import { now, provider, send } from '../contracts/l1.ts'
import { parseWorldSet, STANDARD_SET } from '../../oracle/worlds.ts'
import { startRpc, type RpcNode } from './rpc.ts'
import {
  BTC,
  confirmFirst,
  createOracleWorld,
  createReport,
  LISTED,
  marksOf,
  post,
  signSettlement,
  SPECS,
  wait,
  WORLDS,
  type OracleWorld,
} from '../contracts/oracle-world.ts'

const world = await createOracleWorld()
const honest = await confirmFirst(world)
await wait(60n)
const folder = mkdtempSync(join(tmpdir(), 'cloister-verify-'))
let rpc = ''
let start: string

let node: RpcNode
beforeAll(async () => {
  node = await startRpc()
  rpc = node.url
})
afterAll(() => {
  node.close()
  rmSync(folder, { recursive: true })
})
beforeEach(async () => {
  if (start !== undefined) await provider.send('evm_revert', [start])
  start = (await provider.send('evm_snapshot', [])) as string
})

type Answer = {
  ok: boolean
  checks: { what: string; expected: string; posted: string; holds: boolean }[]
  differences: { row: number; world: string; expected: string; posted: string }[]
  notes: string[]
  message?: string
  number?: string
}
async function cloister(...args: string[]): Promise<{ code: number; out: string; json: Answer }> {
  let out = ''
  const code = await main(['oracle', 'verify', ...args, '--json'], {
    out: (text) => {
      out += text
    },
    err: () => {},
  })
  return { code, out, json: JSON.parse(out) as Answer }
}
const verify = (...args: string[]) =>
  cloister('--rpc', rpc, '--contract', world.domain.contract, ...args)
const failing = (answer: Answer) =>
  answer.checks.filter(({ holds }) => !holds).map(({ what }) => what)
const lie = async (change: (report: TableReport) => TableReport) => {
  const report = change(await createReport(world))
  await post(world, report)
  return report
}
const rowsOf = (report: TableReport): readonly Row[] =>
  computeTable(readMarket(report.market), LISTED, STANDARD_WORLDS).rows

describe('from L1 alone', () => {
  test('an honest table is what its inputs give: 0', async () => {
    const { code, json } = await verify()
    expect(code).toBe(0)
    expect(json).toMatchObject({
      ok: true,
      number: '1',
      confirmed: true,
      rows: 15,
      worlds: 15,
      differences: [],
      notes: [],
    })
    expect(failing(json)).toEqual([])
  })
  test('before a house that knows the flag itself, with marks of the indicative one, too', async () => {
    const other = await createOracleWorld({ isFlagged: true })
    const at = other.domain.contract
    await confirmFirst(other)
    await wait(1n)
    const jump = await createReport(other, { btc: BTC * 10n })
    await post(other, {
      ...jump,
      marks: marksOf(
        decodeMarks(jump.marks).map(({ id, status, mark }) => [
          id,
          status,
          id === 1033 ? 1n : mark,
        ]),
      ),
    })
    expect((await cloister('--rpc', rpc, '--contract', at, '--number', '1')).code).toBe(0)
    const { code, json } = await cloister('--rpc', rpc, '--contract', at)
    expect(code).toBe(1)
    expect(json.differences).toMatchObject([{ row: 1033, world: '0', posted: '1' }])
  })
  test('in words, with its number', async () => {
    await post(world, await createReport(world))
    let text = ''
    const code = await main(
      ['oracle', 'verify', '--rpc', rpc, '--contract', world.domain.contract, '--number', '2'],
      {
        out: (part) => {
          text += part
        },
        err: () => {},
      },
    )
    expect(code).toBe(0)
    expect(text).toContain('Table 2 of')
    expect(text).toContain('The table is what its inputs give.')
  })
  test('an indicative one is verified, too', async () => {
    await post(world, await createReport(world, { btc: BTC * 10n }))
    const { code, json } = await verify()
    expect(code).toBe(0)
    expect(json).toMatchObject({ confirmed: false, number: '2' })
  })
  test('another root than the hash of what stands beside it: 1', async () => {
    await lie((report) => ({ ...report, tableRoot: report.tableRoot + 1n }))
    const { code, json } = await verify()
    expect(code).toBe(1)
    expect(failing(json)).toEqual(['table root'])
    expect(json.notes.join()).toContain('not their hash')
    expect((await verify('--number', '1')).code).toBe(0)
  })
  test('a mark that is off by one micro is named with both numbers', async () => {
    const report = await lie((given) => ({
      ...given,
      marks: marksOf(
        decodeMarks(given.marks).map(({ id, status, mark }) => [
          id,
          status,
          id === 1033 ? mark + 1n : mark,
        ]),
      ),
    }))
    const { code, json } = await verify()
    expect(code).toBe(1)
    const mark = rowsOf(report).find(({ id }) => id === 1033)!.values[0]!
    expect(json.differences).toEqual([
      {
        row: 1033,
        name: 'BTC-27MAR20-6000-C',
        world: '0',
        expected: String(mark),
        posted: String(mark + 1n),
      },
    ])
  })
  test('a status, a marks root, a worlds root, a reference price that are not those of the inputs', async () => {
    await lie((given) => ({
      ...given,
      marks: marksOf(
        decodeMarks(given.marks).map(({ id, mark }) => [id, id === 1024 ? 2 : 1, mark]),
      ),
    }))
    expect((await verify()).json.differences).toMatchObject([{ row: 1024, world: 'status' }])
    await wait(1n)
    await lie((given) => ({ ...given, marksRoot: 5n }))
    expect(failing((await verify()).json)).toEqual(['marks root'])
    await wait(1n)
    await lie((given) => ({ ...given, worldsRoot: given.worldsRoot + 1n }))
    const { code, json } = await verify()
    expect([code, failing(json)]).toEqual([1, ['worlds root']])
    await wait(1n)
    await lie((given) => ({
      ...given,
      references: given.references.map((one) => ({ ...one, price: one.price + 1n })),
    }))
    expect(failing((await verify()).json)).toEqual([
      'reference price of underlying 1',
      'reference price of underlying 2',
    ])
  })
  test('a market that makes no table, or no document, is a fault of the poster: 1', async () => {
    const bad = {
      version: 2,
      time: 5,
      rate: '0.05',
      underlyings: [],
      perpetuals: [],
      halted: [],
    } as const
    for (const market of ['0x7b7d', '0x00', marketBytes(bad)]) {
      await lie((given) => ({ ...given, market }))
      const { code, json } = await verify()
      expect(code).toBe(1)
      expect(failing(json)).toEqual(['inputs on L1 make a table'])
      await wait(1n)
    }
  })
  test('a document that says something else of a listed id is named, whoever signs under it', async () => {
    const changed = LISTED.map((spec) =>
      spec.id === 1031 && 'strike' in spec ? { ...spec, strike: spec.strike * 2n } : spec,
    )
    const document = instrumentsBytes([INSTRUMENTS[0]!, ...changed])
    await send(world.admin, world.oracle, 'list', [], document)
    const report = await createReport(world, { listed: changed })
    await post(world, report)
    const { code, json } = await verify()
    expect([code, failing(json)]).toEqual([
      1,
      ['instruments bound to another specification or expiry'],
    ])
    expect(json.checks.find(({ holds }) => !holds)).toMatchObject({ posted: '1031' })
  })
  test("another world set is computed under its own, not under today's", async () => {
    const {
      worlds: [mark, up, down, ...others],
      ...set
    } = JSON.parse(STANDARD_SET.document)
    const turned = worldsBytes(parseWorldSet({ ...set, worlds: [mark, down, up, ...others] }))
    await send(world.admin, world.oracle, 'setWorlds', turned)
    expect((await verify()).code).toBe(0)
    const report = await createReport(world)
    await post(world, { ...report, worldsHash: await world.oracle.getFunction('worldsHash')() })
    const { code, json } = await verify()
    expect([code, failing(json)]).toEqual([1, ['table root', 'worlds root']])
    expect(json.notes.join()).toContain('--inputs')
  })
})

describe('with inputs', () => {
  const put = (name: string, hex: string) =>
    writeFileSync(join(folder, name), Buffer.from(hex.slice(2), 'hex'))
  const fill = (market: string) => {
    rmSync(folder, { recursive: true })
    mkdirSync(folder)
    put('m.json', market)
    put('w.json', WORLDS)
    put('i.json', SPECS)
  }
  test('files of the posted hashes give the same answer', async () => {
    fill(honest.market)
    expect((await verify('--inputs', folder)).json.ok).toBe(true)
  })
  test('the file of the world set counts as it stands in the repository', async () => {
    fill(honest.market)
    const file = new URL('../../oracle/world-sets/standard-16.json', import.meta.url)
    writeFileSync(join(folder, 'w.json'), readFileSync(file))
    expect((await verify('--inputs', folder)).json.ok).toBe(true)
  })
  test('files of other hashes are said to be others', async () => {
    fill(marketBytes({ ...readMarket(honest.market), rate: '0.06' }))
    const { code, json } = await verify('--inputs', join(folder, 'm.json'))
    expect(code).toBe(1)
    expect(failing(json)).toContain('hash of the market')
    expect(json.differences.length).toBeGreaterThan(0)
  })
  test('the rows of the poster name row, world, expected and posted', async () => {
    const rows = rowsOf(await createReport(world)).map((row) =>
      row.id !== 1026
        ? row
        : {
            ...row,
            addOn: row.addOn + 7n,
            values: row.values.map((v, s) => (s === 7 ? v + 1000n : v)),
          },
    )
    const table = tableOf(rows)
    await lie((given) => ({
      ...given,
      tableRoot: table.root,
      marksRoot: table.marksRoot,
      worldsRoot: table.worlds.root,
      marks: encodeMarks(rows),
    }))
    const file = join(folder, 'rows.json')
    writeFileSync(file, stringify(rows))
    const { code, json } = await verify('--inputs', file)
    expect(code).toBe(1)
    const changed = rows.find(({ id }) => id === 1026)!
    expect(json.differences).toEqual([
      {
        row: 1026,
        name: 'BTC-26JUN20',
        world: '7',
        expected: String(changed.values[7]! - 1000n),
        posted: String(changed.values[7]),
      },
      {
        row: 1026,
        name: 'BTC-26JUN20',
        world: 'add-on',
        expected: String(changed.addOn - 7n),
        posted: String(changed.addOn),
      },
    ])
    // Rows of another table say nothing about this one.
    const other = await verify('--number', '1', '--inputs', file)
    expect(other.json.notes.join()).toContain('do not hash')
  })
})

describe('a settlement', () => {
  const EXPIRED = LISTED.find(({ id }) => id === 1024)! as { id: number; expiry: number }
  const window = [EXPIRED.expiry - 1800, EXPIRED.expiry] as const
  const document = (price: string): SettlementDocument => ({
    version: 1,
    windowStart: window[0],
    windowEnd: window[1],
    underlyings: [{ id: 1, name: 'BTC', price }],
  })
  const make = () =>
    settlementReportOf(LISTED, {
      serial: 1n,
      ids: [1024],
      settled: [],
      document: document('6067.01'),
      window,
    })
  const propose = async (change: Partial<SettlementReport> = {}) => {
    const report = { ...make(), ...change }
    await wait(BigInt(EXPIRED.expiry + 10) - (await now()))
    await send(settling.anyone, settling.oracle, 'settle', report, signSettlement(settling, report))
    return report
  }
  let settling: OracleWorld
  beforeEach(async () => {
    settling = await createOracleWorld({ settlementRoot: emptyRoot(SETTLEMENT_DEPTH) })
  })
  const verifyIt = () =>
    cloister('--rpc', rpc, '--contract', settling.domain.contract, '--settlement', '1')

  test('that follows from its averages is said to: 0, near the tables of its window', async () => {
    await wait(BigInt(window[0] - 60) - (await now()))
    await confirmFirst(settling)
    await wait(900n)
    await post(settling, await createReport(settling))
    await propose()
    const { code, json } = await verifyIt()
    expect(code).toBe(0)
    expect(json).toMatchObject({ ok: true, state: 'pending', serial: '1' })
    expect(json.notes[0]).toContain('confirmed tables of the window 6067.01, 0 bp')
    await wait(7300n)
    await send(settling.anyone, settling.oracle, 'finaliseSettlement', make())
    expect((await verifyIt()).json).toMatchObject({ ok: true, state: 'final' })
  })
  test('of other values, another root, or no averages is said to be: 1', async () => {
    const broken: [Partial<SettlementReport>, string[]][] = [
      [{ values: [1n] }, ['value of 1024']],
      [{ newRoot: 5n }, ['register after']],
      [{ data: '0x7b7d' }, ['averages on L1 make values']],
    ]
    const point = (await provider.send('evm_snapshot', [])) as string
    let last = point
    for (const [change, what] of broken) {
      await provider.send('evm_revert', [last])
      last = (await provider.send('evm_snapshot', [])) as string
      await propose(change)
      const { code, json } = await verifyIt()
      expect([code, failing(json)]).toEqual([1, what])
    }
  })
  test('that is not there cannot be read: 2', async () => {
    expect((await verifyIt()).code).toBe(2)
    expect((await verify('--settlement', 'x')).code).toBe(2)
  })
})

describe('what cannot be read: 2', () => {
  const at = world.domain.contract
  test.each([
    [['--rpc', 'nowhere', '--contract', at], '--rpc'],
    [['--rpc', 'http://127.0.0.1:1', '--contract', at], 'could not be read'],
    [['--contract', at], '--rpc'],
  ])('%j', async (args, message) => {
    const { code, json } = await cloister(...args)
    expect(code).toBe(2)
    expect(json.message).toContain(message)
  })
  test.each([
    [['--number', '9'], 'table 9'],
    [['--number', '0'], '--number'],
    [['--number', 'x'], '--number'],
    [['--inputs', '/nowhere'], 'nowhere'],
  ])('%j', async (args, message) => {
    const { code, json } = await cloister('--rpc', rpc, '--contract', at, ...args)
    expect(code).toBe(2)
    expect(json.message).toContain(message)
  })
  test.each([
    ['0x12', 'address'],
    [`0x${'11'.repeat(20)}`, 'contract at'],
  ])('a contract at %s', async (address, message) => {
    const { code, json } = await cloister('--rpc', rpc, '--contract', address)
    expect(code).toBe(2)
    expect(json.message).toContain(message)
  })
  test('a file that is no input', async () => {
    for (const text of ['x', '{}', '5', '[{"id":1}]']) {
      writeFileSync(join(folder, 'x.json'), text)
      const { code } = await verify('--inputs', join(folder, 'x.json'))
      expect(code, text).toBe(2)
    }
  })
})
