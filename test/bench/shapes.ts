/** What a shape costs: constraints of its compiled circuit, and gas of a full batch on L1. */
import type { Shape } from '../../circuits/params.ts'
import { circuitOfShape, type Progress } from '../../prover/artifacts.ts'
import { readR1csInfo } from '../../prover/groth16.ts'
import { gasWorld, measure } from '../contracts/gas.ts'
import { createBatch, submit } from '../contracts/batch-data.ts'
import { tradesOf } from './load.ts'

export type ShapeCost = {
  readonly name: string
  readonly pages: number
  readonly trades: number
  readonly accounts: number
  readonly constraints: number
  readonly perTrade: number
  readonly perAccount: number
  readonly gas: number
  readonly gasPerTrade: number
}

/** A batch with all accounts touched and nothing else on L1; the verifier does its pairing work. */
async function gasOf({ name }: Shape): Promise<number> {
  const { world, shape } = await gasWorld(name as Parameters<typeof gasWorld>[0])
  return measure(submit(world, await createBatch(world, { shape })))
}

export async function costOf(shape: Shape, progress: Progress): Promise<ShapeCost> {
  const { r1csPath } = await circuitOfShape(shape, progress)
  const constraints = readR1csInfo(r1csPath).nConstraints
  progress(`${shape.name}: ${constraints} constraints; measuring gas`)
  const gas = await gasOf(shape)
  const trades = tradesOf(shape)
  return {
    name: shape.name,
    pages: shape.pages,
    trades,
    accounts: shape.members,
    constraints,
    perTrade: Math.round(constraints / trades),
    perAccount: Math.round(constraints / shape.members),
    gas,
    gasPerTrade: Math.round(gas / trades),
  }
}
