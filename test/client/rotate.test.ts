/** Keys change by command, by page and from L1, whatever is killed on the way and whoever withholds. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HouseApi } from '../../client/api.ts'
import { MemberStore } from '../../client/cli/store.ts'
import { OwnerL1 } from '../../client/exit/owner.ts'
import { Journal } from '../../client/journal.ts'
import { KeyRing } from '../../client/key-ring.ts'
import { memberKeys, Seed } from '../../client/keys.ts'
import type { Member } from '../../client/member.ts'
import { until } from '../until.ts'
import { ChainedFloor } from './chained-floor.ts'

type Own = { readonly store: MemberStore; readonly member: Member }
let chained: ChainedFloor
let ann: Own

beforeEach(async () => {
  chained = await ChainedFloor.open()
  ann = await chained.member('ANN')
})
afterEach(async () => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  await chained.close()
})

const rotate = (...more: string[]) =>
  chained.json(ann.store, 'account', 'rotate', 'ANN', '--no-wait', ...more)
const withdraw = (own: Own, name: string) =>
  chained.json(own.store, 'withdraw', name, '5', '--no-wait')
const shown = () => chained.json(ann.store, 'account', 'show', 'ANN')
const journal = (): string => readFileSync(ann.store.journalPath, 'utf8')
const done = (keys: object) => ({ ok: true, state: 'done', keys })
/** Of the contract's state: what signs, whatever the member believes. */
const ownerIs = (n: number): boolean => {
  const { ownerKeyHash } = chained.floor.house.ledger.accounts.get(16) ?? {}
  return ownerKeyHash === ann.store.ring().at(n).ownerKeyHash
}

async function byPage(to: number): Promise<void> {
  expect(await rotate()).toMatchObject({ ok: true, state: 'waiting', to })
  await chained.floor.batch()
  expect(await rotate()).toMatchObject(done({ owner: to, view: to }))
}
async function fromL1(to: number, view: number): Promise<void> {
  expect(await rotate('--l1')).toMatchObject({ ok: true, state: 'waiting', to })
  await chained.floor.batch()
  expect(await rotate('--l1')).toMatchObject({ ok: true, state: 'done', owner: to, view })
}

/** Everything that looks for the keys of an account. */
async function expectCommandsToWork(): Promise<void> {
  const { store } = ann
  const ben = await chained.member('BEN')
  const { account } = ben.store.stored
  const legs = ['BTC-27MAR20:1@76.50']
  const made = await chained.json(
    store,
    'trade',
    'propose',
    'ANN',
    `${account}`,
    ...legs,
    '--no-wait',
  )
  expect(made).toMatchObject({ ok: true, state: 'proposed' })
  const affirmed = await chained.json(
    ben.store,
    'trade',
    'affirm',
    'BEN',
    made['id'] as string,
    '--no-wait',
  )
  expect(affirmed).toMatchObject({ ok: true })
  const [one, other] = await Promise.all([
    chained.json(store, 'trade', 'sign', 'ANN'),
    chained.json(ben.store, 'trade', 'sign', 'BEN'),
  ])
  expect([one, other].map(({ trades }) => trades)).toMatchObject([
    [{ state: 'accepted' }],
    [{ state: 'accepted' }],
  ])
  expect(await withdraw(ann, 'ANN')).toMatchObject({ ok: true })
  await chained.floor.batch()
  await chained.floor.batch()
  expect(await shown()).toMatchObject({ ok: true, settled: true, balances: [{ lots: '1' }] })
  const trades = await chained.json(store, 'trade', 'list', 'ANN')
  expect(trades['trades']).toMatchObject([{ state: 'final' }])
  for (const argv of [
    ['rebuild', '--member', 'ANN'],
    ['risk', 'account', 'ANN'],
    ['exit', 'status', '--member', 'ANN'],
    ['call', 'ANN', 'GET', '/v1/account'],
  ])
    expect({ argv, why: (await chained.json(store, ...argv))['message'] }).toEqual({ argv })
  const out = join(store.directory, `${Math.random()}.grant`)
  const last = `${chained.batches}`
  const grant = ['disclose', 'grant', '--member', 'ANN', '--from', '2', '--to', last, '--out', out]
  expect(await chained.json(store, ...grant)).toMatchObject({ ok: true })
  const read = ['disclose', 'read', out]
  expect(await chained.json(store, ...read)).toMatchObject({ ok: true })
}

describe('a rotation by page', () => {
  it('installs the next keys of the seed, and every command uses them', async () => {
    await byPage(1)
    expect(await shown()).toMatchObject({ keys: { owner: 1, view: 1 } })
    await expectCommandsToWork()
  })

  it('is followed by another one, and that by one from L1', async () => {
    await byPage(1)
    await byPage(2)
    await fromL1(3, 2)
    await expectCommandsToWork()
    await byPage(4)
    expect(await withdraw(ann, 'ANN')).toMatchObject({ ok: true })
  })

  it('is used at once, where the house hears of its batch a moment after L1 has it', async () => {
    await rotate()
    let isOnL1 = false
    let hear = (): void => {}
    chained.delay(() => {
      isOnL1 = true
      return new Promise((resolve) => (hear = resolve))
    })
    const batch = chained.floor.batch()
    await until(() => isOnL1)
    // However long it takes here, by its clock the command has not waited for long.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    const refused = vi.spyOn(HouseApi.prototype, 'account')
    const waited = withdraw(ann, 'ANN')
    await until(() => refused.mock.calls.length > 2)
    hear()
    await batch
    expect(await waited).toMatchObject({ ok: true })
  })

  it('is waited for by the command itself', async () => {
    const waited = chained.json(ann.store, 'account', 'rotate', 'ANN')
    await until(() => journal().includes('rotation'))
    await until(async () => (await chained.floor.batch()) !== null)
    expect(await waited).toMatchObject(done({ owner: 1, view: 1 }))
  })

  it('has no page behind it: commands name the rule, and sign nothing', async () => {
    const ben = await chained.member('BEN')
    await rotate()
    const before = journal()
    for (const argv of [
      ['withdraw', 'ANN', '5', '--no-wait'],
      ['trade', 'propose', 'ANN', `${ben.store.stored.account}`, 'BTC-27MAR20:1@7', '--no-wait'],
    ])
      expect(await chained.json(ann.store, ...argv)).toMatchObject({
        exitCode: 1,
        rule: 'RotationMustEndItsJournal',
      })
    expect(journal()).toBe(before)
    await chained.floor.batch()
    expect(await withdraw(ann, 'ANN')).toMatchObject({ ok: true })
  })

  it('has no page of a program behind it either, until its batch', async () => {
    const { member, store } = ann
    expect(await member.rotate(store.ring().at(1))).toMatchObject({ state: 'accepted' })
    const before = journal()
    const rule = 'RotationMustEndItsJournal'
    expect(await member.withdraw(1, 5_000_000n, 7n)).toMatchObject({ rule })
    expect(await member.rotate(store.ring().at(2))).toMatchObject({ rule })
    expect(journal()).toBe(before)
    await chained.floor.batch()
    member.use(store.ring().at(1))
    expect(await member.withdraw(1, 5_000_000n, 7n)).toMatchObject({ state: 'accepted' })
  })

  it('does not end a trade that waits for a signature', async () => {
    const ben = await chained.member('BEN')
    const lots = [{ instrument: 1025, quantity: 1n, price: 2_000_000n }]
    const id = await chained.floor.agree(ann.member, ben.member, lots)
    const refused = await rotate()
    expect(refused).toMatchObject({ exitCode: 2 })
    expect(refused['message']).toContain(id)
    expect(journal()).not.toContain('rotation')
  })

  it('settles what was signed before it under the old key', async () => {
    expect(await withdraw(ann, 'ANN')).toMatchObject({ ok: true })
    await byPage(1)
    expect(await shown()).toMatchObject({ cash: `${995_000_000 - 200}`, settled: true })
  })

  it('that the house refuses changes nothing', async () => {
    const refused = { refused: 'ViewKeyMustBeHeld', detail: '' } as const
    vi.spyOn(HouseApi.prototype, 'page').mockResolvedValueOnce(refused)
    expect(await rotate()).toMatchObject({ exitCode: 1, rule: 'ViewKeyMustBeHeld' })
    expect(ann.store.stored.rotating ?? null).toBeNull()
    await byPage(1)
  })

  it('whose page has expired is said to have come to nothing', async () => {
    await rotate()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3 * 86_400_000 })
    try {
      await chained.floor.batch()
      expect(ownerIs(0)).toBe(true)
      const { err } = await chained.run(ann.store, 'account', 'rotate', 'ANN', '--no-wait')
      expect(err).toContain('has come to nothing: another page is signed')
      await chained.floor.batch()
      expect(await rotate()).toMatchObject(done({ owner: 1, view: 1 }))
    } finally {
      vi.useRealTimers()
    }
  })

  it('is found by another directory of the same seed', async () => {
    const copy = JSON.parse(readFileSync(ann.store.recordPath, 'utf8')) as object
    await byPage(1)
    writeFileSync(ann.store.recordPath, JSON.stringify(copy))
    expect(await chained.json(ann.store, 'call', 'ANN', 'GET', '/v1/account')).toMatchObject({
      status: 200,
    })
    expect(await withdraw(ann, 'ANN')).toMatchObject({ ok: true })
    expect(new MemberStore('ANN', ann.store.directory).keys).toEqual({ owner: 1, view: 1 })
  })
})

type Method = (...args: unknown[]) => unknown

/** Throws in the place of the call, or behind it: what a process that dies there leaves. */
function killAt(target: object, method: string, place: 'before' | 'after', call: number): void {
  const real = originals.get(method) as Method
  let count = 0
  vi.spyOn(target as Record<string, Method>, method).mockImplementation(function (
    this: unknown,
    ...args: unknown[]
  ) {
    if (++count !== call) return real.apply(this, args)
    const killed = new Error('killed')
    if (place === 'before') throw killed
    const answer = real.apply(this, args)
    if (answer instanceof Promise) return answer.then(() => Promise.reject(killed))
    throw killed
  })
}
const originals = new Map<string, unknown>([
  ['save', MemberStore.prototype.save],
  ['signPage', Journal.prototype.signPage],
  ['settle', Journal.prototype.settle],
  ['page', HouseApi.prototype.page],
  ['send', OwnerL1.prototype.send],
])

describe('killed', () => {
  const atStart: [object, string, number][] = [
    [MemberStore.prototype, 'save', 1],
    [Journal.prototype, 'signPage', 1],
    [HouseApi.prototype, 'page', 1],
  ]
  const atEnd: [object, string, number][] = [
    [Journal.prototype, 'settle', 1],
    [MemberStore.prototype, 'save', 1],
    [MemberStore.prototype, 'save', 2],
  ]
  const places = ['before', 'after'] as const

  for (const place of places)
    for (const [target, method, call] of atStart)
      it(`${place} ${method} of a page, it rotates once`, async () => {
        killAt(target, method, place, call)
        expect(await rotate()).toMatchObject({ exitCode: 2, message: expect.any(String) as string })
        vi.restoreAllMocks()
        // A batch may come before the next command, and take the page or not.
        if (place === 'after') await chained.floor.batch()
        for (let i = 0; i < 2 && (await rotate())['state'] === 'waiting'; i++)
          await chained.floor.batch()
        expect(ownerIs(1)).toBe(true)
        expect(await withdraw(ann, 'ANN')).toMatchObject({ ok: true })
        expect(await shown()).toMatchObject({ keys: { owner: 1, view: 1 } })
      })

  for (const place of places)
    for (const [target, method, call] of atEnd)
      it(`${place} ${method} ${call} once it is settled, it finds it done`, async () => {
        await rotate()
        await chained.floor.batch()
        killAt(target, method, place, call)
        expect(await rotate()).toMatchObject({ exitCode: 2 })
        vi.restoreAllMocks()
        expect(await withdraw(ann, 'ANN')).toMatchObject({ ok: true })
        expect(await shown()).toMatchObject({ keys: { owner: 1, view: 1 } })
        const next = await rotate()
        const isTold = place === 'after' && method === 'save' && call === 2
        // One that was told already is not told again: the next command is another rotation.
        expect(next).toMatchObject(
          isTold ? { state: 'waiting', to: 2 } : done({ owner: 1, view: 1 }),
        )
      })

  for (const place of places)
    for (const [target, method, call] of [
      [MemberStore.prototype, 'save', 1],
      [OwnerL1.prototype, 'send', 1],
    ] as [object, string, number][])
      it(`${place} ${method} of a rotation from L1, it asks L1 once`, async () => {
        killAt(target, method, place, call)
        expect(await rotate('--l1')).toMatchObject({ exitCode: 2 })
        vi.restoreAllMocks()
        await fromL1(1, 0)
        expect(chained.node.mined.size).toBe(1)
        expect(await withdraw(ann, 'ANN')).toMatchObject({ ok: true })
      })
})

describe('a rotation from L1', () => {
  it('changes the owner key alone, and every command uses both keys', async () => {
    await fromL1(1, 0)
    expect(await shown()).toMatchObject({ keys: { owner: 1, view: 0 } })
    await expectCommandsToWork()
    await byPage(2)
  })

  it('needs no house that answers', async () => {
    const argv = ['account', 'rotate', 'ANN', '--l1', '--no-wait', '--house', 'http://127.0.0.1:1']
    expect(await chained.json(ann.store, ...argv)).toMatchObject({ ok: true, state: 'waiting' })
    await chained.floor.batch()
    expect(await chained.json(ann.store, ...argv)).toMatchObject({ ok: true, state: 'done' })
  })

  it('wins over a page that the house holds back, and says which page is void', async () => {
    expect(await rotate()).toMatchObject({ state: 'waiting', to: 1 })
    expect(await rotate('--l1')).toMatchObject({ ok: true, state: 'waiting', to: 2 })
    expect((await rotate())['message']).toContain('from L1 waits for its batch')
    await chained.floor.batch()
    const served = await rotate('--l1')
    expect(served).toMatchObject({ ok: true, owner: 2, view: 0 })
    expect(served['unsettled']).toMatchObject([expect.stringMatching(/^rotation-1-/) as string])
    // The house tries the page under the new key, drops it, and goes on.
    await chained.floor.batch()
    await chained.floor.batch()
    expect(ownerIs(2)).toBe(true)
    const { err } = await chained.run(ann.store, 'withdraw', 'ANN', '5', '--no-wait')
    expect(err).toContain('left out')
    expect(err).toContain('rotation-1-')
    await byPage(3)
  })

  it('comes behind a page that the house has settled meanwhile', async () => {
    expect(await rotate()).toMatchObject({ state: 'waiting', to: 1 })
    await chained.floor.batch()
    // The command does not know yet that the page has settled.
    await fromL1(2, 1)
    expect(await withdraw(ann, 'ANN')).toMatchObject({ ok: true })
  })

  it('asks for pages that were signed with the old key to be signed anew', async () => {
    expect(await withdraw(ann, 'ANN')).toMatchObject({ ok: true })
    expect(await withdraw(ann, 'ANN')).toMatchObject({ ok: true })
    await rotate('--l1')
    await chained.floor.batch()
    const served = await rotate('--l1')
    expect(served['unsettled']).toHaveLength(2)
    await chained.floor.batch()
    const { err } = await chained.run(ann.store, 'deposit', 'ANN', '5', '--no-wait')
    expect(err).toContain('left out')
    await chained.floor.batch()
    // The first is void and was named; the second settled under the new key.
    expect(await shown()).toMatchObject({ cash: `${995_000_000 - 100}`, settled: true })
  })

  it('is written out for another wallet, and found once that has sent it', async () => {
    const printed = await rotate('--l1', '--print')
    const ring = ann.store.ring()
    expect(printed).toMatchObject({ ok: true, state: 'unsent', to: 1, sent: false })
    expect(chained.node.mined.size).toBe(0)
    chained.rotate(16, ring.eighthAt(1))
    expect(await rotate('--l1')).toMatchObject({ state: 'waiting', to: 1 })
    await chained.floor.batch()
    expect(await rotate('--l1')).toMatchObject({ state: 'done', owner: 1 })
  })

  it('says that another key waits on L1, and takes the account back behind it', async () => {
    const thief = new KeyRing(new Seed(new Uint8Array(32).fill(99)), 'THIEF')
    chained.rotate(16, thief.eighthAt(0))
    const refused = await rotate('--l1')
    expect(refused['message']).toContain('RotationMustNotBePending')
    await chained.floor.batch()
    const other = await shown()
    expect(other).toMatchObject({ exitCode: 2 })
    expect(other['message']).toContain('none of this seed')
    expect(await rotate('--l1')).toMatchObject({ state: 'waiting', to: 1 })
    await chained.floor.batch()
    expect(await rotate('--l1')).toMatchObject({ ok: true, owner: 1, view: 0 })
    expect(await withdraw(ann, 'ANN')).toMatchObject({ ok: true })
  })

  it('gives the owner key back that a thief of the trading key changed by a page', async () => {
    await ann.member.rotate(memberKeys(new Uint8Array(32).fill(99), 'THIEF'))
    await chained.floor.batch()
    expect(await rotate('--l1')).toMatchObject({ ok: true, state: 'waiting', to: 1 })
    await chained.floor.batch()
    const back = await rotate('--l1')
    expect(ownerIs(1)).toBe(true)
    // What the thief has put in place of the view key is not this seed's to open.
    expect(back).toMatchObject({ ok: false, state: 'done', owner: 1, view: null })
    expect(back['problem']).toContain('no view key of this seed')
  })

  it('that L1 never got leaves the way by a page open', async () => {
    expect(await rotate('--l1', '--print')).toMatchObject({ state: 'unsent', to: 1 })
    await byPage(1)
    expect(await withdraw(ann, 'ANN')).toMatchObject({ ok: true })
  })

  it("needs the L1 owner's key", async () => {
    const ben = await chained.member('BEN')
    const wrong = await rotate('--l1', '--l1-key', ben.store.l1KeyPath)
    expect(wrong['message']).toContain('the L1 owner is')
    rmSync(ann.store.l1KeyPath)
    const none = await rotate('--l1')
    expect(none['message']).toContain('--print')
    expect(existsSync(ann.store.l1KeyPath)).toBe(false)
    const misplaced = await rotate('--print')
    expect(misplaced['message']).toContain('go with --l1')
  })
})
