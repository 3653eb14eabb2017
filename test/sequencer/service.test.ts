/** The sequencer as processes: the standby that takes over, the ends of a process, and what it says of them. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Wallet } from 'ethers'
import { openEmbeddedL1, serveL1 } from '../../client/up/embedded-l1.ts'
import { takeSnapshot } from '../../sequencer/snapshot/command.ts'
import { freePort } from '../free-port.ts'
import { findPostgres, startPostgres, type TestPostgres } from '../postgres.ts'

const ROOT = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'cloister-service-'))
const key = (byte: string): string => `0x${byte.repeat(32)}`
const started: { readonly child: ChildProcess; readonly ended: Promise<unknown> }[] = []
let rpcUrl: string

beforeAll(async () => {
  const { provider } = await openEmbeddedL1(join(folder, 'l1.chain'))
  for (const byte of ['0a', '0b'])
    await provider.request({
      method: 'hardhat_setBalance',
      params: [new Wallet(key(byte)).address, '0x56bc75e2d63100000'],
    })
  rpcUrl = `http://127.0.0.1:${(await serveL1(provider, 0)).port}`
})
afterEach(async () => {
  for (const { child, ended } of started.splice(0)) {
    child.kill('SIGKILL')
    await ended
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function start(env: Record<string, string>, args: readonly string[] = []) {
  const port = await freePort()
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(ROOT, 'test/e2e/up-sequencer.ts'), ...args],
    {
      cwd: ROOT,
      env: {
        ...process.env,
        CLOISTER_RPC_URL: rpcUrl,
        CLOISTER_PORT: '0',
        CLOISTER_OPERATOR_PORT: String(port),
        CLOISTER_TABLES: join(folder, 'tables'),
        CLOISTER_SHAPES: 'mini',
        OPERATOR_KEY: key('0a'),
        ADMIN_KEY: key('0b'),
        FEE_ACCOUNT_VIEW_KEY: `0x${'0c'.repeat(31)}`,
        ...env,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  let log = ''
  child.stderr?.on('data', (data: Buffer) => (log += data.toString()))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  started.push({ child, ended })
  const get = async (path: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port}${path}`)).text()
  return {
    child,
    ended,
    log: () => log,
    get,
    /** Its last word before it serves. */
    open: async (): Promise<void> => {
      // All of the line: its fields come behind what is said.
      while (!/the house is open.*\n/.test(log)) {
        if (child.exitCode !== null) throw new Error(`exit ${child.exitCode}; log: ${log}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },
    until: async (path: string, text: string): Promise<void> => {
      for (let last = '', i = 0; ; i++) {
        last = await get(path).catch((error: Error) => error.message)
        if (last.includes(text)) return
        if (i > 6_000 || child.exitCode !== null)
          throw new Error(`no "${text}" in ${last}; exit ${child.exitCode}; log: ${log}`)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    },
  }
}
const pause = (ms: number): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, ms))
const LEADS = '\ncloister_leader 1\n'
/** For so long a stop waits for requests that are under way. */
const PATIENCE_MS = 5_000

describe('the ends of a process', () => {
  it('by SIGTERM is code 0, the journal closed; the next start deploys nothing', async () => {
    const env = { CLOISTER_JOURNAL: join(folder, 'journal') }
    const first = await start(env)
    await first.until('/metrics', LEADS)
    await first.open()
    expect(await first.get('/ready')).toContain('the oracle has posted no table yet')
    const contract = /"contract":"(0x\w+)"/.exec(first.log())?.[1]
    expect(contract).toBeDefined()
    first.child.kill('SIGTERM')
    expect(await first.ended).toBe(0)
    expect(first.log()).toContain('stopping: no new pages are taken')
    expect(first.log()).not.toContain('need not be applied')
    const { json } = await takeSnapshot({ journal: env.CLOISTER_JOURNAL })
    const second = await start(env)
    await second.until('/metrics', LEADS)
    await second.open()
    expect(second.log()).toContain('the house of the journal: nothing is deployed')
    expect(second.log()).toContain(String(contract))
    expect(second.log()).not.toContain('compiling the contracts')
    expect(second.log()).toContain(`${json['record']} records need not be applied: their state is`)
    // A third finds the directory taken, and says by whom.
    const third = await start(env)
    expect(await third.ended).toBe(70)
    expect(third.log()).toContain(`JournalMustBeFree`)
    second.child.kill('SIGINT')
    expect(await second.ended).toBe(0)
  })

  it('waits for a client that dawdles, not for ever, and for nobody after a second signal', async () => {
    /** Resolves when it is stopping, with when the client came, in milliseconds. */
    const dawdle = async (service: Awaited<ReturnType<typeof start>>): Promise<number> => {
      await service.until('/metrics', LEADS)
      await service.open()
      const url = new URL(/"url":"([^"]+)"/.exec(service.log())?.[1] ?? '')
      const since = performance.now()
      const socket = connect(Number(url.port), '127.0.0.1')
      socket.on('error', () => {})
      const head = 'POST /pages HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n'
      // It is told to go on when the house has read so far, and does not.
      const isRead = new Promise((resolve) => socket.once('data', resolve))
      socket.write(`${head}expect: 100-continue\r\ncontent-length: 9\r\n\r\n{`)
      expect(String(await isRead)).toContain('100 Continue')
      service.child.kill('SIGTERM')
      while (!service.log().includes('stopping')) await pause(20)
      return since
    }
    const patient = await start({})
    const begun = await dawdle(patient)
    expect(await patient.ended).toBe(0)
    expect(performance.now() - begun).toBeGreaterThan(PATIENCE_MS)
    for (;;) {
      const forced = await start({})
      const since = await dawdle(forced)
      await pause(300)
      forced.child.kill('SIGTERM')
      const code = await forced.ended
      // Where this machine stood still for so long the client was waited for to the end: nothing is shown.
      if (code !== 130 && performance.now() - since > PATIENCE_MS) continue
      expect(code).toBe(130)
      return
    }
  })

  it('by a wrong configuration is code 78 with every fault, and nothing has begun', async () => {
    const wrong = await start({ CLOISTER_CADENCE_SECONDS: 'often', OPERATOR_KEY: 'x' }, [
      '--speed',
      '9',
    ])
    expect(await wrong.ended).toBe(78)
    for (const fault of ['cadenceSeconds must be a whole', 'OPERATOR_KEY must be', '--speed must'])
      expect(wrong.log()).toContain(fault)
    expect(wrong.log()).not.toContain('compiling')
  })

  it('by a key that is missing names it', async () => {
    const { ended, log } = await start({ OPERATOR_KEY: '', OPERATOR_KEY_FILE: '/no/such' })
    expect(await ended).toBe(78)
    expect(log()).toContain('OPERATOR_KEY')
  })
})

const postgres = findPostgres()
describe.skipIf('missing' in postgres)('a standby on PostgreSQL', () => {
  let server: TestPostgres
  beforeAll(async () => {
    server = await startPostgres((postgres as { bin: string }).bin)
  })
  afterAll(() => server?.stop())

  it('follows, says so, and takes over when the leader is killed', async () => {
    const env = {
      CLOISTER_JOURNAL: await server.database('house'),
      CLOISTER_JOURNAL_KEY: '0d'.repeat(32),
      CLOISTER_SNAPSHOTS: join(folder, 'snapshots'),
    }
    const leader = await start(env)
    await leader.until('/metrics', LEADS)
    const configuration = { journal: env.CLOISTER_JOURNAL, key: env.CLOISTER_JOURNAL_KEY }
    await expect(takeSnapshot(configuration)).rejects.toThrow('name the directory of the snapshots')
    const snapshots = env.CLOISTER_SNAPSHOTS
    const { json } = await takeSnapshot({ ...configuration, snapshots })
    const standby = await start({ ...env, CLOISTER_STANDBY: 'true' })
    // To which, depends on what the leader has had to write meanwhile.
    await standby.until('/ready', 'it stands by: it has followed the leader to record ')
    expect(await standby.get('/metrics')).toContain('\ncloister_leader 0\n')
    expect(standby.log()).toContain(`${json['record']} records need not be applied: their state is`)
    // One that is not told to stand by does not wait.
    const impatient = await start(env)
    expect(await impatient.ended).toBe(70)
    expect(impatient.log()).toContain('start this one as a standby')
    leader.child.kill('SIGKILL')
    await standby.until('/metrics', LEADS)
    await standby.open()
    expect(standby.log()).toContain('this process leads now')
    expect(standby.log()).not.toContain('compiling the contracts')
    // The one that was killed comes back as the standby, and ends at once when it is told to.
    const back = await start({ ...env, CLOISTER_STANDBY: 'true' })
    await back.until('/ready', 'it stands by')
    back.child.kill('SIGTERM')
    expect(await back.ended).toBe(0)
    standby.child.kill('SIGTERM')
    expect(await standby.ended).toBe(0)
  })
})
