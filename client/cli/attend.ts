/**
 * `cloister account attend`: a process that stays with an account, tells what happens to it, and signs
 * anew what the house has cut from its journal. It signs nothing else.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HouseError } from '../api.ts'
import type { Told } from '../house-views.ts'
import { ReadError } from '../l1/rpc.ts'
import type { Realigned } from '../member.ts'
import { eventText } from './attend-view.ts'
import { findHouse, type Common, type Result } from './day.ts'
import { Busy, NotYet } from './failures.ts'
import { accountOf } from './keys-on-l1.ts'
import { openStore, Session } from './session.ts'
import type { MemberStore } from './store.ts'

export type AttendOptions = Common & {
  /** One line of what happens: for people, and as JSON. */
  readonly tell: (text: string, json: Readonly<Record<string, unknown>>) => void
  /** Seconds that one request for events waits in the house. */
  readonly wait?: number
  /** Ends it; a signal of the process, unless given. */
  readonly stop?: Promise<void>
}

const WAIT_SECONDS = 20
/** Well below the minute that a house waits for pages to be signed anew: it may be back at any moment. */
const LONGEST_PAUSE_SECONDS = 15
const LOCK_PAUSE_MILLISECONDS = 250
/** The place in the events is gone: of another house, or too far back. */
const LOST_PLACE: ReadonlySet<string | null> = new Set(['EventsMustBeKept', 'SequenceMustExist'])

export async function attend(name: string, options: AttendOptions): Promise<Result> {
  const store = openStore(name, options)
  accountOf(store)
  const attendant = new Attendant(store, options)
  void (options.stop ?? signalled()).then(() => attendant.stop())
  await store.attended(() => attendant.run())
  return {
    text: `${name} is not attended any more`,
    json: { name, kind: 'ended', after: attendant.after },
  }
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    // A second signal ends the process where it is: nothing that is written down is lost.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}

class Attendant {
  /** Number of the last event that was told; null before the first look. */
  after: number | null
  private readonly store: MemberStore
  private readonly options: AttendOptions
  private readonly stopped: Promise<'stopped'>
  /** Of pages under way, in the journal, by their name in the house. */
  private readonly names = new Map<string, string>()
  private isStopped = false
  private isConnected = false
  private session: Session | null = null
  private end: () => void = () => {}
  /** Of the request that waits in the house. */
  private readonly ending = new AbortController()

  constructor(store: MemberStore, options: AttendOptions) {
    this.store = store
    this.options = options
    this.after = readPlace(store)
    this.stopped = new Promise((resolve) => (this.end = () => resolve('stopped')))
  }

  stop(): void {
    this.isStopped = true
    this.end()
    this.ending.abort()
  }

  async run(): Promise<void> {
    for (let failures = 0; !this.isStopped;) {
      try {
        await this.step()
        failures = 0
      } catch (error) {
        if (!canHeal(error)) throw error
        this.close()
        const seconds = Math.min(LONGEST_PAUSE_SECONDS, 2 ** failures++)
        const why = error.message
        this.tell(`not connected: ${why}; trying again in ${seconds} s`, {
          kind: 'disconnected',
          why,
          pauseSeconds: seconds,
        })
        await this.pause(seconds * 1000)
      }
    }
    this.close()
  }

  /** Connects where it is not, and tells what has happened since; waits if that is nothing. */
  private async step(): Promise<void> {
    const session = (this.session ??= await this.connect())
    const { api } = session.house
    // Another command rotates the keys: what it has written down since counts.
    if (session.isRotating) await this.align(session)
    const after = (this.after ??= (await api.account()).events)
    if (!this.isConnected) {
      this.isConnected = true
      const account = session.member.account
      this.tell(`attending account ${account} at ${api.url}, after event ${after}`, {
        kind: 'attending',
        account,
        house: api.url,
        after,
      })
    }
    const asked = session.answered(() =>
      api.events(after, this.options.wait ?? WAIT_SECONDS, this.ending.signal),
    )
    // A request that is left behind when it stops has nobody to tell.
    asked.catch(() => {})
    const told = await Promise.race([asked, this.stopped]).catch((error: unknown) =>
      this.lostPlace(session, error),
    )
    if (told === 'stopped') return
    for (const event of told.events) await this.take(session, event)
  }

  private async take(session: Session, told: Told): Promise<void> {
    const event = { ...told.event, ...(await this.nameOf(session, told)) }
    this.tell(eventText(event), { sequence: told.sequence, ...event }, told.at)
    // Before it is written down that the event was told: whoever starts again signs in any case.
    if (told.event.kind === 'resign') await this.align(session)
    this.keepPlace(told.sequence)
  }

  /** A page is sent under a name of its own each time; the journal's is the one that people know. */
  private async nameOf({ house, member }: Session, { event }: Told): Promise<{ page?: string }> {
    const { kind, clientId } = event
    if (kind !== 'page' || typeof clientId !== 'string') return {}
    const known = this.names.get(clientId)
    if (event['state'] === 'final' || event['state'] === 'refused') this.names.delete(clientId)
    if (known !== undefined) return { page: known }
    const head = await house.api.pageState(clientId).then(
      (page) => page.head,
      (error: unknown) => {
        // Forgotten by now: the name that the house has is better than none.
        if (error instanceof HouseError && error.code === 'PageMustBeKnown') return null
        throw error
      },
    )
    member.journal.refresh()
    const page = member.journal.state.pending.find((p) => `${p.head}` === head)?.clientId
    if (page === undefined) return {}
    this.names.set(clientId, page)
    return { page }
  }

  private keepPlace(sequence: number): void {
    this.after = sequence
    writePlace(this.store, sequence)
  }

  /** Events that the house no longer has: what they led to is what is told. */
  private async lostPlace({ house, member }: Session, error: unknown) {
    if (!(error instanceof HouseError) || !LOST_PLACE.has(error.code)) throw error
    const [{ events: last, pending }, open] = [
      await house.api.account(),
      await house.api.tickets(true),
    ]
    const trades = open.map(({ id, state }) => ({ id, state }))
    this.tell(
      `the events after ${this.after} are not kept: account ${member.account} has ${pending} pages ` +
        `that wait, and ${trades.length} open trades ${trades.map((t) => `${t.id} ${t.state}`).join(', ')}`,
      { kind: 'forgotten', after: this.after, last, pending, trades },
    )
    this.keepPlace(last)
    return { events: [], last }
  }

  private async connect(): Promise<Session> {
    const house = await findHouse(this.options)
    const session = new Session(this.store, house, this.options)
    session.onRealigned = (realigned) => this.tellRealigned(realigned)
    try {
      await this.align(session)
    } catch (error) {
      session.l1.close()
      throw error
    }
    return session
  }

  /** Signs anew what the house asks for. Whoever signs has the member's directory for itself. */
  private async align(session: Session): Promise<void> {
    for (let attempt = 0; !this.isStopped; attempt++) {
      const isDone = await this.store
        .locked(() => session.ready().then(() => true))
        .catch((error: unknown) => {
          if (!(error instanceof Busy)) throw error
          if (attempt === 0) this.tell(`${error.message}, then it is signed`, { kind: 'waiting' })
          return false
        })
      if (isDone) return
      await this.pause(LOCK_PAUSE_MILLISECONDS)
    }
  }

  private tellRealigned({ signedAnew, lost }: Realigned): void {
    if (signedAnew.length > 0)
      this.tell(`signed anew: ${signedAnew.join(', ')}`, { kind: 'signed', pages: signedAnew })
    if (lost.length > 0)
      this.tell(`left out by the house: ${lost.join(', ')}`, { kind: 'lost', pages: lost })
  }

  private tell(text: string, json: Readonly<Record<string, unknown>>, at = Date.now()): void {
    const time = new Date(at).toISOString()
    this.options.tell(`${time}  ${text}`, { at, ...json })
  }

  private close(): void {
    this.session?.l1.close()
    this.session = null
    this.isConnected = false
  }

  private async pause(milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const over = new Promise<void>((wake) => (timer = setTimeout(wake, milliseconds)))
    await Promise.race([over, this.stopped])
    clearTimeout(timer)
  }
}

/** The house, or the way to it, may come back; what lies in the member's own directory does not change. */
function canHeal(error: unknown): error is Error {
  return error instanceof NotYet || error instanceof HouseError || error instanceof ReadError
}

const placePath = ({ directory }: MemberStore): string => join(directory, 'events.json')

function readPlace(store: MemberStore): number | null {
  const path = placePath(store)
  if (!existsSync(path)) return null
  try {
    const { sequence } = JSON.parse(readFileSync(path, 'utf8')) as { sequence?: unknown }
    return Number.isSafeInteger(sequence) ? (sequence as number) : null
  } catch {
    // Nothing is signed by it: without a place it begins where the house is.
    return null
  }
}

function writePlace(store: MemberStore, sequence: number): void {
  const part = `${placePath(store)}.part`
  writeFileSync(part, `${JSON.stringify({ sequence })}\n`, { mode: 0o600 })
  renameSync(part, placePath(store))
}
