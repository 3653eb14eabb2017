/** A house whose members do things by chance: who there is, whom chance picks, what they trade. */
import { createHash } from 'node:crypto'
import { STATUS } from '../../circuits/params.ts'
import type { SigningKey } from '../../circuits/eddsa.ts'
import { statusOf } from '../../circuits/exit.ts'
import type { Page } from '../../circuits/page.ts'
import { House, type Member } from './house.ts'

/** A stream of numbers from a seed: a history can be run again. */
function randomOf(seed: string): (below: number) => number {
  let count = 0
  return (below) =>
    createHash('sha256').update(`${seed}/${count++}`).digest().readUInt32LE(0) % below
}

export class RandomHouse {
  readonly house: House
  readonly random: (below: number) => number
  /** The id of the instrument that is listed when the next one settles. */
  settledWindow = 2000
  /** The rows before a crash. */
  calm: House['rows'] | null = null
  /** Of the member that rotates on L1. */
  keyBefore: SigningKey | null = null

  constructor(seed: string) {
    this.random = randomOf(seed)
    this.house = new House(seed)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.random(list.length)] as T
  }

  two(): [Member, Member] {
    const members = this.trading()
    const i = this.random(members.length)
    const j = (i + 1 + this.random(members.length - 1)) % members.length
    return [members[i] as Member, members[j] as Member]
  }

  active(): Member[] {
    return this.house.members.filter((m) => this.house.accounts.has(m.index))
  }

  statusOf(m: Member): number {
    return statusOf(this.house.accounts.get(m.index)?.meta ?? 0n)
  }

  isExiting(m: Member): boolean {
    return this.statusOf(m) === STATUS.exiting
  }

  isBound(m: Member): boolean {
    return this.statusOf(m) !== STATUS.active
  }

  trading(): Member[] {
    return this.active().filter((m) => !this.isBound(m))
  }

  clear(): void {
    for (const m of this.house.members) {
      m.pending = []
      delete m.rotation
    }
  }

  future(): number {
    return this.pick(this.house.rows.filter((r) => r.id >= 1024).map((r) => r.id))
  }

  mark(id: number): bigint {
    return this.house.rows.find((r) => r.id === id)?.values[0] ?? 0n
  }

  trade(legs = 1): [Page, Page] {
    const [a, b] = this.two()
    const ids = [...new Set(Array.from({ length: legs }, () => this.future()))]
    return this.house.trade(
      a,
      b,
      ids.map((instrument) => ({
        instrument,
        quantity: BigInt(1 + this.random(5)) * (this.random(2) === 0 ? 1n : -1n),
        price: this.mark(instrument) + BigInt(this.random(1000)),
      })),
    )
  }
}
