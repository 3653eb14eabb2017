/** Attacks on journals: their order, the signature under a head, what is counted, rotations. */
import { ownerKeyHash, rotationPayload, viewKeyHash } from '../../../circuits/account.ts'
import { eighthOf, sign, signingKey } from '../../../circuits/eddsa.ts'
import { headAfter, type Page } from '../../../circuits/page.ts'
import { forgedDraft } from '../forge.ts'
import type { Draft } from '../reseal.ts'
import { funded, MINI, ONE_FUTURE, settle, slotOf, tradeDraft } from '../scenes.ts'
import { against, changed, set, type Attack } from './attack.ts'

/** Two trades of a with b, 4 pages; what is shown of them is up to the attack. */
export function twoTrades(keep: (number: number) => boolean): Draft {
  const { house, a, b } = funded()
  house.trade(a, b, ONE_FUTURE)
  house.trade(a, b, [{ instrument: 1025, quantity: 3n, price: 2_000_000n }])
  return forgedDraft(MINI, house, house.plan(), {
    pages: (uses) => uses.filter((_, i) => keep(i % 2)),
  })
}

export const journals: readonly Attack[] = [
  ...against('JournalMustContinue', {
    'a live page left out before those that settle': () => twoTrades((n) => n === 1),
  }),
  ...against('SignatureMustMatch', {
    'a stop at a head that is not signed': () => twoTrades((n) => n === 0),
  }),
  ...against('JournalMustContinue', {
    'the same pages twice': () => {
      const { house, a, b } = funded()
      house.trade(a, b, ONE_FUTURE)
      return forgedDraft(MINI, house, house.plan(), { pages: (uses) => [...uses, ...uses] })
    },
    'settled pages replayed under the signed head': () => {
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
    'a page of an account that is not touched': () => {
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
  }),
  ...against('PagesMustBeCounted', {
    'live pages not counted, no fee paid': () =>
      tradeDraft(
        {},
        {
          step: (step) => ({ ...step, liveCount: 0 }),
          after: (account) => ({ ...account, cash: account.cash + 100n }),
          fees: () => 0n,
        },
      ),
    "one's pages counted to the other": () => {
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
  }),

  ...against('SignatureMustMatch', {
    'another S': () =>
      changed(tradeDraft(), (d) => set(d.signatureS, 0, (d.signatureS[0] as bigint) + 1n)),
    'an S of 2^253': () => changed(tradeDraft(), (d) => set(d.signatureS, 0, 1n << 253n)),
    'another R': () =>
      changed(tradeDraft(), (d) => {
        set(d.signatureX, 0, d.signatureX[1] as bigint)
        set(d.signatureY, 0, d.signatureY[1] as bigint)
      }),
    'a signature by another key': () => {
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
    'a signature under the key that the page itself installs': () => {
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
  }),

  ...against('RotationMustEndItsJournal', {
    'pages after a rotation': () => {
      const { house, a, b } = funded()
      house.rotate(b)
      house.trade(a, b, ONE_FUTURE)
      return forgedDraft(MINI, house, house.plan())
    },
    'a live rotation that changes nothing': () => {
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
    'keys that change without a page': () => {
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
    'other keys than the page names': () => {
      const { house, b } = funded()
      house.rotate(b)
      const thief = signingKey(new Uint8Array(32).fill(9))
      const run = {
        ...house.run(b),
        rotation: { key: eighthOf(thief), viewKey: b.rotation?.viewKey ?? 0n },
      }
      return forgedDraft(MINI, house, house.plan({ journals: new Map([[b.index, run]]) }))
    },
    'the posted point itself in place of eight times it': () => {
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
  }),
]
