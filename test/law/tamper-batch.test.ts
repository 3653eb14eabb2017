/** Attacks on words, tree, table and identities: for each, the rule whose constraint refuses the witness. */
import { beforeAll, describe, expect, test } from 'vitest'
import { addBalance, type Account } from '../../circuits/account.ts'
import { NODE_POSITION_BITS } from '../../circuits/params.ts'
import { challengesOf } from '../../circuits/challenges.ts'
import { inverse, mod } from '../../circuits/field.ts'
import { hash } from '../../circuits/poseidon.ts'
import { settledRow } from '../../circuits/table.ts'
import { evaluateWords } from '../../circuits/words.ts'
import { circuitNamed, type Circuit } from './circuit.ts'
import { forgedDraft, type Forgery } from './forge.ts'
import { inputOf, reseal, resum, wordsOf, type Draft } from './reseal.ts'
import { randomField } from './house.ts'
import {
  afterDraft,
  coverDraft,
  expired,
  funded,
  MINI,
  ONE_FUTURE,
  registrationDraft,
  rotationDraft,
  settle,
  slotOf,
  sunk,
  tradeDraft,
  traded,
  withdrawalDraft,
} from './scenes.ts'

let circuit: Circuit
beforeAll(async () => {
  circuit = await circuitNamed('mini')
}, 120_000)

const changed = (draft: Draft, change: (draft: Draft) => void): Draft => {
  change(draft)
  return reseal(draft)
}
/** A change after C was fixed. */
const late = (draft: Draft, change: (draft: Draft) => void): Draft => {
  change(draft)
  return draft
}
const set = (list: bigint[] | undefined, i: number, value: bigint): void => {
  ;(list as bigint[])[i] = mod(value)
}
const a0 = (draft: Draft): number => slotOf(draft, 16)
const only =
  (index: number, change: (account: Account) => Account) =>
  (account: Account, at: number): Account =>
    at === index ? change(account) : account

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
/** Account 16 has lost more than it has; cover of it is a rescue. */
function sunkDraft(forgery: Forgery = {}): Draft {
  return coverDraft(sunk(), forgery)
}
const ROW_LISTS = ['rowIsUsed', 'rowId', 'rowStatus', 'rowAddOn', 'rowPlace', 'rowValue'] as const
function copyRow(draft: Draft, from: number, to: number): void {
  for (const name of ROW_LISTS) (draft[name] as unknown[])[to] = draft[name][from]
}
function swapRows(draft: Draft, i: number, j: number): void {
  for (const name of ROW_LISTS) {
    const list = draft[name] as unknown[]
    ;[list[i], list[j]] = [list[j], list[i]]
  }
}
/** The future has settled; of the five lots of account 16 this many are converted, the rest kept. */
function partlyConverted(kept: bigint): Draft {
  const { house, a, b } = expired()
  return forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index] }), {
    after: only(a.index, (x) =>
      addBalance({ ...x, cash: x.cash - kept * 60_000_000n }, 1024, kept),
    ),
    step: (step) =>
      step.index === a.index
        ? { ...step, conversionCash: step.conversionCash - kept * 60_000_000n }
        : step,
  })
}
function unconverted(): Draft {
  const { house, a, b } = expired()
  return forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index] }), {
    converts: () => false,
  })
}

export const attacks: readonly (readonly [rule: string, name: string, make: () => Draft])[] = [
  ['ModeMustBeKnown', 'a mode of 2', () => changed(coverDraft(), (d) => set(d.header, 3, 2n))],
  ['ModeMustBeKnown', 'a reserved word', () => changed(coverDraft(), (d) => set(d.header, 14, 1n))],
  [
    'ModeMustBeKnown',
    'the other reserved word',
    () => changed(coverDraft(), (d) => set(d.header, 15, 1n)),
  ],
  [
    'ModeMustBeKnown',
    'a time of 2^38',
    () => changed(coverDraft(), (d) => set(d.header, 2, 1n << 38n)),
  ],
  ['ModeMustBeKnown', 'a time of p - 1', () => changed(coverDraft(), (d) => set(d.header, 2, -1n))],
  [
    'ModeMustBeKnown',
    'a fee of 2^40',
    () => changed(coverDraft(), (d) => set(d.header, 10, 1n << 40n)),
  ],
  [
    'CountMustFollowRegistrations',
    'a count of one more',
    () => changed(registrationDraft(), (d) => set(d.header, 12, (d.header[12] as bigint) + 1n)),
  ],
  [
    'CountMustFollowRegistrations',
    'a count that stays',
    () => changed(registrationDraft(), (d) => set(d.header, 12, d.header[11] as bigint)),
  ],

  [
    'AccountsMustAscend',
    'the fee account elsewhere',
    () => changed(coverDraft(), (d) => set(d.accountWord[0], 0, 1n)),
  ],
  [
    'AccountsMustAscend',
    'an account twice',
    () => {
      const draft = coverDraft()
      for (const list of [
        draft.oldId,
        draft.oldQuantity,
        draft.newId,
        draft.newQuantity,
      ] as unknown[][])
        list[1] = list[0]
      for (const [name, value] of Object.entries(draft)) {
        if (Array.isArray(value) && value.length === 3 && name !== 'child')
          (value as unknown[])[1] = value[0]
      }
      draft.accountWord[2] = draft.accountWord[1] as bigint[]
      return reseal(draft)
    },
  ],
  [
    'AccountsMustAscend',
    'accounts in another order',
    () => {
      const draft = coverDraft()
      const swap = (list: unknown[], i: number): void => {
        ;[list[i], list[i + 1]] = [list[i + 1], list[i]]
      }
      for (const [name, value] of Object.entries(draft)) {
        if (Array.isArray(value) && value.length === 3 && name !== 'child') swap(value, 0)
      }
      swap(draft.accountWord, 1)
      return reseal(draft)
    },
  ],

  [
    'LeafMustBeInTree',
    'another sibling of the leaf',
    () => late(coverDraft(), (d) => set(d.child[1]?.[0], 7, 5n)),
  ],
  [
    'LeafMustBeInTree',
    'a path of another account',
    () =>
      late(coverDraft(), (d) => {
        d.child[1] = d.child[3] as bigint[][]
      }),
  ],
  [
    'LeafMustBeInTree',
    'another node under the root',
    () => late(coverDraft(), (d) => set(d.topNode, 5, 5n)),
  ],
  [
    'LeafMustBeInTree',
    'another old root',
    () => changed(coverDraft(), (d) => set(d.header, 4, 5n)),
  ],
  [
    'LeafMustBeInTree',
    'another new root',
    () => changed(coverDraft(), (d) => set(d.header, 5, 5n)),
  ],
  [
    'LeafMustBeInTree',
    'a new root that leaves the accounts as they were',
    () => changed(coverDraft(), (d) => set(d.header, 5, d.header[4] as bigint)),
  ],

  [
    'RowMustBeInTable',
    'another value',
    () => late(coverDraft(), (d) => set(d.rowValue[0], 3, 9_000_000n)),
  ],
  ['RowMustBeInTable', 'another add-on', () => late(coverDraft(), (d) => set(d.rowAddOn, 0, 0n))],
  ['RowMustBeInTable', 'another status', () => late(coverDraft(), (d) => set(d.rowStatus, 0, 2n))],
  ['RowMustBeInTable', 'a status of 16', () => late(coverDraft(), (d) => set(d.rowStatus, 0, 16n))],
  [
    'RowMustBeInTable',
    'an add-on of 2^48',
    () => late(coverDraft(), (d) => set(d.rowAddOn, 0, 1n << 48n)),
  ],
  [
    'RowMustBeInTable',
    'the same row word split otherwise',
    () =>
      late(coverDraft(), (d) => {
        set(d.rowId, 0, 2n - (1n << 28n))
        set(d.rowStatus, 0, 2n)
      }),
  ],
  [
    'RowMustBeInTable',
    'another place',
    () => changed(coverDraft(), (d) => set(d.rowPlace[0], 0, 1n)),
  ],
  [
    'RowMustBeInTable',
    'a place in another node',
    () => changed(coverDraft(), (d) => set(d.nodePosition[0], 1, 1n)),
  ],
  [
    'RowMustBeInTable',
    'a place of 2',
    () => changed(coverDraft(), (d) => set(d.rowPlace[0], 0, 2n)),
  ],
  [
    'RowMustBeInTable',
    'a node position of 2',
    () => changed(coverDraft(), (d) => set(d.nodePosition[0], 0, 2n)),
  ],
  [
    'RowMustBeInTable',
    'a row of the table read from the register',
    () => changed(coverDraft(), (d) => set(d.nodePosition[0], NODE_POSITION_BITS - 1, 1n)),
  ],
  [
    'RowMustBeInTable',
    'a row that no table holds',
    () =>
      changed(coverDraft(), (d) => {
        set(d.rowValue[0], 1, 9_000_000n)
        d.nodeChild[0] = [
          hash('ROW', [2n + (1n << 28n) + (2n << 32n), ...(d.rowValue[0] as bigint[])]),
          ...(d.nodeChild[0] as bigint[]).slice(1),
        ]
      }),
  ],
  [
    'RowMustBeInTable',
    'another table root',
    () => changed(coverDraft(), (d) => set(d.header, 7, 5n)),
  ],
  [
    'RowMustBeInTable',
    'another node of the table',
    () => late(coverDraft(), (d) => set(d.tableNode, 0, 5n)),
  ],
  [
    'RowMustBeInTable',
    'another settlement root',
    () => changed(coverDraft(expired()), (d) => set(d.header, 9, 5n)),
  ],
  [
    'RowMustBeInTable',
    'another node of the register',
    () => late(coverDraft(expired()), (d) => set(d.settledNode[0], 0, 5n)),
  ],
  [
    'RowMustBeInTable',
    'another window',
    () => late(coverDraft(expired()), (d) => set(d.windowBit[0], 0, 1n)),
  ],
  [
    'RowMustBeInTable',
    'a third window',
    () => changed(coverDraft(expired()), (d) => set(d.nodePosition[1], NODE_POSITION_BITS - 2, 1n)),
  ],
  [
    'RowMustBeInTable',
    'a window bit of 2',
    () => late(coverDraft(expired()), (d) => set(d.windowBit[0], 0, 2n)),
  ],
  [
    'RowMustBeInTable',
    'an id in an unused row',
    () => late(coverDraft(), (d) => set(d.rowId, 3, 1024n)),
  ],
  [
    'RowMustBeInTable',
    'a row of another node beside one of this',
    () =>
      changed(coverDraft(), (d) => {
        set(d.rowIsUsed, 1, 1n)
        set(d.rowId, 1, 1024n)
      }),
  ],
  ['ConversionMustBeExact', 'cash from settled rows that are not used', () => mintedByUnusedRows()],
  [
    'RowMustBeInTable',
    'cash from settled rows that stand nowhere, called used',
    () => changed(mintedByUnusedRows(), (d) => set(d.rowIsUsed, 2, 1n)),
  ],
  ['RowsMustAscend', 'a row twice', () => changed(coverDraft(), (d) => copyRow(d, 0, 1))],
  [
    'RowsMustAscend',
    'a row twice, an unused one between',
    () => changed(coverDraft(), (d) => copyRow(d, 0, 2)),
  ],
  [
    'RowsMustAscend',
    'rows that descend',
    () => changed(coverDraft(traded()), (d) => swapRows(d, 0, 1)),
  ],

  [
    'BalanceMustFollowPages',
    'cash from nowhere',
    () =>
      afterDraft(
        funded(),
        only(16, (x) => ({ ...x, cash: x.cash + 1n })),
      ),
  ],
  [
    'BalanceMustFollowPages',
    'lots from nowhere',
    () =>
      afterDraft(
        traded(),
        only(16, (x) => addBalance(x, 1024, 1n)),
      ),
  ],
  [
    'BalanceMustFollowPages',
    "cash moved to another's account",
    () => afterDraft(funded(), (x, i) => ({ ...x, cash: x.cash + (i === 16 ? 5n : -5n) })),
  ],
  [
    'BalanceMustFollowPages',
    'lots turned into another instrument',
    () =>
      afterDraft(
        traded(),
        only(16, (x) => addBalance(addBalance(x, 1024, -1n), 1025, 1n)),
      ),
  ],
  [
    'BalanceMustFollowPages',
    'a deposit kept from its owner',
    () => {
      const { house, a } = funded()
      return forgedDraft(MINI, house, house.plan({ credits: [house.credit(a, 1, 1000n)] }), {
        after: (x) => ({ ...x, cash: x.cash - 1000n }),
      })
    },
  ],
  [
    'BalanceMustFollowPages',
    'a deposit credited to another account',
    () => {
      const { house, a, b } = funded()
      return forgedDraft(
        MINI,
        house,
        house.plan({ cover: [b.index], credits: [house.credit(a, 1, 1000n)] }),
        { after: (x, i) => ({ ...x, cash: x.cash + (i === b.index ? 1000n : -1000n) }) },
      )
    },
  ],
  [
    'BalanceMustFollowPages',
    'a fee higher than the public one',
    () => tradeDraft({}, { after: only(16, (x) => ({ ...x, cash: x.cash - 1n })) }),
  ],
  [
    'BalanceMustFollowPages',
    'a fee taken in a rescue',
    () => {
      const { house, a, b } = traded()
      house.rows = house.rows.map((row) => ({
        ...row,
        values: row.values.map((v) => (row.id === 1024 ? v - 5_000_000_000n : v)),
      }))
      house.trade(b, a, [])
      return forgedDraft(MINI, house, house.plan({ credits: [house.credit(a, 1, 500n)] }), {
        after: only(a.index, (x) => ({ ...x, cash: x.cash - 100n })),
      })
    },
  ],
  [
    'BalanceMustFollowPages',
    'a part only of a settled balance converted',
    () => partlyConverted(2n),
  ],
  ['InstrumentMustBeListed', 'a settled balance kept', unconverted],
  ['BalanceMustFollowPages', 'more converted than was held', () => partlyConverted(-2n)],
  [
    'InstrumentMustBeListed',
    'a live balance converted',
    () => {
      const { house, a, b } = traded()
      return forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index] }), {
        step: (step) => ({ ...step, convertedIds: new Set([1024]) }),
        after: (x) => ({ ...x, balances: x.balances.filter((held) => held.id !== 1024) }),
      })
    },
  ],
  [
    'InstrumentMustBeListed',
    'an instrument that stands in no row',
    () => {
      const { house, a, b } = funded()
      house.trade(a, b, [{ instrument: 5000, quantity: 1n, price: 0n }])
      return forgedDraft(MINI, house, house.plan())
    },
  ],
  [
    'InstrumentMustBeListed',
    'another sum of a row',
    () =>
      late(coverDraft(), (d) => {
        set(d.rowQuantity, 0, (d.rowQuantity[0] as bigint) + 1n)
        set(d.rowSize, 0, (d.rowSize[0] as bigint) + 1n)
      }),
  ],
  [
    'InstrumentMustBeListed',
    'a smaller size of a row',
    () => late(coverDraft(traded()), (d) => set(d.rowSize, 1, 0n)),
  ],
  [
    'TokenMustNotBeNegative',
    'a token owed',
    () => {
      const { house, a, b } = funded()
      house.trade(a, b, [{ instrument: 2, quantity: 5n, price: 1_000_000n }])
      return forgedDraft(MINI, house, house.plan())
    },
  ],
  [
    'WorthMustFollowTable',
    'worth claimed higher',
    () =>
      changed(coverDraft(), (d) =>
        set(d.difference[a0(d)], 4, (d.difference[a0(d)]?.[4] as bigint) + 1n),
      ),
  ],
  [
    'WorthMustFollowTable',
    'worth moved between accounts',
    () =>
      changed(coverDraft(), (d) => {
        set(d.difference[0], 4, (d.difference[0]?.[4] as bigint) + 1n)
        set(d.difference[1], 4, (d.difference[1]?.[4] as bigint) - 1n)
      }),
  ],
  [
    'WorthMustFollowTable',
    'worth moved between worlds',
    () =>
      changed(coverDraft(), (d) => {
        set(d.difference[0], 4, (d.difference[0]?.[4] as bigint) + 1n)
        set(d.difference[0], 5, (d.difference[0]?.[5] as bigint) - 1n)
      }),
  ],
  [
    'WorthMustFollowTable',
    'an old worth claimed lower',
    () =>
      changed(sunkDraft(), (d) => {
        const world = d.isWorse[0]?.indexOf(1n) as number
        set(d.oldWorth[0], world, (d.oldWorth[0]?.[world] as bigint) - 1n)
        set(d.difference[a0(d)], world, 1n)
      }),
  ],
  [
    'WorthMustFollowTable',
    'an old worth claimed lower where it is not used',
    () =>
      changed(sunkDraft(), (d) => {
        const world = d.isWorse[0]?.indexOf(0n) as number
        set(d.oldWorth[0], world, (d.oldWorth[0]?.[world] as bigint) - 1n)
      }),
  ],
  [
    'WorthMustFollowTable',
    'a world below zero and no rescue slot',
    () =>
      resum(
        changed(sunkDraft(), (d) => {
          d.rescueChoice[0] = [0n, 0n, 0n]
        }),
      ),
  ],
  [
    'WorthMustFollowTable',
    "another account's old worth",
    () =>
      resum(
        changed(sunkDraft(), (d) => {
          d.rescueChoice[0] = d.rescueChoice[0]?.map((_, i) =>
            i === slotOf(d, 17) ? 1n : 0n,
          ) as bigint[]
        }),
      ),
  ],
  [
    'AccountMustBeSolvent',
    'a world below zero, said as it is',
    () =>
      changed(sunkDraft(), (d) => {
        d.rescueChoice[0] = [0n, 0n, 0n]
        const world = d.isWorse[0]?.indexOf(1n) as number
        set(d.difference[a0(d)], world, d.oldWorth[0]?.[world] as bigint)
      }),
  ],
  [
    'AccountMustBeSolvent',
    'an account in two rescue slots: what is missing counts twice',
    () =>
      changed(sunkDraft(), (d) => {
        d.rescueChoice[1] = [...(d.rescueChoice[0] as bigint[])]
        d.isWorse[1] = [...(d.isWorse[0] as bigint[])]
        d.oldWorth[1] = [...(d.oldWorth[0] as bigint[])]
      }),
  ],
  [
    'AccountMustBeSolvent',
    'two accounts in one rescue slot',
    () =>
      changed(sunkDraft(), (d) => {
        d.rescueChoice[0] = [1n, 1n, 0n]
      }),
  ],
  [
    'AccountMustBeSolvent',
    'a rescue of 2 and -1',
    () =>
      changed(sunkDraft(), (d) => {
        d.rescueChoice[0] = [2n, mod(-1n), 0n]
      }),
  ],
  [
    'AccountMustBeSolvent',
    'a worse world by half',
    () => changed(sunkDraft(), (d) => set(d.isWorse[0], 0, inverse(2n))),
  ],
  [
    'WorthMustFollowTable',
    'tokens counted in the variation world',
    () =>
      changed(coverDraft(), (d) =>
        set(d.difference[a0(d)], 15, d.difference[a0(d)]?.[0] as bigint),
      ),
  ],
  [
    'ConversionMustBeExact',
    'more cash than a settled balance is worth',
    () => {
      const { house, a, b } = expired()
      return forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index] }), {
        after: only(a.index, (x) => ({ ...x, cash: x.cash + 1n })),
        step: (step) =>
          step.index === a.index ? { ...step, conversionCash: step.conversionCash + 1n } : step,
      })
    },
  ],
  [
    'ConversionMustBeExact',
    "one's conversion paid to the other",
    () => {
      const { house, a, b } = expired()
      return forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index] }), {
        after: (x, i) => ({ ...x, cash: x.cash + (i === a.index ? 1n : -1n) }),
        step: (step) => ({
          ...step,
          conversionCash: step.conversionCash + (step.index === a.index ? 1n : -1n),
        }),
      })
    },
  ],
  [
    'ConversionMustBeExact',
    'conversion cash without a settled balance',
    () =>
      coverDraft(funded(), {
        after: only(16, (x) => ({ ...x, cash: x.cash + 7n })),
        step: (step) => (step.index === 16 ? { ...step, conversionCash: 7n } : step),
      }),
  ],

  [
    'WordsMustMatchChallenge',
    'another y',
    () =>
      late(coverDraft(), (d) => {
        d.y = mod(d.y + 1n)
      }),
  ],
  [
    'WordsMustMatchChallenge',
    'words evaluated at another point',
    () =>
      late(coverDraft(), (d) => {
        d.y = evaluateWords(wordsOf(d), d.x + 1n)
      }),
  ],
  [
    'WordsMustMatchChallenge',
    'a request invented: L1 evaluates its own words',
    () => {
      const draft = registrationDraft()
      const honest = wordsOf(draft)
      honest[16 + 8] = 0n
      draft.y = evaluateWords(honest, draft.x)
      return draft
    },
  ],
]

/** Every private value that C binds, changed alone after C is fixed; all other rules would let it pass. */
export const bound: readonly (readonly [string, () => Draft])[] = [
  [
    'the salt of C',
    () =>
      late(coverDraft(), (d) => {
        d.commitmentSalt += 1n
      }),
  ],
  [
    'C',
    () =>
      late(coverDraft(), (d) => {
        d.C += 1n
      }),
  ],
  ['a word that only L1 knows', () => late(coverDraft(), (d) => set(d.header, 6, 5n))],
  ['the id of a deposit', () => late(registrationDraft(), (d) => set(d.depositWord[0], 0, 77n))],
  [
    'the stamp of a withdrawal',
    () => late(withdrawalDraft(), (d) => set(d.withdrawalStamp, 0, 5n)),
  ],
  ['a page: its price', () => late(tradeDraft(), (d) => set(d.price[0], 0, 5n))],
  ['a page: its maxFee', () => late(tradeDraft(), (d) => set(d.maxFee, 0, 500n))],
  ['a page: its head before', () => late(tradeDraft(), (d) => set(d.previousHead, 0, 5n))],
  [
    'which account withdraws',
    () =>
      late(withdrawalDraft(), (d) => {
        d.withdrawalChoice = [[0n, 1n, 0n]]
      }),
  ],
  [
    'a count of live pages',
    () => {
      const scene = funded()
      scene.house.fee = 0n
      return late(coverDraft(scene), (d) => set(d.liveCount, 0, 1n))
    },
  ],
  ['an old worth', () => late(coverDraft(), (d) => set(d.oldWorth[0], 3, 5n))],
  ['conversion cash', () => late(coverDraft(), (d) => set(d.conversionCash, 0, 5n))],
  ['a difference of worth', () => late(coverDraft(), (d) => set(d.difference[0], 3, 5n))],
  ['a rescue', () => late(coverDraft(), (d) => set(d.rescueChoice[0], 0, 1n))],
  ['a conversion', () => late(coverDraft(), (d) => set(d.isConverted[0], 16, 1n))],
  ['a reduction named', () => late(coverDraft(traded()), (d) => set(d.isReduced[0], 1, 1n))],
  ['a worse world', () => late(coverDraft(), (d) => set(d.isWorse[0], 2, 1n))],
  ['the place of an unused row', () => late(coverDraft(), (d) => set(d.rowPlace[3], 0, 1n))],
  [
    'the node of unused rows',
    () =>
      late(coverDraft(), (d) => {
        set(d.nodePosition[2], 0, 1n)
        d.nodeChild[2] = Array<bigint>(8).fill(0n)
      }),
  ],
  ['a signature where none is needed', () => signedCover()],
]
/** Cover of an account whose current head is signed: isSigned may be set, but not after C. */
function signedCover(): Draft {
  const { house, a, b } = funded()
  house.trade(a, b, ONE_FUTURE)
  const run = house.run(a)
  settle(house, house.plan())
  const draft = forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index] }))
  const slot = slotOf(draft, a.index)
  set(draft.signerX, slot, run.signer.x)
  set(draft.signerY, slot, run.signer.y)
  set(draft.signatureX, slot, run.signature.r.x)
  set(draft.signatureY, slot, run.signature.r.y)
  set(draft.signatureS, slot, run.signature.s)
  set(draft.isSigned, slot, 1n)
  return draft
}

describe('attacks on words, tree, table and identities', () => {
  test.each(attacks)(
    '%s: %s',
    (rule, _name, make) => {
      expect(circuit.failedRule(inputOf(make()))?.split('/')).toContain(rule)
    },
    20_000,
  )
  test.each(bound)(
    'CommitmentMustMatch: changed after C: %s',
    (_name, make) => {
      expect(circuit.failedRule(inputOf(make()))).toBe('CommitmentMustMatch')
    },
    20_000,
  )
})

describe('what is fair, to the edge, is accepted', () => {
  test.each([
    [
      'a fee of 2^40 - 1',
      (): Draft => {
        const { house, a, b } = funded()
        house.fee = (1n << 40n) - 1n
        return forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index] }))
      },
    ],
    ['a signature where none is needed', (): Draft => reseal(signedCover())],
    ['settled balances', (): Draft => coverDraft(expired())],
    ['sums per row as the test derives them', (): Draft => resum(coverDraft(traded()))],
    ['sums per row of converted and rescued balances', (): Draft => resum(coverDraft(expired()))],
    ['an account below zero that gets no worse', (): Draft => resum(sunkDraft())],
    [
      'the same in the other rescue slot',
      (): Draft =>
        changed(sunkDraft(), (d) => {
          d.rescueChoice.reverse()
          d.isWorse.reverse()
          d.oldWorth.reverse()
        }),
    ],
    [
      'an account called rescued that is not below zero',
      (): Draft =>
        resum(
          changed(coverDraft(traded()), (d) => {
            set(d.rescueChoice[0], a0(d), 1n)
            d.oldWorth[0] = [...(d.difference[a0(d)] as bigint[])]
          }),
        ),
    ],
    [
      'an unused row before a used one of the same node',
      (): Draft => resum(changed(coverDraft(), (d) => swapRows(d, 0, 1))),
    ],
    ['a rotation', (): Draft => rotationDraft()],
    [
      'cover while all may only reduce',
      (): Draft => changed(coverDraft(traded()), (d) => set(d.header, 3, 1n)),
    ],
    [
      'a settled value beside a row of the table',
      (): Draft => {
        const scene = traded()
        scene.house.settled = [settledRow(1024, 60_000_000n)]
        return coverDraft(scene)
      },
    ],
    [
      'another commitment salt',
      (): Draft =>
        changed(coverDraft(), (d) => {
          d.commitmentSalt = randomField()
        }),
    ],
  ])(
    '%s',
    (_name, make) => {
      expect(circuit.failedRule(inputOf(make()))).toBe(null)
    },
    20_000,
  )
})
