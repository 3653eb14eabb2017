/** A circuit that compiles and proves in a second, with a development key: for what is about proofs at all. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileCircuit } from '../../prover/compile.ts'
import { writeDevelopmentKey } from '../../prover/dev-key.ts'
import type { VerificationKeyJson } from '../../prover/groth16.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const CIRCUIT = `pragma circom 2.2.0;
include "circomlib/circuits/poseidon.circom";
template Opening() {
  signal input value;
  signal input salt;
  signal input shift;
  signal output commitment;
  component hash = Poseidon(2);
  hash.inputs[0] <== value;
  hash.inputs[1] <== salt;
  commitment <== hash.out * shift;
  // ShiftMustNotBeOne
  signal inverse <-- shift == 1 ? 0 : 1 / (shift - 1);
  inverse * (shift - 1) === 1;
}
component main { public [shift] } = Opening();
`
export const OPENING = { value: 41n, salt: 12345678901234567890n, shift: 7n }
/** Breaks ShiftMustNotBeOne. */
export const BROKEN = { ...OPENING, shift: 1n }

export type Opening = {
  readonly dir: string
  readonly zkeyPath: string
  readonly wasmPath: string
  readonly verificationKeyPath: string
  readonly verificationKey: VerificationKeyJson
  readonly remove: () => void
}

export async function compileOpening(): Promise<Opening> {
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  const dir = mkdtempSync(join(ROOT, '.cache', 'test-opening-'))
  writeFileSync(join(dir, 'opening.circom'), CIRCUIT)
  const { r1csPath, wasmPath } = await compileCircuit({
    entry: join(dir, 'opening.circom'),
    outDir: join(dir, 'out'),
    includeDirs: [join(ROOT, 'node_modules')],
  })
  const zkeyPath = join(dir, 'opening.development.zkey')
  const verificationKeyPath = join(dir, 'opening.vkey.json')
  const { verificationKey } = await writeDevelopmentKey({ r1csPath, zkeyPath, name: 'opening' })
  writeFileSync(verificationKeyPath, JSON.stringify(verificationKey))
  const remove = (): void => rmSync(dir, { recursive: true, force: true })
  return { dir, zkeyPath, wasmPath, verificationKeyPath, verificationKey, remove }
}
