/** What runs at the addresses of a house, held against a compile of this checkout, and who its admin is. */
import { keccak_256 } from '@noble/hashes/sha3.js'
import {
  compileSolidity,
  isSameCode,
  projectSources,
  type CompiledContract,
} from '../../prover/solidity.ts'
import { connect, ReadError, type DecodedLog, type L1, type Transport } from '../l1/rpc.ts'
import type { Checks } from './checks.ts'
import { auditMaking, auditTerms } from './making.ts'

const LOCAL_CHAINS: readonly bigint[] = [31337n, 1337n]
const roleNamed = (name: string): string =>
  `0x${Buffer.from(keccak_256(new TextEncoder().encode(name))).toString('hex')}`
const ORACLE = roleNamed('ORACLE')
const NAMES = new Map(['OPERATOR', 'ORACLE', 'GUARDIAN'].map((name) => [roleNamed(name), name]))

export type CodeOptions = { readonly rpcUrl: string | Transport; readonly fromBlock?: number }

/**
 * The house, its other half, its lock and its oracle, each byte for byte but for the immutables, and
 * how house and oracle were made; the half and the lock are those that the house names. The oracle is
 * compared where a contract has its role; on a local chain an account may have it, elsewhere that is
 * a finding, also beside a contract.
 */
export async function auditCode(
  l1: L1,
  checks: Checks,
  { rpcUrl, fromBlock = 0 }: CodeOptions,
): Promise<void> {
  const all = compileSolidity(projectSources())
  const compare = async (name: string, file: string, address: string): Promise<boolean> => {
    const compiled = all[file]
    if (compiled?.runtime === undefined) throw new Error(`audit: this checkout has no ${file}`)
    const code = await checks.attempt('code', name, () => l1.code(address))
    if (code === null) return false
    return checks.expect(
      'code',
      name,
      isSameCode(code, compiled.runtime),
      `${address} runs contracts/${file}.sol as this checkout compiles it`,
      `${address} runs other code than contracts/${file}.sol of this checkout`,
    )
  }
  const named = async (view: string): Promise<string | null> =>
    (await checks.attempt('code', view, async () => (await l1.view(view))[0])) as string | null
  const made = async (at: L1, name: string, file: string, event: string) => {
    const contract = all[file] as CompiledContract
    const [first] = await at.logs(fromBlock, l1.head.number, event)
    if (first !== undefined)
      return auditMaking(at, { name, contract, file }, first.transaction, checks)
    checks.unread('code', `making of ${name}`, `the node has no ${event} of it`)
    return null
  }
  const house = await compare('house', 'Cloister', l1.contract)
  const [extension, lock] = [await named('extension'), await named('lock')]
  if (extension !== null) await compare('its other half', 'CloisterExtension', extension)
  if (lock !== null) await compare('its lock', 'ChangeLock', lock)
  const given = house ? await made(l1, 'the house', 'Cloister', 'Genesis') : null
  if (given !== null) await auditTerms(l1, given, checks)
  const holders = await checks.attempt('code', 'roles', () => rolesOf(l1, fromBlock))
  for (const address of holders?.get(ORACLE) ?? []) {
    if ((await l1.code(address)) !== '0x') {
      if (!(await compare('its oracle', 'TableOracle', address))) continue
      const oracle = await connect(rpcUrl, address, l1.head.number)
      const own = await made(oracle, 'its oracle', 'TableOracle', 'RoleGranted')
      if (own !== null) compareHouse(own, l1.contract, checks)
    } else if (!LOCAL_CHAINS.includes(l1.chainId))
      checks.failed(
        'code',
        'its oracle',
        `${address} is an account: it posts any table and any final value, at once, beside whatever contract`,
      )
  }
  if (lock !== null) await compareSeal(l1, lock, checks)
  if (holders !== null) tellRoles(holders, checks)
}

/** It asks the house that it was made for whether that is sealed, and who is the admin then. */
function compareHouse(
  given: Readonly<Record<string, unknown>>,
  house: string,
  checks: Checks,
): void {
  const own = given['house_'] as string
  checks.expect(
    'code',
    'house of its oracle',
    BigInt(own) === BigInt(house),
    `its oracle was made for ${house}`,
    `its oracle was made for ${own}, which says who its admin is, not for this house`,
  )
}

/** Who has a role now, admins left out: of a sealed house that is the lock alone. */
async function rolesOf(l1: L1, fromBlock: number): Promise<ReadonlyMap<string, Set<string>>> {
  const holders = new Map<string, Set<string>>()
  const read = (name: string): Promise<readonly DecodedLog[]> =>
    l1.logs(fromBlock, l1.head.number, name)
  const logs = [...(await read('RoleGranted')), ...(await read('RoleRevoked'))].sort(
    (a, b) => a.block - b.block || a.index - b.index,
  )
  for (const { name, args } of logs) {
    const [role, account] = [args['role'] as string, args['account'] as string]
    const has = holders.get(role) ?? new Set()
    if (name === 'RoleGranted') has.add(account)
    else has.delete(account)
    holders.set(role, has)
  }
  if (holders.size === 0) throw new ReadError('the house has granted no role at all')
  return holders
}

async function compareSeal(l1: L1, lock: string, checks: Checks): Promise<void> {
  const isSealed = await checks.attempt('code', 'admin', async () => (await l1.view('isSealed'))[0])
  if (isSealed === null) return
  const isLocal = LOCAL_CHAINS.includes(l1.chainId)
  checks.expect(
    'code',
    'admin',
    isSealed === true || isLocal,
    isSealed === true
      ? `the lock ${lock} alone; every change of keys, fee, tokens or roles is announced there first`
      : 'who deployed, at once: the house is not sealed, which a local chain allows',
    'the house is not sealed: who deployed it changes keys, fee, tokens and roles at once',
  )
}

function tellRoles(holders: ReadonlyMap<string, Set<string>>, checks: Checks): void {
  const lines = [...holders].flatMap(([role, accounts]) => {
    const name = NAMES.get(role)
    return name === undefined ? [] : [`${name} ${[...accounts].join(', ') || 'nobody'}`]
  })
  checks.held('code', 'roles', lines.join('; '))
}
