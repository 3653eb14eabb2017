/** The attempt to forge, and proof that the attempt is a real one. */
import { createHash } from 'node:crypto'
import { hashOfVerificationKey } from '../artifacts.ts'
import { exportSolidityVerifier, exportVerificationKey } from '../groth16.ts'
import { compileSolidity } from '../solidity.ts'
import { deployVerifier } from './evm.ts'
import type { Checks } from './failure.ts'
import { forge, isRatioOf, publicGuesses } from './forge.ts'
import { contractNameOf } from './steps.ts'
import { readKeyFile, type KeyFile } from './zkey-file.ts'

export type VerifierHashes = {
  /** What the contract keeps per shape; null if the key could not be read. */
  readonly keyHash: string | null
  /** SHA-256 of the Solidity verifier's creation code. */
  readonly verifierSha256: string | null
}

/** Any statement will do: the first numbers are no commitment and no challenge of a batch. */
const anyStatement = (key: KeyFile): bigint[] =>
  Array.from({ length: key.nPublic }, (_, i) => BigInt(i + 1))

export async function checkForgery(
  zkeyPath: string,
  initPath: string | null,
  key: KeyFile,
  identity: { readonly name: string; readonly r1csSha256: string },
  checks: Checks,
): Promise<VerifierHashes> {
  if (isRatioOf(key, 1n))
    checks.failed('DeltaMustNotBeGamma', 'they are equal: anybody can forge proofs')
  else checks.held('DeltaMustNotBeGamma', 'they differ')
  const name = contractNameOf(identity.name)
  const source = await exportSolidityVerifier(zkeyPath, name)
  const verifier = await deployVerifier(name, source)
  const beacons = key.contributions.flatMap(({ beacon }) => (beacon === null ? [] : [beacon]))
  const guesses = publicGuesses(identity, beacons)
  const accepted: string[] = []
  for (const { reason, ratio } of guesses)
    if (await verifier(forge(key, ratio, anyStatement(key)))) accepted.push(reason)
  const control = initPath === null ? null : await isForgeable(initPath, name, guesses[0]?.ratio)
  if (accepted.length > 0)
    checks.failed('ForgeryMustFail', `accepted a forged proof, made with ${accepted.join('; ')}`)
  else if (control === true)
    checks.held(
      'ForgeryMustFail',
      `refused all ${guesses.length}; the initial key's verifier accepts the first of them`,
    )
  else
    checks.unchecked(
      'ForgeryMustFail',
      control === null
        ? `refused all ${guesses.length}, but there is no initial key to show that they are real`
        : `refused all ${guesses.length}, but so does the initial key's verifier`,
    )
  const bytecode = compileSolidity({ [`${name}.sol`]: source })[name]?.bytecode ?? '0x'
  return {
    keyHash: hashOfVerificationKey(await exportVerificationKey(zkeyPath)),
    verifierSha256: createHash('sha256')
      .update(Buffer.from(bytecode.slice(2), 'hex'))
      .digest('hex'),
  }
}

/** The same attempt where it must succeed, or its failure elsewhere would say nothing. */
async function isForgeable(initPath: string, name: string, ratio = 1n): Promise<boolean> {
  const init = await readKeyFile(initPath)
  const verifier = await deployVerifier(name, await exportSolidityVerifier(initPath, name))
  return verifier(forge(init, ratio, anyStatement(init)))
}
