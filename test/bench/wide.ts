/**
 * The law at 36 balances and 32 worlds: constants generated into a copy of circuits/, the mini
 * shape compiled there, and a full batch put through it. A process of its own, because the numbers
 * are read from the environment when circuits/params.ts is loaded.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { circomConstants, shapeCircuit } from '../../circuits/gen-params.ts'
import { SLOT_COUNT, WORLD_COUNT } from '../../circuits/params.ts'
import { PROJECT_ROOT, shapeNamed } from '../../prover/artifacts.ts'
import { compileCircuit } from '../../prover/compile.ts'
import { readR1csInfo } from '../../prover/r1cs.ts'
import { Circuit } from '../law/circuit.ts'
import { fullBatch } from './load.ts'

export const WIDE_SLOTS = 36
export const WIDE_WORLDS = 32

export type WideCost = {
  readonly slots: number
  readonly worlds: number
  readonly shape: string
  readonly constraints: number
  /** Null when a full batch satisfies the circuit, else what its witness failed at. */
  readonly refusal: string | null
}

/** From a copy's lib/ the packages are two folders further away. */
const PACKAGES = '../../node_modules/'
const PACKAGES_OF_COPY = '../../../../../node_modules/'

function copyCircuits(to: string): void {
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })
  cpSync(join(PROJECT_ROOT, 'circuits'), to, {
    recursive: true,
    filter: (source) => !source.endsWith('.ts'),
  })
  for (const file of readdirSync(join(to, 'lib'))) {
    const path = join(to, 'lib', file)
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(PACKAGES, PACKAGES_OF_COPY))
  }
}

async function measure(): Promise<WideCost> {
  const shape = shapeNamed('mini')
  const dir = join(PROJECT_ROOT, '.cache', 'wide', `${SLOT_COUNT}-${WORLD_COUNT}-${process.pid}`)
  const circuits = join(dir, 'circuits')
  try {
    copyCircuits(circuits)
    writeFileSync(join(circuits, 'generated', 'params.circom'), circomConstants())
    const entry = join(circuits, 'shapes', 'mini.circom')
    writeFileSync(entry, shapeCircuit(shape))
    // The packages are named so that the compiler, which sees one folder only, is given the root.
    const made = await compileCircuit({
      entry,
      outDir: join(dir, 'out'),
      includeDirs: [join(PROJECT_ROOT, 'node_modules')],
    })
    const refused = new Circuit({ dir, ...made }).refusal(fullBatch(shape))
    return {
      slots: SLOT_COUNT,
      worlds: WORLD_COUNT,
      shape: shape.name,
      constraints: readR1csInfo(made.r1csPath).nConstraints,
      refusal: refused?.message ?? null,
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Compiles the mini shape at other numbers; needs the time of one compilation of it. */
export async function wideCost(slots = WIDE_SLOTS, worlds = WIDE_WORLDS): Promise<WideCost> {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  const child = spawn(process.execPath, ['--import', tsx, fileURLToPath(import.meta.url)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      CLOISTER_SLOT_COUNT: String(slots),
      CLOISTER_WORLD_COUNT: String(worlds),
    },
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const [answer, complaint, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    ended,
  ])
  if (code !== 0) throw new Error(`${slots} balances, ${worlds} worlds:\n${complaint.trim()}`)
  return JSON.parse(answer) as WideCost
}

if (import.meta.filename === process.argv[1]) {
  process.stdout.write(`${JSON.stringify(await measure())}\n`, () => process.exit(0))
}
