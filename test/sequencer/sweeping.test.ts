/** The house sweeps by itself: over time, through restarts and failures, beside its batches. */
import { beforeEach, describe, expect, it } from 'vitest'
import { ethers } from 'ethers'
import type { Account } from '../../circuits/account.ts'
import { SETTLEMENT_DEPTH } from '../../circuits/params.ts'
import { emptyRoot } from '../../circuits/tree.ts'
import type { CircuitKey } from '../../prover/circuit-key.ts'
import { StateHistory } from '../../sequencer/history.ts'
import { HOUSE_SWEEP_SHAPES } from '../../sequencer/sweep-shapes.ts'
import { coderOf } from '../../sequencer/l1/ethers.ts'
import { SequencerL1 } from '../../sequencer/l1.ts'
import { contractsOf } from '../../sequencer/solidity.ts'
import { Sweeper, type SweeperOptions } from '../../sequencer/sweep.ts'
import { Sweeping } from '../../sequencer/sweeping.ts'
import { ask, freezeForNoBatch, marksOf, standard, wait } from '../contracts/exits.ts'
import { batchArguments, createBatch, PROOF, submit } from '../contracts/batch-data.ts'
import {
  configuration,
  deploy,
  deployCloister,
  DOLLAR_UNIT,
  KEY_HASH,
  LOT_CAP,
  mustRefuse,
  now,
  provider,
  register,
  send,
  setTime,
  SHAPE_IDS,
  TERMS,
  type World,
} from '../contracts/l1.ts'
import { keyOf } from '../contracts/points.ts'
import { row } from '../law/house.ts'
import { accountOf, stateOf, type HandMade } from '../law/states.ts'

const MEMBERS = 5
const LOOK_EVERY = 777
const IDS = [1024, 1025, 1026, 1027, 1028]
const rows = IDS.map((id) => row(id, 50_000_000n))
const LONG = accountOf(1_000_000_000n, [{ id: 1024, quantity: 3n }])
const SHORT = accountOf(1_000_000_000n, [{ id: 1024, quantity: -3n }])
/** It is short of a sum that no log may name. */
const BROKEN = accountOf(-160_000_000n, [{ id: 1024, quantity: 3n }])
const FEE_ACCOUNT = accountOf(5n)

let world: World
let state: HandMade
let history: StateHistory
let log: string[]
let proven: string[]
/** What the prover does before it answers. */
let whileProving: (name: string) => Promise<void>
let l1: SweeperOptions['l1']

const mini = keyNamed('sweep-mini')
const small = keyNamed('sweep-small')

function keyNamed(name: string) {
  const id = BigInt(HOUSE_SWEEP_SHAPES.findIndex((shape) => shape.name === name) + 1)
  return { id, key: { name, keyHash: KEY_HASH.slice(2) } as CircuitKey }
}

/** As a process starts it: nothing is remembered but accounts and history, which a journal gives back. */
function started(keys = [mini, small]): Sweeping {
  const sweeper = new Sweeper({
    l1,
    chainId: 31337n,
    contract: world.address,
    keys,
    history,
    accounts: () => state.accounts,
    tableByRoot: (root) => (root === state.table.root ? state.table : undefined),
    settled: () => [],
    prove: async ({ name }) => {
      await whileProving(name)
      proven.push(name)
      const [a0, a1, b00, b01, b10, b11, c0, c1] = PROOF.map(String)
      return {
        pi_a: [a0, a1],
        pi_b: [
          [b01, b00],
          [b11, b10],
        ],
        pi_c: [c0, c1],
      } as never
    },
    log: (line) => log.push(line),
  })
  return new Sweeping({
    run: (time) => sweeper.run(time),
    time: now,
    lookEvery: LOOK_EVERY,
    log: (line) => log.push(line),
  })
}

async function post(): Promise<void> {
  await send(
    world.oracle,
    world.cloister,
    'postTable',
    state.table.root,
    state.table.marksRoot,
    ethers.ZeroHash,
    marksOf([]),
    true,
  )
}

/** L1 takes the batch; the house has recorded it. */
async function settle(
  changes: Readonly<Record<number, Account>>,
  requestCount = 0n,
): Promise<void> {
  const before = state
  state = stateOf({ ...Object.fromEntries(before.accounts), ...changes }, rows)
  await submit(
    world,
    await createBatch(world, { shape: standard, newRoot: state.tree.root, requestCount }),
  )
  history.record({
    plan: { context: { batchNumber: await ask(world, 'batchNumber') } },
    members: Object.keys(changes).map((index) => ({
      index: Number(index),
      before: before.accounts.get(Number(index)) ?? null,
    })),
    feeAccount: { before: before.accounts.get(0) },
  } as never)
}

async function due(): Promise<void> {
  const { time } = await ask(world, 'sweep')
  if ((await now()) < time) await setTime(time)
}
/** As the sequencer asks before a batch, decoded as it decodes. */
const door = {
  chain: {
    head: () => provider.getBlock('latest').then((b) => ({ time: BigInt(b!.timestamp) })),
  },
  view: async (_at: unknown, name: string, ...args: readonly unknown[]) => {
    const coder = coderOf(contractsOf()['Cloister']!)
    const call = { to: await world.cloister.getAddress(), data: coder.encode(name, ...args) }
    return coder.decode(name, (await provider.send('eth_call', [call, 'latest'])) as string)
  },
} as unknown as SequencerL1
const duties = () => SequencerL1.prototype.duties.call(door)
const isLate = async () => (await duties()).areWithdrawalsHeld
const sweep = () => ask(world, 'sweep')

beforeEach(async () => {
  const [admin, operator, oracle, ...members] = (await provider.send('eth_accounts', [])) as [
    string,
    string,
    string,
    ...string[],
  ]
  state = stateOf({ 0: FEE_ACCOUNT }, rows)
  const cloister = await deployCloister(
    await configuration({
      genesisRoot: state.tree.root,
      settlementRoot: emptyRoot(SETTLEMENT_DEPTH),
    }),
  )
  const verifier = await deploy('ExpectingVerifier')
  const dollar = await deploy('TestDollar')
  const address = await cloister.getAddress()
  world = { cloister, dollar, verifier, address, admin, operator, oracle, members }
  await send(admin, verifier, 'acceptAll')
  const at = await verifier.getAddress()
  const { members: size, deposits, withdrawals, requests } = standard
  await send(
    admin,
    cloister,
    'addShape',
    SHAPE_IDS.standard,
    size,
    deposits,
    withdrawals,
    requests,
    at,
    KEY_HASH,
    true,
    'standard',
  )
  for (const { id, key } of [mini, small])
    await send(admin, cloister, 'addSweepShape', id, 8n, at, KEY_HASH, true, key.name)
  await send(admin, cloister, 'addToken', 1n, await dollar.getAddress(), DOLLAR_UNIT, LOT_CAP)
  await send(members[0]!, dollar, 'mint', members[0], 1n << 60n)
  await send(members[0]!, dollar, 'approve', address, 1n << 60n)
  await post()
  history = new StateHistory()
  ;[log, proven, whileProving] = [[], [], async () => {}]
  l1 = { contract: cloister.connect(await provider.getSigner(members[9])) as ethers.Contract }
  for (let i = 0; i < MEMBERS; i++) await register(world, members[i]!, keyOf(i), 5n)
  await settle({ 16: LONG, 17: SHORT }, 2n)
  await settle({ 18: LONG, 19: SHORT }, 2n)
  await settle({ 20: accountOf(7n) }, 1n)
})

describe('a house that sweeps by itself', () => {
  it('waits for the time that L1 names, proves every account, and begins again with the next epoch', async () => {
    const sweeping = started()
    expect(await sweeping.look()).toBe(LOOK_EVERY)
    await setTime((await sweep()).time - 2n)
    await sweeping.look()
    expect([proven, log]).toEqual([[], []])
    await due()
    await sweeping.look()
    expect(proven).toEqual(['sweep-mini', 'sweep-mini', 'sweep-mini'])
    expect((await sweep()).table).toBe(0n)
    expect(log.at(-1)).toContain('at table 1')
    await sweeping.look()
    await post()
    await sweeping.look()
    expect(proven).toHaveLength(3)
    // The next epoch; its sweep is of the state as it is then.
    await wait(TERMS.sweepEpoch)
    await post()
    await settle({ 20: accountOf(8n) })
    await sweeping.look()
    expect(proven).toHaveLength(3)
    const before = (await sweep()).sweptAt
    await due()
    await sweeping.look()
    expect(proven).toHaveLength(6)
    expect((await sweep()).sweptAt).toBeGreaterThan(before)
  })

  it('goes on where L1 stands after it was ended in the middle, batches between', async () => {
    await due()
    const first = started()
    whileProving = async () => {
      if (proven.length === 1) throw new Error('killed')
    }
    expect(await first.look()).toBeGreaterThan(0)
    expect((await sweep()).next).toBe(8n)
    // L1 has fixed the state: what is settled now, for better or worse, is not in this sweep.
    await settle({ 18: BROKEN, 20: accountOf(9n) })
    await settle({ 17: accountOf(1n) })
    whileProving = async () => {}
    await started().look()
    expect(proven).toHaveLength(3)
    expect((await sweep()).table).toBe(0n)
    expect(log.filter((line) => line.includes('tried again'))).toHaveLength(1)
  })

  it('tries again later each time, and at once as usual when it has worked', async () => {
    await due()
    const sweeping = started()
    whileProving = async () => {
      throw new Error('no proof')
    }
    const pauses: number[] = []
    for (let i = 0; i < 12; i++) pauses.push(await sweeping.look())
    expect(pauses.slice(0, 4)).toEqual([2_000, 4_000, 8_000, 16_000])
    expect(pauses.at(-1)).toBe(900_000)
    expect(log.at(-1)).toBe('no proof; the sweep is tried again in 900 s')
    whileProving = async () => {}
    expect(await sweeping.look()).toBe(LOOK_EVERY)
    // What failed before is forgotten.
    await wait(TERMS.sweepEpoch)
    await post()
    await due()
    whileProving = async () => {
      throw new Error('no proof')
    }
    expect(await sweeping.look()).toBe(2_000)
  })

  it('outlives an L1 that does not answer, or refuses', async () => {
    await due()
    const contract = l1.contract
    l1 = {
      contract: {
        ...contract,
        interface: contract.interface,
        getFunction: () => async () => {
          throw Object.assign(new Error('a long text with the whole transaction'), {
            shortMessage: 'the network is away',
          })
        },
      } as never,
    }
    expect(await started().look()).toBe(2_000)
    expect(log).toEqual(['the network is away; the sweep is tried again in 2 s'])
    l1 = { contract }
    expect(await started([{ ...mini, id: 99n }]).look()).toBe(2_000)
    expect(log.at(-1)).toContain('L1 refused the sweep: ShapeMustBeKnown(99)')
    await started().look()
    expect((await sweep()).table).toBe(0n)
  })

  it('takes the latest batch that L1 has and the house has not recorded yet for no error of its own', async () => {
    await due()
    const own = state
    await settle({ 20: accountOf(77n) })
    const latest = state
    // L1 has fixed the batch before: that is what is proven, whether the house knows of the newest or not.
    state = own
    history = new StateHistory()
    await started().look()
    expect(proven).toHaveLength(3)
    await wait(TERMS.sweepEpoch)
    await post()
    await due()
    // Nobody has fixed it now, and the house does not know the state that L1 would fix.
    expect(await started().look()).toBe(2_000)
    expect(log.at(-1)).toContain('has root')
    state = latest
    expect(await started().look()).toBe(LOOK_EVERY)
    expect(proven).toHaveLength(6)
  })

  it('and somebody else at the same time cost each other nothing', async () => {
    await due()
    const other = started()
    whileProving = async () => {
      whileProving = async () => {}
      await other.look()
    }
    expect(await started().look()).toBe(2_000)
    expect(log.at(-1)).toContain('SweepMustBeUnderWay')
    expect((await sweep()).table).toBe(0n)
    expect(await started().look()).toBe(LOOK_EVERY)
  })

  it('gives up a sweep that a later epoch discharges, and proves the later one', async () => {
    await due()
    whileProving = async () => {
      if (proven.length !== 1) return
      whileProving = async () => {}
      await wait(TERMS.sweepEpoch)
      await post()
    }
    // The chunk was proven for the first table; L1 is at the second.
    await started().look()
    expect((await sweep()).table).toBe(2n)
    await due()
    await started().look()
    expect((await sweep()).table).toBe(0n)
    expect(log.at(-1)).toContain('at table 2')
  })

  it('takes a shape with room for what the accounts hold', async () => {
    const wide = accountOf(
      10n ** 10n,
      IDS.map((id) => ({ id, quantity: 1n })),
    )
    await settle({ 18: wide })
    await due()
    expect(await started([mini]).look()).toBe(2_000)
    expect(log.at(-1)).toContain('no shape has room')
    await started().look()
    expect(proven.slice(-3)).toEqual(['sweep-mini', 'sweep-mini', 'sweep-small'])
    expect((await sweep()).table).toBe(0n)
  })
})

describe('an account that breaks a rule', () => {
  it('is said once, without what it holds or lacks; nothing is proven until the next epoch', async () => {
    await settle({ 18: BROKEN })
    await due()
    const sweeping = started()
    await sweeping.look()
    // A batch that cures it fixes the state before itself: too late for this sweep.
    await settle({ 18: LONG })
    await sweeping.look()
    await started().look()
    log.pop()
    expect(proven).toEqual([])
    expect(log).toHaveLength(1)
    expect(log[0]).toContain('accounts 18 (MaintenanceMustHold)')
    expect(log[0]).not.toMatch(/lacks|\d{4,}/)
    expect((await sweep()).isFixed).toBe(true)
    await wait(TERMS.sweepEpoch)
    await post()
    await due()
    await sweeping.look()
    expect((await sweep()).table).toBe(0n)
  })
})

it('a batch is due when half of the time is over after which its absence is a ground', async () => {
  const { time } = await ask(world, 'batches', await ask(world, 'batchNumber'))
  await setTime(time + TERMS.batchDelay / 2n)
  expect((await duties()).isBatchDue).toBe(false)
  await setTime(time + TERMS.batchDelay / 2n + 1n)
  expect((await duties()).isBatchDue).toBe(true)
  await settle({})
  expect((await duties()).isBatchDue).toBe(false)
})

it('a sweep binds batches by its table until its state is fixed or due', async () => {
  const { time, table } = await sweep()
  const own = { number: table, root: state.table.root }
  expect((await duties()).sweep).toEqual(own)
  await setTime(time - 1n)
  expect((await duties()).sweep).toEqual(own)
  await setTime(time)
  expect((await duties()).sweep).toBeUndefined()
  await settle({})
  expect((await sweep()).isFixed).toBe(true)
  expect((await duties()).sweep).toBeUndefined()
})

it('a table is old by the clock of L1 and no second before, and ending for ten minutes', async () => {
  const age = async () => SequencerL1.prototype.tableAge.call(door, 1n)
  const { time } = (await l1.contract.getFunction('tables')(1n)) as { time: bigint }
  const at = async (seconds: bigint) => {
    await setTime(time + seconds)
    return age()
  }
  expect(await age()).toBe('young')
  expect(await at(TERMS.tableLife - 600n)).toBe('young')
  expect(await at(TERMS.tableLife - 599n)).toBe('ending')
  expect(await at(TERMS.tableLife)).toBe('ending')
  expect(await at(TERMS.tableLife + 1n)).toBe('old')
})

it('a pause by the guardian is heard of', async () => {
  expect((await duties()).isPaused).toBe(false)
  await send(world.admin, world.cloister, 'pause')
  expect((await duties()).isPaused).toBe(true)
})

it('a house that is frozen proves nothing any more', async () => {
  await due()
  await freezeForNoBatch(world)
  expect((await sweep()).table).toBe(1n)
  expect((await duties()).isFrozen).toBe(true)
  expect(await started().look()).toBe(LOOK_EVERY)
  expect([proven, log]).toEqual([[], []])
})

describe('a late sweep', () => {
  it('lets withdrawals wait, and once it is posted they go on', async () => {
    await send(world.members[0]!, world.cloister, 'deposit', 1n, 1_000n, 5n)
    await submit(
      world,
      await createBatch(world, { shape: standard, newRoot: state.tree.root, depositIds: [1n] }),
    )
    history.record({
      plan: { context: { batchNumber: await ask(world, 'batchNumber') } },
      members: [],
      feeAccount: { before: state.accounts.get(0) },
    } as never)
    const sweeping = started()
    whileProving = async () => {
      throw new Error('no proof')
    }
    // The oracle goes on, the prover does not.
    expect(await isLate()).toBe(false)
    while ((await ask(world, 'serviceTime')) <= TERMS.lateSweepDelay) {
      await wait(TERMS.tableLife / 2n)
      await post()
      await sweeping.look()
    }
    const withdrawal = async () =>
      createBatch(world, {
        shape: standard,
        newRoot: state.tree.root,
        withdrawals: [{ token: 1n, amount: 5n, to: world.members[0]! }],
      })
    await mustRefuse(
      'WithdrawalMustAwaitSweep',
      world.operator,
      world.cloister,
      'submitBatch',
      ...batchArguments(await withdrawal()),
    )
    expect(await isLate()).toBe(true)
    await due()
    whileProving = async () => {}
    await sweeping.look()
    expect((await sweep()).table).toBe(0n)
    expect(await isLate()).toBe(false)
    await submit(world, await withdrawal())
    expect(await ask(world, 'owed', 1n)).toBe(5n)
  })
})
