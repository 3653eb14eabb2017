/** A real proof through the real contract, and what an operator may try with it. */
import { beforeAll, expect, test } from 'vitest'
import { FIELD_MODULUS } from '../../circuits/params.ts'
import { randomField } from '../law/house.ts'
import { argumentsOf, type Submission } from '../contracts/batch-data.ts'
import { mustRefuse, send } from '../contracts/l1.ts'
import {
  COORDINATE_MODULUS,
  negated,
  OTHER_KEY,
  OTHER_SIZES,
  ProvenHouse,
  rerandomised,
} from './proven.ts'

let proven: ProvenHouse
let first: Submission

/** Compiling and the key take a minute on a cold cache. */
const COLD = 900_000

beforeAll(async () => {
  proven = await ProvenHouse.open()
  first = await proven.prove()
}, COLD)

function refused(error: string, change: Partial<Submission>, base = first) {
  const { operator, cloister } = proven.world
  return mustRefuse(
    error,
    operator,
    cloister,
    'submitBatch',
    ...argumentsOf({ ...base, ...change }),
  )
}

/** Whether L1 would take it, without taking it. */
async function isAccepted(submission: Submission): Promise<boolean> {
  const { operator, cloister } = proven.world
  await cloister
    .getFunction('submitBatch')
    .staticCall(...argumentsOf(submission), { from: operator })
  return true
}

/** A list with one place changed. */
function replaced<T>(list: readonly T[], at: number, change: (old: T) => T): readonly T[] {
  return list.map((old, i) => (i === at ? change(old) : old))
}
function swapped<T>(list: readonly T[], i: number, j: number): readonly T[] {
  return list.map((old, at) => list[at === i ? j : at === j ? i : at] ?? old)
}

test('a proof holds for its own words only', async () => {
  const { accountWords } = first
  // Two words of one ciphertext, a leaf of another account, two whole accounts.
  await refused('ProofMustVerify', { accountWords: swapped(accountWords, 12, 13) })
  await refused('ProofMustVerify', { accountWords: swapped(accountWords, 11, 21) })
  await refused('ProofMustVerify', {
    accountWords: [
      ...accountWords.slice(0, 10),
      ...accountWords.slice(20, 30),
      ...accountWords.slice(10, 20),
      ...accountWords.slice(30),
    ],
  })
  await refused('ProofMustVerify', { newRoot: first.newRoot + 1n })
  await refused('ProofMustVerify', { batchNonce: randomField() })
  await refused('ProofMustVerify', { depositIds: first.depositIds.slice(1) })
  await refused('ProofMustVerify', { requestCount: 1n })
})

test('a word has one form only', async () => {
  const raised = (word: bigint): bigint => word + FIELD_MODULUS
  for (const at of [0, 1, 19, first.accountWords.length - 1]) {
    await refused('WordMustBeBelowModulus', {
      accountWords: replaced(first.accountWords, at, raised),
    })
  }
  await refused('WordMustBeBelowModulus', { newRoot: raised(first.newRoot) })
  await refused('WordMustBeBelowModulus', { batchNonce: raised(first.batchNonce) })
  await refused('WordMustBeBelowModulus', { commitment: raised(first.commitment) })
})

test('a proof holds for its own commitment only', async () => {
  await refused('ProofMustVerify', { commitment: (first.commitment + 1n) % FIELD_MODULUS })
  await refused('ProofMustVerify', { commitment: 0n })
  await refused('ProofMustVerify', { commitment: randomField() })
})

test('a proof holds for its own shape only', async () => {
  await refused('ProofMustVerify', { shapeId: OTHER_KEY })
  await refused('AccountWordsMustFitShape', { shapeId: OTHER_SIZES })
  await refused('ShapeMustBeKnown', { shapeId: 9n })
})

test('a proof holds for its own contract only', async () => {
  const { twin, world } = proven
  for (const view of ['accountCount', 'batchNumber', 'tableNumber', 'served', 'depositCount']) {
    expect(await twin.cloister.getFunction(view)()).toBe(await world.cloister.getFunction(view)())
  }
  expect(await twin.cloister.getFunction('roots')(0n)).toBe(
    await world.cloister.getFunction('roots')(0n),
  )
  await mustRefuse(
    'ProofMustVerify',
    twin.operator,
    twin.cloister,
    'submitBatch',
    ...argumentsOf(first),
  )
})

test('what is not a proof is refused', async () => {
  await refused('ProofMustVerify', { proof: Array<bigint>(8).fill(0n) })
  for (let at = 0; at < first.proof.length; at++) {
    await refused('ProofMustVerify', { proof: replaced(first.proof, at, (old) => old + 1n) })
  }
  // A coordinate, too, has one form only.
  for (const at of [0, 1, 6]) {
    await refused('ProofMustVerify', {
      proof: replaced(first.proof, at, (old) => old + COORDINATE_MODULUS),
    })
  }
  // A point of the curve in the wrong place.
  await refused('ProofMustVerify', {
    proof: replaced(
      replaced(first.proof, 6, () => first.proof[0] as bigint),
      7,
      () => first.proof[1] as bigint,
    ),
  })
  await refused('ProofMustVerify', {
    proof: replaced(first.proof, 7, (old) => COORDINATE_MODULUS - old),
  })
})

test('a proof made over proves the same statement, no other', async () => {
  const again = [negated(first.proof), rerandomised(first.proof, randomField())]
  for (const proof of again) {
    expect(proof).not.toEqual(first.proof)
    expect(await isAccepted({ ...first, proof })).toBe(true)
    await refused('ProofMustVerify', { proof, newRoot: first.newRoot + 1n })
  }
})

test('the proof of a registration and deposit batch is accepted, once', async () => {
  const { world, house } = proven
  const ask = (name: string, ...args: unknown[]) => world.cloister.getFunction(name)(...args)
  expect(await ask('batchNumber')).toBe(0n)
  await send(world.operator, world.cloister, 'submitBatch', ...argumentsOf(first))
  expect(await ask('batchNumber')).toBe(1n)
  expect(await ask('roots', 1n)).toBe(house.tree.root)
  expect(await ask('accountCount')).toBe(18n)
  expect(await ask('served')).toBe(2n)
  expect(await ask('unconsumedDeposits', 1n)).toBe(0n)

  // Its requests and deposits are spent; without them it is another statement.
  expect([...(await refused('RequestsMustBeQueued', {}))]).toEqual([2n, 0n])
  await refused('DepositMustBeOpen', { requestCount: 0n })
  await refused('ProofMustVerify', { requestCount: 0n, depositIds: [] })
})

test(
  'a batch that needs nothing of L1 cannot be replayed either',
  async () => {
    const { world, house } = proven
    const [buyer, seller] = proven.members
    if (buyer === undefined || seller === undefined) throw new Error('two members have joined')
    house.time = first.time
    house.trade(buyer, seller, [{ instrument: 1024, quantity: 5n, price: 50_100_000n }])
    const second = await proven.prove()
    expect([second.requestCount, second.depositIds]).toEqual([0n, []])

    // Whoever makes the proof over gains nothing: the batch is the same one, and settles once.
    const madeOver = { ...second, proof: rerandomised(second.proof, randomField()) }
    await send(world.operator, world.cloister, 'submitBatch', ...argumentsOf(madeOver))
    expect(await world.cloister.getFunction('batchNumber')()).toBe(2n)
    expect(await world.cloister.getFunction('roots')(2n)).toBe(house.tree.root)
    for (const replay of [second, madeOver]) await refused('ProofMustVerify', {}, replay)
  },
  COLD,
)
