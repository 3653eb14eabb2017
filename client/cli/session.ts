/** A member at work: its keys, its record on the disk, the house and L1. */
import { ownerKeyHash } from '../../circuits/account.ts'
import { headAfter, type Page } from '../../circuits/page.ts'
import { memberKeys } from '../keys.ts'
import { MemberL1 } from '../l1/member-l1.ts'
import { Member, type MemberRecord, type Outcome, type PageOverride } from '../member.ts'
import { verifyReceipt } from '../receipt.ts'
import { findHouse, type Common, type House } from './day.ts'
import { RefusedByRule, Undone } from './failures.ts'
import { MemberStore } from './store.ts'

export class Session {
  readonly store: MemberStore
  readonly house: House
  readonly member: Member
  readonly l1: MemberL1
  readonly options: Common

  constructor(store: MemberStore, house: House, options: Common) {
    const { stored } = store
    const { status, rpcUrl } = house
    if (stored.chainId !== status.chainId || BigInt(stored.contract) !== BigInt(status.contract))
      throw new Undone(
        `${store.name} is a member of ${stored.contract}, this house is ${status.contract} ` +
          `(another day?): use another name, or remove ${store.directory}`,
      )
    this.store = store
    this.house = house
    this.options = options
    this.l1 = new MemberL1(rpcUrl, status.contract, status.token, store.l1Key())
    this.member = new Member({
      api: house.api,
      l1: this.l1,
      keys: memberKeys(store.seed(), store.name),
      record: {
        account: stored.account,
        head: stored.head === null ? null : BigInt(stored.head),
        deposits: stored.deposits,
      },
      save: (record) => this.#save(record),
    })
  }

  #save({ account, head, deposits }: MemberRecord): void {
    const text = head === null ? null : head.toString()
    const isMoved = text !== this.store.stored.head
    this.store.save({ account, deposits, head: text, ...(isMoved ? { signed: [] } : {}) })
  }

  /** For signing: registered by a batch, and at the head that the account has really reached. */
  async ready(): Promise<this> {
    const { member, house, store } = this
    if (member.record.account === null)
      throw new Undone(`${store.name} has no account yet: cloister account new ${store.name}`)
    await member.connect()
    const { head } = await house.api.account()
    if (head === null)
      throw new Undone(`no batch has registered account ${member.account} yet: ask again`)
    if (BigInt(head) === member.record.head) return this
    // An answer that a former command did not live to see; only heads signed here are believed.
    if (!store.stored.signed.some((signed) => signed.head === head))
      throw new Undone(
        `the house has account ${member.account} at a head that was not signed here: ` +
          'has another device signed with this seed?',
      )
    member.record.head = BigInt(head)
    this.#save(member.record)
    return this
  }

  /** Writes a head down before its signature exists. */
  remembering(what: string, extra: (head: string) => void = () => {}): PageOverride {
    return (page: Page, previousHead: bigint) => {
      const head = headAfter(previousHead, page).toString()
      const others = this.store.stored.signed.filter((signed) => signed.head !== head)
      this.store.save({ signed: [...others, { what, head }] })
      extra(head)
      return {}
    }
  }

  /** Receipts that came with what was just signed: kept if they are the operator's. */
  keepReceipts(): void {
    const { status } = this.house
    for (const { head, time, receipt } of this.member.receipts.splice(0)) {
      const body = { account: this.member.account, head, time: BigInt(time), signature: receipt }
      if (!verifyReceipt(BigInt(status.domain), body, status.operator))
        throw new Undone('the house took a page and gave a receipt that is not its operator\'s')
      this.store.keepReceipt(JSON.stringify({ ...body, head: `${head}`, time: `${time}` }))
    }
  }

  get ownerKeyHash(): bigint {
    return ownerKeyHash(this.member.keys.signing.publicKey)
  }
}

export function openStore(name: string, options: Common): MemberStore {
  return new MemberStore(name, options.dir)
}

/** Runs `work` as this member, alone in its directory. */
export async function asMember<T>(
  name: string,
  options: Common,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const store = openStore(name, options)
  // An unknown member is said before an absent house.
  void store.stored
  const house = await findHouse(options)
  return store.locked(async () => {
    const session = new Session(store, house, options)
    try {
      return await work(await session.ready())
    } finally {
      session.l1.close()
    }
  })
}

/** Reads only: needs no lock, and changes nothing that another command may be about to write. */
export async function lookingAs<T>(
  name: string,
  options: Common,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const store = openStore(name, options)
  if (store.stored.account === null)
    throw new Undone(`${name} has no account yet: cloister account new ${name}`)
  const session = new Session(store, await findHouse(options), options)
  try {
    await session.member.connect()
    return await work(session)
  } finally {
    session.l1.close()
  }
}

export function ruleOf(outcome: Outcome): void {
  if (outcome.state === 'refused' && outcome.rule !== null) throw new RefusedByRule(outcome.rule)
}
