/** View keys and openings that strangers show: so many, and never one that a member still needs. */
import { afterEach, describe, expect, it } from 'vitest'
import { depositCommitment, viewKeyHash } from '../../circuits/account.ts'
import { eighthOf } from '../../circuits/eddsa.ts'
import { memberKeys } from '../../client/keys.ts'
import type { Member } from '../../client/member.ts'
import { MemoryJournal } from '../../sequencer/journal/journal.ts'
import { replay, stateDigest } from '../../sequencer/journal/replay.ts'
import { viewKeysIn } from '../../sequencer/journal/shown-keys.ts'
import { SHOWN_KEPT, Shown, ShownOpenings, ShownViewKeys } from '../../sequencer/shown.ts'
import { Floor } from './floor.ts'

const none = (): boolean => false

describe('view keys of strangers', () => {
  it('are so many, and the oldest goes; shown again it is the newest', () => {
    const keys = new ShownViewKeys(3)
    for (const key of [1n, 2n, 3n]) keys.show(key)
    expect([1n, 2n, 3n].map((key) => keys.knows(viewKeyHash(key)))).toEqual([true, true, true])
    keys.show(1n)
    keys.show(4n)
    expect([1n, 2n, 3n, 4n].map((key) => keys.knows(viewKeyHash(key)))).toEqual([
      true,
      false,
      true,
      true,
    ])
  })

  it('once registered stay, whatever comes', () => {
    const keys = new ShownViewKeys(2)
    keys.show(1n)
    expect(keys.register(17, viewKeyHash(1n))).toBe(1n)
    for (let key = 2n; key < 50n; key++) keys.show(key)
    expect(keys.knows(viewKeyHash(1n))).toBe(true)
    // Another account of the same member, with the same key.
    expect(keys.register(18, viewKeyHash(1n))).toBe(1n)
    expect(keys.state.waiting.size).toBe(2)
  })

  it('that a registration misses go to all accounts that wait, as soon as they are shown', () => {
    const keys = new ShownViewKeys(1)
    expect(keys.register(17, viewKeyHash(5n))).toBeUndefined()
    expect(keys.register(18, viewKeyHash(5n))).toBeUndefined()
    expect(keys.register(19, viewKeyHash(6n))).toBeUndefined()
    expect(keys.missing).toEqual([viewKeyHash(5n), viewKeyHash(6n)])
    expect(keys.show(5n)).toEqual([17, 18])
    expect(keys.missing).toEqual([viewKeyHash(6n)])
    expect(keys.knows(viewKeyHash(5n))).toBe(true)
    expect(keys.show(5n)).toEqual([])
  })

  it('are kept in a number that says what it costs', () => {
    expect(SHOWN_KEPT).toBe(65_536)
  })
})

describe('openings of strangers', () => {
  const commitmentOf = (secret: bigint): bigint => depositCommitment(17, secret)

  it('are so many; those of deposits on L1 stay, shown before the deposit or after it', () => {
    const openings = new ShownOpenings(2)
    openings.show({ account: 17, secret: 1n }, none)
    openings.deposited(commitmentOf(1n))
    openings.show({ account: 17, secret: 2n }, (commitment) => commitment === commitmentOf(2n))
    for (let secret = 3n; secret < 20n; secret++) openings.show({ account: 17, secret }, none)
    const known = [1n, 2n, 3n, 17n, 18n, 19n].map(
      (s) => openings.get(commitmentOf(s)) !== undefined,
    )
    expect(known).toEqual([true, true, false, false, true, true])
    expect(openings.state.waiting.size).toBe(2)
  })

  it('are forgotten with their deposit', () => {
    const openings = new ShownOpenings(2)
    openings.show({ account: 17, secret: 1n }, none)
    openings.deposited(commitmentOf(1n))
    openings.forget(commitmentOf(1n))
    expect(openings.get(commitmentOf(1n))).toBeUndefined()
    expect(openings.state).toEqual({ waiting: new Map(), matched: new Map() })
  })
})

describe('a house', () => {
  let floor: Floor | null = null
  afterEach(async () => {
    await floor?.close()
    floor = null
  })
  /** Three are kept instead of tens of thousands. */
  const small = (core: object): object => Object.assign(core, { shown: new Shown(3) })

  it('finds in its journal what a flood has pushed out: the registration is served', async () => {
    const journal = new MemoryJournal()
    floor = new Floor(() => 0, journal)
    const { house, l1 } = floor
    l1.post(floor.rows)
    await house.open()
    small(house.core)
    const keys = memberKeys(new Uint8Array(32).fill(9), 'M9')
    const door = l1.memberDoor(`0x${'99'.repeat(20)}`)
    const key = eighthOf(keys.signing)
    await house.countersign(door.address, key, keys.viewKey)
    for (let stranger = 1n; stranger < 9n; stranger++)
      await house.countersign(door.address, key, stranger)
    const hash = viewKeyHash(keys.viewKey)
    expect(house.core.knowsViewKey(hash)).toBe(false)
    expect(await viewKeysIn(journal, [hash, 77n])).toEqual([keys.viewKey])
    const account = await door.register(key, hash)
    await house.watch()
    expect(house.ledger.viewKeys.get(account)).toBe(keys.viewKey)
    await floor.batch()
    expect(house.ledger.accounts.has(account)).toBe(true)
    const { core } = await replay(
      journal.entries(),
      (_record, sequence, made) => void (sequence === 1 && small(made)),
      () => () => 0,
    )
    expect(stateDigest(core)).toBe(stateDigest(house.core))
  })

  it('credits a deposit whose opening a flood pushed out, once it is shown again', async () => {
    const opened = await Floor.open([1000], () => 0)
    floor = opened.floor
    const { house } = floor
    const [member] = opened.members as [Member]
    small(house.core)
    const before = floor.balance(member, 1)
    const secret = 4711n
    await house.showDeposit(member.account, secret)
    for (let stranger = 1n; stranger < 9n; stranger++)
      await house.showDeposit(member.account, stranger)
    const commitment = depositCommitment(member.account, secret)
    expect(house.core.knowsOpening(commitment)).toBe(false)
    await floor.l1.memberDoor(`0x${'77'.repeat(20)}`).deposit(1, 5_000_000n, commitment)
    await house.watch()
    await floor.batch()
    expect(floor.balance(member, 1)).toBe(before)
    await house.showDeposit(member.account, secret)
    // It is matched now: no flood takes it away.
    for (let stranger = 11n; stranger < 19n; stranger++)
      await house.showDeposit(member.account, stranger)
    await floor.batch()
    expect(floor.balance(member, 1)).toBe(before + 5_000_000n)
    expect(house.core.knowsOpening(commitment)).toBe(false)
  })

  it('replays the same, and takes a key that is shown after its registration', async () => {
    const journal = new MemoryJournal()
    const opened = await Floor.open([1000], () => 0, journal)
    floor = opened.floor
    const { house, l1 } = floor
    const [member] = opened.members as [Member]
    expect(house.ledger.viewKeys.get(member.account)).toBe(member.keys.viewKey)
    const lines: string[] = []
    Object.assign(house.options, { log: (line: string) => lines.push(line) })
    const keys = memberKeys(new Uint8Array(32).fill(9), 'M9')
    const door = l1.memberDoor(`0x${'99'.repeat(20)}`)
    const account = await door.register(eighthOf(keys.signing), viewKeyHash(keys.viewKey))
    await house.watch()
    await house.watch()
    expect(lines).toEqual(['a registration waits for its view key'])
    expect(house.ledger.viewKeys.get(account)).toBeUndefined()
    await house.countersign(door.address, eighthOf(keys.signing), keys.viewKey)
    expect(house.ledger.viewKeys.get(account)).toBe(keys.viewKey)
    await floor.batch()
    expect(house.ledger.accounts.has(account)).toBe(true)
    const { core } = await replay(journal.entries(), undefined, () => () => 0)
    expect(stateDigest(core)).toBe(stateDigest(house.core))
  })
})
