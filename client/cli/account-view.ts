/** An account's history as people and machines read it. */
import { holdingsOf, type Change, type Step } from '../l1/history.ts'
import type { OwnDeposit } from '../l1/own-account.ts'
import type { SignedPage } from '../journal-file.ts'
import { hexWord } from '../../circuits/hex-word.ts'
import { timeText } from '../time-text.ts'
import { dollars, instrumentName, lotsInWords } from './terms.ts'

export type OwnAccount = {
  readonly account: number
  readonly l1Owner: string | null
  readonly steps: readonly Step[]
  /** Batches before the first of `steps`, under the keys of whoever held the account then. */
  readonly earlier: number
  readonly deposits: readonly OwnDeposit[]
  /** Signed on top of the head that L1 shows; null if no journal lies beside the seed. */
  readonly pending: readonly SignedPage[] | null
}

export function accountText(own: OwnAccount): string[] {
  const { account, l1Owner, steps, earlier, deposits, pending } = own
  const last = steps.at(-1)
  const open = deposits.filter(({ status }) => status === 'open')
  const header = [`Account ${account} (L1 owner ${l1Owner ?? 'unknown'})`]
  if (last === undefined)
    return [...header, '  registered on L1; no batch has touched it yet', ...open.map(depositText)]
  const { account: now, touch } = last.visit
  return [
    ...header,
    `  as of batch ${touch.batchNumber}, ${timeText(touch.time)}: ${last.status}`,
    `  journal head ${hexWord(now.head)}`,
    ...holdingsText(last),
    ...pendingText(pending),
    `History: ${steps.length} batches, every ciphertext opened, every leaf recomputed`,
    ...(earlier === 0 ? [] : [`  (${earlier} earlier batches are under another holder's keys)`]),
    ...steps.map(stepText),
    ...open.map(depositText),
  ]
}

/** What was signed and is in no batch: waiting, or lost. */
function pendingText(pending: OwnAccount['pending']): readonly string[] {
  if (pending === null || pending.length === 0) return []
  const names = pending.map(({ clientId }) => clientId).join(', ')
  return [`  ${pending.length} signed pages are not settled and not counted here: ${names}`]
}

function depositText({ id, token, amount }: OwnDeposit): string {
  return `  deposit ${id} of ${lotsText({ id: token, lots: amount })} waits for a batch`
}

export function holdingsText({ visit }: Step): readonly string[] {
  const held = holdingsOf(visit.account)
  return held.length === 0 ? ['  nothing'] : held.map((h) => `  ${lotsText(h)}`)
}

export function stepText(step: Step): string {
  const { touch } = step.visit
  const parts = [
    ...(step.event === null ? [] : [step.event]),
    ...step.deposits.map((d) => `deposit ${d.id}: ${lotsText({ id: d.token, lots: d.amount })}`),
    ...step.conversions.map(
      (c) => `converted ${lotsText(c)} at ${dollars(c.value)} a lot: ${dollars(c.cash)}`,
    ),
    ...step.forced.map((f) => `forced exit: ${lotsText({ id: f.token, lots: f.amount })}`),
    ...(step.pages === 0 ? fromL1(step) : [pagesText(step)]),
  ]
  return `  batch ${`${touch.batchNumber}`.padStart(6)}  ${timeText(touch.time)}  ${
    parts.join('; ') || 'touched, nothing changed'
  }`
}

/** What came without a page came from L1; whose deposit it was only its owner's seed can tell. */
function fromL1({ byPages }: Step): readonly string[] {
  return byPages.length === 0 ? [] : [`a deposit on L1: ${byPages.map(lotsText).join(', ')}`]
}

function pagesText({ pages, settled, unexplained, byPages }: Step): string {
  const count = pages === null ? 'pages' : `${pages} page${pages === 1 ? '' : 's'}`
  const skipped =
    settled === null || settled.skipped.length === 0
      ? ''
      : ` (${settled.skipped.length} expired and skipped)`
  const rest =
    unexplained === null || unexplained.length === 0
      ? ''
      : `; NOT EXPLAINED BY THE JOURNAL: ${unexplained.map(lotsText).join(', ')}`
  return `${count}${skipped}: ${byPages.map(lotsText).join(', ') || 'no change'}${rest}`
}

export function accountJson(own: OwnAccount) {
  const { account, l1Owner, steps, earlier, deposits, pending } = own
  const last = steps.at(-1)
  return {
    account,
    l1Owner,
    touchedBy: steps.length + earlier,
    earlier,
    ...(pending === null ? {} : { pending: pending.map(({ clientId }) => clientId) }),
    now:
      last === undefined ? null : { batch: `${last.visit.touch.batchNumber}`, ...leafJson(last) },
    deposits: deposits.map(({ id, token, amount, status, batch }) => ({
      id: `${id}`,
      token,
      lots: `${amount}`,
      status,
      batch: batch === null ? null : `${batch}`,
    })),
    history: steps.map(stepJson),
  }
}

export function leafJson({ visit, status }: Step) {
  const { account, touch } = visit
  return {
    leaf: `${touch.leaf}`,
    head: `${account.head}`,
    status,
    since: `${(account.meta >> 3n) & ((1n << 38n) - 1n)}`,
    ownerKeyHash: `${account.ownerKeyHash}`,
    viewKeyHash: `${account.viewKeyHash}`,
    balances: holdingsOf(account).map(changeJson),
  }
}

export function stepJson(step: Step) {
  const { visit } = step
  const { touch, place } = visit
  return {
    batch: `${touch.batchNumber}`,
    time: `${touch.time}`,
    block: place.block,
    transaction: place.transaction,
    event: step.event,
    /** Null for some, where no journal says how many. */
    pages: step.pages,
    ...leafJson(step),
    changes: step.changes.map(changeJson),
    deposits: step.deposits.map(({ id }) => `${id}`),
    conversions: step.conversions.map(({ id, lots, value, cash }) => ({
      ...changeJson({ id, lots }),
      value: `${value}`,
      cash: `${cash}`,
    })),
    forced: step.forced.map(({ token, amount, to }) => ({ token, lots: `${amount}`, to })),
    paidToOwner: step.paidToOwner.map(({ slot, token, amount, to }) => ({
      slot,
      token,
      lots: `${amount}`,
      to,
    })),
    byPages: step.byPages.map(changeJson),
    ...(step.settled === null
      ? {}
      : {
          settled: step.settled.live.map(({ clientId }) => clientId),
          skipped: step.settled.skipped.map(({ clientId }) => clientId),
          unexplained: (step.unexplained ?? []).map(changeJson),
        }),
  }
}

export function changeJson({ id, lots }: Change) {
  return { id, instrument: id === 1 ? 'cash' : instrumentName(id), lots: `${lots}` }
}

export function lotsText({ id, lots }: Change): string {
  return id === 1 ? `cash ${dollars(lots)}` : `${instrumentName(id)} ${lotsInWords(lots)}`
}
