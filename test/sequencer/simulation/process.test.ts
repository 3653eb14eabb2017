/** A real process of the house, killed by SIGKILL at every step of persistence, and started again. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { FileJournal } from '../../../sequencer/journal/file-journal.ts'
import { replay } from '../../../sequencer/journal/replay.ts'
import { sealerOf } from '../../../sequencer/journal/seal.ts'
import { SequencerL1 } from '../../../sequencer/l1.ts'
import { ADDRESS, SimChain } from '../l1/sim-chain.ts'
import { nodesOf } from '../l1/sim-nodes.ts'
import { prepare, DEPOSIT, TRADES } from './service.ts'
import { FEE, genesisRoot, KEY } from './settings.ts'

const CHILD = join(import.meta.dirname, 'service.ts')
let folder: string
const servers: Server[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloister-service-'))
})
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
  rmSync(folder, { recursive: true, force: true })
})

/** L1 outlives every process; it mines whatever it is given at once. */
async function startL1(): Promise<{ readonly chain: SimChain; readonly url: string }> {
  const operator = new SequencerL1('http://nowhere', ADDRESS, KEY).operator
  const chain = new SimChain(operator, genesisRoot)
  const { urls, transport } = nodesOf(chain, 1)
  prepare(chain)
  chain.mine(Math.floor(Date.now() / 1000))
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString()))
    request.on('end', () => {
      void transport(String(urls[0]), body, new AbortController().signal).then((text) => {
        // A second ahead: a batch of this very second is not in the future then.
        if (body.includes('eth_sendRawTransaction')) chain.mine(Math.floor(Date.now() / 1000) + 1)
        response.end(text)
      })
    })
  })
  // A connection that is ended while it is asked is a call that fails.
  server.keepAliveTimeout = 0
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  servers.push(server)
  return { chain, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

type Life = { readonly signal: string | null; readonly lines: readonly string[] }
function live(directory: string, url: string, dieAt: number): Promise<Life> {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, directory, url, String(dieAt)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  let errors = ''
  child.stdout.on('data', (data: Buffer) => (text += data.toString()))
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()))
  return new Promise((resolve, reject) => {
    child.on('close', (code, signal) => {
      if (signal === null && code !== 0) reject(new Error(`it failed: ${errors}`))
      else resolve({ signal, lines: text.split('\n').filter((line) => line !== '') })
    })
  })
}

/** Everything that was acknowledged is final, once, on the root that L1 has, and a replay says so too. */
async function judge(
  chain: SimChain,
  directory: string,
  told: ReadonlySet<string>,
  { lines }: Life,
): Promise<void> {
  for (let i = 1; i <= TRADES; i++) expect(lines).toContain(`ticket t${i} final`)
  expect(lines.filter((line) => line.startsWith('ticket'))).toHaveLength(TRADES)
  for (const name of told) expect(lines).toContain(`ticket ${name} final`)
  const lots = BigInt((TRADES * (TRADES + 1)) / 2)
  const paid = BigInt(TRADES) * FEE
  expect(lines).toContain(`account 16 ${DEPOSIT - lots * 50_000_000n - paid} ${lots}`)
  expect(lines).toContain(`account 17 ${DEPOSIT + lots * 50_000_000n - paid} ${-lots}`)
  expect(lines).toContain(`root ${chain.roots.at(-1)}`)
  expect([...chain.handed.values()].map(({ size }) => size)).toEqual(chain.roots.map(() => 1))
  const sealer = sealerOf(new Uint8Array(32).fill(1))
  const journal = await FileJournal.open({ directory, sealer })
  const { core } = await replay(journal.entries())
  await journal.close()
  expect(core.batches.map(({ root }) => root)).toEqual(chain.roots)
}

const toldIn = ({ lines }: Life): readonly string[] =>
  lines.flatMap((line) => (line.startsWith('acknowledged') ? [line.split(' ')[1] as string] : []))

it('that dies again and again, some steps further each time, loses nothing and does nothing twice', async () => {
  const { chain, url } = await startL1()
  const directory = join(folder, 'crawl')
  const told = new Set<string>()
  let deaths = 0
  for (;;) {
    // Another length each time, so that it dies in other places.
    const life = await live(directory, url, 47 + 13 * (deaths % 5))
    for (const name of toldIn(life)) told.add(name)
    if (life.signal === null) {
      await judge(chain, directory, told, life)
      break
    }
    expect(life.signal).toBe('SIGKILL')
    deaths++
    expect(deaths).toBeLessThan(60)
  }
  expect(deaths).toBeGreaterThan(3)
})

it.runIf(process.env['CLOISTER_LONG'])('killed at every single step of persistence', async () => {
  const dry = await startL1()
  const life = await live(join(folder, 'dry'), dry.url, -1)
  const steps = Number(life.lines.find((line) => line.startsWith('steps'))?.split(' ')[1])
  expect(steps).toBeGreaterThan(100)
  for (let at = 0; at < steps; at++) {
    const { chain, url } = await startL1()
    const directory = join(folder, `at-${at}`)
    const first = await live(directory, url, at)
    expect(first.signal).toBe('SIGKILL')
    const last = await live(directory, url, -1)
    await judge(chain, directory, new Set(toldIn(first)), last)
  }
})
