/** Attacks on the words of a batch: header, order of accounts, tree, and what C and y bind. */
import { mod } from '../../../circuits/field.ts'
import { evaluateWords } from '../../../circuits/words.ts'
import { forgedDraft } from '../forge.ts'
import { reseal, wordsOf, type Draft } from '../reseal.ts'
import {
  coverDraft,
  funded,
  MINI,
  ONE_FUTURE,
  registrationDraft,
  settle,
  slotOf,
  traded,
  tradeDraft,
  withdrawalDraft,
} from '../scenes.ts'
import { against, changed, late, set, type Attack } from './attack.ts'

/** Header, order and tree. */
export const header: readonly Attack[] = [
  ...against('ModeMustBeKnown', {
    'a mode of 2': () => changed(coverDraft(), (d) => set(d.header, 3, 2n)),
    'a reserved word': () => changed(coverDraft(), (d) => set(d.header, 14, 1n)),
    'the other reserved word': () => changed(coverDraft(), (d) => set(d.header, 15, 1n)),
    'a time of 2^38': () => changed(coverDraft(), (d) => set(d.header, 2, 1n << 38n)),
    'a time of p - 1': () => changed(coverDraft(), (d) => set(d.header, 2, -1n)),
    'a fee of 2^40': () => changed(coverDraft(), (d) => set(d.header, 10, 1n << 40n)),
  }),
  ...against('CountMustFollowRegistrations', {
    'a count of one more': () =>
      changed(registrationDraft(), (d) => set(d.header, 12, (d.header[12] as bigint) + 1n)),
    'a count that stays': () =>
      changed(registrationDraft(), (d) => set(d.header, 12, d.header[11] as bigint)),
  }),

  ...against('AccountsMustAscend', {
    'the fee account elsewhere': () => changed(coverDraft(), (d) => set(d.accountWord[0], 0, 1n)),
    'an account twice': () => {
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
    'accounts in another order': () => {
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
  }),

  ...against('LeafMustBeInTree', {
    'another sibling of the leaf': () => late(coverDraft(), (d) => set(d.child[1]?.[0], 7, 5n)),
    'a path of another account': () =>
      late(coverDraft(), (d) => {
        d.child[1] = d.child[3] as bigint[][]
      }),
    'another node under the root': () => late(coverDraft(), (d) => set(d.topNode, 5, 5n)),
    'another old root': () => changed(coverDraft(), (d) => set(d.header, 4, 5n)),
    'another new root': () => changed(coverDraft(), (d) => set(d.header, 5, 5n)),
    'a new root that leaves the accounts as they were': () =>
      changed(coverDraft(), (d) => set(d.header, 5, d.header[4] as bigint)),
  }),
]

/** The words themselves. */
export const words: readonly Attack[] = [
  ...against('WordsMustMatchChallenge', {
    'another y': () =>
      late(coverDraft(), (d) => {
        d.y = mod(d.y + 1n)
      }),
    'words evaluated at another point': () =>
      late(coverDraft(), (d) => {
        d.y = evaluateWords(wordsOf(d), d.x + 1n)
      }),
    'a request invented: L1 evaluates its own words': () => {
      const draft = registrationDraft()
      const honest = wordsOf(draft)
      honest[16 + 8] = 0n
      draft.y = evaluateWords(honest, draft.x)
      return draft
    },
  }),
]

/** Every private value that C binds, changed alone after C is fixed; all other rules would let it pass. */
export const bound = against('CommitmentMustMatch', {
  'the salt of C': () =>
    late(coverDraft(), (d) => {
      d.commitmentSalt += 1n
    }),
  C: () =>
    late(coverDraft(), (d) => {
      d.C += 1n
    }),
  'a word that only L1 knows': () => late(coverDraft(), (d) => set(d.header, 6, 5n)),
  'the id of a deposit': () => late(registrationDraft(), (d) => set(d.depositWord[0], 0, 77n)),
  'the stamp of a withdrawal': () => late(withdrawalDraft(), (d) => set(d.withdrawalStamp, 0, 5n)),
  'a page: its price': () => late(tradeDraft(), (d) => set(d.price[0], 0, 5n)),
  'a page: its maxFee': () => late(tradeDraft(), (d) => set(d.maxFee, 0, 500n)),
  'a page: its head before': () => late(tradeDraft(), (d) => set(d.previousHead, 0, 5n)),
  'which account withdraws': () =>
    late(withdrawalDraft(), (d) => {
      d.withdrawalChoice = [[0n, 1n, 0n]]
    }),
  'a count of live pages': () => {
    const scene = funded()
    scene.house.fee = 0n
    return late(coverDraft(scene), (d) => set(d.liveCount, 0, 1n))
  },
  'an old worth': () => late(coverDraft(), (d) => set(d.oldWorth[0], 3, 5n)),
  'conversion cash': () => late(coverDraft(), (d) => set(d.conversionCash, 0, 5n)),
  'a difference of worth': () => late(coverDraft(), (d) => set(d.difference[0], 3, 5n)),
  'a rescue': () => late(coverDraft(), (d) => set(d.rescueChoice[0], 0, 1n)),
  'a conversion': () => late(coverDraft(), (d) => set(d.isConverted[0], 16, 1n)),
  'a reduction named': () => late(coverDraft(traded()), (d) => set(d.isReduced[0], 1, 1n)),
  'a worse world': () => late(coverDraft(), (d) => set(d.isWorse[0], 2, 1n)),
  'the place of an unused row': () => late(coverDraft(), (d) => set(d.rowPlace[3], 0, 1n)),
  'the node of unused rows': () =>
    late(coverDraft(), (d) => {
      set(d.nodePosition[2], 0, 1n)
      d.nodeChild[2] = Array<bigint>(8).fill(0n)
    }),
  'a signature where none is needed': () => signedCover(),
})

/** Cover of an account whose current head is signed: isSigned may be set, but not after C. */
export function signedCover(): Draft {
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
