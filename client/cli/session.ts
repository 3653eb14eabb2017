/** A member at work: its keys, its record and journal on the disk, the house and L1. */
import { ownerKeyHash } from '../../circuits/account.ts'
import { HouseError } from '../api.ts'
import { JournalError } from '../journal.ts'
import { memberKeys } from '../keys.ts'
import { readFundingTables, type FundingTables } from '../l1/oracle-tables.ts'
import { MemberL1 } from '../l1/member-l1.ts'
import { Member, type Outcome } from '../member.ts'
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
          `(another day?): use another name or another --dir; ${store.directory} has the keys of the ` +
          'former account, and whoever loses them loses it',
      )
    this.store = store
    this.house = house
    this.options = options
    this.l1 = new MemberL1(rpcUrl, status.contract, status.token, store.l1Key())
    this.member = new Member({
      api: house.api,
      l1: this.l1,
      keys: memberKeys(store.seed(), store.name),
      record: { account: stored.account, deposits: stored.deposits },
      journalPath: store.journalPath,
      save: ({ account, deposits }) => store.save({ account, deposits }),
      fundingTables: () => this.fundingTables(),
    })
  }

  /** What the oracle said on L1 of funding and halts. */
  fundingTables(): Promise<FundingTables> {
    return readFundingTables(this.house.rpcUrl, this.house.status.contract)
  }

  /** For signing: registered by a batch, and at the head that the account has really reached. */
  async ready(): Promise<this> {
    const { member, store } = this
    if (member.record.account === null)
      throw new Undone(`${store.name} has no account yet: cloister account new ${store.name}`)
    await member.connect()
    const { head } = await this.house.api.account()
    if (head === null)
      throw new Undone(`no batch has registered account ${member.account} yet: ask again`)
    try {
      await member.realign()
    } catch (error) {
      if (!(error instanceof JournalError) || error.refusal !== 'HeadMustBeCurrent') throw error
      throw new Undone(
        `the house has account ${member.account} at a head that was not signed here: ` +
          'has another device signed with this seed?',
      )
    }
    return this
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
      return await known(session, async () => work(await session.ready()))
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
    return await known(session, () => work(session))
  } finally {
    session.l1.close()
  }
}

/** Before its registration is in a batch the house cannot know a member by its keys. */
async function known<T>({ member, store }: Session, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof HouseError) || error.code !== 'OwnerSignatureMustMatch') throw error
    throw new Undone(
      `the house does not know account ${member.account} by the keys in ${store.directory}: ` +
        `no batch has registered it yet (cloister account new ${store.name} waits for that), ` +
        'or its keys were changed elsewhere',
    )
  }
}

export function ruleOf(outcome: Outcome): void {
  if (outcome.state === 'refused' && outcome.rule !== null) throw new RefusedByRule(outcome.rule)
}
