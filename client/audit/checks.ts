/** What an audit has found so far: each check held, failed, or could not be made. */

import { ReadError } from '../l1/rpc.ts'

export type Section = 'state' | 'record' | 'code' | 'keys' | 'proofs' | 'vault'
export type Check = {
  readonly section: Section
  readonly name: string
  readonly status: 'held' | 'failed' | 'unread'
  readonly detail: string
}
/** Quiet checks that hold are counted, not listed: there may be thousands of them. */
export type Loudness = { readonly quiet?: boolean }

export class Checks {
  readonly list: Check[] = []
  readonly quietlyHeld = new Map<Section, number>()

  held(section: Section, name: string, detail: string, { quiet = false }: Loudness = {}): void {
    if (quiet) this.quietlyHeld.set(section, (this.quietlyHeld.get(section) ?? 0) + 1)
    else this.list.push({ section, name, status: 'held', detail })
  }
  failed(section: Section, name: string, detail: string): void {
    this.list.push({ section, name, status: 'failed', detail })
  }
  unread(section: Section, name: string, detail: string): void {
    this.list.push({ section, name, status: 'unread', detail })
  }
  /** Null, and a check that could not be made, where L1 does not answer to the question. */
  async attempt<T>(section: Section, name: string, ask: () => Promise<T>): Promise<T | null> {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof ReadError)) throw error
      this.unread(section, name, error.message)
      return null
    }
  }
  expect(
    section: Section,
    name: string,
    holds: boolean,
    ifHeld: string,
    ifNot: string,
    loudness: Loudness = {},
  ): boolean {
    if (holds) this.held(section, name, ifHeld, loudness)
    else this.failed(section, name, ifNot)
    return holds
  }
  has(status: Check['status']): boolean {
    return this.list.some((check) => check.status === status)
  }
}
