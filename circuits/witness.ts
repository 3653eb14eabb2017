/** From a trace to the inputs of the batch circuit and the public words. No rule is checked here. */
import {
  ACCOUNT_UPPER_BOUND,
  CIPHER_WORD_COUNT,
  FEE_ACCOUNT_INDEX,
  FIELD_MODULUS as P,
  FLAG_WORD_BITS,
  LIVE_COUNT_BITS,
  MODE,
  TREE_DEPTH,
  WORLD_BITS,
  WORLD_COUNT,
  type Shape,
} from './params.ts'
import { leafHash, type Account } from './account.ts'
import type { BatchTrace } from './batch.ts'
import { challengesOf } from './challenges.ts'
import { mod } from './field.ts'
import { bitsOf, times } from './lists.ts'
import { hash } from './poseidon.ts'
import { batchInput } from './records.ts'
import { rowInputs, type RowInputs } from './rows.ts'
import { Tree } from './tree.ts'
import {
  accountInputs,
  edgeInputs,
  forcedInputs,
  pageInputs,
  reductionInputs,
  reductionWords,
  releaseInputs,
  rescueInputs,
  type MemberSlot,
} from './witness-slots.ts'
import { headerWords, type HeaderWord } from './words.ts'

export type WitnessInput = { [name: string]: WitnessValue }
export type WitnessValue = bigint | readonly WitnessValue[]

/** What L1 knows of the batch besides the plan. */
export type L1View = {
  readonly tableNumber: bigint
  readonly confirmedTableRoot: bigint
  readonly accountCountBefore: bigint
}
export type BuiltBatch = {
  readonly words: readonly bigint[]
  readonly commitment: bigint
  readonly newRoot: bigint
  /** All signals by name, once x is known. */
  readonly signals: (x: bigint, y: bigint) => WitnessInput
  /** The same as the circuit takes them. */
  readonly finish: (x: bigint, y: bigint) => WitnessInput
}

const MEMBERS_PER_STEP = 8

type BatchParts = Parameters<typeof batchSteps>

/** Builds everything up to the commitment C. `tree` is the state before and is not changed. */
export function buildBatch(...parts: BatchParts): BuiltBatch {
  for (const steps = batchSteps(...parts); ;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** As buildBatch, in steps of some ten milliseconds: a service answers others in between. */
export function* batchSteps(
  shape: Shape,
  trace: BatchTrace,
  tree: Tree,
  view: L1View,
  salt: bigint,
): Generator<undefined, BuiltBatch> {
  const members = memberSlots(shape, trace, tree)
  const after = tree.overlay()
  const child: bigint[][][] = []
  const update = (index: number, leaf: bigint): void => {
    child.push(after.path(index, TREE_DEPTH - 1))
    after.set(index, leaf)
  }
  update(FEE_ACCOUNT_INDEX, leafHash(trace.feeAccount.after))
  for (const [i, m] of members.entries()) {
    update(m.index, m.step === null ? 0n : leafHash(m.step.after))
    if (i % MEMBERS_PER_STEP === MEMBERS_PER_STEP - 1) yield
  }

  const edges = edgeInputs(shape, trace, members)
  const header = headerOf(trace, view, tree.root, after.root)
  const accountWord = [
    [BigInt(FEE_ACCOUNT_INDEX), leafHash(trace.feeAccount.after), ...trace.feeAccount.cipher],
    ...members.map((m) =>
      m.step === null
        ? [BigInt(m.index), 0n, ...Array<bigint>(CIPHER_WORD_COUNT).fill(0n)]
        : [BigInt(m.index), leafHash(m.step.after), ...m.step.cipher],
    ),
  ]
  const words = [
    header,
    edges.depositWord,
    edges.requestWord,
    edges.withdrawalWord,
    accountWord,
  ].flat(2)
  const pages = pageInputs(shape, trace)
  const accounts = accountInputs(members)
  const { table, settlements } = trace.plan.context
  const rows = rowInputs(shape, trace.instruments, table, settlements)
  const rescues = rescueInputs(shape, members)
  const reductions = reductionInputs(shape, members)
  const forced = forcedInputs(shape, trace, rows)
  const flags = flagWords(pages, rows, accounts, edges, rescues, reductions)
  const privates = [
    ...pages.heads,
    ...edges.withdrawalStamp,
    ...flags,
    ...accounts.solvency.flatMap((s) => [
      ...times(WORLD_COUNT / 2, (i) =>
        mod(
          (s.difference[2 * i] as bigint) +
            ((s.difference[2 * i + 1] as bigint) << BigInt(WORLD_BITS)),
        ),
      ),
      mod(s.conversionCash),
    ]),
    ...rescues.oldWorth.flat(),
    ...reductionWords(reductions),
  ]
  yield
  const commitment = hash('COMMITMENT', [salt, ...words, ...privates])
  const { heads: _heads, ...pageSignals } = pages
  const { solvency: _solvency, ...accountSignals } = accounts
  const signals = (x: bigint, y: bigint): WitnessInput => {
    const { rowQuantity, rowSize } = rowSums(members, rows, x)
    return {
      C: commitment,
      x,
      y,
      commitmentSalt: salt,
      header,
      accountWord,
      ...edges,
      ...pageSignals,
      ...accountSignals,
      ...rescues,
      ...releaseInputs(shape, members),
      ...reductions,
      ...forced,
      feeAccountViewKeyHash: trace.feeAccount.before.viewKeyHash,
      feeAccountMeta: trace.feeAccount.before.meta,
      feeAccountSalt: trace.feeAccount.before.salt,
      feeAccountCash: mod(trace.feeAccount.before.cash),
      feeAccountViewKey: trace.feeAccount.viewKey,
      child,
      topNode: tree.children(TREE_DEPTH, 0),
      marksRoot: table.marksRoot,
      tableFlags: table.flags,
      ...rows.signals,
      rowQuantity,
      rowSize,
    }
  }
  const finish = (x: bigint, y: bigint): WitnessInput => batchInput(signals(x, y))
  return { words, commitment, newRoot: after.root, signals, finish }
}

/** Touched accounts and, up to the shape's number, empty leaves from the end of the tree. */
function memberSlots(shape: Shape, trace: BatchTrace, tree: Tree): readonly MemberSlot[] {
  const slots: MemberSlot[] = trace.members.map((step) => ({ index: step.index, step }))
  const used = new Set(slots.map((s) => s.index))
  for (let index = ACCOUNT_UPPER_BOUND - 1; slots.length < shape.members; index--) {
    if (!used.has(index) && tree.leaf(index) === 0n) slots.push({ index, step: null })
  }
  if (slots.length > shape.members)
    throw new Error(`witness: ${slots.length} accounts do not fit shape ${shape.name}`)
  return slots.sort((a, b) => a.index - b.index)
}

function headerOf(
  trace: BatchTrace,
  view: L1View,
  oldRoot: bigint,
  newRoot: bigint,
): readonly bigint[] {
  const { context, requests } = trace.plan
  const registrations = BigInt(requests.filter((r) => r.kind === 'register').length)
  const values: Record<HeaderWord, bigint> = {
    domain: context.domain,
    batchNumber: context.batchNumber,
    time: context.time,
    mode: BigInt(MODE[context.mode ?? 'normal']),
    oldRoot,
    newRoot,
    tableNumber: view.tableNumber,
    tableRoot: context.table.root,
    confirmedTableRoot: view.confirmedTableRoot,
    settlementRoot: context.settlements.tree.root,
    fee: context.fee,
    accountCountBefore: view.accountCountBefore,
    accountCountAfter: view.accountCountBefore + registrations,
    batchNonce: context.batchNonce,
    reserved0: 0n,
    reserved1: 0n,
  }
  return headerWords.map((name) => values[name])
}

function flagWords(
  pages: ReturnType<typeof pageInputs>,
  rows: RowInputs,
  accounts: ReturnType<typeof accountInputs>,
  edges: ReturnType<typeof edgeInputs>,
  rescues: ReturnType<typeof rescueInputs>,
  reductions: ReturnType<typeof reductionInputs>,
): readonly bigint[] {
  const bits: bigint[] = []
  pages.isLive.forEach((live, i) => bits.push(live, pages.isSkipped[i] as bigint))
  bits.push(...rows.signals.nodePosition.flat())
  rows.signals.rowIsUsed.forEach((used, r) =>
    bits.push(used, ...(rows.signals.rowPlace[r] as bigint[])),
  )
  rows.signals.windowBit.forEach((window) => bits.push(...window))
  accounts.isEmpty.forEach((_, a) => {
    edges.depositChoice.forEach((choice) => bits.push(choice[a] as bigint))
    edges.withdrawalChoice.forEach((choice) => bits.push(choice[a] as bigint))
    bits.push(
      ...(accounts.isConverted[a] as bigint[]),
      ...(accounts.isReduced[a] as bigint[]),
      ...bitsOf(accounts.liveCount[a] as bigint, LIVE_COUNT_BITS),
      accounts.isSigned[a] as bigint,
    )
    edges.rotationChoice.forEach((choice) => bits.push(choice[a] as bigint))
  })
  rescues.rescueChoice.forEach((choice, k) =>
    bits.push(...choice, ...(rescues.isWorse[k] as bigint[])),
  )
  bits.push(...reductions.reductionChoice.flat())
  return times(Math.ceil(bits.length / FLAG_WORD_BITS), (w) =>
    bits
      .slice(w * FLAG_WORD_BITS, (w + 1) * FLAG_WORD_BITS)
      .reduce((sum, bit, i) => sum + (bit << BigInt(i)), 0n),
  )
}

/**
 * Per row the weighted sums of new + mu * old quantities and sizes. Of the old side counts everything
 * in a rescued account; in another what is converted, by quantity alone.
 */
function rowSums(slots: readonly MemberSlot[], rows: RowInputs, x: bigint) {
  const challenge = challengesOf(x)
  const [weight, mu] = [challenge[9] as bigint, challenge[11] as bigint]
  const size = (q: bigint): bigint => (q < 0n ? -q : q)
  const sum = (id: number, isSize: boolean): bigint => {
    let power = 1n
    let total = 0n
    for (const { step } of slots) {
      power = (power * weight) % P
      if (step === null) continue
      const held = (account: Account | null): bigint =>
        account?.balances.find((b) => b.id === id)?.quantity ?? 0n
      const counts = step.isRescue || (step.convertedIds.has(id) && !isSize)
      const [now, then] = [held(step.after), counts ? held(step.before) : 0n]
      total = mod(total + power * mod(isSize ? size(now) + mu * size(then) : now + mu * then))
    }
    return total
  }
  return {
    rowQuantity: rows.list.map((row) => (row.id === 0 ? 0n : sum(row.id, false))),
    rowSize: rows.list.map((row) => (row.id === 0 ? 0n : sum(row.id, true))),
  }
}
