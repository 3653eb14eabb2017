/** Attacks on pages, trades and journals: for each, the rule whose constraint refuses the witness. */
import { describe } from 'vitest'
import { ownerKeyHash, rotationPayload, viewKeyHash } from '../../circuits/account.ts'
import { changed, set, type Fair } from './attacks/attack.ts'
import { journals, twoTrades } from './attacks/journals.ts'
import { LIFE, pages, stamped } from './attacks/pages.ts'
import { forgedDraft } from './forge.ts'
import { acceptEach, refuseEach, useMini } from './judge.ts'
import {
  funded,
  MINI,
  ONE_FUTURE,
  rotationDraft,
  traded,
  tradeDraft,
  withdrawalDraft,
} from './scenes.ts'

useMini()

const ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041n

describe('attacks on pages, trades and journals', () => {
  refuseEach([...pages, ...journals])
})

const fair: Fair = {
  'a trade': tradeDraft,
  'a withdrawal': withdrawalDraft,
  'a rotation': rotationDraft,
  'two trades': () => twoTrades(() => true),
  'a rotation to the keys held already': () => {
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
  'S + group order: the same point, and nothing is keyed on S': () =>
    changed(tradeDraft(), (d) => set(d.signatureS, 0, (d.signatureS[0] as bigint) + ORDER)),
  'a stamp in the first moment of the window': () => stamped(1n - LIFE, true),
  'a stamp in the last moment of the batch': () => stamped(0n, true),
  'a page skipped in its first expired moment': () => stamped(-LIFE, false),
  'a maxFee of exactly the fee': () => tradeDraft({ maxFee: 100n }),
  'a maxFee of 2^40 - 1': () => tradeDraft({ maxFee: (1n << 40n) - 1n }),
  'a batch after a trade': () => {
    const { house, a, b } = traded()
    house.trade(b, a, ONE_FUTURE)
    return forgedDraft(MINI, house, house.plan())
  },
}

describe('what is fair, to the edge, is accepted', () => {
  acceptEach(fair)
})
