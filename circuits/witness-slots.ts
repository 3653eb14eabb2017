/** The slots of the batch circuit, filled from a trace: accounts, pages, edges, rescues, exits. */
import { CASH_ID, PAGE_KIND, REQUEST_KIND, SLOT_COUNT, WORLD_COUNT, type Shape } from './params.ts'
import { slotsOf, type Account } from './account.ts'
import type { BatchTrace, L1Request, MemberStep } from './batch.ts'
import { BASE } from './eddsa.ts'
import { CAPS } from './exit.ts'
import { mod } from './field.ts'
import { CALL_FROM, isCall, RELEASE_FROM } from './flag.ts'
import { bitsOf, times } from './lists.ts'
import { entriesOf, PADDING, paddingHead, type Page } from './page.ts'
import type { RowInputs } from './rows.ts'

/** A member slot; without a step it is padding, an empty leaf. */
export type MemberSlot = { readonly index: number; readonly step: MemberStep | null }

export const bool = (value: boolean): bigint => (value ? 1n : 0n)

const PADDING_HEAD = paddingHead()

export function pageInputs(shape: Shape, trace: BatchTrace) {
  if (trace.pages.length > shape.pages)
    throw new Error(`witness: ${trace.pages.length} pages do not fit shape ${shape.name}`)
  const padded = times(
    shape.pages,
    (i) =>
      trace.pages[i] ?? {
        page: PADDING,
        previousHead: 0n,
        head: PADDING_HEAD,
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

export function accountInputs(slots: readonly MemberSlot[]) {
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
    isPaid: of((s) => bool((s.forced?.amount ?? 0n) !== 0n), 0n),
    flagChange: of((s) => (s.flag === null ? 0n : mod(s.flag.meta - (s.before?.meta ?? 0n))), 0n),
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
export function rescueInputs(shape: Shape, slots: readonly MemberSlot[]) {
  const rescued = slots.flatMap(({ step }) => (step?.isRescue ? [step] : []))
  if (rescued.length > shape.rescues)
    throw new Error(`witness: ${rescued.length} rescues do not fit shape ${shape.name}`)
  const zeros = Array<bigint>(WORLD_COUNT).fill(0n)
  const at = times(shape.rescues, (k) => rescued[k])
  const call = at.map((r) =>
    r !== undefined && r.flag !== null && isCall(r.flag.step) ? r.flag : null,
  )
  return {
    rescueChoice: at.map((r) => slots.map(({ step }) => bool(r !== undefined && step === r))),
    isWorse: at.map((r) => r?.isWorse.map(bool) ?? zeros),
    oldWorth: at.map((r) => r?.oldWorth.map(mod) ?? zeros),
    callStep: call.map((flag) => CALL_FROM.map((from) => bool(flag?.from === from))),
    callWorld: call.map((flag) => times(WORLD_COUNT - 1, (s) => bool(flag?.world === s + 1))),
  }
}

/** The accounts that become ACTIVE again, one a slot. */
export function releaseInputs(shape: Shape, slots: readonly MemberSlot[]) {
  const released = slots.flatMap(({ step }) => (step?.flag?.step === 'release' ? [step] : []))
  if (released.length > shape.releases)
    throw new Error(`witness: ${released.length} releases do not fit shape ${shape.name}`)
  const at = times(shape.releases, (k) => released[k])
  return {
    releaseChoice: at.map((r) => slots.map(({ step }) => bool(r !== undefined && step === r))),
    releaseStep: at.map((r) => RELEASE_FROM.map((from) => bool(r?.flag?.from === from))),
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

export function edgeInputs(shape: Shape, trace: BatchTrace, slots: readonly MemberSlot[]) {
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

/** Forced exits by slot: the request, the cap that binds, the world and the row that show it. */
export function forcedInputs(shape: Shape, trace: BatchTrace, rows: RowInputs) {
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

export function reductionInputs(shape: Shape, slots: readonly MemberSlot[]) {
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

export function reductionWords(r: ReturnType<typeof reductionInputs>): readonly bigint[] {
  return r.reductionId.map((id, t) =>
    mod(
      id +
        ((r.reductionKept[t] as bigint) << 28n) +
        ((r.reductionClosed[t] as bigint) << 84n) +
        ((r.reductionIsShort[t] as bigint) << 140n),
    ),
  )
}
