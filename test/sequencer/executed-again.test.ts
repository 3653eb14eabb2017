/** A batch that is executed again for a page that it cannot have verifies no signature twice. */
import { afterEach, expect, it, vi } from 'vitest'
import type { Member } from '../../client/member.ts'
import { settlementsOf, type Table } from '../../circuits/table.ts'
import { keepVerified } from '../../sequencer/admission.ts'
import { chooseBatch } from '../../sequencer/builder.ts'
import { FEE, Floor, SHAPE, wideRow } from './floor.ts'

const count = vi.hoisted(() => ({ verified: 0 }))
vi.mock('../../circuits/eddsa.ts', async (original) => {
  const real = await original<typeof import('../../circuits/eddsa.ts')>()
  const verify: typeof real.verify = (...given) => {
    count.verified++
    return real.verify(...given)
  }
  return { ...real, verify }
})

const FUTURE = 1024
const OTHER = 1025
const lots = (instrument: number, quantity: bigint, price: bigint) => [
  { instrument, quantity, price },
]
let floor: Floor | null = null
afterEach(async () => {
  await floor?.close()
  floor = null
})

async function open() {
  const opened = await Floor.open([200, 10_000, 10_000])
  floor = opened.floor
  const [a, b, c] = opened.members as [Member, Member, Member]
  await floor.trade(b, c, lots(OTHER, 1n, 2_000_000n))
  await floor.trade(a, b, lots(FUTURE, 5n, 50_000_000n))
  for (let i = 0; i < 4; i++) await floor.trade(a, c, lots(OTHER, 1n, 2_000_000n))
  const { house } = floor
  const choose = () =>
    chooseBatch(
      house.ledger,
      { requests: [], credits: [] },
      SHAPE,
      {
        domain: house.domain,
        batchNumber: 2n,
        time: house.core.conditions().time,
        fee: FEE,
        batchNonce: 1n,
        table: house.table as Table,
        settlements: settlementsOf([]),
      },
      () => 0,
    )
  return { house, a, b, c, choose }
}

it('and comes to the same choice', async () => {
  const { house, a, choose } = await open()
  floor?.l1.post([wideRow(FUTURE, 50_000_000n), ...(floor?.rows.slice(1) ?? [])])
  await house.watch()
  count.verified = 0
  const { setAside, unprovable, chosen } = choose()
  expect(setAside.length).toBeGreaterThanOrEqual(3)
  expect(unprovable[0]?.rejection).toMatchObject({ account: a.account })
  // Of each head that ends a journal once: what is shortened ends in another one.
  const first = count.verified
  expect(first).toBeLessThanOrEqual(3 + 2 * setAside.length)
  const again = choose()
  expect(count.verified).toBe(first)
  expect([...(again.chosen?.plan.journals ?? [])]).toEqual([...(chosen?.plan.journals ?? [])])
})

it('and believes no helper: what it has not verified itself is verified', async () => {
  const { house, b, choose } = await open()
  const [page, ...rest] = house.ledger.pendingOf(b.account)
  if (page === undefined) throw new Error('there is no page')
  const owner = house.ledger.ownerKeys.get(b.account)
  if (owner === undefined) throw new Error('there is no owner')
  // As a helper that lies, or a journal whose writer did, would have it.
  const last = rest.at(-1) ?? page
  const forged = { ...last.signature, s: 5n }
  keepVerified(forged, { owner, head: last.head, isRight: true })
  house.ledger.pending.set(b.account, [
    ...[page, ...rest].slice(0, -1),
    { ...last, signature: forged },
  ])
  const { setAside } = choose()
  expect(setAside[0]).toMatchObject({ rule: 'SignatureMustMatch', account: b.account })
})
