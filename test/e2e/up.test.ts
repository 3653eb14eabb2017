/** `cloister up` as a member and an operator meet it: its directory, its ends, and what it never tells. */
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memberKeys, readSeedFile } from '../../client/keys.ts'
import { Folder } from '../../client/up/folder.ts'
import { up, type Up } from '../../client/up/up.ts'
import { cloister } from '../client/command.ts'
import { freePort } from '../free-port.ts'
import { until } from '../until.ts'

/** Lots and micro-dollars that stand nowhere by chance. */
const LOTS = 31_415_926
const PRICE = '76.543219'
const NUMBERS = [LOTS, 76543219]
/**
 * As a text has a number, alone in hexadecimal digits or at the end of a word of L1: not within the digits
 * of something longer. In a million digits of ciphertext seven are found by chance, once in a few
 * hundred runs; and at the head of a hash or an address, once in a hundred thousand.
 */
const CANARIES: readonly RegExp[] = [
  ...NUMBERS.map((number) => new RegExp(`(?<![0-9a-f.])${number}(?![0-9a-f])`)),
  ...NUMBERS.map((number) => new RegExp(`0x0*${number.toString(16)}(?![0-9a-f])`)),
  ...NUMBERS.map((number) => new RegExp(`0{32}${number.toString(16)}`)),
  new RegExp(PRICE.replace('.', '\\.')),
]

const folder = mkdtempSync(join(tmpdir(), 'cloister-up-'))
const data = join(folder, 'house')
const members = { ANN: join(folder, 'ANN'), BEN: join(folder, 'BEN') } as const
const before = { ...process.env }
let house: Up
let port: number
const notes: string[] = []

async function open(directory = data): Promise<Up> {
  return up({
    data: directory,
    port,
    cadence: 1,
    tables: 600,
    shapes: ['mini'],
    exits: [],
    note: (line) => notes.push(line),
    sequencer: 'test/e2e/up-sequencer.ts',
  })
}
/** A command that must be done; its JSON. */
async function as(name: keyof typeof members, ...argv: readonly string[]) {
  const all = [...argv, '--dir', members[name], '--data', data, '--json', '--timeout', '800']
  const { code, out, err } = await cloister(...all)
  if (code !== 0) throw new Error(`${argv.join(' ')}: ${out}${err}`)
  return JSON.parse(out) as Record<string, unknown>
}
const cashOf = async (name: keyof typeof members) =>
  (await as(name, 'account', 'show', name))['cash']

async function trade(leg: string): Promise<void> {
  const proposed = await as('ANN', 'trade', 'propose', 'ANN', '17', leg, '--no-wait')
  const id = String(proposed['id'])
  await Promise.all([
    as('BEN', 'trade', 'affirm', 'BEN', id),
    (async () => {
      for (let signed = 0; signed === 0;) {
        await new Promise((resolve) => setTimeout(resolve, 300))
        signed = ((await as('ANN', 'trade', 'sign', 'ANN'))['trades'] as unknown[]).length
      }
    })(),
  ])
}
const number = async (name: string): Promise<number> => {
  const text = await (await fetch(`${house.operatorUrl}/metrics`)).text()
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1],
  )
}
function filesIn(path: string): readonly string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => join(path, name))
    .filter((name) => statSync(name).isFile())
}

beforeAll(async () => {
  process.env['CLOISTER_DAY'] = join(folder, 'day.json')
  process.env['TEST_PROOF_MILLISECONDS'] = '0'
  mkdirSync(join(folder, 'temporary'))
  process.env['TMPDIR'] = join(folder, 'temporary')
  port = await freePort(3)
  house = await open()
})
afterAll(async () => {
  await house?.stop()
  for (const name of ['CLOISTER_DAY', 'TEST_PROOF_MILLISECONDS', 'TMPDIR'])
    if (before[name] === undefined) delete process.env[name]
    else process.env[name] = before[name]
  rmSync(folder, { recursive: true, force: true })
})

describe('a house that is kept', () => {
  it('says what its first start waits for', () => {
    expect(notes).toContain('sequencer: compiling the contracts (solc)')
  })
  it('lets two members trade and one withdraw, by command line', async () => {
    for (const name of ['ANN', 'BEN'] as const) {
      await as(name, 'account', 'new', name, '--dollars', '20000000000')
      await as(name, 'deposit', name, '10000000000')
    }
    await trade(`BTC-27MAR20:${LOTS}@${PRICE}`)
    await until(async () => (await number('cloister_queue_pages')) === 0)
    const shown = await as('ANN', 'account', 'show', 'ANN')
    expect(shown['balances']).toMatchObject([{ instrument: 'BTC-27MAR20', lots: `${LOTS}` }])
    const { claimed } = await as('BEN', 'withdraw', 'BEN', '100.25')
    expect(claimed).toMatchObject([{ microDollars: '100250000' }])
  })

  it('says what an operator wants to know, to this machine only', async () => {
    // On a crowded machine its last look at L1 may be a while ago.
    let ready: Response | null = null
    await until(async () => (ready = await fetch(`${house.operatorUrl}/ready`)).status === 200)
    expect(await (ready as unknown as Response).json()).toEqual({ ready: true, reasons: [] })
    expect(await (await fetch(`${house.operatorUrl}/health`)).json()).toEqual({ alive: true })
    expect((await fetch(`${house.operatorUrl}/`)).status).toBe(404)
    expect((await fetch(`${house.operatorUrl}/ready`, { method: 'POST' })).status).toBe(405)
    expect(new URL(house.operatorUrl).hostname).toBe('127.0.0.1')
    expect((await fetch(`${house.url}/metrics`)).status).toBe(404)
    expect(await number('cloister_pages_total{outcome="accepted"}')).toBe(2)
    expect(await number('cloister_pages_total{outcome="waiting"}')).toBe(1)
    expect(await number('cloister_batch_number')).toBeGreaterThan(2)
    await until(async () => (await number('cloister_l1_lag_blocks')) < 5)
    expect(await number('cloister_gas_total')).toBeGreaterThan(100_000)
    expect(await number('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0)
  })
})

describe('after kill -9 of all its processes', () => {
  it('goes on with everything that was acknowledged, a batch in flight included', async () => {
    await house.stop()
    process.env['TEST_PROOF_MILLISECONDS'] = '3600000'
    process.env['CLOISTER_STOP_SECONDS'] = '1'
    house = await open()
    delete process.env['CLOISTER_STOP_SECONDS']
    const cash = await cashOf('ANN')
    await trade('BTC-27MAR20:-1@76.5')
    await until(async () => (await number('cloister_proof_lag_seconds')) > 0)
    const contract = house.contract
    const batch = await number('cloister_batch_number')
    // A stop that does not wait for the proof leaves the batch to the next start, which has it again.
    await house.stop()
    expect(readFileSync(join(data, 'logs/sequencer.log'), 'utf8')).toContain(
      'the batch in flight is left to the next start',
    )
    house = await open()
    expect(await number('cloister_batch_number')).toBe(batch)
    expect(await number('cloister_queue_pages')).toBe(2)
    await house.kill()
    process.env['TEST_PROOF_MILLISECONDS'] = '0'
    house = await open()
    expect([house.contract, house.isNew]).toEqual([contract, false])
    await until(async () => (await number('cloister_batch_number')) === batch + 1)
    // One lot sold at 76.50, and the fee of a page.
    expect(await cashOf('ANN')).toBe(String(BigInt(String(cash)) + 76_500_000n - 250_000n))
    const { batches, sameTable } = await as('ANN', 'status')
    expect([(batches as unknown[]).length, sameTable]).toEqual([batch + 1, true])
  })

  it('cuts what was torn off the end of the log of L1, and nothing else', async () => {
    await house.stop()
    appendFileSync(join(data, 'l1.chain'), '0123456789abcdef {"time":1,"meth')
    notes.length = 0
    house = await open()
    expect(notes.join('\n')).toContain('32 bytes of a write that never ended were cut')
    expect(await cashOf('BEN')).toBeDefined()
  })
})

describe('nobody is told what was traded', () => {
  it('in no file but the members own, neither in the clear nor in calldata', async () => {
    // The positive: with the key the journal does say it.
    const out = join(folder, 'export.jsonl')
    await house.stop()
    const exported = await cloister('journal', 'export', join(data, 'journal'), '--out', out)
    expect(exported.code).toBe(0)
    expect(readFileSync(out, 'utf8')).toContain(`"${LOTS}"`)
    rmSync(out)
    const seeds = Object.entries(members).map(([name, dir]) =>
      memberKeys(readSeedFile(join(dir, 'seed')), name),
    )
    const secrets = seeds.flatMap(({ viewKey, depositSecret }) =>
      [viewKey, depositSecret(0)].flatMap((word) => [word.toString(), word.toString(16)]),
    )
    expect(secrets).toHaveLength(8)
    const files = [...filesIn(data), ...filesIn(join(folder, 'temporary'))]
    for (const name of ['l1.chain', 'logs/sequencer.log', 'logs/oracle.log', 'house.json'])
      expect(files).toContain(join(data, name))
    expect(files.some((name) => name.endsWith('.segment'))).toBe(true)
    const found = files.flatMap((name) => {
      const bytes = readFileSync(name)
      const text = bytes.toString('latin1').toLowerCase()
      const told = CANARIES.filter((canary) => canary.test(text)).map(String)
      return [...told, ...secrets.filter((one) => text.includes(one))].map((one) => [name, one])
    })
    expect(found).toEqual([])
    house = await open()
  })

  it('in no metric, no readiness, no command line of a process', async () => {
    const metrics = await (await fetch(`${house.operatorUrl}/metrics`)).text()
    const ready = await (await fetch(`${house.operatorUrl}/ready`)).text()
    // Bytes of memory and seconds of the processor are any number.
    const told = metrics.split('\n').filter((line) => !/^(nodejs|process)_/.test(line))
    for (const canary of CANARIES) expect(told.join('\n') + ready).not.toMatch(canary)
    expect(metrics).not.toMatch(/account|instrument/)
    if (!existsSync('/proc/self/cmdline')) return
    const { operator, admin, feeAccountViewKey } = JSON.parse(
      readFileSync(join(data, 'keys.json'), 'utf8'),
    ) as Record<string, string>
    const lines = execFileSync('ps', ['-eo', 'args']).toString()
    expect(lines).toContain('up-sequencer.ts')
    for (const secret of [operator, admin, feeAccountViewKey]) expect(lines).not.toContain(secret)
  })

  it('with files that are readable by their owner alone', () => {
    for (const name of ['keys.json', 'journal.key', 'l1.chain', 'logs/sequencer.log'])
      expect(statSync(join(data, name)).mode & 0o077).toBe(0)
    expect(statSync(data).mode & 0o077).toBe(0)
  })
})

describe('a command finds the house', () => {
  const status = async (...argv: readonly string[]) => {
    const { code, out, err } = await cloister('status', '--json', ...argv)
    return code === 0 ? (JSON.parse(out) as { house: string }).house : `${out}${err}`
  }

  it('by its directory, by its address, by either variable, or as the one started last', async () => {
    const found: string[] = [await status('--data', data), await status('--house', house.url)]
    for (const [name, value] of [
      ['CLOISTER_DATA', data],
      ['CLOISTER_HOUSE', house.url],
    ] as const) {
      process.env[name] = value
      // What is named on the command line goes before it.
      found.push(await status())
      expect(await status('--house', 'http://127.0.0.1:1')).toContain('is it running?')
      delete process.env[name]
    }
    found.push(await status())
    expect(found).toEqual(Array.from({ length: 5 }, () => house.url))
  })

  it('or says where it looked', async () => {
    const nowhere = join(folder, 'nowhere')
    expect(await status('--data', nowhere)).toContain(`looked in ${join(nowhere, 'run.json')}`)
  })
})

describe('a process of it that ends by itself', () => {
  it('is named, with the file that says why; nothing is lost', async () => {
    const list = execFileSync('ps', ['-eo', 'pid,ppid,args']).toString().split('\n')
    const child = list
      .map((line) => line.trim().split(/\s+/))
      .find(([, parent, ...args]) => {
        return parent === String(process.pid) && args.join(' ').includes('standing-process')
      })
    process.kill(Number(child?.[0]), 'SIGKILL')
    expect(await house.broken).toMatch(/^oracle ended with code null: .*oracle\.log says why$/)
    const batch = await number('cloister_batch_number')
    await house.kill()
    house = await open()
    expect(await number('cloister_batch_number')).toBe(batch)
  })
})

describe('what cannot be started is said in a sentence', () => {
  it.each([
    [['up'], 'name the directory of the house: --data DIR'],
    [['up', '--data', 'x', '--shape', 'tiny'], '--shape must be one of mini, small'],
    [['up', '--data', 'x', '--port', '65534'], '--port must be a number from 1 to 65533'],
    [['up', '--data', 'x', '--cadence', '0'], '--cadence must be a number from 1 to 86400'],
  ])('%j', async (argv, says) => {
    const { code, err } = await cloister(...argv)
    expect([code, err]).toEqual([2, expect.stringContaining(says)])
    expect(existsSync('x')).toBe(false)
  })

  const other = (path: string, shapes = ['mini']) => Folder.open(path, shapes)

  it('a port that is taken', async () => {
    await expect(open(join(folder, 'another'))).rejects.toThrow(
      `port ${port} must be free for the members' port`,
    )
  })
  it('a directory that another process keeps', () => {
    const path = copyOf('locked')
    writeFileSync(join(path, 'lock'), '1\n')
    expect(() => other(path)).toThrow(/must be free: process 1 keeps a house in it/)
  })
  it('a house that runs already: before its own ports are found taken', async () => {
    const path = copyOf('running')
    writeFileSync(join(path, 'lock'), '1\n')
    const { code, err } = await cloister('up', '--data', path, '--port', `${port}`)
    expect([code, err]).toEqual([2, expect.stringContaining('process 1 keeps a house in it')])
  })
  it('a directory of another version, or of other shapes, or of something else', () => {
    const path = copyOf('versions')
    expect(() => other(path, ['small', 'entry'])).toThrow('was made with the shapes mini')
    writeFileSync(join(path, 'house.json'), '{"format":2,"state":"open","shapes":["mini"]}')
    expect(() => other(path)).toThrow(/must be of format 1; it is of format 2/)
    writeFileSync(join(path, 'house.json'), '{"format"')
    expect(() => other(path)).toThrow(/house.json is damaged/)
    const foreign = join(folder, 'foreign')
    mkdirSync(foreign)
    writeFileSync(join(foreign, 'letter.txt'), '')
    expect(() => other(foreign)).toThrow(/must be empty or hold a house: it holds letter.txt/)
    expect(readdirSync(foreign)).toEqual(['letter.txt'])
  })
  it('a part that is missing or damaged: nothing is made anew in its place', () => {
    for (const name of ['l1.chain', 'journal', 'journal.key', 'keys.json']) {
      const path = copyOf(`without-${name}`)
      rmSync(join(path, name), { recursive: true })
      expect(() => other(path)).toThrow(`${join(path, name)} must be there and readable`)
      expect(existsSync(join(path, name))).toBe(false)
    }
    const path = copyOf('bad-keys')
    writeFileSync(join(path, 'keys.json'), '{}')
    expect(() => other(path)).toThrow(/keys.json is damaged/)
  })
  it('an L1 or a journal in which a byte has changed', async () => {
    await house.stop()
    const chain = join(data, 'l1.chain')
    const segment = filesIn(join(data, 'journal')).find((name) =>
      name.endsWith('.segment'),
    ) as string
    for (const [file, says] of [
      [chain, /l1.chain is damaged at line \d+ of \d+/],
      [segment, /JournalMustBeWhole/],
    ] as const) {
      copyFileSync(file, `${folder}/kept`)
      const bytes = readFileSync(file)
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1
      writeFileSync(file, bytes)
      await expect(open()).rejects.toThrow(says)
      copyFileSync(`${folder}/kept`, file)
    }
    house = await open()
  })

  it('while a first start that did not end is begun again', () => {
    const path = join(folder, 'begun')
    const first = Folder.open(path, ['mini'])
    writeFileSync(join(path, 'l1.chain'), 'half')
    first.release()
    const second = Folder.open(path, ['mini'])
    expect([second.isNew, existsSync(join(path, 'l1.chain'))]).toEqual([true, false])
    expect(second.keys.operator).not.toBe(first.keys.operator)
    second.release()
  })

  function copyOf(name: string): string {
    const path = join(folder, name)
    cpSync(data, path, { recursive: true, filter: (from) => !from.endsWith('/lock') })
    return path
  }
})
