/** Members on a network that loses, doubles and delays; each remembers what it asked for and was told. */
import { depositCommitment, viewKeyHash } from '../../../circuits/account.ts'
import { eighthOf, sign, signingKey, type SigningKey } from '../../../circuits/eddsa.ts'
import { counterPage, headAfter, stampOf, type Entry, type Page } from '../../../circuits/page.ts'
import type { SignedPage } from '../../../sequencer/admission.ts'
import type { House } from '../../../sequencer/house.ts'
import { pageId } from '../../../sequencer/resign.ts'
import type { Ticket } from '../../../sequencer/ticket.ts'
import { FEE, FUTURE } from './settings.ts'
import type { World } from './world.ts'

export type Trade = {
  readonly buyer: number
  readonly seller: number
  readonly entries: readonly Entry[]
}
/** What members know, without looking at any state of the house. */
export class Memory {
  /** By proposer and client id. */
  readonly asked = new Map<string, Trade>()
  /** Tickets of which the house said that both pages are admitted. */
  readonly acknowledged = new Map<string, string>()
  /** Names of single pages that were admitted, with the L1 address that each pays to. */
  readonly withdrawals = new Map<
    string,
    { readonly account: number; readonly to: bigint; readonly amount: bigint }
  >()
  readonly deposits = new Map<bigint, { readonly account: number; readonly amount: bigint }>()
}
class Lost extends Error {}

export class SimMember {
  readonly account: number
  private readonly world: World
  private readonly memory: Memory
  private readonly key: SigningKey
  private readonly viewKey: bigint
  private readonly pages = new Map<bigint, Page>()
  private count = 0
  private proposing: { clientId: string; entries: readonly Entry[]; counterparty: number } | null =
    null
  private withdrawing: SignedPage | null = null

  constructor(world: World, memory: Memory, index: number) {
    this.world = world
    this.memory = memory
    this.account = 16 + index
    this.key = signingKey(new Uint8Array(32).fill(index + 1))
    this.viewKey = BigInt(1000 + index)
  }

  /** There and back: either way may be lost, or the message come twice. */
  private async call<T>(work: (house: House) => Promise<T>): Promise<T> {
    const { world } = this
    await world.wait(1 + world.random(400))
    if (world.fault(12)) {
      world.counts.lost++
      throw new Lost('the request')
    }
    if (world.fault(10)) {
      world.counts.doubled++
      void world.wait(world.random(5_000)).then(() => {
        const { house } = world
        if (house !== null) return work(house).catch(() => {})
        return undefined
      })
    }
    const { house } = world
    if (house === null) throw new Lost('the connection')
    const answer = await Promise.race([work(house), world.wait(10_000).then(() => null)])
    if (answer === null) throw new Lost('patience')
    await world.wait(1 + world.random(400))
    if (world.fault(12)) throw new Lost('the answer')
    return answer
  }

  /** Registers, pays in, and trades for ever. */
  async live(others: () => readonly SimMember[]): Promise<void> {
    const { world } = this
    const hash = viewKeyHash(this.viewKey)
    const key = eighthOf(this.key)
    await this.until(() =>
      this.call((house) => house.countersign(`0x${'11'.repeat(20)}`, key, this.viewKey)),
    )
    world.chain.register(this.account, this.account - 16, key, hash)
    // Enough for some trades, so that a table may leave pages that cannot settle any more.
    const amount = BigInt(60 + world.random(200)) * 1_000_000n
    await this.payIn(BigInt(this.account), amount)
    for (;;) {
      await world.wait(2_000 + world.random(4_000))
      await this.turn(others()).catch((error: unknown) => {
        if (!(error instanceof Lost)) this.refused(error as Error)
      })
    }
  }

  /** A house that says no, or dies over it, is no fault of the simulation. */
  private refused(error: Error): void {
    if (/must|Must|table|journal|signed|ENOSPC|closed/.test(error.message)) return
    this.world.break(`a member got ${error.stack ?? error.message}`)
  }

  private async until(work: () => Promise<unknown>): Promise<void> {
    for (;;) {
      if (
        await work().then(
          () => true,
          () => false,
        )
      )
        return
      await this.world.wait(1_000)
    }
  }

  private async payIn(secret: bigint, amount: bigint): Promise<void> {
    const id = BigInt(this.memory.deposits.size + 1)
    this.memory.deposits.set(id, { account: this.account, amount })
    this.world.chain.deposit(id, 1, amount, depositCommitment(this.account, secret))
    await this.until(() =>
      this.call(async (house) => {
        await house.showDeposit(this.account, secret)
        return true
      }),
    )
  }

  private async turn(others: readonly SimMember[]): Promise<void> {
    const { world } = this
    const view = await this.call(async (house) => {
      await house.open()
      if (house.ledger.accounts.get(this.account) === undefined) return { isThere: false as const }
      const { resigning } = house.desk
      if (resigning.isUnaware(this.account))
        await house.submit({ kind: 'told', account: this.account })
      return {
        isThere: true as const,
        head: house.ledger.headOf(this.account) as bigint,
        wanted: resigning.wanted(this.account),
        tickets: house.desk.ticketsOf(this.account).map((ticket) => ({ ...ticket })),
      }
    })
    if (!view.isThere) return
    if (view.wanted.length > 0) return this.resign(view.wanted, view.head)
    const stamped = view.tickets.filter(({ state }) => state === 'stamped')
    // In the one order that all journals follow: whoever waits for a later one would wait in a ring.
    const [next] = stamped.sort((a, b) => (a.stamp < b.stamp ? -1 : 1))
    if (next !== undefined) return this.signTrade(next, view.head)
    const offered = view.tickets.find(
      (t) => t.state === 'proposed' && t.counterparty === this.account,
    )
    if (offered !== undefined) {
      await this.call((house) => house.affirm(this.account, offered.id))
      return
    }
    if (this.proposing !== null || (!world.isCalm && world.chance(2))) return this.propose(others)
    if (!world.isCalm && world.chance(15))
      await this.payIn(BigInt(world.random(1 << 30)), BigInt(1 + world.random(90)) * 1_000_000n)
    if (this.withdrawing !== null || (!world.isCalm && world.chance(12)))
      return this.withdraw(view.head)
  }

  private async propose(others: readonly SimMember[]): Promise<void> {
    const { world } = this
    const rest = others.filter((one) => one !== this)
    this.proposing ??= {
      clientId: `c${++this.count}`,
      counterparty: (rest[world.random(rest.length)] as SimMember).account,
      entries: [{ instrument: FUTURE, quantity: BigInt(1 + world.random(3)), price: 50_000_000n }],
    }
    const { clientId, counterparty, entries } = this.proposing
    const trade = { buyer: this.account, seller: counterparty, entries }
    this.memory.asked.set(`${this.account} ${clientId}`, trade)
    // A doubled message would draw from the seed at another time otherwise.
    const chance = {
      clientId,
      counterparty,
      entries,
      payload: BigInt(this.account * 1000 + this.count),
    }
    await this.call((house) => house.propose(this.account, chance))
    this.proposing = null
  }

  private signed(page: Page, previousHead: bigint): SignedPage {
    this.pages.set(pageId(page), page)
    return { page, previousHead, signature: sign(this.key, headAfter(previousHead, page)) }
  }

  private async signTrade(ticket: Ticket, head: bigint): Promise<void> {
    const page: Page = {
      kind: 'trade',
      account: ticket.proposer,
      counterparty: ticket.counterparty,
      stamp: ticket.stamp,
      maxFee: FEE,
      payload: ticket.payload,
      entries: ticket.entries,
    }
    const own = ticket.proposer === this.account ? page : counterPage(page, FEE)
    const signed = this.signed(own, head)
    await this.call(async (house) => {
      const said = await house.ask({ kind: 'page', ticket: ticket.id, signed })
      // From here on the house is bound by it, whether the answer arrives or not.
      if ('head' in said && said.complete)
        this.memory.acknowledged.set(ticket.id, `${ticket.proposer} ${ticket.clientId}`)
      return said
    })
  }

  private async resign(wanted: readonly bigint[], from: bigint): Promise<void> {
    let head = from
    const pages = wanted.flatMap((id) => {
      const page = this.pages.get(id)
      if (page === undefined) return []
      const signed = this.signed(page, head)
      head = headAfter(head, page)
      return [signed]
    })
    await this.call((house) => house.submit({ kind: 'resigned', account: this.account, pages }))
  }

  private async withdraw(head: bigint): Promise<void> {
    const to = BigInt(this.account) * 1_000_000n + BigInt(++this.count)
    const amount = BigInt(1 + this.world.random(9)) * 1_000_000n
    this.withdrawing ??= this.signed(
      {
        kind: 'withdrawal',
        account: this.account,
        counterparty: 0,
        stamp: stampOf(BigInt(Math.floor(Date.now() / 1000)), 0n),
        maxFee: FEE,
        payload: to,
        entries: [{ instrument: 1, quantity: -amount, price: 0n }],
      },
      head,
    )
    const signed = this.withdrawing
    const { payload, entries } = signed.page
    await this.call(async (house) => {
      // The address is of this withdrawal alone: as good a name as any.
      const said = await house.ask({ kind: 'page', clientId: `w${payload}`, ticket: null, signed })
      if ('head' in said)
        this.memory.withdrawals.set(`s-${this.account}-${said.head}`, {
          account: this.account,
          to: payload,
          amount: -(entries[0] as Entry).quantity,
        })
      return said
    })
    this.withdrawing = null
  }
}
