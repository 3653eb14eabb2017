/** A member at work: its keys, its record and journal on the disk, the house and L1. */
import { ownerKeyHash } from '../../circuits/account.ts'
import { HouseError } from '../api.ts'
import { JournalError } from '../journal.ts'
import type { KeyRing } from '../key-ring.ts'
import { readFundingTables, type FundingTables } from '../l1/oracle-tables.ts'
import { MemberL1 } from '../l1/member-l1.ts'
import type { OwnLeaf } from '../l1/own-leaf.ts'
import { replayFrom } from '../l1/rebuild.ts'
import { connect } from '../l1/rpc.ts'
import { Member, type Outcome, type Realigned } from '../member.ts'
import { findHouse, type Common, type House } from './day.ts'
import { NotYet, RefusedByRule, Undone } from './failures.ts'
import { accountOf, isInstalled, keysInWords, leafOf } from './keys-on-l1.ts'
import { MemberStore } from './store.ts'

/** For so long a house may be behind L1 before a command gives up. */
const BEHIND_SECONDS = 10

export class Session {
  readonly store: MemberStore
  readonly house: House
  readonly member: Member
  readonly l1: MemberL1
  readonly ring: KeyRing
  readonly options: Common
  /** Told of what ready() has signed anew and left out. */
  onRealigned: (realigned: Realigned) => void

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
    this.onRealigned = ({ lost }) => {
      if (lost.length > 0)
        options.note(
          'left out, since the house does not have them or says that they cannot settle: ' +
            lost.join(', '),
        )
    }
    this.ring = store.ring()
    this.l1 = new MemberL1(rpcUrl, status.contract, status.token, store.l1Key())
    this.member = new Member({
      api: house.api,
      l1: this.l1,
      keys: this.ring.inForce(store.keys),
      registeredAs: this.ring.at(0).ownerKeyHash,
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

  /** Asks L1 which of the seed's keys the account has, and speaks with those from now on. */
  async lookUp(): Promise<OwnLeaf> {
    const { rpcUrl, status } = this.house
    const rebuilt = await replayFrom(await connect(rpcUrl, status.contract))
    const leaf = leafOf(this.store, this.ring, rebuilt)
    // Its own view of the file, too: what has settled is not waited for.
    this.member.journal.settle(leaf.account.head, leaf.batch)
    this.member.use(this.ring.inForce(leaf.keys))
    return leaf
  }

  /** As lookUp, written down: only for whoever has the member's directory for itself. */
  async adoptKeys(): Promise<OwnLeaf> {
    const leaf = await this.lookUp()
    const { owner, view } = this.store.keys
    if (leaf.keys.owner !== owner || leaf.keys.view !== view) this.store.save({ keys: leaf.keys })
    return leaf
  }

  /** Whether a rotation was begun here that the leaf on L1 has not been seen to have. */
  get isRotating(): boolean {
    const { rotating = null } = this.store.stored
    return rotating !== null && !isInstalled(rotating, this.store.keys)
  }

  /**
   * For signing: registered by a batch, with the keys that are in force, and at the head that the
   * account has really reached. What is lost on the way is said.
   */
  async ready(): Promise<this> {
    const { member, store } = this
    accountOf(store)
    await member.connect()
    const { head } = await this.answered(() => this.house.api.account(), true)
    if (head === null)
      throw new NotYet(`no batch has registered account ${member.account} yet: ask again`)
    // A record that was lost: the journal has a rotation that only L1 can say the end of.
    if (member.isRotating && !this.isRotating) await this.adoptKeys()
    try {
      this.onRealigned(await member.realigned())
    } catch (error) {
      if (!(error instanceof JournalError) || error.refusal !== 'HeadMustBeCurrent') throw error
      throw new NotYet(
        `the house has account ${member.account} at a head that was not signed here: ` +
          'has another device signed with this seed?',
      )
    }
    return this
  }

  /** The house may know other keys than this directory: L1 says which of the two is behind. */
  async answered<T>(ask: () => Promise<T>, isAlone = false): Promise<T> {
    if (this.isRotating) await (isAlone ? this.adoptKeys() : this.lookUp())
    try {
      return await ask()
    } catch (error) {
      if (!isOtherKey(error)) throw error
    }
    const { keys, batch } = await (isAlone ? this.adoptKeys() : this.lookUp())
    // L1 had the batch a moment ago, and the house hears of it a moment later.
    for (const end = Date.now() + BEHIND_SECONDS * 1000; ;) {
      try {
        return await ask()
      } catch (error) {
        if (!isOtherKey(error)) throw error
      }
      if (Date.now() >= end)
        throw new NotYet(
          `the house does not take the ${keysInWords(keys)}, which the account has on L1 since batch ` +
            `${batch} at the latest: it may be behind L1, ask again`,
        )
      await new Promise((wake) => setTimeout(wake, 500))
    }
  }

  /** Nothing may be signed behind a rotation: its batch installs the key that signs what follows. */
  mustBeFreeToSign(): this {
    if (!this.member.isRotating) return this
    throw new RefusedByRule(
      'RotationMustEndItsJournal',
      `a rotation waits for its batch: cloister account rotate ${this.store.name} shows how far it is`,
    )
  }

  get ownerKeyHash(): bigint {
    return ownerKeyHash(this.member.keys.signing.publicKey)
  }
}

function isOtherKey(error: unknown): boolean {
  return error instanceof HouseError && error.code === 'OwnerSignatureMustMatch'
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
  accountOf(store)
  const session = new Session(store, await findHouse(options), options)
  try {
    await session.member.connect()
    return await known(session, () => session.answered(() => work(session)))
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
