/** Which program a snapshot is of: every source that gives records their meaning, and nothing besides. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { programHash } from '../../../sequencer/snapshot/program.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')
let folder: string | null = null
afterEach(() => {
  if (folder !== null) rmSync(folder, { recursive: true, force: true })
  folder = null
})

/** All files that the core is made of, itself included. */
function closureOf(file: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(file)) return found
  found.add(file)
  const imports = readFileSync(file, 'utf8').matchAll(
    /^(?:import|export) (?!type )[^']*'(\.[^']+)'/gms,
  )
  for (const [, path] of imports) closureOf(join(dirname(file), path as string), found)
  return found
}
const closure = [...closureOf(join(ROOT, 'sequencer', 'core.ts'))]
  .map((f) => relative(ROOT, f))
  .sort()

it('is another one when a byte of law, house or libraries is, and the same wherever it lies', () => {
  folder = mkdtempSync(join(tmpdir(), 'cloister-program-'))
  for (const part of ['circuits', 'sequencer', 'package-lock.json'])
    cpSync(join(ROOT, part), join(folder, part), { recursive: true })
  const hash = programHash(ROOT)
  expect(programHash(folder)).toEqual(hash)
  const hashes = new Set([hash.toString('hex')])
  for (const file of [
    'sequencer/core.ts',
    'circuits/tree.ts',
    'circuits/batch.circom',
    'package-lock.json',
  ]) {
    const path = join(folder, file)
    writeFileSync(path, `${readFileSync(path, 'utf8')} `)
    hashes.add(programHash(folder).toString('hex'))
  }
  mkdirSync(join(folder, 'sequencer', 'more'))
  writeFileSync(join(folder, 'sequencer', 'more', 'new.ts'), '')
  hashes.add(programHash(folder).toString('hex'))
  expect(hashes.size).toBe(6)
})

it('covers everything that the core is made of', () => {
  expect(closure.length).toBeGreaterThan(30)
  expect(closure).toContain('circuits/poseidon.ts')
  for (const file of closure) {
    expect(existsSync(join(ROOT, file)), file).toBe(true)
    expect(file).toMatch(/^(circuits|sequencer)\//)
  }
})

it('has no state but that of the core: what modules keep are answers of pure functions, or carried', () => {
  const kept = closure.flatMap((file) => {
    const lines = readFileSync(join(ROOT, file), 'utf8').matchAll(
      /^(?:export )?(?:let (\w+)|const (\w+)[^=]* = new (?:Weak)?(?:Map|Set)\b.*)/gm,
    )
    return [...lines].map(([, one, other]) => `${file} ${one ?? other}`)
  })
  expect(kept.sort()).toEqual(KEPT)
})

/** `verified` is carried, `FLAG_RULES` never changes; `known*`, `windowsOf` and `foundRight` compute again what they do not find. */
const KEPT = [
  'circuits/account.ts knownLeaves',
  'circuits/batch.ts foundRight',
  'circuits/eddsa.ts knownKeys',
  'circuits/page.ts knownHeads',
  'sequencer/admission.ts verified',
  'sequencer/builder.ts FLAG_RULES',
  'sequencer/room.ts windowsOf',
  'sequencer/standing.ts known',
]
