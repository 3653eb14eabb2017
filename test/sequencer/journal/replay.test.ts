/** The state from the journal alone: the same roots, byte for byte, wherever the process ended. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { leafHash } from '../../../circuits/account.ts'
import { TREE_DEPTH } from '../../../circuits/params.ts'
import { Tree } from '../../../circuits/tree.ts'
import { ACCOUNT_WORDS } from '../../../circuits/words.ts'
import { memberKeys } from '../../../client/keys.ts'
import type { Member } from '../../../client/member.ts'
import { Core, Diverged } from '../../../sequencer/core.ts'
import { FileJournal } from '../../../sequencer/journal/file-journal.ts'
import { MemoryJournal, type Journal } from '../../../sequencer/journal/journal.ts'
import {
  decodeRecord,
  encodeRecord,
  type JournalRecord,
} from '../../../sequencer/journal/record.ts'
import {
  applyEntry,
  deploymentOf,
  readGenesis,
  replay,
  stateDigest,
  stateText,
} from '../../../sequencer/journal/replay.ts'
import { sealerOf } from '../../../sequencer/journal/seal.ts'
import { until } from '../../until.ts'
import { Floor, ticketOf } from '../floor.ts'
import { day as dayOn } from './day.ts'

const OTHER = 1025
const sealer = sealerOf(new Uint8Array(32).fill(1))
const lots = (instrument: number, quantity: bigint, price: bigint) => [
  { instrument, quantity, price },
]
const first = () => 0
let folder: string
const floors: Floor[] = []
async function day(journal: Journal, seed: number, steps: number): Promise<Floor> {
  const { floor } = await dayOn(journal, seed, steps)
  floors.push(floor)
  // What it has come to is looked at for a while.
  await floor.shut()
  return floor
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  folder = mkdtempSync(join(tmpdir(), 'cloister-replay-'))
})
afterEach(async () => {
  for (const floor of floors.splice(0)) await floor.close()
  rmSync(folder, { recursive: true, force: true })
  vi.useRealTimers()
})

function kindsOf(records: readonly JournalRecord[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { input } of records) counts.set(input.kind, (counts.get(input.kind) ?? 0) + 1)
  return counts
}
async function recordsOf(journal: Pick<Journal, 'entries'>): Promise<readonly JournalRecord[]> {
  const records: JournalRecord[] = []
  for await (const { payload } of journal.entries()) records.push(decodeRecord(payload))
  return records
}

describe('a day replayed from its journal', () => {
  it.each(process.env['CLOISTER_LONG'] ? [1, 2, 3, 4, 5, 6, 7, 8] : [1, 2])(
    'gives the same state byte for byte, the roots of L1 included (seed %i)',
    async (seed) => {
      const journal = await FileJournal.open({ directory: join(folder, 'journal'), sealer })
      const floor = await day(journal, seed, 60)
      const { core } = floor.house
      const counts = kindsOf(await recordsOf(journal))
      for (const kind of ['proposal', 'affirmation', 'page', 'l1', 'batch', 'proven', 'accepted'])
        expect(counts.get(kind) ?? 0).toBeGreaterThan(0)
      const roots: bigint[] = []
      const again = await replay(journal.entries(), ({ input }, _sequence, at) => {
        if (input.kind === 'accepted') roots.push(at.ledger.tree.root)
      })
      expect(roots.length).toBeGreaterThan(2)
      expect(roots).toEqual(floor.l1.roots)
      expect(stateText(again.core)).toBe(stateText(core))
      expect(stateDigest(again.core)).toBe(stateDigest(core))
      expect(again.records).toBe(journal.head.sequence)
      // From what L1 was sent alone: another path to the same roots.
      expect(rootsFromL1(floor)).toEqual(roots)
      // And a journal opened anew, in a house that goes on with it.
      await floor.close()
      floors.pop()
      const opened = await FileJournal.open({ directory: join(folder, 'journal'), sealer })
      const next = new Floor(null, opened, floor.l1)
      floors.push(next)
      await next.house.open()
      expect(stateText(next.house.core)).toBe(stateText(core))
    },
  )
})

/** A tree filled with nothing but the account words that batches carried to L1. */
function rootsFromL1(floor: Floor): readonly bigint[] {
  const tree = new Tree(TREE_DEPTH)
  tree.set(0, leafHash(floor.house.options.deployment.feeAccount))
  return floor.l1.submitted.map(({ accountWords }) => {
    for (let at = 0; at < accountWords.length; at += ACCOUNT_WORDS) {
      const [index, leaf] = [accountWords[at] as bigint, accountWords[at + 1] as bigint]
      if (leaf !== 0n) tree.set(Number(index), leaf)
    }
    return tree.root
  })
}

describe('a house that ends', () => {
  it('after any record is the same house again, and every record counts once', async () => {
    const journal = new MemoryJournal()
    const floor = await day(journal, 5, 25)
    const { genesis } = floor.house.core
    const straight = new Core(genesis)
    const apply = (core: Core, i: number): void => {
      try {
        applyEntry(core, i + 1, decodeRecord(journal.payloads[i] as Uint8Array))
      } catch {
        // The record's own answer.
      }
    }
    for (let i = 0; i < journal.payloads.length; i++) {
      apply(straight, i)
      if (i % 10 !== 0) continue
      const prefix = new MemoryJournal()
      prefix.payloads.push(...journal.payloads.slice(0, i + 1))
      const { core } = await replay(prefix.entries())
      expect(stateText(core)).toBe(stateText(straight))
    }
    expect(stateText(straight)).toBe(stateText(floor.house.core))
    const again = decodeRecord(journal.payloads[3] as Uint8Array)
    expect(() => applyEntry(straight, 4, again)).toThrow('record 4 comes after record')
  })

  it('knows its contracts again, and meets no L1 but the one that has its last batch', async () => {
    const journal = new MemoryJournal()
    const { floor } = await Floor.open([1000], first, journal)
    floors.push(floor)
    const genesis = await readGenesis(journal)
    if (genesis === null) throw new Error('no genesis')
    expect(deploymentOf(genesis)).toEqual(floor.house.options.deployment)
    expect(deploymentOf({ ...genesis, oracle: '0x44' }).oracle).toBe('0x44')
    expect(floor.house.batchNumber).toBe(1n)
    await floor.house.meetL1()
    const [root] = floor.l1.roots
    // Put back before its batch; and with another batch of that number.
    floor.l1.roots.length = 0
    await expect(floor.house.meetL1()).rejects.toThrow('L1 does not have it')
    floor.l1.roots.push((root as bigint) + 1n)
    await expect(floor.house.meetL1()).rejects.toThrow(Diverged)
  })

  it('before L1 has answered asks L1, and settles the same batch once', async () => {
    const journal = new MemoryJournal()
    const { floor, members } = await Floor.open([1000, 1000], first, journal)
    floors.push(floor)
    const [a, b] = members as [Member, Member]
    await floor.trade(a, b, lots(OTHER, 1n, 2_000_000n))
    const submit = floor.l1.submit.bind(floor.l1)
    for (const isAccepted of [true, false]) {
      floor.l1.submit = async (batch) => {
        if (isAccepted) await submit(batch)
        throw new Error('the connection is gone')
      }
      await expect(floor.batch()).rejects.toThrow('the connection is gone')
      const sent = floor.l1.submitted.length
      const restarted = new MemoryJournal()
      restarted.payloads.push(...journal.payloads)
      floor.l1.submit = submit
      const next = new Floor(first, restarted, floor.l1)
      floors.push(next)
      await next.house.open()
      const { core } = next.house
      expect(core.open?.plan.context.batchNumber).toBe(core.batchNumber + 1n)
      const report = await next.batch()
      expect(report?.root).toBe(floor.l1.roots.at(-1))
      // Accepted before: nothing is sent again. Not accepted: the same batch, once.
      expect(floor.l1.submitted.length).toBe(isAccepted ? sent : sent + 1)
      expect(next.house.core.open).toBeNull()
      // The old process comes to the same end by itself.
      expect((await floor.batch())?.root).toBe(report?.root)
      if (isAccepted) await floor.trade(a, b, lots(OTHER, 1n, 2_000_000n))
    }
    expect(floor.balance(a, OTHER)).toBe(2n)
  })

  it('and finds another batch of that number on L1 stops, and records nothing', async () => {
    const journal = new MemoryJournal()
    const { floor, members } = await Floor.open([1000, 1000], first, journal)
    floors.push(floor)
    const [a, b] = members as [Member, Member]
    await floor.trade(a, b, lots(OTHER, 1n, 2_000_000n))
    floor.l1.submit = async () => {
      floor.l1.roots.push(99n)
      throw new Error('the connection is gone')
    }
    await expect(floor.batch()).rejects.toThrow('the connection is gone')
    const { sequence } = journal.head
    await expect(floor.batch()).rejects.toThrow('L1 has root 99 for batch 2')
    expect(journal.head.sequence).toBe(sequence)
    expect(floor.house.batchNumber).toBe(1n)
  })

  it('records what is shown twice once', async () => {
    const journal = new MemoryJournal()
    const { floor } = await Floor.open([1000], first, journal)
    floors.push(floor)
    await floor.house.showDeposit(16, 5n)
    const { sequence } = journal.head
    await floor.house.showDeposit(16, 5n)
    await floor.house.countersign(`0x${'10'.repeat(20)}`, { x: 0n, y: 1n }, 5n)
    expect(journal.head.sequence).toBe(sequence + 1)
    await floor.house.countersign(`0x${'10'.repeat(20)}`, { x: 0n, y: 1n }, 5n)
    expect(journal.head.sequence).toBe(sequence + 1)
  })

  it('gives the receipts that it gave before', async () => {
    const journal = new MemoryJournal()
    const { floor, members } = await Floor.open([1000, 1000], first, journal)
    floors.push(floor)
    const [a, b] = members as [Member, Member]
    const id = await floor.trade(a, b, lots(OTHER, 1n, 2_000_000n))
    const { receipt } = await ticketOf(a, id)
    expect(receipt).not.toBeNull()
    floor.house.desk.tickets.get(id)?.receipts.clear()
    vi.setSystemTime(Date.now() + 5000)
    expect((await ticketOf(a, id)).receipt).toEqual(receipt)
  })
})

describe('a batch that nobody can prove', () => {
  it('is withdrawn, and the next one has its number and a nonce of its own', async () => {
    const journal = new MemoryJournal()
    const { floor, members } = await Floor.open([1000, 1000], first, journal)
    floors.push(floor)
    const [a, b] = members as [Member, Member]
    const id = await floor.trade(a, b, lots(OTHER, 1n, 2_000_000n))
    floor.prove = async () => {
      throw new Error('the prover is gone')
    }
    await expect(floor.batch()).rejects.toThrow('the prover is gone')
    expect((await ticketOf(a, id)).state).toBe('accepted')
    floor.prove = async () => ({}) as never
    expect(await floor.batch()).toMatchObject({ number: 2n, trades: 1 })
    const batches = (await recordsOf(journal)).flatMap(({ input }) =>
      input.kind === 'batch' ? [input.nonce] : [],
    )
    expect(new Set(batches).size).toBe(batches.length)
    expect(stateText((await replay(journal.entries(), undefined, () => first)).core)).toBe(
      stateText(floor.house.core),
    )
  })
})

describe('a journal that is not this house’s', () => {
  it('is refused, whatever differs', async () => {
    const journal = new MemoryJournal()
    const { floor } = await Floor.open([1000], first, journal)
    floors.push(floor)
    const { options } = floor.house
    expect(await readGenesis(journal)).toEqual(floor.house.core.genesis)
    expect(await readGenesis(new MemoryJournal())).toBeNull()
    const { House } = await import('../../../sequencer/house.ts')
    for (const change of [
      { domain: 1n },
      { fee: options.fee + 1n },
      { feeAccountViewKey: 1n },
      { deployment: { ...options.deployment, chainId: 1n } },
      { deployment: { ...options.deployment, shapeIds: new Map([['floor', 2n]]) } },
    ])
      await expect(new House({ ...options, ...change, journal }).open()).rejects.toThrow(
        'JournalMustBelong',
      )
  })

  it('or contradicts L1 is not gone on with', async () => {
    const journal = new MemoryJournal()
    const { floor } = await Floor.open([1000], first, journal)
    floors.push(floor)
    const at = journal.payloads.findIndex(
      (payload) => decodeRecord(payload).input.kind === 'accepted',
    )
    const record = decodeRecord(journal.payloads[at] as Uint8Array)
    const input = { ...record.input, root: 1n } as JournalRecord['input']
    journal.payloads[at] = encodeRecord({ ...record, input })
    await expect(replay(journal.entries(), undefined, () => first)).rejects.toThrow(
      'L1 has root 1 after batch 1',
    )
  })
})

describe('what cannot be recorded', () => {
  it('is not acknowledged, and changes nothing', async () => {
    const journal = new MemoryJournal()
    const { floor, members } = await Floor.open([1000, 1000], first, journal)
    floors.push(floor)
    const [a, b] = members as [Member, Member]
    const before = stateText(floor.house.core)
    const append = journal.append.bind(journal)
    const { JournalError } = await import('../../../sequencer/journal/journal.ts')
    journal.append = () => Promise.reject(new JournalError('JournalMustHaveRoom', 'full'))
    await expect(floor.agree(a, b, lots(OTHER, 1n, 2_000_000n))).rejects.toThrow('try again')
    expect(stateText(floor.house.core)).toBe(before)
    journal.append = append
    await floor.trade(a, b, lots(OTHER, 1n, 2_000_000n))
  })

  it('is applied only when it is durable', async () => {
    const journal = new MemoryJournal()
    const { floor, members } = await Floor.open([1000, 1000], first, journal)
    floors.push(floor)
    const before = stateText(floor.house.core)
    let release: (() => void) | null = null
    const append = journal.append.bind(journal)
    journal.append = async (payload) => {
      await new Promise<void>((resolve) => (release = resolve))
      return append(payload)
    }
    const [a, b] = members as [Member, Member]
    const proposed = floor.house.propose(a.account, {
      clientId: 'x',
      counterparty: b.account,
      entries: lots(OTHER, 1n, 2_000_000n),
      payload: 0n,
    })
    await until(() => release !== null)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(stateText(floor.house.core)).toBe(before)
    ;(release as unknown as () => void)()
    expect(await proposed).toMatchObject({ state: 'proposed' })
    expect(floor.house.desk.tickets.size).toBe(1)
  })
})

it('keys of members come back from the journal, after a rotation too', async () => {
  const journal = new MemoryJournal()
  const { floor, members } = await Floor.open([1000, 1000], first, journal)
  floors.push(floor)
  const [a] = members as [Member]
  const next = memberKeys(new Uint8Array(32).fill(99), 'next')
  await a.rotate(next)
  await floor.batch()
  const { core } = await replay(journal.entries(), undefined, () => first)
  expect(core.ledger.ownerKeys.get(a.account)).toEqual(next.signing.publicKey)
  expect(stateText(core)).toBe(stateText(floor.house.core))
})
