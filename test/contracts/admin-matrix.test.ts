/** Every function that writes, by every wrong party, and by the right one before its time. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ethers } from 'ethers'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { PROJECT_ROOT } from '../../prover/artifacts.ts'
import { contractsOf } from '../../sequencer/solidity.ts'
import {
  HOUSE_RULES,
  LOCK_RULES,
  ORACLE_RULES,
  writersOf,
  type Party,
  type Rule,
} from './admin-rules.ts'
import { mustRefuse, mustRefusePaid, provider, register, send } from './l1.ts'
import { keyOf } from './points.ts'
import {
  ALICE,
  announce,
  carryOut,
  createSealed,
  DELAY,
  mustNotCarryOut,
  payloadOf,
  wait,
  type SealedWorld,
} from './sealed.ts'

let world: SealedWorld
let parties: Readonly<Record<Party | 'stranger', string>>
let start: string

beforeAll(async () => {
  world = await createSealed()
  const { lock, founder, guardian, operator, oracle, lister, stranger } = world
  parties = {
    lock: await lock.getAddress(),
    founder,
    guardian,
    operator,
    oracle,
    lister,
    owner: ALICE,
    self: stranger,
    stranger,
  }
  expect(new Set(Object.values(parties)).size).toBe(8)
  await send(world.founder, world.verifier, 'acceptAll')
  await register(world, ALICE, keyOf(1), 5n)
  await send(ALICE, world.cloister, 'deposit', 1n, 10n, 5n)
  await send(world.oracle, world.cloister, 'postTable', 902n, 1n, ethers.ZeroHash, '0x', false)
  start = (await provider.send('evm_snapshot', [])) as string
})
beforeEach(async () => {
  await provider.send('evm_revert', [start])
  start = (await provider.send('evm_snapshot', [])) as string
})

const contractOf = {
  house: () => world.cloister,
  oracle: () => world.tableOracle,
  lock: () => world.lock,
} as const
const RULES = { house: HOUSE_RULES, oracle: ORACLE_RULES, lock: LOCK_RULES } as const
type Name = keyof typeof RULES

test('every contract of the project that writes has its rules here', () => {
  const folder = join(PROJECT_ROOT, 'contracts')
  const concrete = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.sol') && !file.startsWith('dev/'))
    .map((file) => file.replace(/^.*\/|\.sol$/g, ''))
    .filter((name) => (contractsOf()[name]?.bytecode.length ?? 0) > 2)
    // Libraries without a function of their own compile to a stub.
    .filter((name) =>
      contractsOf()[name]!.abi.some((each) => (each as { type: string }).type === 'function'),
    )
  expect(concrete.sort()).toEqual(['ChangeLock', 'Cloister', 'CloisterExtension', 'TableOracle'])
})

test.each(Object.keys(RULES) as Name[])(
  'every function of the %s that writes has a rule',
  (name) => {
    expect(writersOf(contractOf[name]())).toEqual(Object.keys(RULES[name]).sort())
    for (const { by, why, error } of Object.values<Rule>(RULES[name])) {
      expect(by === null ? why : error).toBeTruthy()
    }
  },
)

const named = (signature: string): string => signature.slice(0, signature.indexOf('('))
const cases = (Object.keys(RULES) as Name[]).flatMap((contract) =>
  Object.entries<Rule>(RULES[contract])
    .filter(([, { by }]) => by !== null)
    .map(([signature, rule]) => ({ contract, name: named(signature), rule })),
)

/** Roles are public text, so a wrong party may also be another that bears a role. */
describe.each(cases)('$contract.$name', ({ contract, name, rule }) => {
  const { by, error, args, wei = 0n, isOfFrozen = false } = rule

  test('is refused to everybody else', async () => {
    if (isOfFrozen) {
      await wait(7n * 86_400n)
      await send(world.stranger, world.cloister, 'freeze', 3n, 0n)
    }
    const given = await args!(world)
    for (const [party, from] of Object.entries(parties)) {
      // Whoever renounces must name itself, and here nobody does; an offer was made to nobody.
      if (party === by && name !== 'renounceRole' && name !== 'acceptL1Owner') continue
      // Who announces may cancel, too: see below.
      if (name === 'cancel' && party === 'founder') continue
      await mustRefusePaid(error!, from, wei, contractOf[contract](), name, ...given)
    }
  })

  if (by === 'lock')
    test("is the lock's, 30 days after it was announced", async () => {
      const change = { to: contractOf[contract](), name, args: await args!(world) }
      await mustNotCarryOut(world, change)
      await mustRefuse(
        'TimelockInsufficientDelay',
        world.founder,
        world.lock,
        'schedule',
        ...(await payloadOf(change)),
        DELAY - 1n,
      )
      await announce(world, change)
      await mustNotCarryOut(world, change)
      await wait(DELAY - 2n)
      await mustNotCarryOut(world, change)
      await wait(1n)
      // The next block is a second later: due.
      const { logs } = await carryOut(world, change)
      expect(logs.some((log) => world.lock.interface.parseLog(log)?.name === 'CallExecuted')).toBe(
        true,
      )
      await mustNotCarryOut(world, change)
    })

  const isAtOnce = by !== 'lock' && by !== 'owner' && by !== 'self' && name !== 'cancel'
  if (isAtOnce)
    test('is taken at once from whom it belongs to', async () => {
      await send(parties[by!], contractOf[contract](), name, ...(await args!(world)))
    })
})
