/** Attacks on what an account is: its leaf, its balances, its keys, its ciphertext, that it is solvent. */
import { addBalance, type Account } from '../../../circuits/account.ts'
import { challengesOf } from '../../../circuits/challenges.ts'
import { eighthOf, signingKey } from '../../../circuits/eddsa.ts'
import { inverse, mod } from '../../../circuits/field.ts'
import { QUANTITY_OFFSET } from '../../../circuits/params.ts'
import { hash } from '../../../circuits/poseidon.ts'
import { forgedDraft } from '../forge.ts'
import { randomField } from '../house.ts'
import {
  afterDraft,
  coverDraft,
  funded,
  MINI,
  ONE_FUTURE,
  paddingOf,
  registrationDraft,
  traded,
  tradeDraft,
} from '../scenes.ts'
import { a0, against, changed, set, type Attack } from './attack.ts'

const with1024 =
  (quantity: bigint) =>
  (account: Account, index: number): Account =>
    index === 16 ? addBalance(account, 1024, quantity) : account

export const accounts: readonly Attack[] = [
  ...against('LeafMustBeEmptyBeforeRegistration', {
    'a registration of a leaf that is not empty': () =>
      changed(registrationDraft(), (d) => set(d.isEmpty, a0(d), 0n)),
  }),
  ...against('LeafMustBeInTree', {
    'a registration over an existing account, called empty': () => {
      const { house, a } = funded()
      const other = house.join(a.index)
      house.accounts.delete(a.index)
      return forgedDraft(MINI, house, house.plan({ requests: [other.request] }))
    },
  }),
  ...against('LeafMustBeEmptyBeforeRegistration', {
    'a padding account with a signature': () =>
      changed(tradeDraft(), (d) => set(d.isSigned, paddingOf(d), 1n)),
    'a padding account whose head makes a denominator zero': () =>
      changed(tradeDraft(), (d) => {
        const slot = paddingOf(d)
        const [point, , , , , , , head] = challengesOf(d.x) as [
          bigint,
          bigint,
          bigint,
          bigint,
          bigint,
          bigint,
          bigint,
          bigint,
        ]
        const vanishing = mod((point - (d.accountWord[slot + 1]?.[0] ?? 0n)) * inverse(head))
        set(d.oldHead, slot, vanishing)
        set(d.newHead, slot, vanishing)
      }),
    'an account touched as padding': () => changed(coverDraft(), (d) => set(d.isEmpty, a0(d), 1n)),
  }),

  ...against('BalancesMustBeWellFormed', {
    'cash of 2^55': () =>
      afterDraft(funded(), (x, i) => (i === 16 ? { ...x, cash: QUANTITY_OFFSET } : x)),
    'a quantity of -2^55 - 1': () => afterDraft(traded(), with1024(-QUANTITY_OFFSET - 6n)),
    'an id with no quantity': () => changed(coverDraft(), (d) => set(d.newId[a0(d)], 5, 2000n)),
    'a quantity with no id': () => changed(coverDraft(), (d) => set(d.newQuantity[a0(d)], 5, 7n)),
    'ids that do not ascend': () =>
      changed(coverDraft(traded()), (d) => {
        const ids = d.newId[a0(d)]
        const quantities = d.newQuantity[a0(d)]
        ;[(ids as bigint[])[0], (ids as bigint[])[1]] = [1024n, 2n]
        ;[(quantities as bigint[])[1], (quantities as bigint[])[2]] = [5n, 1000n]
      }),
    'an instrument in two slots': () =>
      changed(coverDraft(traded()), (d) => {
        set(d.newId[a0(d)], 2, 1024n)
        set(d.newQuantity[a0(d)], 3, 2n)
        set(d.newQuantity[a0(d)], 2, 3n)
      }),
    'a gap between holdings': () =>
      changed(coverDraft(), (d) => {
        set(d.newId[a0(d)], 3, 2n)
        set(d.newQuantity[a0(d)], 4, 1000n)
        set(d.newId[a0(d)], 0, 0n)
        set(d.newQuantity[a0(d)], 1, 0n)
      }),
    'an id past its width, one lot less: the same word of the leaf': () =>
      changed(coverDraft(traded()), (d) => {
        set(d.newId[a0(d)], 1, 1024n + (1n << 28n))
        set(d.newQuantity[a0(d)], 2, 4n)
      }),
    'the same of an old balance': () =>
      changed(coverDraft(traded()), (d) => {
        set(d.oldId[a0(d)], 1, 1024n + (1n << 28n))
        set(d.oldQuantity[a0(d)], 2, 4n)
      }),
    'an old word split into ids that are no ids': () =>
      changed(coverDraft(), (d) => {
        set(d.oldId[a0(d)], 2, -(1n << 28n) * 9n - 5n * (1n << 84n))
        set(d.oldId[a0(d)], 3, 5n)
        set(d.oldQuantity[a0(d)], 3, 9n)
      }),
    'a holding in a padding account': () =>
      changed(coverDraft(), (d) => {
        set(d.newId[paddingOf(d)], 0, 2n)
        set(d.newQuantity[paddingOf(d)], 1, 5n)
      }),
    'cash minted in a padding account': () =>
      changed(coverDraft(), (d) => set(d.newQuantity[paddingOf(d)], 0, 5n)),
    'a new account with an old balance': () =>
      changed(registrationDraft(), (d) => set(d.oldQuantity[a0(d)], 0, 5n)),
  }),

  ...against('OwnerKeyMustChangeByRule', {
    'a new owner key in cover': () =>
      afterDraft(funded(), (x, i) => (i === 16 ? { ...x, ownerKeyHash: 5n } : x)),
    'an L1 rotation of an account with pages': () => {
      const { house, a, b } = funded()
      house.trade(a, b, ONE_FUTURE)
      const key = eighthOf(signingKey(new Uint8Array(32).fill(3)))
      return forgedDraft(
        MINI,
        house,
        house.plan({
          requests: [{ kind: 'rotate', serial: 3n, account: a.index, key, viewKeyHash: 0n }],
        }),
      )
    },
  }),
  ...against('ViewKeyMustBeHeld', {
    'a view key that does not open': () => changed(coverDraft(), (d) => set(d.viewKey, a0(d), 5n)),
    'a new view key in cover': () => {
      const { house, a, b } = funded()
      return forgedDraft(
        MINI,
        house,
        house.plan({
          cover: [a.index, b.index],
          viewKeys: new Map([...house.viewKeys, [a.index, 5n]]),
        }),
        { after: (x, i) => (i === a.index ? { ...x, viewKeyHash: hash('VIEW_KEY', [5n]) } : x) },
      )
    },
    'another view key of the fee account': () =>
      changed(coverDraft(), (d) => {
        d.feeAccountViewKey = 5n
      }),
  }),
  ...against('RotationMustEndItsJournal', {
    'a rotation to a view key that is not held': () => {
      const { house, b } = funded()
      house.rotate(b)
      return forgedDraft(
        MINI,
        house,
        house.plan({ viewKeys: new Map([...house.viewKeys, [b.index, 5n]]) }),
        { after: (x) => ({ ...x, viewKeyHash: hash('VIEW_KEY', [5n]) }) },
      )
    },
  }),
  ...against('HeadMustChangeByRule', {
    'a new head in cover': () =>
      afterDraft(funded(), (x, i) => (i === 16 ? { ...x, head: 5n } : x)),
  }),

  ...against('CipherMustMatchLeaf', {
    'another ciphertext word': () => changed(coverDraft(), (d) => set(d.accountWord[1], 4, 5n)),
    "another account's ciphertext": () =>
      changed(coverDraft(), (d) => {
        const other = (d.accountWord[2] as bigint[]).slice(2)
        d.accountWord[1] = [...(d.accountWord[1] as bigint[]).slice(0, 2), ...other]
      }),
    'another leaf': () => changed(coverDraft(), (d) => set(d.accountWord[1], 1, 5n)),
    'the salt of the batch before': () => {
      const scene = funded()
      const { house, a, b } = scene
      return forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index] }), {
        step: (step) => ({ ...step, after: { ...step.after, salt: step.before?.salt ?? 0n } }),
      })
    },
    'the salt and stream of another nonce': () =>
      changed(coverDraft(), (d) => set(d.header, 13, randomField())),
    'the salt and stream of the batch number before': () =>
      changed(coverDraft(), (d) => set(d.header, 1, 1n)),
    'another meta in cover': () =>
      afterDraft(funded(), (x, i) => (i === 16 ? { ...x, meta: 5n } : x)),
    'a leaf in the place of an empty one': () =>
      changed(coverDraft(), (d) => set(d.accountWord[paddingOf(d) + 1], 1, 5n)),
    "another word in the fee account's ciphertext": () =>
      changed(coverDraft(), (d) => set(d.accountWord[0], 5, 5n)),
    'a fee account that gains more than is charged': () => coverDraft(funded(), { fees: () => 1n }),
    'a fee account that gains less than is charged': () => tradeDraft({}, { fees: () => 100n }),
  }),
  ...against('LeafMustBeInTree', {
    'another old salt': () => changed(coverDraft(), (d) => set(d.oldSalt, a0(d), 5n)),
    'another old meta, kept': () => {
      const scene = funded()
      const account = scene.house.accounts.get(16) as Account
      scene.house.accounts.set(16, { ...account, meta: 5n })
      return coverDraft(scene)
    },
    'more old cash than the leaf holds, kept': () => {
      const scene = funded()
      const account = scene.house.accounts.get(16) as Account
      scene.house.accounts.set(16, { ...account, cash: account.cash + 1n })
      return coverDraft(scene)
    },
  }),

  ...against('AccountMustBeSolvent', {
    'worth less than zero in some world': () => {
      const { house, a, b } = funded()
      house.trade(a, b, [{ instrument: 1024, quantity: 2000n, price: 50_000_000n }])
      return forgedDraft(MINI, house, house.plan(), {
        after: (x) => ({ ...x, cash: x.cash - 200n }),
        fees: () => 200n,
        step: (s) => ({
          ...s,
          isRescue: false,
          isWorse: s.isWorse.map(() => false),
          difference: s.difference.map((d, w) =>
            s.isWorse[w] ? d + (s.oldWorth[w] as bigint) : d,
          ),
        }),
      })
    },
    'a hedged book flattened into a certain loss, called a rescue': () => {
      const { house, a, b } = funded()
      house.trade(a, b, [{ instrument: 1024, quantity: 300n, price: 50_000_000n }])
      return forgedDraft(MINI, house, house.plan(), {
        after: (x) => ({ ...x, cash: -1n, balances: [] }),
      })
    },
    'a rescue of 2': () => changed(coverDraft(), (d) => set(d.rescueChoice[0], a0(d), 2n)),
    'a difference of 2^109': () =>
      changed(coverDraft(), (d) => set(d.difference[a0(d)], 0, 1n << 109n)),
    'a difference of p - 1': () => changed(coverDraft(), (d) => set(d.difference[a0(d)], 0, -1n)),
  }),
]
