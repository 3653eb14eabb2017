/** The contract's events block by block, each once; what was read stands on blocks that are still there. */
import { Diverged } from '../core.ts'
import { encode, type Plain } from '../journal/codec.ts'
import type { Chain, Log, Place } from './chain.ts'
import type { Coder, Event } from './ethers.ts'
import { newsOf, NO_NEWS } from './news.ts'
import { NoAgreement, type Alarm } from './pool.ts'
import type { L1News } from './words.ts'

/**
 * Bytes of a record that one look takes, tables apart: of those a record has two at most. A block that has
 * more is taken whole: for a record's 16 MB it would have to be of 3.3 billion gas (docs/l1.md).
 */
export const LOOK_BYTES = 1 << 22

export type Followed = {
  readonly chain: Chain
  readonly address: string
  readonly coder: () => Coder
  /** Nothing before it is looked at. */
  readonly firstBlock: number
  readonly lookBytes?: number
  readonly alarm: (alarm: Alarm) => void
}

export class Follower {
  private readonly followed: Followed
  private nextBlock: number
  /** The last block that was looked at, and the last one that the journal stands on. */
  private looked: Place | null = null
  private recorded: Place | null = null

  constructor(followed: Followed) {
    this.followed = followed
    this.nextBlock = followed.firstBlock
  }

  /** Goes on from the first block that an earlier run has not looked at; the hash is of the one before. */
  resumeAt(block: number, hash?: string): void {
    this.nextBlock = Math.max(block, this.followed.firstBlock)
    this.looked = this.recorded = hash === undefined ? null : { number: block - 1, hash }
  }

  /**
   * What is new in the blocks that count, or the part of it that a record holds: `isPart`, and the next look
   * goes on behind it. Throws Diverged when a block that the journal stands on has vanished, NoAgreement
   * while the nodes are silent or contradict each other.
   */
  async news(): Promise<L1News> {
    const { chain } = this.followed
    const at = await chain.deep()
    if (at === null) return NO_NEWS
    await this.checkAnchor(at)
    if (at.number < this.nextBlock) return NO_NEWS
    const { events, last } = await this.read(at)
    const end = last === at.number ? at : await chain.block(last)
    // Asked last: whatever came before belongs to its fork.
    const now = await chain.block(at.number)
    if (now.hash !== at.hash)
      throw new NoAgreement(`L1: block ${at.number} changed while its events were read`)
    const news = newsOf(events)
    const latest = last < at.number && news.tables.length > 0 ? await this.latestTable(at) : null
    this.nextBlock = last + 1
    this.looked = end
    // What brings news is recorded with this block; if it is not, resumeAt takes it back.
    if (events.length > 0) this.recorded = end
    return {
      ...news,
      nextBlock: this.nextBlock,
      blockHash: end.hash,
      ...(last < at.number ? { isPart: true } : {}),
      ...(latest === null ? {} : { latestTable: latest }),
    }
  }

  /** Whole blocks up to `at`, or up to what a record holds, or to where the nodes stop to answer. */
  private async read({
    number,
  }: Place): Promise<{ readonly events: readonly Event[]; readonly last: number }> {
    const { chain, address, coder, lookBytes = LOOK_BYTES } = this.followed
    const events: Event[] = []
    let bytes = 0
    for (let next = this.nextBlock; next <= number;) {
      const answer = await chain.logs(address, next, number).catch((error: unknown) => {
        // Else a stretch that nodes answer by small parts alone would be begun again and again.
        if (!(error instanceof NoAgreement) || next === this.nextBlock) throw error
        return null
      })
      if (answer === null) return { events, last: next - 1 }
      for (const { block, logs } of byBlock(answer.logs)) {
        const found = logs.flatMap((log) => coder().event(log) ?? [])
        const more = bytesOf(found)
        if (events.length > 0 && bytes + more > lookBytes) return { events, last: block - 1 }
        events.push(...found)
        bytes += more
      }
      next = answer.last + 1
    }
    return { events, last: number }
  }

  private async latestTable(at: Place): Promise<bigint> {
    const { chain, address, coder } = this.followed
    const data = coder().encode('tableNumber')
    return coder().decode('tableNumber', await chain.call({ to: address, data }, at)) as bigint
  }

  private async checkAnchor(at: Place): Promise<void> {
    const { chain, firstBlock, alarm } = this.followed
    const isThere = async ({ number, hash }: Place): Promise<boolean> =>
      number > at.number ? false : (await chain.block(number)).hash === hash
    const { looked, recorded } = this
    // A head that went back a little says nothing yet: the blocks may come again.
    if (looked === null || looked.number > at.number || (await isThere(looked))) return
    const detail = `block ${looked.number} is another one than before, deeper than ${chain.confirmations} confirmations`
    alarm({ what: 'l1Reorg', detail })
    if (recorded !== null && !(await isThere(recorded)))
      throw new Diverged(
        `L1 was reorganised below block ${recorded.number} (${recorded.hash}), on which the journal ` +
          `stands: deeper than ${chain.confirmations} confirmations`,
      )
    // Nothing was recorded from the blocks that vanished: they are read again.
    this.nextBlock = recorded === null ? firstBlock : recorded.number + 1
    this.looked = recorded
  }
}

function byBlock(logs: readonly Log[]) {
  const blocks = new Map<number, Log[]>()
  for (const log of logs) {
    const those = blocks.get(log.blockNumber)
    if (those === undefined) blocks.set(log.blockNumber, [log])
    else those.push(log)
  }
  return [...blocks].map(([block, those]) => ({ block, logs: those }))
}

/** What the journal takes for it, without rows of tables. */
function bytesOf(events: readonly Event[]): number {
  return events.length === 0 ? 0 : encode(newsOf(events) as unknown as Plain).length
}
