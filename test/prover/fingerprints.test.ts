/**
 * The same sources give the same circuits, keys and verifiers, as fingerprints.json has them.
 *
 * After a change that is meant:
 *   UPDATE_FINGERPRINTS="why it changed" npx vitest run test/prover/fingerprints.test.ts
 * with CLOISTER_LONG=1 for all shapes; without, shapes that were not measured are dropped from the
 * file if the law has changed, since their hashes are of another law.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { PROJECT_ROOT, sourceHash } from '../../prover/artifacts.ts'
import { entryOfCircuit } from '../../prover/circuit-key.ts'
import {
  CIRCUIT_NAMES,
  committedFingerprints,
  differencesFrom,
  fingerprintOf,
  FINGERPRINTS_PATH,
  toolVersions,
  type Fingerprint,
  type Fingerprints,
} from '../../prover/fingerprints.ts'
import { shutdown } from '../../prover/groth16.ts'

const why = process.env['UPDATE_FINGERPRINTS']
const isLong = process.env['CLOISTER_LONG'] === '1'
const FIRST: Fingerprints = { tools: {}, shapes: {}, changes: [] }
const committed = existsSync(FINGERPRINTS_PATH) ? committedFingerprints() : FIRST
const REFRESH =
  'if this is meant: UPDATE_FINGERPRINTS="why" npx vitest run test/prover/fingerprints.test.ts'
const measured: Record<string, Fingerprint> = {}

/** Circuits whose development keys and verifiers are committed as well: those of a local house. */
const WITH_KEYS = ['mini', 'small', 'entry', 'escape', 'escape-settled', 'sweep-small']

/** What an earlier run left costs nothing to compare. */
function isCached(name: string, file = 'compiled'): boolean {
  const entry = entryOfCircuit(name) ?? ''
  const folder = join(PROJECT_ROOT, '.cache', 'circuits', `${name}-${sourceHash(entry)}`)
  return existsSync(join(folder, file))
}
const isKeyCached = (name: string): boolean => isCached(name, `${name}.development.vkey.json`)

afterAll(shutdown)

it('mini, compiled anew, has its committed fingerprint, key and verifier', async () => {
  measured['mini'] = await fingerprintOf('mini', { withKey: true, isFresh: true })
  if (why === undefined)
    expect(differencesFrom(committed.shapes['mini'], measured['mini']), REFRESH).toEqual([])
}, 900_000)

it('the claim of most accounts, compiled anew, has its own', async () => {
  measured['escape'] = await fingerprintOf('escape', { withKey: true, isFresh: true })
  if (why === undefined)
    expect(differencesFrom(committed.shapes['escape'], measured['escape']), REFRESH).toEqual([])
}, 900_000)

it.for(CIRCUIT_NAMES.filter((name) => name !== 'mini' && name !== 'escape'))(
  '%s has its committed fingerprint',
  { timeout: 1_800_000 },
  async (name, context) => {
    if (!isLong && !isCached(name))
      return context.skip(`${name} is not compiled here; CLOISTER_LONG=1 compiles it`)
    const withKey = WITH_KEYS.includes(name) && (isLong || why !== undefined || isKeyCached(name))
    const found = await fingerprintOf(name, { withKey })
    measured[name] = found
    if (why === undefined)
      expect(differencesFrom(committed.shapes[name], found), REFRESH).toEqual([])
  },
)

it('every circuit that a house may have a verifier of has a committed fingerprint', () => {
  expect(CIRCUIT_NAMES.filter((name) => committed.shapes[name] === undefined)).toEqual([])
  expect(CIRCUIT_NAMES).toContain('sweep-wide')
})

it('those that a local house has verifiers of have committed keys and verifiers, too', () => {
  for (const name of WITH_KEYS)
    expect(committed.shapes[name]?.developmentKey, name).toEqual({
      keyHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      verifierSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    })
})

it('the tools are those that made the fingerprints', () => {
  if (why === undefined) expect(committed.tools, REFRESH).toEqual(toolVersions())
})

it.runIf(why === undefined)('the last change in the list is the one that led here', () => {
  const last = committed.changes.at(-1)
  expect(last?.miniR1csSha256).toBe(committed.shapes['mini']?.r1csSha256)
  for (const change of committed.changes) expect(change.why.length).toBeGreaterThan(10)
})

it('a fingerprint that differs in one thing is told', () => {
  const key = { keyHash: 'a', verifierSha256: 'b' }
  const print: Fingerprint = { constraints: 1, r1csSha256: 'c', developmentKey: key }
  expect(differencesFrom(print, print)).toEqual([])
  expect(differencesFrom(undefined, print)).toHaveLength(1)
  expect(differencesFrom(print, { constraints: 1, r1csSha256: 'c' })).toEqual([])
  for (const other of [
    { ...print, constraints: 2 },
    { ...print, r1csSha256: 'd' },
    { ...print, developmentKey: { ...key, keyHash: 'd' } },
    { ...print, developmentKey: { ...key, verifierSha256: 'd' } },
  ])
    expect(differencesFrom(print, other)).toHaveLength(1)
})

it.runIf(why !== undefined)('fingerprints.json is written', () => {
  const mini = measured['mini']?.r1csSha256 ?? ''
  const isSameLaw = committed.shapes['mini']?.r1csSha256 === mini
  if (!isSameLaw) expect(why?.length, 'say why: UPDATE_FINGERPRINTS="..."').toBeGreaterThan(10)
  const known = isSameLaw ? committed.shapes : {}
  const shapes = Object.fromEntries(
    CIRCUIT_NAMES.flatMap((name) => {
      const print = { ...known[name], ...measured[name] }
      return print.r1csSha256 === undefined ? [] : [[name, print]]
    }),
  )
  const changes = isSameLaw
    ? committed.changes
    : [...committed.changes, { why: why ?? '', miniR1csSha256: mini }]
  const all = { tools: toolVersions(), shapes, changes }
  writeFileSync(FINGERPRINTS_PATH, `${JSON.stringify(all, null, 2)}\n`)
})
