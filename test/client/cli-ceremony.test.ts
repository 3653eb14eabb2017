/** `cloister ceremony` and `cloister circuits` as typed: words, JSON, exit codes. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { cloister } from './command.ts'
import { PROJECT_ROOT } from '../../prover/artifacts.ts'
import { blake2bOf } from '../../prover/ceremony/phase1.ts'
import { deriveToxicWaste } from '../../prover/dev-key.ts'
import { writeKnownPtau } from '../prover/known-ptau.ts'

const CIRCUIT = join(PROJECT_ROOT, 'test', 'prover', 'circuits', 'opening.circom')
const SECRET_TEXT = 'ab'.repeat(32)
let dir: string
let phase1: readonly string[]
const at = (file: string): string => join(dir, file)

async function run(...argv: readonly string[]) {
  const ran = await cloister(...argv)
  const json = argv.includes('--json') ? (JSON.parse(ran.out) as Record<string, unknown>) : {}
  return { ...ran, json }
}

beforeAll(async () => {
  mkdirSync(join(PROJECT_ROOT, '.cache'), { recursive: true })
  dir = mkdtempSync(join(PROJECT_ROOT, '.cache', 'test-cli-ceremony-'))
  writeKnownPtau(at('known.ptau'), 9, deriveToxicWaste('cli', Buffer.alloc(32)))
  phase1 = ['--phase1', at('known.ptau'), '--phase1-hash', await blake2bOf(at('known.ptau'))]
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

it('leads through a ceremony', async () => {
  const init = await run(
    ...['ceremony', 'init', CIRCUIT, at('0.zkey'), ...phase1, '--party', 'Ann', 'Ben', '--json'],
    ...['--beacon-source', 'a block to come'],
  )
  expect(init).toMatchObject({ code: 0, json: { ok: true } })
  const ann = await run(
    ...['ceremony', 'contribute', at('0.zkey'), at('1.zkey'), '--name', 'Ann', '--json'],
  )
  const ben = await run('ceremony', 'contribute', at('1.zkey'), at('2.zkey'), '--name', 'Ben')
  expect(ben.code).toBe(0)
  const [, hashOfBen = ''] = /Ben ([0-9a-f]{128})/.exec(ben.out) ?? []
  const beacon = ['ceremony', 'beacon', at('2.zkey'), at('3.zkey'), '--value', `0x${SECRET_TEXT}`]
  expect((await run(...beacon)).code).toBe(0)
  const good = await run(
    ...['ceremony', 'verify', CIRCUIT, at('3.zkey'), ...phase1, '--json', '--beacon', SECRET_TEXT],
    ...['--announcement', String(init.json['announcement'])],
    ...['--published', String(ann.json['contributionHash']), hashOfBen],
  )
  expect(good).toMatchObject({ code: 0, json: { ok: true, verdict: 'held' } })
  const exported = await run('ceremony', 'export', at('3.zkey'), '--out', at('keys'), '--json')
  expect(exported.json['keyHash']).toBe(good.json['keyHash'])
})

it('answers 1 and says so for a key that is not good, 2 for what it cannot do', async () => {
  const bad = await run('ceremony', 'verify', CIRCUIT, at('0.zkey'), ...phase1)
  expect(bad.code).toBe(1)
  expect(bad.out).toContain('FAILED KeyMustBeContributedTo')
  expect(bad.out).toContain('DO NOT USE THIS KEY')
  const again = await run(
    ...['ceremony', 'contribute', at('0.zkey'), at('1.zkey'), '--name', 'Ann', '--json'],
  )
  expect(again).toMatchObject({ code: 1, json: { rule: 'StepMustNotOverwrite' } })
  const early = await run('ceremony', 'export', at('0.zkey'), '--out', at('keys'), '--json')
  expect(early).toMatchObject({ code: 1, json: { rule: 'KeyMustBeContributedTo' } })
  copyFileSync(at('known.ptau'), at('mine.ptau'))
  const unpinned = await run('ceremony', 'prepare', '--from', at('mine.ptau'), '--json')
  expect(unpinned).toMatchObject({ code: 1, json: { rule: 'PhaseOneMustBePinned' } })
  expect((await run('ceremony', 'prepare')).code).toBe(2)
  expect((await run('ceremony', 'prepare', '--power', '7')).code).toBe(2)
  expect(
    (await run('ceremony', 'contribute', at('none.zkey'), at('x.zkey'), '--name', 'A')).code,
  ).toBe(2)
})

it('ends, and leaves nothing, where the disk is full or a step was interrupted', async (context) => {
  if (!existsSync('/dev/full')) return context.skip('there is no /dev/full on this system')
  symlinkSync('/dev/full', `${at('full.zkey')}.${process.pid}.partial`)
  const full = await run('ceremony', 'contribute', at('0.zkey'), at('full.zkey'), '--name', 'Ann')
  expect(full.code).toBe(2)
  expect(full.err).toContain('the disk is full')
  expect(readdirSync(dir).filter((name) => name.startsWith('full'))).toEqual([])
  copyFileSync(at('1.zkey'), at('left.zkey'))
  const left = await run('ceremony', 'contribute', at('0.zkey'), at('left.zkey'), '--name', 'Ann')
  expect(left.code).toBe(1)
  expect(left.err).toContain('it has no transcript')
})

it('says whether the circuits are the committed ones', async () => {
  const same = await run('circuits', 'mini', '--json')
  expect(same).toMatchObject({ code: 0, json: { asCommitted: true } })
  expect((await run('circuits', 'nano')).code).toBe(2)
})
