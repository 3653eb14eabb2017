/** The numbers of the law: every width, size and shape, declared once and generated into Circom and Solidity. */

/** The scalar field of BN254, in which every word of the protocol lives. */
export const FIELD_MODULUS =
  21888242871839275222246405745257275088548364400416034343698204186575808495617n

/** Balances per account, cash included. Three share a word. Change it here and nowhere else. */
export const SLOT_COUNT = Number(process.env.CLOISTER_SLOT_COUNT ?? 18)
/** Worlds per table. World 0 is the mark, the last is the variation world (tokens count nothing). */
export const WORLD_COUNT = Number(process.env.CLOISTER_WORLD_COUNT ?? 16)
/** Values that a table row carries: the variation world follows from the mark. */
export const ROW_VALUE_COUNT = WORLD_COUNT - 1
export const SLOTS_PER_WORD = 3
export const BALANCE_WORD_COUNT = SLOT_COUNT / SLOTS_PER_WORD

export const TREE_ARITY = 8
export const DIGIT_BITS = 3
/** 8^6 = 2^18 accounts. */
export const TREE_DEPTH = 6
export const INDEX_BITS = TREE_DEPTH * DIGIT_BITS
export const ACCOUNT_UPPER_BOUND = 1 << INDEX_BITS
/** Indices below this belong to the house (fee account, insurance fund, default fund). */
export const FIRST_MEMBER_INDEX = 16
export const FEE_ACCOUNT_INDEX = 0

/** A table is a tree of 8^3 leaves of which the first half, 256 rows, is used. */
export const TABLE_DEPTH = 3
export const TABLE_ROW_COUNT = 256
/** Nodes of eight rows each in a table. */
export const TABLE_NODE_COUNT = TABLE_ROW_COUNT / TREE_ARITY
/** The settlement register holds 8^6 values; a batch opens two windows of 8^2 of them. */
export const SETTLEMENT_DEPTH = 6
export const WINDOW_DEPTH = 2
export const WINDOW_COUNT = 2
/** Bits of the position of a node of eight rows: 5 for the node, 1 for table or register. */
export const NODE_POSITION_BITS = 6

export const INSTRUMENT_BITS = 28
export const CASH_ID = 1
/** Ids below this are tokens held by the vault; everything above is a derivative. */
export const TOKEN_BITS = 10
export const TOKEN_UPPER_BOUND = 1 << TOKEN_BITS
/** A balance q satisfies -2^55 <= q < 2^55 and is stored as q + 2^55. */
export const QUANTITY_BITS = 56
export const QUANTITY_OFFSET = 1n << 55n
export const SLOT_BITS = INSTRUMENT_BITS + QUANTITY_BITS
/** Amounts that cross a boundary (deposit, withdrawal) are below 2^55. */
export const AMOUNT_BITS = 55
export const FEE_BITS = 40
/** |value of a lot| < 2^48 micro-dollars; the oracle answers for it. */
export const VALUE_BITS = 48
/** 55 + 48 + log2(slots) bits for the sum of a world, one more for a difference of two. */
export const WORLD_BITS = 55 + VALUE_BITS + Math.ceil(Math.log2(SLOT_COUNT)) + 1
export const ADD_ON_BITS = 48
export const ROW_STATUS_BITS = 4

/** A stamp is seconds * 2^20 + random bits, so that the numbers of trades do not show. */
export const STAMP_RANDOM_BITS = 20
export const STAMP_BITS = 60
/** A page lives for 2^16 seconds (18.2 hours) from its stamp. */
export const PAGE_LIFE_SECONDS_BITS = 16
export const PAGE_LIFE_BITS = PAGE_LIFE_SECONDS_BITS + STAMP_RANDOM_BITS
/**
 * Between a call and the liquidation, by batch time: 22.2 hours. Batch time may lag by less than the life
 * of a page, so four hours are left by any clock. L1's callDelay must be longer by what a batch takes.
 */
export const CALL_SECONDS = (1 << PAGE_LIFE_SECONDS_BITS) + 4 * 3600
/** How far behind batch time a stamp may lie at all: 2^32 seconds. */
export const STAMP_AGE_BITS = 52
export const TIME_BITS = 38
export const ENTRY_COUNT = 3
export const MAX_FEE_SHIFT = 104
export const LIVE_COUNT_BITS = 10

export const CIPHER_WORD_COUNT = 2 + BALANCE_WORD_COUNT
export const RESERVED_LEAF_WORD_COUNT = 3

export type PageKind = 'padding' | 'trade' | 'withdrawal' | 'rotation'
export const PAGE_KIND = { padding: 0, trade: 1, withdrawal: 2, rotation: 3 } as const

export const REQUEST_KIND = { none: 0, register: 1, rotate: 2, forcedExit: 3 } as const
export const STATUS = { active: 1, called: 2, liquidating: 3, exiting: 4, closed: 5 } as const
export const STATUS_BITS = 3
/** status 3, since 38, liquidation step 3. */
export const META_BITS = 44
export const ROW_STATUS = { live: 1, expired: 2, settled: 3 } as const
export const MODE = { normal: 0, reduceOnly: 1 } as const

/** What one compiled circuit can hold. All shapes come from one template. */
export type Shape = {
  readonly name: string
  /** Page slots: a page is one side of one package of up to three legs. */
  readonly pages: number
  /** Member account slots; the fee account has a slot of its own besides. */
  readonly members: number
  readonly rows: number
  /** Rows that share the opening of a node of the table; divides rows. */
  readonly rowsPerNode: number
  readonly deposits: number
  readonly withdrawals: number
  readonly requests: number
  /** Rotation pages that one batch can carry. */
  readonly rotations: number
  /** Accounts that a batch may leave below zero in some world, if it makes none of them worse. */
  readonly rescues: number
  /** Forced exits that one batch can serve. */
  readonly forcedExits: number
  /** Balances of reduce-only accounts that one batch can change. */
  readonly reductions: number
  /** Accounts that one batch can make ACTIVE again. Each rescue slot can call one. */
  readonly releases: number
}

export const SHAPES: readonly Shape[] = [
  {
    name: 'mini',
    pages: 4,
    members: 3,
    rows: 6,
    rowsPerNode: 2,
    deposits: 2,
    withdrawals: 1,
    requests: 2,
    rotations: 1,
    rescues: 2,
    forcedExits: 2,
    reductions: 3,
    releases: 2,
  },
  {
    name: 'small',
    pages: 64,
    members: 8,
    rows: 16,
    rowsPerNode: 1,
    deposits: 8,
    withdrawals: 2,
    requests: 8,
    rotations: 1,
    rescues: 2,
    forcedExits: 1,
    reductions: 4,
    releases: 2,
  },
  {
    name: 'sparse',
    pages: 16,
    members: 16,
    rows: 16,
    rowsPerNode: 2,
    deposits: 4,
    withdrawals: 4,
    requests: 2,
    rotations: 1,
    rescues: 8,
    forcedExits: 1,
    reductions: 4,
    releases: 4,
  },
  {
    name: 'standard',
    pages: 64,
    members: 8,
    rows: 32,
    rowsPerNode: 2,
    deposits: 4,
    withdrawals: 4,
    requests: 2,
    rotations: 1,
    rescues: 4,
    forcedExits: 1,
    reductions: 6,
    releases: 2,
  },
  {
    name: 'large',
    pages: 256,
    members: 16,
    rows: 64,
    rowsPerNode: 2,
    deposits: 4,
    withdrawals: 4,
    requests: 2,
    rotations: 1,
    rescues: 8,
    forcedExits: 1,
    reductions: 8,
    releases: 4,
  },
  {
    // Registrations and deposits: hardly any pages, so that a day can begin sooner.
    name: 'entry',
    pages: 2,
    members: 8,
    rows: 2,
    rowsPerNode: 1,
    deposits: 8,
    withdrawals: 1,
    requests: 8,
    rotations: 1,
    rescues: 1,
    forcedExits: 1,
    reductions: 2,
    releases: 1,
  },
]

/** Bits of a flag word: well under the 254 of the field, so that a packing is unique. */
export const FLAG_WORD_BITS = 250

function assertRelation(holds: boolean, relation: string): void {
  if (!holds) throw new Error(`params: ${relation} does not hold`)
}
assertRelation(SLOT_COUNT % SLOTS_PER_WORD === 0, 'SLOT_COUNT is a multiple of SLOTS_PER_WORD')
assertRelation(SLOT_BITS * SLOTS_PER_WORD < 254, 'three slots fit a word')
assertRelation(TIME_BITS + STAMP_RANDOM_BITS < STAMP_BITS, 'a stamp holds a time')
assertRelation(2 * WORLD_BITS < 254, 'two world differences fit a word')
assertRelation(38 + STAMP_BITS < MAX_FEE_SHIFT, 'terms leave a gap below maxFee')
assertRelation(WORLD_COUNT % 2 === 0, 'worlds pair up into words')
