/** The end of a house, each step judged by the model: freeze, claims in the window and late, payment. */
import { expect } from 'vitest'
import { ask, GROUND, marksOf } from './exits.ts'
import { PROOF } from './batch-data.ts'
import { now, setTime } from './l1.ts'
import { LONG, MARK, type Life } from './life.ts'

/** Sometimes with a ground, sometimes without. */
export async function freeze(life: Life): Promise<boolean> {
  const { time } = await ask(life.world, 'batches', await ask(life.world, 'batchNumber'))
  if (life.random(3) === 0)
    await setTime(time > (await now()) ? time : (await now()) + LONG.batchDelay + 1n)
  const idle = (await now()) - (time as bigint)
  if (idle > LONG.batchDelay - 60n && idle <= LONG.batchDelay) return false
  const accepted = await life.call(life.world.members[7]!, 'freeze', GROUND.noBatch, 0n)
  expect(accepted).toBe(!life.isFrozen && idle > LONG.batchDelay)
  if (!accepted) return false
  life.isFrozen = true
  life.endsAt = (await ask(life.world, 'escape')).claimsEndAt
  return true
}

export async function escapeClaim(life: Life): Promise<boolean> {
  const i = life.owner()
  const account = BigInt(16 + i)
  const time = await now()
  if (time < life.endsAt && time > life.endsAt - 60n) return false
  const isLate = time >= life.endsAt
  const equity = BigInt(life.random(6_000))
  const accepted = await life.call(
    life.world.members[i]!,
    'escapeClaim',
    1n,
    account,
    equity,
    PROOF,
  )
  expect(accepted).toBe(life.isFrozen && !life.claims.has(account) && (!isLate || life.isValued))
  if (!accepted) return false
  const room = life.denominator() - life.inWindow - life.late
  const amount = isLate && equity > room ? room : equity
  if (isLate) life.late += amount
  else life.inWindow += amount
  life.claims.set(account, { amount, paid: new Set(), worth: 0n })
  return true
}

export async function valuePot(life: Life): Promise<boolean> {
  const accepted = await life.call(
    life.world.members[7]!,
    'valuePot',
    marksOf([[2n, 1n, MARK[2]!]]),
  )
  expect(accepted).toBe(life.isFrozen && !life.isValued)
  if (accepted) life.isValued = true
  return accepted
}

export async function escapePay(life: Life): Promise<boolean> {
  const i = life.owner()
  const claim = life.claims.get(BigInt(16 + i))
  const token = life.token()
  const time = await now()
  if (time < life.endsAt && time > life.endsAt - 60n) return false
  const accepted = await life.call(
    life.world.members[i]!,
    'escapePay',
    BigInt(16 + i),
    token,
    life.world.members[8]!,
  )
  const isOver = life.isFrozen && time >= life.endsAt && life.isValued
  expect(accepted).toBe(isOver && claim !== undefined && !claim.paid.has(token))
  if (!accepted) return false
  const { amount, paid } = claim!
  const divisor = life.denominator()
  const share = divisor === 0n ? 0n : (life.pot(token) * amount) / divisor
  paid.add(token)
  claim!.worth += share * MARK[String(token)]!
  // Nobody is paid more than all of the claim, whatever the others did.
  expect(claim!.worth).toBeLessThanOrEqual(amount)
  life.of(token).escaped += share
  life.of(token).balances -= share
  return true
}

export async function endWindow(life: Life): Promise<boolean> {
  if (!life.isFrozen || (await now()) >= life.endsAt || life.random(4) > 0) return false
  await setTime(life.endsAt + 1n)
  return true
}
