/** L1 requests in a batch: one of an account at most, and none beside its pages. */
import { expect, test } from 'vitest'
import { eighthOf, signingKey } from '../../circuits/eddsa.ts'
import type { L1Request } from '../../circuits/batch.ts'
import { funded, ONE_FUTURE, settle } from './scenes.ts'
import type { House, Member } from './house.ts'

function rotation(house: House, member: Member, seed: number): L1Request {
  const key = eighthOf(signingKey(new Uint8Array(32).fill(seed)))
  return { kind: 'rotate', serial: house.serial++, account: member.index, key, viewKeyHash: 0n }
}

test('two rotations of one account do not fit one batch', () => {
  const { house, a, b } = funded()
  const requests = [rotation(house, a, 8), rotation(house, a, 9)]
  expect(house.execute(house.plan({ requests }))).toMatchObject({
    ok: false,
    rejection: { rule: 'OwnerKeyMustChangeByRule', account: a.index },
  })
  // Each alone does, and so do two of two accounts.
  expect(house.execute(house.plan({ requests: requests.slice(1) })).ok).toBe(true)
  const ofTwo = [requests[0] as L1Request, rotation(house, b, 9)]
  settle(house, house.plan({ requests: ofTwo }))
})

test('a registration and a rotation of the same account do not fit one batch', () => {
  const { house } = funded()
  const { member, request } = house.join()
  const requests = [request, rotation(house, member, 8)]
  expect(house.execute(house.plan({ requests }))).toMatchObject({
    ok: false,
    rejection: { rule: 'OwnerKeyMustChangeByRule', account: member.index },
  })
})

test('a rotation from L1 and a page of the same account do not fit one batch', () => {
  const { house, a, b } = funded()
  house.trade(a, b, ONE_FUTURE)
  const plan = house.plan({ requests: [rotation(house, a, 8)] })
  expect(house.execute(plan)).toMatchObject({
    ok: false,
    rejection: { rule: 'OwnerKeyMustChangeByRule', account: a.index },
  })
})
