/** What the commands of leaving share: who leaves, by which L1 key, and what L1 owes. */
import { closeSync, existsSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { onlyAccount, requireOpen } from '../exit/claim.ts'
import { paymentsDue, refundsDue, sharesDue, type Due } from '../exit/due.ts'
import { OwnerL1, unsentOf, type OwnerCall } from '../exit/owner.ts'
import { OpenError } from '../l1/open.ts'
import { NO_PAGES } from '../l1/own-pages.ts'
import { connect, type L1 } from '../l1/rpc.ts'
import { scanFor, type Scan } from '../l1/scan.ts'
import type { Common, Result } from './day.ts'
import { Undone } from './failures.ts'
import { openKey, type KeyOptions, type OpenedKey } from './key-file.ts'
import { placeOf } from './rebuild.ts'
import { fromHere } from './root.ts'
import { parseAccount, parseAddress } from './terms.ts'

export type ExitOptions = Common &
  KeyOptions & {
    readonly contract?: string
    readonly state?: string
    readonly account?: string
    /** File of the L1 owner's key; beside the seed it is called l1.key. */
    readonly l1Key?: string
    /** Write the transaction out instead of sending it. */
    readonly print?: boolean
    readonly to?: string
  }

export type Leaving = {
  readonly l1: L1
  readonly found: Scan
  readonly key: OpenedKey
  readonly account: number
  readonly owner: string
  readonly where: { readonly rpc: string; readonly contract: string }
}

export async function leaving(options: ExitOptions): Promise<Leaving> {
  const key = openKey(options)
  if (key === null) throw new Undone('name your seed: --key FILE, or --member NAME')
  const where = placeOf(options, key)
  if (key.beside.unread !== undefined)
    options.note(`the journal cannot be read, L1 says the rest: ${key.beside.unread}`)
  const l1 = await connect(where.rpc, where.contract)
  const named = options.account === undefined ? null : parseAccount(options.account)
  const found = await scanOwn(l1, options, key, named)
  for (const { must, detail } of found.rebuilt.faults)
    options.note(
      `${must}: ${detail}. The oracle posted it so, or this RPC node is untrue: another one tells. ` +
        'What does not hang on it goes on',
    )
  const account = named ?? onlyAccount(found, key.ring)
  const owner = found.rebuilt.l1Owners.get(account)
  if (owner === undefined) throw new Undone(`account ${account} has no L1 owner`)
  return { l1, found, key, account, owner, where: { ...where, contract: l1.contract } }
}

/**
 * Where the account does not open, a node of an earlier run may have told of another ciphertext, which
 * no root shows: L1 is asked for it again. Who still does not open it leaves by what needs no opening.
 */
async function scanOwn(
  l1: L1,
  options: ExitOptions,
  { ring }: OpenedKey,
  named: number | null,
): Promise<Scan> {
  const seen: Scan[] = []
  try {
    const { scan } = await scanFor(
      l1,
      {
        ...(options.state === undefined ? {} : { state: fromHere(options.state) }),
        onProgress: options.note,
      },
      (found) => {
        seen.push(found)
        requireOpen(found, ring, named)
      },
      (error) => (error instanceof OpenError ? error.batch : null),
    )
    return scan
  } catch (error) {
    const last = seen.at(-1)
    if (last === undefined || !(error instanceof OpenError)) throw error
    return last
  }
}

export async function allDue(
  { l1, found, account, owner, key }: Leaving,
  options: ExitOptions,
): Promise<readonly Due[]> {
  const to = options.to === undefined ? owner : parseAddress(options.to)
  return [
    ...paymentsDue(l1, found.rebuilt, account, key.beside.pages ?? NO_PAGES),
    ...refundsDue(l1, found.rebuilt, owner),
    ...(await sharesDue(l1, found, account, owner, to)),
  ]
}

/** With the L1 key in hand; `owner` is who must send, null for anybody. */
export async function asOwner(
  key: OpenedKey,
  options: ExitOptions,
  where: Leaving['where'],
  owner: string | null,
  work: (l1Owner: OwnerL1) => Promise<void>,
): Promise<void> {
  const path = options.l1Key === undefined ? join(key.directory, 'l1.key') : fromHere(options.l1Key)
  if (!existsSync(path))
    throw new Undone(
      `there is no L1 key in ${path}: give its file with --l1-key, or have the transaction written ` +
        'out for another wallet with --print',
    )
  const l1Owner = new OwnerL1(where.rpc, where.contract, readL1Key(path))
  if (owner !== null && BigInt(l1Owner.address) !== BigInt(owner))
    throw new Undone(`the L1 owner is ${owner}, the key in ${path} is that of ${l1Owner.address}`)
  await work(l1Owner)
}

function readL1Key(path: string): string {
  const file = openSync(path, 'r')
  try {
    // The open file is asked, not the path: the path could be exchanged between two looks.
    if ((fstatSync(file).mode & 0o077) !== 0)
      throw new Undone(`others may read ${path}: run chmod 600 ${path}`)
    const text = readFileSync(file, 'utf8').trim()
    if (!/^0x[0-9a-f]{64}$/i.test(text)) throw new Undone(`${path} does not hold an L1 key`)
    return text
  } finally {
    closeSync(file)
  }
}

export function written(
  contract: string,
  calls: readonly OwnerCall[],
  json: Readonly<Record<string, unknown>>,
): Result {
  const transactions = calls.map((call) => unsentOf(contract, call))
  return {
    text: transactions
      .map(({ to, data, value }) => `to ${to}\nvalue ${value}\ndata ${data}`)
      .join('\n\n'),
    json: { ...json, sent: false, transactions },
  }
}
