/** A house with two batches in flight, ended after each record of its journal: the same batches, once each. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Member } from '../../client/member.ts'
import { JournalError, MemoryJournal } from '../../sequencer/journal/journal.ts'
import { decodeRecord, encodeRecord, type Input } from '../../sequencer/journal/record.ts'
import { replay, stateDigest, stateText } from '../../sequencer/journal/replay.ts'
import { BatchRefused, type Submission } from '../../sequencer/l1.ts'
import { Floor } from './floor.ts'
import { until } from '../until.ts'
import { Stalled, stalledFloor } from './stalled.ts'

const FUTURE = 1024
const lots = (quantity: bigint) => [{ instrument: FUTURE, quantity, price: 50_000_000n }]
const draws = () => () => 0
const nameOf = (input: Input): string =>
  'number' in input ? `${input.kind} ${input.number}` : input.kind
const inputsOf = (journal: MemoryJournal): readonly Input[] =>
  journal.payloads.map((payload) => decodeRecord(payload).input)

type Life = {
  readonly payloads: readonly Uint8Array[]
  /** Of its two batches; what is before them is the same in every crash. */
  readonly names: readonly string[]
  readonly first: number
  readonly roots: readonly bigint[]
  readonly signed: ReadonlyMap<string, Submission>
  readonly tables: Floor['l1']['tables']
  readonly accounts: readonly number[]
}
const closing: Floor[] = []
afterEach(async () => {
  for (const floor of closing.splice(0)) await floor.close()
})

/** Batch 2 on its way, batch 3 proven behind it; then L1 accepts both, or refuses the first. */
async function live(isRefused: boolean): Promise<Life> {
  const { journal, floor, members, l1 } = await stalledFloor()
  closing.push(floor)
  const [a, b, c] = members
  await floor.trade(a, b, lots(1n))
  const one = floor.batch()
  const first = await l1.handed(0)
  await floor.trade(b, c, lots(2n))
  const other = floor.batch()
  for (const batch of [one, other]) batch.catch(() => {})
  await until(() => floor.house.core.next?.isProven === true)
  if (isRefused) first.fail(new BatchRefused('L1 refused the batch: PausedMustNotContinue()'))
  else {
    await first.accept()
    await (await l1.handed(1)).accept()
  }
  await Promise.allSettled([one, other])
  const inputs = inputsOf(journal)
  const begin = inputs.findLastIndex((input) => input.kind === 'batch' && input.after === undefined)
  const isOfBatch = ({ kind }: Input): boolean =>
    ['batch', 'proven', 'sent', 'accepted', 'withdrawn'].includes(kind)
  return {
    payloads: journal.payloads,
    names: inputs.slice(begin).filter(isOfBatch).map(nameOf),
    first: begin,
    roots: floor.l1.roots,
    signed: l1.signed,
    tables: floor.l1.tables,
    accounts: members.map(({ account }) => account),
  }
}

/** Everything from the disk, on an L1 that has accepted so many batches. */
async function startAgain(life: Life, records: number, accepted: number) {
  const journal = new MemoryJournal()
  journal.payloads.push(...life.payloads.slice(0, records))
  const floor = new Floor(() => 0, journal)
  closing.push(floor)
  life.tables.forEach((table, root) => floor.l1.tables.set(root, table))
  floor.l1.roots.push(...life.roots.slice(0, accepted))
  const l1 = new Stalled(floor, new Map(life.signed))
  await floor.house.open()
  await floor.house.meetL1()
  return { floor, l1, journal }
}

/** Until nothing waits any more: batches are asked for by two, and L1 takes whatever it is handed. */
async function finish({ floor, l1 }: Awaited<ReturnType<typeof startAgain>>): Promise<void> {
  const { core } = floor.house
  let taken = 0
  for (let i = 0; i < 4; i++) {
    const asked = [floor.batch(), floor.batch()]
    let isOver = false
    void Promise.allSettled(asked).then(() => (isOver = true))
    while (!isOver) {
      await until(() => isOver || l1.waiting.length > taken)
      // Of two only the first may be with L1.
      expect(l1.waiting.length - taken).toBeLessThan(2)
      const next = l1.waiting[taken]
      if (next === undefined) continue
      expect(next.number).toBe(BigInt(floor.l1.roots.length + 1))
      taken++
      await next.accept()
    }
    await Promise.all(asked)
  }
  expect([core.open, core.next]).toEqual([null, null])
}

async function judge(life: Life, run: Awaited<ReturnType<typeof startAgain>>): Promise<void> {
  const { floor, journal } = run
  const { core } = floor.house
  expect([...floor.house.ledger.pending.values()].flat()).toEqual([])
  const held = life.accounts.map((account) =>
    (core.ledger.accounts.get(account)?.balances ?? []).reduce((sum, b) => sum + b.quantity, 0n),
  )
  expect(held).toEqual([1n, 1n, -2n])
  expect(core.batches.map(({ root }) => root)).toEqual(floor.l1.roots)
  // One L1 accepts one batch of a number, and every number once.
  const accepted = inputsOf(journal).flatMap((i) => (i.kind === 'accepted' ? [i.number] : []))
  expect(accepted).toEqual(accepted.map((_, i) => BigInt(i + 1)))
  const again = await replay(journal.entries(), undefined, draws)
  expect(stateText(again.core)).toBe(stateText(core))
}

describe('killed after', () => {
  let life: Life
  let refused: Life
  beforeAll(async () => {
    life = await live(false)
    refused = await live(true)
  })

  /** Records of the journal up to and with the named one of the two batches; and of it all, its place. */
  const recordsTo = (from: Life, place: number): number => {
    const inputs = from.payloads.map((payload) => decodeRecord(payload).input)
    const name = from.names.slice(0, place + 1)
    let at = from.first - 1
    for (const wanted of name)
      at = inputs.findIndex((input, i) => i > at && nameOf(input) === wanted)
    return at + 1
  }

  it('any record: there are as many as the table in docs/provers.md has lines', () => {
    expect(life.names).toEqual([
      'batch',
      'proven 2',
      'sent 2',
      'batch',
      'proven 3',
      'accepted 2',
      'sent 3',
      'accepted 3',
    ])
    expect(refused.names.slice(5)).toEqual(['withdrawn 2'])
  })

  const cases: readonly (readonly [number, string, number, readonly bigint[], number])[] = [
    // Place of the record; what L1 has; batches it has accepted; numbers that must be the same ones; proofs.
    [0, 'batch 2', 1, [2n], 1],
    [1, 'proven 2', 1, [2n], 1],
    [2, 'sent 2', 1, [2n], 0],
    [2, 'sent 2, which L1 has accepted', 2, [2n], 0],
    [3, 'batch 3', 1, [2n, 3n], 1],
    [3, 'batch 3, L1 having accepted 2', 2, [2n, 3n], 1],
    [4, 'proven 3', 1, [2n, 3n], 1],
    [4, 'proven 3, L1 having accepted 2', 2, [2n, 3n], 1],
    [5, 'accepted 2', 2, [2n, 3n], 1],
    [6, 'sent 3', 2, [2n, 3n], 0],
    [6, 'sent 3, which L1 has accepted', 3, [2n, 3n], 0],
    [7, 'accepted 3', 3, [2n, 3n], 0],
  ]
  it.each(cases)('record %i of the two (%s)', async (place, _what, accepted, same, anew) => {
    const run = await startAgain(life, recordsTo(life, place), accepted)
    let proofs = 0
    run.floor.whileProving = async () => void proofs++
    // A page of the second batch that the cut journal has not is not lost: nobody was told of it.
    const lost = place < 3
    const isSecondThere = [...run.floor.house.desk.tickets.values()].length === 2
    expect(isSecondThere).toBe(!lost)
    await finish(run)
    if (lost) {
      expect(run.floor.l1.roots).toEqual(life.roots.slice(0, 2))
      expect(run.floor.house.batchNumber).toBe(2n)
    } else await judge(life, run)
    for (const number of same)
      expect(run.floor.l1.roots[Number(number) - 1]).toBe(life.roots[Number(number) - 1])
    // What was sent is followed, not proven again; what was accepted is neither.
    expect(proofs).toBe(anew)
  })

  it('withdrawn 2: nothing is open, and both are built with nonces of their own', async () => {
    const run = await startAgain(refused, recordsTo(refused, 5), 1)
    expect([run.floor.house.core.open, run.floor.house.core.next]).toEqual([null, null])
    await finish(run)
    await judge(refused, run)
    const before = [...refused.signed.values()].map(({ batchNonce }) => batchNonce)
    for (const { batchNonce } of run.floor.l1.submitted) expect(before).not.toContain(batchNonce)
  })

  it('sent 2, which L1 refuses now: the second goes with it, and both are built anew', async () => {
    const run = await startAgain(life, recordsTo(life, 4), 1)
    const [one, other] = [run.floor.batch(), run.floor.batch()]
    for (const batch of [one, other]) batch.catch(() => {})
    const first = await run.l1.handed(0)
    await until(() => run.floor.house.core.next !== null)
    first.fail(new BatchRefused('L1 refused the batch: PausedMustNotContinue()'))
    await expect(one).rejects.toThrow('Paused')
    await expect(other).rejects.toThrow('is built again')
    expect(run.l1.waiting).toHaveLength(1)
    run.l1.waiting.length = 0
    await finish(run)
    await judge(life, run)
  })
})

describe('a journal of before', () => {
  it('is read as it was: its batches know none behind another', async () => {
    const journal = new MemoryJournal()
    const { floor, members } = await Floor.open([1000, 1000], () => 0, journal)
    closing.push(floor)
    await floor.trade(members[0] as Member, members[1] as Member, lots(1n))
    await floor.batch()
    const old = new MemoryJournal()
    for (const payload of journal.payloads) {
      const text = Buffer.from(payload).toString()
      expect(text).toContain('"v":5')
      const before = text.replace('"v":5', '"v":2').replace(',"isOfNow":true', '')
      expect(before).not.toContain('isOfNow')
      old.payloads.push(Buffer.from(before))
    }
    const { core } = await replay(old.entries(), undefined, draws)
    expect(stateDigest(core)).toBe(stateDigest(floor.house.core))
  })

  it('of a version that nobody knows is not read', () => {
    const payload = encodeRecord({ at: 0, input: { kind: 'tick' } })
    for (const version of ['1', '6']) {
      const other = Buffer.from(Buffer.from(payload).toString().replace('"v":5', `"v":${version}`))
      expect(() => decodeRecord(other)).toThrow(JournalError)
    }
  })
})
