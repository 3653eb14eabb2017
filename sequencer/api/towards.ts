/**
 * How many proposals may be open towards one account, whoever makes them. It is asked before a proposal is
 * recorded, so a journal means what it meant; what was taken once stays until it ends.
 */
import type { House } from '../house.ts'
import { isOver } from '../ticket.ts'
import { ApiError } from './errors.ts'
import { UnderWay } from './under-way.ts'

type Asked = {
  readonly desk: Pick<House['desk'], 'openTowards'>
  /** Time in seconds. */
  readonly conditions: () => { readonly time: bigint }
}

export class ProposalsTowards {
  private readonly house: () => Asked
  private readonly most: number
  /** By counterparty, the proposers whose proposals are being recorded. */
  private readonly underWay = new UnderWay<number>()

  constructor(house: () => Asked, limits: { readonly proposals: number }) {
    this.house = house
    this.most = limits.proposals
  }

  /**
   * Throws CounterpartyMustHaveRoom. A proposer has at most as much as it leaves free to everybody, so
   * that it takes about as many accounts to fill the place of one as there is room, and each of few
   * always finds some. The refusal has no number, and none comes before others have taken all but two
   * full proposers' worth: of what is open towards an account in common use it says nothing.
   */
  require(proposer: number, counterparty: number): void {
    const open = this.house().desk.openTowards(counterparty)
    const underWay = this.underWay.of(counterparty)
    // Of fewer than half nobody has more than what is left.
    if (2 * (open.size + underWay.length) < this.most) return
    const { time } = this.house().conditions()
    let all = underWay.length
    let own = underWay.filter((one) => one === proposer).length
    for (const ticket of open) {
      if (isOver(ticket, time)) continue
      all++
      if (ticket.proposer === proposer) own++
    }
    if (own >= this.most - all) throw new ApiError('CounterpartyMustHaveRoom')
  }

  async record<T>(proposer: number, counterparty: number, work: () => Promise<T>): Promise<T> {
    this.require(proposer, counterparty)
    this.underWay.add(counterparty, proposer)
    try {
      return await work()
    } finally {
      this.underWay.end(counterparty, proposer)
    }
  }
}
