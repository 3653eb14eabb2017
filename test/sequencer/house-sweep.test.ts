/** The sweeps of a house that opens while L1 is silent for a moment. */
import { describe, expect, it } from 'vitest'
import type { CircuitKey } from '../../prover/circuit-key.ts'
import { sweepingOf, type SweptHouse } from '../../sequencer/house-sweep.ts'
import { StateHistory } from '../../sequencer/history.ts'
import type { SequencerL1 } from '../../sequencer/l1.ts'
import { HOUSE_SWEEP_SHAPES } from '../../sequencer/sweep-shapes.ts'
import { until } from '../until.ts'

const KEY_HASH = '33'.repeat(32)
const keys = [
  { name: HOUSE_SWEEP_SHAPES[0]?.name, keyHash: KEY_HASH },
] as unknown as readonly CircuitKey[]

/** An L1 that fails so many times, and then knows the circuits with this hash. */
function played(failures: number, keyHash = KEY_HASH) {
  const log: string[] = []
  const asked: string[] = []
  let closed = 0
  const answers: Readonly<Record<string, () => unknown>> = {
    sweepShapes: () => {
      if (failures-- > 0) throw new Error('L1: fewer than 1 of 1 nodes answer eth_call')
      return { keyHash: `0x${keyHash}` }
    },
    // There is nothing to sweep.
    sweep: () => ({ table: 0n, time: 0n }),
    isFrozen: () => false,
  }
  const l1 = {
    contract: {
      getFunction: (name: string) => {
        const answer = async () => {
          asked.push(name)
          return (answers[name] as () => unknown)()
        }
        return Object.assign(answer, { staticCall: answer })
      },
    },
    provider: { getBlock: async () => ({ timestamp: 5 }) },
    close: () => closed++,
  } as unknown as SequencerL1
  const house: SweptHouse = {
    core: {
      ledger: { accounts: new Map(), history: new StateHistory() },
      rest: () => ({ settled: [] }),
    },
    options: {
      rpcUrl: '',
      deployment: { chainId: 1n, contract: `0x${'11'.repeat(20)}` },
      tableByRoot: () => undefined,
      log: (line) => log.push(line),
    },
  }
  const open = () => sweepingOf(house, keys, '0x01', () => l1)
  return { log, asked, open, closedCount: () => closed }
}

describe('while L1 does not answer', () => {
  it('a house opens, says so, and asks again, later each time', async () => {
    const l1 = played(2)
    const sweeping = await l1.open()
    expect(sweeping).not.toBeNull()
    expect(l1.log).toHaveLength(1)
    expect(l1.log[0]).toContain('it is asked again')
    expect(l1.asked).toEqual(['sweepShapes'])
    sweeping?.start()
    await until(() => l1.asked.includes('sweep'))
    expect(l1.asked.filter((name) => name === 'sweepShapes')).toHaveLength(3)
    expect(l1.log).toHaveLength(2)
    expect(l1.log[1]).toContain('tried again in 2 s')
    sweeping?.close()
    expect(l1.closedCount()).toBe(1)
  })

  it('and then knows none of its circuits, it is said once and asked no more', async () => {
    const l1 = played(1, '44'.repeat(32))
    const sweeping = await l1.open()
    sweeping?.start()
    await until(() => l1.log.length === 2)
    expect(l1.log[1]).toContain('L1 knows no circuit of it')
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(l1.asked).toEqual(['sweepShapes', 'sweepShapes'])
    sweeping?.close()
  })

  it('is not how a house without such circuits is answered', async () => {
    const l1 = played(0, '44'.repeat(32))
    expect(await l1.open()).toBeNull()
    expect(l1.closedCount()).toBe(1)
    const known = played(0)
    const sweeping = await known.open()
    sweeping?.start()
    await until(() => known.asked.includes('sweep'))
    expect(known.log).toEqual([])
    sweeping?.close()
  })
})
