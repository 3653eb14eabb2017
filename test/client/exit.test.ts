/** Leaving by L1: the table that L1 carries, the register at it, and what the commands say. */
import { AbiCoder } from 'ethers'
import { describe, expect, it } from 'vitest'
import { ESCAPE_SHAPES, escapeClaim, marksTreeOf } from '../../circuits/escape.ts'
import { settledRow, settlementsOf, tableOf, type Row } from '../../circuits/table.ts'
import { main } from '../../client/cli/main.ts'
import {
  markedTableOf,
  postingOf,
  PostingError,
  registerAt,
  requireNotMisled,
} from '../../client/exit/posted-table.ts'
import type { EventLog } from '../../client/l1/event-log.ts'
import type { L1Event, TableEvent } from '../../client/l1/events.ts'
import { marksData } from '../contracts/marks-data.ts'
import { row } from '../law/house.ts'
import { accountOf, stateOf } from '../law/states.ts'
import { seedBytes, seedFolder } from './seeded.ts'

const MARK = 50_000_000n
const rows: readonly Row[] = [
  row(2, 1_000_000n),
  row(1024, MARK),
  { ...row(1026, -500_000n), status: 'expired' },
]
const table = tableOf(rows, 5n)
const WORDS_OF_RANGE = 64

function posted(over: Partial<TableEvent> = {}, number = 1n): TableEvent {
  const { root, marksRoot } = table
  const event = { kind: 'table' as const, number, root, marksRoot, dataHash: '0x', time: 1n }
  return { ...event, marks: marksData(table), ...over }
}

/** Rows alone, as decoders of the rows read them. */
const BARE = AbiCoder.defaultAbiCoder().encode(
  ['tuple(uint32 id, uint8 status, int64 mark)[]'],
  [rows.map(({ id, status, values }) => [id, status === 'live' ? 1 : 2, values[0]])],
)

describe('a posting', () => {
  it('gives marks, worlds root and flags; decoders of the rows alone read it as before', () => {
    const posting = postingOf(posted().marks)
    expect(posting.rows.map(({ id, status, values }) => [id, status, values[0]])).toEqual([
      [2, 'live', 1_000_000n],
      [1024, 'live', MARK],
      [1026, 'expired', -500_000n],
    ])
    expect([posting.worldsRoot, posting.flags]).toEqual([table.worlds.root, 5n])
    expect(marksTreeOf(posting).root).toBe(table.marksRoot)
    expect(posted().marks.startsWith(BARE)).toBe(true)
    const [decoded] = AbiCoder.defaultAbiCoder().decode(
      ['tuple(uint32 id, uint8 status, int64 mark)[]'],
      posted().marks,
    )
    expect((decoded as unknown[]).length).toBe(3)
  })

  it('leads to the root on L1, and to what claims read of the table', () => {
    const found = markedTableOf(posted())
    expect([found.root, found.worlds.root, found.flags]).toEqual([
      table.root,
      table.worlds.root,
      5n,
    ])
  })

  it('of marks that do not lead to its root is said to be so, whatever is altered', () => {
    const { marks } = posted()
    const digit = (at: number): string =>
      marks.slice(0, at) + (marks[at] === '1' ? '2' : '1') + marks.slice(at + 1)
    // Last digits of: an id, a mark, the worlds root, the flags.
    const words = (marks.length - 2) / WORDS_OF_RANGE
    for (const word of [2, 4, words - 2, words - 1]) {
      const at = 2 + WORDS_OF_RANGE * (word + 1) - 1
      expect(() => markedTableOf(posted({ marks: digit(at) }))).toThrow('do not lead to its root')
    }
    expect(() => markedTableOf(posted({ root: table.root + 1n }))).toThrow('do not lead')
    expect(() => markedTableOf(posted({ marksRoot: 1n }))).toThrow('do not lead')
  })

  it('without the worlds root needs the rows, which are held against L1', () => {
    const bare = posted({ marks: BARE, root: tableOf(rows).root })
    expect(() => markedTableOf(bare)).toThrow('--table')
    expect(markedTableOf(bare, rows).root).toBe(bare.root)
    const other = rows.map((old) => (old.id === 1024 ? row(1024, MARK + 1n) : old))
    expect(() => markedTableOf(bare, other)).toThrow('the rows given have root')
  })

  it('that is none is refused: empty, cut short, a status that is unknown', () => {
    expect(() => markedTableOf(posted({ marks: '0x' }))).toThrow('not rows')
    expect(() => markedTableOf(posted({ marks: BARE.slice(0, -64) }))).toThrow('cut short')
    const at = 2 + WORDS_OF_RANGE * 4 - 1
    const odd = `${BARE.slice(0, at)}7${BARE.slice(at + 1)}`
    expect(() => markedTableOf(posted({ marks: odd }))).toThrow('no status')
    for (const count of ['f'.repeat(64), `${'0'.repeat(54)}ffffffffff`])
      expect(() => postingOf(`0x${BARE.slice(2, 66)}${count}${BARE.slice(130)}`)).toThrow(
        PostingError,
      )
  })
})

it('the register at a table is the one before its posting', () => {
  const place = { block: 1, index: 0, transaction: '0x' }
  const all: Row[] = []
  const settle = (id: number, value: bigint, by = 0n): L1Event => {
    all.push(settledRow(id, value))
    const root = settlementsOf(all).tree.root + by
    return { ...place, kind: 'settlement', ids: [id], values: [value], root }
  }
  const events: L1Event[] = [
    settle(1024, 7n),
    { ...place, ...posted({}, 1n) },
    settle(1025, -3n),
    { ...place, ...posted({}, 2n) },
    settle(1026, 1n),
  ]
  const log = { events: () => events } as unknown as EventLog
  const first = [settledRow(1024, 7n)]
  expect(registerAt(log, 1n).tree.root).toBe(settlementsOf(first).tree.root)
  const second = [...first, settledRow(1025, -3n)]
  expect(registerAt(log, 2n).tree.root).toBe(settlementsOf(second).tree.root)
  expect(() => registerAt(log, 3n)).toThrow('was not posted')

  // A root that the values do not have proves nothing, but is what L1 asks a claim for.
  events.push(settle(1027, 2n, 1n), { ...place, ...posted({}, 3n) })
  const { rows: entries, tree } = registerAt(log, 3n)
  expect([entries, tree.root]).toEqual([[], settlementsOf(all).tree.root + 1n])
  const account = accountOf(9n, [{ id: 1024, quantity: 1n }])
  const state = { ...stateOf({ 16: account }, rows, []), settlements: { rows: entries, tree } }
  const claim = escapeClaim(16, account, state)
  expect(claim).toMatchObject({ ok: true, statement: { settlementRoot: tree.root } })
})

describe('a register whose values a node tells otherwise', () => {
  const held = (id: number) => accountOf(9n, [{ id, quantity: 1n }])
  const check =
    (id: number, isRead: boolean, isAtMarks = false) =>
    (): void =>
      requireNotMisled(held(id), table, { isRead }, isAtMarks)

  it('leads nobody to claim the last mark of what has a final value, unless that is wanted', () => {
    // With the true values it would be worth 7: of the false ones nothing can be proven.
    const place = { block: 1, index: 0, transaction: '0x' }
    const { root } = settlementsOf([settledRow(1026, 7n)]).tree
    const told = { ...place, kind: 'settlement' as const, ids: [1026], values: [8n], root }
    const log = { events: () => [told, { ...place, ...posted() }] } as unknown as EventLog
    const register = registerAt(log, 1n)
    expect(register.isRead).toBe(false)
    const misled = (): void => requireNotMisled(held(1026), table, register, false)
    expect(misled).toThrow(PostingError)
    expect(misled).toThrow('Ask another node; if it says the same, --at-marks')
    expect(check(1026, false, true)).not.toThrow()
  })
  it('says why what has no mark cannot be claimed', () => {
    expect(check(1025, false)).toThrow('what instrument 1025 has settled at cannot be proven')
    expect(check(1025, false, true)).toThrow('cannot be proven. Ask another node')
  })
  it('keeps nobody from claiming what is live, or from a register that is read', () => {
    expect(check(1024, false)).not.toThrow()
    for (const id of [1024, 1025, 1026]) expect(check(id, true)).not.toThrow()
  })
})

it('a claim is made in a shape that the house has', () => {
  const account = accountOf(9n, [{ id: 1024, quantity: 1n }])
  const state = stateOf({ 16: account }, rows, [])
  const nameOf = (shapes: typeof ESCAPE_SHAPES): string => {
    const claim = escapeClaim(16, account, state, shapes)
    return claim.ok ? claim.shape.name : claim.rejection.rule
  }
  expect(nameOf(ESCAPE_SHAPES)).toBe('escape')
  expect(nameOf(ESCAPE_SHAPES.slice(1))).toBe('escape-settled')
  // Which one is missing is said by its name.
  expect(nameOf([])).toBe('escape')
})

describe('cloister exit', () => {
  async function run(...argv: readonly string[]) {
    let out = ''
    const code = await main([...argv, '--json'], { out: (t) => (out += t), err: () => {} })
    return { code, json: JSON.parse(out) as Record<string, unknown> }
  }
  const HOUSE = ['--contract', `0x${'C1'.repeat(20)}`, '--rpc', 'http://127.0.0.1:9']

  it.each(['escape', 'claim', 'status'])('%s wants a seed, from a file', async (name) => {
    const { code, json } = await run('exit', name, ...HOUSE)
    expect([code, json['message']]).toEqual([2, expect.stringContaining('--key FILE')])
  })

  it('says that the node cannot be reached, and nothing of the seed', async () => {
    const { path } = seedFolder(seedBytes(3), 'EXIT')
    const { code, json } = await run('exit', 'status', '--key', path, '--label', 'EXIT', ...HOUSE)
    expect(code).toBe(2)
    expect(JSON.stringify(json)).not.toContain('03'.repeat(8))
  })

  it('takes no key as an argument', async () => {
    const { code } = await run('exit', 'escape', '--l1-private-key', '0x01', ...HOUSE)
    expect(code).toBe(2)
  })
})
