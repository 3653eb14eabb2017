/** Attacks on what accounts hold and are worth: cash and lots, conversions, worlds below zero. */
import { addBalance } from '../../../circuits/account.ts'
import { inverse, mod } from '../../../circuits/field.ts'
import { forgedDraft, type Forgery } from '../forge.ts'
import { resum, type Draft } from '../reseal.ts'
import {
  afterDraft,
  coverDraft,
  expired,
  funded,
  MINI,
  slotOf,
  sunk,
  traded,
  tradeDraft,
} from '../scenes.ts'
import { a0, against, changed, late, only, set, type Attack } from './attack.ts'

/** Account 16 has lost more than it has; cover of it is a rescue. */
export function sunkDraft(forgery: Forgery = {}): Draft {
  return coverDraft(sunk(), forgery)
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

export const balances: readonly Attack[] = [
  ...against('BalanceMustFollowPages', {
    'cash from nowhere': () =>
      afterDraft(
        funded(),
        only(16, (x) => ({ ...x, cash: x.cash + 1n })),
      ),
    'lots from nowhere': () =>
      afterDraft(
        traded(),
        only(16, (x) => addBalance(x, 1024, 1n)),
      ),
    "cash moved to another's account": () =>
      afterDraft(funded(), (x, i) => ({ ...x, cash: x.cash + (i === 16 ? 5n : -5n) })),
    'lots turned into another instrument': () =>
      afterDraft(
        traded(),
        only(16, (x) => addBalance(addBalance(x, 1024, -1n), 1025, 1n)),
      ),
    'a deposit kept from its owner': () => {
      const { house, a } = funded()
      return forgedDraft(MINI, house, house.plan({ credits: [house.credit(a, 1, 1000n)] }), {
        after: (x) => ({ ...x, cash: x.cash - 1000n }),
      })
    },
    'a deposit credited to another account': () => {
      const { house, a, b } = funded()
      return forgedDraft(
        MINI,
        house,
        house.plan({ cover: [b.index], credits: [house.credit(a, 1, 1000n)] }),
        { after: (x, i) => ({ ...x, cash: x.cash + (i === b.index ? 1000n : -1000n) }) },
      )
    },
    'a fee higher than the public one': () =>
      tradeDraft({}, { after: only(16, (x) => ({ ...x, cash: x.cash - 1n })) }),
    'a fee taken in a rescue': () => {
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
    'a part only of a settled balance converted': () => partlyConverted(2n),
  }),
  ...against('InstrumentMustBeListed', {
    'a settled balance kept': unconverted,
  }),
  ...against('BalanceMustFollowPages', {
    'more converted than was held': () => partlyConverted(-2n),
  }),
  ...against('InstrumentMustBeListed', {
    'a live balance converted': () => {
      const { house, a, b } = traded()
      return forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index] }), {
        step: (step) => ({ ...step, convertedIds: new Set([1024]) }),
        after: (x) => ({ ...x, balances: x.balances.filter((held) => held.id !== 1024) }),
      })
    },
    'an instrument that stands in no row': () => {
      const { house, a, b } = funded()
      house.trade(a, b, [{ instrument: 5000, quantity: 1n, price: 0n }])
      return forgedDraft(MINI, house, house.plan())
    },
    'another sum of a row': () =>
      late(coverDraft(), (d) => {
        set(d.rowQuantity, 0, (d.rowQuantity[0] as bigint) + 1n)
        set(d.rowSize, 0, (d.rowSize[0] as bigint) + 1n)
      }),
    'a smaller size of a row': () => late(coverDraft(traded()), (d) => set(d.rowSize, 1, 0n)),
  }),
  ...against('TokenMustNotBeNegative', {
    'a token owed': () => {
      const { house, a, b } = funded()
      house.trade(a, b, [{ instrument: 2, quantity: 5n, price: 1_000_000n }])
      return forgedDraft(MINI, house, house.plan())
    },
  }),
  ...against('WorthMustFollowTable', {
    'worth claimed higher': () =>
      changed(coverDraft(), (d) =>
        set(d.difference[a0(d)], 4, (d.difference[a0(d)]?.[4] as bigint) + 1n),
      ),
    'worth moved between accounts': () =>
      changed(coverDraft(), (d) => {
        set(d.difference[0], 4, (d.difference[0]?.[4] as bigint) + 1n)
        set(d.difference[1], 4, (d.difference[1]?.[4] as bigint) - 1n)
      }),
    'worth moved between worlds': () =>
      changed(coverDraft(), (d) => {
        set(d.difference[0], 4, (d.difference[0]?.[4] as bigint) + 1n)
        set(d.difference[0], 5, (d.difference[0]?.[5] as bigint) - 1n)
      }),
    'an old worth claimed lower': () =>
      changed(sunkDraft(), (d) => {
        const world = d.isWorse[0]?.indexOf(1n) as number
        set(d.oldWorth[0], world, (d.oldWorth[0]?.[world] as bigint) - 1n)
        set(d.difference[a0(d)], world, 1n)
      }),
    'an old worth claimed lower where it is not used': () =>
      changed(sunkDraft(), (d) => {
        const world = d.isWorse[0]?.indexOf(0n) as number
        set(d.oldWorth[0], world, (d.oldWorth[0]?.[world] as bigint) - 1n)
      }),
    'a world below zero and no rescue slot': () =>
      resum(
        changed(sunkDraft(), (d) => {
          d.rescueChoice[0] = [0n, 0n, 0n]
        }),
      ),
    "another account's old worth": () =>
      resum(
        changed(sunkDraft(), (d) => {
          d.rescueChoice[0] = d.rescueChoice[0]?.map((_, i) =>
            i === slotOf(d, 17) ? 1n : 0n,
          ) as bigint[]
        }),
      ),
  }),
  ...against('AccountMustBeSolvent', {
    'a world below zero, said as it is': () =>
      changed(sunkDraft(), (d) => {
        d.rescueChoice[0] = [0n, 0n, 0n]
        const world = d.isWorse[0]?.indexOf(1n) as number
        set(d.difference[a0(d)], world, d.oldWorth[0]?.[world] as bigint)
      }),
    'an account in two rescue slots: what is missing counts twice': () =>
      changed(sunkDraft(), (d) => {
        d.rescueChoice[1] = [...(d.rescueChoice[0] as bigint[])]
        d.isWorse[1] = [...(d.isWorse[0] as bigint[])]
        d.oldWorth[1] = [...(d.oldWorth[0] as bigint[])]
      }),
    'two accounts in one rescue slot': () =>
      changed(sunkDraft(), (d) => {
        d.rescueChoice[0] = [1n, 1n, 0n]
      }),
    'a rescue of 2 and -1': () =>
      changed(sunkDraft(), (d) => {
        d.rescueChoice[0] = [2n, mod(-1n), 0n]
      }),
    'a worse world by half': () => changed(sunkDraft(), (d) => set(d.isWorse[0], 0, inverse(2n))),
  }),
  ...against('WorthMustFollowTable', {
    'tokens counted in the variation world': () =>
      changed(coverDraft(), (d) =>
        set(d.difference[a0(d)], 15, d.difference[a0(d)]?.[0] as bigint),
      ),
  }),
  ...against('ConversionMustBeExact', {
    'more cash than a settled balance is worth': () => {
      const { house, a, b } = expired()
      return forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index] }), {
        after: only(a.index, (x) => ({ ...x, cash: x.cash + 1n })),
        step: (step) =>
          step.index === a.index ? { ...step, conversionCash: step.conversionCash + 1n } : step,
      })
    },
    "one's conversion paid to the other": () => {
      const { house, a, b } = expired()
      return forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index] }), {
        after: (x, i) => ({ ...x, cash: x.cash + (i === a.index ? 1n : -1n) }),
        step: (step) => ({
          ...step,
          conversionCash: step.conversionCash + (step.index === a.index ? 1n : -1n),
        }),
      })
    },
    'conversion cash without a settled balance': () =>
      coverDraft(funded(), {
        after: only(16, (x) => ({ ...x, cash: x.cash + 7n })),
        step: (step) => (step.index === 16 ? { ...step, conversionCash: 7n } : step),
      }),
  }),
]
