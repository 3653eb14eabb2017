/** Signatures and receipts beside the one thread: the same answers, in order, with it or without it. */
import { EventEmitter } from 'node:events'
import type { ChildProcess } from 'node:child_process'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { sign, signingKey, verify, type Signature } from '../../circuits/eddsa.ts'
import { FIELD_MODULUS } from '../../circuits/params.ts'
import { Member } from '../../client/member.ts'
import { headAfter, type Page } from '../../circuits/page.ts'
import { isSigned, keepVerified, type SignedPage } from '../../sequencer/admission.ts'
import type { House } from '../../sequencer/house.ts'
import { AT_ONCE, verifyAhead, type Verified } from '../../sequencer/api/ahead.ts'
import { MemoryJournal, type Entry } from '../../sequencer/journal/journal.ts'
import {
  decodeRecord,
  encodeRecord,
  type InputOf,
  type JournalRecord,
} from '../../sequencer/journal/record.ts'
import { replay, stateDigest } from '../../sequencer/journal/replay.ts'
import { receiptSignerOf } from '../../sequencer/l1/ethers.ts'
import { READY, type Asked, type Start } from '../../sequencer/helpers/task.ts'
import { Helpers } from '../../sequencer/helpers/helpers.ts'
import { until } from '../until.ts'
import { Caller } from './caller.ts'
import { Floor } from './floor.ts'

const KEY = signingKey(new Uint8Array(32).fill(3))
const OTHER = signingKey(new Uint8Array(32).fill(4))
const OPERATOR = `0x${'05'.repeat(32)}`
const ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041n

/** Of a real process: none is given up because the machine stands still. */
const PATIENT = { patienceMilliseconds: 600_000 }
const untilReady = (helpers: Helpers, count: number): Promise<void> =>
  until(() => helpers.alive >= count, 'the helpers do not load')

/** A house in which account 17 has KEY, and pages of it in journal order. */
function listOf(count: number) {
  const list: SignedPage[] = []
  let head = 1n
  for (let i = 0; i < count; i++) {
    const page: Page = {
      kind: 'trade',
      account: 17,
      counterparty: 18,
      stamp: BigInt(1000 + i) << 20n,
      maxFee: 5n,
      payload: 1n,
      entries: [],
    }
    const next = headAfter(head, page)
    list.push({ page, previousHead: head, signature: sign(KEY, next) })
    head = next
  }
  const house = {
    ledger: { ownerKeys: new Map([[17, KEY.publicKey]]), headOf: () => 1n },
    conditions: () => ({ time: 2000n, fee: 1n }),
  } as unknown as House
  return { house, list }
}

/** A process that does what the test says. */
class Played extends EventEmitter {
  readonly asked: Asked[] = []
  killed: string | null = null
  send(message: Start | Asked): boolean {
    if ('task' in message) this.asked.push(message)
    return true
  }
  unref(): void {}
  kill(signal: string): boolean {
    this.killed = signal
    return true
  }
  answer(place: number, answer: boolean | string | null): void {
    this.emit('message', { id: this.asked[place]?.id, answer })
  }
}
const played = (options: { patienceMilliseconds?: number } = {}) => {
  const workers: Played[] = []
  const lines: string[] = []
  const start = (): ChildProcess => {
    const worker = new Played()
    workers.push(worker)
    return worker as unknown as ChildProcess
  }
  const helpers = new Helpers({ count: 1, start, log: (line) => lines.push(line), ...options })
  workers[0]?.emit('message', { id: READY, answer: null })
  return { helpers, workers, lines }
}

describe('a helper', () => {
  let helpers: Helpers | null = null
  afterEach(async () => {
    vi.useRealTimers()
    await helpers?.close()
    helpers = null
  })

  it('says of every signature what the house says, also of odd ones', async () => {
    helpers = new Helpers({ count: 1, ...PATIENT })
    await untilReady(helpers, 1)
    const message = 123456789n
    const right = sign(KEY, message)
    const odd: readonly (readonly [bigint, Signature])[] = [
      [message, right],
      [message + 1n, right],
      [message, { ...right, s: right.s + 1n }],
      [message, { ...right, s: right.s + ORDER }],
      [message, { ...right, s: -1n }],
      [message, { ...right, r: { x: right.r.x + FIELD_MODULUS, y: right.r.y } }],
      [message, { ...right, r: { x: 0n, y: 1n } }],
      [message, { ...right, r: { x: 5n, y: 7n } }],
      [FIELD_MODULUS, right],
    ]
    const said: (boolean | null)[] = []
    for (const [head, signature] of odd)
      said.push(await helpers.verify(17, KEY.publicKey, head, signature))
    expect(said).toEqual(odd.map(([head, signature]) => verify(KEY.publicKey, head, signature)))
    expect(said).toEqual([true, ...odd.slice(1).map(() => false)])
    expect(await helpers.verify(17, OTHER.publicKey, message, right)).toBe(false)
  })

  it('signs the receipt that the house would sign, and none without the key', async () => {
    helpers = new Helpers({ count: 1, operatorKey: OPERATOR, ...PATIENT })
    await untilReady(helpers, 1)
    const text = 'cloister receipt 1 17 99 5'
    expect(await helpers.receipt(text)).toBe(receiptSignerOf(OPERATOR)(text))
    await helpers.close()
    helpers = new Helpers({ count: 1, ...PATIENT })
    await untilReady(helpers, 1)
    expect(await helpers.receipt(text)).toBeNull()
  })

  it('answers the questions of one account in their order, whatever it is asked', async () => {
    helpers = new Helpers({ count: 3, ...PATIENT })
    await untilReady(helpers, 3)
    const order: string[] = []
    const right = sign(KEY, 5n)
    const ask = async (account: number, n: number): Promise<void> => {
      // The first of each is dear: its key is checked, too.
      await (helpers as Helpers).verify(account, KEY.publicKey, 5n, right)
      order.push(`${account}-${n}`)
    }
    const all = [0, 1, 2, 3].flatMap((n) => [17, 18, 19].map((account) => ask(account, n)))
    await Promise.all(all)
    for (const account of [17, 18, 19])
      expect(order.filter((name) => name.startsWith(`${account}`))).toEqual(
        [0, 1, 2, 3].map((n) => `${account}-${n}`),
      )
  })

  it('that has not loaded is not waited for', async () => {
    helpers = new Helpers({ count: 1, ...PATIENT })
    expect(helpers.isIdle).toBe(true)
    expect(await helpers.verify(17, KEY.publicKey, 5n, sign(KEY, 5n))).toBeNull()
  })

  it('that dies leaves its questions to the house, and is started again, not at once', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const { helpers: all, workers, lines } = played()
    helpers = all
    const asked = all.verify(17, KEY.publicKey, 5n, sign(KEY, 5n))
    workers[0]?.emit('exit', 1)
    expect(await asked).toBeNull()
    expect(lines).toHaveLength(1)
    expect(await all.verify(17, KEY.publicKey, 5n, sign(KEY, 5n))).toBeNull()
    expect(workers).toHaveLength(1)
    vi.advanceTimersByTime(1_050)
    // It is started by the next question, which does not wait for it.
    expect(await all.verify(17, KEY.publicKey, 5n, sign(KEY, 5n))).toBeNull()
    expect(workers).toHaveLength(2)
  })

  it.each([
    [
      'there is no memory',
      (): ChildProcess => {
        throw Object.assign(new Error('spawn ENOMEM'), { code: 'ENOMEM' })
      },
    ],
    // As Node gives it where there are no files left: without a channel, and then an error.
    [
      'there are no files left',
      (): ChildProcess => {
        const child = new EventEmitter() as unknown as ChildProcess
        process.nextTick(() => child.emit('error', new Error('spawn EMFILE')))
        return child
      },
    ],
  ])('that cannot be started because %s leaves its questions to the house', async (_why, start) => {
    const lines: string[] = []
    helpers = new Helpers({ count: 1, start, log: (line) => lines.push(line) })
    expect(await helpers.verify(17, KEY.publicKey, 5n, sign(KEY, 5n))).toBeNull()
    expect(await helpers.receipt('text')).toBeNull()
    expect(lines).toEqual([expect.stringContaining('the house does its work')])
  })

  it('is asked for a long list by parts, so that one member does not fill its queue', async () => {
    const { helpers: all, workers } = played()
    helpers = all
    const worker = workers[0] as Played
    const { house, list } = listOf(100)
    const looking = verifyAhead(house, all, 17, list)
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    await turn()
    expect(worker.asked).toHaveLength(AT_ONCE)
    // Another member waits for so many at most.
    void all.verify(18, KEY.publicKey, 5n, sign(KEY, 5n))
    for (let place = 0; place < AT_ONCE; place++) worker.answer(place, true)
    await turn()
    expect(worker.asked).toHaveLength(2 * AT_ONCE + 1)
    // What is wrong once is refused: the rest of it is not looked at.
    for (let place = AT_ONCE + 1; place < 2 * AT_ONCE + 1; place++)
      worker.answer(place, place > AT_ONCE + 1)
    expect((await looking).filter((verified) => verified === null)).toHaveLength(1)
    expect(worker.asked).toHaveLength(2 * AT_ONCE + 1)
  })

  it('that is not there leaves a list to the house, which looks at it one after the other', async () => {
    helpers = new Helpers({ count: 0 })
    const { house, list } = listOf(20)
    let turns = 0
    let isLooking = true
    const others = (): void => {
      turns++
      if (isLooking) setImmediate(others)
    }
    setImmediate(others)
    const found = await verifyAhead(house, helpers, 17, list)
    isLooking = false
    expect(found.filter((verified) => verified !== null)).toHaveLength(20)
    expect(turns).toBeGreaterThan(2)
  })

  it('that answers nothing is given up', async () => {
    const { helpers: all, workers } = played({ patienceMilliseconds: 20 })
    helpers = all
    expect(await all.receipt('x')).toBeNull()
    expect(workers[0]?.killed).toBe('SIGKILL')
    // What it says afterwards is heard by nobody.
    workers[0]?.answer(0, 'late')
    expect(all.isIdle).toBe(true)
  })

  it('that has answered while the house was held up is not given up', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { helpers: all, workers } = played({ patienceMilliseconds: 20 })
    helpers = all
    const asked = all.receipt('x')
    // What has come is read in the turn behind the timers.
    setImmediate(() => workers[0]?.answer(0, 'in time'))
    vi.advanceTimersByTime(20)
    expect(await asked).toBe('in time')
    await new Promise((resolve) => setImmediate(resolve))
    expect([workers[0]?.killed, all.alive]).toEqual([null, 1])
  })

  it('is asked nothing after the end, and leaves nobody waiting', async () => {
    const { helpers: all } = played()
    helpers = all
    const asked = all.verify(17, KEY.publicKey, 5n, sign(KEY, 5n))
    await all.close()
    expect(await asked).toBeNull()
    expect(await all.receipt('x')).toBeNull()
  })
})

describe('what a helper has verified', () => {
  it('counts for that head and that owner alone', () => {
    const signature = sign(KEY, 5n)
    keepVerified(signature, { owner: KEY.publicKey, head: 6n, isRight: true })
    expect(isSigned(KEY.publicKey, 5n, signature)).toBe(true)
    keepVerified(signature, { owner: KEY.publicKey, head: 6n, isRight: true })
    expect(isSigned(KEY.publicKey, 7n, signature)).toBe(false)
    keepVerified(signature, { owner: OTHER.publicKey, head: 5n, isRight: false })
    expect(isSigned(KEY.publicKey, 5n, signature)).toBe(true)
    keepVerified(signature, { owner: KEY.publicKey, head: 6n, isRight: true })
    expect(isSigned(OTHER.publicKey, 6n, signature)).toBe(false)
  })

  it('is what the house answers by, and the journal alone gives the same state', async () => {
    const helpers = new Helpers({ count: 1, ...PATIENT })
    await untilReady(helpers, 1)
    const journal = new MemoryJournal()
    const asked: boolean[] = []
    const verifyBeside = helpers.verify.bind(helpers)
    helpers.verify = async (...given) => {
      const answer = await verifyBeside(...given)
      asked.push(answer === true)
      return answer
    }
    const { floor, members } = await Floor.open([1_000, 1_000], null, journal, { helpers })
    try {
      const [one, two] = members as [Member, Member]
      await floor.trade(one, two, [{ instrument: 1024, quantity: 1n, price: 50_000_000n }])
      expect(asked).toEqual([true, true])
      await floor.batch()
      const { core } = await replay(journal.entries())
      expect(stateDigest(core)).toBe(stateDigest(floor.house.core))
    } finally {
      await floor.close()
      await helpers.close()
    }
  })

  it('is written beside the page, believed at a restart, and verified again by an auditor', async () => {
    const helpers = new Helpers({ count: 1, ...PATIENT })
    await untilReady(helpers, 1)
    const journal = new MemoryJournal()
    const { floor, members } = await Floor.open([1_000, 1_000], null, journal, { helpers })
    const [one, two] = members as [Member, Member]
    await floor.trade(one, two, [{ instrument: 1024, quantity: 1n, price: 50_000_000n }])
    const honest = stateDigest(floor.house.core)
    await floor.close()
    await helpers.close()
    const records: JournalRecord[] = []
    for await (const { payload } of journal.entries()) records.push(decodeRecord(payload))
    const pages = records.filter(({ input }) => input.kind === 'page')
    expect(pages).toHaveLength(2)
    /** The journal with the pages changed, as a core takes it that believes, and one that does not. */
    const digests = async (change: (page: InputOf<'page'>) => InputOf<'page'>) => {
      async function* entries(): AsyncGenerator<Entry> {
        for (const [i, { at, input }] of records.entries()) {
          const changed = input.kind === 'page' ? change(input) : input
          yield { sequence: i + 1, payload: encodeRecord({ at, input: changed }) }
        }
      }
      const [believed, verified] = [
        await replay(entries(), undefined, undefined, true),
        await replay(entries()),
      ]
      return [stateDigest(believed.core), stateDigest(verified.core)]
    }
    expect(await digests((page) => page)).toEqual([honest, honest])
    const without = ({ verified: _none, ...page }: InputOf<'page'>): InputOf<'page'> => page
    expect(await digests(without)).toEqual([honest, honest])
    const forged = (page: InputOf<'page'>): InputOf<'page'> => ({
      ...page,
      signed: { ...page.signed, signature: { ...page.signed.signature, s: 5n } },
    })
    // A writer that lies in its own journal is believed by itself, and found by whoever looks.
    const [believed, verified] = await digests(forged)
    expect(believed).not.toBe(verified)
    // Of another head, or under another key, it says nothing.
    for (const other of [{ head: 1n }, { owner: OTHER.publicKey }])
      expect(
        new Set(
          await digests((page) => {
            const { signed, verified: was, ...rest } = forged(page)
            return { ...rest, signed, verified: { ...(was as Verified), ...other } }
          }),
        ).size,
      ).toBe(1)
    expect(await digests((page) => without(forged(page)))).toEqual([verified, verified])
  })

  it('is nothing that a member can say itself', async () => {
    const { floor, members } = await Floor.open([1_000, 1_000])
    try {
      const [one] = members as [Member, Member]
      const caller = await Caller.open(floor.url, one, floor.house.domain)
      const entries = [{ instrument: 1, quantity: '-1', price: '0' }]
      const signature = { r: { x: '0', y: '1' }, s: '0' }
      const body = { clientId: 'x', kind: 'withdrawal', counterparty: 0, stamp: '1', maxFee: '100' }
      const page = { ...body, payload: '7', entries, previousHead: '1', signature }
      const verified = { head: '1', owner: { x: '1', y: '1' } }
      const answer = await caller.post('/v1/pages', { ...page, verified })
      expect(answer.code).toBe('BodyMustMatchSchema')
      expect((await caller.post('/v1/pages', page)).code).not.toBe('BodyMustMatchSchema')
    } finally {
      await floor.close()
    }
  })

  it('is refused where it was wrong, by the name of the rule', async () => {
    const helpers = new Helpers({ count: 1, ...PATIENT })
    await untilReady(helpers, 1)
    const { floor, members } = await Floor.open([1_000, 1_000], null, undefined, { helpers })
    try {
      const [one, two] = members as [Member, Member]
      const entries = [{ instrument: 1024, quantity: 1n, price: 50_000_000n }]
      const id = await floor.agree(one, two, entries)
      const { head } = await one.api.account()
      const ticket = await one.api.trade(id)
      const status = await one.api.status()
      const page = {
        kind: 'trade' as const,
        account: one.account,
        counterparty: two.account,
        stamp: BigInt(ticket.stamp),
        maxFee: BigInt(status.fee),
        payload: BigInt(ticket.payload),
        entries,
      }
      const signature = sign(one.keys.signing, 12345n)
      const given = { page, previousHead: BigInt(head ?? 0), signature }
      const answer = await one.api.page(given, { ticket: id })
      expect(answer).toMatchObject({ refused: 'SignatureMustMatch' })
    } finally {
      await floor.close()
      await helpers.close()
    }
  })
})
