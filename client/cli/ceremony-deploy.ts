/** `cloister ceremony deploy`: puts an exported verifier on L1, compiled as the audit compiles it. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { compileSolidity } from '../../prover/solidity.ts'
import { readL1Key } from '../change/key.ts'
import { accountOn } from '../l1/ethers.ts'
import type { Common, Result } from './day.ts'
import { Undone } from './failures.ts'
import { fromHere } from './root.ts'

export type DeployOptions = { readonly keyFile?: string; readonly yes: boolean }

/** Nothing is sent without --yes. The contract has no owner and no argument: anybody may deploy it. */
export async function deployVerifier(
  file: string,
  { keyFile, yes }: DeployOptions,
  { rpc }: Common,
): Promise<Result> {
  const path = fromHere(file)
  const name = basename(path, '.sol')
  const contract = compileSolidity({ [`${name}.sol`]: readFileSync(path, 'utf8') })[name]
  if (contract === undefined) throw new Undone(`${path} must have a contract named ${name}`)
  const { bytecode } = contract
  const sha256 = createHash('sha256')
    .update(Buffer.from(bytecode.slice(2), 'hex'))
    .digest('hex')
  const code = `SHA-256 of its creation code ${sha256}: what ceremony verify prints`
  if (!yes)
    return {
      text: `${name} would be deployed; NOTHING WAS SENT: --yes sends it\n${code}`,
      json: { outcome: 'ready', name, address: null, sha256 },
    }
  const key = readL1Key(keyFile === undefined ? undefined : fromHere(keyFile))
  if (key === null) throw new Undone('a key must be given: --key-file FILE, or CLOISTER_L1_KEY')
  if (rpc === undefined) throw new Undone('name the L1 node: --rpc URL')
  const account = accountOn(rpc, key)
  try {
    const { address, transaction } = await account.deploy(bytecode)
    return {
      text: `${name} is at ${address}, deployed in ${transaction}\n${code}`,
      json: { outcome: 'sent', name, address, sha256, transaction },
    }
  } finally {
    account.close()
  }
}
