/** What happens in the life of a house until it is frozen, each judged by the model: taken or refused. */
import { ethers } from 'ethers'
import { expect } from 'vitest'
import { ask, paymentsTree, proofOf, standard } from './exits.ts'
import { batchArguments, createBatch } from './batch-data.ts'
import { now, send, sendPaid, setTime, TERMS } from './l1.ts'
import { TOKENS, type Deposit, type Life } from './life.ts'
import { isAccepted } from './random.ts'

export async function deposit(life: Life): Promise<boolean> {
  const owner = life.world.members[life.owner()]!
  const token = life.token()
  const amount = BigInt(1 + life.random(900))
  const accepted = await life.call(owner, 'deposit', token, amount, 1n + BigInt(life.random(1e9)))
  expect(accepted).toBe(!life.isFrozen)
  if (!accepted) return false
  life.deposits.push({
    id: BigInt(life.deposits.length + 1),
    token,
    amount,
    owner,
    refundAt: 0n,
    isOpen: true,
  })
  life.of(token).unconsumed += amount
  return true
}

export async function requestRefund(life: Life): Promise<boolean> {
  const deposit = life.pick(life.deposits)
  if (!deposit) return false
  const accepted = await life.call(deposit.owner, 'requestRefund', deposit.id)
  expect(accepted).toBe(deposit.isOpen && deposit.refundAt === 0n)
  if (accepted) deposit.refundAt = (await now()) + TERMS.refundDelay
  return accepted
}

export async function refund(life: Life): Promise<boolean> {
  const open = life.deposits.filter(
    ({ isOpen, refundAt }) => isOpen && (refundAt > 0n || life.isFrozen),
  )
  const deposit = life.random(3) === 0 ? life.pick(life.deposits) : life.pick(open)
  if (!deposit) return false
  const time = await now()
  const { refundAt } = deposit
  if (!life.isFrozen && refundAt > time && refundAt < time + 60n) return false
  const expected = deposit.isOpen && (life.isFrozen || (refundAt > 0n && time >= refundAt))
  const accepted = await life.call(deposit.owner, 'takeRefund', deposit.id)
  expect(accepted).toBe(expected)
  if (!accepted) return false
  deposit.isOpen = false
  life.of(deposit.token).unconsumed -= deposit.amount
  return true
}

export async function force(life: Life): Promise<boolean> {
  const i = life.owner()
  const account = BigInt(16 + i)
  const token = life.token()
  const from = life.world.members[life.random(9) === 0 ? life.owner() : i]!
  const key = `${account}/${token}`
  const time = await now()
  const last = life.forcedAt.get(key)
  if (
    last !== undefined &&
    time < last + TERMS.unwindDelay &&
    time + 60n > last + TERMS.unwindDelay
  )
    return false
  const expected =
    !life.isFrozen &&
    from === life.world.members[i] &&
    !life.waiting.some((each) => each.account === account) &&
    (last === undefined || time >= last + TERMS.unwindDelay)
  const to = ethers.getAddress(life.world.members[5 + life.random(3)]!)
  const accepted = await isAccepted(
    sendPaid(from, 10n ** 17n, life.world.cloister, 'forceExit', account, token, to),
  )
  expect(accepted, `force ${key}`).toBe(expected)
  if (!accepted) return false
  life.waiting.push({ account, token, to })
  life.forcedAt.set(key, await now())
  return true
}

/** Any batch that L1 must take or must refuse, with any part of the queue. */
export async function batch(life: Life): Promise<boolean> {
  const chosen = new Set<Deposit>()
  const open = life.deposits.filter(({ isOpen }) => isOpen)
  for (let i = life.random(5); i > 0; i--) {
    const deposit = life.random(15) === 0 ? life.pick(life.deposits) : life.pick(open)
    if (deposit) chosen.add(deposit)
  }
  const credited = [...chosen].sort((a, b) => Number(a.id - b.id))
  let expected = !life.isFrozen && credited.every(({ isOpen }) => isOpen)
  const served = life.waiting.slice(0, life.random(3))
  const free = Object.fromEntries(TOKENS.map((token) => [String(token), life.of(token).balances]))
  const forcedPayments = served.map(({ token }) => {
    const left = free[String(token)]!
    const amount = life.random(20) === 0 ? left + 1n : left / BigInt(1 + life.random(6))
    expected &&= amount <= left
    free[String(token)] = left - amount
    return amount
  })
  for (const { token, amount } of credited) free[String(token)]! += amount
  const withdrawals = Array.from({ length: life.random(4) }, () => {
    const token = life.token()
    const left = free[String(token)]! > 0n ? free[String(token)]! : 0n
    const amount = life.random(20) === 0 ? left + 1n : left / BigInt(2 + life.random(5))
    expected &&= amount > 0n && amount <= left
    free[String(token)] = left - amount
    return { token, amount, to: ethers.getAddress(life.world.members[5 + life.random(3)]!) }
  })
  const number: bigint = (await ask(life.world, 'batchNumber')) + 1n
  const batch = await createBatch(life.world, {
    shape: standard,
    newRoot: number,
    withdrawals,
    forcedPayments,
    depositIds: credited.map(({ id }) => id),
    requestCount: BigInt(served.length),
  })
  const accepted = await life.call(life.world.operator, 'submitBatch', ...batchArguments(batch))
  expect(accepted).toBe(expected)
  if (!accepted) return false
  for (const deposit of credited) {
    deposit.isOpen = false
    life.of(deposit.token).unconsumed -= deposit.amount
    life.of(deposit.token).balances += deposit.amount
  }
  life.waiting.splice(0, served.length)
  const all = [
    ...withdrawals,
    ...served.map(({ token, to }, i) => ({ token, to, amount: forcedPayments[i]! })),
  ]
  const tree = paymentsTree(life.world, number, all)
  for (const [slot, payment] of all.entries()) {
    life.of(payment.token).balances -= payment.amount
    life.of(payment.token).owed += payment.amount
    life.payments.push({
      ...payment,
      batch: number,
      slot,
      proof: proofOf(tree, slot),
      isClaimed: false,
    })
  }
  return true
}

export async function claim(life: Life): Promise<boolean> {
  const left = life.payments.filter(({ isClaimed }) => !isClaimed)
  const payment = life.random(4) === 0 ? life.pick(life.payments) : life.pick(left)
  if (!payment) return false
  const { batch, slot, token, to, proof } = payment
  const amount = payment.amount + (life.random(8) === 0 ? 1n : 0n)
  const accepted = await life.call(
    life.world.members[8]!,
    'claim',
    batch,
    slot,
    token,
    amount,
    to,
    proof,
  )
  expect(accepted).toBe(!payment.isClaimed && amount === payment.amount)
  if (!accepted) return false
  payment.isClaimed = true
  life.of(token).owed -= amount
  return true
}

export async function donate(life: Life): Promise<boolean> {
  const token = life.token()
  await send(
    life.world.members[0]!,
    token === 1n ? life.world.dollar : life.second,
    'transfer',
    life.world.address,
    13n,
  )
  life.of(token).donated += 13n
  return true
}

export async function wait(life: Life): Promise<boolean> {
  await setTime((await now()) + BigInt(life.random(90_000)))
  return true
}
