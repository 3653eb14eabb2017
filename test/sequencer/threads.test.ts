/** Signatures and receipts beside the one thread: the same answers, in order, with it or without it. */
import { EventEmitter } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { sign, signingKey, verify, type Signature } from '../../circuits/eddsa.ts'
import { FIELD_MODULUS } from '../../circuits/params.ts'
import { Member } from '../../client/member.ts'
import { isSigned, keepVerified } from '../../sequencer/admission.ts'
import { MemoryJournal } from '../../sequencer/journal/journal.ts'
import { replay, stateDigest } from '../../sequencer/journal/replay.ts'
import { receiptSignerOf } from '../../sequencer/l1/ethers.ts'
import { READY, type Asked } from '../../sequencer/threads/task.ts'
import { Threads } from '../../sequencer/threads/threads.ts'
import { Floor } from './floor.ts'

const KEY = signingKey(new Uint8Array(32).fill(3))
const OTHER = signingKey(new Uint8Array(32).fill(4))
const OPERATOR = `0x${'05'.repeat(32)}`
const ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041n

const untilReady = async (threads: Threads, count: number): Promise<void> => {
  const until = Date.now() + 30_000
  while (threads.alive < count) {
    if (Date.now() > until) throw new Error('the threads do not load')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** A thread that does what the test says. */
class Played extends EventEmitter {
  readonly asked: Asked[] = []
  isTerminated = false
  postMessage(asked: Asked): void {
    this.asked.push(asked)
  }
  unref(): void {}
  async terminate(): Promise<number> {
    this.isTerminated = true
    return 0
  }
  answer(place: number, answer: boolean | string | null): void {
    this.emit('message', { id: this.asked[place]?.id, answer })
  }
}
const played = (options: { patienceMilliseconds?: number } = {}) => {
  const workers: Played[] = []
  const lines: string[] = []
  const start = (): Worker => {
    const worker = new Played()
    workers.push(worker)
    return worker as unknown as Worker
  }
  const threads = new Threads({ count: 1, start, log: (line) => lines.push(line), ...options })
  workers[0]?.emit('message', { id: READY, answer: null })
  return { threads, workers, lines }
}

describe('a thread', () => {
  let threads: Threads | null = null
  afterEach(async () => {
    await threads?.close()
    threads = null
  })

  it('says of every signature what the house says, also of odd ones', async () => {
    threads = new Threads({ count: 1 })
    await untilReady(threads, 1)
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
      said.push(await threads.verify(17, KEY.publicKey, head, signature))
    expect(said).toEqual(odd.map(([head, signature]) => verify(KEY.publicKey, head, signature)))
    expect(said).toEqual([true, ...odd.slice(1).map(() => false)])
    expect(await threads.verify(17, OTHER.publicKey, message, right)).toBe(false)
  })

  it('signs the receipt that the house would sign, and none without the key', async () => {
    threads = new Threads({ count: 1, operatorKey: OPERATOR })
    await untilReady(threads, 1)
    const text = 'cloister receipt 1 17 99 5'
    expect(await threads.receipt(text)).toBe(receiptSignerOf(OPERATOR)(text))
    await threads.close()
    threads = new Threads({ count: 1 })
    await untilReady(threads, 1)
    expect(await threads.receipt(text)).toBeNull()
  })

  it('answers the questions of one account in their order, whatever it is asked', async () => {
    threads = new Threads({ count: 3 })
    await untilReady(threads, 3)
    const order: string[] = []
    const right = sign(KEY, 5n)
    const ask = async (account: number, n: number): Promise<void> => {
      // The first of each is dear: its key is checked, too.
      await (threads as Threads).verify(account, KEY.publicKey, 5n, right)
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
    threads = new Threads({ count: 1 })
    expect(threads.isIdle).toBe(true)
    expect(await threads.verify(17, KEY.publicKey, 5n, sign(KEY, 5n))).toBeNull()
  })

  it('that dies leaves its questions to the house, and is started again, not at once', async () => {
    const { threads: all, workers, lines } = played()
    threads = all
    const asked = all.verify(17, KEY.publicKey, 5n, sign(KEY, 5n))
    workers[0]?.emit('exit', 1)
    expect(await asked).toBeNull()
    expect(lines).toHaveLength(1)
    expect(await all.verify(17, KEY.publicKey, 5n, sign(KEY, 5n))).toBeNull()
    expect(workers).toHaveLength(1)
    await new Promise((resolve) => setTimeout(resolve, 1_050))
    // It is started by the next question, which does not wait for it.
    expect(await all.verify(17, KEY.publicKey, 5n, sign(KEY, 5n))).toBeNull()
    expect(workers).toHaveLength(2)
  })

  it('that answers nothing is given up', async () => {
    const { threads: all, workers } = played({ patienceMilliseconds: 20 })
    threads = all
    expect(await all.receipt('x')).toBeNull()
    expect(workers[0]?.isTerminated).toBe(true)
    // What it says afterwards is heard by nobody.
    workers[0]?.answer(0, 'late')
    expect(all.isIdle).toBe(true)
  })

  it('is asked nothing after the end, and leaves nobody waiting', async () => {
    const { threads: all } = played()
    threads = all
    const asked = all.verify(17, KEY.publicKey, 5n, sign(KEY, 5n))
    await all.close()
    expect(await asked).toBeNull()
    expect(await all.receipt('x')).toBeNull()
  })
})

describe('what a thread has verified', () => {
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
    const threads = new Threads({ count: 1 })
    await untilReady(threads, 1)
    const journal = new MemoryJournal()
    const asked: boolean[] = []
    const verifyBeside = threads.verify.bind(threads)
    threads.verify = async (...given) => {
      const answer = await verifyBeside(...given)
      asked.push(answer === true)
      return answer
    }
    const { floor, members } = await Floor.open([1_000, 1_000], null, journal, { threads })
    try {
      const [one, two] = members as [Member, Member]
      await floor.trade(one, two, [{ instrument: 1024, quantity: 1n, price: 50_000_000n }])
      expect(asked).toEqual([true, true])
      await floor.batch()
      const { core } = await replay(journal.entries())
      expect(stateDigest(core)).toBe(stateDigest(floor.house.core))
    } finally {
      await floor.close()
      await threads.close()
    }
  })

  it('is refused where it was wrong, by the name of the rule', async () => {
    const threads = new Threads({ count: 1 })
    await untilReady(threads, 1)
    const { floor, members } = await Floor.open([1_000, 1_000], null, undefined, { threads })
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
      await threads.close()
    }
  })
})
