/** A file's own oracle, house and five signers: each test begins where the first table has been confirmed. */
import { afterAll, afterEach, beforeEach } from 'vitest'
import type { Peer } from '../../oracle/collector/gather.ts'
import { confirmTable, postTable } from '../../oracle/collector/rounds.ts'
import { tendSettlement } from '../../oracle/collector/settle.ts'
import { RECORDED_INDEX as INDEX } from '../../oracle/day-2020-03-12.ts'
import { instrumentsBytes, type InstrumentSpec } from '../../oracle/signer/engine.ts'
import { settlementDigest, type SettlementReport } from '../../oracle/signer/report.ts'
import { settlementReportOf, type SettlementDocument } from '../../oracle/signer/settlement.ts'
import type { SignerOptions } from '../../oracle/signer/signer.ts'
import { now, provider, send } from '../contracts/l1.ts'
import { DATED } from '../contracts/oracle-market.ts'
import {
  KEYS,
  signaturesOf,
  TIMING,
  wait,
  WORLDS,
  type OracleWorld,
} from '../contracts/oracle-world.ts'
import { CALM, startFive, startLiar, startSigner, type Node, type Prices } from './signers.ts'

export { INDEX }
export const WINDOW = Number(TIMING.settlementWindow)

/** What was seen and signed in one test must not be known in the next, whose seconds are the same. */
export function forget({ signer }: Node): void {
  const kept = signer as unknown as { looks: Map<number, unknown>; memory: object }
  ;(signer.log as unknown as { samples: Map<string, unknown> }).samples.clear()
  kept.looks.clear()
  kept.memory = { time: '0', digest: '' }
}

/** One of these instruments expires then, at averages of the index; the others live on. */
export function oneExpiring(id: number, at: bigint): readonly InstrumentSpec[] {
  return DATED.map((spec) => {
    if (!('expiry' in spec)) return spec
    const settlement = { source: INDEX, windowSeconds: WINDOW }
    const expiry = Number(at) + (spec.id === id ? 0 : 40_000_000)
    return { ...spec, expiry, settlement } as InstrumentSpec
  })
}

type Answer = Parameters<typeof startLiar>[1]

/** Those that answer as they like; closed at the end of the test. */
function liarsBeside(nodes: readonly Node[], toClose: (() => unknown)[]) {
  async function liarOf(...given: Parameters<typeof startLiar>): Promise<Peer> {
    const made = await startLiar(...given)
    toClose.push(made.close)
    return made
  }
  const liar = (i: number, answer: Answer) => liarOf(KEYS[i]!, answer)
  /** What node `i` answers, whether it refuses or not. */
  async function rawOf(i: number, path: string, body: unknown): Promise<Record<string, unknown>> {
    const headers = { 'content-type': 'application/json' }
    const post = { method: 'POST', body: JSON.stringify(body), headers }
    const response = await fetch(`${nodes[i]!.url}${path}`, body === null ? {} : post)
    return (await response.json()) as Record<string, unknown>
  }
  /** The others, and in the place of node `i` one that changes what that says. */
  async function withLiarAt(
    i: number,
    lie: (path: string, said: Record<string, unknown>) => unknown,
  ): Promise<readonly Peer[]> {
    const made = await liar(i, async (path, body) => lie(path, await rawOf(i, path, body)))
    return nodes.map((node, at) => (at === i ? made : node))
  }
  return { liarOf, liar, rawOf, withLiarAt }
}

/** Settlements that come about as they should, and those that a quorum signs whatever anybody saw. */
function settlementsOf(
  specs: readonly InstrumentSpec[],
  { world, nodes, options }: Awaited<ReturnType<typeof startFive>>,
) {
  const signedBy = (count: number, digest: string) => signaturesOf(digest, KEYS.slice(0, count))
  /** The first settlement of these ids at these prices, whatever anybody saw. */
  function settlementAt(
    ids: readonly number[],
    window: readonly [number, number],
    document: SettlementDocument,
  ): { readonly report: SettlementReport; readonly digest: string } {
    const report = settlementReportOf(specs, { serial: 1n, ids, settled: [], document, window })
    return { report, digest: settlementDigest(world.domain, report) }
  }
  /** These many signers propose it. */
  async function settleAs(
    count: number,
    ...terms: Parameters<typeof settlementAt>
  ): Promise<SettlementReport> {
    const { report, digest } = settlementAt(...terms)
    await send(world.anyone, world.oracle, 'settle', report, signedBy(count, digest))
    return report
  }
  const tend = (peers: readonly Peer[] = nodes) => tendSettlement({ ...options, peers }, WINDOW)
  async function proposed(peers?: readonly Peer[]): Promise<SettlementReport> {
    const tended = await tend(peers)
    if (tended.did !== 'proposed') throw new Error(tended.did)
    return tended.report
  }
  return { signedBy, settlementAt, settleAs, tend, proposed }
}

export async function fiveSigners(
  specs: readonly InstrumentSpec[],
  more?: (world: OracleWorld) => Partial<SignerOptions>,
) {
  let clock = 0
  const documents = { worlds: WORLDS, instruments: instrumentsBytes(specs) }
  const five = await startFive(specs, documents, () => clock, more)
  const { world, nodes, options } = five
  const toClose: (() => unknown)[] = []

  /** Signers and their sources learn the time of the chain, or another. */
  async function look(prices: Prices = CALM, time?: number): Promise<void> {
    clock = time ?? Number(await now())
    for (const node of nodes) node.see(prices, clock)
  }
  /** Signers remember what they signed: where a test puts the chain back, their clock goes on. */
  async function pass(seconds: bigint, prices?: Prices): Promise<void> {
    const [base, last] = [await now(), BigInt(clock)]
    await wait((base > last ? base : last) + seconds - base)
    await look(prices)
  }
  async function goTo(time: bigint, prices?: Prices): Promise<void> {
    await wait(time - (await now()))
    await look(prices)
  }
  async function another(i: number, change: Partial<SignerOptions> = {}): Promise<Node> {
    const node = await startSigner(world.domain, KEYS[i]!, () => clock, documents, change)
    toClose.push(node.close)
    return node
  }
  await look()
  const { report } = await postTable(options)
  await pass(60n)
  await confirmTable(options, report)
  let start = (await provider.send('evm_snapshot', [])) as string
  beforeEach(async () => {
    await provider.send('evm_revert', [start])
    start = (await provider.send('evm_snapshot', [])) as string
    for (const node of nodes) forget(node)
    clock = 0
    // A block of its own: until one comes, the chain's clock runs with the machine's from the snapshot on.
    await pass(60n)
  })
  afterEach(async () => {
    for (const close of toClose.splice(0)) await close()
  })
  afterAll(async () => {
    for (const node of nodes) await node.close()
  })
  return {
    world,
    nodes,
    options,
    documents,
    clock: () => clock,
    ...{ look, pass, goTo, another },
    ...liarsBeside(nodes, toClose),
    ...settlementsOf(specs, five),
  }
}
