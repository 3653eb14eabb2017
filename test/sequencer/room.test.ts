/** The room of a batch: each limit at its edge, and nothing taken where something does not fit. */
import { describe, expect, test } from 'vitest'
import type { Account } from '../../circuits/account.ts'
import type { BatchContext } from '../../circuits/batch.ts'
import { settledRow, settlementsOf, tableOf } from '../../circuits/table.ts'
import { chooseCover, Room } from '../../sequencer/room.ts'
import { row } from '../law/house.ts'
import { SHAPE } from './floor.ts'

const IDS = Array.from({ length: 12 }, (_, i) => 1024 + i)
const holding = (...ids: readonly number[]) =>
  ({ cash: 10n ** 12n, balances: ids.map((id) => ({ id, quantity: 1n })) }) as unknown as Account
/** Only what the room looks at. */
const context = (settled: readonly number[] = []) =>
  ({
    table: tableOf(IDS.map((id) => row(id, 1_000_000n))),
    settlements: settlementsOf(settled.map((id) => settledRow(id, 1n))),
  }) as unknown as BatchContext
const accounts = (...list: readonly Account[]) =>
  new Map(list.map((account, i) => [16 + i, account]))

describe('a room', () => {
  test('takes as many accounts as the shape has, each once', () => {
    const room = new Room({ ...SHAPE, members: 2 }, accounts(), context())
    expect(room.take([16])).toBe(true)
    expect(room.take([16, 17])).toBe(true)
    expect(room.take([18])).toBe(false)
    expect(room.take([17])).toBe(true)
    expect([...room.touched]).toEqual([16, 17])
  })
  test('counts rows of what accounts hold and of what they trade, cash not', () => {
    const shape = { ...SHAPE, rows: 3 }
    const room = new Room(shape, accounts(holding(1024, 1025), holding(1025)), context())
    expect(room.take([16], [1, 0, 1024])).toBe(true)
    expect(room.take([17], [1026])).toBe(true)
    expect(room.take([17], [1027])).toBe(false)
    expect(room.take([16, 17], [1024, 1026])).toBe(true)
  })
  test('takes nothing of what does not fit whole', () => {
    const shape = { ...SHAPE, rows: 2 }
    const room = new Room(shape, accounts(holding(1024), holding(1025, 1026)), context())
    expect(room.take([16, 17])).toBe(false)
    expect([...room.touched]).toEqual([])
    expect(room.take([17])).toBe(true)
  })
  test('opens two windows of the register, whatever their place', () => {
    const settled = [1024, ...Array.from({ length: 127 }, (_, i) => 3000 + i), 1025]
    // 1024 in window 0, 3063 the first of window 1, 1025 in window 2.
    const state = accounts(holding(1024), holding(3063), holding(1025), holding(3062, 3064))
    const room = new Room(SHAPE, state, context(settled))
    expect(room.take([18])).toBe(true)
    expect(room.take([17])).toBe(true)
    expect(room.take([16])).toBe(false)
    expect(room.take([19])).toBe(false)
    const other = new Room(SHAPE, state, context(settled))
    expect(other.take([19])).toBe(true)
    expect(other.take([16, 17])).toBe(true)
    expect(other.take([18])).toBe(false)
  })
})

describe('cover', () => {
  const cover = (
    shape: Partial<typeof SHAPE>,
    list: readonly Account[],
    excluded: number[] = [],
  ) => {
    const state = accounts(...list)
    const room = new Room({ ...SHAPE, ...shape }, state, context())
    return chooseCover(room, state, context(), new Set(excluded), () => 0)
  }
  test('skips an account whose instruments do not fit, and takes a later one', () => {
    const list = [holding(1024, 1025, 1026), holding(1024, 1025), holding(1025)]
    expect([...cover({ rows: 2 }, list)].sort()).toEqual([17, 18])
  })
  test('skips house accounts, excluded ones, and those that hold what has no value', () => {
    const list = [holding(1024), holding(9999), holding(1024), holding()]
    expect([...cover({}, list, [18])].sort()).toEqual([16, 19])
    const state = new Map([[0, holding()], ...accounts(holding())])
    const room = new Room(SHAPE, state, context())
    expect(chooseCover(room, state, context(), new Set(), () => 0)).toEqual([16])
  })
  test('where there is no room for cover nobody is looked at, nor drawn', () => {
    const looked: string[] = []
    const watched = new Proxy(accounts(holding(), holding(), holding()), {
      get: (state, key) => {
        looked.push(String(key))
        const value: unknown = Reflect.get(state, key)
        return typeof value === 'function' ? value.bind(state) : value
      },
    })
    const room = new Room({ ...SHAPE, members: 2 }, watched, context())
    expect(room.take([16, 17])).toBe(true)
    // Nor is anybody who waits, once no account has room any more.
    looked.splice(0)
    expect(room.take([18], [1024])).toBe(false)
    const random = (): number => {
      throw new Error('drawn')
    }
    expect(chooseCover(room, watched, context(), new Set(), random)).toEqual([])
    expect(looked).toEqual([])
  })
  test('values an account once, however often cover is chosen at a table', () => {
    let reads = 0
    const poor = Object.defineProperty({ balances: [] }, 'cash', {
      get: () => {
        reads++
        return -1n
      },
    }) as unknown as Account
    const [at, state] = [context(), accounts(poor)]
    for (let turn = 0; turn < 3; turn++)
      expect(chooseCover(new Room(SHAPE, state, at), state, at, new Set(), () => 0)).toEqual([])
    expect(reads).toBe(1)
  })
  test('asks the generator for each account among those that are left', () => {
    const bounds: number[] = []
    const state = accounts(...Array.from({ length: 20 }, () => holding()))
    const draw = (): readonly number[] => {
      const room = new Room(SHAPE, state, context())
      const random = (bound: number): number => {
        bounds.push(bound)
        return bound >> 1
      }
      return chooseCover(room, state, context(), new Set(), random)
    }
    const first = draw()
    expect(new Set(first).size).toBe(SHAPE.members)
    expect(bounds).toEqual([20, 19, 18, 17, 16, 15])
    // The same draws, the same accounts: a batch can be made again.
    expect(draw()).toEqual(first)
  })
})
