/** What a party is shown of the state: its own side of everything, and nobody else's. */
import { receiptText } from '../../circuits/document.ts'
import type { Account } from '../../circuits/account.ts'
import { stampOf, type Entry, type Page } from '../../circuits/page.ts'
import { TREE_DEPTH } from '../../circuits/params.ts'
import { worthOf } from '../../circuits/table.ts'
import { checkEffect } from '../admission.ts'
import type { SettledBatch } from '../answers.ts'
import type { AskedPage } from '../asked.ts'
import type { House } from '../house.ts'
import { withPage } from '../ledger.ts'
import { entriesFor, tell, type Admitted, type Receipt, type Ticket } from '../ticket.ts'
import { ApiError } from './errors.ts'

export async function receiptOf(
  house: House,
  account: number,
  head: bigint,
  time: bigint,
): Promise<Receipt> {
  const text = receiptText(house.domain, { account, head, time })
  return { head, time: Number(time), signature: await house.l1.signReceipt(text) }
}

/** The side's receipt of an admitted trade; made again after a restart, the same as before. */
async function receiptFor(house: House, ticket: Ticket, side: number): Promise<Receipt | null> {
  const head = ticket.heads.get(side)
  if (head === undefined) return null
  const known = ticket.receipts.get(side)
  if (known !== undefined) return known
  const made = await receiptOf(house, side, head, ticket.admittedAt)
  ticket.receipts.set(side, made)
  return made
}

export async function tradeView(house: House, ticket: Ticket, account: number) {
  const { id, clientId, state, stamp, payload, batch, proposer, refusal } = ticket
  return {
    id,
    clientId,
    state,
    stamp,
    payload,
    batch,
    role: proposer === account ? 'proposer' : 'counterparty',
    counterparty: proposer === account ? ticket.counterparty : proposer,
    entries: entriesFor(ticket, account),
    isSigned: ticket.sides.has(account),
    receipt: await receiptFor(house, ticket, account),
    refused: refusal === null ? null : tell(refusal, account).refused,
  }
}

/** A receipt is for an admitted page: the first side of a trade gets its with the second. */
export async function pageAnswer(house: House, result: Admitted, account: number) {
  const { head, complete, time } = result
  const receipt = complete ? await receiptOf(house, account, head, time) : null
  return { head, complete, receipt }
}

export async function pageView(house: House, asked: AskedPage) {
  const { clientId, account, kind, ticket: id, trade } = asked
  const answer = house.desk.answerOf(asked)
  const isRefused = 'refused' in answer
  return {
    clientId,
    kind,
    ticket: id,
    state: isRefused ? 'refused' : (trade ?? asked).state,
    batch: isRefused ? null : (trade ?? asked).batch,
    head: isRefused ? null : answer.head,
    receipt: isRefused ? null : (await pageAnswer(house, answer, account)).receipt,
    refused: isRefused ? answer.refused : null,
  }
}

const holdings = ({ cash, balances }: Account) => ({
  cash,
  balances: balances.map(({ id, quantity }) => ({ id, quantity })),
})

export function accountView(house: House, account: number) {
  const { ledger, desk, core } = house
  const settled = ledger.accounts.get(account)
  const now = BigInt(Math.floor(Date.now() / 1000))
  const projected = ledger.projected(account, core.feeToAllow, now)
  return {
    account,
    resign: desk.resigning.wanted(account),
    settledHead: settled?.head ?? null,
    head: ledger.headOf(account) ?? null,
    pending: ledger.pendingOf(account).length,
    settled: settled === undefined ? null : holdings(settled),
    projected: projected === undefined ? null : holdings(projected),
    events: core.feed.lastOf(account),
  }
}

/** The own account after its pending pages, and after these entries as well; nothing is recorded. */
export function marginView(house: House, account: number, entries: readonly Entry[]) {
  const conditions = house.conditions()
  const { time, fee, rowOf } = conditions
  const before = house.ledger.projected(account, fee, time)
  if (before === undefined) throw new ApiError('AccountMustBeRegistered')
  const page: Page = {
    kind: 'trade',
    account,
    counterparty: 0,
    stamp: stampOf(time, 0n),
    maxFee: fee,
    payload: 0n,
    entries,
  }
  const isNothing = entries.every(({ quantity }) => quantity === 0n)
  const rejection = isNothing ? null : checkEffect(house.ledger, page, conditions)
  const worth = (of: Account) => {
    const found = worthOf(of, rowOf)
    return typeof found === 'number' ? null : found
  }
  return {
    admissible: rejection === null,
    refused: rejection?.rule ?? null,
    before: worth(before),
    after: worth(isNothing ? before : withPage(before, page, fee)),
  }
}

/** The own leaf, and all children of each node above it: whoever hashes them arrives at the root. */
export function proofView(house: House, account: number) {
  const { ledger, batchNumber } = house
  if (!ledger.accounts.has(account)) throw new ApiError('AccountMustBeRegistered')
  const { tree } = ledger
  return {
    account,
    batch: batchNumber,
    root: tree.root,
    leaf: tree.leaf(account),
    path: tree.path(account, TREE_DEPTH),
  }
}

/** What L1 shows of a batch; how many trades it has is nobody's business. */
export function batchView({ number, shape, root, accounts, gas }: SettledBatch) {
  return { number, shape, root, accounts, gas }
}
