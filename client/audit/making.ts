/**
 * How a contract was made: the constructor of this checkout, run by a transaction of its own, and
 * what it was given. Code alone does not tell: another constructor leaves the same code behind with
 * a role, a verifier or a balance in its storage that no event shows.
 */
import type { CompiledContract } from '../../prover/solidity.ts'
import { argumentsBehind } from '../../prover/solidity.ts'
import { constructorArguments } from '../l1/ethers.ts'
import type { L1 } from '../l1/rpc.ts'
import type { Checks } from './checks.ts'

/**
 * The constructor's arguments by name, or null where they could not be read or are another's.
 * `transaction` is that of the first event, which only a constructor emits.
 */
export async function auditMaking(
  l1: L1,
  { name, contract, file }: { name: string; contract: CompiledContract; file: string },
  transaction: string,
  checks: Checks,
): Promise<Readonly<Record<string, unknown>> | null> {
  const title = `making of ${name}`
  const call = await checks.attempt('code', title, () => l1.transaction(transaction))
  if (call === null || call.to !== null) {
    const why =
      call === null
        ? `the node does not have transaction ${transaction}`
        : `${call.to} made it, not a transaction of its own`
    checks.unread('code', title, `${why}: what its constructor wrote could not be read`)
    return null
  }
  const rest = argumentsBehind(call.input, contract.bytecode)
  const given = rest === null ? null : constructorArguments(contract.abi, rest)
  checks.expect(
    'code',
    title,
    given !== null,
    `transaction ${transaction} ran the constructor of contracts/${file}.sol of this checkout`,
    `transaction ${transaction} ran another constructor than contracts/${file}.sol of this ` +
      'checkout: it can have written what no event shows',
  )
  return given
}

type Terms = Readonly<Record<string, bigint>>

/**
 * What the house was made with and nobody changes, in words. The other half was made by a transaction
 * of its own: what it keeps must be what the house was told.
 */
export async function auditTerms(
  l1: L1,
  given: Readonly<Record<string, unknown>>,
  checks: Checks,
): Promise<void> {
  const { terms, letAnybodyForgeProofs } = given['configuration'] as {
    readonly terms: Terms
    readonly letAnybodyForgeProofs: boolean
  }
  const kept = await checks.attempt('code', 'terms', async () => (await l1.view('terms'))[0])
  if (kept === null) return
  const days = (name: string): string => {
    const seconds = terms[name] ?? 0n
    return seconds % 86_400n === 0n ? `${seconds / 86_400n} days` : `${seconds} seconds`
  }
  checks.expect(
    'code',
    'terms',
    `${Object.values(terms)}` === `${kept as readonly bigint[]}`,
    `for good: a forced exit is late after ${days('forceDelay')}, a full queue after ` +
      `${days('fullDelay')}, batches after ${days('batchDelay')}, tables after ${days('tableDelay')}, ` +
      `a sweep after ${days('sweepDelay')}; then anybody freezes, and claims have ` +
      `${days('claimsWindow')}; deposits are given back after ${days('refundDelay')}` +
      (letAnybodyForgeProofs ? '; it was made to take development keys on any chain' : ''),
    'the house was made with other terms than its other half keeps',
  )
}
