/** From the journal to the state: every record in order, each once. */
import { createHash } from 'node:crypto'
import { Core, Diverged } from '../core.ts'
import type { Deployment } from '../deploy.ts'
import type { HouseOptions } from '../house.ts'
import type { RandomBelow } from '../room.ts'
import { encode, type Plain } from './codec.ts'
import { JournalError, type Entry, type Journal } from './journal.ts'
import { decodeRecord, type Genesis, type JournalRecord } from './record.ts'

export type Replayed = {
  readonly records: number
  /** Records that were answered with an error, as they were the first time. */
  readonly failed: number
  readonly seconds: number
}

export function genesisOf(
  options: Pick<HouseOptions, 'deployment' | 'domain' | 'fee' | 'feeAccountViewKey'>,
): Genesis {
  const { chainId, contract, oracle = null, token, shapeIds, feeAccount } = options.deployment
  const { domain, fee, feeAccountViewKey } = options
  const house = { chainId, contract, oracle, token, shapeIds, domain, fee }
  return { ...house, feeAccount, feeAccountViewKey }
}

/** What was deployed when the journal began. */
export function deploymentOf(genesis: Genesis): Deployment {
  const { chainId, contract, oracle, token, shapeIds, feeAccount } = genesis
  const deployment = { chainId, contract, token, shapeIds, feeAccount }
  return oracle === null ? deployment : { ...deployment, oracle }
}

/** What house a journal is of, or null if it is of none yet: a restart deploys nothing anew. */
export async function readGenesis(journal: Pick<Journal, 'entries'>): Promise<Genesis | null> {
  for await (const { payload } of journal.entries()) {
    const { input } = decodeRecord(payload)
    if (input.kind === 'genesis') return input.genesis
    throw new Diverged('the first record does not say whose journal it is')
  }
  return null
}

const lastApplied = new WeakMap<Core, number>()

/**
 * Applies a durable record. Throws Diverged when it is not the next one, or when journal and L1
 * contradict each other; any other error is the record's own answer.
 */
export function applyEntry(core: Core, sequence: number, record: JournalRecord): unknown {
  const last = lastApplied.get(core) ?? 0
  if (sequence !== last + 1) throw new Diverged(`record ${sequence} comes after record ${last}`)
  lastApplied.set(core, sequence)
  if (sequence > 1) return core.apply(record)
  if (record.input.kind !== 'genesis')
    throw new Diverged('the first record does not say whose journal it is')
  checkGenesis(core, record.input.genesis)
  return null
}

/** Throws JournalMustBelong if the core is not the house that is meant. */
export function checkGenesis(core: Core, genesis: Genesis): void {
  const text = (value: Genesis): string => encode(value as unknown as Plain)
  if (text(genesis) === text(core.genesis)) return
  const { contract, chainId } = genesis
  throw new JournalError(
    'JournalMustBelong',
    `the journal is of the house at ${contract} on chain ${chainId}, with its fee and view key; ` +
      `this one is at ${core.genesis.contract} on chain ${core.genesis.chainId}`,
  )
}

export function appliedOf(core: Core): number {
  return lastApplied.get(core) ?? 0
}

/** Of a core that was not made here by records: it is as they would have left it. */
export function placeAt(core: Core, sequence: number): void {
  lastApplied.set(core, sequence)
}

/** Brings a core up to the journal's end, from where it is. */
export async function replayInto(
  core: Core,
  journal: Pick<Journal, 'entries'>,
  onRecord: (record: JournalRecord, sequence: number) => void = () => {},
): Promise<Replayed> {
  const started = performance.now()
  const count = { records: 0, failed: 0 }
  for await (const { sequence, payload } of journal.entries(appliedOf(core))) {
    const record = decodeRecord(payload)
    count.records++
    try {
      applyEntry(core, sequence, record)
    } catch (error) {
      if (error instanceof Diverged || error instanceof JournalError) throw error
      count.failed++
    }
    onRecord(record, sequence)
  }
  return { ...count, seconds: (performance.now() - started) / 1000 }
}

/**
 * A core from a journal alone: what it is stands in the first record. Every signature is verified
 * again, also those of which a record says that its writer has, unless that is believed.
 */
export async function replay(
  entries: AsyncIterable<Entry>,
  onRecord: (record: JournalRecord, sequence: number, core: Core) => void = () => {},
  randomBelow?: (seed: Uint8Array) => RandomBelow,
  believesVerified = false,
): Promise<Replayed & { readonly core: Core }> {
  const iterator = entries[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done === true) throw new JournalError('JournalMustBeWhole', 'the journal has no record')
  const { input } = decodeRecord(first.value.payload)
  if (input.kind !== 'genesis')
    throw new Diverged('the first record does not say whose journal it is')
  const core = new Core(input.genesis, randomBelow)
  core.believesVerified = believesVerified
  async function* all(): AsyncGenerator<Entry> {
    yield first.value as Entry
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
      yield next.value
  }
  const done = await replayInto(core, { entries: all }, (record, sequence) =>
    onRecord(record, sequence, core),
  )
  return { ...done, core }
}

/** The whole state as bytes; equal for equal states. Only for looking at and comparing. */
export function stateText(core: Core): string {
  const { accounts, viewKeys, ownerKeys, pending, unsigned, tree } = core.ledger
  return encode({
    root: tree.root,
    ledger: { accounts, viewKeys, ownerKeys, pending, unsigned },
    desk: core.desk.state,
    house: core.rest(),
  } as unknown as Plain)
}

/** SHA-256 of the state, in hex. */
export function stateDigest(core: Core): string {
  return createHash('sha256').update(stateText(core)).digest('hex')
}
