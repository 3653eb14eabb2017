/** A member against L1: what it takes over, and what it does not believe. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { ownerKeyHash, viewKeyHash } from '../../circuits/account.ts'
import { HouseApi, type HouseStatus } from '../../client/api.ts'
import { JournalError } from '../../client/journal.ts'
import type { MemberKeys } from '../../client/keys.ts'
import { replay } from '../../client/l1/replay.ts'
import { Member } from '../../client/member.ts'
import type { House, Member as LawMember } from '../law/house.ts'
import { DOMAIN, SyntheticL1 } from './synthetic.ts'

const dir = mkdtempSync(join(tmpdir(), 'cloister-member-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
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
    return { head: '0', complete: false, receipt: null }
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
