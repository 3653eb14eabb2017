/**
 * How many pages of one account may wait for a batch, or to be signed anew. It is asked before a page is
 * recorded: what was taken once stays, is signed anew after a cut, and settles, however many wait.
 */
import type { Ledger } from '../ledger.ts'
import type { Ticket } from '../ticket.ts'
import { ApiError, Refused } from './errors.ts'
import { UnderWay } from './under-way.ts'

type Most = {
  /** Pages of an account that wait. */
  readonly pages: number
  /** So many more, for withdrawals and rotations: who trades much must still be able to leave. */
  readonly singles: number
}

export class WaitingPages {
  private readonly ledger: () => Ledger
  private readonly most: Most
  /** Of a trade both sides may come at the same time, and are one page of each account. */
  private readonly underWay = new UnderWay<object>()

  constructor(ledger: () => Ledger, most: Most) {
    this.ledger = ledger
    this.most = most
  }

  private countOf(account: number, but: object | null): number {
    const ledger = this.ledger()
    const underWay = new Set(this.underWay.of(account))
    if (but !== null) underWay.delete(but)
    return ledger.pendingOf(account).length + ledger.unsignedOf(account).length + underWay.size
  }

  /** Throws PagesMustBeFew, or of another account what says nothing of it. */
  require(account: number, asker: number, trade: Ticket | null): void {
    const most = this.most.pages + (trade === null ? this.most.singles : 0)
    if (this.countOf(account, trade) < most) return
    if (account === asker) throw new ApiError('PagesMustBeFew', `${most} pages wait`)
    const detail = 'the trade cannot be admitted now'
    throw new Refused({ refused: 'TradeMustBeAdmissible', detail })
  }

  /**
   * Records a page of `account`: a side of this trade of its own, or a withdrawal or rotation (null). Once
   * both sides of a trade have signed both pages wait, and the other page may come in the meantime.
   */
  async record<T>(account: number, trade: Ticket | null, work: () => Promise<T>): Promise<T> {
    const sides = trade === null ? [account] : [trade.proposer, trade.counterparty]
    for (const side of sides)
      if (side === account || trade?.sides.has(side) === true) this.require(side, account, trade)
    const page = trade ?? {}
    for (const side of sides) this.underWay.add(side, page)
    try {
      return await work()
    } finally {
      for (const side of sides) this.underWay.end(side, page)
    }
  }
}
