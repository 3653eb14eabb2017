/** `cloister rebuild`: the house and an account again, from L1 and a seed alone. */
import { FIRST_MEMBER_INDEX } from '../../circuits/params.ts'
import { historyOf } from '../l1/history.ts'
import { vaultOf, type Rebuilt } from '../l1/ledger.ts'
import {
  accountsOfSeed,
  depositsOfSeed,
  openVisits,
  visitsOf,
  type Visit,
} from '../l1/own-account.ts'
import { OpenError } from '../l1/open.ts'
import { NO_PAGES, pendingOn } from '../l1/own-pages.ts'
import { FaultError } from '../l1/rebuild.ts'
import { connect } from '../l1/rpc.ts'
import { leafList, scanFor, type Scan } from '../l1/scan.ts'
import { hexWord } from '../../circuits/hex-word.ts'
import { timeText } from '../time-text.ts'
import { accountJson, accountText, type OwnAccount } from './account-view.ts'
import { findDay, type Common, type Day, type Result } from './day.ts'
import { Undone } from './failures.ts'
import { openKey, type KeyOptions, type OpenedKey } from './key-file.ts'
import { fromHere } from './root.ts'
import { parseAccount } from './terms.ts'

export type RebuildOptions = Common &
  KeyOptions & {
    readonly contract?: string
    readonly state?: string
    readonly account?: string
    readonly fromBlock?: string
    readonly leaves?: boolean
  }
export type OwnAccounts = {
  readonly opened: readonly OwnAccount[]
  /** L1 was given a key of this seed for them, and they do not open. */
  readonly unopened: readonly { readonly account: number; readonly why: string }[]
}

const ACCOUNT_BYTES = 320
const BATCHES_SHOWN = 10

export async function rebuildHouse(options: RebuildOptions): Promise<Result> {
  const key = openKey(options)
  // Before L1 is read, which may take long.
  if (options.account !== undefined) parseAccount(options.account)
  const where = placeOf(options, key)
  const l1 = await connect(where.rpc, where.contract)
  const {
    scan: result,
    value: accounts,
    lost,
  } = await scanFor(
    l1,
    {
      ...(options.state === undefined ? {} : { state: fromHere(options.state) }),
      ...(options.fromBlock === undefined ? {} : { fromBlock: parseBlock(options.fromBlock) }),
      onProgress: options.note,
    },
    (found) => (key === null ? null : ownAccounts(found, key, options.account, options.note)),
    (error) => (error instanceof OpenError ? error.batch : null),
  ).then(
    (all) => ({ ...all, lost: null }),
    (error: unknown) => {
      if (!(error instanceof PartialOpen)) throw isTooLate(error, options) ?? error
      const value: OwnAccounts = { opened: [error.partial], unopened: [] }
      return { scan: error.scan, value, lost: error.message }
    },
  )
  const { rebuilt } = result
  const block = { number: l1.head.number, hash: l1.head.hash }
  return {
    text: [
      `${l1.contract} on chain ${l1.chainId}, from L1 alone, at block ${block.number}`,
      ...houseText(result),
      ...(accounts?.opened ?? []).flatMap(accountText),
      ...(accounts?.unopened ?? []).map(({ why }) => `Not opened, and probably not yours: ${why}`),
      ...(key?.beside.unread === undefined
        ? []
        : [`WITHOUT THE JOURNAL, which cannot be read: ${key.beside.unread}`]),
      ...(lost === null ? [] : [`NOT ALL: ${lost}`]),
      ...(key === null ? ['With --key FILE your own account is opened as well.'] : []),
    ].join('\n'),
    json: {
      contract: l1.contract,
      chainId: `${l1.chainId}`,
      block,
      root: `${rebuilt.root}`,
      members: Number(rebuilt.accountCount) - FIRST_MEMBER_INDEX,
      batches: rebuilt.summaries.map(({ number, root, time, place, touchedCount, wordCount }) => ({
        number: `${number}`,
        root: `${root}`,
        time: `${time}`,
        block: place.block,
        transaction: place.transaction,
        leavesWritten: touchedCount,
        bytes: 32 * wordCount,
      })),
      frozen:
        rebuilt.freeze === null
          ? null
          : { ...rebuilt.freeze, claimsEndAt: `${rebuilt.freeze.claimsEndAt}` },
      tokens: tokensJson(rebuilt),
      faults: rebuilt.faults.map(({ must, detail, block }) => ({ must, detail, block })),
      ...(options.leaves === true
        ? { leaves: leafList(rebuilt).map(([index, leaf]) => ({ index, leaf: `${leaf}` })) }
        : {}),
      cost: costOf(result),
      state: stateOf(result),
      ...(accounts === null
        ? {}
        : { accounts: accounts.opened.map(accountJson), unopened: accounts.unopened }),
      ...(key?.beside.unread === undefined ? {} : { journalUnread: key.beside.unread }),
      ...(lost === null ? {} : { exitCode: 1, message: lost }),
    },
    code: lost === null ? 0 : 1,
  }
}

/** Named on the command line, or beside the seed, or by the running day. */
export function placeOf(
  options: { readonly rpc?: string; readonly contract?: string; readonly data?: string },
  key: OpenedKey | null,
): { readonly rpc: string; readonly contract: string } {
  const { beside } = key ?? {}
  const named = options.contract ?? beside?.contract
  const day = named === undefined ? findDay(options) : dayOf(named, options)
  const contract = named ?? day?.contract
  const rpc = options.rpc ?? day?.rpcUrl ?? beside?.rpcUrl
  if (contract === undefined || rpc === undefined)
    throw new Undone('name the L1 node and the house: --rpc URL --contract ADDRESS')
  return { rpc, contract }
}

/**
 * The house of this contract if it runs here: its L1 may have another port than the record beside the
 * seed says. Whoever leaves is not kept by a file that cannot be read.
 */
function dayOf(contract: string, options: { readonly data?: string }): Day | null {
  try {
    const day = findDay(options)
    return day?.contract.toLowerCase() === contract.toLowerCase() ? day : null
  } catch {
    return null
  }
}

/** L1 is in order where only the first block that was asked for lies behind the contract's own. */
function isTooLate(error: unknown, { fromBlock }: RebuildOptions): Undone | null {
  const isFirst =
    error instanceof FaultError && error.faults[0]?.must === 'EventsMustBeginWithGenesis'
  return isFirst && fromBlock !== undefined
    ? new Undone(
        `--from-block ${fromBlock} must not lie behind the block of the contract's deployment: ` +
          'its first events are missing (without it that block is looked for)',
      )
    : null
}

function parseBlock(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new Undone(`--from-block is a block number, not "${text}"`)
}

export function ownAccounts(
  found: Scan,
  key: OpenedKey,
  named: string | undefined,
  note: (line: string) => void = () => {},
): OwnAccounts {
  if (named !== undefined)
    return { opened: [ownAccount(found, key, parseAccount(named))], unopened: [] }
  const { ring } = key
  const indices = accountsOfSeed(found.rebuilt, ring)
  if (indices.length === 0)
    throw new Undone(
      `no account on L1 was registered or rotated with a key of this seed under the label ` +
        `"${ring.label}": is it another seed, another --label, or another contract? ` +
        '(an account that came to these keys by a page is named with --account)',
    )
  const opened: OwnAccount[] = []
  const unopened: { readonly account: number; readonly why: string; readonly error: OpenError }[] =
    []
  for (const account of indices) {
    note(`opening account ${account}`)
    try {
      opened.push(ownAccount(found, key, account))
    } catch (error) {
      if (!(error instanceof OpenError)) throw error
      unopened.push({ account, why: error.message, error })
    }
  }
  // Somebody else's account with this seed's public key must not keep the member from its own.
  if (opened.length === 0) throw unopened[0]?.error
  return { opened, unopened: unopened.map(({ account, why }) => ({ account, why })) }
}

/** Opened up to a batch, and from there on under keys that do not follow from the seed. */
export class PartialOpen extends OpenError {
  readonly scan: Scan
  readonly partial: OwnAccount
  constructor({ message, batch }: OpenError, scan: Scan, partial: OwnAccount) {
    super(`${message}. Were its keys changed to others then?`, batch)
    this.scan = scan
    this.partial = partial
  }
}

function ownAccount(found: Scan, key: OpenedKey, index: number): OwnAccount {
  const { rebuilt, log } = found
  const visits = visitsOf(rebuilt, log, index)
  if (visits.length === 0 && BigInt(index) >= rebuilt.accountCount) sayWhyEmpty(rebuilt, index)
  try {
    return openedAccount(found, key, index, visits)
  } catch (error) {
    if (!(error instanceof OpenError) || error.batch === null) throw error
    const { batch } = error
    const until = visits.filter(({ touch }) => touch.batchNumber < batch)
    if (until.length === 0) throw error
    throw new PartialOpen(error, found, openedAccount(found, key, index, until))
  }
}

function openedAccount(
  { rebuilt }: Scan,
  { ring, beside }: OpenedKey,
  index: number,
  visits: readonly Visit[],
): OwnAccount {
  const deposits = depositsOfSeed(rebuilt, index, ring)
  const known = beside.pages ?? NO_PAGES
  const opened = openVisits(rebuilt, visits, ring)
  const steps = historyOf(rebuilt, opened, deposits, known)
  const head = steps.at(-1)?.visit.account.head
  return {
    account: index,
    l1Owner: rebuilt.l1Owners.get(index) ?? null,
    steps,
    earlier: visits.length - opened.length,
    deposits,
    pending: beside.pages === null || head === undefined ? null : pendingOn(known, head),
  }
}

/** A registration that waits is an account with nothing in it yet; any other index is a mistake. */
function sayWhyEmpty(rebuilt: Rebuilt, index: number): void {
  if (rebuilt.registrations.has(index)) return
  throw new Undone(`account ${index} does not exist: accounts end before ${rebuilt.accountCount}`)
}

function costOf({ rebuilt, replayedCount, seconds, log }: Scan) {
  const { summaries } = rebuilt
  const bytes = summaries.reduce((sum, b) => sum + 32 * b.wordCount, 0)
  const touched = summaries.reduce((sum, b) => sum + b.touchedCount, 0)
  return {
    batches: summaries.length,
    events: log.eventCount,
    wordBytes: bytes,
    bytesPerBatch: summaries.length === 0 ? 0 : Math.round(bytes / summaries.length),
    bytesPerTouchedAccount: ACCOUNT_BYTES,
    leavesWritten: touched,
    seconds: Math.round(seconds * 10) / 10,
    replayed: replayedCount,
    secondsPer1000Batches:
      replayedCount === 0 ? null : Math.round((seconds / replayedCount) * 10_000) / 10,
  }
}

function stateOf({ log, resumedAt, mended }: Scan) {
  return { directory: log.directory, resumedAfterBatch: `${resumedAt}`, mended }
}

function tokensJson(rebuilt: Rebuilt) {
  return [...rebuilt.tokens.values()].map(({ id, address, unit }) => {
    const { vault, owed, unconsumed, balances } = vaultOf(rebuilt.totalsOf(id))
    return {
      id,
      address,
      unit: `${unit}`,
      vault: `${vault}`,
      owed: `${owed}`,
      unconsumed: `${unconsumed}`,
      balances: `${balances}`,
    }
  })
}

function houseText(result: Scan): readonly string[] {
  const { rebuilt } = result
  const { summaries } = rebuilt
  const cost = costOf(result)
  const { directory, resumedAfterBatch, mended } = stateOf(result)
  return [
    `  root      ${hexWord(rebuilt.root)}`,
    `  batches   ${summaries.length}, each root equal to the chain's` +
      (summaries.length > BATCHES_SHOWN ? `; the last ${BATCHES_SHOWN}:` : ':'),
    ...summaries
      .slice(-BATCHES_SHOWN)
      .map((b) => `    ${`${b.number}`.padStart(6)}  ${timeText(b.time)}  ${hexWord(b.root)}`),
    ...(rebuilt.freeze === null
      ? []
      : [
          `  FROZEN    in block ${rebuilt.freeze.block}; claims until ` +
            timeText(rebuilt.freeze.claimsEndAt),
        ]),
    ...rebuilt.faults.map(
      ({ must, detail }) => `  NOT IN ORDER, of the oracle: ${must}: ${detail}`,
    ),
    `  members   ${Number(rebuilt.accountCount) - FIRST_MEMBER_INDEX}`,
    `  cost      ${cost.wordBytes} bytes of words, ${cost.bytesPerBatch} a batch, ` +
      `${ACCOUNT_BYTES} a touched account; ${cost.seconds} s for ${cost.replayed} batches`,
    ...(directory === null
      ? []
      : [`  state     ${directory}, taken up after batch ${resumedAfterBatch}`]),
    ...mended.map((line) => `  mended    ${line}`),
  ]
}
