/** Attacks on pages, trades and journals: for each, the rule whose constraint refuses the witness. */
import { beforeAll, describe, expect, test } from 'vitest'
import { PAGE_LIFE_BITS } from '../../circuits/params.ts'
import { inverse, mod } from '../../circuits/field.ts'
import { counterPage, headAfter, type Page } from '../../circuits/page.ts'
import { rotationPayload, ownerKeyHash, viewKeyHash } from '../../circuits/account.ts'
import { eighthOf, sign, signingKey } from '../../circuits/eddsa.ts'
import { circuitNamed, type Circuit } from './circuit.ts'
import { forgedDraft } from './forge.ts'
import { inputOf, reseal, type Draft } from './reseal.ts'
import { randomField } from './house.ts'
import {
  funded,
  latestStamp,
  MINI,
  ONE_FUTURE,
  rotationDraft,
  settle,
  slotOf,
  tradeDraft,
  traded,
  withdrawalDraft,
} from './scenes.ts'

let circuit: Circuit
beforeAll(async () => {
  circuit = await circuitNamed('mini')
}, 120_000)

const ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041n
const LIFE = 1n << BigInt(PAGE_LIFE_BITS)
const changed = (draft: Draft, change: (draft: Draft) => void): Draft => {
  change(draft)
  return reseal(draft)
}
const set = (list: bigint[] | undefined, i: number, value: bigint): void => {
  ;(list as bigint[])[i] = mod(value)
}

/** Both pages of a trade with this stamp, called live or not. */
function stamped(offset: bigint, isLive: boolean): Draft {
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
/** Two trades of a with b, 4 pages; what is shown of them is up to the attack. */
function twoTrades(keep: (number: number) => boolean): Draft {
  const { house, a, b } = funded()
  house.trade(a, b, ONE_FUTURE)
  house.trade(a, b, [{ instrument: 1025, quantity: 3n, price: 2_000_000n }])
  return forgedDraft(MINI, house, house.plan(), {
    pages: (uses) => uses.filter((_, i) => keep(i % 2)),
  })
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

export const attacks: readonly (readonly [rule: string, name: string, make: () => Draft])[] = [
  [
    'PageMustBeWellFormed',
    'a page both live and skipped',
    () => changed(tradeDraft(), (d) => set(d.isSkipped, 0, 1n)),
  ],
  ['PageMustBeWellFormed', 'a flag of 2', () => changed(tradeDraft(), (d) => set(d.isLive, 0, 2n))],
  [
    'PageMustBeWellFormed',
    'a kind bit of -1',
    () => changed(tradeDraft(), (d) => set(d.kindBit[0], 0, -1n)),
  ],
  [
    'PageMustBeWellFormed',
    'a live page of kind 0',
    () => changed(tradeDraft(), (d) => set(d.kindBit[0], 0, 0n)),
  ],
  [
    'PageMustBeWellFormed',
    'a padding page with a kind',
    () => changed(tradeDraft(), (d) => set(d.kindBit[3], 0, 1n)),
  ],
  [
    'PageMustBeWellFormed',
    'an index of 2^18',
    () => changed(tradeDraft(), (d) => set(d.account, 0, 1n << 18n)),
  ],
  [
    'PageMustBeWellFormed',
    'a counterparty of p - 1',
    () => changed(tradeDraft(), (d) => set(d.counterparty, 0, -1n)),
  ],
  [
    'PageMustBeWellFormed',
    'the same terms word split otherwise: account + 2^18, counterparty - 1',
    () =>
      changed(tradeDraft(), (d) => {
        set(d.account, 0, (d.account[0] as bigint) + (1n << 18n))
        set(d.counterparty, 0, (d.counterparty[0] as bigint) - 1n)
      }),
  ],
  [
    'PaddingMustBeEmpty',
    'a padding page with an entry',
    () => changed(tradeDraft(), (d) => set(d.quantity[3], 0, 5n)),
  ],
  [
    'PaddingMustBeEmpty',
    'a signed page shown as padding',
    () =>
      changed(tradeDraft(), (d) => {
        set(d.isLive, 0, 0n)
        set(d.kindBit[0], 0, 0n)
      }),
  ],
  [
    'PaddingMustBeEmpty',
    'a padding page of an account, its stamp making the terms word zero',
    () =>
      changed(tradeDraft(), (d) => {
        set(d.account, 3, 16n)
        set(d.stamp, 3, -64n * inverse(1n << 38n))
      }),
  ],
  [
    'StampMustBeLive',
    'an expired page called live, its first expired moment',
    () => stamped(-LIFE, true),
  ],
  ['StampMustBeLive', 'a page stamped after the batch', () => stamped(1n, true)],
  [
    'StampMustBeLive',
    'a stamp of p - 1',
    () => changed(tradeDraft(), (d) => set(d.stamp, 0, -1n - (1n << 200n))),
  ],
  [
    'SkippedPageMustBeExpired',
    'a live page withheld in its last live moment',
    () => stamped(1n - LIFE, false),
  ],
  ['SkippedPageMustBeExpired', 'a fresh page withheld', () => stamped(0n, false)],
  [
    'FeeMustBeWithinMaxFee',
    'a fee of one more than the page allows',
    () => tradeDraft({ maxFee: 99n }),
  ],
  [
    'FeeMustBeWithinMaxFee',
    'a maxFee of p - 1',
    () => changed(tradeDraft(), (d) => set(d.maxFee, 0, -1n)),
  ],
  [
    'FeeMustBeWithinMaxFee',
    'a maxFee of 2^40 + fee',
    () => tradeDraft({ maxFee: (1n << 40n) + 100n }),
  ],
  [
    'CounterpartyMustDiffer',
    "one's own index as counterparty",
    () => {
      const { house, a } = funded()
      house.trade(a, a, ONE_FUTURE)
      return forgedDraft(MINI, house, house.plan())
    },
  ],
  [
    'RotationMustMoveNothing',
    'a rotation with an entry',
    () => changed(rotationDraft(), (d) => set(d.quantity[0], 0, 1n)),
  ],

  ['TradeMustMatch', 'one side only', onlyFirst],
  [
    'TradeMustMatch',
    'one side only, with nothing moved',
    () => {
      const { house, a, b } = funded()
      house.trade(a, b, [])
      return forgedDraft(MINI, house, house.plan({ journals: new Map([[a.index, house.run(a)]]) }))
    },
  ],
  ['TradeMustMatch', 'another document', () => mismatched(() => ({ payload: randomField() }))],
  ['TradeMustMatch', 'another stamp', () => mismatched((page) => ({ stamp: page.stamp - 1n }))],
  [
    'TradeMustMatch',
    'another quantity',
    () => mismatched((page) => ({ entries: page.entries.map((e) => ({ ...e, quantity: -4n })) })),
  ],
  [
    'TradeMustMatch',
    'another price',
    () =>
      mismatched((page) => ({ entries: page.entries.map((e) => ({ ...e, price: e.price + 1n })) })),
  ],
  [
    'TradeMustMatch',
    'another instrument',
    () =>
      mismatched((page) => ({ entries: page.entries.map((e) => ({ ...e, instrument: 1025 })) })),
  ],
  [
    'TradeMustMatch',
    'another kind with the same words',
    () => unpaid(mismatched(() => ({ kind: 'withdrawal' }))),
  ],
  [
    'TradeMustMatch',
    "the operator's friend in the place of the counterparty",
    () => {
      const { house, a, b, c } = funded()
      const [page] = house.trade(a, b, ONE_FUTURE)
      b.pending = []
      c.pending = [{ ...counterPage(page, page.maxFee), account: c.index }]
      return forgedDraft(MINI, house, house.plan())
    },
  ],
  [
    'TradeMustMatch',
    'a house account as counterparty of a trade',
    () => {
      const { house, a } = funded()
      house.trade(a, { ...a, index: 3, pending: [] }, ONE_FUTURE)
      return forgedDraft(MINI, house, house.plan())
    },
  ],
  ['TradeMustMatch', 'a withdrawal that pays nobody', () => unpaid(withdrawalDraft())],
  [
    'TradeMustMatch',
    'a payout that nobody signed',
    () =>
      changed(tradeDraft(), (d) => {
        d.withdrawalWord = [[1n, 5n, 99n]]
        d.withdrawalStamp = [d.stamp[0] as bigint]
        set(d.withdrawalChoice[0], slotOf(d, 16), 1n)
      }),
  ],
  [
    'TradeMustMatch',
    'a payout to another address',
    () => changed(withdrawalDraft(), (d) => set(d.withdrawalWord[0], 2, 0xbadn)),
  ],
  [
    'TradeMustMatch',
    'a payout of another amount',
    () => changed(withdrawalDraft(), (d) => set(d.withdrawalWord[0], 1, 1_000_001n)),
  ],
  [
    'TradeMustMatch',
    'a payout of another token',
    () => changed(withdrawalDraft(), (d) => set(d.withdrawalWord[0], 0, 2n)),
  ],
  [
    'TradeMustMatch',
    'a payout for another account',
    () => {
      const { house, a, b } = funded()
      house.withdraw(a, 1, 1_000_000n)
      const draft = forgedDraft(MINI, house, house.plan({ cover: [b.index] }))
      return changed(draft, (d) => {
        d.withdrawalChoice = [
          d.accountWord.slice(1).map((w) => (w[0] === BigInt(b.index) ? 1n : 0n)),
        ]
      })
    },
  ],
  [
    'TradeMustMatch',
    'two withdrawals answered by one payout of the sum',
    () => {
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
  ],

  [
    'JournalMustContinue',
    'a live page left out before those that settle',
    () => twoTrades((n) => n === 1),
  ],
  ['SignatureMustMatch', 'a stop at a head that is not signed', () => twoTrades((n) => n === 0)],
  [
    'JournalMustContinue',
    'the same pages twice',
    () => {
      const { house, a, b } = funded()
      house.trade(a, b, ONE_FUTURE)
      return forgedDraft(MINI, house, house.plan(), { pages: (uses) => [...uses, ...uses] })
    },
  ],
  [
    'JournalMustContinue',
    'settled pages replayed under the signed head',
    () => {
      const { house, a, b } = funded()
      const genesis = [a, b].map((m) => house.accounts.get(m.index)?.head as bigint)
      const pages = house.trade(a, b, ONE_FUTURE)
      settle(house, house.plan())
      a.pending = []
      b.pending = []
      const journals = new Map([a, b].map((m) => [m.index, house.run(m)]))
      const heads = [a, b].map((m) => house.accounts.get(m.index)?.head as bigint)
      return forgedDraft(MINI, house, house.plan({ journals }), {
        pages: () =>
          pages.map((page, i) => ({
            page,
            previousHead: genesis[i] as bigint,
            head: heads[i] as bigint,
            isLive: true,
          })),
      })
    },
  ],
  [
    'JournalMustContinue',
    'a page of an account that is not touched',
    () => {
      const { house, a, b } = funded()
      house.trade(a, b, [])
      const genesis = house.accounts.get(b.index)?.head as bigint
      const page = b.pending[0] as Page
      return forgedDraft(
        MINI,
        house,
        house.plan({ journals: new Map([[a.index, house.run(a)]]) }),
        {
          pages: (uses) => [
            ...uses,
            { page, previousHead: genesis, head: headAfter(genesis, page), isLive: true },
          ],
        },
      )
    },
  ],
  [
    'PagesMustBeCounted',
    'live pages not counted, no fee paid',
    () =>
      tradeDraft(
        {},
        {
          step: (step) => ({ ...step, liveCount: 0 }),
          after: (account) => ({ ...account, cash: account.cash + 100n }),
          fees: () => 0n,
        },
      ),
  ],
  [
    'PagesMustBeCounted',
    "one's pages counted to the other",
    () => {
      const { house, a, b } = funded()
      house.trade(a, b, ONE_FUTURE)
      return forgedDraft(MINI, house, house.plan(), {
        step: (step) => ({ ...step, liveCount: step.index === a.index ? 0 : 2 }),
        after: (account, index) => ({
          ...account,
          cash: account.cash + (index === a.index ? 100n : -100n),
        }),
      })
    },
  ],

  [
    'SignatureMustMatch',
    'another S',
    () => changed(tradeDraft(), (d) => set(d.signatureS, 0, (d.signatureS[0] as bigint) + 1n)),
  ],
  [
    'SignatureMustMatch',
    'an S of 2^253',
    () => changed(tradeDraft(), (d) => set(d.signatureS, 0, 1n << 253n)),
  ],
  [
    'SignatureMustMatch',
    'another R',
    () =>
      changed(tradeDraft(), (d) => {
        set(d.signatureX, 0, d.signatureX[1] as bigint)
        set(d.signatureY, 0, d.signatureY[1] as bigint)
      }),
  ],
  [
    'SignatureMustMatch',
    'a signature by another key',
    () => {
      const { house, a, b } = funded()
      house.trade(a, b, ONE_FUTURE)
      const plan = house.plan()
      const thief = signingKey(new Uint8Array(32).fill(7))
      const run = house.run(a)
      const head = forgedDraft(MINI, house, plan).newHead[0] as bigint
      return forgedDraft(MINI, house, {
        ...plan,
        journals: new Map([
          [a.index, { ...run, signer: thief.publicKey, signature: sign(thief, head) }],
          [b.index, house.run(b)],
        ]),
      })
    },
  ],
  [
    'SignatureMustMatch',
    'a signature under the key that the page itself installs',
    () => {
      const { house, b } = funded()
      house.rotate(b)
      const next = b.rotation?.key ?? b.key
      const plan = house.plan()
      const head = forgedDraft(MINI, house, plan).newHead[
        slotOf(forgedDraft(MINI, house, plan), b.index)
      ] as bigint
      const run = { ...house.run(b), signer: next.publicKey, signature: sign(next, head) }
      return forgedDraft(MINI, house, { ...plan, journals: new Map([[b.index, run]]) })
    },
  ],

  [
    'RotationMustEndItsJournal',
    'pages after a rotation',
    () => {
      const { house, a, b } = funded()
      house.rotate(b)
      house.trade(a, b, ONE_FUTURE)
      return forgedDraft(MINI, house, house.plan())
    },
  ],
  [
    'RotationMustEndItsJournal',
    'a live rotation that changes nothing',
    () => {
      const { house, b } = funded()
      const before = house.accounts.get(b.index)
      house.rotate(b)
      return forgedDraft(MINI, house, house.plan({ viewKeys: house.viewKeys }), {
        after: (account) => ({
          ...account,
          ownerKeyHash: before?.ownerKeyHash ?? 0n,
          viewKeyHash: before?.viewKeyHash ?? 0n,
        }),
      })
    },
  ],
  [
    'RotationMustEndItsJournal',
    'keys that change without a page',
    () => {
      const { house, a, b } = funded()
      house.trade(a, b, ONE_FUTURE)
      const next = { key: eighthOf(signingKey(new Uint8Array(32).fill(9))), viewKey: 5n }
      const owner = ownerKeyHash(signingKey(new Uint8Array(32).fill(9)).publicKey)
      const plan = house.plan({
        journals: new Map([
          [a.index, house.run(a)],
          [b.index, { ...house.run(b), rotation: next }],
        ]),
        viewKeys: new Map([...house.viewKeys, [b.index, 5n]]),
      })
      return forgedDraft(MINI, house, plan, {
        after: (account, index) =>
          index === b.index
            ? { ...account, ownerKeyHash: owner, viewKeyHash: viewKeyHash(5n) }
            : account,
      })
    },
  ],
  [
    'RotationMustEndItsJournal',
    'other keys than the page names',
    () => {
      const { house, b } = funded()
      house.rotate(b)
      const thief = signingKey(new Uint8Array(32).fill(9))
      const run = {
        ...house.run(b),
        rotation: { key: eighthOf(thief), viewKey: b.rotation?.viewKey ?? 0n },
      }
      return forgedDraft(MINI, house, house.plan({ journals: new Map([[b.index, run]]) }))
    },
  ],
  [
    'RotationMustEndItsJournal',
    'the posted point itself in place of eight times it',
    () => {
      const { house, b } = funded()
      house.rotate(b)
      const raw = ownerKeyHash(eighthOf(b.rotation?.key ?? b.key))
      b.pending = [
        {
          ...(b.pending[0] as Page),
          payload: rotationPayload(raw, viewKeyHash(b.rotation?.viewKey ?? 0n)),
        },
      ]
      return forgedDraft(MINI, house, house.plan(), {
        after: (account) => ({ ...account, ownerKeyHash: raw }),
      })
    },
  ],
]

describe('attacks on pages, trades and journals', () => {
  test.each(attacks)(
    '%s: %s',
    (rule, _name, make) => {
      expect(circuit.failedRule(inputOf(make()))?.split('/')).toContain(rule)
    },
    20_000,
  )
})

const fair: readonly (readonly [string, () => Draft])[] = [
  ['a trade', tradeDraft],
  ['a withdrawal', withdrawalDraft],
  ['a rotation', rotationDraft],
  ['two trades', () => twoTrades(() => true)],
  [
    'a rotation to the keys held already',
    () => {
      const { house, b } = funded()
      b.rotation = { key: b.key, viewKey: b.viewKey }
      const { entries: _entries, ...stamped } = house.withdraw(b, 1, 1n)
      b.pending = [
        {
          ...stamped,
          kind: 'rotation',
          entries: [],
          payload: rotationPayload(ownerKeyHash(b.key.publicKey), viewKeyHash(b.viewKey)),
        },
      ]
      return forgedDraft(MINI, house, house.plan())
    },
  ],
  [
    'S + group order: the same point, and nothing is keyed on S',
    () => changed(tradeDraft(), (d) => set(d.signatureS, 0, (d.signatureS[0] as bigint) + ORDER)),
  ],
  ['a stamp in the first moment of the window', () => stamped(1n - LIFE, true)],
  ['a stamp in the last moment of the batch', () => stamped(0n, true)],
  ['a page skipped in its first expired moment', () => stamped(-LIFE, false)],
  ['a maxFee of exactly the fee', () => tradeDraft({ maxFee: 100n })],
  ['a maxFee of 2^40 - 1', () => tradeDraft({ maxFee: (1n << 40n) - 1n })],
  [
    'a batch after a trade',
    () => {
      const { house, a, b } = traded()
      house.trade(b, a, ONE_FUTURE)
      return forgedDraft(MINI, house, house.plan())
    },
  ],
]
describe('what is fair, to the edge, is accepted', () => {
  test.each(fair)(
    '%s',
    (_name, make) => {
      expect(circuit.failedRule(inputOf(make()))).toBe(null)
    },
    20_000,
  )
})
