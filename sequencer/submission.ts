/** A proven batch as L1 takes it. */
import { wordLayout } from '../circuits/words.ts'
import type { BuiltBatch } from '../circuits/witness.ts'
import type { Groth16Proof } from '../prover/groth16.ts'
import type { OpenBatch } from './answers.ts'
import type { Deployment } from './deploy.ts'
import type { Submission } from './l1.ts'

export function submissionOf(
  { plan, trace, shape, tableNumber }: OpenBatch,
  { built, proof }: { readonly built: BuiltBatch; readonly proof: Groth16Proof },
  { shapeIds }: Pick<Deployment, 'shapeIds'>,
): Submission {
  const accountsPart = wordLayout(shape).find((part) => part.name === 'accounts')
  return {
    shapeId: shapeIds.get(shape.name) as bigint,
    time: plan.context.time,
    newRoot: built.newRoot,
    tableNumber,
    batchNonce: plan.context.batchNonce,
    requestCount: plan.requests.length,
    depositIds: plan.credits.map((c) => c.id),
    withdrawals: trace.payouts,
    forcedPayments: plan.requests.flatMap(({ kind, account }) =>
      kind === 'forcedExit'
        ? [trace.members.find((m) => m.index === account)?.forced?.amount ?? 0n]
        : [],
    ),
    accountWords: built.words.slice(accountsPart?.first),
    commitment: built.commitment,
    proof,
  }
}
