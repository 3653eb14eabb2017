/**
 * The circuit without its checks: every `===` taken out, so that what an attacker puts in is carried
 * through to a whole assignment, and the constraints of the real circuit can be asked one by one.
 */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative } from 'node:path'
import {
  PROJECT_ROOT,
  shapeNamed,
  sourceHash,
  type CircuitFiles,
} from '../../../prover/artifacts.ts'
import { Circuit } from '../circuit.ts'
import { wiresByName, type System } from '../r1cs.ts'
import type { WitnessInput } from '../../../circuits/witness.ts'

/** Drops each statement with a `===`; a loop that held nothing else goes with it. */
export function withoutChecks(source: string): string {
  const parts = source.replace(/\/\/[^\n]*/g, '').split(/([;{}])/)
  let kept = ''
  for (let i = 0; i + 1 < parts.length; i += 2) {
    if (!(parts[i]!.includes('===') && parts[i + 1] === ';')) kept += parts[i]! + parts[i + 1]!
  }
  return kept + (parts.at(-1) ?? '')
}

function compileLoose(shape: string): CircuitFiles {
  const entry = join(PROJECT_ROOT, 'circuits', 'shapes', `${shape}.circom`)
  const dir = join(PROJECT_ROOT, '.cache', 'circuits', `loose-${shape}-${sourceHash(entry)}`)
  const files = {
    dir,
    r1csPath: '',
    wasmPath: join(dir, `${shape}_js`, `${shape}.wasm`),
    symPath: join(dir, `${shape}.sym`),
  }
  if (existsSync(join(dir, 'compiled'))) return files
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  cpSync(join(PROJECT_ROOT, 'circuits'), join(dir, 'circuits'), { recursive: true })
  for (const name of readdirSync(join(dir, 'circuits'), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.circom')) continue
    const path = join(dir, 'circuits', name)
    const loose = withoutChecks(readFileSync(path, 'utf8'))
    // Circomlib keeps its checks: what it is given here is right, and its insides are not examined.
    writeFileSync(path, loose.replace(/"(\.\.\/)*node_modules\//g, '"'))
  }
  const local = (path: string): string => relative(PROJECT_ROOT, path)
  const run = spawnSync(
    process.execPath,
    [
      '--max-old-space-size=4096',
      createRequire(import.meta.url).resolve('circom2/cli.js'),
      local(join(dir, 'circuits', 'shapes', `${shape}.circom`)),
      '--wasm',
      '--sym',
      '--O0',
      '-o',
      local(dir),
      '-l',
      local(join(dir, 'circuits')),
      '-l',
      'node_modules',
    ],
    { cwd: PROJECT_ROOT, encoding: 'utf8' },
  )
  if (run.status !== 0)
    throw new Error(`circom refused the circuit without checks:\n${run.stdout}${run.stderr}`)
  writeFileSync(join(dir, 'compiled'), '')
  return files
}

/** Turns any input into values for the wires of the real circuit, whether it accepts them or not. */
export function looseCalculator(shape: string, files: CircuitFiles, system: System) {
  const loose = compileLoose(shapeNamed(shape).name)
  const circuit = new Circuit(loose)
  const from = wiresByName(loose)
  const place = new Int32Array(system.wireCount).fill(-1)
  place[0] = 0
  for (const [name, wire] of wiresByName(files)) place[wire] = from.get(name) ?? -1
  const lost = place.findIndex((wire) => wire < 0)
  if (lost >= 0) throw new Error(`wire ${lost} is unknown to the circuit without checks`)
  /** Null where circomlib itself refuses (a point off the curve). */
  return (input: WitnessInput): bigint[] | null => {
    const witness = circuit.tryWitness(input)
    return Array.isArray(witness) ? Array.from(place, (wire) => witness[wire]!) : null
  }
}
