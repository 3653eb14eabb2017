/** One signer: what it signs, what it refuses and by which rule, over HTTP as anybody sees it. */
import { mkdtempSync, chmodSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SigningKey, ZeroAddress } from 'ethers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { peersFrom } from '../../oracle/collector/main.ts'
import { SECONDS, wholeOption } from '../../oracle/options.ts'
import { configFrom, marketTime, readKey } from '../../oracle/signer/config.ts'
import { marketBytes, readMarket } from '../../oracle/signer/engine.ts'
import { RECORDING, recordedConfig } from '../../oracle/signer/main.ts'
import {
  addressOfKey,
  confirmationDigest,
  signerOf,
  stringify,
  tableDigest,
  tableReportFrom,
} from '../../oracle/signer/report.ts'
import { serveSigner } from '../../oracle/signer/server.ts'
import { Signer, type Memory } from '../../oracle/signer/signer.ts'
import { KEYS, LISTED, SPECS, WORLDS } from '../contracts/oracle-world.ts'
import { marketDocument } from '../contracts/oracle-market.ts'
import { askSigner, CALM, configOf, startSigner, writePrices, type Node } from './signers.ts'

const domain = { chainId: 31337n, contract: `0x${'11'.repeat(20)}` }
const START = 1_700_000_000
let now = START
let node: Node
const rows = LISTED.map(({ id }) => id)

beforeAll(async () => {
  node = await startSigner(domain, KEYS[0]!, () => now)
})
afterAll(() => node.close())
beforeEach(() => {
  now += 1000
  node.see(CALM, now)
})

const proposalOf = (time = now, btc?: bigint) => marketBytes(marketDocument(time, btc))
const body = (change: object = {}) => ({ number: '2', time: now, rows, proposal: null, ...change })
const refuse = (change: object, rule: string | RegExp) =>
  expect(askSigner(node, '/report', body(change))).rejects.toThrow(rule)

describe('a report', () => {
  test('is signed over the table that follows from what it sees', async () => {
    const answer = (await askSigner(node, '/report', body())) as {
      report: unknown
      signature: string
    }
    const report = tableReportFrom(answer.report)
    expect(signerOf(tableDigest(domain, report), answer.signature)).toBe(node.address)
    expect(readMarket(report.market)).toEqual(marketDocument(now))
    expect(report.references).toEqual([
      { underlying: 1, price: 6_067_010_000n },
      { underlying: 2, price: 136_590_000n },
    ])
  })
  test('of a proposal is signed while it is near, to the edge of the tolerance', async () => {
    const edge = 6_067_010_000n + (6_067_010_000n * 50n) / 10_000n
    await askSigner(node, '/report', body({ proposal: proposalOf(now, edge) }))
    now += 1
    await refuse({ proposal: proposalOf(now, edge + 1n) }, 'ProposalMustBeNear')
    await refuse({ proposal: proposalOf(now, 60_670_100_000n) }, 'ProposalMustBeNear')
  })
  test('of another time, policy, or set of underlyings is refused', async () => {
    await refuse({ proposal: proposalOf(now - 1) }, 'TimeMustBeNow')
    const market = marketDocument(now)
    await refuse({ proposal: marketBytes({ ...market, rate: '0.06' }) }, 'PolicyMustMatch')
    const [btc, eth] = market.underlyings as [never, never]
    const of = (underlyings: object[]) => marketBytes({ ...market, underlyings } as never)
    await refuse({ proposal: of([{ ...(btc as object), vol: '9' }, eth]) }, 'PolicyMustMatch')
    await refuse({ proposal: of([btc]) }, 'PolicyMustMatch')
    await refuse({ proposal: '0x7b7d' }, /must have/)
  })
  test('off its clock is refused', async () => {
    await refuse({ time: now + 31 }, 'TimeMustBeNow')
    await refuse({ time: now - 31 }, 'TimeMustBeNow')
  })
  test('of a second that it signed otherwise is refused, the same again is not', async () => {
    const first = (await askSigner(node, '/report', body())) as { digest: string }
    const again = (await askSigner(node, '/report', body())) as { digest: string }
    expect(again.digest).toBe(first.digest)
    await refuse({ number: '3' }, 'ReportMustNotContradict')
    await refuse({ proposal: proposalOf(now, 6_067_010_001n) }, 'ReportMustNotContradict')
    await refuse({ time: now - 1, proposal: null }, 'ReportMustNotContradict')
  })
  test('with unknown or doubled rows is refused', async () => {
    await refuse({ rows: [...rows, 5000] }, 'InstrumentsMustBeKnown')
    await refuse({ rows: [...rows, rows[0]] }, 'InstrumentsMustBeKnown')
  })
  test('is refused where sources do not suffice', async () => {
    node.see(CALM, now - 101)
    await refuse({}, 'SourcesMustSuffice')
    for (const BTC of ['0', '-5', 'NaN', '', '1e9']) {
      now += 1
      node.see({ ...CALM, BTC }, now)
      await refuse({}, 'SourcesMustSuffice')
    }
  })
  test.each([
    [{ number: 2 }],
    [{ time: '5' }],
    [{ rows: 5 }],
    [{ rows: ['x'] }],
    [{ more: 1 }],
    [{ proposal: 5 }],
    [{ number: '1'.repeat(100) }],
  ])('%j is malformed', async (change) => {
    await expect(askSigner(node, '/report', body(change))).rejects.toThrow(/must/)
  })
})

describe('a confirmation', () => {
  const reportOf = async () =>
    tableReportFrom(((await askSigner(node, '/report', body())) as { report: unknown }).report)
  test('comes after a second look, and is another signature', async () => {
    const report = await reportOf()
    await expect(askSigner(node, '/confirmation', { report, time: now })).rejects.toThrow(
      'MustWait',
    )
    now += 59
    await expect(askSigner(node, '/confirmation', { report, time: now })).rejects.toThrow(
      'MustWait',
    )
    now += 1
    const { digest, signature } = (await askSigner(node, '/confirmation', {
      report,
      time: now,
    })) as {
      digest: string
      signature: string
    }
    expect(digest).toBe(tableDigest(domain, report))
    expect(signerOf(confirmationDigest(domain, digest), signature)).toBe(node.address)
    expect(signerOf(digest, signature)).not.toBe(node.address)
  })
  test('is refused when the price went away, or the table is not what its inputs give', async () => {
    const report = await reportOf()
    now += 60
    const asked = (given: object) => askSigner(node, '/confirmation', { report: given, time: now })
    await expect(asked({ ...report, tableRoot: report.tableRoot + 1n })).rejects.toThrow(
      'TableMustFollowInputs',
    )
    const references = report.references.map((one) => ({ ...one, price: one.price + 1n }))
    await expect(asked({ ...report, references })).rejects.toThrow('TableMustFollowInputs')
    await expect(asked({ ...report, market: proposalOf(now - 61) })).rejects.toThrow(
      'TimeMustBeNow',
    )
    now += 1
    node.see({ ...CALM, BTC: '6200' }, now)
    await expect(asked(report)).rejects.toThrow('ProposalMustBeNear')
  })
})

test('averages are of the past, and of what it has seen', async () => {
  const averages = (start: number, end: number) =>
    askSigner(node, `/averages/${start}/${end}`, undefined)
  await expect(averages(now - 10, now + 1)).rejects.toThrow('WindowMustBePast')
  await expect(averages(now, now)).rejects.toThrow('WindowMustBePast')
  await expect(averages(now - 9_000_000, now - 8_999_000)).rejects.toThrow('WindowMustBeCovered')
  await expect(averages(-1, now)).rejects.toThrow('whole number')
  await node.signer.observe(now)
  now += 100
  expect(await averages(now - 50, now)).toMatchObject({
    document: {
      underlyings: [
        { id: 1, name: 'BTC', price: '6067.01' },
        { id: 2, name: 'ETH', price: '136.59' },
      ],
    },
  })
})

test('a register of years is not too long to be shown, anything else of its length is', async () => {
  const settled = Array.from({ length: 20_000 }, (_, i) => ({
    id: 1024 + i,
    value: '-281474976710655',
  }))
  const given = {
    serial: '1',
    ids: [1029],
    window: [now, now + 1],
    proposal: null,
    settled,
    isConfirmation: false,
  }
  await expect(askSigner(node, '/settlement', given)).rejects.toThrow('WindowMustBePast')
  await expect(askSigner(node, '/report', body({ more: settled }))).rejects.toThrow(/too large/)
})

test('where others can ask, a token must be shown', async () => {
  await expect(serveSigner(node.signer, { port: 0, host: '0.0.0.0' })).rejects.toThrow(/token/)
  await expect(serveSigner(node.signer, { port: 0, token: 'fifteen letters' })).rejects.toThrow(
    /16/,
  )
  const app = await serveSigner(node.signer, { port: 0, token: 'a long enough secret' })
  const peer = { url: app.listeningOrigin, address: node.address }
  try {
    for (const token of [undefined, '', 'a long enough secre', 'another secret']) {
      const shown = token === undefined ? peer : { ...peer, token }
      await expect(askSigner(shown, '/report', body())).rejects.toThrow('token must be shown')
    }
    await askSigner({ ...peer, token: 'a long enough secret' }, '/report', body())
  } finally {
    await app.close()
  }
})

test('what it signed last survives a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cloister-memory-'))
  const config = configFrom(configOf(domain, folder), folder)
  writePrices(folder, CALM, now)
  let memory: Memory = { time: '0', digest: '' }
  const make = () =>
    new Signer({
      config,
      documents: { worlds: WORLDS, instruments: SPECS },
      key: KEYS[0]!,
      clock: () => now,
      memory,
      remember: (kept) => {
        memory = kept
      },
    })
  const { digest } = await make().report(2n, now, rows)
  expect(memory).toEqual({ time: String(now), digest })
  expect((await make().report(2n, now, rows)).digest).toBe(digest)
  await expect(make().report(3n, now, rows)).rejects.toThrow('ReportMustNotContradict')
})

describe('keys and configuration', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cloister-key-'))
  const path = join(folder, 'key')
  const secret = `0x${'5a'.repeat(32)}`
  test('a key comes from a private file or the environment, and is gone from there', () => {
    writeFileSync(path, `${secret}\n`, { mode: 0o600 })
    expect(addressOfKey(readKey(path, 'NO_KEY'))).toBe(addressOfKey(new SigningKey(secret)))
    chmodSync(path, 0o644)
    expect(() => readKey(path, 'NO_KEY')).toThrow(/owner alone/)
    process.env['CLOISTER_TEST_KEY'] = secret
    expect(readKey(undefined, 'CLOISTER_TEST_KEY').privateKey).toBe(secret)
    expect(process.env['CLOISTER_TEST_KEY']).toBeUndefined()
    expect(() => readKey(undefined, 'CLOISTER_TEST_KEY')).toThrow(/must come by/)
    process.env['CLOISTER_TEST_KEY'] = secret.slice(0, -1)
    // The whole message: nothing of the key stands in it.
    expect(() => readKey(undefined, 'CLOISTER_TEST_KEY')).toThrow(
      /^the key must be 0x and 64 hex digits$/,
    )
  })
  test('a configuration has every key and no other', () => {
    const good = configOf(domain, folder) as Record<string, unknown>
    expect(configFrom(good, folder).domain.chainId).toBe(31337n)
    const [btc, eth] = good['underlyings'] as Record<string, unknown>[]
    const policy = good['policy'] as { underlyings: object[] }
    const [first] = policy.underlyings
    const bad: [object, RegExp][] = [
      [{ more: 1 }, /must have/],
      [{ minSources: 0 }, /at least 1/],
      [{ maxAge: 0 }, /at least 1/],
      [{ minSources: 4 }, /at least 4 sources/],
      [{ policy: { ...policy, rate: 0.05 } }, /decimal/],
      [{ policy: { ...policy, underlyings: [first, first] } }, /each once/],
      [{ policy: null }, /policy must/],
      [{ contract: '0x12' }, /address/],
      [{ underlyings: [eth, btc] }, /ascend/],
      [
        {
          underlyings: [
            { ...btc, sources: [1, 1, 1].map(() => (btc!['sources'] as unknown[])[0]) },
          ],
        },
        /distinct/,
      ],
      [{ underlyings: [{ ...btc, sources: [{ kind: 'gossip' }] }] }, /kind/],
      [
        {
          underlyings: [
            {
              ...btc,
              sources: [{ kind: 'http', url: 'http://example.org', price: 'p', time: null }],
            },
          ],
        },
        /https/,
      ],
      [{ replay: { startedAt: 1, from: 1 } }, /replay/],
    ]
    for (const [change, error] of bad) {
      expect(() => configFrom({ ...good, ...change }, folder)).toThrow(error)
    }
  })
  test('a policy may be a file, which is read again at each look', async () => {
    const config = configFrom(
      { ...(configOf(domain, folder) as object), policy: 'policy.json' },
      folder,
    )
    const { policy } = configOf(domain, folder) as { policy: { underlyings: object[] } }
    const put = (rate: string, underlyings = policy.underlyings) =>
      writeFileSync(join(folder, 'policy.json'), JSON.stringify({ ...policy, rate, underlyings }))
    const signer = new Signer({
      config,
      documents: { worlds: WORLDS, instruments: SPECS },
      key: KEYS[0]!,
      clock: () => now,
    })
    for (const rate of ['0.05', '0.06']) {
      now += 1
      writePrices(folder, CALM, now)
      put(rate)
      expect((await signer.observe(now)).market.rate).toBe(rate)
    }
    now += 1
    put('0.05', policy.underlyings.slice(1))
    await expect(signer.observe(now)).rejects.toThrow('the policy must have BTC')
    now += 1
    put('5%')
    await expect(signer.observe(now)).rejects.toThrow('rate')
  })
  test('the recorded default sees the recorded day', async () => {
    const config = configFrom(recordedConfig(31337, domain.contract, START), folder)
    expect(marketTime(config.replay, START + 120)).toBe(Date.UTC(2020, 2, 12, 12) / 1000)
    const signer = new Signer({
      config,
      documents: { worlds: WORLDS, instruments: SPECS },
      key: KEYS[0]!,
      clock: () => START + 120,
    })
    const { market } = await signer.observe(START + 120)
    expect(market.underlyings.map(({ spot }) => spot)).toEqual(['6067.01', '136.59'])
    expect(RECORDING).toContain('recorded-2020-03')
    expect(stringify(await signer.report(1n, START + 120, rows))).toContain('tableRoot')
  })
})

describe('the processes', () => {
  const run = (file: string, args: string[], env: Record<string, string> = {}) =>
    spawnSync(process.execPath, ['--import', 'tsx', file, ...args], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    })
  test.each(['oracle/signer/main.ts', 'oracle/collector/main.ts'])(
    '%s says how it is used',
    (file) => {
      const { stdout, status } = run(file, ['--help'])
      expect(status).toBe(0)
      expect(stdout).toContain('Usage:')
      expect(stdout).toContain('--key-file')
      expect(run(file, ['--key', '0x00']).status).not.toBe(0)
    },
  )
  test('a number that is none is refused: it would be a loop without pause', () => {
    for (const given of ['', 'abc', '0', '-1', '1e9', '60.5', '86401'])
      expect(() => wholeOption(given, 'watch', SECONDS, 60), given).toThrow(
        '--watch must be a whole number from 1 to 86400',
      )
    expect(wholeOption(undefined, 'watch', SECONDS, 60)).toBe(60)
    expect(wholeOption('86400', 'watch', SECONDS, 60)).toBe(86_400)
    const key = {
      CLOISTER_SIGNER_KEY: KEYS[0]!.privateKey,
      CLOISTER_COLLECTOR_KEY: KEYS[0]!.privateKey,
    }
    const contract = ZeroAddress
    const signer = run('oracle/signer/main.ts', ['--recorded', contract, '--watch', 'soon'], key)
    expect([signer.status, signer.stderr]).toEqual([1, expect.stringContaining('--watch must be')])
    const where = ['--rpc', 'http://127.0.0.1:1', '--contract', contract, '--signers', 'none']
    const collector = run('oracle/collector/main.ts', [...where, '--every', '0'], key)
    expect([collector.status, collector.stderr]).toEqual([
      2,
      expect.stringContaining('--every must be'),
    ])
  })
  test('a signer stands in the list of a collector once', () => {
    const peer = (url: string) => ({ url, address: node.address.toLowerCase(), token: null })
    expect(peersFrom([peer('http://127.0.0.1:1')])).toHaveLength(1)
    expect(() => peersFrom([peer('http://127.0.0.1:1'), peer('http://127.0.0.1:2')])).toThrow(
      `signer ${node.address} must stand in the list once`,
    )
  })
  test('a memory that cannot be read is no empty one', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'cloister-memory-')), 'memory')
    for (const text of ['', '{}', '{"time":1,"digest":"0x"}', '{"time":"1"']) {
      writeFileSync(file, text)
      const { status, stderr } = run(
        'oracle/signer/main.ts',
        ['--recorded', ZeroAddress, '--memory', file, '--port', '0'],
        { CLOISTER_SIGNER_KEY: KEYS[0]!.privateKey },
      )
      expect([status, stderr]).toEqual([1, expect.stringContaining('must be what --memory wrote')])
    }
  })
})
