/** Attacks on accounts, keys and the edges to L1: for each, the rule whose constraint refuses the witness. */
import { beforeAll, describe, expect, test } from 'vitest'
import { FIELD_MODULUS, QUANTITY_OFFSET } from '../../circuits/params.ts'
import { addBalance, genesisHead, type Account } from '../../circuits/account.ts'
import { BASE, eighthOf, signingKey, type Point } from '../../circuits/eddsa.ts'
import { inverse, mod } from '../../circuits/field.ts'
import { challengesOf } from '../../circuits/challenges.ts'
import { hash } from '../../circuits/poseidon.ts'
import { circuitNamed, type Circuit } from './circuit.ts'
import { forgedDraft } from './forge.ts'
import { inputOf, reseal, type Draft } from './reseal.ts'
import { House, randomField } from './house.ts'
import {
  afterDraft,
  coverDraft,
  expired,
  funded,
  MINI,
  ONE_FUTURE,
  paddingOf,
  registrationDraft,
  rotationDraft,
  slotOf,
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
const set = (list: bigint[] | undefined, i: number, value: bigint): void => {
  ;(list as bigint[])[i] = mod(value)
}
const a0 = (draft: Draft): number => slotOf(draft, 16)
const with1024 =
  (quantity: bigint) =>
  (account: Account, index: number): Account =>
    index === 16 ? addBalance(account, 1024, quantity) : account

/** A deposit to a new member of `amount` of `token`. */
function depositDraft(
  token: number,
  amount: bigint,
  change: (draft: Draft) => void = () => {},
): Draft {
  const house = new House()
  const a = house.join()
  return changed(
    forgedDraft(
      MINI,
      house,
      house.plan({ requests: [a.request], credits: [house.credit(a.member, token, amount)] }),
    ),
    change,
  )
}
/** A registration whose posted key is this point. */
function posted(key: Point): Draft {
  const house = new House()
  const { request } = house.join()
  return forgedDraft(MINI, house, house.plan({ requests: [{ ...request, key }] }))
}
function l1Rotation(change: (draft: Draft) => void = () => {}): Draft {
  const { house, a } = funded()
  const key = eighthOf(signingKey(new Uint8Array(32).fill(3)))
  const request = { kind: 'rotate', serial: 3n, account: a.index, key, viewKeyHash: 0n } as const
  return changed(forgedDraft(MINI, house, house.plan({ requests: [request] })), change)
}
/** The eight-torsion point of order 2, and the identity. */
const ORDER_TWO: Point = { x: 0n, y: FIELD_MODULUS - 1n }
const IDENTITY: Point = { x: 0n, y: 1n }

export const attacks: readonly (readonly [rule: string, name: string, make: () => Draft])[] = [
  [
    'LeafMustBeEmptyBeforeRegistration',
    'a registration of a leaf that is not empty',
    () => changed(registrationDraft(), (d) => set(d.isEmpty, a0(d), 0n)),
  ],
  [
    'LeafMustBeInTree',
    'a registration over an existing account, called empty',
    () => {
      const { house, a } = funded()
      const other = house.join(a.index)
      house.accounts.delete(a.index)
      return forgedDraft(MINI, house, house.plan({ requests: [other.request] }))
    },
  ],
  [
    'LeafMustBeEmptyBeforeRegistration',
    'a padding account with a signature',
    () => changed(tradeDraft(), (d) => set(d.isSigned, paddingOf(d), 1n)),
  ],
  [
    'LeafMustBeEmptyBeforeRegistration',
    'a padding account whose head makes a denominator zero',
    () =>
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
  ],
  [
    'LeafMustBeEmptyBeforeRegistration',
    'an account touched as padding',
    () => changed(coverDraft(), (d) => set(d.isEmpty, a0(d), 1n)),
  ],

  [
    'BalancesMustBeWellFormed',
    'cash of 2^55',
    () => afterDraft(funded(), (x, i) => (i === 16 ? { ...x, cash: QUANTITY_OFFSET } : x)),
  ],
  [
    'BalancesMustBeWellFormed',
    'a quantity of -2^55 - 1',
    () => afterDraft(traded(), with1024(-QUANTITY_OFFSET - 6n)),
  ],
  [
    'BalancesMustBeWellFormed',
    'an id with no quantity',
    () => changed(coverDraft(), (d) => set(d.newId[a0(d)], 5, 2000n)),
  ],
  [
    'BalancesMustBeWellFormed',
    'a quantity with no id',
    () => changed(coverDraft(), (d) => set(d.newQuantity[a0(d)], 5, 7n)),
  ],
  [
    'BalancesMustBeWellFormed',
    'ids that do not ascend',
    () =>
      changed(coverDraft(traded()), (d) => {
        const ids = d.newId[a0(d)]
        const quantities = d.newQuantity[a0(d)]
        ;[(ids as bigint[])[0], (ids as bigint[])[1]] = [1024n, 2n]
        ;[(quantities as bigint[])[1], (quantities as bigint[])[2]] = [5n, 1000n]
      }),
  ],
  [
    'BalancesMustBeWellFormed',
    'an instrument in two slots',
    () =>
      changed(coverDraft(traded()), (d) => {
        set(d.newId[a0(d)], 2, 1024n)
        set(d.newQuantity[a0(d)], 3, 2n)
        set(d.newQuantity[a0(d)], 2, 3n)
      }),
  ],
  [
    'BalancesMustBeWellFormed',
    'a gap between holdings',
    () =>
      changed(coverDraft(), (d) => {
        set(d.newId[a0(d)], 3, 2n)
        set(d.newQuantity[a0(d)], 4, 1000n)
        set(d.newId[a0(d)], 0, 0n)
        set(d.newQuantity[a0(d)], 1, 0n)
      }),
  ],
  [
    'BalancesMustBeWellFormed',
    'an id past its width, one lot less: the same word of the leaf',
    () =>
      changed(coverDraft(traded()), (d) => {
        set(d.newId[a0(d)], 1, 1024n + (1n << 28n))
        set(d.newQuantity[a0(d)], 2, 4n)
      }),
  ],
  [
    'BalancesMustBeWellFormed',
    'the same of an old balance',
    () =>
      changed(coverDraft(traded()), (d) => {
        set(d.oldId[a0(d)], 1, 1024n + (1n << 28n))
        set(d.oldQuantity[a0(d)], 2, 4n)
      }),
  ],
  [
    'BalancesMustBeWellFormed',
    'an old word split into ids that are no ids',
    () =>
      changed(coverDraft(), (d) => {
        set(d.oldId[a0(d)], 2, -(1n << 28n) * 9n - 5n * (1n << 84n))
        set(d.oldId[a0(d)], 3, 5n)
        set(d.oldQuantity[a0(d)], 3, 9n)
      }),
  ],
  [
    'BalancesMustBeWellFormed',
    'a holding in a padding account',
    () =>
      changed(coverDraft(), (d) => {
        set(d.newId[paddingOf(d)], 0, 2n)
        set(d.newQuantity[paddingOf(d)], 1, 5n)
      }),
  ],
  [
    'BalancesMustBeWellFormed',
    'cash minted in a padding account',
    () => changed(coverDraft(), (d) => set(d.newQuantity[paddingOf(d)], 0, 5n)),
  ],
  [
    'BalancesMustBeWellFormed',
    'a new account with an old balance',
    () => changed(registrationDraft(), (d) => set(d.oldQuantity[a0(d)], 0, 5n)),
  ],

  [
    'OwnerKeyMustChangeByRule',
    'a new owner key in cover',
    () => afterDraft(funded(), (x, i) => (i === 16 ? { ...x, ownerKeyHash: 5n } : x)),
  ],
  [
    'OwnerKeyMustChangeByRule',
    'an L1 rotation of an account with pages',
    () => {
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
  ],
  [
    'ViewKeyMustBeHeld',
    'a view key that does not open',
    () => changed(coverDraft(), (d) => set(d.viewKey, a0(d), 5n)),
  ],
  [
    'ViewKeyMustBeHeld',
    'a new view key in cover',
    () => {
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
  ],
  [
    'ViewKeyMustBeHeld',
    'another view key of the fee account',
    () =>
      changed(coverDraft(), (d) => {
        d.feeAccountViewKey = 5n
      }),
  ],
  [
    'RotationMustEndItsJournal',
    'a rotation to a view key that is not held',
    () => {
      const { house, b } = funded()
      house.rotate(b)
      return forgedDraft(
        MINI,
        house,
        house.plan({ viewKeys: new Map([...house.viewKeys, [b.index, 5n]]) }),
        { after: (x) => ({ ...x, viewKeyHash: hash('VIEW_KEY', [5n]) }) },
      )
    },
  ],
  [
    'HeadMustChangeByRule',
    'a new head in cover',
    () => afterDraft(funded(), (x, i) => (i === 16 ? { ...x, head: 5n } : x)),
  ],

  [
    'CipherMustMatchLeaf',
    'another ciphertext word',
    () => changed(coverDraft(), (d) => set(d.accountWord[1], 4, 5n)),
  ],
  [
    'CipherMustMatchLeaf',
    "another account's ciphertext",
    () =>
      changed(coverDraft(), (d) => {
        const other = (d.accountWord[2] as bigint[]).slice(2)
        d.accountWord[1] = [...(d.accountWord[1] as bigint[]).slice(0, 2), ...other]
      }),
  ],
  [
    'CipherMustMatchLeaf',
    'another leaf',
    () => changed(coverDraft(), (d) => set(d.accountWord[1], 1, 5n)),
  ],
  [
    'CipherMustMatchLeaf',
    'the salt of the batch before',
    () => {
      const scene = funded()
      const { house, a, b } = scene
      return forgedDraft(MINI, house, house.plan({ cover: [a.index, b.index] }), {
        step: (step) => ({ ...step, after: { ...step.after, salt: step.before?.salt ?? 0n } }),
      })
    },
  ],
  [
    'CipherMustMatchLeaf',
    'the salt and stream of another nonce',
    () => changed(coverDraft(), (d) => set(d.header, 13, randomField())),
  ],
  [
    'CipherMustMatchLeaf',
    'the salt and stream of the batch number before',
    () => changed(coverDraft(), (d) => set(d.header, 1, 1n)),
  ],
  [
    'CipherMustMatchLeaf',
    'another meta in cover',
    () => afterDraft(funded(), (x, i) => (i === 16 ? { ...x, meta: 5n } : x)),
  ],
  [
    'CipherMustMatchLeaf',
    'a leaf in the place of an empty one',
    () => changed(coverDraft(), (d) => set(d.accountWord[paddingOf(d) + 1], 1, 5n)),
  ],
  [
    'CipherMustMatchLeaf',
    "another word in the fee account's ciphertext",
    () => changed(coverDraft(), (d) => set(d.accountWord[0], 5, 5n)),
  ],
  [
    'CipherMustMatchLeaf',
    'a fee account that gains more than is charged',
    () => coverDraft(funded(), { fees: () => 1n }),
  ],
  [
    'CipherMustMatchLeaf',
    'a fee account that gains less than is charged',
    () => tradeDraft({}, { fees: () => 100n }),
  ],
  [
    'LeafMustBeInTree',
    'another old salt',
    () => changed(coverDraft(), (d) => set(d.oldSalt, a0(d), 5n)),
  ],
  [
    'LeafMustBeInTree',
    'another old meta, kept',
    () => {
      const scene = funded()
      const account = scene.house.accounts.get(16) as Account
      scene.house.accounts.set(16, { ...account, meta: 5n })
      return coverDraft(scene)
    },
  ],
  [
    'LeafMustBeInTree',
    'more old cash than the leaf holds, kept',
    () => {
      const scene = funded()
      const account = scene.house.accounts.get(16) as Account
      scene.house.accounts.set(16, { ...account, cash: account.cash + 1n })
      return coverDraft(scene)
    },
  ],

  [
    'AccountMustBeSolvent',
    'worth less than zero in some world',
    () => {
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
  ],
  [
    'AccountMustBeSolvent',
    'a hedged book flattened into a certain loss, called a rescue',
    () => {
      const { house, a, b } = funded()
      house.trade(a, b, [{ instrument: 1024, quantity: 300n, price: 50_000_000n }])
      return forgedDraft(MINI, house, house.plan(), {
        after: (x) => ({ ...x, cash: -1n, balances: [] }),
      })
    },
  ],
  [
    'AccountMustBeSolvent',
    'a rescue of 2',
    () => changed(coverDraft(), (d) => set(d.rescueChoice[0], a0(d), 2n)),
  ],
  [
    'AccountMustBeSolvent',
    'a difference of 2^109',
    () => changed(coverDraft(), (d) => set(d.difference[a0(d)], 0, 1n << 109n)),
  ],
  [
    'AccountMustBeSolvent',
    'a difference of p - 1',
    () => changed(coverDraft(), (d) => set(d.difference[a0(d)], 0, -1n)),
  ],

  [
    'DepositMustOpen',
    "another's deposit",
    () =>
      changed(registrationDraft(), (d) => {
        ;[d.depositChoice[0], d.depositChoice[1]] = [
          d.depositChoice[1] as bigint[],
          d.depositChoice[0] as bigint[],
        ]
      }),
  ],
  [
    'DepositMustOpen',
    'another secret',
    () => depositDraft(1, 5n, (d) => set(d.depositSecret, 0, 5n)),
  ],
  [
    'DepositMustOpen',
    'a deposit of nobody',
    () => depositDraft(1, 5n, (d) => set(d.depositChoice[0], a0(d), 0n)),
  ],
  [
    'DepositMustOpen',
    'a deposit of two',
    () =>
      depositDraft(1, 5n, (d) => {
        d.depositChoice[0] = [1n, 1n, 0n]
      }),
  ],
  [
    'DepositMustOpen',
    'an amount of 2^55',
    () => {
      const house = new House()
      const a = house.join()
      const plan = house.plan({
        requests: [a.request],
        credits: [house.credit(a.member, 1, 1n << 55n)],
      })
      return forgedDraft(MINI, house, plan, { after: (x) => ({ ...x, cash: 0n }) })
    },
  ],
  [
    'DepositMustOpen',
    'an amount of p - 100',
    () => depositDraft(1, 5n, (d) => set(d.depositWord[0], 3, -100n)),
  ],
  ['DepositMustOpen', 'a derivative deposited', () => depositDraft(1024, 5n)],
  [
    'DepositMustOpen',
    'an amount without a deposit',
    () => depositDraft(1, 5n, (d) => set(d.depositWord[1], 3, 5n)),
  ],
  ['WithdrawalMustMatchPage', 'a withdrawal of p - 100', () => withdrawalDraft(-100n)],
  [
    'WithdrawalMustMatchPage',
    'a withdrawal of 2^55',
    () => changed(withdrawalDraft(), (d) => set(d.withdrawalWord[0], 1, 1n << 55n)),
  ],
  [
    'WithdrawalMustMatchPage',
    'a derivative withdrawn',
    () => changed(withdrawalDraft(), (d) => set(d.withdrawalWord[0], 0, 1024n)),
  ],
  [
    'WithdrawalMustMatchPage',
    'a rescued account that withdraws',
    () => {
      const { house, a, b } = traded()
      house.rows = house.rows.map((row) => ({
        ...row,
        values: row.values.map((v) => (row.id === 1024 ? v - 5_000_000_000n : v)),
      }))
      house.withdraw(a, 1, 1n)
      return forgedDraft(
        MINI,
        house,
        house.plan({ cover: [b.index], credits: [house.credit(a, 1, 10n)] }),
      )
    },
  ],
  [
    'WithdrawalMustMatchPage',
    'an address in an unused slot',
    () => changed(coverDraft(), (d) => set(d.withdrawalWord[0], 2, 5n)),
  ],
  [
    'WithdrawalMustMatchPage',
    'a choice of 2 and -1',
    () =>
      changed(withdrawalDraft(), (d) => {
        d.withdrawalChoice[0] = [2n, FIELD_MODULUS - 1n, 0n]
      }),
  ],

  [
    'RequestMustBeServed',
    'a request left out',
    () =>
      changed(l1Rotation(), (d) => {
        d.requestChoice[0] = [0n, 0n, 0n]
      }),
  ],
  [
    'RequestMustBeServed',
    'a request served by another account',
    () =>
      changed(l1Rotation(), (d) => {
        const slot = a0(d)
        d.requestChoice[0] = d.requestChoice[0]?.map((_, i) =>
          i === (slot + 1) % 3 ? 1n : 0n,
        ) as bigint[]
      }),
  ],
  [
    'RequestMustBeServed',
    'another key than the one posted',
    () => {
      const { house, a } = funded()
      const key = eighthOf(signingKey(new Uint8Array(32).fill(3)))
      return forgedDraft(
        MINI,
        house,
        house.plan({
          requests: [{ kind: 'rotate', serial: 3n, account: a.index, key, viewKeyHash: 0n }],
        }),
        { after: (x) => ({ ...x, ownerKeyHash: 5n }) },
      )
    },
  ],
  [
    'RequestMustBeServed',
    'a registration with another view key',
    () => changed(registrationDraft(), (d) => set(d.requestWord[0], 4, 5n)),
  ],
  [
    'RequestMustBeServed',
    'a registration with another genesis head',
    () => {
      const house = new House()
      const { request } = house.join()
      return forgedDraft(MINI, house, house.plan({ requests: [request] }), {
        after: (x) => ({ ...x, head: genesisHead(1n, 16, x.ownerKeyHash) }),
      })
    },
  ],
  [
    'RequestMustBeServed',
    'a rotation called a forced exit',
    () => l1Rotation((d) => set(d.requestWord[0], 0, 3n + 24n)),
  ],
  [
    'RequestMustBeServed',
    'an amount paid by a rotation',
    () => l1Rotation((d) => set(d.requestWord[0], 5, 1n)),
  ],
  [
    'RequestMustBeServed',
    'a point in an unused request',
    () => l1Rotation((d) => set(d.requestWord[1], 2, 1n)),
  ],
  [
    'RequestMustBeServed',
    'a kind of 4',
    () => l1Rotation((d) => set(d.requestWord[0], 0, 4n + 24n)),
  ],
  [
    'RequestMustBeServed',
    'a serial of 2^64',
    () =>
      l1Rotation((d) => {
        set(d.requestSerial, 0, 1n << 64n)
        set(d.requestWord[0], 0, 2n + (1n << 67n))
      }),
  ],
  [
    'RequestMustBeServed',
    'a registration that no request asks for',
    () =>
      changed(registrationDraft(), (d) => {
        d.requestWord[1] = [0n, 0n, 0n, 0n, 0n, 0n]
        d.requestSerial[1] = 0n
        d.requestChoice[1] = [0n, 0n, 0n]
      }),
  ],
  [
    'KeyMustBeInSubgroup',
    'a point off the curve',
    () => changed(registrationDraft(), (d) => set(d.requestWord[0], 2, 5n)),
  ],
  ['KeyMustBeInSubgroup', 'the point of order two', () => posted(ORDER_TWO)],
  ['KeyMustBeInSubgroup', 'the identity', () => posted(IDENTITY)],
  [
    'KeyMustBeInSubgroup',
    'a rotation page to a point off the curve',
    () => changed(rotationDraft(), (d) => set(d.rotationX, 0, 5n)),
  ],
  [
    'KeyMustBeInSubgroup',
    'a rotation page to the point of order two',
    () =>
      changed(rotationDraft(), (d) => {
        set(d.rotationX, 0, 0n)
        set(d.rotationY, 0, -1n)
      }),
  ],
]

describe('attacks on accounts, keys and edges', () => {
  test.each(attacks)(
    '%s: %s',
    (rule, _name, make) => {
      expect(circuit.failedRule(inputOf(make()))?.split('/')).toContain(rule)
    },
    20_000,
  )
})

const fair: readonly (readonly [string, () => Draft])[] = [
  ['a registration with deposits', registrationDraft],
  ['cover', coverDraft],
  ['an L1 rotation', l1Rotation],
  ['a deposit of nothing', () => depositDraft(1, 0n)],
  ['a deposit of 2^55 - 1', () => depositDraft(1, QUANTITY_OFFSET - 1n)],
  ['settled balances', () => coverDraft(expired())],
  [
    'a deposit of token 1023',
    () => {
      const { house, b } = funded()
      house.rows = [
        house.rows[0] as never,
        { ...(house.rows[0] as never as object), id: 1023 } as never,
        ...house.rows.slice(1),
      ]
      return forgedDraft(MINI, house, house.plan({ credits: [house.credit(b, 1023, 7n)] }))
    },
  ],
  [
    'a key whose posted point has a torsion part: eight times it is installed',
    () => {
      const torsion: Point = { x: mod(-BASE.x), y: mod(-BASE.y) }
      return posted(torsion)
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
