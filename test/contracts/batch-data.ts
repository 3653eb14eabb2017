/** Batches as an operator sends them to the contract of a world, and the words that a prover makes of them. */
import { ethers } from 'ethers'
import { expect } from 'vitest'
import { FIELD_MODULUS, SHAPES, type Shape } from '../../circuits/params.ts'
import {
  ACCOUNT_WORDS,
  DEPOSIT_WORDS,
  REQUEST_WORDS,
  WITHDRAWAL_WORDS,
  evaluateWords,
  headerWords,
  type HeaderWord,
} from '../../circuits/words.ts'
import { KEY_HASH, SHAPE_IDS, now, send, type World } from './l1.ts'

/** Points of both groups, so that a verifier that does its pairing work finds valid input. */
export const PROOF: readonly bigint[] = [
  1n,
  2n,
  11559732032986387107991004021392285783925812861821192530917403151452391805634n,
  10857046999023057135944570762232829481370756359578518086990519993285655852781n,
  4082367875863433681332203403145435568316851327593401208105741076214120093531n,
  8495653923123431417604973247489272438418190587263600148770280649306958101930n,
  1n,
  2n,
]

/** The arguments of submitBatch, by name. */
export type Submission = {
  readonly shapeId: bigint
  readonly time: bigint
  readonly newRoot: bigint
  readonly tableNumber: bigint
  readonly batchNonce: bigint
  readonly requestCount: bigint
  readonly depositIds: readonly bigint[]
  readonly withdrawals: readonly { token: bigint; amount: bigint; to: string }[]
  readonly forcedPayments: readonly bigint[]
  readonly accountWords: readonly bigint[]
  readonly commitment: bigint
  readonly proof: readonly bigint[]
}

export type Batch = Omit<Submission, 'shapeId' | 'proof'> & { readonly shape: Shape }

/** A word that looks random: the hash of its name. */
export function wordOf(name: string): bigint {
  return BigInt(ethers.id(name)) % FIELD_MODULUS
}

export async function createBatch(world: World, overrides: Partial<Batch> = {}): Promise<Batch> {
  const shape = overrides.shape ?? SHAPES.find(({ name }) => name === 'mini')!
  const accountWords = Array.from({ length: shape.members + 1 }, (_, i) => [
    i === 0 ? 0n : BigInt(1000 * i),
    ...Array.from({ length: 9 }, (_, j) => wordOf(`account ${i} ${j}`)),
  ]).flat()
  return {
    shape,
    time: await now(),
    newRoot: wordOf('a new root'),
    requestCount: 0n,
    tableNumber: await world.cloister.getFunction('tableNumber')(),
    batchNonce: wordOf('a nonce'),
    depositIds: [],
    withdrawals: [],
    forcedPayments: [],
    accountWords,
    commitment: wordOf('a commitment'),
    ...overrides,
  }
}

export function argumentsOf(s: Submission): readonly unknown[] {
  const { shapeId, time, newRoot, tableNumber, batchNonce, requestCount } = s
  return [
    { shapeId, time, newRoot, tableNumber, batchNonce, requestCount },
    s.depositIds,
    s.withdrawals,
    s.forcedPayments,
    s.accountWords,
    s.commitment,
    s.proof,
  ]
}

export function batchArguments(batch: Batch): readonly unknown[] {
  const shapeId = SHAPE_IDS[batch.shape.name as keyof typeof SHAPE_IDS]
  return argumentsOf({ ...batch, shapeId, proof: PROOF })
}

export function submit(world: World, batch: Batch): Promise<ethers.TransactionReceipt> {
  return send(world.operator, world.cloister, 'submitBatch', ...batchArguments(batch))
}

/** The public words of a batch as a prover computes them, from the views of L1. */
export async function wordsOf(world: World, batch: Batch): Promise<readonly bigint[]> {
  const ask = (name: string, ...args: unknown[]) => world.cloister.getFunction(name)(...args)
  const number: bigint = await ask('batchNumber')
  const table = await ask('tables', batch.tableNumber)
  const tableRoot: bigint = table.root
  const confirmed: bigint = await ask('confirmedTableNumber')
  const { tableLife } = await ask('terms')
  const isServing =
    table.isConfirmed &&
    confirmed === (await ask('tableNumber')) &&
    (await now()) <= table.time + tableLife
  const requestWords: bigint[] = []
  let registrations = 0n
  let forced = 0
  const spent = new Map<bigint, bigint>()
  const served: bigint = await ask('served')
  for (let serial = served; serial < served + batch.requestCount; serial++) {
    const { kind, account, x, y, viewKeyHash } = await ask('request', serial)
    if (kind === 1n) registrations++
    if (kind === 3n) {
      const { vault, owed, unconsumed } = (await ask('tokens', x)) as Record<string, bigint>
      const free = vault! - owed! - unconsumed!
      const before = spent.get(x) ?? 0n
      const paid = batch.forcedPayments[forced++] as bigint
      requestWords.push(kind + 8n * serial, account, x, y, free - before, paid)
      spent.set(x, before + paid)
    } else requestWords.push(kind + 8n * serial, account, x, y, viewKeyHash, 0n)
  }
  const accountCount: bigint = await ask('accountCount')
  const header: Record<HeaderWord, bigint> = {
    domain: await ask('domain'),
    batchNumber: number + 1n,
    time: batch.time,
    mode: isServing ? await ask('mode') : 1n,
    oldRoot: await ask('roots', number),
    newRoot: batch.newRoot,
    tableNumber: batch.tableNumber,
    tableRoot,
    confirmedTableRoot: table.isConfirmed ? tableRoot : (await ask('tables', confirmed)).root,
    settlementRoot: await ask('settlementRoot'),
    fee: await ask('fee'),
    accountCountBefore: accountCount,
    accountCountAfter: accountCount + registrations,
    batchNonce: batch.batchNonce,
    reserved0: 0n,
    reserved1: 0n,
  }
  const depositWords: bigint[] = []
  for (const id of batch.depositIds) {
    const { commitment, token, amount } = await ask('deposits', id)
    depositWords.push(id, commitment, token, amount)
  }
  const withdrawalWords = batch.withdrawals.flatMap(({ token, amount, to }) => [
    token,
    amount,
    BigInt(to),
  ])
  const { deposits, requests, withdrawals, members } = batch.shape
  expect(batch.accountWords.length).toBe((members + 1) * ACCOUNT_WORDS)
  return [
    ...headerWords.map((name) => header[name]),
    ...padded(depositWords, deposits * DEPOSIT_WORDS.length),
    ...padded(requestWords, requests * REQUEST_WORDS.length),
    ...padded(withdrawalWords, withdrawals * WITHDRAWAL_WORDS.length),
    ...batch.accountWords,
  ]
}

function padded(words: readonly bigint[], count: number): readonly bigint[] {
  return [...words, ...Array<bigint>(count - words.length).fill(0n)]
}

/** The statement (C, x, y) that L1 must put to the verifier. */
export async function statementOf(
  world: World,
  batch: Batch,
  words: readonly bigint[],
): Promise<readonly [bigint, bigint, bigint]> {
  const prefix = [
    BigInt(ethers.id('cloister.v1')),
    31337n,
    BigInt(world.address),
    BigInt(KEY_HASH),
    batch.commitment,
  ]
  const preimage = ethers.concat([...prefix, ...words].map((word) => ethers.toBeHex(word, 32)))
  const x = BigInt(ethers.keccak256(preimage)) % FIELD_MODULUS
  return [batch.commitment, x, evaluateWords(words, x)]
}
