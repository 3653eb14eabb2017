/** The verifiers of claims that a house was given: without them nobody leaves by a claim. */
import { ESCAPE_SHAPES } from '../../circuits/escape.ts'
import type { L1 } from '../l1/rpc.ts'

export type ClaimShape = {
  readonly id: bigint
  readonly name: string
  readonly verifier: string
  readonly keyHash: string
  readonly isDevelopmentKey: boolean
}

/** The shapes of claims that the house was given, oldest first. */
export async function claimShapes(l1: L1, fromBlock: number): Promise<readonly ClaimShape[]> {
  const logs = await l1.logs(fromBlock, l1.head.number, 'EscapeShapeAdded')
  return logs.map(({ args }) => ({
    id: args['id'] as bigint,
    name: args['name'] as string,
    verifier: args['verifier'] as string,
    keyHash: args['keyHash'] as string,
    isDevelopmentKey: args['isDevelopmentKey'] as boolean,
  }))
}

/** Names of the shapes that some account could need and the house has not. */
export async function missingClaimShapes(l1: L1, fromBlock: number): Promise<readonly string[]> {
  const known = new Set((await claimShapes(l1, fromBlock)).map(({ name }) => name))
  return ESCAPE_SHAPES.map(({ name }) => name).filter((name) => !known.has(name))
}
