/** Attacks on what comes from L1 and goes to it: deposits, withdrawals, requests, keys that are posted. */
import { genesisHead } from '../../../circuits/account.ts'
import { eighthOf, signingKey, type Point } from '../../../circuits/eddsa.ts'
import { FIELD_MODULUS } from '../../../circuits/params.ts'
import { forgedDraft } from '../forge.ts'
import { House } from '../house.ts'
import type { Draft } from '../reseal.ts'
import {
  coverDraft,
  funded,
  MINI,
  registrationDraft,
  rotationDraft,
  traded,
  withdrawalDraft,
} from '../scenes.ts'
import { a0, against, changed, set, type Attack } from './attack.ts'

/** A deposit to a new member of `amount` of `token`. */
export function depositDraft(
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
export function posted(key: Point): Draft {
  const house = new House()
  const { request } = house.join()
  return forgedDraft(MINI, house, house.plan({ requests: [{ ...request, key }] }))
}

export function l1Rotation(change: (draft: Draft) => void = () => {}): Draft {
  const { house, a } = funded()
  const key = eighthOf(signingKey(new Uint8Array(32).fill(3)))
  const request = { kind: 'rotate', serial: 3n, account: a.index, key, viewKeyHash: 0n } as const
  return changed(forgedDraft(MINI, house, house.plan({ requests: [request] })), change)
}

/** The eight-torsion point of order 2, and the identity. */
const ORDER_TWO: Point = { x: 0n, y: FIELD_MODULUS - 1n }
const IDENTITY: Point = { x: 0n, y: 1n }

export const edges: readonly Attack[] = [
  ...against('DepositMustOpen', {
    "another's deposit": () =>
      changed(registrationDraft(), (d) => {
        ;[d.depositChoice[0], d.depositChoice[1]] = [
          d.depositChoice[1] as bigint[],
          d.depositChoice[0] as bigint[],
        ]
      }),
    'another secret': () => depositDraft(1, 5n, (d) => set(d.depositSecret, 0, 5n)),
    'a deposit of nobody': () => depositDraft(1, 5n, (d) => set(d.depositChoice[0], a0(d), 0n)),
    'a deposit of two': () =>
      depositDraft(1, 5n, (d) => {
        d.depositChoice[0] = [1n, 1n, 0n]
      }),
    'an amount of 2^55': () => {
      const house = new House()
      const a = house.join()
      const plan = house.plan({
        requests: [a.request],
        credits: [house.credit(a.member, 1, 1n << 55n)],
      })
      return forgedDraft(MINI, house, plan, { after: (x) => ({ ...x, cash: 0n }) })
    },
    'an amount of p - 100': () => depositDraft(1, 5n, (d) => set(d.depositWord[0], 3, -100n)),
    'a derivative deposited': () => depositDraft(1024, 5n),
    'an amount without a deposit': () => depositDraft(1, 5n, (d) => set(d.depositWord[1], 3, 5n)),
  }),
  ...against('WithdrawalMustMatchPage', {
    'a withdrawal of p - 100': () => withdrawalDraft(-100n),
    'a withdrawal of 2^55': () =>
      changed(withdrawalDraft(), (d) => set(d.withdrawalWord[0], 1, 1n << 55n)),
    'a derivative withdrawn': () =>
      changed(withdrawalDraft(), (d) => set(d.withdrawalWord[0], 0, 1024n)),
    'a rescued account that withdraws': () => {
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
    'an address in an unused slot': () =>
      changed(coverDraft(), (d) => set(d.withdrawalWord[0], 2, 5n)),
    'an amount in an unused slot': () =>
      changed(coverDraft(), (d) => set(d.withdrawalWord[0], 1, 5n)),
    'a choice of 2 and -1': () =>
      changed(withdrawalDraft(), (d) => {
        d.withdrawalChoice[0] = [2n, FIELD_MODULUS - 1n, 0n]
      }),
  }),

  ...against('RequestMustBeServed', {
    'a request left out': () =>
      changed(l1Rotation(), (d) => {
        d.requestChoice[0] = [0n, 0n, 0n]
      }),
    'a request served by another account': () =>
      changed(l1Rotation(), (d) => {
        const slot = a0(d)
        d.requestChoice[0] = d.requestChoice[0]?.map((_, i) =>
          i === (slot + 1) % 3 ? 1n : 0n,
        ) as bigint[]
      }),
    'another key than the one posted': () => {
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
    'a registration with another view key': () =>
      changed(registrationDraft(), (d) => set(d.requestWord[0], 4, 5n)),
    'a registration with another genesis head': () => {
      const house = new House()
      const { request } = house.join()
      return forgedDraft(MINI, house, house.plan({ requests: [request] }), {
        after: (x) => ({ ...x, head: genesisHead(1n, 16, x.ownerKeyHash) }),
      })
    },
    'a rotation called a forced exit': () => l1Rotation((d) => set(d.requestWord[0], 0, 3n + 24n)),
    'an amount paid by a rotation': () => l1Rotation((d) => set(d.requestWord[0], 5, 1n)),
    'a point in an unused request': () => l1Rotation((d) => set(d.requestWord[1], 2, 1n)),
    'a kind of 4': () => l1Rotation((d) => set(d.requestWord[0], 0, 4n + 24n)),
    'a serial of 2^64': () =>
      l1Rotation((d) => {
        set(d.requestSerial, 0, 1n << 64n)
        set(d.requestWord[0], 0, 2n + (1n << 67n))
      }),
    'a registration that no request asks for': () =>
      changed(registrationDraft(), (d) => {
        d.requestWord[1] = [0n, 0n, 0n, 0n, 0n, 0n]
        d.requestSerial[1] = 0n
        d.requestChoice[1] = [0n, 0n, 0n]
      }),
  }),
  ...against('KeyMustBeInSubgroup', {
    'a point off the curve': () =>
      changed(registrationDraft(), (d) => set(d.requestWord[0], 2, 5n)),
    'the point of order two': () => posted(ORDER_TWO),
    'the identity': () => posted(IDENTITY),
    'a rotation page to a point off the curve': () =>
      changed(rotationDraft(), (d) => set(d.rotationX, 0, 5n)),
    'a rotation page to the point of order two': () =>
      changed(rotationDraft(), (d) => {
        set(d.rotationX, 0, 0n)
        set(d.rotationY, 0, -1n)
      }),
  }),
]
