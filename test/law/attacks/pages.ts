/** Attacks on pages by themselves and on what must match them: trades, payouts. */
import { inverse } from '../../../circuits/field.ts'
import { counterPage, type Page } from '../../../circuits/page.ts'
import { PAGE_LIFE_BITS } from '../../../circuits/params.ts'
import { forgedDraft } from '../forge.ts'
import { randomField } from '../house.ts'
import type { Draft } from '../reseal.ts'
import {
  funded,
  latestStamp,
  MINI,
  ONE_FUTURE,
  rotationDraft,
  slotOf,
  tradeDraft,
  withdrawalDraft,
} from '../scenes.ts'
import { against, changed, set, type Attack } from './attack.ts'

export const LIFE = 1n << BigInt(PAGE_LIFE_BITS)

/** Both pages of a trade with this stamp, called live or not. */
export function stamped(offset: bigint, isLive: boolean): Draft {
  const { house, a, b } = funded()
  house.trade(a, b, ONE_FUTURE, { stamp: latestStamp(house) + offset })
  return forgedDraft(MINI, house, house.plan(), { isLive: () => isLive })
}

/** A trade of a with b of which b's page is another one. */
function mismatched(over: (page: Page) => Partial<Page>): Draft {
  const { house, a, b } = funded()
  const [page] = house.trade(a, b, ONE_FUTURE)
  b.pending = [{ ...counterPage(page, page.maxFee), ...over(counterPage(page, page.maxFee)) }]
  return forgedDraft(MINI, house, house.plan())
}

/** Without the payout that its pages ask for. */
const unpaid = (draft: Draft): Draft =>
  changed(draft, (d) => {
    d.withdrawalWord = [[0n, 0n, 0n]]
    d.withdrawalStamp = [0n]
    d.withdrawalChoice = [[0n, 0n, 0n]]
  })

const onlyFirst = (): Draft => {
  const { house, a, b } = funded()
  house.trade(a, b, ONE_FUTURE)
  return forgedDraft(MINI, house, house.plan({ journals: new Map([[a.index, house.run(a)]]) }))
}

export const pages: readonly Attack[] = [
  ...against('PageMustBeWellFormed', {
    'a page both live and skipped': () => changed(tradeDraft(), (d) => set(d.isSkipped, 0, 1n)),
    'a flag of 2': () => changed(tradeDraft(), (d) => set(d.isLive, 0, 2n)),
    'a kind bit of -1': () => changed(tradeDraft(), (d) => set(d.kindBit[0], 0, -1n)),
    'a live page of kind 0': () => changed(tradeDraft(), (d) => set(d.kindBit[0], 0, 0n)),
    'a padding page with a kind': () => changed(tradeDraft(), (d) => set(d.kindBit[3], 0, 1n)),
    'an index of 2^18': () => changed(tradeDraft(), (d) => set(d.account, 0, 1n << 18n)),
    'a counterparty of p - 1': () => changed(tradeDraft(), (d) => set(d.counterparty, 0, -1n)),
    'the same terms word split otherwise: account + 2^18, counterparty - 1': () =>
      changed(tradeDraft(), (d) => {
        set(d.account, 0, (d.account[0] as bigint) + (1n << 18n))
        set(d.counterparty, 0, (d.counterparty[0] as bigint) - 1n)
      }),
  }),
  ...against('PaddingMustBeEmpty', {
    'a padding page with an entry': () => changed(tradeDraft(), (d) => set(d.quantity[3], 0, 5n)),
    'a signed page shown as padding': () =>
      changed(tradeDraft(), (d) => {
        set(d.isLive, 0, 0n)
        set(d.kindBit[0], 0, 0n)
      }),
    'a padding page of an account, its stamp making the terms word zero': () =>
      changed(tradeDraft(), (d) => {
        set(d.account, 3, 16n)
        set(d.stamp, 3, -64n * inverse(1n << 38n))
      }),
  }),
  ...against('StampMustBeLive', {
    'an expired page called live, its first expired moment': () => stamped(-LIFE, true),
    'a page stamped after the batch': () => stamped(1n, true),
    'a stamp of p - 1': () => changed(tradeDraft(), (d) => set(d.stamp, 0, -1n - (1n << 200n))),
  }),
  ...against('SkippedPageMustBeExpired', {
    'a live page withheld in its last live moment': () => stamped(1n - LIFE, false),
    'a fresh page withheld': () => stamped(0n, false),
  }),
  ...against('FeeMustBeWithinMaxFee', {
    'a fee of one more than the page allows': () => tradeDraft({ maxFee: 99n }),
    'a maxFee of p - 1': () => changed(tradeDraft(), (d) => set(d.maxFee, 0, -1n)),
    'a maxFee of 2^40 + fee': () => tradeDraft({ maxFee: (1n << 40n) + 100n }),
  }),
  ...against('CounterpartyMustDiffer', {
    "one's own index as counterparty": () => {
      const { house, a } = funded()
      house.trade(a, a, ONE_FUTURE)
      return forgedDraft(MINI, house, house.plan())
    },
  }),
  ...against('RotationMustMoveNothing', {
    'a rotation with an entry': () => changed(rotationDraft(), (d) => set(d.quantity[0], 0, 1n)),
  }),

  ...against('TradeMustMatch', {
    'one side only': onlyFirst,
    'one side only, with nothing moved': () => {
      const { house, a, b } = funded()
      house.trade(a, b, [])
      return forgedDraft(MINI, house, house.plan({ journals: new Map([[a.index, house.run(a)]]) }))
    },
    'another document': () => mismatched(() => ({ payload: randomField() })),
    'another stamp': () => mismatched((page) => ({ stamp: page.stamp - 1n })),
    'another quantity': () =>
      mismatched((page) => ({ entries: page.entries.map((e) => ({ ...e, quantity: -4n })) })),
    'another price': () =>
      mismatched((page) => ({ entries: page.entries.map((e) => ({ ...e, price: e.price + 1n })) })),
    'another instrument': () =>
      mismatched((page) => ({ entries: page.entries.map((e) => ({ ...e, instrument: 1025 })) })),
    'another kind with the same words': () => unpaid(mismatched(() => ({ kind: 'withdrawal' }))),
    "the operator's friend in the place of the counterparty": () => {
      const { house, a, b, c } = funded()
      const [page] = house.trade(a, b, ONE_FUTURE)
      b.pending = []
      c.pending = [{ ...counterPage(page, page.maxFee), account: c.index }]
      return forgedDraft(MINI, house, house.plan())
    },
    'a house account as counterparty of a trade': () => {
      const { house, a } = funded()
      house.trade(a, { ...a, index: 3, pending: [] }, ONE_FUTURE)
      return forgedDraft(MINI, house, house.plan())
    },
    'a withdrawal that pays nobody': () => unpaid(withdrawalDraft()),
    'a payout that nobody signed': () =>
      changed(tradeDraft(), (d) => {
        d.withdrawalWord = [[1n, 5n, 99n]]
        d.withdrawalStamp = [d.stamp[0] as bigint]
        set(d.withdrawalChoice[0], slotOf(d, 16), 1n)
      }),
    'a payout to another address': () =>
      changed(withdrawalDraft(), (d) => set(d.withdrawalWord[0], 2, 0xbadn)),
    'a payout of another amount': () =>
      changed(withdrawalDraft(), (d) => set(d.withdrawalWord[0], 1, 1_000_001n)),
    'a payout of another token': () =>
      changed(withdrawalDraft(), (d) => set(d.withdrawalWord[0], 0, 2n)),
    'a payout for another account': () => {
      const { house, a, b } = funded()
      house.withdraw(a, 1, 1_000_000n)
      const draft = forgedDraft(MINI, house, house.plan({ cover: [b.index] }))
      return changed(draft, (d) => {
        d.withdrawalChoice = [
          d.accountWord.slice(1).map((w) => (w[0] === BigInt(b.index) ? 1n : 0n)),
        ]
      })
    },
    'two withdrawals answered by one payout of the sum': () => {
      const { house, a } = funded()
      const page = house.withdraw(a, 1, 1_000_000n)
      a.pending.push({ ...page, maxFee: page.maxFee + 1n })
      const draft = forgedDraft({ ...MINI, withdrawals: 2 }, house, house.plan())
      return changed(draft, (d) => {
        d.withdrawalWord = [[1n, 2_000_000n, page.payload]]
        d.withdrawalStamp = [page.stamp]
        d.withdrawalChoice = d.withdrawalChoice.slice(0, 1)
      })
    },
  }),
]
