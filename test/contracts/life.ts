/** A house with its L1 totals on one side and a model of the money on the other, for random lives. */
import { ethers } from 'ethers'
import { expect } from 'vitest'
import { ask, marksOf, setEscapeVerifier, standard } from './exits.ts'
import { createBatch, submit } from './batch-data.ts'
import { createWorld, deploy, provider, register, send, TERMS, type World } from './l1.ts'
import { keyOf } from './points.ts'
import { createRandom, isAccepted } from './random.ts'

const DAY = 86_400n
const UNITS: Readonly<Record<string, bigint>> = { 1: 100n, 2: 7n }
export const MARK: Readonly<Record<string, bigint>> = { 1: 1n, 2: 3n }
export const TOKENS = [1n, 2n] as const
export const OWNERS = 4
/** Long enough that tables and sweeps are never late in a life. */
export const LONG = {
  ...TERMS,
  tableLife: 300n * DAY,
  tableDelay: 360n * DAY,
  lateSweepDelay: 360n * DAY,
  sweepDelay: 361n * DAY,
}

export type Deposit = {
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

export class Life {
  readonly world: World
  readonly second: ethers.Contract
  readonly random: (bound: number) => number
  readonly money: Record<string, Money> = {}
  readonly deposits: Deposit[] = []
  readonly payments: Paid[] = []
  readonly waiting: { account: bigint; token: bigint; to: string }[] = []
  readonly forcedAt = new Map<string, bigint>()
  readonly claims = new Map<bigint, Claim>()
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
