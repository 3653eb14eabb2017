/** An account and its leaf: balances to words and back, salt, ciphertext. */
import {
  BALANCE_WORD_COUNT,
  CASH_ID,
  CIPHER_WORD_COUNT,
  INSTRUMENT_BITS,
  QUANTITY_OFFSET,
  SLOT_BITS,
  SLOT_COUNT,
  SLOTS_PER_WORD,
  STATUS,
} from './params.ts'
import { ENCODINGS } from './encodings.ts'
import { mod } from './field.ts'
import { hash, permute } from './poseidon.ts'
import type { Point } from './eddsa.ts'

/** A holding besides cash: instrument id and signed lots. */
export type Balance = { readonly id: number; readonly quantity: bigint }

export type Account = {
  readonly ownerKeyHash: bigint
  readonly viewKeyHash: bigint
  /** The journal's last settled head. */
  readonly head: bigint
  readonly meta: bigint
  /** In units of 1e-6 of the cash token's unit of account. May be negative if tokens cover it. */
  readonly cash: bigint
  /** Ascending ids, no zero quantities, at most SLOT_COUNT - 1. */
  readonly balances: readonly Balance[]
  readonly salt: bigint
}

export function ownerKeyHash(key: Point): bigint {
  return hash('OWNER_KEY', [1n, key.x, key.y])
}
export function viewKeyHash(viewKey: bigint): bigint {
  return hash('VIEW_KEY', [viewKey])
}
export function genesisHead(domain: bigint, index: number, ownerHash: bigint): bigint {
  return hash('GENESIS', [domain, BigInt(index), ownerHash])
}
export function rotationPayload(newOwnerKeyHash: bigint, newViewKeyHash: bigint): bigint {
  return hash('ROTATION', [newOwnerKeyHash, newViewKeyHash])
}
export function depositCommitment(index: number, secret: bigint): bigint {
  return hash('DEPOSIT', [BigInt(index), secret])
}

/** status ACTIVE since `time` (seconds). */
export function activeMeta(time: bigint): bigint {
  return BigInt(STATUS.active) + time * 8n
}

export function isInQuantityRange(quantity: bigint): boolean {
  return quantity >= -QUANTITY_OFFSET && quantity < QUANTITY_OFFSET
}

/** The balances of an account in slot order: SLOT_COUNT pairs, cash first, empties last. */
export function slotsOf(account: Pick<Account, 'cash' | 'balances'>): readonly Balance[] {
  const held: Balance[] = [{ id: CASH_ID, quantity: account.cash }, ...account.balances]
  while (held.length < SLOT_COUNT) held.push({ id: 0, quantity: 0n })
  return held
}

export function balanceWords(account: Pick<Account, 'cash' | 'balances'>): readonly bigint[] {
  const slots = slotsOf(account)
  return Array.from({ length: BALANCE_WORD_COUNT }, (_, w) =>
    slots
      .slice(SLOTS_PER_WORD * w, SLOTS_PER_WORD * (w + 1))
      .reduce(
        (sum, { id, quantity }, k) =>
          sum +
          ((BigInt(id) + ((quantity + QUANTITY_OFFSET) << BigInt(INSTRUMENT_BITS))) <<
            BigInt(SLOT_BITS * k)),
        0n,
      ),
  )
}

/** The inverse of balanceWords; throws on words that no account packs to. */
export function balancesFromWords(words: readonly bigint[]): Pick<Account, 'cash' | 'balances'> {
  const slots = words.flatMap((word) =>
    Array.from({ length: SLOTS_PER_WORD }, (_, k) => {
      const bits = (word >> BigInt(SLOT_BITS * k)) & ((1n << BigInt(SLOT_BITS)) - 1n)
      const id = Number(bits & ((1n << BigInt(INSTRUMENT_BITS)) - 1n))
      return { id, quantity: (bits >> BigInt(INSTRUMENT_BITS)) - QUANTITY_OFFSET }
    }),
  )
  const account = {
    cash: slots[0]?.quantity ?? 0n,
    balances: slots.slice(1).filter(({ id }) => id !== 0),
  }
  const again = balanceWords(account)
  if (again.some((word, i) => word !== words[i]))
    throw new Error('account: these words pack no balances')
  return account
}

/** The fee account as a house begins: no owner signs for it. `time` in seconds. */
export function feeAccountOf(viewKey: bigint, time: bigint): Account {
  return {
    ownerKeyHash: 0n,
    viewKeyHash: viewKeyHash(viewKey),
    head: 0n,
    meta: activeMeta(time),
    cash: 0n,
    balances: [],
    salt: saltOf(batchKey(viewKey, 0, 0n, 0n)),
  }
}

/** The batch, its witness and the ledger ask for the leaf of the same account, which never changes. */
const knownLeaves = new WeakMap<Account, bigint>()

export function leafHash(account: Account): bigint {
  const known = knownLeaves.get(account)
  if (known !== undefined) return known
  const leaf = hash('LEAF', [
    account.ownerKeyHash,
    account.viewKeyHash,
    account.head,
    account.meta,
    ...balanceWords(account),
    account.salt,
    0n,
    0n,
    0n,
  ])
  knownLeaves.set(account, leaf)
  return leaf
}

/** The key that opens one account in one batch. An auditor may be given it. */
export function batchKey(
  viewKey: bigint,
  index: number,
  batchNumber: bigint,
  batchNonce: bigint,
): bigint {
  return hash('BATCH_KEY', [viewKey, BigInt(index), batchNumber, batchNonce])
}
export function saltOf(key: bigint): bigint {
  return hash('SALT', [key])
}
function keystream(key: bigint): readonly bigint[] {
  const input = [key, ...Array<bigint>(CIPHER_WORD_COUNT - 1).fill(0n)]
  return permute(BigInt(ENCODINGS.KEYSTREAM.tag), input, CIPHER_WORD_COUNT + 1).slice(1)
}

/** CIPHER_WORD_COUNT words: head, meta and balance words under the keystream of the batch key. */
export function encryptAccount(account: Account, key: bigint): readonly bigint[] {
  const stream = keystream(key)
  return [account.head, account.meta, ...balanceWords(account)].map((word, i) =>
    mod(word + (stream[i] as bigint)),
  )
}

/** Opens a ciphertext; the caller compares leafHash with the leaf that L1 carries. */
export function decryptAccount(
  cipher: readonly bigint[],
  key: bigint,
  keyHashes: Pick<Account, 'ownerKeyHash' | 'viewKeyHash'>,
): Account {
  const stream = keystream(key)
  const [head, meta, ...words] = cipher.map((word, i) => mod(word - (stream[i] as bigint)))
  return {
    ownerKeyHash: keyHashes.ownerKeyHash,
    viewKeyHash: keyHashes.viewKeyHash,
    head: head ?? 0n,
    meta: meta ?? 0n,
    ...balancesFromWords(words),
    salt: saltOf(key),
  }
}

/** Balances after adding `change` lots of an instrument; zero balances disappear. */
export function addBalance<A extends Pick<Account, 'cash' | 'balances'>>(
  account: A,
  id: number,
  change: bigint,
): A {
  if (id === CASH_ID) return { ...account, cash: account.cash + change }
  const quantity = (account.balances.find((b) => b.id === id)?.quantity ?? 0n) + change
  const others = account.balances.filter((b) => b.id !== id)
  const balances =
    quantity === 0n ? others : [...others, { id, quantity }].sort((a, b) => a.id - b.id)
  return { ...account, balances }
}
