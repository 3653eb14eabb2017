/** rapidsnark, where it is installed: the same keys and witnesses, its proofs checked like all others. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, readFileSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { promisify } from 'node:util'
import type { Groth16Proof, Proof } from './groth16.ts'
import { withPrivateDirectory } from './private-files.ts'

export type RapidsnarkOptions = {
  /** Its full path; without one it is looked for on PATH. */
  readonly binary?: string
  /** SHA-256 in hex that the binary must have. */
  readonly sha256?: string
}

const NAMES = ['rapidsnark', 'rapidsnark-prover'] as const
const MAX_ANSWER_BYTES = 1 << 16

/** By RAPIDSNARK_BIN and RAPIDSNARK_SHA256. */
export function rapidsnarkFromEnvironment(env = process.env): RapidsnarkOptions {
  const [binary, sha256] = [env['RAPIDSNARK_BIN'], env['RAPIDSNARK_SHA256']]
  return {
    ...(binary ? { binary } : {}),
    ...(sha256 ? { sha256 } : {}),
  }
}

/** The binary's path, or null where there is none. Throws BinaryMustBeAsPinned. */
export function findRapidsnark(
  { binary, sha256 }: RapidsnarkOptions,
  path = process.env['PATH'] ?? '',
): string | null {
  const places =
    binary === undefined
      ? path
          .split(delimiter)
          // A relative place on PATH depends on where the process happens to stand.
          .filter(isAbsolute)
          .flatMap((folder) => NAMES.map((name) => join(folder, name)))
      : [binary]
  const found = places.find(isProgram)
  if (found === undefined) {
    if (binary !== undefined) throw new Error(`rapidsnark: ${binary} is no program`)
    return null
  }
  if (sha256 !== undefined) {
    const has = createHash('sha256').update(readFileSync(found)).digest('hex')
    if (has !== sha256.toLowerCase())
      throw new Error(`BinaryMustBeAsPinned: ${found} has SHA-256 ${has}, not ${sha256}`)
  }
  return found
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** `witness` in .wtns form. The proof is as rapidsnark gives it: whoever hands it on verifies it. */
export async function proveWithRapidsnark(
  binary: string,
  zkeyPath: string,
  witness: Uint8Array,
): Promise<Proof> {
  return withPrivateDirectory(async (directory) => {
    const [wtns, proof, signals] = ['witness.wtns', 'proof.json', 'public.json'].map((name) =>
      join(directory, name),
    ) as [string, string, string]
    writeFileSync(wtns, witness, { mode: 0o600, flag: 'wx' })
    // Of the environment it needs nothing, and secrets may be in there.
    const env = { PATH: process.env['PATH'] ?? '' }
    await promisify(execFile)(binary, [zkeyPath, wtns, proof, signals], {
      env,
      cwd: directory,
      maxBuffer: MAX_ANSWER_BYTES,
    })
    return {
      proof: readAnswer(proof) as Groth16Proof,
      publicSignals: readAnswer(signals) as string[],
    }
  })
}

function readAnswer(path: string): unknown {
  if (statSync(path).size > MAX_ANSWER_BYTES) throw new Error('rapidsnark wrote more than a proof')
  return JSON.parse(readFileSync(path, 'utf8'))
}
