/** What an audit has found so far: each check held, failed, or could not be made. */

export type Section = 'state' | 'record' | 'keys' | 'proofs' | 'vault'
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
  expect(section: Section, name: string, holds: boolean, ifHeld: string, ifNot: string, loudness: Loudness = {}): boolean {
    if (holds) this.held(section, name, ifHeld, loudness)
    else this.failed(section, name, ifNot)
    return holds
  }
  has(status: Check['status']): boolean {
    return this.list.some((check) => check.status === status)
  }
}
