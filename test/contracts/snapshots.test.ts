/**
 * What others build on, as committed files: every entry of every ABI, every slot of storage, every size.
 * A change that is meant: `npx vitest run test/contracts/snapshots.test.ts -u`, and say in
 * docs/decisions.md why it moved. A slot that moves under a house that is running would be a disaster; no
 * house is ever upgraded, so it means that readers of storage and of events must move with it.
 */
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ethers } from 'ethers'
import { expect, test } from 'vitest'
import { PROJECT_ROOT } from '../../prover/artifacts.ts'
import { projectSources } from '../../prover/solidity.ts'

const NAMES = ['ChangeLock', 'Cloister', 'CloisterExtension', 'TableOracle'] as const
type Slot = { label: string; slot: string; offset: number; type: string }
type Type = { numberOfBytes: string; members?: readonly Slot[] }
type Contract = {
  storageLayout: { storage: readonly Slot[]; types: Record<string, Type> | null }
  abi: readonly object[]
}

const solc = createRequire(import.meta.url)('solc') as {
  compile: (input: string, callbacks: object) => string
}
const { contracts } = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: 'Solidity',
      sources: Object.fromEntries(
        Object.entries(projectSources()).map(([path, content]) => [path, { content }]),
      ),
      settings: {
        evmVersion: 'cancun',
        outputSelection: { '*': { '*': ['storageLayout', 'abi'] } },
      },
    }),
    {
      import: (path: string) => ({
        contents: readFileSync(join(PROJECT_ROOT, 'node_modules', path), 'utf8'),
      }),
    },
  ),
) as { contracts: Record<string, Record<string, Contract>> }
const contractOf = (name: string): Contract => contracts[`contracts/${name}.sol`]![name]!

/** Types carry ids of the compiler's syntax tree, which say nothing. */
const plain = (type: string): string => type.replaceAll(/\)\d+/g, ')').replace(/^t_/, '')

function layoutOf({ storageLayout: { storage, types } }: Contract): string {
  const line = ({ slot, offset, label, type }: Slot, indent = ''): string => {
    const { numberOfBytes } = types![type]!
    return `${indent}${slot.padStart(2)} +${String(offset).padStart(2)}  ${label}: ${plain(type)} (${numberOfBytes} bytes)`
  }
  const structs = Object.entries(types ?? {})
    .filter(([, { members }]) => members !== undefined)
    .map(([type, { members }]) =>
      [plain(type), ...members!.map((member) => line(member, '  '))].join('\n'),
    )
    .sort()
  return [...storage.map((slot) => line(slot)), '', ...structs].join('\n')
}

const HINT = 'if this change is meant: npx vitest run test/contracts/snapshots.test.ts -u'

test.each(NAMES)('the storage of %s lies as committed', async (name) => {
  await expect(layoutOf(contractOf(name)), HINT).toMatchFileSnapshot(
    `__snapshots__/${name}.storage.txt`,
  )
})

test.each(NAMES)('the ABI of %s is as committed', async (name) => {
  const { fragments } = new ethers.Interface(contractOf(name).abi as never)
  const lines = fragments.map((each) => each.format('full')).sort()
  expect(lines.length).toBeGreaterThan(20)
  await expect(`${lines.join('\n')}\n`, HINT).toMatchFileSnapshot(`__snapshots__/${name}.abi.txt`)
})
