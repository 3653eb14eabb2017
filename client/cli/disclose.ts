/** `cloister disclose`: grants for an auditor, read by the auditor, listed by the member. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  GrantError,
  grantText,
  isLine,
  parseGrant,
  renderGrant,
  signGrant,
  wordsOf,
  type Grant,
} from '../disclosure/grant.ts'
import { appendToGrantLog, NO_ENTRY, readGrantLog } from '../disclosure/log.ts'
import { makeGrant, periodOf } from '../disclosure/make.ts'
import { checkPlace, readGrant } from '../disclosure/read.ts'
import { historyOf } from '../l1/history.ts'
import { sha256Hex, writeNew } from '../l1/files.ts'
import type { Opened } from '../l1/own-account.ts'
import { OpenError } from '../l1/open.ts'
import { connect, type L1 } from '../l1/rpc.ts'
import { scanFor, type Scan } from '../l1/scan.ts'
import { holdingsText, leafJson, stepJson, stepText, type OwnAccount } from './account-view.ts'
import { timeText } from '../time-text.ts'
import type { Common, Result } from './day.ts'
import { Undone } from './failures.ts'
import { openKey, type KeyOptions, type OpenedKey } from './key-file.ts'
import { ownAccounts, PartialOpen, placeOf } from './rebuild.ts'
import { fromHere } from './root.ts'
import { parseAccount } from './terms.ts'

type Place = { readonly contract?: string; readonly state?: string }
export type GrantOptions = Common &
  KeyOptions &
  Place & {
    readonly from: string
    readonly to: string
    readonly out: string
    readonly account?: string
    readonly purpose?: string
  }

export async function discloseGrant(options: GrantOptions): Promise<Result> {
  const key = needKey(options)
  const out = fromHere(options.out)
  // Before anything is read: an hour of reading for a name that is taken would be unkind.
  if (existsSync(out)) throw new Undone(`${out} exists: a grant overwrites nothing`)
  if (!existsSync(dirname(out))) throw new Undone(`there is no directory ${dirname(out)}`)
  const { purpose = '' } = options
  if (!isLine(purpose)) throw new Undone('--purpose must be one line of at most 1,000 characters')
  const { rpc, contract } = placeOf(options, key)
  const l1 = await connect(rpc, contract)
  const made = await scanned(l1, options, (found) => {
    const { rebuilt, log } = found
    const account = oneAccount(found, key, options.account)
    const now = BigInt(Math.floor(Date.now() / 1000))
    const period = periodOf(rebuilt.summaries, options.from, options.to, now)
    const chain = { rebuilt, log, chainId: l1.chainId }
    return makeGrant(chain, l1.contract, key.ring, account, period, {
      purpose,
      issuedAt: new Date().toISOString(),
    })
  })
  const { account, period } = made.body
  const grant = logAndSign(made, logPath(key), out)
  writeNew(out, renderGrant(grant), 0o600)
  return {
    text: [
      `${out} (readable by you alone)`,
      wordsOf(grant),
      `Entry ${grant.log.number} of ${logPath(key)}. The reader runs:`,
      `  cloister disclose read FILE --rpc URL --contract ${l1.contract}`,
    ].join('\n'),
    json: {
      file: out,
      account,
      period: { from: `${period.from}`, to: `${period.to}` },
      batches: grant.keys.map(({ batch }) => `${batch}`),
      opens: wordsOf(grant),
      logEntry: grant.log.number,
    },
  }
}

/** The log comes first: a grant that is not in it never leaves this function. */
function logAndSign(
  { body, signer }: ReturnType<typeof makeGrant>,
  path: string,
  file: string,
): Grant {
  const before = readGrantLog(path)
  const log = {
    number: before.entries.length + 1,
    previous: before.entries.at(-1)?.hash ?? NO_ENTRY,
  }
  const grant = signGrant({ ...body, log }, signer)
  const { account, chainId, contract, period, keys, purpose, issuedAt } = grant
  const entry = appendToGrantLog(path, {
    at: issuedAt,
    account,
    chainId: `${chainId}`,
    contract,
    period: { from: `${period.from}`, to: `${period.to}`, asked: period.asked },
    batches: keys.map(({ batch }) => `${batch}`),
    purpose,
    file,
    grant: sha256Hex(grantText(grant)),
  })
  if (entry.number !== log.number || entry.previous !== log.previous)
    throw new Undone('another grant was made at the same time: ask again')
  return grant
}

export async function discloseRead(file: string, options: Common & Place): Promise<Result> {
  const path = fromHere(file)
  if (!existsSync(path)) throw new Undone(`there is no file ${path}`)
  if (statSync(path).isDirectory())
    throw new Undone(`${path} is a directory, where a file is needed`)
  try {
    const grant = parseGrant(readFileSync(path, 'utf8'))
    if ((statSync(path).mode & 0o077) !== 0)
      options.note(`others may read ${path}, and with it the account: chmod 600 ${path}`)
    const rpc = options.rpc
    if (rpc === undefined) throw new Undone('name an L1 node of your own choice: --rpc URL')
    const l1 = await connect(rpc, options.contract ?? grant.contract)
    checkPlace(grant, l1.chainId, l1.contract)
    return await scanned(l1, options, (found) => readResult(grant, found))
  } catch (error) {
    if (!(error instanceof GrantError)) throw error
    const message = `the grant does not hold: ${error.message}`
    return { text: message, json: { exitCode: 1, message }, code: 1 }
  }
}

function readResult(grant: Grant, { rebuilt, log }: Scan): Result {
  const { before, inside } = readGrant(rebuilt, log, grant)
  const opened: readonly Opened[] = [...(before === null ? [] : [before]), ...inside]
  const steps = historyOf(rebuilt, opened, [])
  const [first] = steps
  const period = before === null ? steps : steps.slice(1)
  const last = steps.at(-1)
  const owner = rebuilt.l1Owners.get(grant.account) ?? null
  return {
    text: [
      wordsOf(grant),
      `Purpose: ${grant.purpose === '' ? 'none given' : grant.purpose}`,
      `Issued ${grant.issuedAt}, entry ${grant.log.number} of the member's log, signed by the owner ` +
        `key of the account (L1 owner ${owner ?? 'unknown'})`,
      ...(before === null || first === undefined
        ? ['No batch had touched the account before the period.']
        : [`When the period began (batch ${before.touch.batchNumber}):`, ...holdingsText(first)]),
      `In the period: ${period.length} batches, each leaf equal to the one on L1`,
      ...period.map(stepText),
      ...(last === undefined ? [] : ['When it ended:', ...holdingsText(last)]),
    ].join('\n'),
    json: {
      account: grant.account,
      l1Owner: owner,
      chainId: `${grant.chainId}`,
      contract: grant.contract,
      purpose: grant.purpose,
      issuedAt: grant.issuedAt,
      logEntry: grant.log.number,
      period: {
        from: `${grant.period.from}`,
        to: `${grant.period.to}`,
        fromTime: timeOf(rebuilt, grant.period.from),
        toTime: timeOf(rebuilt, grant.period.to),
      },
      before:
        before === null || first === undefined
          ? null
          : { batch: `${before.touch.batchNumber}`, ...leafJson(first) },
      batches: period.map(stepJson),
    },
  }
}

function timeOf({ summaries }: Scan['rebuilt'], batch: bigint): string | null {
  const found = summaries.find(({ number }) => number === batch)
  return found === undefined ? null : timeText(found.time)
}

/** Asynchronous as every command is; the log needs no L1. */
export async function discloseList(options: Common & KeyOptions): Promise<Result> {
  const path = logPath(needKey(options))
  const { entries, broken, isTorn } = readGrantLog(path)
  const state =
    broken === null
      ? 'every line follows from the one before'
      : `LINE ${broken.line} ${broken.why.toUpperCase()}: the lines from there on are not shown`
  return {
    text: [
      `${path}: ${entries.length} ${entries.length === 1 ? 'grant' : 'grants'}, ${state}`,
      ...(isTorn ? ['  (a line that was cut off while being written is not counted)'] : []),
      ...entries.map(
        ({ number, at, account, period, batches, purpose, file }) =>
          `  ${`${number}`.padStart(4)}  ${at}  account ${account}, batches ${period.from} to ` +
          `${period.to} (${batches.length} keys)${purpose === '' ? '' : `: ${purpose}`}  ${file}`,
      ),
    ].join('\n'),
    json: { log: path, grants: entries, broken },
    code: broken === null ? 0 : 1,
  }
}

function logPath({ directory }: OpenedKey): string {
  return join(directory, 'grants.jsonl')
}

function needKey(options: KeyOptions): OpenedKey {
  const key = openKey(options)
  if (key === null) throw new Undone('whose? --member NAME, or --key FILE with the seed')
  return key
}

/** The account named, or the only one that this seed opens. */
function oneAccount(found: Scan, key: OpenedKey, named: string | undefined): number {
  if (named !== undefined) return parseAccount(named)
  const opened = openedOf(found, key)
  const [first] = opened
  if (first !== undefined && opened.length === 1) return first.account
  const indices = opened.map(({ account }) => account).join(', ')
  throw new Undone(`this seed has accounts ${indices}: choose with --account`)
}

/** What was opened before an account was lost can still be disclosed. */
function openedOf(found: Scan, key: OpenedKey): readonly OwnAccount[] {
  try {
    return ownAccounts(found, key, undefined).opened
  } catch (error) {
    if (error instanceof PartialOpen) return [error.partial]
    throw error
  }
}

async function scanned<T>(
  l1: L1,
  { state, note }: Common & Place,
  use: (found: Scan) => T,
): Promise<T> {
  const { value } = await scanFor(
    l1,
    { ...(state === undefined ? {} : { state: fromHere(state) }), onProgress: note },
    use,
    (error) => (error instanceof OpenError || error instanceof GrantError ? error.batch : null),
  )
  return value
}
