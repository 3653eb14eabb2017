/** Writes the vectors of the law from the TypeScript twins. Run: npx tsx test/vectors/generate.ts */
import { writeFileSync } from 'node:fs'
import {
  activeMeta,
  balanceWords,
  batchKey,
  encryptAccount,
  leafHash,
  ownerKeyHash,
  saltOf,
  viewKeyHash,
  type Account,
} from '../../circuits/account.ts'
import { challengesOf } from '../../circuits/challenges.ts'
import { eighthOf, sign, signingKey, timesEight } from '../../circuits/eddsa.ts'
import { ENCODINGS } from '../../circuits/encodings.ts'
import { mod } from '../../circuits/field.ts'
import {
  ACCOUNT_UPPER_BOUND,
  FIELD_MODULUS,
  QUANTITY_OFFSET,
  SLOT_COUNT,
  TABLE_DEPTH,
  TABLE_NODE_COUNT,
  TABLE_ROW_COUNT,
} from '../../circuits/params.ts'
import { entriesOf, headAfter, PADDING, termsWord, type Page } from '../../circuits/page.ts'
import { hash, hashWithTag } from '../../circuits/poseidon.ts'
import { Tree } from '../../circuits/tree.ts'

const P = FIELD_MODULUS
/** Fixed field elements: a chain of hashes. */
const element = (i: number): bigint => hashWithTag(0n, [BigInt(i)])
const seed = (i: number): Uint8Array => new Uint8Array(32).fill(i)

const hashes = Object.entries(ENCODINGS).flatMap(([name, { tag }]) =>
  [1, 3, 16, 40].map((count) => {
    const words = Array.from(
      { length: count },
      (_, i) => [0n, 1n, P - 1n, element(i)][i % 4] as bigint,
    )
    return { name, tag, words, digest: hash(name as keyof typeof ENCODINGS, words) }
  }),
)

const page: Page = {
  kind: 'trade',
  account: 16,
  counterparty: 17,
  stamp: 1_584_000_000n << 20n,
  maxFee: 100n,
  payload: element(1),
  entries: [
    { instrument: 1024, quantity: 5n, price: 50_000_000n },
    { instrument: 1025, quantity: -7n, price: -3n },
  ],
}
const pages = [
  ['padding', 0n, PADDING],
  ['a trade', element(2), page],
  [
    'a withdrawal',
    element(3),
    {
      ...page,
      kind: 'withdrawal',
      counterparty: 0,
      payload: (1n << 160n) - 1n,
      entries: [{ instrument: 1, quantity: -1n, price: 0n }],
    },
  ],
  ['a rotation', element(4), { ...page, kind: 'rotation', counterparty: 0, entries: [] }],
  [
    'every field at its most',
    P - 1n,
    {
      kind: 'trade',
      account: ACCOUNT_UPPER_BOUND - 1,
      counterparty: ACCOUNT_UPPER_BOUND - 2,
      stamp: (1n << 58n) - 1n,
      maxFee: (1n << 40n) - 1n,
      payload: P - 1n,
      entries: Array(3).fill({ instrument: 2 ** 28 - 1, quantity: P - 1n, price: P - 1n }),
    },
  ],
].map(([name, previousHead, p]) => {
  const [previous, it] = [previousHead as bigint, p as Page]
  return {
    name,
    previousHead: previous,
    kind: it.kind,
    account: it.account,
    counterparty: it.counterparty,
    stamp: it.stamp,
    maxFee: it.maxFee,
    payload: it.payload,
    entries: entriesOf(it).map((e) => ({ ...e, quantity: mod(e.quantity), price: mod(e.price) })),
    terms: termsWord(it),
    head: headAfter(previous, it),
  }
})

const account: Account = {
  ownerKeyHash: ownerKeyHash(signingKey(seed(1)).publicKey),
  viewKeyHash: viewKeyHash(element(5)),
  head: element(6),
  meta: activeMeta(1_584_000_000n),
  cash: 10_000_000_000n,
  balances: [
    { id: 2, quantity: 1000n },
    { id: 1024, quantity: -5n },
  ],
  salt: element(7),
}
const full: Account = {
  ...account,
  cash: -QUANTITY_OFFSET,
  balances: Array.from({ length: SLOT_COUNT - 1 }, (_, i) => ({
    id: i === SLOT_COUNT - 2 ? 2 ** 28 - 1 : i + 2,
    quantity: i % 2 === 0 ? QUANTITY_OFFSET - 1n : -QUANTITY_OFFSET,
  })),
}
const leaves = [
  ['empty of balances', { ...account, cash: 0n, balances: [] }],
  ['a few', account],
  ['full, at every bound', full],
].map(([name, it]) => {
  const a = it as Account
  const key = batchKey(element(5), 16, 7n, element(8))
  return {
    name,
    account: a,
    words: balanceWords(a),
    leaf: leafHash(a),
    viewKey: element(5),
    index: 16,
    batchNumber: 7n,
    batchNonce: element(8),
    batchKey: key,
    salt: saltOf(key),
    cipher: encryptAccount(a, key),
  }
})

const signatures = [0n, 1n, P - 1n, element(9)].map((message, i) => {
  const key = signingKey(seed(i + 1))
  const eighth = eighthOf(key)
  return {
    seed: i + 1,
    message,
    publicKey: key.publicKey,
    eighth,
    installed: timesEight(eighth),
    ownerKeyHash: ownerKeyHash(key.publicKey),
    signature: sign(key, message),
  }
})
const rows = Array.from({ length: TABLE_ROW_COUNT }, (_, i) => element(100 + i))
const worlds = new Tree(TABLE_DEPTH, rows)
const misc = {
  challenges: { x: element(10), outputs: challengesOf(element(10)) },
  tableRoot: {
    nodes: Array.from({ length: TABLE_NODE_COUNT }, (_, i) => worlds.node(1, i)),
    root: worlds.root,
  },
}

const write = (name: string, value: unknown): void =>
  writeFileSync(
    new URL(`./${name}.json`, import.meta.url),
    JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? v.toString() : v), 1) + '\n',
  )
export const VECTORS = { hashes, pages, leaves, signatures, misc }
if (import.meta.filename === process.argv[1])
  for (const [name, value] of Object.entries(VECTORS)) write(name, value)
