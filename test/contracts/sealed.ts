/** A house and its oracle whose only admin is the lock, with one party for each role. */
import { ethers } from 'ethers'
import {
  createWorld,
  deploy,
  mustRefuse,
  now,
  provider,
  send,
  setTime,
  TERMS,
  type World,
} from './l1.ts'
import { BAND, KEYS, TIMING } from './oracle-world.ts'
import { addressOfKey } from '../../oracle/signer/report.ts'

export const DELAY = 30n * 86_400n
export const LIFE = 14n * 86_400n
/** T_force at its longest, and the window of claims: what the contract calls the way out. */
export const WAY_OUT = TERMS.forceDelay + TERMS.tableDelay + TERMS.claimsWindow

export type SealedWorld = World & {
  readonly lock: ethers.Contract
  readonly tableOracle: ethers.Contract
  /** Who deployed, and announces changes since. */
  readonly founder: string
  readonly guardian: string
  readonly lister: string
  readonly stranger: string
}

const [, , , alice, , , , , , guardian, lister, stranger] = (await provider.send(
  'eth_accounts',
  [],
)) as string[]
export const GUARDIAN = guardian!

/** Configured by its founder, and not sealed yet. */
export async function createUnsealed(overrides: object = {}): Promise<SealedWorld> {
  const world = await createWorld('ExpectingVerifier', TERMS, true, {
    guardian,
    changeDelay: DELAY,
    ...overrides,
  })
  const { admin, cloister, address } = world
  const tableOracle = await deploy('TableOracle', address, admin)
  await send(admin, tableOracle, 'setSigners', KEYS.map(addressOfKey), 3n, 4n)
  await send(admin, tableOracle, 'setTiming', TIMING)
  await send(admin, tableOracle, 'addUnderlying', 'BTC', BAND)
  const asked = async (contract: ethers.Contract, role: string) => contract.getFunction(role)()
  await send(admin, tableOracle, 'grantRole', await asked(tableOracle, 'GUARDIAN'), guardian)
  await send(admin, tableOracle, 'grantRole', await asked(tableOracle, 'LISTER'), lister)
  await send(admin, tableOracle, 'revokeRole', await asked(tableOracle, 'LISTER'), admin)
  const at = await cloister.getFunction('lock')()
  const { interface: known } = await deploy('ChangeLock', 0n, 0n, admin, admin)
  return {
    ...world,
    lock: new ethers.Contract(at, known, provider),
    tableOracle,
    founder: admin,
    guardian: guardian!,
    lister: lister!,
    stranger: stranger!,
  }
}

export async function createSealed(overrides: object = {}): Promise<SealedWorld> {
  const world = await createUnsealed(overrides)
  await send(world.founder, world.cloister, 'seal')
  return world
}

export type Change = {
  readonly to: ethers.Contract
  readonly name: string
  readonly args: readonly unknown[]
}

export async function payloadOf({ to, name, args }: Change, salt = ethers.ZeroHash) {
  const data = to.interface.encodeFunctionData(name, [...args])
  return [await to.getAddress(), 0n, data, ethers.ZeroHash, salt] as const
}

/** Announces a change; returns its id. */
export async function announce(world: SealedWorld, change: Change, delay = DELAY): Promise<string> {
  const payload = await payloadOf(change)
  await send(world.founder, world.lock, 'schedule', ...payload, delay)
  return world.lock.getFunction('hashOperation')(...payload)
}

/** Anybody carries it out. */
export async function carryOut(world: SealedWorld, change: Change) {
  return send(world.stranger, world.lock, 'execute', ...(await payloadOf(change)))
}

export async function mustNotCarryOut(world: SealedWorld, change: Change) {
  return mustRefuse(
    'TimelockUnexpectedOperationState',
    world.stranger,
    world.lock,
    'execute',
    ...(await payloadOf(change)),
  )
}

/** The clock of the next call: `seconds` after the latest block. */
export async function wait(seconds: bigint): Promise<void> {
  await setTime((await now()) + seconds)
}

export const ALICE = alice!
