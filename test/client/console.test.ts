/** The command as a program meets it: one stream of JSON, seeds from a pipe, streams that end. */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runOnConsole } from '../../client/cli/console.ts'
import { findHouse } from '../../client/cli/day.ts'
import { plain } from '../../client/cli/plain.ts'
import { keepUp } from '../../client/cli/up.ts'
import { readSeedFile } from '../../client/keys.ts'
import type { Up } from '../../client/up/up.ts'
import { cloister } from './command.ts'

const BIN = join(import.meta.dirname, '../../client/bin/cloister.mjs')
const SEED = '5a'.repeat(32)
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloister-console-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('with --json', () => {
  it.each([[['account']], [['exit']], [['disclose']], [[]]])(
    'a command that is not named is an answer, too: %j',
    async (argv) => {
      const { code, out, err } = await cloister(...argv, '--json')
      expect([code, err]).toEqual([2, ''])
      expect(JSON.parse(out)).toEqual({
        ok: false,
        exitCode: 2,
        rule: null,
        message: 'a command must be named: --help lists them',
      })
    },
  )
  it('without it the help stands on stderr, as before', async () => {
    const { code, out, err } = await cloister('account')
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain('Usage: cloister account')
  })
  it('the version is an object', async () => {
    expect(JSON.parse((await cloister('--version', '--json')).out)).toMatchObject({ ok: true })
    expect((await cloister('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})

describe('a house that is kept', () => {
  const house: Up = {
    url: 'http://127.0.0.1:8600',
    rpcUrl: 'http://127.0.0.1:8601',
    operatorUrl: 'http://127.0.0.1:8602',
    contract: `0x${'ab'.repeat(20)}`,
    isNew: false,
    batch: 7,
    broken: Promise.resolve('oracle ended with code 1'),
    stop: async () => {},
    kill: async () => {},
  }
  const keep = async (json: boolean) => {
    const told: unknown[] = []
    const notes: string[] = []
    const options = {
      ...{ json, data: folder, timeout: 1, port: '8600', cadence: '15', tables: '600' },
      ...{ shape: 'small', note: (line: string) => void notes.push(line) },
      tell: (_text: string, one: unknown) => void told.push(one),
    }
    await expect(keepUp(options, async () => house)).rejects.toThrow('oracle ended with code 1')
    return { told, notes: notes.join('\n') }
  }
  it('tells a program once, when it is open, where it is; people read it in words', async () => {
    expect((await keep(true)).told).toEqual([
      {
        ok: true,
        ready: true,
        url: house.url,
        rpc: house.rpcUrl,
        operator: house.operatorUrl,
        contract: house.contract,
        data: folder,
        new: false,
        batch: '7',
        pid: process.pid,
      },
    ])
    const { told, notes } = await keep(false)
    expect(told).toEqual([])
    expect(notes).toContain('the house is open again, after batch 7')
  })
})

describe('a seed from a pipe', () => {
  it('is read whole; a directory, or too much, is named', () => {
    const run = (input: string, ...more: readonly string[]) =>
      spawnSync(
        process.execPath,
        [
          BIN,
          'rebuild',
          '--rpc',
          'http://127.0.0.1:1',
          '--contract',
          `0x${'11'.repeat(20)}`,
        ].concat(['--json'], more),
        { input, encoding: 'utf8' },
      )
    const message = (ran: { readonly stdout: string }): string =>
      (JSON.parse(ran.stdout) as { message: string }).message
    // Past the key: what fails is the node.
    expect(message(run(SEED, '--key', '-', '--label', 'ANN'))).toContain('could not be read')
    expect(message(run(SEED, '--key', '-'))).toContain('give it with --label')
    expect(message(run(`${SEED}00`, '--key', '-', '--label', 'ANN'))).toContain('64 hex digits')
  })
  it('and a file of it, by the same rules as before', () => {
    const path = join(folder, 'seed')
    writeFileSync(path, `${SEED}\n`, { mode: 0o600 })
    expect(() => readSeedFile(path)).not.toThrow()
    chmodSync(path, 0o640)
    expect(() => readSeedFile(path)).toThrow('has mode 0640')
    expect(() => readSeedFile(folder)).toThrow('is a directory')
    expect(() => readSeedFile('/dev/null')).toThrow()
  })
})

describe('an answer that cannot be written', () => {
  const streamThat = (fails: string | null): Writable =>
    new Writable({
      write: (_chunk, _encoding, done) =>
        done(fails === null ? null : Object.assign(new Error(fails), { code: fails })),
    })
  it('is exit code 2: on a full disk, but not for a reader that has left', async () => {
    const code = (fails: string | null) =>
      runOnConsole(['--version'], { out: streamThat(fails), err: streamThat(fails) })
    expect([await code(null), await code('EPIPE'), await code('ENOSPC')]).toEqual([0, 0, 2])
  })
  it('is said by the process itself', (test) => {
    if (!existsSync('/dev/full')) return test.skip('no /dev/full on this machine')
    const { status, stderr } = spawnSync(
      'sh',
      ['-c', `"${process.execPath}" "${BIN}" --version > /dev/full`],
      {
        encoding: 'utf8',
      },
    )
    expect(status).toBe(2)
    expect(stderr).toMatch(/^cloister: the answer could not be written.*ENOSPC.*\n$/)
  })
  it('ends no process that goes on', async () => {
    const child = spawn(process.execPath, [BIN, '--version'], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    let told = ''
    child.stderr.on('data', (part: Buffer) => (told += String(part)))
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect([code, told]).toEqual([0, ''])
  })
})

describe('what a terminal would obey', () => {
  it('is shown and not obeyed, in answers, notes and refusals', async () => {
    expect(plain('a\u001b[2Jb\rc\u009bd\u202ee\u2066f\u0007')).toBe(
      'a\ufffd[2Jb\ufffdc\ufffdd\ufffde\ufffdf\ufffd',
    )
    const fine = 'two\nlines\tof \u00e9, \u4e2d, \u05d0, \u200d and 0x1f\n'
    expect(plain(fine)).toBe(fine)
    const { err } = await cloister('deposit', 'ANN', '5\u001b[1A\u001b[2K$1,000,000 credited')
    expect(err).toContain('5\ufffd[1A')
    expect(err).not.toContain('\u001b')
  })
})

describe('a variable that is set to nothing', () => {
  it('is not set', async () => {
    const before = { ...process.env }
    Object.assign(process.env, { CLOISTER_DATA: '', CLOISTER_HOUSE: '', CLOISTER_DAY: '/nowhere' })
    try {
      const common = { json: false, timeout: 1, note: () => {} }
      await expect(findHouse(common)).rejects.toThrow('looked in /nowhere)')
    } finally {
      process.env = before
    }
  })
})
