/** What L1 is told of conversions, and that a register which follows it never strands an account. */
import { expect, test } from 'vitest'
import { settledRow } from '../../circuits/table.ts'
import {
  convertedCount,
  Converting,
  holdersOf,
  unconvertedWindows,
  WINDOW_SIZE,
} from '../../sequencer/converting.ts'

type Book = Map<number, { balances: { id: number; quantity: bigint }[] }>
const rowsOf = (count: number) => Array.from({ length: count }, (_, i) => settledRow(2000 + i, 1n))
const holding = (...places: number[]): Book =>
  new Map([[16, { balances: places.map((place) => ({ id: 2000 + place, quantity: -1n })) }]])
const holders = (...places: number[]) => holding(...places).values()

test('is counted up to the first entry that somebody holds', () => {
  const rows = rowsOf(200)
  expect(convertedCount(holders(), { rows })).toBe(200)
  expect(convertedCount(holders(199), { rows })).toBe(199)
  expect(convertedCount(holders(63, 130), { rows })).toBe(63)
  expect(convertedCount(holders(0), { rows })).toBe(0)
  // What has not settled is not of the register.
  expect(convertedCount(holders(200, 5000), { rows })).toBe(200)
  expect(unconvertedWindows(holding(63, 64, 65, 500), { rows })).toBe(2)
})

type InFlight = Parameters<typeof holdersOf>[0]['open']
const batchOf = (...places: number[]): InFlight => ({
  trace: { members: [...holders(...places)].map((after) => ({ after })) },
})

function made(accounts: Book, count: number) {
  const said: number[] = []
  const lines: string[] = []
  const l1 = { confirmed: 0, asked: 0, fails: false }
  const rows = rowsOf(count)
  const flying: { open: InFlight; next: InFlight } = { open: null, next: null }
  const converting = new Converting({
    state: () => ({
      holders: () => holdersOf({ ledger: { accounts }, ...flying }),
      settlements: { rows },
    }),
    confirmed: async () => {
      l1.asked++
      return l1.confirmed
    },
    confirm: async (confirmed) => {
      if (l1.fails) throw new Error('no node')
      said.push((l1.confirmed = confirmed))
    },
    log: (line) => lines.push(line),
  })
  return { converting, said, l1, lines, rows, flying }
}

test('L1 is told of whole windows, once each', async () => {
  const accounts = holding(70)
  const { converting, said, l1, rows } = made(accounts, WINDOW_SIZE - 1)
  await converting.look()
  expect(l1.asked).toBe(0)
  rows.push(...rowsOf(130).slice(WINDOW_SIZE - 1))
  await converting.look()
  await converting.look()
  expect(said).toEqual([70])
  accounts.set(16, { balances: [] })
  await converting.look()
  expect(said).toEqual([70, 130])
  expect(l1.asked).toBe(2)
})

test('what somebody will hold by either batch on its way is not converted; the rest is said meanwhile', async () => {
  const { converting, said, flying } = made(holding(), 200)
  // Of a house that is never without one.
  flying.open = batchOf(130)
  flying.next = batchOf(5)
  await converting.look()
  expect(said).toEqual([])
  flying.next = batchOf(70)
  await converting.look()
  expect(said).toEqual([70])
  flying.open = flying.next
  flying.next = batchOf()
  await converting.look()
  expect(said).toEqual([70])
  flying.open = batchOf()
  await converting.look()
  expect(said).toEqual([70, 200])
})

test('nothing is said that L1 knows from before a restart', async () => {
  const { converting, said, l1 } = made(holding(), 64)
  l1.confirmed = 64
  await converting.look()
  expect(said).toEqual([])
})

test('what failed is said once and tried again', async () => {
  const { converting, said, l1, lines } = made(holding(), 64)
  l1.fails = true
  await converting.look()
  await converting.look()
  expect(lines).toEqual(['L1 was not told what is converted: no node'])
  l1.fails = false
  await converting.look()
  expect(said).toEqual([64])
})
