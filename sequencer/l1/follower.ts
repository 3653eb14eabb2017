/** The contract's events block by block, each once; what was read stands on blocks that are still there. */
import { Diverged } from '../core.ts'
import type { Chain, Place } from './chain.ts'
import type { Coder } from './ethers.ts'
import { newsOf, NO_NEWS } from './news.ts'
import type { Alarm } from './pool.ts'
import type { L1News } from './words.ts'

export type Followed = {
  readonly chain: Chain
  readonly address: string
  readonly coder: () => Coder
  /** Nothing before it is looked at. */
  readonly firstBlock: number
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
   * What is new in the blocks that count. Throws Diverged when a block that the journal stands on has
   * vanished, NoAgreement while the nodes are silent or contradict each other.
   */
  async news(): Promise<L1News> {
    const { chain, address, coder } = this.followed
    const at = await chain.deep()
    if (at === null) return NO_NEWS
    await this.checkAnchor(at)
    if (at.number < this.nextBlock) return NO_NEWS
    const logs = await chain.logs(address, this.nextBlock, at)
    const events = logs.flatMap((log) => coder().event(log) ?? [])
    const news = newsOf(events)
    this.nextBlock = at.number + 1
    this.looked = at
    // What brings news is recorded with this block; if it is not, resumeAt takes it back.
    if (events.length > 0) this.recorded = at
    return { ...news, nextBlock: this.nextBlock, blockHash: at.hash }
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
