/** Attacks on accounts that may only reduce. */
import { exiting, reduceOnly, TOKEN, tradeOf } from '../exit-scenes.ts'
import { forgedDraft } from '../forge.ts'
import type { Draft } from '../reseal.ts'
import { MINI, slotOf } from '../scenes.ts'
import { against, changed, set, type Attack } from './attack.ts'

export const unwound = (
  quantity: bigint,
  instrument?: number,
  change: (d: Draft) => void = () => {},
): Draft => {
  const house = tradeOf(exiting(), quantity, instrument)
  return changed(forgedDraft(MINI, house, house.plan()), change)
}

export const unwindings: readonly Attack[] = [
  ...against('ReduceOnlyMustReduce', {
    'one lot more': () => unwound(1n),
    'one lot through zero': () => unwound(-6n),
    'another instrument': () => unwound(1n, 1025),
    'another instrument sold': () => unwound(-1n, 1025),
    'a token bought': () => unwound(5n, TOKEN),
    'one lot more while all may only reduce': () => reduceOnly(1n),
    'a change that is not named': () =>
      unwound(-2n, undefined, (d) => {
        d.reductionChoice[0]?.fill(0n)
        for (const list of [d.reductionId, d.reductionKept, d.reductionClosed, d.reductionIsShort])
          set(list, 0, 0n)
        for (const list of d.isReduced) list.fill(0n)
      }),
    'more kept than is held': () => unwound(-2n, undefined, (d) => set(d.reductionKept, 0, 4n)),
    'a reduction of another instrument': () =>
      unwound(-2n, undefined, (d) => set(d.reductionId, 0, 1025n)),
    "a reduction of another's balance": () =>
      unwound(-2n, undefined, (d) => {
        d.reductionChoice[0] = d.reductionChoice[0]?.map((_, i) =>
          i === slotOf(d, 17) ? 1n : 0n,
        ) as bigint[]
      }),
    'a reduction of two accounts': () =>
      unwound(-2n, undefined, (d) => {
        for (const i of [16, 17]) set(d.reductionChoice[0], slotOf(d, i), 1n)
      }),
    'a sign of 2': () => unwound(-2n, undefined, (d) => set(d.reductionIsShort, 0, 2n)),
    'a reduction nobody needs': () =>
      unwound(-2n, undefined, (d) => {
        d.reductionChoice[1] = [...(d.reductionChoice[0] as bigint[])]
      }),
    'numbers in an unused slot': () => unwound(-2n, undefined, (d) => set(d.reductionKept, 1, 5n)),
    // Two reductions of one balance with opposite signs: +10 kept, and 3 kept of 5 short: 5 before, 7 after.
    'a balance split into a long and a short part': () =>
      unwound(2n, undefined, (d) => {
        d.reductionChoice[1] = [...(d.reductionChoice[0] as bigint[])]
        ;[d.reductionId[0], d.reductionId[1]] = [1024n, 1024n]
        ;[d.reductionKept[0], d.reductionKept[1]] = [10n, 3n]
        ;[d.reductionClosed[0], d.reductionClosed[1]] = [0n, 2n]
        ;[d.reductionIsShort[0], d.reductionIsShort[1]] = [0n, 1n]
      }),
  }),
  ...against('CommitmentMustMatch', {
    'a reduction chosen after C': () => {
      const draft = unwound(-2n)
      set(draft.reductionKept, 1, 5n)
      d1(draft)
      return draft
    },
  }),
]

/** A second slot of the same account: fair in itself, so that only C speaks against it. */
function d1(draft: Draft): void {
  draft.reductionChoice[1] = [...(draft.reductionChoice[0] as bigint[])]
}
