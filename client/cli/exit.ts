/** `cloister exit`: leaving by L1 alone, whatever the house does or no longer does. */
import { readFileSync } from 'node:fs'
import { CASH_ID } from '../../circuits/params.ts'
import type { Row } from '../../circuits/table.ts'
import { claimOf, latestAccountIfOpen } from '../exit/claim.ts'
import { missingClaimShapes } from '../exit/claim-shapes.ts'
import { fields, type Due } from '../exit/due.ts'
import { GROUND_TEXT, groundsOf, readQueue, readTerms } from '../exit/grounds.ts'
import type { OwnerCall } from '../exit/owner.ts'
import { isRecord } from '../l1/codec.ts'
import type { KeyRing } from '../key-ring.ts'
import { connect } from '../l1/rpc.ts'
import type { Scan } from '../l1/scan.ts'
import { timeText } from '../time-text.ts'
import type { Result } from './day.ts'
import { failureOf, Undone, type Failure } from './failures.ts'
import {
  dueJson,
  dueText,
  ether,
  groundJson,
  groundText,
  hours,
  isMoney,
  parseEther,
} from './exit-view.ts'
import { openKey } from './key-file.ts'
import { allDue, asOwner, leaving, written, type ExitOptions } from './leaving.ts'
import { placeOf } from './rebuild.ts'
import { fromHere } from './root.ts'
import { dollars, parseAddress } from './terms.ts'

/** Shows the price; sends only within the price that the caller names. */
export async function exitForce(
  token: string,
  options: ExitOptions & { readonly maxPrice?: string },
): Promise<Result> {
  const { l1, found, account, owner, key, where } = await leaving(options)
  mustNotBeFrozen(found)
  const id = tokenOf(found, token)
  const to = options.to === undefined ? owner : parseAddress(options.to)
  const queue = await readQueue(l1)
  const { forceDelay = 0n } = await readTerms(l1)
  const price = queue['price'] as bigint
  const isFull = (queue['pending'] as bigint) >= (queue['capacity'] as bigint)
  const held = heldOf(found, key.ring, account, id)
  const asked = {
    account,
    token: id,
    held: held === null ? null : `${held}`,
    to,
    priceWei: `${price}`,
    pending: `${queue['pending']}`,
    capacity: `${queue['capacity']}`,
  }
  const terms =
    `a forced exit of token ${id} by account ${account} to ${to} costs ${ether(price)} now, which is ` +
    `burned; ${queue['pending']} of ${queue['capacity']} wait before it`
  const holds = heldText(account, id, held)
  if (isFull)
    throw new Undone(
      `${terms}: the queue is full; kept full, it is a ground to freeze (exit freeze)`,
    )
  const call: OwnerCall = { name: 'forceExit', args: [account, id, to], value: price }
  if (options.print === true) return written(where.contract, [call], asked)
  if (options.maxPrice === undefined)
    return {
      text: `${terms}\n${holds}\nNothing is sent. To send it: the same with --max-price ETHER`,
      json: { ...asked, sent: false },
    }
  const most = parseEther(options.maxPrice)
  if (price > most)
    throw new Undone(`${terms}: more than --max-price ${options.maxPrice}; it halves in an hour`)
  // The price falls with every second, so that what is sent now is enough unless somebody is faster.
  await asOwner(key, options, where, owner, (l1Owner) => l1Owner.send({ ...call, value: most }))
  return {
    text:
      `asked: ${terms}\n${holds}\nBatches must pay it; if none has within ${hours(forceDelay)} of service, ` +
      'anybody may freeze the house: cloister exit freeze',
    json: { ...asked, sent: true, forceDelaySeconds: `${forceDelay}` },
  }
}

/** In lots, as the latest batch left it; null where the seed does not open the account. */
function heldOf(found: Scan, ring: KeyRing, account: number, token: number): bigint | null {
  const opened = latestAccountIfOpen(found, ring, account)
  if (opened === null) return null
  if (token === CASH_ID) return opened.cash
  return opened.balances.find(({ id }) => id === token)?.quantity ?? 0n
}

/** Of no use to who has nothing of it, and the price is burned all the same. */
function heldText(account: number, token: number, held: bigint | null): string {
  if (held === null) return `what account ${account} holds of it cannot be opened with this seed`
  const lots = token === CASH_ID ? dollars(held) : `${held} lots`
  const holds = `account ${account} holds ${lots} of it as of its last batch`
  return held > 0n
    ? holds
    : `${holds}: NOTHING WOULD BE PAID unless that changes before it is served`
}

export async function exitFreeze(options: ExitOptions): Promise<Result> {
  const key = openKey(options)
  const where = placeOf(options, key)
  const l1 = await connect(where.rpc, where.contract)
  const [isFrozen] = await l1.view('isFrozen')
  if (isFrozen === true)
    return { text: 'the house is frozen already', json: { frozen: true, sent: false } }
  const grounds = await groundsOf(l1)
  const ground = grounds.find(({ holds }) => holds)
  if (ground === undefined)
    return {
      text: ['no ground to freeze holds now:', ...grounds.map(groundText)].join('\n'),
      json: { frozen: false, sent: false, grounds: grounds.map(groundJson), exitCode: 1 },
      code: 1,
    }
  const call: OwnerCall = { name: 'freeze', args: [ground.code, ground.serial] }
  const named = { ground: ground.name, serial: `${ground.serial}` }
  if (options.print === true) return written(l1.contract, [call], named)
  if (key === null)
    throw new Undone(
      `${GROUND_TEXT[ground.name]}: it may be frozen; name a seed with its L1 key, or --print`,
    )
  await asOwner(key, options, { ...where, contract: l1.contract }, null, (l1Owner) =>
    l1Owner.send(call),
  )
  return {
    text: `frozen: ${GROUND_TEXT[ground.name]}. Every L1 owner may claim now: cloister exit escape`,
    json: { frozen: true, sent: true, ...named },
  }
}

/** Opens the own leaf, proves what it is worth at the last confirmed marks, and claims that. */
export async function exitEscape(
  options: ExitOptions & {
    readonly keys?: string
    readonly table?: string
    readonly atMarks?: boolean
  },
): Promise<Result> {
  const all = await leaving(options)
  const { l1, found, account, owner, key, where } = all
  if (found.rebuilt.freeze === null)
    throw new Undone('the house is not frozen: cloister exit freeze says whether it may be')
  if ((await fields(l1, 'escapeClaims', account))['isMade'] === true)
    throw new Undone(`account ${account} has claimed already: cloister exit claim collects it`)
  const rows = options.table === undefined ? null : rowsOf(fromHere(options.table))
  const claim = await claimOf(l1, found, key.ring, account, rows, options.atMarks === true)
  if (!claim.ok) throw new Undone(`${claim.rejection.rule}: ${claim.rejection.detail}`)
  const { equity } = claim.statement
  if (equity === 0n)
    return {
      text: `account ${account} is worth nothing at the last confirmed marks: there is no claim`,
      json: { account, equity: '0', sent: false },
    }
  // Loaded when a proof is wanted: the prover is the largest part of all.
  const { proveClaim } = await import('../exit/prove.ts')
  const from = found.log.heads[0]?.fromBlock ?? 0
  const keys = options.keys === undefined ? undefined : fromHere(options.keys)
  const { shape, proof } = await proveClaim(l1, from, claim, keys, options.note)
  const call: OwnerCall = { name: 'escapeClaim', args: [shape.id, account, equity, proof] }
  const stated = { account, equity: `${equity}`, shape: shape.name, root: `${found.rebuilt.root}` }
  if (options.print === true) return written(where.contract, [call], stated)
  await asOwner(key, options, where, owner, (l1Owner) => l1Owner.send(call))
  const { claimsEndAt } = found.rebuilt.freeze
  return {
    text:
      `claimed ${dollars(equity)} for account ${account}, proven from its leaf on L1\n` +
      `Shares are paid after ${timeText(claimsEndAt)}: cloister exit claim`,
    json: { ...stated, sent: true, claimsEndAt: `${claimsEndAt}` },
  }
}

/** Collects what L1 owes: payments of batches, refunds of deposits, shares of the pot. */
export async function exitClaim(options: ExitOptions): Promise<Result> {
  const all = await leaving(options)
  const { key, where, owner, account, found } = all
  const due = await allDue(all, options)
  const listed = { account, collected: due.filter(isMoney).map(dueJson) }
  if (due.length === 0)
    return { text: `L1 owes account ${account} nothing that can be collected now`, json: listed }
  if (options.print === true)
    return written(
      where.contract,
      due.map(({ call }) => call),
      listed,
    )
  const collected: Due[] = []
  const refused: (readonly [Due, Failure])[] = []
  await asOwner(key, options, where, owner, async (l1Owner) => {
    for (const each of due) {
      try {
        await l1Owner.send(each.call)
        collected.push(each)
      } catch (error) {
        // Somebody else may have valued the pot at the same time; if nobody has, the shares say so.
        if (!isMoney(each)) continue
        // A token that refuses one address must not keep the others from being paid.
        refused.push([each, failureOf(error)])
      }
    }
  })
  const [first] = refused
  return {
    text: [
      ...collected.filter(isMoney).map((each) => `collected: ${dueText(each, found)}`),
      ...refused.map(([each, { text }]) => `NOT collected: ${dueText(each, found)}: ${text}`),
    ].join('\n'),
    json: {
      account,
      collected: collected.filter(isMoney).map(dueJson),
      refused: refused.map(([each, { rule, text }]) => ({ ...dueJson(each), rule, message: text })),
    },
    code: first === undefined ? 0 : 1,
  }
}

export async function exitStatus(options: ExitOptions): Promise<Result> {
  const all = await leaving(options)
  const { l1, found, account, owner } = all
  const { freeze } = found.rebuilt
  const grounds = await groundsOf(l1)
  const claim = await fields(l1, 'escapeClaims', account)
  const due = (await allDue(all, options)).filter(isMoney)
  const waiting = found.rebuilt.keyRequests.filter(
    (r) => r.account === account && r.kind === 'forcedExit' && r.servedBy === null,
  )
  const missing = await missingClaimShapes(l1, found.log.heads[0]?.fromBlock ?? 0)
  const isClaimed = claim['isMade'] === true
  const deposits = [...found.rebuilt.deposits.values()].filter(
    ({ status, depositor }) => status === 'open' && BigInt(depositor) === BigInt(owner),
  )
  return {
    text: [
      `account ${account}, L1 owner ${owner}`,
      ...waiting.map(({ serial, x }) => `  forced exit ${serial} of token ${x} waits`),
      ...deposits.map(
        ({ id, token, amount, refundDueAt }) =>
          `  deposit ${id} of ${token === CASH_ID ? dollars(amount) : `${amount} lots of token ${token}`} ` +
          (refundDueAt === null
            ? 'waits for a batch; cloister exit refund asks for it back'
            : `was asked for back, due ${timeText(refundDueAt)}`),
      ),
      ...(freeze === null
        ? ['  the house is not frozen; grounds:', ...grounds.map(groundText)]
        : [`  FROZEN; claims until ${timeText(freeze.claimsEndAt)}`]),
      ...missing.map(
        (name) =>
          `  NO VERIFIER "${name}" of claims: after a freeze accounts that need it could not claim`,
      ),
      ...(isClaimed ? [`  claimed ${dollars(claim['amount'] as bigint)}`] : []),
      ...due.map((each) => `  can be collected: ${dueText(each, found)}`),
    ].join('\n'),
    json: {
      account,
      l1Owner: owner,
      frozen: freeze !== null,
      missingClaimShapes: missing,
      claimsEndAt: freeze === null ? null : `${freeze.claimsEndAt}`,
      claimed: isClaimed ? `${claim['amount'] as bigint}` : null,
      forcedExits: waiting.map(({ serial, x }) => ({ serial: `${serial}`, token: Number(x) })),
      deposits: deposits.map(({ id, token, amount, refundDueAt }) => ({
        id: `${id}`,
        token,
        lots: `${amount}`,
        refundDueAt: refundDueAt === null ? null : `${refundDueAt}`,
      })),
      grounds: grounds.map(groundJson),
      due: due.map(dueJson),
    },
  }
}

function tokenOf({ rebuilt }: Scan, text: string): number {
  const id = text === 'cash' ? CASH_ID : /^\d{1,4}$/.test(text) ? Number(text) : -1
  if (rebuilt.tokens.has(id)) return id
  const known = [...rebuilt.tokens.keys()].join(', ')
  throw new Undone(`"${text}" is no token of this house: cash, or an id (${known})`)
}

function mustNotBeFrozen({ rebuilt }: Scan): void {
  if (rebuilt.freeze !== null)
    throw new Undone('the house is frozen: nothing is served any more; cloister exit escape')
}

/** As the oracle publishes a table: [{id, status, addOn, values}], numbers of any size as text. */
function rowsOf(path: string): readonly Row[] {
  try {
    const list = JSON.parse(readFileSync(path, 'utf8')) as unknown
    if (!Array.isArray(list) || !list.every(isRecord)) throw new Error('it holds no list of rows')
    return list.map((row) => ({
      id: Number(row['id']),
      status: row['status'] as Row['status'],
      addOn: BigInt(row['addOn'] as string),
      values: (row['values'] as readonly string[]).map(BigInt),
    }))
  } catch (error) {
    throw new Undone(`${path} is no table: ${error instanceof Error ? error.message : error}`)
  }
}
