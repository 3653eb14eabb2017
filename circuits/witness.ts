/** From a trace to the inputs of the batch circuit and the public words. No rule is checked here. */
import {
  ACCOUNT_UPPER_BOUND,
  CASH_ID,
  CIPHER_WORD_COUNT,
  FEE_ACCOUNT_INDEX,
  FIELD_MODULUS as P,
  FLAG_WORD_BITS,
  LIVE_COUNT_BITS,
  MODE,
  PAGE_KIND,
  REQUEST_KIND,
  SLOT_COUNT,
  TREE_DEPTH,
  WORLD_BITS,
  WORLD_COUNT,
  type Shape,
} from './params.ts'
import { leafHash, slotsOf, type Account } from './account.ts'
import type { BatchTrace, L1Request, MemberStep } from './batch.ts'
import { challengesOf } from './challenges.ts'
import { BASE } from './eddsa.ts'
import { CAPS } from './exit.ts'
import { mod } from './field.ts'
import { entriesOf, PADDING, type Page } from './page.ts'
import { hash } from './poseidon.ts'
import { rowInputs, type RowInputs } from './rows.ts'
import { Tree } from './tree.ts'
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
  /** Completes the inputs once x is known. */
  readonly finish: (x: bigint, y: bigint) => WitnessInput
}

const bool = (value: boolean): bigint => (value ? 1n : 0n)
const bitsOf = (value: bigint | number, count: number): bigint[] =>
  Array.from({ length: count }, (_, i) => (BigInt(value) >> BigInt(i)) & 1n)
const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))

/** Builds everything up to the commitment C. `tree` is the state before and is not changed. */
export function buildBatch(
  shape: Shape,
  trace: BatchTrace,
  tree: Tree,
  view: L1View,
  salt: bigint,
): BuiltBatch {
  const members = memberSlots(shape, trace, tree)
  const after = tree.clone()
  const child: bigint[][][] = []
  const update = (index: number, leaf: bigint): void => {
    child.push(after.path(index, TREE_DEPTH - 1))
    after.set(index, leaf)
  }
  update(FEE_ACCOUNT_INDEX, leafHash(trace.feeAccount.after))
  members.forEach((m) => update(m.index, m.step === null ? 0n : leafHash(m.step.after)))

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
  const commitment = hash('COMMITMENT', [salt, ...words, ...privates])
  const { heads: _heads, ...pageSignals } = pages
  const { solvency: _solvency, ...accountSignals } = accounts
  const finish = (x: bigint, y: bigint): WitnessInput => {
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
  return { words, commitment, newRoot: after.root, finish }
}

/** Forced exits by slot: the request, the cap that binds, the world and the row that show it. */
function forcedInputs(shape: Shape, trace: BatchTrace, rows: RowInputs) {
  const requests = trace.plan.requests.flatMap((request, q) =>
    request.kind === 'forcedExit' ? [{ request, q }] : [],
  )
  if (requests.length > shape.forcedExits)
    throw new Error(`witness: ${requests.length} forced exits do not fit shape ${shape.name}`)
  const at = times(shape.forcedExits, (k) => {
    const found = requests[k]
    const payment = trace.members.find((m) => m.index === found?.request.account)?.forced
    return found === undefined || !payment ? null : { ...payment, q: found.q }
  })
  return {
    forcedChoice: at.map((p) => times(shape.requests, (q) => bool(p?.q === q))),
    forcedCap: at.map((p) => CAPS.map((cap) => bool(p?.cap === cap))),
    forcedWorld: at.map((p) => times(WORLD_COUNT, (s) => bool(p?.world === s))),
    forcedRow: at.map((p) =>
      rows.list.map((row) => bool(p?.cap === 'world' && p.token !== CASH_ID && row.id === p.token)),
    ),
  }
}

function reductionInputs(shape: Shape, slots: readonly MemberSlot[]) {
  const reductions = slots.flatMap(({ step }) => step?.reductions ?? [])
  if (reductions.length > shape.reductions)
    throw new Error(`witness: ${reductions.length} reductions do not fit shape ${shape.name}`)
  const at = times(shape.reductions, (t) => reductions[t])
  return {
    reductionChoice: at.map((r) =>
      slots.map((s) => bool(r !== undefined && s.index === r.account)),
    ),
    reductionId: at.map((r) => BigInt(r?.id ?? 0)),
    reductionKept: at.map((r) => mod(r?.kept ?? 0n)),
    reductionClosed: at.map((r) => mod(r?.closed ?? 0n)),
    reductionIsShort: at.map((r) => bool(r?.isShort ?? false)),
  }
}

function reductionWords(r: ReturnType<typeof reductionInputs>): readonly bigint[] {
  return r.reductionId.map((id, t) =>
    mod(
      id +
        ((r.reductionKept[t] as bigint) << 28n) +
        ((r.reductionClosed[t] as bigint) << 84n) +
        ((r.reductionIsShort[t] as bigint) << 140n),
    ),
  )
}

type MemberSlot = { readonly index: number; readonly step: MemberStep | null }

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

function pageInputs(shape: Shape, trace: BatchTrace) {
  if (trace.pages.length > shape.pages)
    throw new Error(`witness: ${trace.pages.length} pages do not fit shape ${shape.name}`)
  const padded = times(
    shape.pages,
    (i) =>
      trace.pages[i] ?? {
        page: PADDING,
        previousHead: 0n,
        head: hash('PAGE', Array<bigint>(12).fill(0n)),
        isLive: false,
      },
  )
  const of = <T>(get: (page: Page) => T): T[] => padded.map(({ page }) => get(page))
  return {
    heads: padded.map((u) => u.head),
    isLive: padded.map((u) => bool(u.isLive)),
    isSkipped: padded.map((u) => bool(!u.isLive && u.page.kind !== 'padding')),
    kindBit: of((p) => bitsOf(PAGE_KIND[p.kind], 2)),
    account: of((p) => BigInt(p.account)),
    counterparty: of((p) => BigInt(p.counterparty)),
    stamp: of((p) => p.stamp),
    maxFee: of((p) => p.maxFee),
    previousHead: padded.map((u) => u.previousHead),
    payload: of((p) => p.payload),
    instrument: of((p) => entriesOf(p).map((e) => BigInt(e.instrument))),
    quantity: of((p) => entriesOf(p).map((e) => mod(e.quantity))),
    price: of((p) => entriesOf(p).map((e) => mod(e.price))),
  }
}

const NOTHING: Pick<Account, 'cash' | 'balances'> = { cash: 0n, balances: [] }

function accountInputs(slots: readonly MemberSlot[]) {
  const of = <T>(get: (step: MemberStep) => T, padding: T): T[] =>
    slots.map(({ step }) => (step === null ? padding : get(step)))
  const ids = (account: Pick<Account, 'cash' | 'balances'>): bigint[] =>
    slotsOf(account)
      .slice(1)
      .map((b) => BigInt(b.id))
  const quantities = (account: Pick<Account, 'cash' | 'balances'>): bigint[] =>
    slotsOf(account).map((b) => mod(b.quantity))
  const zeros = Array<bigint>(WORLD_COUNT).fill(0n)
  return {
    isEmpty: of((s) => bool(s.before === null), 1n),
    isRegistered: of((s) => bool(s.request?.kind === 'register'), 0n),
    isRotatedByL1: of((s) => bool(s.request?.kind === 'rotate'), 0n),
    isForced: of((s) => bool(s.request?.kind === 'forcedExit'), 0n),
    isSigned: of((s) => bool(s.run !== null), 0n),
    oldOwnerKeyHash: of((s) => s.before?.ownerKeyHash ?? 0n, 0n),
    oldViewKeyHash: of((s) => s.before?.viewKeyHash ?? 0n, 0n),
    oldHead: of((s) => s.before?.head ?? 0n, 0n),
    oldMeta: of((s) => s.before?.meta ?? 0n, 0n),
    oldSalt: of((s) => s.before?.salt ?? 0n, 0n),
    oldId: of((s) => ids(s.before ?? NOTHING), ids(NOTHING)),
    oldQuantity: of((s) => quantities(s.before ?? NOTHING), quantities(NOTHING)),
    newOwnerKeyHash: of((s) => s.after.ownerKeyHash, 0n),
    newHead: of((s) => s.after.head, 0n),
    viewKey: of((s) => s.viewKey, 0n),
    newId: of((s) => ids(s.after), ids(NOTHING)),
    newQuantity: of((s) => quantities(s.after), quantities(NOTHING)),
    signerX: of((s) => s.run?.signer.x ?? BASE.x, BASE.x),
    signerY: of((s) => s.run?.signer.y ?? BASE.y, BASE.y),
    signatureX: of((s) => s.run?.signature.r.x ?? BASE.x, BASE.x),
    signatureY: of((s) => s.run?.signature.r.y ?? BASE.y, BASE.y),
    signatureS: of((s) => s.run?.signature.s ?? 0n, 0n),
    isConverted: of(
      (s) =>
        slotsOf(s.before ?? NOTHING)
          .slice(1)
          .map((b) => bool(s.convertedIds.has(b.id))),
      Array<bigint>(SLOT_COUNT - 1).fill(0n),
    ),
    isReduced: of(
      (s) => {
        const ids = new Set(s.reductions.map((r) => r.id))
        return slotsOf(s.before ?? NOTHING)
          .slice(1)
          .map((b) => bool(b.id !== 0 && ids.has(b.id)))
      },
      Array<bigint>(SLOT_COUNT - 1).fill(0n),
    ),
    conversionCash: of((s) => mod(s.conversionCash), 0n),
    liveCount: of((s) => BigInt(s.liveCount), 0n),
    difference: of((s) => s.difference.map(mod), zeros),
    solvency: of((s) => ({ difference: s.difference, conversionCash: s.conversionCash }), {
      difference: zeros,
      conversionCash: 0n,
    }),
  }
}

/** The accounts that some world leaves below zero, one a slot. */
function rescueInputs(shape: Shape, slots: readonly MemberSlot[]) {
  const rescued = slots.flatMap(({ step }) => (step?.isRescue ? [step] : []))
  if (rescued.length > shape.rescues)
    throw new Error(`witness: ${rescued.length} rescues do not fit shape ${shape.name}`)
  const zeros = Array<bigint>(WORLD_COUNT).fill(0n)
  const at = times(shape.rescues, (k) => rescued[k])
  return {
    rescueChoice: at.map((r) => slots.map(({ step }) => bool(r !== undefined && step === r))),
    isWorse: at.map((r) => r?.isWorse.map(bool) ?? zeros),
    oldWorth: at.map((r) => r?.oldWorth.map(mod) ?? zeros),
  }
}

/** Six words: kind and serial, account, then what the kind asks for; of a forced exit also what it pays. */
function requestWord(request: L1Request | undefined, trace: BatchTrace): readonly bigint[] {
  if (request === undefined) return Array<bigint>(6).fill(0n)
  const head = [BigInt(REQUEST_KIND[request.kind]) + 8n * request.serial, BigInt(request.account)]
  if (request.kind === 'forcedExit') {
    const paid = trace.members.find((m) => m.index === request.account)?.forced?.amount ?? 0n
    return [...head, BigInt(request.token), request.to, request.freeVault, mod(paid)]
  }
  const viewKeyHash = request.kind === 'register' ? request.viewKeyHash : 0n
  return [...head, request.key.x, request.key.y, viewKeyHash, 0n]
}

function edgeInputs(shape: Shape, trace: BatchTrace, slots: readonly MemberSlot[]) {
  const { credits, requests } = trace.plan
  // A live page, also to the keys held already; or changed keys, whatever the pages say.
  const rotations = trace.members.filter(
    (m) =>
      m.run?.rotation !== undefined &&
      (m.after.ownerKeyHash !== m.before?.ownerKeyHash ||
        m.after.viewKeyHash !== m.before.viewKeyHash ||
        trace.pages.some(
          (u) => u.isLive && u.page.kind === 'rotation' && u.page.account === m.index,
        )),
  )
  const choice = (account: number | undefined): bigint[] =>
    slots.map((s) => bool(s.index === account && account !== undefined))
  return {
    depositWord: times(shape.deposits, (i) => {
      const c = credits[i]
      return c === undefined ? [0n, 0n, 0n, 0n] : [c.id, c.commitment, BigInt(c.token), c.amount]
    }),
    depositSecret: times(shape.deposits, (i) => credits[i]?.secret ?? 0n),
    depositChoice: times(shape.deposits, (i) => choice(credits[i]?.account)),
    requestWord: times(shape.requests, (i) => requestWord(requests[i], trace)),
    requestSerial: times(shape.requests, (i) => requests[i]?.serial ?? 0n),
    requestChoice: times(shape.requests, (i) => choice(requests[i]?.account)),
    withdrawalWord: times(shape.withdrawals, (i) => {
      const w = trace.payouts[i]
      return w === undefined ? [0n, 0n, 0n] : [BigInt(w.token), w.amount, w.to]
    }),
    withdrawalStamp: times(shape.withdrawals, (i) => trace.payouts[i]?.stamp ?? 0n),
    withdrawalChoice: times(shape.withdrawals, (i) => choice(trace.payouts[i]?.account)),
    rotationIsUsed: times(shape.rotations, (i) => bool(rotations[i] !== undefined)),
    rotationX: times(shape.rotations, (i) => rotations[i]?.run?.rotation?.key.x ?? 0n),
    rotationY: times(shape.rotations, (i) => rotations[i]?.run?.rotation?.key.y ?? 0n),
    rotationChoice: times(shape.rotations, (i) => choice(rotations[i]?.index)),
  }
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
