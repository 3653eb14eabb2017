/** Changes: announced, seen, cancelled, lapsed; and what they never touch. */
import { ethers } from 'ethers'
import { describe, expect, test } from 'vitest'
import { addressOfKey } from '../../oracle/signer/report.ts'
import { PROOF, batchArguments, createBatch, statementOf, submit, wordsOf } from './batch-data.ts'
import {
  FEE,
  KEY_HASH,
  TERMS,
  configuration,
  countersign,
  deployCloister,
  mustRefuse,
  mustRefusePaid,
  now,
  provider,
  register,
  send,
  sendPaid,
  setTime,
} from './l1.ts'
import { MARKS, paymentsTree, proofOf, standard } from './exits.ts'
import {
  confirmFirst,
  createOracleWorld,
  createReport,
  KEYS,
  post,
  signConfirmation,
  signReport,
  TIMING,
} from './oracle-world.ts'
import { keyOf } from './points.ts'
import {
  ALICE,
  announce,
  carryOut,
  createSealed,
  createUnsealed,
  DELAY,
  GUARDIAN,
  LIFE,
  mustNotCarryOut,
  payloadOf,
  wait,
  type Change,
  type SealedWorld,
} from './sealed.ts'

const setFee = (world: SealedWorld, fee: bigint): Change => ({
  to: world.cloister,
  name: 'setFee',
  args: [fee],
})
const stateOf = async (world: SealedWorld, id: string): Promise<bigint> =>
  world.lock.getFunction('getOperationState')(id)
const [UNSET, WAITING, READY, DONE] = [0n, 1n, 2n, 3n]

describe('an announced change', () => {
  test('is an event with all of it, a view of its day and state, and done once', async () => {
    const world = await createSealed()
    const change = setFee(world, 9n)
    const payload = await payloadOf(change)
    const { logs } = await send(world.founder, world.lock, 'schedule', ...payload, DELAY)
    const seen = world.lock.interface.parseLog(logs[0]!)!
    expect([seen.name, seen.args.target, seen.args.data, seen.args.delay]).toEqual([
      'CallScheduled',
      payload[0],
      payload[2],
      DELAY,
    ])
    const id: string = seen.args.id
    const dueAt = (await now()) + DELAY
    expect(await world.lock.getFunction('getTimestamp')(id)).toBe(dueAt)
    expect(await stateOf(world, id)).toBe(WAITING)
    await setTime(dueAt)
    expect(await stateOf(world, id)).toBe(READY)
    await carryOut(world, change)
    expect(await stateOf(world, id)).toBe(DONE)
    expect(await world.cloister.getFunction('nextFee')()).toBe(9n)
  })

  test('is cancelled by the guardian or by who announced it, and then never comes', async () => {
    const world = await createSealed()
    for (const from of [world.guardian, world.founder]) {
      const id = await announce(world, setFee(world, 9n))
      await mustRefuse('AccessControlUnauthorizedAccount', world.stranger, world.lock, 'cancel', id)
      await send(from, world.lock, 'cancel', id)
      expect(await stateOf(world, id)).toBe(UNSET)
      await wait(DELAY + 1n)
      await mustNotCarryOut(world, setFee(world, 9n))
    }
  })

  test('lapses fourteen days after its day, and can be announced again', async () => {
    const world = await createSealed()
    const id = await announce(world, setFee(world, 9n))
    await wait(DELAY + LIFE)
    expect(await stateOf(world, id)).toBe(READY)
    await wait(1n)
    expect(await stateOf(world, id)).toBe(UNSET)
    await mustNotCarryOut(world, setFee(world, 9n))
    await announce(world, setFee(world, 9n))
    await wait(DELAY)
    await carryOut(world, setFee(world, 9n))
  })

  test('is for no later day than fourteen days behind the earliest', async () => {
    const world = await createSealed()
    const [to, wei, data, ...rest] = await payloadOf(setFee(world, 9n))
    const longest = DELAY + LIFE
    const refuse = (name: string, ...args: unknown[]) =>
      mustRefuse('DelayMustEndSoon', world.founder, world.lock, name, ...args)
    // In copies a fortnight apart it would be ready at every moment, for ever.
    await refuse('schedule', to, wei, data, ...rest, longest + 1n)
    await refuse('scheduleBatch', [to], [wei], [data], ...rest, longest + 1n)
    await refuse('schedule', to, wei, data, ...rest, ethers.MaxUint256)
    await send(world.founder, world.lock, 'schedule', to, wei, data, ...rest, longest)
    await send(world.founder, world.lock, 'scheduleBatch', [to], [wei], [data], ...rest, longest)
  })

  test('of the roles of the lock itself waits as long', async () => {
    const world = await createSealed()
    const role = await world.lock.getFunction('PROPOSER_ROLE')()
    const grant = { to: world.lock, name: 'grantRole', args: [role, world.stranger] }
    await announce(world, grant)
    await mustRefuse(
      'AccessControlUnauthorizedAccount',
      world.stranger,
      world.lock,
      'schedule',
      ...(await payloadOf(grant)),
      DELAY,
    )
    await wait(DELAY)
    await carryOut(world, grant)
    await send(
      world.stranger,
      world.lock,
      'schedule',
      ...(await payloadOf(setFee(world, 9n))),
      DELAY,
    )
    // Nobody but the lock is its admin, not even who deployed it.
    const admin = await world.lock.getFunction('DEFAULT_ADMIN_ROLE')()
    for (const from of [world.founder, world.guardian, world.stranger]) {
      expect(await world.lock.getFunction('hasRole')(admin, from)).toBe(false)
    }
  })
})

describe('after the seal', () => {
  test('whoever was made admin before is none, of the house and of its oracle', async () => {
    const world = await createUnsealed()
    const { cloister, tableOracle, founder, stranger } = world
    const admin = await cloister.getFunction('ADMIN')()
    for (const contract of [cloister, tableOracle]) {
      await send(founder, contract, 'grantRole', admin, stranger)
      expect(await contract.getFunction('hasRole')(admin, stranger)).toBe(true)
    }
    await send(stranger, cloister, 'setFee', 3n)
    const { logs } = await send(stranger, cloister, 'seal')
    expect(cloister.interface.parseLog(logs[0]!)!.args.lock).toBe(await world.lock.getAddress())
    expect(await cloister.getFunction('isSealed')()).toBe(true)
    for (const contract of [cloister, tableOracle]) {
      for (const from of [founder, stranger]) {
        expect(await contract.getFunction('hasRole')(admin, from)).toBe(false)
        await mustRefuse(
          'AccessControlUnauthorizedAccount',
          from,
          contract,
          'grantRole',
          admin,
          from,
        )
      }
      expect(await contract.getFunction('hasRole')(admin, await world.lock.getAddress())).toBe(true)
    }
  })

  test('nobody is made admin any more, not even by an announced change', async () => {
    const world = await createSealed()
    const admin = ethers.ZeroHash
    for (const to of [world.cloister, world.tableOracle]) {
      const change = { to, name: 'grantRole', args: [admin, world.founder] }
      await announce(world, change)
      await wait(DELAY)
      await mustRefuse(
        'AdminMustBeLock',
        world.stranger,
        // The lock hands the reason on as it was.
        new ethers.Contract(
          await world.lock.getAddress(),
          [...to.interface.fragments, world.lock.interface.getFunction('execute')!],
          provider,
        ),
        'execute',
        ...(await payloadOf(change)),
      )
    }
  })
})

describe('what is committed stays as it was', () => {
  test('a batch in flight, with its fee, its requests and its deposits', async () => {
    const world = await createSealed()
    await register(world, ALICE, keyOf(1), 5n)
    await send(ALICE, world.cloister, 'deposit', 1n, 10n, 5n)
    const changes: readonly Change[] = [
      setFee(world, 9n),
      {
        to: world.cloister,
        name: 'addShape',
        args: [9n, 3n, 2n, 1n, 2n, world.address, KEY_HASH, false, 'x'],
      },
      { to: world.cloister, name: 'addToken', args: [2n, world.address, 1n, 1n] },
      { to: world.cloister, name: 'grantRole', args: [ethers.id('OPERATOR'), world.stranger] },
      { to: world.tableOracle, name: 'setTiming', args: [{ ...TIMING, maxAge: 9n }] },
    ]
    for (const change of changes) await announce(world, change)
    await wait(DELAY + 60n)
    await send(world.oracle, world.cloister, 'postTable', 903n, 1n, ethers.ZeroHash, MARKS, true)
    const batch = await createBatch(world, { depositIds: [1n], requestCount: 1n })
    await send(
      world.founder,
      world.verifier,
      'expectStatement',
      ...(await statementOf(world, batch, await wordsOf(world, batch))),
    )
    // The proof is made; all the changes come in before it is sent.
    for (const change of changes) await carryOut(world, change)
    expect(await world.cloister.getFunction('fee')()).toBe(FEE)
    await submit(world, batch)
    expect(await world.cloister.getFunction('fee')()).toBe(9n)
  })

  test('a table that waits: who may confirm it, and until when', async () => {
    const world = await createOracleWorld()
    await confirmFirst(world)
    const report = await createReport(world, { btc: 30_000_000_000n })
    await post(world, report)
    expect((await world.oracle.getFunction('latest')()).isConfirmed).toBe(false)
    // Signers that its own signers do not know, and no window at all for what comes now.
    const fresh = Array.from(
      { length: 5 },
      (_, i) => new ethers.SigningKey(ethers.id(`new ${i}`)),
    ).sort((a, b) => (BigInt(addressOfKey(a)) < BigInt(addressOfKey(b)) ? -1 : 1))
    await send(world.admin, world.oracle, 'setSigners', fresh.map(addressOfKey), 3n, 5n)
    await send(world.admin, world.oracle, 'setTiming', { ...TIMING, confirmWindow: 1n })
    await wait(600n)
    await mustRefuse(
      'SignerMustBeAuthorised',
      world.anyone,
      world.oracle,
      'confirm',
      report.number,
      signConfirmation(world, report, fresh),
    )
    // The large quorum of its day, no fewer and no more.
    await mustRefuse(
      'QuorumMustSign',
      world.anyone,
      world.oracle,
      'confirm',
      report.number,
      signConfirmation(world, report, KEYS.slice(0, 3)),
    )
    await send(
      world.anyone,
      world.oracle,
      'confirm',
      report.number,
      signConfirmation(world, report, KEYS.slice(0, 4)),
    )
    expect((await world.oracle.getFunction('latest')()).isConfirmed).toBe(true)
    // The next report is the new signers'.
    const next = await createReport(world)
    await mustRefuse(
      'SignerMustBeAuthorised',
      world.anyone,
      world.oracle,
      'post',
      next,
      signReport(world, next),
    )
    await post(world, next, fresh.slice(0, 3))
  })
})

describe('a pause', () => {
  async function paused(): Promise<SealedWorld> {
    const world = await createSealed()
    await send(world.founder, world.verifier, 'acceptAll')
    await register(world, ALICE, keyOf(1), 5n)
    for (const amount of [500n, 20n]) await send(ALICE, world.cloister, 'deposit', 1n, amount, 5n)
    await submit(
      world,
      await createBatch(world, {
        shape: standard,
        depositIds: [1n],
        requestCount: 1n,
        withdrawals: [],
      }),
    )
    await submit(
      world,
      await createBatch(world, {
        shape: standard,
        withdrawals: [{ token: 1n, amount: 40n, to: ethers.getAddress(ALICE) }],
      }),
    )
    const { logs } = await send(world.guardian, world.cloister, 'pause')
    expect(world.cloister.interface.parseLog(logs[0]!)!.name).toBe('Paused')
    expect(await world.cloister.getFunction('isPaused')()).toBe(true)
    return world
  }

  test('stops batches, deposits and registrations', async () => {
    const world = await paused()
    const { cloister, operator, stranger } = world
    const refuse = (from: string, name: string, ...args: unknown[]) =>
      mustRefuse('PausedMustNotContinue', from, cloister, name, ...args)
    await refuse(operator, 'submitBatch', ...batchArguments(await createBatch(world)))
    await refuse(ALICE, 'deposit', 1n, 1n, 1n)
    await refuse(
      stranger,
      'register',
      ...keyOf(4),
      5n,
      await countersign(world, stranger, keyOf(4), 5n),
    )
    await mustRefuse('AccessControlUnauthorizedAccount', world.founder, cloister, 'unpause')
    const { logs } = await send(world.guardian, cloister, 'unpause')
    expect(cloister.interface.parseLog(logs[0]!)!.name).toBe('Unpaused')
    await send(ALICE, cloister, 'deposit', 1n, 1n, 1n)
    await submit(world, await createBatch(world))
  })

  test('stops nothing that leads out, and no clock of it', async () => {
    const world = await paused()
    const { cloister } = world
    const ask = (name: string, ...args: unknown[]) => cloister.getFunction(name)(...args)
    const number: bigint = await ask('batchNumber')
    const payment = { token: 1n, amount: 40n, to: ethers.getAddress(ALICE) }
    const tree = paymentsTree(world, number, [payment])
    await send(world.stranger, cloister, 'claim', number, 0n, 1n, 40n, payment.to, proofOf(tree, 0))
    await send(ALICE, cloister, 'requestRefund', 2n)
    await send(ALICE, cloister, 'rotate', 16n, ...keyOf(3))
    await send(ALICE, cloister, 'offerL1Owner', 16n, world.stranger)
    await sendPaid(ALICE, 10n ** 18n, cloister, 'forceExit', 16n, 1n, ALICE)
    await send(world.oracle, cloister, 'postTable', 903n, 1n, ethers.ZeroHash, MARKS, true)
    const served: bigint = await ask('serviceTime')
    await wait(TERMS.refundDelay)
    expect((await ask('serviceTime')) - served).toBe(TERMS.refundDelay)
    await send(ALICE, cloister, 'takeRefund', 2n)
    await wait(TERMS.forceDelay - TERMS.refundDelay + 1n)
    await send(world.stranger, cloister, 'freeze', 1n, 2n)
    expect(await ask('isFrozen')).toBe(true)
    // And after the freeze the pause says nothing about shares either.
    await mustRefuse('ShapeMustBeKnown', ALICE, cloister, 'escapeClaim', 1n, 16n, 1n, PROOF)
    await send(world.stranger, cloister, 'valuePot', MARKS)
  })

  test('that lasts is itself a ground to freeze', async () => {
    const world = await paused()
    const { cloister } = world
    await wait(TERMS.batchDelay - 60n)
    // Pausing again, or setting the mode, starts no clock anew.
    await send(world.guardian, cloister, 'pause')
    await send(world.guardian, cloister, 'setMode', 1n)
    await mustRefuse('GroundMustHold', world.stranger, cloister, 'freeze', 3n, 0n)
    await wait(61n)
    await send(world.stranger, cloister, 'freeze', 3n, 0n)
  })

  test('does not end by ending the guardian', async () => {
    const world = await paused()
    const renounce = [await world.cloister.getFunction('GUARDIAN')(), GUARDIAN]
    await send(world.guardian, world.cloister, 'renounceRole', ...renounce)
    await mustRefuse('AccessControlUnauthorizedAccount', world.guardian, world.cloister, 'unpause')
    await mustRefusePaid('PausedMustNotContinue', ALICE, 0n, world.cloister, 'deposit', 1n, 1n, 1n)
  })
})

test('on a local chain the lock may have no delay, and the house begins open', async () => {
  const cloister = await deployCloister(await configuration({ changeDelay: 0n }))
  expect(await cloister.getFunction('isPaused')()).toBe(false)
  expect(await cloister.getFunction('isSealed')()).toBe(false)
  const lock = new ethers.Contract(
    await cloister.getFunction('lock')(),
    ['function floor() view returns (uint256)', 'function getMinDelay() view returns (uint256)'],
    provider,
  )
  expect([await lock.getFunction('floor')(), await lock.getFunction('getMinDelay')()]).toEqual([
    0n,
    0n,
  ])
})
