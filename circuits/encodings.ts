/** Every preimage of the protocol: name, domain tag and fields in order. docs/encodings.md is made from it. */

export type Encoding = {
  readonly tag: number
  readonly fields: readonly string[]
  readonly why: string
}

/**
 * The tag is the initial capacity of the Poseidon permutation, so it costs no constraint and no two
 * kinds of preimage can collide. More than 16 words are absorbed 16 at a time, the first output
 * taking the place of the capacity (an overwrite sponge of rate 16).
 */
export const ENCODINGS = {
  NODE: { tag: 1, fields: ['child[8]'], why: 'inner node of every 8-ary tree; an empty leaf is 0' },
  LEAF: {
    tag: 2,
    fields: [
      'ownerKeyHash',
      'viewKeyHash',
      'head',
      'meta',
      'balanceWord[SLOT_COUNT/3]',
      'salt',
      'auditorKeyHash = 0',
      'snapshotHash = 0',
      'spare = 0',
    ],
    why: 'an account; salted, so that a guessed balance cannot be checked',
  },
  PAGE: {
    tag: 3,
    fields: ['previousHead', 'terms', 'payload', '3 x (instrument, quantity, price)'],
    why: 'the next journal head; all that is agreed is inside',
  },
  GENESIS: {
    tag: 4,
    fields: ['domain', 'accountIndex', 'ownerKeyHash'],
    why: 'first journal head; domain fixes chain and contract, so nothing replays elsewhere',
  },
  OWNER_KEY: { tag: 5, fields: ['scheme = 1', 'x', 'y'], why: 'EdDSA-Poseidon key on BabyJubJub' },
  VIEW_KEY: { tag: 6, fields: ['viewKey'], why: 'binds the key that the operator must hold' },
  ROTATION: { tag: 7, fields: ['newOwnerKeyHash', 'newViewKeyHash'], why: 'payload of a rotation' },
  BATCH_KEY: {
    tag: 8,
    fields: ['viewKey', 'accountIndex', 'batchNumber', 'batchNonce'],
    why: 'opens one account in one batch and nothing else',
  },
  SALT: { tag: 9, fields: ['batchKey'], why: 'salt of the new leaf' },
  KEYSTREAM: {
    tag: 10,
    fields: ['batchKey', '0 ...'],
    why: 'outputs 1.. of one permutation (output 0, the capacity, stays hidden)',
  },
  DEPOSIT: { tag: 11, fields: ['accountIndex', 'secret'], why: 'hides whose deposit it is' },
  ROW: { tag: 12, fields: ['rowInfo', 'value[WORLD_COUNT-1]'], why: 'a row of the table' },
  SETTLED: {
    tag: 13,
    fields: ['rowInfo', 'value[WORLD_COUNT-1], all the settlement value'],
    why: 'an entry of the settlement register, in the form of a row',
  },
  TABLE: { tag: 14, fields: ['marksRoot', 'worldsRoot', 'flags'], why: 'what L1 keeps of a table' },
  MARK: { tag: 15, fields: ['instrument', 'mark', 'status'], why: 'a leaf of the marks tree' },
  COMMITMENT: {
    tag: 16,
    fields: ['random salt', 'public words', 'private words'],
    why: 'C: everything that must be fixed before the challenge',
  },
  CHALLENGE: { tag: 17, fields: ['x', '0 x 15'], why: 'its 17 outputs are the challenges' },
  SECOND_CHALLENGE: {
    tag: 18,
    fields: ['x', 'rowQuantity[ROWS]', 'rowSize[ROWS]'],
    why: 'fixes the sums per row before they are looked up',
  },
  DOCUMENT: {
    tag: 19,
    fields: ['two 128-bit halves of the SHA-256 of a document'],
    why: 'payload of a trade',
  },
} as const satisfies Record<string, Encoding>

export type EncodingName = keyof typeof ENCODINGS

/** Words that pack several fields, lowest bit first. */
export const PACKED_WORDS = {
  terms: 'kind 2 | account 18 | counterparty 18 | stamp 60 | zero 6 | maxFee 40',
  balanceWord: '3 x (instrument 28 | quantity + 2^55 : 56)',
  meta: 'status 3 | since 38 | liquidationStep 3',
  rowInfo: 'instrument 28 | status 4 | addOn 48',
  stamp: 'random 20 | seconds 38',
  requestWord0: 'kind 3 | serial',
} as const
