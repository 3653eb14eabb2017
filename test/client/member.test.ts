/** A member against L1: what it takes over, and what it does not believe. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ownerKeyHash, viewKeyHash } from '../../circuits/account.ts'
import { HouseApi, HouseError, type HouseStatus, type TicketView } from '../../client/api.ts'
import { headAfter, SIGNING_SECONDS, stampOf, stampSeconds } from '../../circuits/page.ts'
import { JournalError, STAMP_BOUND_SECONDS } from '../../client/journal.ts'
import { memberKeys, type MemberKeys } from '../../client/keys.ts'
import { replay } from '../../client/l1/replay.ts'
import { Member } from '../../client/member.ts'
import { pageOf } from '../../client/pages.ts'
import { makeReceipt } from '../../client/receipt.ts'
import type { House, Member as LawMember } from '../law/house.ts'
import { DOMAIN, SyntheticL1 } from './synthetic.ts'

const dir = mkdtempSync(join(tmpdir(), 'cloister-member-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
afterEach(() => vi.useRealTimers())
let count = 0

const keysOf = ({ key, viewKey }: Pick<LawMember, 'key' | 'viewKey'>): MemberKeys => ({
  signing: key,
  ownerKeyHash: ownerKeyHash(key.publicKey),
  viewKey,
  viewKeyHash: viewKeyHash(viewKey),
  depositSecret: () => 1n,
})

/** A house that takes every page and says so. */
class AgreeingApi extends HouseApi {
  signedAs: unknown = null
  pageCount = 0
  ticket: TicketView | null = null
  constructor() {
    super('http://127.0.0.1:1')
  }
  override async status(): Promise<HouseStatus> {
    return { domain: `${DOMAIN}`, fee: '100', operator: `0x${'00'.repeat(20)}` } as HouseStatus
  }
  override authenticate(account: number, key: MemberKeys['signing'], domain: bigint): void {
    this.signedAs = key
    super.authenticate(account, key, domain)
  }
  override async page() {
    this.pageCount++
    return { head: '0', complete: false, receipt: null }
  }
  override async trade() {
    if (this.ticket === null) throw new HouseError('no such trade')
    return this.ticket
  }
}

describe('sync', () => {
  let l1: SyntheticL1
  let house: House
  let a: LawMember
  let member: Member
  const rebuilt = () => replay(l1.events, { domain: DOMAIN })

  beforeEach(async () => {
    l1 = new SyntheticL1()
    house = l1.house
    a = l1.join()
    l1.join()
    l1.batch({ credits: [l1.deposit(a, 1_000_000_000n)] })
    member = await new Member({
      api: new AgreeingApi(),
      l1: undefined as never,
      keys: keysOf(a),
      record: { account: a.index, deposits: 0 },
      journalPath: join(dir, `${count++}`),
    }).connect()
  })

  it('takes over the new keys once a batch has settled a rotation, not before', async () => {
    const old = member.keys
    house.rotate(a)
    const next = keysOf(a.rotation as NonNullable<LawMember['rotation']>)
    expect((await member.rotate(next)).state).toBe('accepted')
    expect(member.sync(rebuilt()).head).toBe(member.journal.state.settledHead)
    expect(member.keys).toBe(old)
    // The house of this test signs pages of its own making: it is given the member's.
    a.pending = member.journal.state.pending.map(({ page }) => page)
    house.time = BigInt(Math.ceil(Date.now() / 1000))
    l1.batch()
    const account = member.sync(rebuilt())
    expect(account.ownerKeyHash).toBe(next.ownerKeyHash)
    expect(member.keys).toBe(next)
    expect((member.api as AgreeingApi).signedAs).toBe(next.signing)
    expect(member.journal.state).toMatchObject({ settledHead: account.head, pending: [] })
    expect(member.sync(rebuilt())).toEqual(account)
  })

  it('refuses a head on L1 that was not signed here', () => {
    house.withdraw(a, 1, 5n)
    l1.batch()
    expect(() => member.sync(rebuilt())).toThrow(JournalError)
    expect(() => member.sync(rebuilt())).toThrow('another device')
  })

  it('says which key does not open the leaf', () => {
    house.rotate(a)
    l1.batch()
    expect(() => member.sync(rebuilt())).toThrow('the view key does not open')
  })
})

describe('a member signs no trade', () => {
  let api: AgreeingApi
  let member: Member
  const now = (): bigint => BigInt(Math.floor(Date.now() / 1000))
  const stamped = (seconds: bigint, over: Partial<TicketView> = {}): TicketView => ({
    id: 't1',
    clientId: 'mine',
    state: 'stamped',
    role: 'proposer',
    counterparty: 17,
    stamp: `${stampOf(seconds, 0n)}`,
    payload: '1',
    batch: null,
    entries: [{ instrument: 1024, quantity: '1', price: '5' }],
    isSigned: true,
    refused: null,
    receipt: null,
    ...over,
  })
  beforeEach(async () => {
    api = new AgreeingApi()
    member = await new Member({
      api,
      l1: undefined as never,
      keys: memberKeys(new Uint8Array(32).fill(3), 'A'),
      record: { account: 16, deposits: 0 },
      journalPath: join(dir, `${count++}`),
    }).connect()
  })

  it.each([1n, -1n])('whose stamp is too far off its clock, by the second (%s)', async (way) => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 })
    const before = member.journal.state
    const off = way * (STAMP_BOUND_SECONDS + 1n)
    await expect(member.settleTicket(stamped(now() + off))).rejects.toThrow('the stamp is')
    expect(api.pageCount).toBe(0)
    expect(member.journal.state).toEqual(before)
    api.ticket = { ...stamped(now() + off - way), state: 'refused', refused: 'TradeMustMatch' }
    await member.settleTicket({ ...api.ticket, state: 'stamped', refused: null })
    expect(api.pageCount).toBe(1)
  })

  it.each([
    ['a second too late for both clocks', SIGNING_SECONDS + 31n, 'StampMustBeLive'],
    ['as long as the house may still take it', SIGNING_SECONDS + 30n, 'TradeMustMatch'],
  ])('that the other side does not, and waits %s', async (_, seconds, rule) => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 })
    const ticket = stamped(now())
    api.ticket = ticket
    let looks = 0
    vi.spyOn(api, 'trade').mockImplementation(async () => {
      if (looks++ === 0)
        vi.setSystemTime(Number(stampSeconds(BigInt(ticket.stamp)) + seconds) * 1000)
      // Who still waits by then is told something else.
      return looks === 1 ? ticket : { ...ticket, state: 'refused', refused: 'TradeMustMatch' }
    })
    expect(await member.settleTicket(ticket)).toMatchObject({ state: 'refused', rule })
    expect(member.journal.state.pending).toEqual([])
    expect(member.journal.state.head).toBe(member.journal.state.settledHead)
  })

  it('on top of one that was refused', async () => {
    const ticket = stamped(now())
    api.ticket = { ...ticket, state: 'refused', refused: 'TradeMustMatch' }
    expect(await member.settleTicket(ticket)).toMatchObject({ rule: 'TradeMustMatch' })
    // A refused page is taken back, and the next one stands on the same head.
    expect(member.journal.state.pending).toEqual([])
    expect(member.journal.state.head).toBe(member.journal.state.settledHead)
  })

  it('with itself, nor one whose terms are out of form', async () => {
    for (const over of [{ counterparty: 16 }, { counterparty: 3 }])
      await expect(member.settleTicket(stamped(now(), over))).rejects.toThrow(JournalError)
    expect(api.pageCount).toBe(0)
  })

  it('and takes no receipt that the operator has not signed', async () => {
    const ticket = stamped(now())
    const head = headAfter(member.journal.state.head, pageOf(16, ticket, 100n))
    const body = { account: 16, head, time: 5n }
    const { signature } = makeReceipt(DOMAIN, body, new Uint8Array(32).fill(6))
    api.ticket = {
      ...ticket,
      state: 'accepted',
      receipt: { head: `${head}`, time: 5, signature },
    }
    await expect(member.settleTicket(ticket)).rejects.toThrow('ReceiptMustVerify')
    expect(member.journal.state.receipts.size).toBe(0)
  })
})
