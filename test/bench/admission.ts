/** How many trades a second one core admits: all rules of a page, signature and margin included. */
import { batchKey, saltOf, type Account } from '../../circuits/account.ts'
import { sign, type Signature } from '../../circuits/eddsa.ts'
import { headAfter, stampOf, type Page } from '../../circuits/page.ts'
import { rowLookup, settlementsOf, tableOf } from '../../circuits/table.ts'
import { checkSignedPage } from '../../sequencer/admission.ts'
import { Ledger } from '../../sequencer/ledger.ts'
import type { House, Member } from '../law/house.ts'
import { houseOf, packagesOf } from './load.ts'

export type AdmissionCost = {
  readonly pages: number
  readonly seconds: number
  readonly pagesPerSecond: number
  /** Legs, as everywhere here: a package of two pages carries two. */
  readonly tradesPerSecond: number
}

const MEMBERS = 8
const PAGES = 64

function ledgerOf(house: House): Ledger {
  const viewKey = 777n
  const feeAccount: Account = {
    ...(house.accounts.get(0) as Account),
    salt: saltOf(batchKey(viewKey, 0, 0n, 0n)),
  }
  const ledger = new Ledger(feeAccount, viewKey)
  for (const member of house.members) {
    ledger.accounts.set(member.index, house.accounts.get(member.index) as Account)
    ledger.ownerKeys.set(member.index, member.key.publicKey)
  }
  return ledger
}

/** A standard batch's worth of pages; signing them is the members' work and is not measured. */
export function admissionCost(): AdmissionCost {
  // Once for the compiler, which a running house has long had.
  admit()
  return admit()
}

function admit(): AdmissionCost {
  const house = houseOf(MEMBERS)
  const ledger = ledgerOf(house)
  const heads = new Map<number, bigint>()
  const shape = {
    name: 'admission',
    pages: PAGES,
    members: MEMBERS,
    rows: 4,
    rowsPerNode: 1,
    deposits: 0,
    withdrawals: 0,
    requests: 0,
    rotations: 0,
    rescues: 0,
    forcedExits: 0,
    reductions: 0,
    releases: 2,
  }
  const signed: { readonly page: Page; readonly signature: Signature }[] = []
  const add = (page: Page, { key, index }: Member): void => {
    const before = heads.get(index) ?? (house.accounts.get(index) as Account).head
    const head = headAfter(before, page)
    heads.set(index, head)
    signed.push({ page, signature: sign(key, head) })
  }
  for (const [i, { buyer, seller, entries }] of packagesOf(shape, house.members).entries()) {
    // In the order of their stamps, as a house gives them.
    const [page, other] = house.trade(buyer, seller, entries, {
      stamp: stampOf(house.time, BigInt(i)),
    })
    add(page, buyer)
    add(other, seller)
  }
  const rowOf = rowLookup(tableOf(house.rows), settlementsOf([]))
  const conditions = { time: house.time, fee: house.fee, rowOf }
  const started = performance.now()
  signed.forEach(({ page, signature }, i) => {
    const checked = checkSignedPage(ledger, { page, signature }, conditions)
    if ('rule' in checked) throw new Error(`admission: ${checked.rule}: ${checked.detail}`)
    const trade = `t${Math.floor(i / 2)}`
    ledger.append(page.account, { page, head: checked.head, signature, trade })
  })
  const seconds = (performance.now() - started) / 1000
  const pagesPerSecond = signed.length / seconds
  return { pages: signed.length, seconds, pagesPerSecond, tradesPerSecond: pagesPerSecond }
}
