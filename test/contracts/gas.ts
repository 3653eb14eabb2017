/** The same world each time, clock included, so that gas figures repeat to the unit. */
import type { ethers } from 'ethers'
import { SHAPES, type Shape } from '../../circuits/params.ts'
import { createBatch, submit, wordOf } from './batch-data.ts'
import { type SHAPE_IDS, type World, createWorld, now, send, setTime } from './l1.ts'

export type ShapeName = keyof typeof SHAPE_IDS

/** 2033-05-18: no byte of it is zero until long after. Each world begins a day later. */
let clock = 0x7901_0101n

/** A vault with credited lots, a batch behind it, and a verifier that does its pairing work. */
export async function gasWorld(name: ShapeName): Promise<{ world: World; shape: Shape }> {
  clock += 0x0001_0000n
  await setTime(clock)
  const world = await createWorld('StubVerifier')
  const shape = SHAPES.find((each) => each.name === name)!
  await send(world.members[0]!, world.cloister, 'deposit', 1n, 1_000_000n, wordOf('a deposit'))
  clock += 0x0000_1000n
  await setTime(clock)
  await submit(world, await createBatch(world, { shape, depositIds: [1n] }))
  if ((await now()) > clock + 0x80n) throw new Error('gas: the clock ran away')
  return { world, shape }
}

export type Payment = { readonly token: bigint; readonly amount: bigint; readonly to: string }

export function payments(world: World, count: number): readonly Payment[] {
  return Array.from({ length: count }, (_, i) => ({
    token: 1n,
    amount: 1000n,
    to: world.members[5 + i]!,
  }))
}

export async function measure(call: Promise<ethers.TransactionReceipt>): Promise<number> {
  return Number((await call).gasUsed)
}

export function thousands(gas: number): string {
  return gas.toLocaleString('en-US')
}
