/** Child processes of the day: an embedded L1, the sequencer, the oracle, the members. They end with their parent. */
import { fork, spawn, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const children = new Set<ChildProcess>()
const STDERR = 2

/** Below those that systems give to whoever connects: what listens here does so minutes later. */
const [FIRST_PORT, LAST_PORT] = [10_000, 32_000] as const

export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST_PORT, LAST_PORT)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

function keep(child: ChildProcess): ChildProcess {
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

export function stopAll(): void {
  for (const child of children) child.kill('SIGTERM')
}

/** Hardhat's node, offline, with the accounts of a phrase; resolves when it answers. */
export async function startL1(port: number, phrase: string): Promise<void> {
  const hardhat = join(ROOT, 'node_modules', 'hardhat', 'internal', 'cli', 'bootstrap.js')
  const child = keep(
    spawn(process.execPath, [hardhat, 'node', '--hostname', '127.0.0.1', '--port', String(port)], {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        HARDHAT_DISABLE_TELEMETRY_PROMPT: 'true',
        CLOISTER_L1_PHRASE: phrase,
      },
    }),
  )
  let complaint = ''
  child.stderr?.on('data', (data: Buffer) => {
    complaint = (complaint + data.toString()).slice(-2000)
  })
  const url = `http://127.0.0.1:${port}`
  for (let attempt = 0; attempt < 600; attempt++) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the embedded L1 did not start: ${complaint}`)
    try {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }),
      })
      if (answer.ok) return
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('the embedded L1 did not answer within a minute')
}

export type WorkerOptions = {
  /** Gets what the process says without being asked. */
  readonly onNote?: (line: string) => void
  /** An open file for what the process says; else the error stream of this one. */
  readonly logFile?: number
  /** Ctrl-C at the terminal reaches the parent alone, which stops its processes in their order. */
  readonly isApart?: boolean
}
type Message = {
  readonly ready?: boolean
  readonly id?: number
  readonly error?: string
  readonly note?: string
  /** Why it ends, in place of being ready. */
  readonly failed?: string
}

/** A TypeScript process that answers numbered commands over IPC. */
export class Worker {
  readonly name: string
  readonly ready: Promise<Record<string, unknown>>
  /** Resolves with its exit code. */
  readonly ended: Promise<number | null>
  private readonly child: ChildProcess
  private readonly waiting = new Map<
    number,
    { resolve: (value: never) => void; reject: (error: Error) => void }
  >()
  private nextId = 1

  constructor(
    name: string,
    file: string,
    args: readonly string[],
    env: Record<string, string>,
    { onNote = () => {}, logFile, isApart = false }: WorkerOptions = {},
  ) {
    this.name = name
    // What any of them says, when it ends as well, comes behind no last line of JSON.
    const out = logFile ?? STDERR
    this.child = keep(
      fork(join(ROOT, file), args, {
        cwd: ROOT,
        execArgv: ['--import', 'tsx'],
        env: { ...process.env, ...env },
        stdio: ['ignore', out, out, 'ipc'],
        detached: isApart,
      }),
    )
    // Not 'exit': what it said last, which may be why it ends, can come after that.
    this.ended = new Promise((resolve) => this.child.once('close', resolve))
    this.ready = new Promise((resolve, reject) => {
      this.child.on('message', (text: string) => {
        const message = JSON.parse(text) as Message
        if (message.note !== undefined) onNote(message.note)
        if (message.failed !== undefined) reject(new Error(message.failed))
        if (message.ready === true) resolve(message as Record<string, unknown>)
        const waiter = message.id === undefined ? undefined : this.waiting.get(message.id)
        if (waiter === undefined || message.id === undefined) return
        this.waiting.delete(message.id)
        if (message.error === undefined) waiter.resolve(message as never)
        else waiter.reject(new Error(`${name}: ${message.error}`))
      })
      this.child.once('close', (code) => {
        const error = new Error(`${name} ended with code ${code}`)
        reject(error)
        for (const { reject: fail } of this.waiting.values()) fail(error)
        this.waiting.clear()
      })
      // It could not be started, or not be told to end.
      this.child.on('error', reject)
    })
    this.ready.catch(() => {})
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** Throws what the process says against it, or that it has ended. */
  ask<T>(command: Record<string, unknown>): Promise<T> {
    const id = this.nextId++
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject })
      this.child.send({ id, ...command }, (error) => {
        if (error === null || !this.waiting.delete(id)) return
        reject(new Error(`${this.name} is not there any more: ${error.message}`))
      })
    })
  }

  /** Asks it to end in good order, and waits until it has. */
  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.connected)
      this.child.send({ id: 0, command: 'stop' }, () => {})
    await this.ended
  }

  kill(): void {
    this.child.kill('SIGKILL')
  }
}
