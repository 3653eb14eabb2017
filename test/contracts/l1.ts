/** A chain in the process, with the contract deployed: what every test of contracts/ stands on. */
import { createRequire } from 'node:module'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ethers } from 'ethers'
import { expect } from 'vitest'
import { SHAPES } from '../../circuits/params.ts'
import { JournalError } from '../../sequencer/journal/journal.ts'
import { lockDirectory, type DirectoryLock } from '../../sequencer/journal/lock.ts'
import { mergedAbi } from '../../sequencer/solidity.ts'
import { steady } from './steady-clock.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
process.env.HARDHAT_CONFIG ??= join(root, 'hardhat.config.cjs')
process.env.HARDHAT_DISABLE_TELEMETRY_PROMPT = 'true'
const hre = createRequire(import.meta.url)('hardhat')
await compileOnce()

const chain = steady(hre.network.provider)
/** For a house that goes by the machine's clock: no block is behind it from now on. */
export const { keepUp } = chain
// No cache: a view that is asked twice in a quarter of a second must not answer from the past.
export const provider = new ethers.BrowserProvider(chain, undefined, {
  cacheTimeout: -1,
})
export const REFUND_DELAY = 100_000n
const DAY = 86_400n
export const TERMS = {
  refundDelay: REFUND_DELAY,
  forceDelay: 3n * DAY,
  fullDelay: 2n * DAY,
  unwindDelay: 5n * DAY,
  batchDelay: 6n * DAY,
  tableDelay: 7n * DAY,
  sweepDelay: 40n * DAY,
  tableLife: 4n * DAY,
  lateSweepDelay: 30n * DAY,
  sweepEpoch: DAY,
  flagDelay: 3_600n,
  callDelay: DAY,
  claimsWindow: 10n * DAY,
  forcePrice: 10n ** 15n,
} as const
export const FEE = 2_500n
export const DOLLAR_UNIT = 100n
export const LOT_CAP = (1n << 55n) - 1n
export const SETTLEMENT_ROOT = 777n
export const GENESIS_ROOT = 4242n
export const KEY_HASH = ethers.id('a verifying key')
export const SHAPE_IDS = {
  mini: 1n,
  small: 2n,
  sparse: 3n,
  standard: 4n,
  large: 5n,
  entry: 6n,
} as const
/** Test files run side by side, and only one may write the artifacts. */
async function compileOnce(): Promise<void> {
  const directory = join(root, '.cache/hardhat-lock')
  mkdirSync(directory, { recursive: true })
  const lock = await lockOf(directory)
  try {
    await hre.run('compile', { quiet: true })
  } finally {
    lock.release()
  }
}

/** Waits as long as another process holds it; one that ended, however it ended, holds it no more. */
async function lockOf(directory: string): Promise<DirectoryLock> {
  for (;;) {
    try {
      return await lockDirectory(directory)
    } catch (error) {
      if (!(error instanceof JournalError) || error.rule !== 'JournalMustBeFree') throw error
    }
    await sleep(100)
  }
}

export async function deploy(name: string, ...args: unknown[]): Promise<ethers.Contract> {
  return deployCompiled(await hre.artifacts.readArtifact(name), ...args)
}

export async function deployCompiled(
  { abi, bytecode }: { readonly abi: unknown; readonly bytecode: string },
  ...args: unknown[]
): Promise<ethers.Contract> {
  const [from] = (await provider.send('eth_accounts', [])) as string[]
  const request = await new ethers.ContractFactory(
    abi as ethers.InterfaceAbi,
    bytecode,
  ).getDeployTransaction(...args)
  const receipt = await sendRaw(from as string, { data: request.data })
  return new ethers.Contract(
    receipt.contractAddress as string,
    abi as ethers.InterfaceAbi,
    provider,
  )
}

async function sendRaw(from: string, request: object): Promise<ethers.TransactionReceipt> {
  const gas = '0x989680'
  const hash = await provider.send('eth_sendTransaction', [{ from, gas, ...request }])
  const receipt = await provider.getTransactionReceipt(hash)
  if (receipt === null) throw new Error(`l1: no receipt of ${hash}`)
  return receipt
}

/** Sends a call and returns its receipt; throws when it is refused. */
export async function send(
  from: string,
  contract: ethers.Contract,
  name: string,
  ...args: unknown[]
): Promise<ethers.TransactionReceipt> {
  const data = contract.interface.encodeFunctionData(name, args)
  return sendRaw(from, { to: await contract.getAddress(), data })
}

/** The same with ETH. */
export async function sendPaid(
  from: string,
  wei: bigint,
  contract: ethers.Contract,
  name: string,
  ...args: unknown[]
): Promise<ethers.TransactionReceipt> {
  const data = contract.interface.encodeFunctionData(name, args)
  return sendRaw(from, { to: await contract.getAddress(), data, value: `0x${wei.toString(16)}` })
}

/** The call must be refused with the named custom error; returns the error's arguments. */
export async function mustRefuse(
  error: string,
  from: string,
  contract: ethers.Contract,
  name: string,
  ...args: unknown[]
): Promise<ethers.Result> {
  return mustRefusePaid(error, from, 0n, contract, name, ...args)
}

/** The same with ETH. */
export async function mustRefusePaid(
  error: string,
  from: string,
  wei: bigint,
  contract: ethers.Contract,
  name: string,
  ...args: unknown[]
): Promise<ethers.Result> {
  const data = contract.interface.encodeFunctionData(name, args)
  const to = await contract.getAddress()
  const value = `0x${wei.toString(16)}`
  let revert: string | undefined
  try {
    await provider.send('eth_call', [{ from, to, data, value, gas: '0x989680' }, 'latest'])
  } catch (thrown) {
    revert = revertData(thrown)
  }
  if (revert === undefined) throw new Error(`${name} was accepted but ${error} was expected`)
  const parsed = contract.interface.parseError(revert)
  expect(parsed?.name ?? revert).toBe(error)
  return parsed?.args as ethers.Result
}

function revertData(thrown: unknown): string | undefined {
  if (typeof thrown === 'string') return /^0x[0-9a-f]*$/.test(thrown) ? thrown : undefined
  if (typeof thrown !== 'object' || thrown === null) return undefined
  const { data, error, cause, info } = thrown as Record<string, unknown>
  for (const inner of [data, error, cause, info]) {
    const found = revertData(inner)
    if (found !== undefined) return found
  }
  return undefined
}

export type World = {
  readonly cloister: ethers.Contract
  readonly dollar: ethers.Contract
  readonly verifier: ethers.Contract
  readonly address: string
  readonly admin: string
  readonly operator: string
  readonly oracle: string
  readonly members: readonly string[]
}

export async function configuration(overrides: object = {}): Promise<object> {
  const [admin, operator, oracle] = (await provider.send('eth_accounts', [])) as string[]
  return {
    admin,
    operator,
    oracle,
    guardian: admin,
    changeDelay: 0n,
    letAnybodyForgeProofs: false,
    genesisRoot: GENESIS_ROOT,
    feeAccountLeaf: 1n,
    feeAccountViewKeyHash: 2n,
    feeAccountMeta: 3n,
    settlementRoot: SETTLEMENT_ROOT,
    fee: FEE,
    terms: TERMS,
    ...overrides,
  }
}

/** Both halves, as one contract with the ABI of both. */
export async function deployCloister(settings: object): Promise<ethers.Contract> {
  const extension = await deploy('CloisterExtension', (settings as { terms: object }).terms)
  const core = await deploy('Cloister', settings, await extension.getAddress())
  const [{ abi }, { abi: rest }] = await Promise.all([
    hre.artifacts.readArtifact('Cloister'),
    hre.artifacts.readArtifact('CloisterExtension'),
  ])
  return new ethers.Contract(await core.getAddress(), mergedAbi(abi, rest) as never, provider)
}

/** The contract with cash listed, all shapes added, one table posted, and rich members. */
export async function createWorld(
  verifierName = 'ExpectingVerifier',
  terms: object = TERMS,
  isConfirmed = true,
  overrides: object = {},
): Promise<World> {
  const [admin, operator, oracle, ...members] = (await provider.send(
    'eth_accounts',
    [],
  )) as string[]
  const cloister = await deployCloister(await configuration({ terms, ...overrides }))
  const address = await cloister.getAddress()
  const dollar = await deploy('TestDollar')
  const verifier = await deploy(verifierName)
  await send(admin!, cloister, 'addToken', 1n, await dollar.getAddress(), DOLLAR_UNIT, LOT_CAP)
  for (const shape of SHAPES) {
    const id = SHAPE_IDS[shape.name as keyof typeof SHAPE_IDS]
    await send(
      admin!,
      cloister,
      'addShape',
      id,
      shape.members,
      shape.deposits,
      shape.withdrawals,
      shape.requests,
      await verifier.getAddress(),
      KEY_HASH,
      true,
      shape.name,
    )
  }
  await send(oracle!, cloister, 'postTable', 900n, 901n, ethers.id('worlds'), '0x1234', isConfirmed)
  for (const member of members.slice(0, 4)) {
    await send(member, dollar, 'mint', member, 1n << 62n)
    await send(member, dollar, 'approve', address, ethers.MaxUint256)
  }
  return {
    cloister,
    dollar,
    verifier,
    address,
    admin: admin!,
    operator: operator!,
    oracle: oracle!,
    members,
  }
}

export async function now(): Promise<bigint> {
  return BigInt((await provider.getBlock('latest'))!.timestamp)
}

/** Moves the clock so that the next call and the next block see this time. */
export async function setTime(time: bigint): Promise<void> {
  await provider.send('evm_setNextBlockTimestamp', [`0x${time.toString(16)}`])
  await provider.send('evm_mine', [])
}

export async function countersign(
  world: World,
  l1Owner: string,
  key: readonly [bigint, bigint],
  viewKeyHash: bigint,
  signer = world.operator,
): Promise<string> {
  const nonce = await world.cloister.getFunction('registrationNonce')(l1Owner)
  return (await provider.getSigner(signer)).signTypedData(
    { name: 'Cloister', version: '1', chainId: 31337, verifyingContract: world.address },
    {
      Registration: [
        { name: 'l1Owner', type: 'address' },
        { name: 'ownerX', type: 'uint256' },
        { name: 'ownerY', type: 'uint256' },
        { name: 'viewKeyHash', type: 'uint256' },
        { name: 'nonce', type: 'uint256' },
      ],
    },
    { l1Owner, ownerX: key[0], ownerY: key[1], viewKeyHash, nonce },
  )
}

export async function register(
  world: World,
  l1Owner: string,
  key: readonly [bigint, bigint],
  viewKeyHash: bigint,
): Promise<ethers.TransactionReceipt> {
  const signature = await countersign(world, l1Owner, key, viewKeyHash)
  return send(l1Owner, world.cloister, 'register', key[0], key[1], viewKeyHash, signature)
}
