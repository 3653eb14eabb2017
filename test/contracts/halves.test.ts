/** Cloister and its extension run on one storage: they must agree on every slot of it. */
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import { PROJECT_ROOT } from '../../prover/artifacts.ts'
import { projectSources } from '../../prover/solidity.ts'
import {
  TERMS,
  configuration,
  createWorld,
  deploy,
  deployCloister,
  mustRefuse,
  provider,
  send,
} from './l1.ts'

type Variable = { label: string; slot: string; offset: number; type: string }
type Output = {
  contracts: Record<
    string,
    Record<
      string,
      {
        storageLayout: { storage: Variable[]; types: Record<string, { numberOfBytes: string }> }
        abi: { type: string; name?: string }[]
        evm: { methodIdentifiers: Record<string, string>; deployedBytecode: { object: string } }
      }
    >
  >
}

function compiled(): Output {
  const solc = createRequire(import.meta.url)('solc') as {
    compile: (input: string, callbacks: object) => string
  }
  const sources = Object.fromEntries(
    Object.entries(projectSources()).map(([path, content]) => [path, { content }]),
  )
  const settings = {
    optimizer: { enabled: true, runs: 1000 },
    evmVersion: 'cancun',
    outputSelection: {
      '*': {
        '*': ['storageLayout', 'abi', 'evm.methodIdentifiers', 'evm.deployedBytecode.object'],
      },
    },
  }
  const read = (path: string) => ({
    contents: readFileSync(join(PROJECT_ROOT, 'node_modules', path), 'utf8'),
  })
  return JSON.parse(
    solc.compile(JSON.stringify({ language: 'Solidity', sources, settings }), { import: read }),
  ) as Output
}

const { contracts } = compiled()
const half = (name: string) => contracts[`contracts/${name}.sol`]![name]!
const core = half('Cloister')
const extension = half('CloisterExtension')

test('both halves lay out their storage alike', () => {
  const layoutOf = ({ storageLayout }: typeof core) =>
    storageLayout.storage.map((each) => {
      // Struct types carry the ids of the compiler's syntax tree, which say nothing.
      const type = each.type.replaceAll(/\)\d+/g, ')')
      const { numberOfBytes } = storageLayout.types[each.type]!
      return `${each.slot}+${each.offset} ${each.label} ${type} ${numberOfBytes}`
    })
  const shared = layoutOf(extension)
  expect(layoutOf(core).slice(0, shared.length)).toEqual(shared)
  expect(shared.length).toBeGreaterThan(30)
  // What Cloister has beyond are the two name fields of EIP-712, which the extension never reads.
  expect(
    layoutOf(core)
      .slice(shared.length)
      .map((line) => line.split(' ')[1]),
  ).toEqual(['_nameFallback', '_versionFallback'])
})

test('both halves fit the limit of the chain', () => {
  const sizes = [core, extension].map(({ evm }) => evm.deployedBytecode.object.length / 2)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(24_576)
  console.log(`Cloister ${sizes[0]} bytes, CloisterExtension ${sizes[1]} bytes`)
})

test('no selector of the extension is hidden behind one of Cloister, but for what both inherit', () => {
  const shared = Object.keys(extension.evm.methodIdentifiers)
    .filter((signature) => signature in core.evm.methodIdentifiers)
    .sort()
  expect(shared).toEqual([
    'ADMIN()',
    'DEFAULT_ADMIN_ROLE()',
    'GUARDIAN()',
    'OPERATOR()',
    'ORACLE()',
    'getRoleAdmin(bytes32)',
    'grantRole(bytes32,address)',
    'hasRole(bytes32,address)',
    'refundDelay()',
    'renounceRole(bytes32,address)',
    'revokeRole(bytes32,address)',
    'supportsInterface(bytes4)',
    'termsHash()',
  ])
  const selectors = (contract: typeof core) => Object.entries(contract.evm.methodIdentifiers)
  for (const [signature, selector] of selectors(extension)) {
    for (const [other, same] of selectors(core)) {
      if (selector === same) expect(other).toBe(signature)
    }
  }
})

test('ICloister is the house: every function and event of it is in one of the halves', () => {
  const whole = contracts['contracts/ICloister.sol']!['ICloister']!.evm.methodIdentifiers
  const known = { ...core.evm.methodIdentifiers, ...extension.evm.methodIdentifiers }
  expect(Object.keys(whole).filter((signature) => !(signature in known))).toEqual([])
})

test('an extension with other terms is refused', async () => {
  const other = await deploy('CloisterExtension', { ...TERMS, forcePrice: 7n })
  await expect(deploy('Cloister', await configuration(), await other.getAddress())).rejects.toThrow(
    'ExtensionMustAgree',
  )
  const cloister = await deployCloister(await configuration())
  expect(Object.values((await cloister.getFunction('terms')()).toObject())).toEqual(
    Object.values(TERMS),
  )
})

test('the extension alone has no roles and no money; unknown calls and plain ETH are refused', async () => {
  const { cloister, address, admin, oracle, members } = await createWorld()
  const alone = new ethers.Contract(
    await cloister.getFunction('extension')(),
    cloister.interface,
    provider,
  )
  for (const from of [admin, oracle]) {
    await mustRefuse('AccessControlUnauthorizedAccount', from, alone, 'setFee', 1n)
    await mustRefuse(
      'AccessControlUnauthorizedAccount',
      from,
      alone,
      'postTable',
      1n,
      1n,
      ethers.ZeroHash,
      '0x',
      true,
    )
  }
  const unknown = { from: members[0]!, to: address, data: '0x12345678' }
  await expect(provider.send('eth_call', [unknown, 'latest'])).rejects.toThrow('data="0x"')
  await expect(
    provider.send('eth_sendTransaction', [{ from: members[0]!, to: address, value: '0x1' }]),
  ).rejects.toThrow("there's no receive function, fallback function is not payable")
  const setFee = cloister.interface.encodeFunctionData('setFee', [1n])
  await expect(
    provider.send('eth_sendTransaction', [
      { from: admin, to: address, data: setFee, value: '0x1' },
    ]),
  ).rejects.toThrow('fallback function is not payable and was called with value 1')
  await send(admin, cloister, 'setFee', 1n)
})
