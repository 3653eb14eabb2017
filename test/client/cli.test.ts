/** The cloister command without a house: what it teaches, refuses, answers. No proofs, no chain. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { cloister } from './command.ts'
import { failureOf, fileTrouble, RefusedByRule } from '../../client/cli/failures.ts'
import type { OpenedKey } from '../../client/cli/key-file.ts'
import { placeOf } from '../../client/cli/rebuild.ts'
import { isTakenBack } from '../../client/cli/trade.ts'
import { MemberStore } from '../../client/cli/store.ts'
import {
  dollars,
  legsInWords,
  parseAccount,
  parseAddress,
  parseDollars,
  parseLeg,
  parseLegs,
} from '../../client/cli/terms.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloister-cli-'))
  process.env['CLOISTER_DAY'] = join(folder, 'day.json')
})
afterAll(() => {
  delete process.env['CLOISTER_DAY']
  rmSync(folder, { recursive: true, force: true })
})

describe('help', () => {
  it('teaches the whole walk with examples, exit codes and where keys lie', async () => {
    const { code, out } = await cloister('--help')
    expect(code).toBe(0)
    for (const word of [
      'account',
      'deposit',
      'trade',
      'withdraw',
      'claim',
      'status',
      'audit',
      'cloister up --data DIR',
      'Exit codes',
      'mode 0600',
    ])
      expect(out).toContain(word)
  })

  it.each([
    ['account new', ['--dollars', '--no-wait', '--dir', '--json']],
    ['account show', ['needs no house']],
    [
      'account rotate',
      ['--l1', '--print', '--no-wait', 'wins over any page', 'Where the SEED got out'],
    ],
    ['account attend', ['--json', 'signs nothing else', 'exit code 0', 'One process attends']],
    ['deposit', ['cloister deposit ANN 5000']],
    ['withdraw', ['--to', 'cloister claim']],
    ['trade', ['INSTRUMENT:QUANTITY@PRICE', 'affirm', 'sign', 'reject']],
    ['trade propose', ['--client-id', 'two minutes', 'BTC-PERP:3@76.71', 'cumulative\nfunding']],
    ['trade affirm', ['--document', 'micro-dollars a lot']],
    ['status', ['cloister status --json']],
    ['audit', ['--contract', '--no-build', '1 something does not hold']],
  ])('of %s names its options and shows how', async (command, words) => {
    const { code, out } = await cloister(...command.split(' '), '--help')
    expect(code).toBe(0)
    for (const word of words) expect(out).toContain(word)
  })

  it.each([
    [['nosuch', '--help']],
    [['account', 'nosuch', '--help']],
    [['account', 'nosuch', '-h']],
    [['--house', 'http://127.0.0.1:1', 'nosuch', '--help']],
    [['account', 'nosuch', 'ANN', '--dir', 'x', '--help']],
    [['help', 'nosuch']],
    [['account', 'help', 'nosuch']],
  ])('of a command that does not exist is not that of another: %j', async (argv) => {
    const unknown = "unknown command 'nosuch'"
    expect(await cloister(...argv)).toEqual({ code: 2, out: '', err: `cloister: ${unknown}\n` })
    const { code, out, err } = await cloister(...argv, '--json')
    expect([code, err]).toEqual([2, ''])
    expect(JSON.parse(out)).toEqual({ ok: false, exitCode: 2, rule: null, message: unknown })
  })

  it.each([
    [['account', '--help'], 'account'],
    [['help', 'account'], 'account'],
    [['account', 'help'], 'account'],
    [['account', 'help', 'new'], 'account new'],
    [['account', '--json', 'new', '--help'], 'account new'],
    [['account', 'new', 'nosuch', '--help'], 'account new'],
    [['help'], ''],
  ])('of one that does is given: %j', async (argv, command) => {
    const { code, out, err } = await cloister(...argv)
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain(`Usage: cloister ${command}`)
  })
})

describe('the version', () => {
  it('is that of package.json', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    expect(await cloister('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' })
  })
})

describe('a bad command line', () => {
  it.each([
    [['fly']],
    [['deposit', 'ANN']],
    [['deposit', 'ANN', '1', '2']],
    [['deposit', 'ANN', '1', '--colour', 'red']],
    [['deposit', 'ANN', '-5']],
    [['deposit', 'ANN', '1.0000001']],
    [['deposit', '../ANN', '1']],
    [['withdraw', 'ANN', '1', '--to', '0x1234']],
    [['trade', 'propose', 'ANN', '25']],
    [['trade', 'propose', 'ANN', '3', 'BTC-27MAR20:1@7']],
    [['trade', 'propose', 'ANN', '25', 'BTC-27MAR20:1']],
    [['status', '--timeout', 'soon']],
    [['call', 'ANN', 'PUT', '/v1/account']],
    // An unset variable of a shell, an option in the place of a value, and a value twice.
    [['up', '--data', '']],
    [['up', '--data', '--port', '9000']],
    [['status', '--house', 'http://127.0.0.1:1', '--house', 'http://127.0.0.1:2']],
    [['audit', '--contract=', '--rpc', 'http://127.0.0.1:1']],
    [['journal', 'verify', 'postgres://house:hush@db/house']],
    [['journal', 'verify', '/dev/null']],
    [['prover', 'work', '--jobs=postgresql://house:hush@db/house']],
    [['disclose', 'read', '/']],
    [['rebuild', '--account', 'x', '--rpc', 'http://127.0.0.1:1', '--contract', '0x1']],
    [['call', 'ANN', 'GET', '/elsewhere']],
    [['call', 'ANN', 'POST', '/v1/account/margin']],
    [['call', 'ANN', 'GET', '/v1/account', '{}']],
  ])('%j could not be done: 2, one line on stderr', async (argv) => {
    const { code, out, err } = await cloister(...argv)
    expect(code).toBe(2)
    expect(out).toBe('')
    expect(err).toMatch(/^cloister: .+\n$/)
    expect(err).not.toMatch(/hush|E[A-Z]{4,}/)
  })

  it('an empty value, a value twice and a password are told as what they are', async () => {
    const said = async (...argv: readonly string[]) => (await cloister(...argv)).err
    expect(await said('up', '--data', '')).toContain('must not be empty')
    expect(await said('up', '--data', '--json-lines')).toContain('lacks its value')
    expect(await said('status', '--data', 'a', '--data', 'b')).toContain('given twice')
    expect(await said('prover', 'work', '--jobs', 'postgres://u:hush@h/d')).toContain('--jobs-file')
    expect(await said('journal', 'verify', '/dev/null')).toContain('is a file')
    expect(await said('disclose', 'read', '/')).toContain('is a directory')
    expect(
      await said('rebuild', '--account', 'x', '--rpc', 'http://127.0.0.1:1', '--contract', '0x1'),
    ).toContain('"x" is no member')
  })

  it('a service that is no node is told from a node', async () => {
    const server = createServer((_, answer) => answer.end('{"error":"only GET is answered"}'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const rpc = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { err } = await cloister('rebuild', '--rpc', rpc, '--contract', `0x${'12'.repeat(20)}`)
    server.close()
    expect(err).toContain('is this the address of an L1 node?')
  })

  it('is one line of JSON for machines', async () => {
    const { code, out, err } = await cloister('deposit', 'ANN', '0', '--json')
    expect(code).toBe(2)
    expect(err).toBe('')
    expect(JSON.parse(out)).toEqual({
      ok: false,
      exitCode: 2,
      rule: null,
      message: 'an amount must be more than zero',
    })
  })
})

describe('no running day', () => {
  it.each([[['status']], [['account', 'new', 'ANN']], [['audit']]])(
    '%j says how to start one',
    async (argv) => {
      const { code, err } = await cloister(...argv, '--dir', join(folder, 'nobody'))
      expect(code).toBe(2)
      expect(err).toContain('no house is running')
      expect(err).toContain('npm start -- --stay')
    },
  )

  it('is also said of a day that has ended', async () => {
    const day = join(folder, 'day.json')
    writeFileSync(
      day,
      JSON.stringify({
        url: 'http://127.0.0.1:1',
        rpcUrl: 'http://127.0.0.1:1',
        contract: `0x${'11'.repeat(20)}`,
      }),
    )
    const { code, err } = await cloister('status')
    rmSync(day)
    expect(code).toBe(2)
    expect(err).toContain('no house is running: the last one')
  })

  it('names a house that does not answer', async () => {
    const { code, err } = await cloister('status', '--house', 'http://127.0.0.1:1')
    expect(code).toBe(2)
    expect(err).toContain('is it running?')
  })

  it('comes after an unknown member', async () => {
    const { code, err } = await cloister('deposit', 'ANN', '1', '--dir', join(folder, 'none'))
    expect(code).toBe(2)
    expect(err).toContain('cloister account new ANN')
  })

  it('an audit that cannot read L1 ends with 2', async () => {
    const { code, out } = await cloister('audit', '--rpc', 'nowhere', '--contract', '0x', '--json')
    expect(code).toBe(2)
    expect(JSON.parse(out)).toMatchObject({ ok: false, exitCode: 2, verdict: 'unread' })
  })
})

describe('amounts', () => {
  it.each([
    ['1', 1_000_000n],
    ['0.25', 250_000n],
    ['0.000001', 1n],
    ['250000', 250_000_000_000n],
    ['36028797018.963967', (1n << 55n) - 1n],
    ['007.5', 7_500_000n],
  ])('%s dollars', (text, micro) => expect(parseDollars(text)).toBe(micro))

  it.each([
    ['0.0000001', 'a dollar has 6'],
    ['-1', 'is no amount'],
    ['0', 'must be more than zero'],
    ['0.000000', 'must be more than zero'],
    ['', 'is no amount'],
    ['.5', 'is no amount'],
    ['5.', 'is no amount'],
    ['1e3', 'is no amount'],
    ['1,000', 'is no amount'],
    [' 1', 'is no amount'],
    ['0x10', 'is no amount'],
    ['NaN', 'is no amount'],
    ['36028797018.963968', 'is too much'],
    ['99999999999999999999999', 'is too much'],
  ])('"%s" is none: %s', (text, why) => expect(() => parseDollars(text)).toThrow(why))

  it.each([
    [0n, '$0.00'],
    [1n, '$0.000001'],
    [1_500_000n, '$1.50'],
    [-75_250_000n, '-$75.25'],
    [1_234_567_890_120n, '$1,234,567.89012'],
    [1_000_000_000n, '$1,000.00'],
  ])('%s micro-dollars are printed', (micro, text) => expect(dollars(micro)).toBe(text))
})

describe('legs', () => {
  it('are read as the trades file has them', () => {
    expect(parseLeg('BTC-27MAR20:-2@79.25')).toEqual({
      instrument: 1025,
      quantity: -2n,
      price: 79_250_000n,
    })
    expect(parseLeg('ID-1030:1@0')).toEqual({ instrument: 1030, quantity: 1n, price: 0n })
    expect(parseLeg('1031:1@0.000001').price).toBe(1n)
  })
  it.each([
    ['BTC-27MAR20', 'is no leg'],
    ['BTC-27MAR20:0@1', 'moves nothing'],
    ['BTC-27MAR20:1.5@1', 'is no leg'],
    ['BTC-27MAR20:1@-1', 'is no leg'],
    ['BTC-27MAR20:1@1.0000001', 'is no leg'],
    ['GOLD:1@1', 'is no instrument'],
    ['toString:1@1', 'is no instrument'],
    ['0:1@1', 'is no instrument'],
    ['268435456:1@1', 'is no instrument'],
  ])('"%s" is none: it %s', (text, why) => expect(() => parseLeg(text)).toThrow(why))
  it('are three at most', () =>
    expect(() => parseLegs(Array<string>(4).fill('1025:1@1'))).toThrow('3 at most'))
  it('are said from the side they belong to', () =>
    expect(legsInWords([{ instrument: 1025, quantity: '-2', price: '79250000' }])).toBe(
      'sell 2 lots BTC-27MAR20 at $79.25 a lot',
    ))
})

describe('accounts and addresses', () => {
  it.each(['15', '-1', '1.5', '262144', 'ANN', ''])('"%s" is no account', (text) =>
    expect(() => parseAccount(text)).toThrow("is no member's account"),
  )
  it.each([
    [`0x${'00'.repeat(20)}`, 'is the zero address'],
    ['0x12', 'is no L1 address'],
    ['ANN', 'is no L1 address'],
    ['0x52908400098527886E0F7030069857D2E4169Ee7', 'with the checksum right'],
  ])('"%s" is not paid to: it %s', (text, why) => expect(() => parseAddress(text)).toThrow(why))
})

describe('what the system says of files', () => {
  const trouble = (work: () => unknown): string => {
    try {
      work()
    } catch (error) {
      return failureOf(error).text
    }
    return 'nothing'
  }
  it('is said with the path, and without the words of the system', () => {
    const none = join(folder, 'no-such-file')
    expect(trouble(() => readFileSync(none))).toBe(`${none}: there is no such file or directory`)
    expect(trouble(() => readFileSync(folder))).not.toContain('ENOENT')
    expect(trouble(() => mkdirSync(folder))).toBe(`${folder}: exists already`)
    expect(trouble(() => writeFileSync(folder, ''))).toBe(
      `${folder}: is a directory, where a file is needed`,
    )
  })
  it('leaves every other error as it is', () => {
    expect(fileTrouble(new Error('ENOENT'))).toBeNull()
    expect(fileTrouble(Object.assign(new Error('x'), { code: 'E2BIG', path: '/' }))).toBeNull()
    expect(fileTrouble('ENOENT')).toBeNull()
  })
})

describe('where L1 is', () => {
  const contract = `0x${'ab'.repeat(20)}`
  const beside = { contract, rpcUrl: 'http://127.0.0.1:1', pages: null }
  const key = { beside } as unknown as OpenedKey
  const running = (of: string): void =>
    writeFileSync(
      join(folder, 'day.json'),
      JSON.stringify({ url: 'http://127.0.0.1:3', rpcUrl: 'http://127.0.0.1:2', contract: of }),
    )
  afterEach(() => rmSync(join(folder, 'day.json'), { force: true }))

  it('of a house that runs here again: at its present port, not at that of the record', () => {
    running(contract.toUpperCase().replace('0X', '0x'))
    expect(placeOf({}, key)).toEqual({ rpc: 'http://127.0.0.1:2', contract })
    expect(placeOf({ rpc: 'http://127.0.0.1:9' }, key).rpc).toBe('http://127.0.0.1:9')
  })
  it('of another house than the one that runs here: as the record has it', () => {
    running(`0x${'cd'.repeat(20)}`)
    expect(placeOf({}, key)).toEqual({ rpc: 'http://127.0.0.1:1', contract })
    expect(placeOf({}, null)).toMatchObject({ rpc: 'http://127.0.0.1:2' })
    expect(placeOf({ rpc: 'http://127.0.0.1:9' }, null)).toEqual({
      rpc: 'http://127.0.0.1:9',
      contract: `0x${'cd'.repeat(20)}`,
    })
  })
  it('is found although the note of the running house is damaged', () => {
    writeFileSync(join(folder, 'day.json'), '{"url"')
    expect(placeOf({}, key)).toEqual({ rpc: 'http://127.0.0.1:1', contract })
  })
})

describe('a proposal that a side rejected', () => {
  it('is told from a document that did not match, for which there is a stamp', () => {
    expect(isTakenBack({ refused: 'TradeMustMatch', stamp: '0' })).toBe(true)
    expect(isTakenBack({ refused: 'TradeMustMatch', stamp: '1882499109143520' })).toBe(false)
    expect(isTakenBack({ refused: 'AccountMustBeSolvent', stamp: '0' })).toBe(false)
    expect(isTakenBack({ refused: null, stamp: '0' })).toBe(false)
  })
})

describe('failures', () => {
  it('a rule is named with its sentence: 1', () => {
    const failure = failureOf(new RefusedByRule('WithdrawalMustLeaveSolvent'))
    expect(failure).toMatchObject({ code: 1, rule: 'WithdrawalMustLeaveSolvent' })
    expect(failure.text).toContain('after a withdrawal every world is worth at least zero')
  })
  it('an error of the contract is found inside what ethers throws: 1', () => {
    const inner = { error: { data: '0x' } }
    expect(failureOf(Object.assign(new Error('reverted'), { info: inner })).code).toBe(2)
    // keccak256("KeyMustBeInSubgroup()")
    const thrown = Object.assign(new Error('reverted'), { data: '0xc7e265f5' })
    expect(failureOf(thrown)).toMatchObject({ code: 1, rule: 'KeyMustBeInSubgroup' })
  })
})

describe('the directory of a member', () => {
  const start = {
    chainId: '31337',
    contract: `0x${'11'.repeat(20)}`,
    token: `0x${'22'.repeat(20)}`,
    rpcUrl: 'http://127.0.0.1:1',
  }

  it('is readable by its owner alone and keeps what is saved', async () => {
    const store = new MemberStore('ANN', join(folder, 'ann'))
    await store.locked(async () => {
      store.create(start)
      store.save({ account: 24, shown: 7 })
    })
    for (const path of [store.seedPath, store.l1KeyPath, store.recordPath])
      expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(store.directory).mode & 0o777).toBe(0o700)
    const again = new MemberStore('ANN', join(folder, 'ann'))
    expect(again.stored).toMatchObject({ name: 'ANN', account: 24, shown: 7, deposits: 0 })
    expect(() => new MemberStore('BEN', join(folder, 'ann')).stored).toThrow('directory of ANN')
  })

  it('made again, keeps keys and record', async () => {
    const store = new MemberStore('ANN', join(folder, 'ann'))
    const key = store.l1Key()
    await store.locked(async () => store.create(start))
    expect(store.l1Key()).toBe(key)
    expect(store.stored.account).toBe(24)
  })

  it('lets one command at a time in, and gets over one that died', async () => {
    const store = new MemberStore('ANN', join(folder, 'ann'))
    await store.locked(async () => {
      const other = new MemberStore('ANN', join(folder, 'ann'))
      await expect(other.locked(async () => {})).rejects.toThrow('let it finish')
    })
    writeFileSync(join(folder, 'ann', 'lock'), '999999999\n')
    await expect(store.locked(async () => 'in')).resolves.toBe('in')
  })
})
