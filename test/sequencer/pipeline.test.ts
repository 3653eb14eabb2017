/** The next batch is built and proven while the last is on its way to L1, and never runs ahead of it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Member } from '../../client/member.ts'
import { Batches } from '../../sequencer/batches.ts'
import { Diverged, NotReady } from '../../sequencer/core.ts'
import { BatchGivenUp, HousePaused, NoProver } from '../../sequencer/house.ts'
import type { MemoryJournal } from '../../sequencer/journal/journal.ts'
import { decodeRecord, type InputOf } from '../../sequencer/journal/record.ts'
import { replay, stateDigest } from '../../sequencer/journal/replay.ts'
import { BatchRefused } from '../../sequencer/l1.ts'
import { Metrics } from '../../sequencer/metrics.ts'
import { FEE, Floor, ticketOf } from './floor.ts'
import { until } from '../until.ts'
import { Proofs, stalledFloor, type Stalled } from './stalled.ts'

const FUTURE = 1024
const PRICE = 50_000_000n
const lots = (quantity: bigint) => [{ instrument: FUTURE, quantity, price: PRICE }]
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} } as never
let floor: Floor
let journal: MemoryJournal
let a: Member, b: Member, c: Member
let l1: Stalled

beforeEach(async () => {
  const opened = await stalledFloor()
  ;({ floor, journal, l1 } = opened)
  ;[a, b, c] = opened.members
})
afterEach(() => floor.close())

/** What has been recorded of batches since the first. */
const kinds = (): readonly string[] =>
  journal.payloads
    .map((payload) => decodeRecord(payload).input)
    .flatMap((input): readonly string[] => {
      if (input.kind === 'batch') return ['batch']
      const isOfBatch = ['proven', 'sent', 'accepted', 'withdrawn'].includes(input.kind)
      return isOfBatch && 'number' in input ? [`${input.kind} ${input.number}`] : []
    })
    .slice(3)
const stateOf = async (member: Member, id: string) => {
  const { state, batch } = await ticketOf(member, id)
  return `${state} ${batch}`
}
/** A batch on its way to L1 and one behind it, each with one trade. */
async function two() {
  const first = await floor.trade(a, b, lots(1n))
  const one = floor.batch()
  const stalled = await l1.handed(0)
  const second = await floor.trade(b, c, lots(2n))
  const other = floor.batch()
  for (const batch of [one, other]) batch.catch(() => {})
  return { first, second, one, other, stalled }
}
const provenBehind = () => until(() => floor.house.core.next?.isProven === true)

describe('a batch behind one that is on its way to L1', () => {
  it('has the fee that the one before it brings about on L1', async () => {
    await floor.trade(a, b, lots(1n))
    const one = floor.batch()
    const stalled = await l1.handed(0)
    floor.l1.setFee(3n * FEE)
    await floor.house.watch()
    await floor.trade(b, c, lots(2n))
    const other = floor.batch()
    await provenBehind()
    const { open, next } = floor.house.core
    expect([open, next].map((batch) => batch?.plan.context.fee)).toEqual([FEE, 3n * FEE])
    await stalled.accept()
    await (await l1.handed(1)).accept()
    await Promise.all([one, other])
    expect(floor.house.ledger.accounts.get(0)?.cash).toBe(2n * FEE + 2n * 3n * FEE)
  })

  it('is chosen, built and proven meanwhile, and sent once L1 has accepted the one before', async () => {
    const { first, second, one, other, stalled } = await two()
    await provenBehind()
    expect(kinds()).toEqual(['batch', 'proven 2', 'sent 2', 'batch', 'proven 3'])
    expect(await stateOf(a, first)).toBe('proven 2')
    expect(await stateOf(b, second)).toBe('proven 3')
    // The ledger is where L1 is.
    expect(floor.house.batchNumber).toBe(1n)
    expect(floor.balance(a, FUTURE)).toBe(0n)
    // However long it takes.
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(l1.waiting).toHaveLength(1)
    await stalled.accept()
    expect(await one).toMatchObject({ number: 2n, trades: 1 })
    expect(await stateOf(a, first)).toBe('final 2')
    expect(await stateOf(b, second)).toBe('proven 3')
    await (await l1.handed(1)).accept()
    expect(await other).toMatchObject({ number: 3n, trades: 1 })
    expect(await stateOf(b, second)).toBe('final 3')
    expect(kinds().slice(5)).toEqual(['accepted 2', 'sent 3', 'accepted 3'])
    expect([a, b, c].map((m) => floor.balance(m, FUTURE))).toEqual([1n, 1n, -2n])
    expect(floor.l1.roots.at(-1)).toBe(floor.house.ledger.tree.root)
    const { core } = await replay(journal.entries(), undefined, () => () => 0)
    expect(stateDigest(core)).toBe(stateDigest(floor.house.core))
  })

  it('is not begun before the one before is proven: one proof at a time', async () => {
    const proofs = new Proofs(floor)
    await floor.trade(a, b, lots(1n))
    const one = floor.batch()
    const first = await proofs.of(0)
    await floor.trade(b, c, lots(2n))
    const other = floor.batch()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(floor.house.core.next).toBeNull()
    expect(kinds()).toEqual(['batch'])
    first.give()
    ;(await proofs.of(1)).give()
    for (const place of [0, 1]) await (await l1.handed(place)).accept()
    expect([(await one)?.number, (await other)?.number]).toEqual([2n, 3n])
    expect(proofs.most).toBe(1)
  })

  it('is not begun where nothing is left for it, nor while nobody can prove it, nor while L1 is paused', async () => {
    await floor.trade(a, b, lots(1n))
    const one = floor.batch()
    const stalled = await l1.handed(0)
    const { sequence } = journal.head
    expect(floor.house.core.hasWork(Date.now())).toBe(false)
    expect(await floor.batch()).toBeNull()
    await floor.trade(b, c, lots(2n))
    expect(floor.house.core.hasWork(Date.now())).toBe(true)
    let reason: string | null = 'no worker has been heard of for 60 s'
    Object.assign(floor.house.options, { proverMissing: async () => reason })
    await expect(floor.batch()).rejects.toThrow(NoProver)
    reason = null
    floor.l1.owed.isPaused = true
    await expect(floor.batch()).rejects.toThrow(HousePaused)
    floor.l1.owed.isPaused = false
    floor.l1.owed.isFrozen = true
    expect(await floor.batch()).toBeNull()
    floor.l1.owed.isFrozen = false
    expect(kinds()).toEqual(['batch', 'proven 2', 'sent 2'])
    expect(journal.head.sequence).toBeGreaterThan(sequence)
    await stalled.accept()
    await one
  })

  it('by the clock is of cover where nothing waits; what L1 wants soon is on its way already', async () => {
    await floor.trade(a, b, lots(1n))
    void floor.batch()
    const stalled = await l1.handed(0)
    floor.l1.owed.isBatchDue = true
    expect(await floor.batch()).toBeNull()
    const cover = floor.house.runBatch({ isDue: true })
    await provenBehind()
    await stalled.accept()
    await (await l1.handed(1)).accept()
    expect(await cover).toMatchObject({ number: 3n, pages: 0 })
  })

  it('that cannot be proven is withdrawn alone', async () => {
    const { prove } = floor
    const { second, one, other, stalled } = await (async () => {
      await floor.trade(a, b, lots(1n))
      const batch = floor.batch()
      const waiting = await l1.handed(0)
      floor.prove = async () => {
        throw new Error('the prover died')
      }
      const id = await floor.trade(b, c, lots(2n))
      return { second: id, one: batch, other: floor.batch(), stalled: waiting }
    })()
    await expect(other).rejects.toThrow('the prover died')
    expect(floor.house.core.next).toBeNull()
    expect(floor.house.core.open).not.toBeNull()
    expect(await stateOf(b, second)).toBe('accepted null')
    floor.prove = prove
    const again = floor.batch()
    await provenBehind()
    await stalled.accept()
    await (await l1.handed(1)).accept()
    expect([(await one)?.number, (await again)?.number]).toEqual([2n, 3n])
    expect(kinds().slice(3, 7)).toEqual(['batch', 'withdrawn 3', 'batch', 'proven 3'])
  })

  it('is built again where L1 went on to other tables meanwhile', async () => {
    const { second, one, other, stalled } = await two()
    await provenBehind()
    for (let i = 0; i < 2; i++) floor.l1.post([...floor.rows.slice(0, 2), floor.rows[2]!])
    await stalled.accept()
    await one
    await expect(other).rejects.toThrow('must be built again')
    expect(l1.waiting).toHaveLength(1)
    expect(await stateOf(b, second)).toBe('accepted null')
    const again = floor.batch()
    await (await l1.handed(1)).accept()
    expect(await again).toMatchObject({ number: 3n, trades: 1 })
  })

  it('is not sent at a register of settlements that is no more', async () => {
    const { other, stalled } = await two()
    await provenBehind()
    floor.l1.settle(1026, 500_000n)
    await stalled.accept()
    await expect(other).rejects.toThrow('must be built again')
    expect(l1.waiting).toHaveLength(1)
  })
})

describe('a batch that is withdrawn', () => {
  const refused = () => new BatchRefused('L1 refused the batch: PausedMustNotContinue()')
  /** Both are built anew, and nothing of the first attempt is used again. */
  async function settledAgain(nonces: readonly bigint[]): Promise<void> {
    const place = l1.waiting.length
    const again = floor.batch()
    const batch = await l1.handed(place)
    expect(batch.number).toBe(2n)
    expect(nonces).not.toContain(batch.batch.batchNonce)
    await batch.accept()
    expect(await again).toMatchObject({ number: 2n, trades: 2 })
    expect([a, b, c].map((m) => floor.balance(m, FUTURE))).toEqual([1n, 1n, -2n])
    const { core } = await replay(journal.entries(), undefined, () => () => 0)
    expect(stateDigest(core)).toBe(stateDigest(floor.house.core))
  }
  const noncesOf = () =>
    [floor.house.core.open, floor.house.core.next].map((x) => x!.plan.context.batchNonce)

  it('takes the one behind it along, which was proven', async () => {
    const { first, second, one, other, stalled } = await two()
    await provenBehind()
    const nonces = noncesOf()
    stalled.fail(refused())
    await expect(one).rejects.toThrow('PausedMustNotContinue')
    await expect(other).rejects.toThrow(BatchGivenUp)
    expect([floor.house.core.open, floor.house.core.next]).toEqual([null, null])
    expect(kinds().slice(5)).toEqual(['withdrawn 2'])
    expect(await stateOf(a, first)).toBe('accepted null')
    expect(await stateOf(b, second)).toBe('accepted null')
    expect(l1.waiting).toHaveLength(1)
    await settledAgain(nonces)
  })

  it('takes the one behind it along, whose proof is given up', async () => {
    const proofs = new Proofs(floor)
    proofs.isWaiting = false
    await floor.trade(a, b, lots(1n))
    const one = floor.batch()
    const stalled = await l1.handed(0)
    proofs.isWaiting = true
    await floor.trade(b, c, lots(2n))
    const other = floor.batch()
    for (const batch of [one, other]) batch.catch(() => {})
    const proof = await proofs.of(1)
    const nonces = noncesOf()
    expect(proof.signal.aborted).toBe(false)
    stalled.fail(refused())
    await expect(other).rejects.toThrow(BatchGivenUp)
    expect(proof.signal.aborted).toBe(true)
    // It comes all the same: too late, and nothing is made of it.
    proof.give()
    proofs.isWaiting = false
    await settledAgain(nonces)
    expect(kinds().filter((kind) => kind.endsWith(' 3'))).toEqual([])
  })

  it('is not withdrawn while nobody knows what became of it: the one behind it waits', async () => {
    const { one, other, stalled } = await two()
    await provenBehind()
    stalled.fail(new Error('the connection is gone'))
    await expect(one).rejects.toThrow('the connection is gone')
    await expect(other).rejects.toThrow('L1 has not spoken')
    const nonces = noncesOf()
    let proofs = 0
    floor.whileProving = async () => void proofs++
    // The same two, in their order, without a new proof.
    const [first, second] = [floor.batch(), floor.batch()]
    const again = await l1.handed(1)
    await until(() => floor.house.core.next !== null)
    expect(l1.waiting).toHaveLength(2)
    await again.accept()
    await (await l1.handed(2)).accept()
    expect([(await first)?.number, (await second)?.number]).toEqual([2n, 3n])
    expect(l1.waiting.slice(1).map(({ batch }) => batch.batchNonce)).toEqual(nonces)
    expect(proofs).toBe(0)
  })
})

describe('records of two batches that contradict each other', () => {
  const record = (input: InputOf<'accepted' | 'sent' | 'withdrawn' | 'proven' | 'batch'>) =>
    floor.house.core.apply({ at: Date.now(), input })
  beforeEach(async () => {
    await two()
    await provenBehind()
  })

  it('are Diverged: the later one accepted or sent first, or another one named', () => {
    expect(() => record({ kind: 'accepted', number: 3n, root: 0n, gas: 0n })).toThrow(Diverged)
    expect(() => record({ kind: 'sent', number: 3n, raw: '0x' })).toThrow(Diverged)
    expect(() => record({ kind: 'withdrawn', number: 4n, reason: '' })).toThrow(Diverged)
    expect(() => record({ kind: 'proven', number: 1n, seconds: 1 })).toThrow(Diverged)
    expect(() => record({ kind: 'accepted', number: 2n, root: 1n, gas: 0n })).toThrow(Diverged)
  })

  it('that open a third, or one behind another than is open, change nothing', () => {
    const batch = journal.payloads
      .map((payload) => decodeRecord(payload).input)
      .findLast((input) => input.kind === 'batch') as InputOf<'batch'>
    expect(batch.after).toBe(2n)
    const { after: _after, ...alone } = batch
    const before = stateDigest(floor.house.core)
    for (const input of [batch, alone, { ...batch, after: 3n }])
      expect(() => record(input)).toThrow(NotReady)
    record({ kind: 'withdrawn', number: 3n, reason: '' })
    const free = stateDigest(floor.house.core)
    expect(free).not.toBe(before)
    for (const input of [alone, { ...batch, after: 1n }, { ...batch, after: 3n }])
      expect(() => record(input)).toThrow(NotReady)
    expect(stateDigest(floor.house.core)).toBe(free)
    record(batch)
    expect(floor.house.core.next).not.toBeNull()
  })

  it('nor is one begun behind a batch that is not proven', async () => {
    const { core } = floor.house
    record({ kind: 'withdrawn', number: 2n, reason: '' })
    const batches = journal.payloads
      .map((payload) => decodeRecord(payload).input)
      .flatMap((input) => (input.kind === 'batch' ? [input] : []))
    const [first, second] = batches.slice(-2) as [InputOf<'batch'>, InputOf<'batch'>]
    record(first)
    expect(() => record(second)).toThrow(NotReady)
    record({ kind: 'proven', number: 2n, seconds: 1 })
    record(second)
    // Everything was taken by the first one this time.
    expect([core.open?.trades.size, core.next]).toEqual([2, null])
  })
})

describe('the clock', () => {
  it('misses no tick while a batch only waits for L1, and two are seen in flight', async () => {
    const metrics = new Metrics()
    metrics.watch(floor.house)
    const value = async (name: string) =>
      Number(new RegExp(`^${name} (.*)$`, 'm').exec(await metrics.registry.metrics())?.[1])
    const batches = new Batches(floor.house, metrics, quiet)
    const handed: string[] = []
    const one = batches.next({ isDue: true, onHanded: () => handed.push('one') })
    const stalled = await l1.handed(0)
    expect(await value('cloister_batches_in_flight')).toBe(1)
    const other = batches.next({ isDue: true, onHanded: () => handed.push('other') })
    await provenBehind()
    expect(handed).toEqual(['one'])
    expect(await value('cloister_batches_in_flight')).toBe(2)
    expect(await batches.stop(0.05)).toBe(false)
    await stalled.accept()
    await (await l1.handed(1)).accept()
    expect([(await one)?.number, (await other)?.number]).toEqual([2n, 3n])
    expect(handed).toEqual(['one', 'other'])
    expect(await batches.stop(600)).toBe(true)
    expect(await value('cloister_batches_in_flight')).toBe(0)
    expect(await batches.next({ isDue: true })).toBeNull()
  })

  it('counts one failure where a batch takes another along', async () => {
    const metrics = new Metrics()
    metrics.watch(floor.house)
    const batches = new Batches(floor.house, metrics, quiet)
    const one = batches.next({ isDue: true })
    const stalled = await l1.handed(0)
    const other = batches.next({ isDue: true })
    for (const batch of [one, other]) batch.catch(() => {})
    await provenBehind()
    stalled.fail(new BatchRefused('L1 refused the batch: PausedMustNotContinue()'))
    await expect(one).rejects.toThrow('Paused')
    await expect(other).rejects.toThrow(BatchGivenUp)
    const text = await metrics.registry.metrics()
    expect(text).toContain('cloister_batch_failures_total{stage="l1"} 1')
    expect(text).toContain('cloister_batch_failures_total{stage="other"} 0')
    expect(text).toContain('cloister_batches_in_flight 0')
  })
})
