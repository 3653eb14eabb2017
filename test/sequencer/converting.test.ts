/** What L1 is told of conversions, and that a register which follows it never strands an account. */
import { expect, test } from 'vitest'
import { settledRow } from '../../circuits/table.ts'
import {
  convertedCount,
  Converting,
  unconvertedWindows,
  WINDOW_SIZE,
} from '../../sequencer/converting.ts'

type Book = Map<number, { balances: { id: number; quantity: bigint }[] }>
const rowsOf = (count: number) => Array.from({ length: count }, (_, i) => settledRow(2000 + i, 1n))
const holding = (...places: number[]): Book =>
  new Map([[16, { balances: places.map((place) => ({ id: 2000 + place, quantity: -1n })) }]])

test('is counted up to the first entry that somebody holds', () => {
  const rows = rowsOf(200)
  expect(convertedCount(holding(), { rows })).toBe(200)
  expect(convertedCount(holding(199), { rows })).toBe(199)
  expect(convertedCount(holding(63, 130), { rows })).toBe(63)
  expect(convertedCount(holding(0), { rows })).toBe(0)
  // What has not settled is not of the register.
  expect(convertedCount(holding(200, 5000), { rows })).toBe(200)
  expect(unconvertedWindows(holding(63, 64, 65, 500), { rows })).toBe(2)
})

function made(accounts: Book, count: number) {
  const said: number[] = []
  const lines: string[] = []
  const l1 = { confirmed: 0, isOpen: false, asked: 0, fails: false }
  const rows = rowsOf(count)
  const converting = new Converting({
    state: () => (l1.isOpen ? null : { accounts, settlements: { rows } }),
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
  return { converting, said, l1, lines, rows }
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

test('nothing is said while a batch is on its way, nor what L1 knows from before a restart', async () => {
  const { converting, said, l1 } = made(holding(), 64)
  l1.isOpen = true
  await converting.look()
  expect(l1.asked).toBe(0)
  l1.isOpen = false
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
