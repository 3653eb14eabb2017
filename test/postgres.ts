/** A real PostgreSQL for one test file: its binaries are those of the machine, its data is thrown away. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { freePort } from './free-port.ts'

export type TestPostgres = {
  readonly url: string
  /** A database of its own. */
  readonly database: (name: string) => Promise<string>
  readonly stop: () => Promise<void>
}

const ROOT = '/usr/lib/postgresql'

/** Where the binaries are, or why there is no PostgreSQL here. */
export function findPostgres(): { readonly bin: string } | { readonly missing: string } {
  const versions = existsSync(ROOT) ? readdirSync(ROOT).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [
    ...versions.map((version) => join(ROOT, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(':'),
  ]
  const bin = folders.find((f) => existsSync(join(f, 'initdb')) && existsSync(join(f, 'postgres')))
  if (bin === undefined)
    return {
      missing: 'no PostgreSQL here (initdb and postgres in /usr/lib/postgresql/*/bin or PATH)',
    }
  if (process.getuid?.() !== 0) return { bin }
  return userIds() === null
    ? { missing: 'PostgreSQL refuses root, and there is no other user' }
    : { bin }
}

function userIds(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = ['-u', '-g'].map((flag) =>
        Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] })),
      )
      return { uid: uid as number, gid: gid as number }
    } catch {
      // There is no such user: the next one.
    }
  }
  return null
}

export async function startPostgres(bin: string): Promise<TestPostgres> {
  const ids = userIds()
  const folder = mkdtempSync(join(tmpdir(), 'cloister-pg-'))
  if (ids !== null) chownSync(folder, ids.uid, ids.gid)
  const data = join(folder, 'data')
  const as = { ...(ids ?? {}), cwd: folder }
  const init = ['-D', data, '-U', 'cloister', '-A', 'trust', '-E', 'UTF8', '--no-sync']
  execFileSync(join(bin, 'initdb'), init, { ...as, stdio: ['ignore', 'ignore', 'pipe'] })
  const port = await freePort()
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder}`,
  ]
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...settings.flatMap((s) => ['-c', s])], {
    ...as,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let errors = ''
  server.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4000)))
  const url = `postgres://cloister@127.0.0.1:${port}/postgres`
  await untilReady(url, server, () => errors)
  return {
    url,
    database: async (name) => {
      const sql = postgres(url, { max: 1, onnotice: () => {} })
      await sql`create database ${sql(name)}`
      await sql.end()
      return url.replace(/postgres$/, name)
    },
    stop: async () => {
      const ended = new Promise((resolve) => server.once('exit', resolve))
      // Immediate: nothing in it is wanted any more.
      server.kill('SIGQUIT')
      // One that has ended by itself tells it no more.
      if (server.exitCode === null && server.signalCode === null) await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function untilReady(url: string, server: ChildProcess, errors: () => string): Promise<void> {
  for (let attempt = 0; attempt < 3_000; attempt++) {
    if (server.exitCode !== null || server.signalCode !== null)
      throw new Error(`postgres has ended: ${errors()}`)
    const sql = postgres(url, { max: 1, connect_timeout: 2, onnotice: () => {} })
    try {
      await sql`select 1`
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    } finally {
      await sql.end({ timeout: 1 })
    }
  }
  server.kill('SIGKILL')
  throw new Error(`postgres does not answer: ${errors()}`)
}
