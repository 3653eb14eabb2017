/**
 * An account found and opened with nothing but a seed: every ciphertext that L1 carries for it is
 * decrypted, and every leaf is recomputed from what came out.
 */
import {
  batchKey,
  decryptAccount,
  depositCommitment,
  genesisHead,
  leafHash,
  ownerKeyHash,
  type Account,
} from '../../circuits/account.ts'
import { timesEight } from '../../circuits/eddsa.ts'
import type { KeyRing, KeysInForce } from '../key-ring.ts'
import { parseBatchWords, type RequestWords, type WithdrawalWords } from './batch-words.ts'
import type { EventLog } from './event-log.ts'
import type { Place } from './events.ts'
import type { DepositRecord, KeyRequest, Rebuilt, Touch } from './ledger.ts'
import { OpenError } from './open.ts'

/** A touch and what else its batch shows to everybody. */
export type Visit = {
  readonly touch: Touch
  readonly place: Place
  readonly shape: string
  readonly wordCount: number
  /** Micro-dollars a page. */
  readonly fee: bigint
  readonly withdrawals: readonly WithdrawalWords[]
  /** Requests of L1 that this batch served for this account. */
  readonly requests: readonly RequestWords[]
  /** Instruments whose settlement value stood on L1 before this batch. */
  readonly settled: ReadonlyMap<number, bigint>
}
/** Who holds a key: a rotation of the seed, or a key that L1 was given from elsewhere. */
export type KeyOrigin = number | 'L1'
export type Opened = Visit & { readonly account: Account }
export type OpenVisit = Opened & {
  readonly batchKey: bigint
  readonly viewRotation: number
  readonly ownerRotation: KeyOrigin
}
export type OwnDeposit = DepositRecord & { readonly counter: number }

/** So many deposits in a row may have failed on L1 after their counter was used. */
const DEPOSIT_GAP = 100

/**
 * The accounts that may be this seed's, by index: registered with its owner and view key, or given its
 * owner key by a rotation on L1. Points are public, so anybody can rotate an account of his own to
 * one: whether an account is really this seed's shows when it opens.
 */
export function accountsOfSeed(rebuilt: Rebuilt, ring: KeyRing): readonly number[] {
  const points = new Map<string, number>()
  for (let n = 0; n <= ring.gap; n++) {
    const { x, y } = ring.eighthAt(n)
    points.set(`${x}/${y}`, n)
  }
  const found = rebuilt.keyRequests.filter(({ kind, x, y, viewKeyHash }) => {
    const rotation = kind === 'forcedExit' ? undefined : points.get(`${x}/${y}`)
    if (rotation === undefined) return false
    return kind === 'rotate' || viewKeyHash === ring.at(rotation).viewKeyHash
  })
  return [...new Set(found.map(({ account }) => account))].sort((a, b) => a - b)
}

/** Every batch of the log that touched the account, oldest first. */
export function visitsOf(rebuilt: Rebuilt, log: EventLog, index: number): readonly Visit[] {
  const visits: Visit[] = []
  let settled: ReadonlyMap<number, bigint> = new Map()
  for (const event of log.events()) {
    if (event.kind === 'settlement')
      settled = new Map([
        ...settled,
        ...event.ids.map((id, i) => [id, event.values[i] ?? 0n] as const),
      ])
    if (event.kind !== 'batch') continue
    const shape = rebuilt.shapes.get(event.shapeId)
    if (shape === undefined) continue
    const { header, accounts, withdrawals, requests } = parseBatchWords(shape.sizes, event.words)
    const found = accounts.find((account) => account.index === index && account.leaf !== 0n)
    if (found === undefined) continue
    const { batchNumber, batchNonce, time } = header
    const { block, transaction } = event
    visits.push({
      touch: { ...found, batchNumber, batchNonce, time },
      place: { block, index: event.index, transaction },
      shape: shape.name,
      wordCount: event.words.length,
      fee: header.fee,
      withdrawals,
      requests: requests.filter(({ account }) => account === index),
      settled,
    })
  }
  return visits
}

/**
 * Opens every visit. An account that this seed did not register had another holder: visits before the
 * first that opens are that holder's, and left out. Throws OpenError, naming the batch and the key.
 */
export function openVisits(
  rebuilt: Rebuilt,
  visits: readonly Visit[],
  ring: KeyRing,
): readonly OpenVisit[] {
  const index = visits[0]?.touch.index
  const installed = installedKeys(rebuilt, index)
  const isForeign = index !== undefined && !isRegisteredBy(rebuilt, index, ring)
  const opened: OpenVisit[] = []
  let failure: OpenError | null = null
  let [view, owner] = [0, 0]
  for (const visit of visits) {
    try {
      const next = openVisit(visit, ring, view, owner, installed)
      view = next.viewRotation
      owner = next.ownerRotation === 'L1' ? owner : next.ownerRotation
      opened.push(next)
    } catch (error) {
      const isEarlier = error instanceof OpenError && isForeign && opened.length === 0
      if (!isEarlier) throw error
      failure ??= error
    }
  }
  if (failure !== null && opened.length === 0) throw failure
  return opened
}

/**
 * Opens the wanted visits, each for itself, or says why it does not open. The others may have been under
 * keys of somebody else, as in a theft that was mended: they only help to find rotations further on than
 * the gap. `visits` are all up to the last wanted one, oldest first.
 */
export function openEach(
  rebuilt: Rebuilt,
  visits: readonly Visit[],
  wanted: readonly Visit[],
  ring: KeyRing,
): readonly (OpenVisit | OpenError)[] {
  const installed = installedKeys(rebuilt, visits[0]?.touch.index)
  const isWanted = new Set(wanted)
  const found = new Map<Visit, OpenVisit | OpenError>()
  let near: KeysInForce = { view: 0, owner: 0 }
  // First those alone: an account is touched by many batches and rotates seldom.
  for (const some of [wanted, visits]) {
    for (const visit of some) {
      const opened = openOrWhy(visit, ring, near, installed, found.get(visit))
      if (isWanted.has(visit)) found.set(visit, opened)
      if (opened instanceof OpenError) continue
      const { viewRotation: view, ownerRotation } = opened
      near = { view, owner: ownerRotation === 'L1' ? near.owner : ownerRotation }
    }
    if ([...found.values()].every((opened) => !(opened instanceof OpenError))) break
  }
  return [...found.values()]
}

function openOrWhy(
  visit: Visit,
  ring: KeyRing,
  { view, owner }: KeysInForce,
  installed: ReadonlyMap<bigint, KeyOrigin>,
  known: OpenVisit | OpenError | undefined,
): OpenVisit | OpenError {
  if (known !== undefined && !(known instanceof OpenError)) return known
  try {
    return openVisit(visit, ring, view, owner, installed)
  } catch (error) {
    if (error instanceof OpenError) return error
    throw error
  }
}

/** The latest visit, whoever held the account before it; null if there is none. Throws OpenError. */
export function openLatest(
  rebuilt: Rebuilt,
  visits: readonly Visit[],
  ring: KeyRing,
): OpenVisit | null {
  const [latest] = openEach(rebuilt, visits, visits.slice(-1), ring)
  if (latest instanceof OpenError) throw latest
  return latest ?? null
}

/** Owner keys that L1 was given from elsewhere than the seed, or from it. */
function installedKeys(rebuilt: Rebuilt, index?: number): ReadonlyMap<bigint, KeyOrigin> {
  const served = rebuilt.keyRequests.filter((request) => isServedKey(request, index))
  return new Map(served.map(({ x, y }) => [ownerKeyHash(timesEight({ x, y })), 'L1']))
}

function isRegisteredBy(rebuilt: Rebuilt, index: number, ring: KeyRing): boolean {
  const request = rebuilt.registrations.get(index)
  if (request === undefined) return false
  return [...ring.order(0)].some((n) => {
    const { x, y } = ring.eighthAt(n)
    return x === request.x && y === request.y && request.viewKeyHash === ring.at(n).viewKeyHash
  })
}

function isServedKey({ account, kind, servedBy }: KeyRequest, index?: number): boolean {
  return account === index && kind !== 'forcedExit' && servedBy !== null
}

function openVisit(
  visit: Visit,
  ring: KeyRing,
  view: number,
  owner: number,
  installed: ReadonlyMap<bigint, KeyOrigin>,
): OpenVisit {
  return { ...visit, ...openTouch(visit.touch, ring, { view, owner }, [...installed.keys()]) }
}

/**
 * Tries the keys of the ring from those that were in force last; `installed` are owner keys that L1
 * was given from elsewhere. Throws OpenError, naming the batch and the key that is missing.
 */
export function openTouch(
  { index, batchNumber, batchNonce, cipher, leaf }: Touch,
  ring: KeyRing,
  { view, owner }: KeysInForce,
  installed: readonly bigint[],
): Omit<OpenVisit, keyof Visit> {
  for (const viewRotation of ring.order(view)) {
    const { viewKey, viewKeyHash } = ring.at(viewRotation)
    const key = batchKey(viewKey, index, batchNumber, batchNonce)
    const opened = tryDecrypt(cipher, key, viewKeyHash)
    if (opened === null) continue
    const isOwner = (hash: bigint): boolean => leafHash({ ...opened, ownerKeyHash: hash }) === leaf
    const own = [...ring.order(owner)].find((n) => isOwner(ring.at(n).ownerKeyHash))
    const given = own ?? installed.find(isOwner)
    if (given === undefined)
      throw new OpenError(
        `account ${index}: the view key opens the ciphertext of batch ${batchNumber}, but the ` +
          'leaf on L1 belongs to no owner key of this seed, nor to one that L1 was given (or the ' +
          'node altered the ciphertext: ask another one)',
        batchNumber,
      )
    const hash = own === undefined ? (given as bigint) : ring.at(own).ownerKeyHash
    const account = { ...opened, ownerKeyHash: hash }
    return { account, batchKey: key, viewRotation, ownerRotation: own ?? 'L1' }
  }
  throw new OpenError(
    `account ${index}: no view key of this seed (label ${ring.label}, rotations 0 to ` +
      `${view + ring.gap}) opens the ciphertext of batch ${batchNumber}`,
    batchNumber,
  )
}

function tryDecrypt(cipher: readonly bigint[], key: bigint, viewKeyHash: bigint): Account | null {
  try {
    return decryptAccount(cipher, key, { ownerKeyHash: 0n, viewKeyHash })
  } catch {
    // Under another key the words pack to no balances, but for a chance of 2^-28 and less.
    return null
  }
}

/** The deposits of this seed to this account, found by their commitments. */
export function depositsOfSeed(
  rebuilt: Rebuilt,
  index: number,
  ring: KeyRing,
): readonly OwnDeposit[] {
  const byCommitment = new Map<bigint, DepositRecord[]>()
  for (const deposit of rebuilt.deposits.values())
    byCommitment.set(deposit.commitment, [...(byCommitment.get(deposit.commitment) ?? []), deposit])
  const found: OwnDeposit[] = []
  if (byCommitment.size === 0) return found
  for (let counter = 0, missed = 0; missed < DEPOSIT_GAP; counter++) {
    const commitment = depositCommitment(index, ring.depositSecret(counter))
    const deposits = byCommitment.get(commitment) ?? []
    missed = deposits.length === 0 ? missed + 1 : 0
    for (const deposit of deposits) found.push({ ...deposit, counter })
  }
  return found
}

/** Where the journal of an account registered with this owner key begins. */
export function firstHead(rebuilt: Rebuilt, index: number, account: Account): bigint {
  return genesisHead(rebuilt.domain ?? 0n, index, account.ownerKeyHash)
}
