/**
 * One batch of the replay: every word that L1 could have known is compared, every leaf is written.
 */
import {
  ACCOUNT_UPPER_BOUND,
  FEE_ACCOUNT_INDEX,
  FIELD_MODULUS,
  MODE,
  REQUEST_KIND,
} from '../../circuits/params.ts'
import { addressOfWord, parseBatchWords, type BatchWords } from './batch-words.ts'
import type { BatchEvent, Place, TableEvent } from './events.ts'
import type { Ledger } from './ledger.ts'
import type { Expect } from './replay.ts'

export function replayBatch(ledger: Ledger, event: BatchEvent, place: Place, outer: Expect): void {
  const must: Expect = (holds, name, detail) =>
    outer(holds, name, `batch ${event.number}: ${detail}`)
  const shape = ledger.shapes.get(event.shapeId)
  if (shape === undefined) {
    must(
      false,
      'ShapeMustBeKnown',
      `shape ${event.shapeId} was never added; its words cannot be read`,
    )
    return
  }
  let parts: BatchWords
  try {
    parts = parseBatchWords(shape.sizes, event.words)
  } catch (error) {
    must(false, 'WordsMustFitShape', error instanceof Error ? error.message : String(error))
    return
  }
  must(
    event.words.every((word) => word < FIELD_MODULUS),
    'WordMustBeBelowModulus',
    'a word is not below the modulus',
  )
  checkHeader(ledger, event, parts, must)
  serveRequests(ledger, event, parts, must)
  consumeDeposits(ledger, event, parts, must)
  oweWithdrawals(ledger, event, parts, must)
  writeAccounts(ledger, parts, must)
  must(
    ledger.root === parts.header.newRoot && ledger.root === event.newRoot,
    'RootMustFollowLeaves',
    `the leaves give root ${ledger.root}, L1 says ${event.newRoot}`,
  )
  const touchedCount = parts.accounts.filter((account) => account.leaf !== 0n).length
  const { block, index, transaction } = place
  const kept = { block, index, transaction }
  if (ledger.retention.isKeepingBatches)
    ledger.batches.push({ place: kept, event, shape, parts, touchedCount })
  ledger.summaries.push({
    number: event.number,
    place: kept,
    shapeId: event.shapeId,
    root: event.newRoot,
    time: parts.header.time,
    tableNumber: parts.header.tableNumber,
    accountCount: parts.header.accountCountAfter,
    served: ledger.served,
    wordCount: event.words.length,
    touchedCount,
    deposits: parts.deposits.length,
    requests: parts.requests.length,
    withdrawals: parts.withdrawals.length,
  })
}

function checkHeader(
  ledger: Ledger,
  event: BatchEvent,
  { header, requests }: BatchWords,
  must: Expect,
): void {
  const same = (what: string, found: bigint, expected: bigint, name: string): void => {
    must(found === expected, name, `${what} is ${found}, expected ${expected}`)
  }
  if (ledger.domain === null) ledger.domain = header.domain
  same('domain', header.domain, ledger.domain, 'DomainMustMatch')
  same('number', event.number, ledger.batchNumber + 1n, 'BatchesMustBeInOrder')
  same('batchNumber', header.batchNumber, event.number, 'BatchesMustBeInOrder')
  same('oldRoot', header.oldRoot, ledger.root, 'RootsMustChain')
  // L1 also sets reduce-only by the age of a table; the challenge binds what it set.
  must(
    header.mode === BigInt(MODE.reduceOnly) ||
      (header.mode === BigInt(MODE.normal) && ledger.mode === BigInt(MODE.normal)),
    'ModeMustBeKnown',
    `mode is ${header.mode}, the house is set to ${ledger.mode}`,
  )
  must(ledger.freeze === null, 'FrozenMustNotContinue', 'a batch after the freeze')
  same('reserved0', header.reserved0, 0n, 'ModeMustBeKnown')
  same('reserved1', header.reserved1, 0n, 'ModeMustBeKnown')
  same('fee', header.fee, ledger.fee ?? -1n, 'FeeMustBeCurrent')
  same('settlementRoot', header.settlementRoot, ledger.registerRoot, 'SettlementRootMustBeCurrent')
  same(
    'accountCountBefore',
    header.accountCountBefore,
    ledger.accountCount,
    'CountMustFollowRegistrations',
  )
  const registrations = BigInt(requests.filter((r) => r.kind === 1).length)
  same(
    'accountCountAfter',
    header.accountCountAfter,
    ledger.accountCount + registrations,
    'CountMustFollowRegistrations',
  )
  ledger.accountCount = header.accountCountAfter
  checkTable(ledger, header, must)
  must(
    header.time >= ledger.time,
    'TimeMustNotGoBack',
    `time is ${header.time}, the batch before had ${ledger.time}`,
  )
}

/** The latest table or the one before, never an older one than the last batch had. */
function checkTable(ledger: Ledger, header: BatchWords['header'], must: Expect): void {
  const latest = BigInt(ledger.tables.length)
  const previous = ledger.summaries.at(-1)?.tableNumber ?? 0n
  const table = ledger.tables[Number(header.tableNumber) - 1]
  must(
    table !== undefined && latest - header.tableNumber <= 1n && header.tableNumber >= previous,
    'TableMustBeCurrent',
    `table ${header.tableNumber}, the latest is ${latest}, the batch before had ${previous}`,
  )
  must(
    header.tableRoot === table?.root && header.confirmedTableRoot === confirmedRoot(ledger, table),
    'TableMustMatch',
    `the root of table ${header.tableNumber} is not the one that was posted`,
  )
}

/** The batch's own table if it is confirmed, else the one that was confirmed last, else none. */
function confirmedRoot({ confirmed, tables }: Ledger, own: TableEvent): bigint {
  if (confirmed.size === 0 || confirmed.has(own.number)) return own.root
  const last = [...confirmed].at(-1) ?? 0n
  return tables[Number(last) - 1]?.root ?? 0n
}

function serveRequests(
  ledger: Ledger,
  event: BatchEvent,
  { requests }: BatchWords,
  must: Expect,
): void {
  for (const words of requests) {
    const queued = ledger.keyRequests[Number(ledger.served)]
    // Of a forced exit L1 fills in the free vault when it is served, and the proof what was paid.
    const isSame =
      queued !== undefined &&
      words.serial === queued.serial &&
      words.kind === REQUEST_KIND[queued.kind] &&
      words.account === queued.account &&
      words.x === queued.x &&
      words.y === queued.y &&
      (queued.kind === 'forcedExit'
        ? words.data3 <= words.viewKeyHash
        : words.viewKeyHash === queued.viewKeyHash && words.data3 === 0n)
    must(
      isSame,
      'RequestMustBeServed',
      `request ${words.serial} is not the next of the queue, ${ledger.served}, as it was queued`,
    )
    if (queued !== undefined)
      ledger.keyRequests[Number(ledger.served)] = { ...queued, servedBy: event.number }
    ledger.served++
  }
}

function consumeDeposits(
  ledger: Ledger,
  event: BatchEvent,
  { deposits }: BatchWords,
  must: Expect,
): void {
  for (const words of deposits) {
    const open = ledger.deposits.get(words.id)
    const isSame =
      open !== undefined &&
      open.status === 'open' &&
      open.commitment === words.commitment &&
      open.token === words.token &&
      open.amount === words.amount
    must(
      isSame,
      'DepositMustBeOpen',
      `deposit ${words.id} is credited, but it is ${
        open === undefined ? 'unknown' : open.status === 'open' ? 'another one on L1' : open.status
      }`,
    )
    if (open !== undefined)
      ledger.deposits.set(words.id, { ...open, status: 'consumed', batch: event.number })
    ledger.add(words.token, { consumed: words.amount })
  }
}

export type Payout = BatchWords['withdrawals'][number] & { readonly isForced: boolean }

/**
 * What a batch pays: the voluntary withdrawals, then every forced exit in the order of the queue,
 * also one that was paid nothing: it has a leaf and a slot all the same.
 */
export function payoutsOf(
  withdrawals: BatchWords['withdrawals'],
  requests: BatchWords['requests'],
): readonly Payout[] {
  const forced = requests.filter(({ kind }) => kind === REQUEST_KIND.forcedExit)
  return [
    ...withdrawals.map((words) => ({ ...words, isForced: false })),
    ...forced.map(({ x, y, data3 }, i) => ({
      slot: withdrawals.length + i,
      token: Number(x),
      amount: data3,
      to: addressOfWord(y),
      isForced: true,
    })),
  ]
}

function oweWithdrawals(
  ledger: Ledger,
  event: BatchEvent,
  { withdrawals, requests }: BatchWords,
  must: Expect,
): void {
  withdrawals.forEach(({ slot }, i) =>
    must(slot === i, 'WithdrawalsMustFillFirstSlots', `slot ${slot} is used, slot ${i} is not`),
  )
  payoutsOf(withdrawals, requests).forEach(({ isForced, ...words }) => {
    const { token, amount } = words
    must(
      (amount > 0n || isForced) && ledger.tokens.has(token),
      'WithdrawalMustBePayable',
      `${amount} lots of token ${token}`,
    )
    ledger.withdrawals.set(`${event.number}/${words.slot}`, {
      batch: event.number,
      isClaimed: false,
      ...words,
    })
    ledger.add(token, { withdrawn: amount })
    const { consumed, withdrawn } = ledger.totalsOf(token)
    must(
      withdrawn <= consumed,
      'WithdrawalMustBeFunded',
      `token ${token}: ${withdrawn} lots withdrawn in all, ${consumed} ever credited`,
    )
  })
}

function writeAccounts(ledger: Ledger, { header, accounts }: BatchWords, must: Expect): void {
  let previous = -1
  const written: (readonly [number, bigint])[] = []
  for (const { index, leaf, cipher } of accounts) {
    must(
      index > previous &&
        index < ACCOUNT_UPPER_BOUND &&
        (previous >= 0 || index === FEE_ACCOUNT_INDEX),
      'AccountsMustAscend',
      `account ${index} comes after ${previous}`,
    )
    previous = index
    if (index >= ACCOUNT_UPPER_BOUND) continue
    if (leaf === 0n) {
      must(
        ledger.tree.leaf(index) === 0n,
        'LeafMustNotVanish',
        `the leaf of account ${index} is emptied`,
      )
      must(
        cipher.every((word) => word === 0n),
        'PaddingMustBeEmpty',
        `an empty leaf with a ciphertext, ${index}`,
      )
      continue
    }
    must(
      BigInt(index) < header.accountCountAfter,
      'LeafMustBeEmptyBeforeRegistration',
      `account ${index} has a leaf, but accounts end before ${header.accountCountAfter}`,
    )
    written.push([index, leaf])
    if (!ledger.retention.isKeepingTouches) continue
    const touch = {
      index,
      leaf,
      cipher,
      batchNumber: header.batchNumber,
      batchNonce: header.batchNonce,
      time: header.time,
    }
    const touches = ledger.touches.get(index)
    if (touches === undefined) ledger.touches.set(index, [touch])
    else touches.push(touch)
  }
  ledger.tree.setAll(written)
}
