/** Attacks on the rows that a batch reads: those of the table and of the register of settlements. */
import { challengesOf } from '../../../circuits/challenges.ts'
import { mod } from '../../../circuits/field.ts'
import { NODE_POSITION_BITS } from '../../../circuits/params.ts'
import { hash } from '../../../circuits/poseidon.ts'
import { forgedDraft } from '../forge.ts'
import { reseal, type Draft } from '../reseal.ts'
import { coverDraft, expired, funded, MINI, traded } from '../scenes.ts'
import { a0, against, changed, late, only, set, type Attack } from './attack.ts'

/** Cash made of settled rows that are used by nobody; `used` is what a row must be to be believed. */
function mintedByUnusedRows(): Draft {
  const { house, a } = funded()
  const minted = 1_000_000_000_000n
  const draft = forgedDraft(MINI, house, house.plan({ cover: [a.index] }), {
    after: only(a.index, (x) => ({ ...x, cash: x.cash + minted })),
    step: (step) => ({ ...step, conversionCash: minted }),
  })
  // Rows 2 and 3 share a node slot, which opens an empty node of the register.
  set(draft.nodePosition[1], NODE_POSITION_BITS - 1, 1n)
  draft.nodeChild[1] = Array<bigint>(8).fill(0n)
  reseal(draft)
  const challenge = challengesOf(draft.x)
  const weight = (challenge[9] as bigint) ** BigInt(a0(draft) + 1)
  for (const [r, sign] of [
    [2, 1n],
    [3, -1n],
  ] as const) {
    set(draft.rowQuantity, r, sign)
    set(draft.rowSize, r, sign)
    if (sign === 1n) set(draft.rowValue[r], 0, mod(weight) * minted * (challenge[11] as bigint))
  }
  return draft
}

const ROW_LISTS = ['rowIsUsed', 'rowId', 'rowStatus', 'rowAddOn', 'rowPlace', 'rowValue'] as const

function copyRow(draft: Draft, from: number, to: number): void {
  for (const name of ROW_LISTS) (draft[name] as unknown[])[to] = draft[name][from]
}

export function swapRows(draft: Draft, i: number, j: number): void {
  for (const name of ROW_LISTS) {
    const list = draft[name] as unknown[]
    ;[list[i], list[j]] = [list[j], list[i]]
  }
}

export const rows: readonly Attack[] = [
  ...against('RowMustBeInTable', {
    'another value': () => late(coverDraft(), (d) => set(d.rowValue[0], 3, 9_000_000n)),
    'another add-on': () => late(coverDraft(), (d) => set(d.rowAddOn, 0, 0n)),
    'another status': () => late(coverDraft(), (d) => set(d.rowStatus, 0, 2n)),
    'a status of 16': () => late(coverDraft(), (d) => set(d.rowStatus, 0, 16n)),
    'an add-on of 2^48': () => late(coverDraft(), (d) => set(d.rowAddOn, 0, 1n << 48n)),
    'the same row word split otherwise': () =>
      late(coverDraft(), (d) => {
        set(d.rowId, 0, 2n - (1n << 28n))
        set(d.rowStatus, 0, 2n)
      }),
    'another place': () => changed(coverDraft(), (d) => set(d.rowPlace[0], 0, 1n)),
    'a place in another node': () => changed(coverDraft(), (d) => set(d.nodePosition[0], 1, 1n)),
    'a place of 2': () => changed(coverDraft(), (d) => set(d.rowPlace[0], 0, 2n)),
    'a node position of 2': () => changed(coverDraft(), (d) => set(d.nodePosition[0], 0, 2n)),
    'a row of the table read from the register': () =>
      changed(coverDraft(), (d) => set(d.nodePosition[0], NODE_POSITION_BITS - 1, 1n)),
    'a row that no table holds': () =>
      changed(coverDraft(), (d) => {
        set(d.rowValue[0], 1, 9_000_000n)
        d.nodeChild[0] = [
          hash('ROW', [2n + (1n << 28n) + (2n << 32n), ...(d.rowValue[0] as bigint[])]),
          ...(d.nodeChild[0] as bigint[]).slice(1),
        ]
      }),
    'another table root': () => changed(coverDraft(), (d) => set(d.header, 7, 5n)),
    'another node of the table': () => late(coverDraft(), (d) => set(d.tableNode, 0, 5n)),
    'another settlement root': () => changed(coverDraft(expired()), (d) => set(d.header, 9, 5n)),
    'another node of the register': () =>
      late(coverDraft(expired()), (d) => set(d.settledNode[0], 0, 5n)),
    'another window': () => late(coverDraft(expired()), (d) => set(d.windowBit[0], 0, 1n)),
    'a third window': () =>
      changed(coverDraft(expired()), (d) => set(d.nodePosition[1], NODE_POSITION_BITS - 2, 1n)),
    'a window bit of 2': () => late(coverDraft(expired()), (d) => set(d.windowBit[0], 0, 2n)),
    'an id in an unused row': () => late(coverDraft(), (d) => set(d.rowId, 3, 1024n)),
    'a row of another node beside one of this': () =>
      changed(coverDraft(), (d) => {
        set(d.rowIsUsed, 1, 1n)
        set(d.rowId, 1, 1024n)
      }),
  }),
  ...against('ConversionMustBeExact', {
    'cash from settled rows that are not used': () => mintedByUnusedRows(),
  }),
  ...against('RowMustBeInTable', {
    'cash from settled rows that stand nowhere, called used': () =>
      changed(mintedByUnusedRows(), (d) => set(d.rowIsUsed, 2, 1n)),
  }),
  ...against('RowsMustAscend', {
    'a row twice': () => changed(coverDraft(), (d) => copyRow(d, 0, 1)),
    'a row twice, an unused one between': () => changed(coverDraft(), (d) => copyRow(d, 0, 2)),
    'rows that descend': () => changed(coverDraft(traded()), (d) => swapRows(d, 0, 1)),
  }),
]
