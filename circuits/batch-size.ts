/** How much of a shape a batch needs. */
import type { Shape } from './params.ts'
import type { BatchTrace, MemberStep } from './batch.ts'
import { isCall } from './flag.ts'
import { groupByNode, placesOf } from './rows.ts'

/** Instruments that need a row: held after, converted, or held before by a rescued account. */
export function instrumentsOf(
  members: readonly Pick<MemberStep, 'before' | 'after' | 'convertedIds' | 'isRescue'>[],
): readonly number[] {
  const ids = members.flatMap((m) => [
    ...m.after.balances.map((b) => b.id),
    ...m.convertedIds,
    ...(m.isRescue ? (m.before?.balances ?? []) : []).map((b) => b.id),
  ])
  return [...new Set(ids)].sort((a, b) => a - b)
}

/** What a batch needs of a shape that reads this many rows from a node. */
export function sizeOf(
  trace: BatchTrace,
  rowsPerNode: number,
): Omit<Shape, 'name' | 'rowsPerNode'> {
  const { plan } = trace
  const { table, settlements } = plan.context
  const nodes = groupByNode(placesOf(trace.instruments, table, settlements), rowsPerNode)
  return {
    pages: trace.pages.length,
    members: trace.members.length,
    rows: nodes.length * rowsPerNode,
    deposits: plan.credits.length,
    withdrawals: trace.payouts.length,
    requests: plan.requests.length,
    rotations: trace.pages.filter((u) => u.isLive && u.page.kind === 'rotation').length,
    rescues: trace.members.filter((m) => m.isRescue).length,
    forcedExits: plan.requests.filter((r) => r.kind === 'forcedExit').length,
    reductions: trace.members.reduce((sum, m) => sum + m.reductions.length, 0),
    releases: trace.members.filter((m) => m.flag !== null && !isCall(m.flag.step)).length,
  }
}

/** The first number of a shape that the batch exceeds, or null if it fits. */
export function excessOf(trace: BatchTrace, shape: Shape): keyof ReturnType<typeof sizeOf> | null {
  const size = sizeOf(trace, shape.rowsPerNode)
  const parts = Object.keys(size) as (keyof typeof size)[]
  return parts.find((part) => size[part] > shape[part]) ?? null
}
