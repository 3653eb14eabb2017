/**
 * Random calls against a model of the money: what the model says is refused is refused, and after
 * each call every total of L1 is the model's. CLOISTER_SEED repeats or changes the history.
 */
import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import { MerkleTree } from 'merkletreejs'
import { SHAPES } from '../../circuits/params.ts'
import { batchArguments, createBatch } from './batch-data.ts'
import {
  LOT_CAP,
  REFUND_DELAY,
  TERMS,
  type World,
  createWorld,
  deploy,
  now,
  send,
  setTime,
} from './l1.ts'
import { createRandom, isAccepted } from './random.ts'

const CALL_COUNT = Number(process.env.CLOISTER_CALLS ?? 2_000)
const SEED = Number(process.env.CLOISTER_SEED ?? 20_200_312)
const UNITS: Readonly<Record<string, bigint>> = { 1: 100n, 2: 7n }
const shape = SHAPES.find(({ name }) => name === 'standard')!

type Open = {
  readonly id: bigint
  readonly token: bigint
  readonly amount: bigint
  readonly owner: string
  refundAt: bigint
  isOpen: boolean
}
type Payment = { readonly token: bigint; readonly amount: bigint; readonly to: string }
type Paid = Payment & {
  readonly batch: bigint
  readonly slot: number
  readonly proof: string[]
  isClaimed: boolean
}
type Totals = { balances: bigint; owed: bigint; unconsumed: bigint; donated: bigint }

test(`seed ${SEED}, ${CALL_COUNT} calls: vault = balances + owed + unconsumed`, async () => {
  const day = 86_400n
  const world = await createWorld('ExpectingVerifier', {
    ...TERMS,
    tableLife: 300n * day,
    tableDelay: 360n * day,
    lateSweepDelay: 360n * day,
    sweepDelay: 361n * day,
  })
  const { cloister, admin, members, dollar, address } = world
  const people = members.slice(0, 4)
  const second = await deploy('VoidToken')
  await send(admin, world.verifier, 'acceptAll')
  await send(admin, cloister, 'addToken', 2n, await second.getAddress(), UNITS[2], 20_000n)
  for (const each of people) {
    await send(each, second, 'mint', each, 1n << 62n)
    await send(each, second, 'approve', address, ethers.MaxUint256)
  }
  const contracts: Readonly<Record<string, ethers.Contract>> = { 1: dollar, 2: second }
  const caps: Readonly<Record<string, bigint>> = { 1: LOT_CAP, 2: 20_000n }
  const random = createRandom(SEED)
  const pick = <T>(list: readonly T[]): T | undefined => list[random(list.length || 1)]
  const deposits: Open[] = []
  const payments: Paid[] = []
  const totals: Record<string, Totals> = {}
  for (const id of [1, 2]) totals[id] = { balances: 0n, owed: 0n, unconsumed: 0n, donated: 0n }
  const of = (token: bigint): Totals => totals[String(token)]!
  const held = (t: Totals): bigint => t.balances + t.owed + t.unconsumed
  const seen: Record<string, [number, number]> = {}

  const doDeposit = async (): Promise<boolean> => {
    const owner = pick(people)!
    const token = BigInt(1 + random(2))
    const amount = BigInt(random(20) === 0 ? 0 : random(3_000))
    const expected = amount > 0n && held(of(token)) + amount <= caps[String(token)]!
    const accepted = await isAccepted(
      send(owner, cloister, 'deposit', token, amount, 1n + BigInt(random(1e9))),
    )
    expect(accepted).toBe(expected)
    if (!accepted) return false
    deposits.push({
      id: BigInt(deposits.length + 1),
      token,
      amount,
      owner,
      refundAt: 0n,
      isOpen: true,
    })
    of(token).unconsumed += amount
    return true
  }
  const doRequest = async (): Promise<boolean> => {
    const deposit = pick(deposits)
    if (!deposit) return false
    const from = random(8) === 0 ? pick(people)! : deposit.owner
    const expected = deposit.isOpen && from === deposit.owner && deposit.refundAt === 0n
    const accepted = await isAccepted(send(from, cloister, 'requestRefund', deposit.id))
    expect(accepted).toBe(expected)
    if (accepted) deposit.refundAt = (await now()) + REFUND_DELAY
    return accepted
  }
  const doRefund = async (): Promise<boolean> => {
    const wanted = deposits.filter((each) => each.isOpen && each.refundAt > 0n)
    const deposit = random(4) === 0 ? pick(deposits) : pick(wanted)
    if (!deposit) return false
    const time = await now()
    // The next block comes a second or more later: a refund that is due within it is left alone.
    if (deposit.refundAt > time && deposit.refundAt < time + 60n) return false
    const expected = deposit.isOpen && deposit.refundAt > 0n && time >= deposit.refundAt
    const accepted = await isAccepted(send(deposit.owner, cloister, 'takeRefund', deposit.id))
    expect(accepted).toBe(expected)
    if (!accepted) return false
    deposit.isOpen = false
    of(deposit.token).unconsumed -= deposit.amount
    return true
  }
  const doBatch = async (): Promise<boolean> => {
    const chosen = new Set<Open>()
    const open = deposits.filter((each) => each.isOpen)
    for (let i = random(5); i > 0; i--) {
      const deposit = random(12) === 0 ? pick(deposits) : pick(open)
      if (deposit) chosen.add(deposit)
    }
    const credited = [...chosen].sort((a, b) => Number(a.id - b.id))
    const withdrawals = Array.from({ length: random(5) }, () => {
      const token = BigInt(1 + random(2))
      const { balances } = of(token)
      const amount = random(25) === 0 ? balances + 1_000n : balances / BigInt(2 + random(9))
      return { token, amount, to: ethers.getAddress(members[5 + random(3)]!) }
    })
    const free: Record<string, bigint> = { 1: of(1n).balances, 2: of(2n).balances }
    let expected = credited.every(({ isOpen }) => isOpen)
    for (const { token, amount } of credited) free[String(token)]! += amount
    for (const { token, amount } of withdrawals) {
      expected &&= amount > 0n && amount <= free[String(token)]!
      free[String(token)]! -= amount
    }
    const number: bigint = (await cloister.getFunction('batchNumber')()) + 1n
    const batch = await createBatch(world, {
      shape,
      withdrawals,
      depositIds: credited.map(({ id }) => id),
      newRoot: number,
    })
    const accepted = await isAccepted(
      send(world.operator, cloister, 'submitBatch', ...batchArguments(batch)),
    )
    expect(accepted).toBe(expected)
    if (!accepted) return false
    for (const deposit of credited) {
      deposit.isOpen = false
      of(deposit.token).unconsumed -= deposit.amount
      of(deposit.token).balances += deposit.amount
    }
    keepPayments(world, number, withdrawals, payments)
    for (const { token, amount } of withdrawals) {
      of(token).balances -= amount
      of(token).owed += amount
    }
    return true
  }
  const doClaim = async (): Promise<boolean> => {
    const waiting = payments.filter(({ isClaimed }) => !isClaimed)
    const payment = random(4) === 0 ? pick(payments) : pick(waiting)
    if (!payment) return false
    const { batch, slot, token, to, proof } = payment
    const amount = payment.amount + (random(8) === 0 ? 1n : 0n)
    const accepted = await isAccepted(
      send(pick(people)!, cloister, 'claim', batch, slot, token, amount, to, proof),
    )
    expect(accepted).toBe(!payment.isClaimed && amount === payment.amount)
    if (!accepted) return false
    payment.isClaimed = true
    of(token).owed -= amount
    return true
  }
  const doDonation = async (): Promise<boolean> => {
    const token = BigInt(1 + random(2))
    await send(pick(people)!, contracts[String(token)]!, 'transfer', address, 13n)
    of(token).donated += 13n
    return true
  }
  const doWait = async (): Promise<boolean> => {
    await setTime((await now()) + BigInt(random(130_000)))
    return true
  }
  const steps = { doDeposit, doBatch, doClaim, doRequest, doRefund, doDonation, doWait }
  const weighted = (
    [
      ['doDeposit', 8],
      ['doBatch', 6],
      ['doClaim', 9],
      ['doRequest', 3],
      ['doRefund', 4],
      ['doDonation', 1],
      ['doWait', 2],
    ] as const
  ).flatMap(([name, weight]) => Array<keyof typeof steps>(weight).fill(name))

  for (let i = 0; i < CALL_COUNT; i++) {
    const name = pick(weighted)!
    const accepted = await steps[name]()
    const counts = (seen[name] ??= [0, 0])
    counts[accepted ? 0 : 1]++
    for (const token of [1n, 2n]) {
      const { vault, owed, unconsumed, unit } = await cloister.getFunction('tokens')(token)
      const model = of(token)
      expect({ vault, owed, unconsumed }, `call ${i}, ${name}`).toEqual({
        vault: held(model),
        owed: model.owed,
        unconsumed: model.unconsumed,
      })
      const balance: bigint = await contracts[String(token)]!.getFunction('balanceOf')(address)
      const accounted = (vault as bigint) * (unit as bigint)
      expect(balance, `call ${i}, ${name}`).toBe(accounted + model.donated)
    }
  }
  // The history is worth something only when each kind of call was both accepted and refused.
  for (const name of ['doDeposit', 'doBatch', 'doClaim', 'doRequest', 'doRefund']) {
    expect(Math.min(...(seen[name] ?? [0, 0])), `${name} ${seen[name]}`).toBeGreaterThan(0)
  }
})

function keepPayments(
  world: World,
  batch: bigint,
  withdrawals: readonly Payment[],
  payments: Paid[],
): void {
  const leaves = withdrawals.map(({ token, amount, to }, slot) =>
    ethers.keccak256(
      ethers.keccak256(
        ethers.AbiCoder.defaultAbiCoder().encode(
          ['address', 'uint256', 'uint256', 'uint256', 'uint256', 'address'],
          [world.address, batch, slot, token, amount, to],
        ),
      ),
    ),
  )
  const tree = new MerkleTree(leaves, ethers.keccak256, { sortPairs: true })
  for (const [slot, withdrawal] of withdrawals.entries()) {
    payments.push({
      batch,
      slot,
      ...withdrawal,
      proof: tree.getHexProof(leaves[slot]!),
      isClaimed: false,
    })
  }
}
