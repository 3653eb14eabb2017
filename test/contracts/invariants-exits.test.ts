/**
 * Random lives of a house to its end: deposit, batch, withdraw, force, refund, claim, freeze, escape in
 * every order, against a model of the money. After each call every total of L1 is the model's, and
 * nobody has been paid more than is his. CLOISTER_SEED and CLOISTER_LIVES change the histories.
 */
import { expect, test } from 'vitest'
import { ethers } from 'ethers'
import {
  PROOF,
  TERMS,
  type World,
  batchArguments,
  createBatch,
  createWorld,
  deploy,
  now,
  provider,
  register,
  send,
  sendPaid,
  setTime,
  submit,
} from './l1.ts'
import {
  GROUND,
  ask,
  marksOf,
  paymentsTree,
  proofOf,
  setEscapeVerifier,
  standard,
} from './exits.ts'
import { keyOf } from './points.ts'
import { createRandom, isAccepted } from './random.ts'

const SEED = Number(process.env.CLOISTER_SEED ?? 20_200_312)
const LIVES = Number(process.env.CLOISTER_LIVES ?? 6)
const CALLS_BEFORE = 90
const CALLS_AFTER = 70
const DAY = 86_400n
const UNITS: Readonly<Record<string, bigint>> = { 1: 100n, 2: 7n }
const MARK: Readonly<Record<string, bigint>> = { 1: 1n, 2: 3n }
const TOKENS = [1n, 2n] as const
const OWNERS = 4
/** Long enough that tables and sweeps are never late in a life. */
const LONG = {
  ...TERMS,
  tableLife: 300n * DAY,
  tableDelay: 360n * DAY,
  lateSweepDelay: 360n * DAY,
  sweepDelay: 361n * DAY,
}

type Deposit = {
  id: bigint
  token: bigint
  amount: bigint
  owner: string
  refundAt: bigint
  isOpen: boolean
}
type Paid = {
  token: bigint
  amount: bigint
  to: string
  batch: bigint
  slot: number
  proof: string[]
  isClaimed: boolean
}
type Money = {
  balances: bigint
  owed: bigint
  unconsumed: bigint
  escaped: bigint
  donated: bigint
}
type Claim = { amount: bigint; paid: Set<bigint>; worth: bigint }

class Life {
  readonly world: World
  readonly second: ethers.Contract
  readonly random: (bound: number) => number
  readonly money: Record<string, Money> = {}
  readonly deposits: Deposit[] = []
  readonly payments: Paid[] = []
  readonly waiting: { account: bigint; token: bigint; to: string }[] = []
  readonly forcedAt = new Map<string, bigint>()
  readonly claims = new Map<bigint, Claim>()
  readonly seen: Record<string, [number, number]> = {}
  isFrozen = false
  isValued = false
  endsAt = 0n
  inWindow = 0n
  late = 0n

  constructor(world: World, second: ethers.Contract, random: (bound: number) => number) {
    this.world = world
    this.second = second
    this.random = random
    for (const id of TOKENS) {
      this.money[String(id)] = { balances: 0n, owed: 0n, unconsumed: 0n, escaped: 0n, donated: 0n }
    }
  }

  static async begin(seed: number): Promise<Life> {
    const world = await createWorld('ExpectingVerifier', LONG)
    const { admin, cloister, members, address, dollar } = world
    await send(admin, world.verifier, 'acceptAll')
    await send(admin, await setEscapeVerifier(world), 'acceptAll')
    const second = await deploy('VoidToken')
    await send(admin, cloister, 'addToken', 2n, await second.getAddress(), UNITS[2], 50_000n)
    for (let i = 0; i < OWNERS; i++) {
      const owner = members[i]!
      await send(owner, second, 'mint', owner, 1n << 62n)
      await send(owner, second, 'approve', address, ethers.MaxUint256)
      await register(world, owner, keyOf(i), 5n)
    }
    for (let i = 0; i < 2; i++)
      await submit(world, await createBatch(world, { shape: standard, requestCount: 2n }))
    await send(
      world.oracle,
      cloister,
      'postTable',
      5n,
      6n,
      ethers.ZeroHash,
      marksOf([[2n, 1n, MARK[2]!]]),
      true,
    )
    expect(await dollar.getFunction('balanceOf')(address)).toBe(0n)
    return new Life(world, second, createRandom(seed))
  }

  of(token: bigint): Money {
    return this.money[String(token)]!
  }
  pick<T>(list: readonly T[]): T | undefined {
    return list[this.random(list.length || 1)]
  }
  owner(): number {
    return this.random(OWNERS)
  }
  token(): bigint {
    return TOKENS[this.random(2)]!
  }
  call(from: string, name: string, ...args: unknown[]): Promise<boolean> {
    return isAccepted(send(from, this.world.cloister, name, ...args))
  }
  pot(token: bigint): bigint {
    return this.of(token).balances + this.of(token).escaped
  }
  denominator(): bigint {
    const value = TOKENS.reduce((sum, token) => sum + this.pot(token) * MARK[String(token)]!, 0n)
    return this.inWindow > value ? this.inWindow : value
  }

  async deposit(): Promise<boolean> {
    const owner = this.world.members[this.owner()]!
    const token = this.token()
    const amount = BigInt(1 + this.random(900))
    const accepted = await this.call(owner, 'deposit', token, amount, 1n + BigInt(this.random(1e9)))
    expect(accepted).toBe(!this.isFrozen)
    if (!accepted) return false
    this.deposits.push({
      id: BigInt(this.deposits.length + 1),
      token,
      amount,
      owner,
      refundAt: 0n,
      isOpen: true,
    })
    this.of(token).unconsumed += amount
    return true
  }

  async requestRefund(): Promise<boolean> {
    const deposit = this.pick(this.deposits)
    if (!deposit) return false
    const accepted = await this.call(deposit.owner, 'requestRefund', deposit.id)
    expect(accepted).toBe(deposit.isOpen && deposit.refundAt === 0n)
    if (accepted) deposit.refundAt = (await now()) + TERMS.refundDelay
    return accepted
  }

  async refund(): Promise<boolean> {
    const open = this.deposits.filter(
      ({ isOpen, refundAt }) => isOpen && (refundAt > 0n || this.isFrozen),
    )
    const deposit = this.random(3) === 0 ? this.pick(this.deposits) : this.pick(open)
    if (!deposit) return false
    const time = await now()
    const { refundAt } = deposit
    if (!this.isFrozen && refundAt > time && refundAt < time + 60n) return false
    const expected = deposit.isOpen && (this.isFrozen || (refundAt > 0n && time >= refundAt))
    const accepted = await this.call(deposit.owner, 'takeRefund', deposit.id)
    expect(accepted).toBe(expected)
    if (!accepted) return false
    deposit.isOpen = false
    this.of(deposit.token).unconsumed -= deposit.amount
    return true
  }

  async force(): Promise<boolean> {
    const i = this.owner()
    const account = BigInt(16 + i)
    const token = this.token()
    const from = this.world.members[this.random(9) === 0 ? this.owner() : i]!
    const key = `${account}/${token}`
    const time = await now()
    const last = this.forcedAt.get(key)
    if (
      last !== undefined &&
      time < last + TERMS.unwindDelay &&
      time + 60n > last + TERMS.unwindDelay
    )
      return false
    const expected =
      !this.isFrozen &&
      from === this.world.members[i] &&
      !this.waiting.some((each) => each.account === account) &&
      (last === undefined || time >= last + TERMS.unwindDelay)
    const to = ethers.getAddress(this.world.members[5 + this.random(3)]!)
    const accepted = await isAccepted(
      sendPaid(from, 10n ** 17n, this.world.cloister, 'forceExit', account, token, to),
    )
    expect(accepted, `force ${key}`).toBe(expected)
    if (!accepted) return false
    this.waiting.push({ account, token, to })
    this.forcedAt.set(key, await now())
    return true
  }

  /** Any batch that L1 must take or must refuse, with any part of the queue. */
  async batch(): Promise<boolean> {
    const chosen = new Set<Deposit>()
    const open = this.deposits.filter(({ isOpen }) => isOpen)
    for (let i = this.random(5); i > 0; i--) {
      const deposit = this.random(15) === 0 ? this.pick(this.deposits) : this.pick(open)
      if (deposit) chosen.add(deposit)
    }
    const credited = [...chosen].sort((a, b) => Number(a.id - b.id))
    let expected = !this.isFrozen && credited.every(({ isOpen }) => isOpen)
    const served = this.waiting.slice(0, this.random(3))
    const free = Object.fromEntries(TOKENS.map((token) => [String(token), this.of(token).balances]))
    const forcedPayments = served.map(({ token }) => {
      const left = free[String(token)]!
      const amount = this.random(20) === 0 ? left + 1n : left / BigInt(1 + this.random(6))
      expected &&= amount <= left
      free[String(token)] = left - amount
      return amount
    })
    for (const { token, amount } of credited) free[String(token)]! += amount
    const withdrawals = Array.from({ length: this.random(4) }, () => {
      const token = this.token()
      const left = free[String(token)]! > 0n ? free[String(token)]! : 0n
      const amount = this.random(20) === 0 ? left + 1n : left / BigInt(2 + this.random(5))
      expected &&= amount > 0n && amount <= left
      free[String(token)] = left - amount
      return { token, amount, to: ethers.getAddress(this.world.members[5 + this.random(3)]!) }
    })
    const number: bigint = (await ask(this.world, 'batchNumber')) + 1n
    const batch = await createBatch(this.world, {
      shape: standard,
      newRoot: number,
      withdrawals,
      forcedPayments,
      depositIds: credited.map(({ id }) => id),
      requestCount: BigInt(served.length),
    })
    const accepted = await this.call(this.world.operator, 'submitBatch', ...batchArguments(batch))
    expect(accepted).toBe(expected)
    if (!accepted) return false
    for (const deposit of credited) {
      deposit.isOpen = false
      this.of(deposit.token).unconsumed -= deposit.amount
      this.of(deposit.token).balances += deposit.amount
    }
    this.waiting.splice(0, served.length)
    const all = [
      ...withdrawals,
      ...served.map(({ token, to }, i) => ({ token, to, amount: forcedPayments[i]! })),
    ]
    const tree = paymentsTree(this.world, number, all)
    for (const [slot, payment] of all.entries()) {
      this.of(payment.token).balances -= payment.amount
      this.of(payment.token).owed += payment.amount
      this.payments.push({
        ...payment,
        batch: number,
        slot,
        proof: proofOf(tree, slot),
        isClaimed: false,
      })
    }
    return true
  }

  async claim(): Promise<boolean> {
    const left = this.payments.filter(({ isClaimed }) => !isClaimed)
    const payment = this.random(4) === 0 ? this.pick(this.payments) : this.pick(left)
    if (!payment) return false
    const { batch, slot, token, to, proof } = payment
    const amount = payment.amount + (this.random(8) === 0 ? 1n : 0n)
    const accepted = await this.call(
      this.world.members[8]!,
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
    this.of(token).owed -= amount
    return true
  }

  async donate(): Promise<boolean> {
    const token = this.token()
    await send(
      this.world.members[0]!,
      token === 1n ? this.world.dollar : this.second,
      'transfer',
      this.world.address,
      13n,
    )
    this.of(token).donated += 13n
    return true
  }

  async wait(): Promise<boolean> {
    await setTime((await now()) + BigInt(this.random(90_000)))
    return true
  }

  /** Sometimes with a ground, sometimes without. */
  async freeze(): Promise<boolean> {
    const { time } = await ask(this.world, 'batches', await ask(this.world, 'batchNumber'))
    if (this.random(3) === 0)
      await setTime(time > (await now()) ? time : (await now()) + LONG.batchDelay + 1n)
    const idle = (await now()) - (time as bigint)
    if (idle > LONG.batchDelay - 60n && idle <= LONG.batchDelay) return false
    const accepted = await this.call(this.world.members[7]!, 'freeze', GROUND.noBatch, 0n)
    expect(accepted).toBe(!this.isFrozen && idle > LONG.batchDelay)
    if (!accepted) return false
    this.isFrozen = true
    this.endsAt = (await ask(this.world, 'escape')).claimsEndAt
    return true
  }

  async escapeClaim(): Promise<boolean> {
    const i = this.owner()
    const account = BigInt(16 + i)
    const time = await now()
    if (time < this.endsAt && time > this.endsAt - 60n) return false
    const isLate = time >= this.endsAt
    const equity = BigInt(this.random(6_000))
    const accepted = await this.call(
      this.world.members[i]!,
      'escapeClaim',
      1n,
      account,
      equity,
      PROOF,
    )
    expect(accepted).toBe(this.isFrozen && !this.claims.has(account) && (!isLate || this.isValued))
    if (!accepted) return false
    const room = this.denominator() - this.inWindow - this.late
    const amount = isLate && equity > room ? room : equity
    if (isLate) this.late += amount
    else this.inWindow += amount
    this.claims.set(account, { amount, paid: new Set(), worth: 0n })
    return true
  }

  async valuePot(): Promise<boolean> {
    const accepted = await this.call(
      this.world.members[7]!,
      'valuePot',
      marksOf([[2n, 1n, MARK[2]!]]),
    )
    expect(accepted).toBe(this.isFrozen && !this.isValued)
    if (accepted) this.isValued = true
    return accepted
  }

  async escapePay(): Promise<boolean> {
    const i = this.owner()
    const claim = this.claims.get(BigInt(16 + i))
    const token = this.token()
    const time = await now()
    if (time < this.endsAt && time > this.endsAt - 60n) return false
    const accepted = await this.call(
      this.world.members[i]!,
      'escapePay',
      BigInt(16 + i),
      token,
      this.world.members[8]!,
    )
    const isOver = this.isFrozen && time >= this.endsAt && this.isValued
    expect(accepted).toBe(isOver && claim !== undefined && !claim.paid.has(token))
    if (!accepted) return false
    const { amount, paid } = claim!
    const divisor = this.denominator()
    const share = divisor === 0n ? 0n : (this.pot(token) * amount) / divisor
    paid.add(token)
    claim!.worth += share * MARK[String(token)]!
    // Nobody is paid more than all of the claim, whatever the others did.
    expect(claim!.worth).toBeLessThanOrEqual(amount)
    this.of(token).escaped += share
    this.of(token).balances -= share
    return true
  }

  async endWindow(): Promise<boolean> {
    if (!this.isFrozen || (await now()) >= this.endsAt || this.random(4) > 0) return false
    await setTime(this.endsAt + 1n)
    return true
  }

  async check(where: string): Promise<void> {
    for (const token of TOKENS) {
      const { vault, owed, unconsumed, unit } = await ask(this.world, 'tokens', token)
      const m = this.of(token)
      expect({ vault, owed, unconsumed }, where).toEqual({
        vault: m.balances + m.owed + m.unconsumed,
        owed: m.owed,
        unconsumed: m.unconsumed,
      })
      expect(m.balances, where).toBeGreaterThanOrEqual(0n)
      const held: bigint = await (token === 1n ? this.world.dollar : this.second).getFunction(
        'balanceOf',
      )(this.world.address)
      expect(held, where).toBe((vault as bigint) * (unit as bigint) + m.donated)
      if (this.isFrozen) expect(await ask(this.world, 'pot', token), where).toBe(this.pot(token))
    }
    expect(await provider.getBalance(this.world.address), where).toBe(0n)
    expect((await ask(this.world, 'forcedExitQueue')).pending, where).toBe(
      BigInt(this.waiting.length),
    )
  }
}

const BEFORE = [
  ['deposit', 8],
  ['batch', 8],
  ['claim', 6],
  ['force', 6],
  ['requestRefund', 2],
  ['refund', 3],
  ['donate', 1],
  ['wait', 3],
  ['escapeClaim', 1],
  ['valuePot', 1],
  ['escapePay', 1],
] as const
const AFTER = [
  ['escapeClaim', 8],
  ['escapePay', 12],
  ['refund', 5],
  ['claim', 6],
  ['endWindow', 3],
  ['valuePot', 2],
  ['batch', 1],
  ['deposit', 1],
  ['force', 1],
  ['freeze', 1],
  ['donate', 1],
  ['wait', 1],
] as const
type Step = (typeof BEFORE)[number][0] | (typeof AFTER)[number][0]

test(`seed ${SEED}, ${LIVES} lives: nothing is paid twice, and nothing more than is there`, async () => {
  const seen: Record<string, [number, number]> = {}
  for (let n = 0; n < LIVES; n++) {
    const life = await Life.begin(SEED + n)
    const run = async (name: Step, where: string) => {
      const accepted = await life[name]()
      ;(seen[name] ??= [0, 0])[accepted ? 0 : 1]++
      await life.check(`seed ${SEED + n}, ${where}, ${name}`)
    }
    const weigh = (list: readonly (readonly [Step, number])[]): Step[] =>
      list.flatMap(([name, weight]) => Array<Step>(weight).fill(name))
    const before = weigh(BEFORE)
    const after = weigh(AFTER)
    for (let i = 0; i < CALLS_BEFORE; i++) await run(life.pick(before)!, `call ${i}`)
    while (!life.isFrozen) await run('freeze', 'freezing')
    for (let i = 0; i < CALLS_AFTER; i++) await run(life.pick(after)!, `after ${i}`)
  }
  for (const name of [
    'deposit',
    'batch',
    'claim',
    'force',
    'refund',
    'freeze',
    'escapeClaim',
    'escapePay',
    'valuePot',
  ]) {
    expect(Math.min(...(seen[name] ?? [0, 0])), `${name} ${seen[name]}`).toBeGreaterThan(0)
  }
}, 900_000)
