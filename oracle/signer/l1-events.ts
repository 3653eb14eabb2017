/**
 * What a signer knows of L1: the oracle's events, asked of the node until enough blocks stand on them and
 * remembered from then on. One reader serves everything that a signer reads there.
 */
import type { AbstractProvider } from '../ethers.ts'
import {
  eventsOf,
  historyIn,
  oracleAt,
  oracleInterface,
  requireContract,
  type ChainEvent,
  type History,
} from '../verify/chain.ts'
import { KEEP_SECONDS } from './look.ts'
import { stringify } from './report.ts'

/** Two epochs of Ethereum. What is nearer to the head is asked for anew each time. */
export const CONFIRMED_DEPTH = 64
/** A day of blocks of twelve seconds: so long lasts what a node told twice alike and is not so. */
export const REREAD_BLOCKS = 7_200

/** The node contradicts itself or what it has said before: nothing is signed by its word. */
export class UnreliableNode extends Error {}

type Stretch = {
  /** The last block of it, and its hash. */
  readonly until: number
  readonly hash: string
  readonly events: readonly ChainEvent[]
}
type Memory = Stretch & {
  /** The head when all of it was last read. */
  readonly readAt: number
  /** Tables that nobody asks for any more have been left out. */
  readonly isTrimmed: boolean
}
/** What was read behind a memory once: remembered when a later look says the same. */
type Seen = Stretch & { readonly after: Memory | null; readonly head: number }

export class OracleEvents {
  private readonly provider: AbstractProvider
  private readonly address: string
  private readonly depth: number
  private memory: Memory | null = null
  private seen: Seen | null = null

  constructor(provider: AbstractProvider, address: string, depth = CONFIRMED_DEPTH) {
    this.provider = provider
    this.address = address
    this.depth = depth
  }

  /**
   * Everything up to the node's head, but for tables that are older than KEEP_SECONDS. Throws
   * UnreliableNode where the node is behind what it has shown, or shows fewer events than the contract has.
   */
  async read(): Promise<History> {
    const { memory } = this
    const head = await this.provider.getBlockNumber()
    if (memory !== null && head < memory.until)
      throw new UnreliableNode(
        `L1 must be at block ${memory.until}, which it had; it is at ${head}`,
      )
    const isDue = memory !== null && head - memory.readAt >= REREAD_BLOCKS
    if (memory !== null && !isDue) {
      const found = await this.readAfter(memory, head)
      if (found !== null) return found
      if (this.memory === memory) this.memory = null
    }
    await requireContract(this.provider, this.address)
    const found = await this.readAfter(null, head)
    if (found === null)
      throw new UnreliableNode(`L1 must show every event that its contract has had by ${head}`)
    return found
  }

  /** The same with the oldest tables; what is remembered may lack them. */
  async readWhole(): Promise<History> {
    const history = await this.read()
    if (this.memory?.isTrimmed !== true) return history
    return historyIn(await eventsOf(this.provider, this.address))
  }

  /** Null where what is remembered is not of this chain, or lacks something. */
  private async readAfter(memory: Memory | null, head: number): Promise<History | null> {
    const from = memory === null ? 0 : memory.until + 1
    const until = head - this.depth
    // Before the events: if these are of another chain, the next look finds another hash.
    const hash = until < from ? null : await this.hashOf(until)
    const fresh = await eventsOf(this.provider, this.address, oracleInterface, [from, head])
    // After them: what is behind this block has not changed up to here.
    if (memory !== null && (await this.hashOf(memory.until)) !== memory.hash) return null
    const history = historyIn([...(memory?.events ?? []), ...fresh])
    if (!(await this.isWhole(history, head))) return null
    // A number that is missing is no reason to believe less of the rest, but none to remember it.
    if (hash !== null && isWithoutGap(history))
      this.remember(memory, { until, hash, head, events: fresh })
    return history
  }

  private async hashOf(block: number): Promise<string | null> {
    return (await this.provider.getBlock(block))?.hash ?? null
  }

  /** The contract itself knows its last table, and the last settlement that was proposed. */
  private async isWhole({ tables, proposals }: History, head: number): Promise<boolean> {
    const oracle = oracleAt(this.address, this.provider)
    const view = (name: string): Promise<unknown> =>
      oracle.getFunction(name)({ blockTag: head }) as Promise<unknown>
    const [latest, digest, pending] = await Promise.all(
      ['latest', 'latestDigest', 'pendingSettlement'].map(view),
    )
    const [number, , isConfirmed] = latest as readonly [bigint, bigint, boolean]
    const [serial, , isPending] = pending as readonly [bigint, bigint, boolean]
    const [table, proposal] = [tables.at(-1), proposals.at(-1)]
    const hasTable =
      table === undefined
        ? number === 0n
        : table.number === number && table.isConfirmed === isConfirmed && table.digest === digest
    const hasProposal =
      proposal === undefined
        ? serial === 0n
        : proposal.report.serial === serial && (proposal.state === 'pending') === isPending
    return hasTable && hasProposal
  }

  /** Said once it may be a slip of the node, which would last: only what a later head says as well is kept. */
  private remember(
    memory: Memory | null,
    { until, hash, head, events }: Stretch & { readonly head: number },
  ): void {
    const { seen } = this
    const isOfSeen = seen !== null && seen.after === memory
    if (isOfSeen && head <= seen.head) return
    const upTo = (block: number) => events.filter((one) => one.block <= block)
    const isSaidTwice = isOfSeen && stringify(upTo(seen.until)) === stringify(seen.events)
    if (!isSaidTwice) {
      this.seen = { after: memory, until, hash, head, events: upTo(until) }
      return
    }
    const kept = trimmed([...(memory?.events ?? []), ...seen.events])
    this.memory = {
      until: seen.until,
      hash: seen.hash,
      events: kept.events,
      readAt: memory?.readAt ?? head,
      isTrimmed: kept.isTrimmed || memory?.isTrimmed === true,
    }
    const rest = upTo(until).filter(({ block }) => block > seen.until)
    this.seen = { after: this.memory, until, hash, head, events: rest }
  }
}

/** Another oracle may have posted to the house in between, so that a gap is nobody's lie. */
function isWithoutGap({ tables }: History): boolean {
  return tables.every(({ number }, i) => i === 0 || number === (tables[i - 1]?.number ?? 0n) + 1n)
}

/** Without the tables before KEEP_SECONDS, but for the last confirmed one and all after it. */
function trimmed(events: readonly ChainEvent[]): {
  readonly events: readonly ChainEvent[]
  readonly isTrimmed: boolean
} {
  const { tables } = historyIn(events)
  const last = tables.findLast(({ isConfirmed }) => isConfirmed)
  if (last === undefined) return { events, isTrimmed: false }
  const since = last.time - BigInt(KEEP_SECONDS)
  const first = tables.find(({ number, time }) => time >= since || number === last.number)
  const from = first?.number ?? 0n
  const isGone = ({ name, args }: ChainEvent) =>
    (name === 'Reported' || name === 'Confirmed') && (args['number'] as bigint) < from
  const kept = events.filter((one) => !isGone(one))
  return { events: kept, isTrimmed: kept.length < events.length }
}
