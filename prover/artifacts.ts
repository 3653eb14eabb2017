/** Compiled circuits and development keys, made once and cached under .cache/ by the hash of their sources. */
import { createHash, randomUUID } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SHAPES, type Shape } from '../circuits/params.ts'
import { hasDevelopmentMark } from './ceremony/zkey-file.ts'
import { compileCircuit } from './compile.ts'
import { DEVELOPMENT_SUFFIX, writeDevelopmentKey } from './dev-key.ts'
import { exportSolidityVerifier, type VerificationKeyJson } from './groth16.ts'
import { SIDES_RULE } from './sides.ts'
import { writeWholeFile } from './whole-file.ts'

export const PROJECT_ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const CACHE = join(PROJECT_ROOT, '.cache', 'circuits')

export type Progress = (what: string) => void
export type CircuitFiles = {
  readonly dir: string
  readonly r1csPath: string
  readonly wasmPath: string
  readonly symPath: string
}
export type ShapeKey = CircuitFiles & {
  readonly shape: Shape
  readonly zkeyPath: string
  readonly verificationKey: VerificationKeyJson
  readonly verificationKeyPath: string
  /** SHA-256 of the verification key: what the contract keeps per shape. */
  readonly keyHash: string
}

export function shapeNamed(name: string): Shape {
  const shape = SHAPES.find((s) => s.name === name)
  if (shape === undefined)
    throw new Error(`no shape "${name}"; there are ${SHAPES.map((s) => s.name).join(', ')}`)
  return shape
}

/** Every .circom file under a folder, sorted. */
function circomFiles(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory()
        ? entry.name === 'shapes'
          ? []
          : circomFiles(join(dir, entry.name))
        : entry.name.endsWith('.circom')
          ? [join(dir, entry.name)]
          : [],
    )
    .sort()
}

/** The law's sources for one shape as a short hash: the name of its cache folder. */
export function sourceHash(entry: string): string {
  const hash = createHash('sha256').update(SIDES_RULE)
  for (const file of [...circomFiles(join(PROJECT_ROOT, 'circuits')), entry])
    hash.update(readFileSync(file)).update('\0')
  return hash.digest('hex').slice(0, 16)
}

/** Compiles a circuit unless the cache has it. `entry` is a file with a main component. */
export async function circuitOf(
  entry: string,
  name: string,
  progress: Progress = () => {},
): Promise<CircuitFiles> {
  const dir = join(CACHE, `${name}-${sourceHash(entry)}`)
  const base = entry.replace(/^.*\//, '').replace(/\.circom$/, '')
  const files = {
    dir,
    r1csPath: join(dir, `${base}.r1cs`),
    wasmPath: join(dir, `${base}_js`, `${base}.wasm`),
    symPath: join(dir, `${base}.sym`),
  }
  if (existsSync(join(dir, 'compiled'))) return files
  mkdirSync(CACHE, { recursive: true })
  progress(`compiling circuit ${name} (Circom 2.2.3, --O1)`)
  const started = Date.now()
  const fresh = join(CACHE, `.${name}-${randomUUID()}`)
  await compileCircuit({ entry, outDir: fresh, includeDirs: [join(PROJECT_ROOT, 'circuits')] })
  writeFileSync(join(fresh, 'compiled'), '')
  // A folder appears whole or not at all; a second process that was quicker wins.
  try {
    renameSync(fresh, dir)
  } catch {
    rmSync(fresh, { recursive: true, force: true })
  }
  progress(`compiled ${name} in ${((Date.now() - started) / 1000).toFixed(1)} s`)
  return files
}

export function circuitOfShape(shape: Shape, progress?: Progress): Promise<CircuitFiles> {
  return circuitOf(
    join(PROJECT_ROOT, 'circuits', 'shapes', `${shape.name}.circom`),
    shape.name,
    progress,
  )
}

export function hashOfVerificationKey(key: VerificationKeyJson): string {
  const { vk_alpha_1, vk_beta_2, vk_gamma_2, vk_delta_2, IC } = key
  return createHash('sha256')
    .update(JSON.stringify([vk_alpha_1, vk_beta_2, vk_gamma_2, vk_delta_2, IC]))
    .digest('hex')
}

/** The circuit and its DEVELOPMENT key: worthless, anyone can forge proofs for it. */
export async function developmentKeyOf(
  shape: Shape,
  progress: Progress = () => {},
): Promise<ShapeKey> {
  const files = await circuitOfShape(shape, progress)
  const zkeyPath = join(files.dir, `${shape.name}.development.zkey`)
  const verificationKeyPath = join(files.dir, `${shape.name}.development.vkey.json`)
  if (!existsSync(zkeyPath) || !existsSync(verificationKeyPath)) {
    progress(
      `writing DEVELOPMENT key for ${shape.name} (known toxic waste: anyone can forge, local use only)`,
    )
    const started = Date.now()
    const made = await writeDevelopmentKey({ r1csPath: files.r1csPath, zkeyPath, name: shape.name })
    writeWholeFile(verificationKeyPath, JSON.stringify(made.verificationKey, null, 1))
    progress(
      `wrote DEVELOPMENT key for ${shape.name}: ${made.nConstraints} constraints in ${((Date.now() - started) / 1000).toFixed(1)} s`,
    )
  }
  const verificationKey = JSON.parse(
    readFileSync(verificationKeyPath, 'utf8'),
  ) as VerificationKeyJson
  return {
    ...files,
    shape,
    zkeyPath,
    verificationKey,
    verificationKeyPath,
    keyHash: hashOfVerificationKey(verificationKey),
  }
}

/** By its name or, should somebody have given it another, by the mark within. */
export function isDevelopmentKey({ zkeyPath }: Pick<ShapeKey, 'zkeyPath'>): boolean {
  return (
    zkeyPath.endsWith(DEVELOPMENT_SUFFIX) || (existsSync(zkeyPath) && hasDevelopmentMark(zkeyPath))
  )
}

/** Solidity source of the shape's verifier; of a development key it is DevelopmentVerifier<Shape>. */
export async function verifierSource(
  key: ShapeKey,
): Promise<{ readonly name: string; readonly source: string }> {
  const kind = isDevelopmentKey(key) ? 'DevelopmentVerifier' : 'Verifier'
  const name = `${kind}${key.shape.name[0]?.toUpperCase()}${key.shape.name.slice(1)}`
  return { name, source: await exportSolidityVerifier(key.zkeyPath, name) }
}
