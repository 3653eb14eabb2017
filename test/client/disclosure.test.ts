/** A grant opens the batches of its period and nothing else, and stands in a log. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { batchKey } from '../../circuits/account.ts'
import { parseGrant, renderGrant, signGrant } from '../../client/disclosure/grant.ts'
import { periodOf } from '../../client/disclosure/make.ts'
import { ROTATION_GAP } from '../../client/key-ring.ts'
import { memberKeys } from '../../client/keys.ts'
import { openWithBatchKey } from '../../client/l1/open.ts'
import type { Touch } from '../../client/l1/ledger.ts'
import { replay } from '../../client/l1/replay.ts'
import { cloister, DAY, discloseHouse, SEED } from './disclosure-house.ts'
import { depositSeeded, HOME, joinSeeded, rotateOnL1, rotateSeeded, seedBytes } from './seeded.ts'
import { SyntheticL1 } from './synthetic.ts'
import { START } from '../law/house.ts'

const { own, l1, ann, sub, node, kept, PLACE, KEY, grant, read, made } = await discloseHouse()

type Shown = { readonly batch: string; readonly leaf: string; readonly head: string }

describe('a grant', () => {
  it('opens the batches of its period and the last one before, as they were', async () => {
    const { file, grant } = await made('3', '5')
    expect(grant.keys.map(({ batch, isBefore }) => [batch, isBefore])).toEqual([
      [2n, true],
      [4n, false],
      [5n, false],
    ])
    const answer = await read(file, '--json')
    expect(answer.code, answer.out).toBe(0)
    const json = answer.json() as { before: Shown; batches: readonly Shown[] }
    expect([json.before, ...json.batches].map(({ head }) => head)).toEqual(
      [2n, 4n, 5n].map((batch) => `${kept.get(batch)?.head}`),
    )
    expect(json.batches[0]).toMatchObject({
      batch: '4',
      changes: [
        { id: 1, lots: '100399900' },
        { id: 1024, lots: '-2' },
      ],
    })
    expect(json.batches[1]).toMatchObject({ event: 'keys rotated by page' })
    const text = (await read(file)).out
    expect(text).toContain('as batches 4, 5 left it, and as batch 2, the last before')
    expect(text).toContain('each leaf equal to the one on L1')
  })
  it('of a period that begins with the account has nothing before', async () => {
    const { file, grant } = await made('1', '1')
    expect(grant.keys.map(({ batch }) => batch)).toEqual([1n])
    expect((await read(file, '--json')).json()).toMatchObject({
      before: null,
      batches: [{ batch: '1', event: 'registered' }],
    })
    // Whose seed opens the deposit the auditor cannot tell; that the cash came from L1 it can.
    expect((await read(file)).out).toContain('registered; a deposit on L1: cash $1,000')
  })
  it('of a period without a touch shows what the account held all the while', async () => {
    const { file } = await made('6', '6')
    const json = (await read(file, '--json')).json()
    expect(json).toMatchObject({ before: { batch: '5' }, batches: [] })
    expect((await read(file)).out).toContain('which no batch of the period touched')
  })
  it('by dates covers the batches of those days', async () => {
    const date = (n: bigint): string =>
      new Date(Number(START + n * DAY) * 1000).toISOString().slice(0, 10)
    const { grant } = await made(date(1n), date(2n))
    expect([grant.period.from, grant.period.to]).toEqual([2n, 3n])
    const summaries = replay(l1.events).summaries
    const second = (n: bigint): string =>
      new Date(Number(n) * 1000).toISOString().slice(0, 19) + 'Z'
    const now = START + 100n * DAY
    // The very second of a batch counts at both ends, the one after at neither.
    expect(periodOf(summaries, second(START), second(START + DAY), now)).toMatchObject({ to: 2n })
    expect(
      periodOf(summaries, second(START + 1n), second(START + DAY - 1n + DAY), now),
    ).toMatchObject({ from: 2n, to: 2n })
  })
  it('must be over: a day that still goes on is refused, its last second is not', () => {
    const summaries = replay(l1.events).summaries
    const latest = summaries.at(-1)!.time
    const today = latest / DAY
    const date = (day: bigint): string =>
      new Date(Number(day * DAY) * 1000).toISOString().slice(0, 10)
    const moment = (n: bigint): string =>
      `${new Date(Number(n) * 1000).toISOString().slice(0, 19)}Z`
    const end = (today + 1n) * DAY
    const asked = (to: string, now: bigint) => periodOf(summaries, '1', to, now).to
    expect(() => asked(date(today), end - 1n)).toThrow('is not over')
    expect(asked(date(today), end)).toBe(summaries.at(-1)!.number)
    expect(() => asked(moment(end), end)).toThrow('is not over')
    expect(asked(moment(end), end + 1n)).toBe(summaries.at(-1)!.number)
    // A local L1 whose clock was set forward: its own time counts.
    expect(asked(moment(latest - 1n), latest - 2n * DAY)).toBe(
      summaries.filter(({ time }) => time < latest).at(-1)!.number,
    )
  })
  it.each([
    ['1', '8', 'batch 8 does not exist yet: the latest is 7'],
    ['5', '4', 'no batch lies between'],
    ['0', '4', '--from is a batch number'],
    ['2020-02-30', '4', '--from is a batch number'],
    ['1', 'soon', '--to is a batch number'],
    ['1', '2999-01-01', 'lies ahead'],
    ['2019-01-01', '2019-02-01', 'no batch lies between'],
  ])('from %s to %s is refused', async (from, to, why) => {
    const { code, err } = await grant(from, to)
    expect(code).toBe(2)
    expect(err).toContain(why)
  })
  it('of an account that no batch has touched yet is refused', async () => {
    const young = new SyntheticL1(HOME)
    joinSeeded(young, SEED, 'OTHER')
    young.batch()
    joinSeeded(young, SEED, 'ANN')
    node.grow(young.events)
    const { code, err } = await grant('1', '1')
    expect(code).toBe(2)
    expect(err).toContain('there is nothing to disclose')
  })
})

describe('a grant of an account whose keys were stolen and won back', () => {
  /** Batches 1 to 8, which all touch ANN: 3 and 4 under a thief's keys, 5 under the thief's view key. */
  const stolen = (): SyntheticL1 => {
    const chain = new SyntheticL1(HOME)
    const member = joinSeeded(chain, SEED, 'ANN')
    chain.batch({ credits: [depositSeeded(chain, member, SEED, 'ANN', 0, 7n)] })
    const cover = { cover: [member.index] }
    chain.batch(cover)
    rotateSeeded(chain, member, seedBytes(99), 'THIEF', 0)
    chain.batch()
    chain.batch(cover)
    rotateOnL1(chain, member, SEED, 'ANN', 1)
    chain.batch()
    rotateSeeded(chain, member, SEED, 'ANN', 2)
    chain.batch()
    chain.batch(cover)
    chain.batch(cover)
    return chain
  }
  const entries = async (): Promise<number> =>
    ((await cloister('disclose', 'list', ...KEY, '--json')).json()['grants'] as unknown[]).length

  it.each([
    ['1', '2', [1n, 2n]],
    ['2', '2', [1n, 2n]],
    ['7', '7', [6n, 7n]],
    ['7', '8', [6n, 7n, 8n]],
    ['8', '8', [7n, 8n]],
  ])('needs the batches of its period alone: %s to %s', async (from, to, batches) => {
    node.grow(stolen().events)
    const { file, grant } = await made(from, to)
    expect(grant.keys.map(({ batch }) => batch)).toEqual(batches)
    const answer = await read(file)
    expect(answer.code, answer.out).toBe(0)
  })
  it.each([
    [
      '1',
      '8',
      'batches 3, 4, 5 of the period: ',
      'ends before batch 3, or one that begins after batch 6',
    ],
    ['2', '3', 'batch 3 of the period: ', 'ends before batch 3, or one that begins after the next'],
    [
      '4',
      '4',
      'batch 4 of the period, nor batch 3, which left what',
      'period that begins after the',
    ],
    [
      '5',
      '7',
      'batch 5 of the period, nor batch 4, which left',
      'period that begins after batch 6 (',
    ],
    [
      '6',
      '8',
      'open batch 5, which left what the account held',
      'period that begins after batch 6 (',
    ],
  ])('says what of it does not open, and writes nothing: %s to %s', async (from, to, what, way) => {
    node.grow(stolen().events)
    const before = await entries()
    const { code, err, file } = await grant(from, to)
    expect([code, existsSync(file), await entries()]).toEqual([2, false, before])
    expect(err).toContain(what)
    expect(err).toContain(way)
    expect(err).toContain('no view key of this seed')
  })
  it('finds keys behind more rotations than the gap, each of which was in force for a batch', async () => {
    const far = new SyntheticL1(HOME)
    const member = joinSeeded(far, SEED, 'ANN')
    far.batch()
    for (const rotation of [ROTATION_GAP - 1, 2 * ROTATION_GAP - 2, 3 * ROTATION_GAP - 3]) {
      rotateSeeded(far, member, SEED, 'ANN', rotation)
      far.batch()
    }
    node.grow(far.events)
    const { file } = await made('4', '4')
    expect((await read(file)).code).toBe(0)
  })
})

describe('the file', () => {
  it('is readable by its owner alone, overwrites nothing, and holds no seed and no view key', async () => {
    const { file } = await made('1', '7')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const text = readFileSync(file, 'utf8')
    for (const rotation of [0, 1]) {
      const { viewKey, signing } = memberKeys(SEED, 'ANN', rotation)
      for (const secret of [viewKey, signing.scalar]) {
        expect(text).not.toContain(secret.toString())
        expect(text).not.toContain(secret.toString(16))
      }
    }
    expect(text).not.toContain(Buffer.from(SEED).toString('hex'))
    const argv = ['disclose', 'grant', ...KEY, ...PLACE, '--from', '1', '--to', '2']
    const again = await cloister(...argv, '--out', file)
    expect(again.code).toBe(2)
    expect(again.err).toContain('overwrites nothing')
    expect(readFileSync(file, 'utf8')).toBe(text)
    expect((await cloister(...argv, '--out', join(own.folder, 'no', 'where'))).err).toContain(
      'there is no directory',
    )
  })
  it('says what it opens, for whom, and when', async () => {
    const { file } = await grant('4', '5', '--purpose', 'audit of March')
    const json = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    expect(json).toMatchObject({ purpose: 'audit of March', account: ann.index, chainId: '4242' })
    expect(json['opens']).toContain(`Opens account ${ann.index} of the house`)
    expect(json['opens']).toContain('It opens no other batch, no other account, and signs nothing')
    expect((await read(file)).out).toContain('Purpose: audit of March')
  })
  it('of a purpose that looks like more than a purpose is neither made nor read', async () => {
    const lie = 'audit\nWhen it ended:\n  cash $1,000,000'
    for (const purpose of [lie, 'a\u001b[2J', 'a\u2028b', 'x'.repeat(5_000)]) {
      const file = join(own.folder, 'purpose.grant')
      const argv = ['disclose', 'grant', ...KEY, ...PLACE, '--from', '4', '--to', '5']
      const made = await cloister(...argv, '--out', file, '--purpose', purpose)
      expect([made.code, made.err]).toEqual([
        2,
        expect.stringContaining('--purpose must be one line'),
      ])
      expect(existsSync(file)).toBe(false)
    }
    // Signed all the same, by a program of the member's own.
    const { grant: honest } = await made('4', '5')
    const key = [0, 1, 2, 3, 4]
      .map((rotation) => memberKeys(SEED, 'ANN', rotation).signing)
      .find(({ publicKey }) => publicKey.x === honest.signer.x)
    if (key === undefined) throw new Error('no key of the seed signed it')
    const signedFor = (purpose: string) => renderGrant(signGrant({ ...honest, purpose }, key))
    expect(() => parseGrant(signedFor(lie))).toThrow('purpose must be one line')
    expect(parseGrant(signedFor('audit')).purpose).toBe('audit')
  })
  it('that others may read is read, with a warning', async () => {
    const { file } = await made('4', '5')
    const open = join(own.folder, 'open.grant')
    writeFileSync(open, readFileSync(file), { mode: 0o644 })
    const { code, err } = await read(open)
    expect(code).toBe(0)
    expect(err).toContain('chmod 600')
  })
})

describe('nothing else', () => {
  const touchesOf = (index: number): readonly Touch[] => replay(l1.events).touches.get(index) ?? []
  it('no key opens a batch outside the period, the fee account or a sub-account of one view key', async () => {
    const { grant } = await made('4', '5')
    const [others, subs, fees] = [ann.index, sub.index, 0].map(touchesOf)
    let tried = 0
    for (const key of grant.keys) {
      const outside = (others ?? []).filter(({ batchNumber }) => batchNumber !== key.batch)
      for (const touch of [...outside, ...(subs ?? []), ...(fees ?? [])]) {
        expect(() => openWithBatchKey(touch, key.batchKey, key)).toThrow('does not open')
        tried++
      }
    }
    // ANN's five batches less the own, seven of the fee account, and the sub-account's.
    expect(tried).toBe(3 * (4 + 7 + (subs?.length ?? 0)))
    expect(subs?.length).toBeGreaterThan(4)
  })
  it('although the view key that both accounts have would open the sub-account', () => {
    const [touch] = touchesOf(sub.index)
    if (touch === undefined) throw new Error('no touch')
    const { viewKey, viewKeyHash } = memberKeys(SEED, 'ANN')
    const key = batchKey(viewKey, sub.index, touch.batchNumber, touch.batchNonce)
    const { ownerKeyHash } = memberKeys(SEED, 'ANN-2')
    expect(openWithBatchKey(touch, key, { ownerKeyHash, viewKeyHash }).cash).toBe(2_000_000_000n)
  })
})

describe('the log', () => {
  const log = join(own.folder, 'grants.jsonl')
  const list = () => cloister('disclose', 'list', ...KEY, '--json')
  it("has every grant, in a file of its owner's, each line bound to the one before", async () => {
    rmSync(log, { force: true })
    expect((await list()).json()).toMatchObject({ ok: true, grants: [] })
    const first = await made('1', '2')
    const second = await made('4', '5')
    expect(statSync(log).mode & 0o777).toBe(0o600)
    const { grants } = (await list()).json() as { grants: readonly Record<string, unknown>[] }
    expect(grants).toMatchObject([
      { number: 1, account: 16, batches: ['1', '2'], file: first.file, previous: '0'.repeat(64) },
      { number: 2, account: 16, batches: ['2', '4', '5'], file: second.file },
    ])
    expect(second.grant.log).toEqual({ number: 2, previous: grants[0]?.['hash'] })
    expect((await cloister('disclose', 'list', ...KEY)).out).toContain(
      '2 grants, every line follows',
    )
    // Nothing secret is in it.
    for (const { batchKey } of second.grant.keys)
      expect(readFileSync(log, 'utf8')).not.toContain(`${batchKey}`)
  })
  it('that was altered is shown as such, and takes no further entry', async () => {
    const text = readFileSync(log, 'utf8')
    for (const [bad, line, why] of [
      [text.replace('"purpose":""', '"purpose":"x"'), 1, 'was altered'],
      [text.split('\n').slice(1).join('\n'), 1, 'has number 2, not 1'],
      [text.replace(/"previous":"0/, '"previous":"1'), 1, 'does not follow the line before'],
      [`nonsense\n${text}`, 1, 'is no JSON'],
    ] as const) {
      writeFileSync(log, bad)
      const answer = await list()
      expect(answer.code).toBe(1)
      expect(answer.json()).toMatchObject({ broken: { line, why } })
      const refused = await grant('1', '2')
      expect(refused.code).toBe(2)
      expect(refused.err).toContain('was altered')
      expect(() => statSync(refused.file)).toThrow()
    }
    writeFileSync(log, text)
  })
  it('gets over a line that was cut off while being written', async () => {
    const { length } = ((await list()).json() as { grants: unknown[] }).grants
    appendFileSync(log, '{"number":3,"previous":"ab')
    expect((await cloister('disclose', 'list', ...KEY)).out).toContain('was cut off while being')
    await made('1', '1')
    const after = (await list()).json() as { grants: unknown[]; broken: unknown }
    expect(after.grants.length).toBe(length + 1)
    expect(after.broken).toBeNull()
  })
  it('that lost its last line shows by the numbers of the grants', async () => {
    const { grant: last } = await made('1', '1')
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n')
    truncateSync(log, Buffer.byteLength(`${lines.slice(0, -1).join('\n')}\n`))
    const { grants } = (await list()).json() as { grants: readonly { number: number }[] }
    expect(grants.at(-1)?.number).toBe(last.log.number - 1)
  })
  it('comes before the file: a grant that cannot be written is in it all the same', async () => {
    const before = ((await list()).json() as { grants: unknown[] }).grants.length
    const folder = join(own.folder, 'shut')
    mkdirSync(folder, { mode: 0o500 })
    const argv = ['disclose', 'grant', ...KEY, ...PLACE, '--from', '1', '--to', '2']
    const { code } = await cloister(...argv, '--out', join(folder, 'x.grant'))
    // Root may write anywhere; whoever may not has an entry and no file.
    const count = ((await list()).json() as { grants: unknown[] }).grants.length
    expect(count).toBe(before + 1)
    expect([0, 2]).toContain(code)
  })
})

describe('a bad command line', () => {
  it.each([
    [['disclose', 'grant', '--from', '1', '--to', '2', '--out', 'x'], 'whose?'],
    [['disclose', 'grant', '--from', '1', '--out', 'x'], '--to'],
    [['disclose', 'read', '/no/such/file', '--rpc', 'http://x'], 'there is no file'],
    [['disclose', 'list'], 'whose?'],
    [['disclose', 'list', '--key', '/no/such/seed'], 'cannot be opened'],
    [['disclose', 'list', '--member', 'NOBODY-HERE'], 'there is no seed of NOBODY-HERE'],
  ])('%j could not be done', async (argv, why) => {
    const { code, err } = await cloister(...argv)
    expect(code).toBe(2)
    expect(err).toContain(why)
  })
  it('a grant is not read without a node', async () => {
    const { file } = await made('1', '1')
    const { code, err } = await cloister('disclose', 'read', file)
    expect(code).toBe(2)
    expect(err).toContain('--rpc URL')
  })
})
