/** A batch is settled exactly once, and no two batches have one number, whatever happens in between. */
import { Transaction } from 'ethers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BatchRefused } from '../../../sequencer/l1.ts'
import { signedOf } from '../../../sequencer/l1/ethers.ts'
import { Closed } from '../../../sequencer/l1/sender.ts'
import type { SimNode } from './sim-nodes.ts'
import { batch, jobOf, watched, worldOf, type World } from './world.ts'

const FIRST = batch(1n, 1000n, 1001n)
const kinds = (world: World): readonly string[] => world.alarms.map(({ what }) => what)
const nodeOf = (world: World): SimNode => world.nodes[0] as SimNode

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: 1_600_000_800_000 })
})
afterEach(() => {
  vi.useRealTimers()
})

async function ready(options: Parameters<typeof worldOf>[0] = {}): Promise<World> {
  const world = worldOf(options)
  world.mine(5)
  return world
}

describe('a batch', () => {
  it('is told of when it is deep enough, and its transaction is recorded before a node hears of it', async () => {
    const world = await ready()
    const { job, recorded } = jobOf(1n)
    let heard = 0
    nodeOf(world).lie = (method, _params, answer) => {
      if (method === 'eth_sendRawTransaction') {
        heard++
        expect(recorded).toHaveLength(1)
      }
      return answer
    }
    const sent = watched(world.l1.submit(FIRST, job))
    await world.pass(2, false)
    expect(heard).toBe(1)
    world.mine(2)
    await world.pass(3, false)
    expect(sent.state).toBe('open')
    expect(await world.l1.rootOf(1n)).toBeNull()
    world.mine()
    await world.pass(3, false)
    expect(sent.value).toEqual({ gasUsed: 100_000n, hash: signedOf(recorded[0] as string).hash })
    expect(await world.l1.rootOf(1n)).toBe(1001n)
  })

  it('whose record fails is never sent', async () => {
    const world = await ready()
    const sent = watched(
      world.l1.submit(FIRST, {
        number: 1n,
        earlier: [],
        record: () => Promise.reject(new Error('disk')),
      }),
    )
    await world.pass(30)
    expect(sent.error?.message).toBe('disk')
    expect(world.chain.pool).toEqual([])
    expect(world.chain.roots).toEqual([])
  })

  it('that comes to a door which was closed before is neither signed nor sent', async () => {
    const world = await ready()
    const { job, recorded } = jobOf(1n)
    world.l1.close()
    const sent = watched(world.l1.submit(FIRST, job))
    await world.pass(60)
    expect(sent.error).toBeInstanceOf(Closed)
    expect([recorded, world.chain.pool, world.chain.roots]).toEqual([[], [], []])
  })

  it('that the contract refuses is never signed', async () => {
    const world = await ready()
    const { job, recorded } = jobOf(1n)
    const sent = watched(world.l1.submit(batch(1n, 999n, 1001n), job))
    await world.pass(5)
    expect(sent.error).toBeInstanceOf(BatchRefused)
    expect(sent.error?.message).toBe('L1 refused the batch: ProofMustVerify()')
    expect(recorded).toEqual([])
  })

  it('of which L1 is still behind the clock is sent all the same: the next block is later', async () => {
    const world = await ready()
    const time = BigInt(Math.floor(Date.now() / 1000)) + 5n
    const sent = watched(world.l1.submit({ ...FIRST, time }))
    await world.pass(60)
    expect(sent.state).toBe('done')
  })

  it('waits for the batch before it, and does not take that for a refusal', async () => {
    const world = await ready()
    const second = watched(world.l1.submit(batch(2n, 1001n, 1002n), jobOf(2n).job))
    await world.pass(30)
    expect(second.state).toBe('open')
    const other = world.open()
    const first = watched(other.submit(FIRST, jobOf(1n).job))
    await world.pass(120)
    expect([first.state, second.state]).toEqual(['done', 'done'])
    expect(world.chain.roots).toEqual([1001n, 1002n])
  })
})

describe('a transaction that gets lost', () => {
  it('on the way is sent again', async () => {
    const world = await ready()
    let lost = 3
    nodeOf(world).isForgetful = () => lost-- > 0
    const sent = watched(world.l1.submit(FIRST, jobOf(1n).job))
    await world.pass(300)
    expect(sent.state).toBe('done')
    expect(world.chain.roots).toEqual([1001n])
    expect(kinds(world)).toContain('stuck')
  })

  it('by a reorganisation is sent again as the same batch, before anybody was told', async () => {
    const world = await ready()
    const { job, recorded } = jobOf(1n)
    const sent = watched(world.l1.submit(FIRST, job))
    await world.pass(2, false)
    world.mine(2)
    await world.pass(2, false)
    expect(world.chain.roots).toEqual([1001n])
    world.chain.reorg(2, () => false)
    world.chain.mine(Math.floor(Date.now() / 1000), () => false)
    expect(world.chain.roots).toEqual([])
    await world.pass(120)
    expect(sent.state).toBe('done')
    expect(world.chain.roots).toEqual([1001n])
    expect(world.chain.handed.get(1n)?.size).toBe(1)
    expect(new Set(recorded.map((raw) => signedOf(raw).nonce)).size).toBe(1)
  })

  it('in a pool that asks more is replaced up to the cap, and waits there with an alarm', async () => {
    const world = await ready({ gas: { maxFeeCap: 5_000_000_000n, bumpAfterMilliseconds: 30_000 } })
    world.chain.baseFee = 1_000_000_000n
    const { job, recorded } = jobOf(1n)
    world.chain.isTaking = false
    const sent = watched(world.l1.submit(FIRST, job))
    await world.pass(10)
    world.chain.baseFee = 8_000_000_000n
    world.chain.isTaking = true
    await world.pass(300)
    expect(sent.state).toBe('open')
    expect(kinds(world)).toContain('gasCap')
    expect(recorded.length).toBeGreaterThan(1)
    for (const raw of recorded) expect(signedOf(raw).maxFee).toBeLessThanOrEqual(5_000_000_000n)
    world.chain.baseFee = 2_000_000_000n
    await world.pass(60)
    expect(sent.state).toBe('done')
    expect(world.chain.roots).toEqual([1001n])
  })

  it('each replacement pays at least a tenth more, on the same nonce, and any of them may win', async () => {
    for (const winner of [0, 1, 2]) {
      const world = await ready()
      const { job, recorded } = jobOf(1n)
      world.chain.isTaking = false
      const sent = watched(world.l1.submit(FIRST, job))
      await world.pass(100)
      const all = recorded.map(signedOf)
      expect(all.length).toBeGreaterThanOrEqual(3)
      all.slice(1).forEach((next, i) => {
        const old = all[i] as (typeof all)[number]
        expect(next.nonce).toBe(old.nonce)
        expect(next.maxFee * 10n).toBeGreaterThanOrEqual(old.maxFee * 11n)
        expect(next.priorityFee * 10n).toBeGreaterThanOrEqual(old.priorityFee * 11n)
      })
      const hash = all[winner]?.hash
      world.chain.pool = world.chain.pool.filter((waiting) => waiting.hash === hash)
      world.chain.isTaking = true
      await world.pass(60)
      expect(sent.value?.hash).toBe(hash)
      expect(world.chain.roots).toEqual([1001n])
    }
  })
})

describe('of several nodes one', () => {
  it.each([
    ['too little gas', '0x5208'],
    ['no number of gas', '0xgas'],
    ['nothing', null],
  ])('says that a batch needs %s, and it has what it needs all the same', async (_what, given) => {
    const world = await ready({ count: 3 })
    nodeOf(world).lie = (method, _params, answer) => (method === 'eth_estimateGas' ? given : answer)
    const { job, recorded } = jobOf(1n)
    const sent = watched(world.l1.submit(FIRST, job))
    await world.pass(60)
    expect(sent.state).toBe('done')
    expect(recorded.map((raw) => Transaction.from(raw).gasLimit)).toEqual([125_000n])
  })
})

describe('an account that cannot pay', () => {
  it.each(['eth_sendRawTransaction', 'eth_estimateGas'])(
    'by the word of %s is told once, and the batch goes when it can',
    async (refuses) => {
      const world = await ready()
      nodeOf(world).lie = (method, _params, answer) => {
        if (method === refuses) throw new Error('insufficient funds for gas')
        return answer
      }
      // A node that refuses has taken nothing.
      const { send } = world.chain
      world.chain.send = () => {
        throw new Error('insufficient funds for gas')
      }
      const sent = watched(world.l1.submit(FIRST, jobOf(1n).job))
      await world.pass(20)
      expect(sent.state).toBe('open')
      const told = world.alarms.filter(({ detail }) => detail.includes('insufficient funds'))
      expect(told).toHaveLength(1)
      world.chain.send = send
      nodeOf(world).lie = (_method, _params, answer) => answer
      await world.pass(90)
      expect(sent.state).toBe('done')
      expect(world.chain.roots).toEqual([1001n])
    },
  )
})

describe('a batch that is out and that the contract would take no more', () => {
  it('is refused only when its nonce is spent where it counts: it can never come back', async () => {
    const world = await ready()
    const { job, recorded } = jobOf(1n)
    world.chain.isTaking = false
    const sent = watched(world.l1.submit(FIRST, job))
    await world.pass(5)
    expect(recorded).toHaveLength(1)
    world.chain.refusal = 'FrozenMustNotContinue'
    await world.pass(100)
    // It says no, and the transaction may still be taken: nothing is known.
    expect(sent.state).toBe('open')
    world.chain.isTaking = true
    world.mine()
    await world.pass(3, false)
    expect(sent.state).toBe('open')
    await world.pass(60)
    expect(sent.error).toBeInstanceOf(BatchRefused)
    expect(sent.error?.message).toContain('FrozenMustNotContinue()')
    expect(recorded).toHaveLength(1)
    // What was refused does not settle even if the contract changes its mind.
    world.chain.refusal = null
    await world.pass(60)
    expect(world.chain.roots).toEqual([])
    const next = watched(world.l1.submit(batch(1n, 1000n, 2001n, 8n), jobOf(1n).job))
    await world.pass(60)
    expect(next.state).toBe('done')
    expect(world.chain.roots).toEqual([2001n])
  })

  it('and is taken all the same, is accepted', async () => {
    const world = await ready()
    world.chain.isTaking = false
    const sent = watched(world.l1.submit(FIRST, jobOf(1n).job))
    await world.pass(5)
    world.chain.refusal = 'FrozenMustNotContinue'
    await world.pass(60)
    world.chain.refusal = null
    // A miner has the first one only.
    world.chain.pool = world.chain.pool.slice(0, 1)
    world.chain.isTaking = true
    await world.pass(60)
    expect(sent.state).toBe('done')
    expect(world.chain.roots).toEqual([1001n])
  })

  it('that reverts on the chain is refused when that counts', async () => {
    const world = await ready()
    const sent = watched(world.l1.submit(FIRST, jobOf(1n).job))
    await world.pass(2, false)
    world.chain.refusal = 'FrozenMustNotContinue'
    world.mine(2)
    await world.pass(3, false)
    expect(sent.state).toBe('open')
    world.mine()
    await world.pass(3, false)
    expect(sent.error?.message).toContain('FrozenMustNotContinue()')
  })
})

describe('a nonce that somebody else with the same key spends', () => {
  it('frees the batch for the next one, and it settles once', async () => {
    const world = await ready()
    const { job, recorded } = jobOf(1n)
    world.chain.isTaking = false
    const sent = watched(world.l1.submit(FIRST, job))
    await world.pass(5)
    // Another transaction of the operator, dearer, on the same nonce.
    const { pool } = world.chain
    const [ours] = pool
    if (ours === undefined) throw new Error('nothing was sent')
    pool.push({ ...ours, hash: '0x1', to: '0xelsewhere', maxFee: ours.maxFee * 9n })
    world.chain.isTaking = true
    await world.pass(120)
    expect(sent.state).toBe('done')
    expect(recorded.map((raw) => signedOf(raw).nonce)).toEqual([0, 1])
    expect(world.chain.roots).toEqual([1001n])
  })
})

describe('a restart', () => {
  it.each([0, 1, 2, 3, 5, 8, 13, 21, 34])(
    'after %i seconds follows the same batch to its end',
    async (seconds) => {
      const world = await ready()
      const { job, recorded } = jobOf(1n)
      const before = watched(world.l1.submit(FIRST, job))
      await world.pass(seconds)
      world.l1.close()
      await world.pass(2)
      expect(['done', 'failed']).toContain(before.state)
      if (before.state === 'failed') expect(before.error).toBeInstanceOf(Closed)
      const next = world.open()
      const again =
        recorded.length === 0
          ? next.submit(FIRST, jobOf(1n).job)
          : next.follow(jobOf(1n, recorded).job)
      const after = watched(again)
      await world.pass(90)
      expect(after.state).toBe('done')
      expect(world.chain.roots).toEqual([1001n])
      expect(world.chain.handed.get(1n)?.size).toBe(1)
      expect(world.chain.blocks.flatMap(({ receipts }) => [...receipts]).length).toBe(1)
    },
  )

  it('between the record and the sending sends what was recorded', async () => {
    const world = await ready()
    const recorded: string[] = []
    const record = (raw: string): Promise<void> => {
      recorded.push(raw)
      return new Promise(() => {})
    }
    void world.l1.submit(FIRST, { number: 1n, earlier: [], record })
    await world.pass(5)
    expect(recorded).toHaveLength(1)
    expect(world.chain.pool).toEqual([])
    const after = watched(world.open().follow(jobOf(1n, recorded).job))
    await world.pass(60)
    expect(after.value?.hash).toBe(signedOf(recorded[0] as string).hash)
    expect(world.chain.roots).toEqual([1001n])
  })

  it('after its nonce was lost goes on with the next one, however dear the last one was', async () => {
    const world = await ready()
    world.chain.isTaking = false
    let isDying = false
    const recorded: string[] = []
    const record = (raw: string): Promise<void> => {
      recorded.push(raw)
      return isDying ? new Promise(() => {}) : Promise.resolve()
    }
    void world.l1.submit(FIRST, { number: 1n, earlier: [], record }).catch(() => {})
    // Dearer again and again, as far as the cap goes.
    await world.pass(1_200)
    const ours = signedOf(recorded.at(-1) as string)
    expect(ours.nonce).toBe(0)
    // Another transaction of the operator takes the nonce, and the process dies with the next one signed.
    isDying = true
    const { pool } = world.chain
    const other = { ...pool[0], hash: '0x1', to: '0xelsewhere', maxFee: ours.maxFee * 9n }
    pool.push(other as (typeof pool)[number])
    world.chain.isTaking = true
    await world.pass(120)
    world.l1.close()
    const last = signedOf(recorded.at(-1) as string)
    expect(last.nonce).toBe(1)
    expect(last.maxFee).toBeLessThan(ours.maxFee)
    const after = watched(world.open().follow(jobOf(1n, recorded).job))
    await world.pass(90)
    expect(after.value?.hash).toBe(last.hash)
    expect(world.chain.roots).toEqual([1001n])
  })

  it('with a batch that L1 takes no more cancels what an earlier run has sent', async () => {
    const world = await ready()
    world.chain.isTaking = false
    const { job, recorded } = jobOf(1n)
    void world.l1.submit(FIRST, job).catch(() => {})
    await world.pass(5)
    world.l1.close()
    world.chain.refusal = 'FrozenMustNotContinue'
    const after = watched(world.open().follow(jobOf(1n, recorded).job))
    await world.pass(60)
    expect(after.state).toBe('open')
    world.chain.isTaking = true
    await world.pass(60)
    expect(after.error).toBeInstanceOf(BatchRefused)
    expect(world.chain.roots).toEqual([])
  })
})
