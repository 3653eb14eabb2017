/**
 * Processes that compute what the one thread of the house would otherwise be held up by: a signature
 * of a page and a receipt take half a millisecond each. What they answer is a pure function of what
 * they are asked, so it says nothing whether they are there: without them, or when one dies, the
 * house computes the same itself. No worker threads: one that ends closes files that are not its own
 * (Node 20), and takes the house with it.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Point, Signature } from '../../circuits/eddsa.ts'
import { behindSockets } from '../../prover/in-time.ts'
import { READY, type Asked, type Done, type Start, type Task } from './task.ts'

export type HelpersOptions = {
  readonly count: number
  /** Signs receipts; null leaves them to the house. */
  readonly operatorKey?: string | null
  /** A helper that answers nothing for so long is given up. */
  readonly patienceMilliseconds?: number
  readonly log?: (line: string) => void
  /** In place of a process, for tests. */
  readonly start?: () => ChildProcess
}
type Waiting = (answer: Done['answer']) => void
type Helper = {
  readonly child: ChildProcess
  readonly waiting: Map<number, Waiting>
  /** It takes a second to load; until then the house does its work. */
  isReady: boolean
}

/** A crowded machine is slow; one that is given up for that costs a start besides. */
const PATIENCE_MILLISECONDS = 15_000
/** A helper that cannot live is not started again and again. */
const RESTART_MILLISECONDS = 1_000

export class Helpers {
  private readonly options: HelpersOptions
  private readonly helpers: (Helper | null)[]
  private readonly startedAt: number[]
  private serial = READY
  private receipts = 0
  private isClosed = false

  constructor(options: HelpersOptions) {
    this.options = options
    this.helpers = Array.from({ length: options.count }, () => null)
    this.startedAt = this.helpers.map(() => -Infinity)
    this.helpers.forEach((_none, place) => this.helper(place))
  }

  /** Nobody here can say anything: what is asked would be asked in vain. */
  get isIdle(): boolean {
    return this.alive === 0
  }
  get wanted(): number {
    return this.helpers.length
  }
  /** Of their processes. */
  get pids(): readonly number[] {
    return this.helpers.flatMap((helper) => helper?.child.pid ?? [])
  }
  /** How many answer. */
  get alive(): number {
    return this.helpers.filter((helper) => helper?.isReady === true).length
  }

  /**
   * Whether the signature matches; null where nobody here can say. Of one account the answers come in
   * the order of the questions: its pages must not overtake each other.
   */
  async verify(
    account: number,
    owner: Point,
    message: bigint,
    signature: Signature,
  ): Promise<boolean | null> {
    const answer = await this.ask(account, { kind: 'verify', owner, message, signature })
    return typeof answer === 'boolean' ? answer : null
  }

  /** The operator's signature; null where nobody here can give it. */
  async receipt(text: string): Promise<string | null> {
    const answer = await this.ask(++this.receipts, { kind: 'receipt', text })
    return typeof answer === 'string' ? answer : null
  }

  private ask(turn: number, task: Task): Promise<Done['answer']> {
    const place = turn % Math.max(1, this.helpers.length)
    const helper = this.helper(place)
    if (helper === null || !helper.isReady) return Promise.resolve(null)
    const id = ++this.serial
    return new Promise((resolve) => {
      const giveUp = (): void => {
        if (helper.waiting.has(id)) this.giveUp(place, helper, 'it does not answer')
      }
      const late = setTimeout(
        () => behindSockets(giveUp),
        this.options.patienceMilliseconds ?? PATIENCE_MILLISECONDS,
      )
      helper.waiting.set(id, (answer) => {
        clearTimeout(late)
        resolve(answer)
      })
      // Of a channel that has just closed 'disconnect' tells as well.
      helper.child.send({ id, task } satisfies Asked, () => {})
    })
  }

  private helper(place: number): Helper | null {
    if (this.isClosed || place >= this.helpers.length) return null
    const known = this.helpers[place]
    if (known) return known
    const now = performance.now()
    if (now - (this.startedAt[place] as number) < RESTART_MILLISECONDS) return null
    this.startedAt[place] = now
    const child = this.started()
    if (child === null) return null
    const helper: Helper = { child, waiting: new Map(), isReady: false }
    child.on('message', ({ id, answer }: Done) => {
      if (id === READY) helper.isReady = true
      const waiting = helper.waiting.get(id)
      helper.waiting.delete(id)
      waiting?.(answer)
    })
    const dead = (): void => this.giveUp(place, helper, 'it ended')
    for (const name of ['error', 'disconnect', 'exit']) child.on(name, dead)
    child.send({ operatorKey: this.options.operatorKey ?? null } satisfies Start, () => {})
    // It keeps no process alive.
    child.unref()
    child.channel?.unref()
    this.helpers[place] = helper
    return helper
  }

  /** Null on a machine that has no memory or no files left for one: what it would do the house does. */
  private started(): ChildProcess | null {
    try {
      const child = (this.options.start ?? startChild)()
      // Without a channel it cannot be spoken to; why, its 'error' says, which nobody else hears.
      if (typeof child.send === 'function') return child
      child.on('error', () => {})
    } catch {
      // As below.
    }
    this.options.log?.('no helper for signatures could be started: the house does its work')
    return null
  }

  /** Whoever waits for it is told that nobody can say. */
  private giveUp(place: number, helper: Helper, why: string): void {
    if (this.helpers[place] !== helper) return
    this.helpers[place] = null
    if (!this.isClosed)
      this.options.log?.(`a helper for signatures was given up (${why}): the house does its work`)
    end(helper)
  }

  async close(): Promise<void> {
    this.isClosed = true
    for (const helper of this.helpers) if (helper !== null) end(helper)
    this.helpers.fill(null)
  }
}

function end({ child, waiting }: Helper): void {
  for (const answer of waiting.values()) answer(null)
  waiting.clear()
  child.kill('SIGKILL')
}

/** TypeScript when we are, and JavaScript after a build. */
function startChild(): ChildProcess {
  const isSource = import.meta.url.endsWith('.ts')
  const script = fileURLToPath(new URL(isSource ? './work.ts' : './work.js', import.meta.url))
  // By its full address, so that the caller's working directory does not matter.
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  return fork(script, [], {
    execArgv: isSource ? ['--import', tsx] : [],
    // bigints as they are.
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
}
