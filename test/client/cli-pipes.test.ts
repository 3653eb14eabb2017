/** The command as a shell runs it: what it prints arrives whole, however slowly it is read. */
import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PROJECT_ROOT } from '../../prover/artifacts.ts'
import { until } from '../until.ts'
import { findPostgres, startPostgres, type TestPostgres } from '../postgres.ts'

const BIN = join(PROJECT_ROOT, 'client', 'bin', 'cloister.mjs')
const BOOKS = 5000
let folder: string
let file: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloister-pipes-'))
  file = join(folder, 'books.json')
  const profits = Array.from({ length: 16 }, (_, i) => 100 * i)
  const book = (i: number) => ({
    id: `span-${i}`,
    rule: 'max loss over 16',
    inputs: { pnl_long_future: profits, qty: { future: 1 } },
  })
  writeFileSync(file, JSON.stringify(Array.from({ length: BOOKS }, (_, i) => book(i))))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs it with a pipe whose reader begins late, and may leave after some bytes. */
function run(stdout: 'pipe' | number, leaveAfter = Infinity) {
  const child = spawn(process.execPath, [BIN, 'risk', 'scenarios', file], {
    stdio: ['ignore', stdout, 'pipe'],
  })
  let [out, err] = ['', '']
  child.stderr!.on('data', (part: Buffer) => (err += part.toString()))
  const reading = setTimeout(() => {
    child.stdout?.on('data', (part: Buffer) => {
      out += part.toString()
      if (out.length > leaveAfter) child.stdout?.destroy()
    })
  }, 1500)
  return new Promise<{ code: number | null; out: string; err: string }>((done) =>
    child.on('close', (code) => {
      clearTimeout(reading)
      done({ code, out, err })
    }),
  )
}

test('more than a pipe holds arrives whole', async () => {
  const { code, out, err } = await run('pipe')
  expect([code, err]).toEqual([0, ''])
  // A pipe of Linux holds 65,536 bytes.
  expect(out.length).toBeGreaterThan(5 * 65_536)
  expect((JSON.parse(out) as unknown[]).length).toBe(BOOKS)
})

test('a reader that leaves, as head does, is no error', async () => {
  const { code, err } = await run('pipe', 1000)
  expect([code, err]).toEqual([0, ''])
})

test.skipIf(!existsSync('/dev/full'))('a full disk is said in one line', async () => {
  const { code, err } = await run(openSync('/dev/full', 'w'))
  expect(code).toBe(2)
  expect(err).toMatch(/^cloister: the answer could not be written, [^\n]*\n$/)
})

const found = findPostgres()
describe.skipIf('missing' in found)('a prover whose log takes nothing', () => {
  let server: TestPostgres
  beforeAll(async () => {
    if ('bin' in found) server = await startPostgres(found.bin)
  })
  afterAll(() => server?.stop())

  /** Works without a shape, which needs no keys, until it is told to stop. */
  async function stopped(name: string, stderr: 'pipe' | number): Promise<string> {
    const url = await server.database(name)
    const child = spawn(process.execPath, [BIN, 'prover', 'work', '--shapes', ','], {
      stdio: ['ignore', 'pipe', stderr],
      env: { ...process.env, CLOISTER_JOBS: url, CLOISTER_PROVER_KEY: 'ab'.repeat(32) },
    })
    // Nobody reads it from the first line on.
    child.stderr?.destroy()
    let out = ''
    child.stdout!.on('data', (part: Buffer) => (out += part.toString()))
    const ended = new Promise<string>((done) =>
      child.on('close', (code, signal) => done(`${out}${signal ?? code}`)),
    )
    const jobs = postgres(url, { max: 1, onnotice: () => {} })
    // It is announced, and thus has said that it waits for jobs. There are no tables at first.
    await until(async () => {
      const rows = await jobs`select 1 from cloister_prover.workers`.catch(() => [])
      return rows.length > 0
    })
    await jobs.end()
    child.kill('SIGTERM')
    return ended
  }

  test.skipIf(!existsSync('/dev/full'))('because its disk is full works on', async () => {
    const full = openSync('/dev/full', 'w')
    expect(await stopped('full_disk', full)).toBe('stopped\n0')
    closeSync(full)
  })
  test('because its reader is gone works on', async () => {
    expect(await stopped('no_reader', 'pipe')).toBe('stopped\n0')
  })
})
