/** A process that stays with an account: what it tells, what it signs, and what it never signs. */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { headAfter } from '../../circuits/page.ts'
import { HouseApi, type AccountView } from '../../client/api.ts'
import { attend } from '../../client/cli/attend.ts'
import { ROOT } from '../../client/cli/root.ts'
import type { MemberStore } from '../../client/cli/store.ts'
import { JournalError } from '../../client/journal.ts'
import { readLines, type SignedPage } from '../../client/journal-file.ts'
import type { Member } from '../../client/member.ts'
import { wideRow } from '../sequencer/floor.ts'
import { until } from '../until.ts'
import { ChainedFloor } from './chained-floor.ts'

type Own = { readonly store: MemberStore; readonly member: Member }
type Line = Readonly<Record<string, unknown>>
const FUTURE = 1024
let chained: ChainedFloor
let ann: Own
let ben: Own
const stops: (() => Promise<void>)[] = []

beforeEach(async () => {
  chained = await ChainedFloor.open()
  ann = await chained.member('ANN', 200n)
  ben = await chained.member('BEN', 10_000n)
})
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
  vi.restoreAllMocks()
  await chained.close()
})

/** Attends in this process; `lines` are what it tells. */
function attending(name = 'ANN', { store } = ann) {
  const lines: Line[] = []
  const texts: string[] = []
  let end = (): void => {}
  const stop = new Promise<void>((resolve) => (end = resolve))
  const where = { house: chained.floor.url, rpc: chained.rpcUrl, dir: store.directory }
  const tell = (text: string, json: Line): void => {
    lines.push(json)
    texts.push(text)
  }
  const common = { ...where, json: false, timeout: 600, wait: 1, note: () => {} }
  const ended = attend(name, { ...common, tell, stop })
  ended.catch(() => {})
  const close = async () => {
    end()
    await ended.catch(() => {})
  }
  stops.push(close)
  const kinds = () => lines.map(({ kind }) => kind)
  const untilTold = (kind: string, count = 1) =>
    until(
      () => kinds().filter((one) => one === kind).length >= count,
      () => `"${kind}" is not told ${count} times: ${texts.join('\n')}`,
    )
  return { lines, texts, kinds, untilTold, close, ended }
}

const withdraw = (amount = '5') => chained.json(ann.store, 'withdraw', 'ANN', amount, '--no-wait')
async function settled(): Promise<void> {
  expect(await withdraw()).toMatchObject({ ok: true })
  expect(await chained.floor.batch()).not.toBeNull()
}
const ledger = () => chained.floor.house.ledger

/** A trade that settles no more once a table says so, and a withdrawal behind it. */
async function cut(): Promise<string> {
  const lots = [{ instrument: FUTURE, quantity: 5n, price: 50_000_000n }]
  const bad = await chained.floor.trade(ann.member, ben.member, lots)
  expect(await withdraw()).toMatchObject({ ok: true })
  chained.post([wideRow(FUTURE, 50_000_000n), ...chained.floor.rows.slice(1)])
  await chained.floor.batch()
  return bad
}

describe('who attends', () => {
  it('signs anew what was cut, and nothing is lost but what cannot settle', async () => {
    const attendant = attending()
    await attendant.untilTold('attending')
    const bad = await cut()
    await attendant.untilTold('signed')
    expect(ledger().unsignedOf(16)).toEqual([])
    expect(ledger().pendingOf(16)).toHaveLength(1)
    await chained.floor.batch()
    await attendant.untilTold('leaf')
    const told = attendant.lines
    expect(told.find(({ kind }) => kind === 'signed')).toMatchObject({
      pages: [expect.stringMatching(/^withdrawal-/) as string],
    })
    expect(told.find(({ kind }) => kind === 'lost')).toMatchObject({ pages: [bad] })
    expect(told.filter(({ id }) => id === bad).at(-1)).toMatchObject({
      state: 'refused',
      refused: 'AccountMustBeSolvent',
    })
    expect(ledger().pendingOf(16)).toEqual([])
    expect(chained.floor.balance(ann.member, 1)).toBe(195_000_000n - 100n)
    expect(attendant.texts.join('\n')).toMatch(/trade .*: refused by AccountMustBeSolvent/)
  })

  it('signs at its start what was cut before', async () => {
    await cut()
    expect(ledger().unsignedOf(16)).toHaveLength(1)
    const attendant = attending()
    await attendant.untilTold('signed')
    expect(ledger().unsignedOf(16)).toEqual([])
  })

  it('signs no trade, and no page that nobody asked for', async () => {
    const attendant = attending()
    await attendant.untilTold('attending')
    const before = readFileSync(ann.store.journalPath, 'utf8')
    const lots = [{ instrument: FUTURE, quantity: 1n, price: 50_000_000n }]
    await chained.floor.agree(ben.member, ann.member, lots)
    await attendant.untilTold('trade', 2)
    await chained.floor.batch()
    expect(readFileSync(ann.store.journalPath, 'utf8')).toBe(before)
  })

  it('goes on where it ended: each event once, none left out', async () => {
    const first = attending()
    await first.untilTold('attending')
    await settled()
    await first.untilTold('leaf')
    await first.close()
    await settled()
    const second = attending()
    await second.untilTold('leaf')
    await settled()
    await second.untilTold('leaf', 2)
    await second.close()
    const numbers = [...first.lines, ...second.lines].flatMap(({ sequence }) =>
      typeof sequence === 'number' ? [sequence] : [],
    )
    expect(numbers).toEqual(numbers.map((_, i) => (numbers[0] as number) + i))
    expect(numbers.at(-1)).toBe(chained.floor.house.core.feed.lastOf(16))
    expect(numbers.length).toBeGreaterThan(5)
  })

  it('begins where the house is, where its place is of another house', async () => {
    const first = attending()
    await first.untilTold('attending')
    await settled()
    await first.untilTold('leaf')
    await first.close()
    writeFileSync(join(ann.store.directory, 'events.json'), '{"sequence":4000}\n')
    const second = attending()
    await second.untilTold('forgotten')
    await settled()
    await second.untilTold('leaf')
  })

  it('is one process; other commands work beside it', async () => {
    const attendant = attending()
    await attendant.untilTold('attending')
    const other = attending()
    await expect(other.ended).rejects.toThrow(`attended already, by process ${process.pid}`)
    await settled()
    expect(await chained.json(ann.store, 'trade', 'list', 'ANN')).toMatchObject({ ok: true })
    await attendant.untilTold('page')
    expect(attendant.lines.find(({ kind }) => kind === 'page')).toMatchObject({
      page: expect.stringMatching(/^withdrawal-/) as string,
    })
  })

  it('waits for another command that is at work, and signs then', async () => {
    const attendant = attending()
    await attendant.untilTold('attending')
    let letGo = (): void => {}
    const held = new Promise<void>((resolve) => (letGo = resolve))
    const lots = [{ instrument: FUTURE, quantity: 5n, price: 50_000_000n }]
    await chained.floor.trade(ann.member, ben.member, lots)
    await withdraw()
    const command = ann.store.locked(() => held)
    chained.post([wideRow(FUTURE, 50_000_000n), ...chained.floor.rows.slice(1)])
    await chained.floor.batch()
    await attendant.untilTold('waiting')
    expect(ledger().unsignedOf(16)).toHaveLength(1)
    letGo()
    await command
    await attendant.untilTold('signed')
    expect(ledger().unsignedOf(16)).toEqual([])
  })

  it('says that the house does not answer, and goes on when it does', async () => {
    const attendant = attending()
    await attendant.untilTold('attending')
    await chained.shut()
    await attendant.untilTold('disconnected', 2)
    const pauses = attendant.lines.flatMap(({ pauseSeconds }) =>
      typeof pauseSeconds === 'number' ? [pauseSeconds] : [],
    )
    expect(pauses.slice(0, 2)).toEqual([1, 2])
    await chained.reopen()
    await attendant.untilTold('attending', 2)
    await settled()
    await attendant.untilTold('page')
  })

  it('takes the new keys when another command has rotated them', async () => {
    const attendant = attending()
    await attendant.untilTold('attending')
    const rotate = () => chained.json(ann.store, 'account', 'rotate', 'ANN', '--no-wait')
    expect(await rotate()).toMatchObject({ state: 'waiting' })
    await chained.floor.batch()
    await attendant.untilTold('leaf')
    expect(await rotate()).toMatchObject({ state: 'done' })
    await cutAfterRotation()
    await attendant.untilTold('signed')
    expect(ledger().unsignedOf(16)).toEqual([])
    await chained.floor.batch()
    expect(ledger().pendingOf(16)).toEqual([])
  })
})

/** As cut(), by commands: the member of this test has the keys of before. */
async function cutAfterRotation(): Promise<void> {
  const account = `${ben.store.stored.account}`
  const leg = 'BTC-27MAR20:110@2'
  const made = await chained.json(
    ann.store,
    ...['trade', 'propose', 'ANN', account, leg, '--no-wait'],
  )
  const id = made['id'] as string
  await chained.json(ben.store, 'trade', 'affirm', 'BEN', id, '--no-wait')
  await Promise.all([
    chained.json(ann.store, 'trade', 'sign', 'ANN'),
    chained.json(ben.store, 'trade', 'sign', 'BEN'),
  ])
  expect(await withdraw('1')).toMatchObject({ ok: true })
  const [first, , ...rest] = chained.floor.rows
  chained.post([...(first ? [first] : []), wideRow(1025, 2_000_000n), ...rest])
  await chained.floor.batch()
  expect(ledger().pendingOf(16).length + ledger().unsignedOf(16).length).toBeGreaterThan(0)
}

describe('a house that claims a cut which did not happen', () => {
  const lie = (over: Partial<AccountView>) => {
    const real = HouseApi.prototype.account.bind(ann.member.api)
    vi.spyOn(ann.member.api, 'account').mockImplementation(async () => ({
      ...(await real()),
      ...over,
    }))
  }
  const allSigned = (): readonly SignedPage[] =>
    readLines(ann.store.journalPath).lines.flatMap((line) =>
      line.type === 'page' ? [line] : line.type === 'rebase' ? line.pages : [],
    )

  it('gets a second run from the same head, of which one can settle', async () => {
    await ann.member.withdraw(1, 5_000_000n, 7n)
    await ann.member.withdraw(1, 6_000_000n, 7n)
    const [, second] = ann.member.journal.state.pending as [SignedPage, SignedPage]
    const { settledHead } = ann.member.journal.state
    vi.spyOn(ann.member.api, 'resign').mockResolvedValue({
      head: `${headAfter(settledHead, second.page)}`,
      complete: true,
      receipt: null,
    })
    lie({ head: `${settledHead}`, resign: [`${headAfter(0n, second.page)}`] })
    const realigned = await ann.member.realigned()
    expect(realigned.lost).toHaveLength(1)
    expect(realigned.signedAnew).toEqual([second.clientId])
    // Different pages that were ever signed on one head exclude each other: a leaf has one head.
    const onHead = new Map<bigint, Set<bigint>>()
    for (const { previousHead, head } of allSigned())
      onHead.set(previousHead, (onHead.get(previousHead) ?? new Set()).add(head))
    expect([...onHead.values()].map((heads) => heads.size)).toEqual([2, 1])
    expect(onHead.get(settledHead)?.size).toBe(2)
    // The house settles the run that it said was cut: the other is dead, and the client says so.
    vi.restoreAllMocks()
    await chained.floor.batch()
    const anew = ann.member.journal.state.pending
    expect(ledger().accounts.get(16)?.head).not.toBe(anew.at(-1)?.head)
    const stale = await ann.member.api.resign(anew)
    expect(stale).toMatchObject({ refused: 'JournalMustContinue' })
    await ann.member.realign()
    expect(ann.member.journal.state.head).toBe(ledger().headOf(16))
    await ann.member.withdraw(1, 1_000_000n, 7n)
    await chained.floor.batch()
    await chained.floor.batch()
    expect(chained.floor.balance(ann.member, 1)).toBe(200_000_000n - 12_000_000n - 300n)
  })

  it('gets no signature on a head that was not signed here, nor for a page that was not', async () => {
    await ann.member.withdraw(1, 5_000_000n, 7n)
    const before = allSigned().length
    lie({ head: '12345' })
    await expect(ann.member.realign()).rejects.toThrow(JournalError)
    expect(allSigned()).toHaveLength(before)
    const sent = vi.spyOn(ann.member.api, 'resign')
    lie({ resign: ['999'] })
    await ann.member.realign()
    expect(sent).not.toHaveBeenCalled()
    expect(allSigned()).toHaveLength(before)
  })
})

describe('the command', () => {
  it('prints a JSON object a line, and ends with 0 at Ctrl-C', async () => {
    const child = spawn(
      process.execPath,
      [
        join(ROOT, 'client/bin/cloister.mjs'),
        ...['account', 'attend', 'ANN', '--json', '--house', chained.floor.url],
        ...['--rpc', chained.rpcUrl, '--dir', ann.store.directory],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let out = ''
    child.stdout.on('data', (data: Buffer) => (out += data.toString()))
    // What it said is read whole only when its streams have ended, too.
    const code = new Promise((resolve) => child.once('close', resolve))
    const lines = () =>
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Line)
    await until(() => out.includes('"kind":"attending"'))
    await cut()
    await until(() => out.includes('"kind":"signed"'))
    expect(ledger().unsignedOf(16)).toEqual([])
    child.kill('SIGINT')
    expect(await code).toBe(0)
    expect(lines().at(-1)).toMatchObject({ ok: true, kind: 'ended', name: 'ANN' })
  })
})
