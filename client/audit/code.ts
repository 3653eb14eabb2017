/** What runs at the addresses of a house, held against a compile of this checkout, and who its admin is. */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { compileSolidity, isSameCode, projectSources } from '../../prover/solidity.ts'
import { ReadError, type DecodedLog, type L1 } from '../l1/rpc.ts'
import type { Checks } from './checks.ts'

const LOCAL_CHAINS: readonly bigint[] = [31337n, 1337n]
const roleNamed = (name: string): string =>
  `0x${Buffer.from(keccak_256(new TextEncoder().encode(name))).toString('hex')}`
const ORACLE = roleNamed('ORACLE')
const NAMES = new Map(['OPERATOR', 'ORACLE', 'GUARDIAN'].map((name) => [roleNamed(name), name]))

/**
 * The house, its other half, its lock and its oracle, each byte for byte but for the immutables; the
 * half and the lock are those that the house names. The oracle is compared where a contract has its
 * role; on a local chain an account may have it, elsewhere that is a finding, also beside a contract.
 */
export async function auditCode(
  l1: L1,
  checks: Checks,
  { fromBlock = 0 }: { readonly fromBlock?: number },
): Promise<void> {
  const compiled = compileSolidity(projectSources())
  const compare = async (name: string, contract: string, address: string): Promise<void> => {
    const runtime = compiled[contract]?.runtime
    if (runtime === undefined) throw new Error(`audit: this checkout has no ${contract}`)
    const code = await checks.attempt('code', name, () => l1.code(address))
    if (code === null) return
    checks.expect(
      'code',
      name,
      isSameCode(code, runtime),
      `${address} runs contracts/${contract}.sol as this checkout compiles it`,
      `${address} runs other code than contracts/${contract}.sol of this checkout`,
    )
  }
  const named = async (view: string): Promise<string | null> =>
    (await checks.attempt('code', view, async () => (await l1.view(view))[0])) as string | null
  await compare('house', 'Cloister', l1.contract)
  const [extension, lock] = [await named('extension'), await named('lock')]
  if (extension !== null) await compare('its other half', 'CloisterExtension', extension)
  if (lock !== null) await compare('its lock', 'ChangeLock', lock)
  const holders = await checks.attempt('code', 'roles', () => rolesOf(l1, fromBlock))
  for (const oracle of holders?.get(ORACLE) ?? []) {
    if ((await l1.code(oracle)) !== '0x') await compare('its oracle', 'TableOracle', oracle)
    else if (!LOCAL_CHAINS.includes(l1.chainId))
      checks.failed(
        'code',
        'its oracle',
        `${oracle} is an account: it posts any table and any final value, at once, beside whatever contract`,
      )
  }
  if (lock !== null) await compareSeal(l1, lock, checks)
  if (holders !== null) tellRoles(holders, checks)
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
