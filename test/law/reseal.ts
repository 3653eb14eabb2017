/** Inputs of the batch circuit that a test changes, and what follows from the change: C, y, sums per row. */
import {
  FIELD_MODULUS,
  FLAG_WORD_BITS,
  LIVE_COUNT_BITS,
  MAX_FEE_SHIFT,
  WORLD_BITS,
  WORLD_COUNT,
} from '../../circuits/params.ts'
import { challengesOf } from '../../circuits/challenges.ts'
import { mod } from '../../circuits/field.ts'
import { hash } from '../../circuits/poseidon.ts'
import { batchInput } from '../../circuits/records.ts'
import type { WitnessInput, WitnessValue } from '../../circuits/witness.ts'
import { evaluateWords } from '../../circuits/words.ts'

type List = bigint[]
type Lists = bigint[][]

/** The inputs by name, to be written to. */
export type Draft = {
  C: bigint
  x: bigint
  y: bigint
  commitmentSalt: bigint
  header: List
  depositWord: Lists
  requestWord: Lists
  withdrawalWord: Lists
  accountWord: Lists
  isLive: List
  isSkipped: List
  kindBit: Lists
  account: List
  counterparty: List
  stamp: List
  maxFee: List
  previousHead: List
  payload: List
  instrument: Lists
  quantity: Lists
  price: Lists
  isEmpty: List
  isRegistered: List
  isRotatedByL1: List
  isForced: List
  isPaid: List
  flagChange: List
  isSigned: List
  oldOwnerKeyHash: List
  oldViewKeyHash: List
  oldHead: List
  oldMeta: List
  oldSalt: List
  oldId: Lists
  oldQuantity: Lists
  newOwnerKeyHash: List
  newHead: List
  viewKey: List
  newId: Lists
  newQuantity: Lists
  signerX: List
  signerY: List
  signatureX: List
  signatureY: List
  signatureS: List
  isConverted: Lists
  isReduced: Lists
  conversionCash: List
  liveCount: List
  difference: Lists
  rescueChoice: Lists
  isWorse: Lists
  oldWorth: Lists
  callStep: Lists
  callWorld: Lists
  releaseChoice: Lists
  releaseStep: Lists
  feeAccountViewKeyHash: bigint
  feeAccountMeta: bigint
  feeAccountSalt: bigint
  feeAccountCash: bigint
  feeAccountViewKey: bigint
  child: bigint[][][]
  topNode: List
  marksRoot: bigint
  tableFlags: bigint
  rowIsUsed: List
  nodePosition: Lists
  nodeChild: Lists
  rowPlace: Lists
  rowId: List
  rowStatus: List
  rowAddOn: List
  rowValue: Lists
  tableNode: List
  settledNode: Lists
  windowBit: Lists
  windowChild: bigint[][][]
  rowQuantity: List
  rowSize: List
  depositSecret: List
  depositChoice: Lists
  withdrawalStamp: List
  withdrawalChoice: Lists
  requestSerial: List
  requestChoice: Lists
  rotationIsUsed: List
  rotationX: List
  rotationY: List
  rotationChoice: Lists
  forcedChoice: Lists
  forcedCap: Lists
  forcedWorld: Lists
  forcedRow: Lists
  reductionChoice: Lists
  reductionId: List
  reductionKept: List
  reductionClosed: List
  reductionIsShort: List
}

function copy(value: WitnessValue): WitnessValue {
  return typeof value === 'bigint' ? value : value.map(copy)
}

/** A copy that may be changed; field order as in the circuit does not matter. */
export function draftOf(signals: WitnessInput): Draft {
  return Object.fromEntries(
    Object.entries(signals).map(([k, v]) => [k, copy(v)]),
  ) as unknown as Draft
}

export function inputOf(draft: Draft): WitnessInput {
  return batchInput(draft as unknown as WitnessInput)
}

/** The head of a page slot from its signals: what the circuit hashes. */
export function headOf(draft: Draft, i: number): bigint {
  const at = (list: List): bigint => list[i] as bigint
  const [low, high] = draft.kindBit[i] as List
  const terms = mod(
    (low as bigint) +
      2n * (high as bigint) +
      4n * at(draft.account) +
      (at(draft.counterparty) << 20n) +
      (at(draft.stamp) << 38n) +
      (at(draft.maxFee) << BigInt(MAX_FEE_SHIFT)),
  )
  const entries = (draft.instrument[i] as List).flatMap((id, e) => [
    id,
    (draft.quantity[i] as List)[e] as bigint,
    (draft.price[i] as List)[e] as bigint,
  ])
  return hash('PAGE', [at(draft.previousHead), terms, at(draft.payload), ...entries].map(mod))
}

function flagWordsOf(draft: Draft): List {
  const bits: List = []
  draft.isLive.forEach((live, i) => bits.push(live, draft.isSkipped[i] as bigint))
  bits.push(...draft.nodePosition.flat())
  draft.rowIsUsed.forEach((used, r) => bits.push(used, ...(draft.rowPlace[r] as List)))
  for (const window of draft.windowBit) bits.push(...window)
  draft.isEmpty.forEach((_, a) => {
    for (const choice of [...draft.depositChoice, ...draft.withdrawalChoice])
      bits.push(choice[a] as bigint)
    const count = draft.liveCount[a] as bigint
    bits.push(
      ...(draft.isConverted[a] as List),
      ...(draft.isReduced[a] as List),
      ...Array.from({ length: LIVE_COUNT_BITS }, (__, i) => (count >> BigInt(i)) & 1n),
      draft.isSigned[a] as bigint,
      ...draft.rotationChoice.map((c) => c[a] as bigint),
    )
  })
  draft.rescueChoice.forEach((choice, k) => bits.push(...choice, ...(draft.isWorse[k] as List)))
  bits.push(...draft.reductionChoice.flat())
  return Array.from({ length: Math.ceil(bits.length / FLAG_WORD_BITS) }, (_, w) =>
    mod(
      bits
        .slice(w * FLAG_WORD_BITS, (w + 1) * FLAG_WORD_BITS)
        .reduce((sum, bit, i) => sum + (bit << BigInt(i)), 0n),
    ),
  )
}

export function wordsOf(draft: Draft): List {
  return [
    draft.header,
    ...draft.depositWord,
    ...draft.requestWord,
    ...draft.withdrawalWord,
    ...draft.accountWord,
  ]
    .flat()
    .map(mod)
}

/** C of the values in the draft, by the circuit's order. */
export function commitmentOf(draft: Draft): bigint {
  const perAccount = draft.difference.flatMap((difference, a) => [
    ...Array.from({ length: WORLD_COUNT / 2 }, (_, i) =>
      mod(
        (difference[2 * i] as bigint) + ((difference[2 * i + 1] as bigint) << BigInt(WORLD_BITS)),
      ),
    ),
    draft.conversionCash[a] as bigint,
  ])
  return hash(
    'COMMITMENT',
    [
      draft.commitmentSalt,
      ...wordsOf(draft),
      ...draft.isLive.map((_, i) => headOf(draft, i)),
      ...draft.withdrawalStamp,
      ...flagWordsOf(draft),
      ...perAccount,
      ...draft.oldWorth.flat(),
      ...draft.reductionId.map(
        (id, t) =>
          id +
          ((draft.reductionKept[t] as bigint) << 28n) +
          ((draft.reductionClosed[t] as bigint) << 84n) +
          ((draft.reductionIsShort[t] as bigint) << 140n),
      ),
    ].map(mod),
  )
}

/** C and y follow a change; x stays, as any x is a fair challenge in a test. */
export function reseal(draft: Draft): Draft {
  draft.C = commitmentOf(draft)
  draft.y = evaluateWords(wordsOf(draft), draft.x)
  return draft
}

/** rowQuantity and rowSize of rows by the ids they show, from the balances in the draft. */
export function resum(draft: Draft): Draft {
  const challenge = challengesOf(draft.x)
  const [weight, mu] = [challenge[9] as bigint, challenge[11] as bigint]
  const signedOf = (q: bigint): bigint =>
    mod(q) > FIELD_MODULUS / 2n ? mod(q) - FIELD_MODULUS : mod(q)
  const sum = (id: bigint, isSize: boolean): bigint => {
    let power = 1n
    let total = 0n
    draft.newId.forEach((ids, a) => {
      power = mod(power * weight)
      const isRescued = draft.rescueChoice.some((choice) => choice[a] === 1n)
      const side = (list: List, quantities: List, counts: (i: number) => boolean): bigint =>
        list.reduce((s, held, i) => {
          const q = signedOf(quantities[i + 1] as bigint)
          return held === id && counts(i) ? s + (isSize && q < 0n ? -q : q) : s
        }, 0n)
      const counts = (i: number): boolean =>
        isRescued || (draft.isConverted[a]?.[i] === 1n && !isSize)
      total = mod(
        total +
          power *
            mod(
              side(ids, draft.newQuantity[a] as List, () => true) +
                mu * side(draft.oldId[a] as List, draft.oldQuantity[a] as List, counts),
            ),
      )
    })
    return total
  }
  draft.rowQuantity = draft.rowId.map((id) => (id === 0n ? 0n : sum(id, false)))
  draft.rowSize = draft.rowId.map((id) => (id === 0n ? 0n : sum(id, true)))
  return draft
}
