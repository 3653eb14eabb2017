/** Workers as processes: killed in the middle of a job, and the command that starts one. */
import { spawn, type ChildProcess } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { prove as proveHere, shutdown } from '../../prover/groth16.ts'
import { openPostgresJobs } from '../../prover/jobs/postgres-jobs.ts'
import { parseProverKey } from '../../prover/jobs/process.ts'
import { createRemoteProver } from '../../prover/jobs/request.ts'
import { createJobSeal } from '../../prover/jobs/seal.ts'
import type { ShapeKey } from '../../prover/artifacts.ts'
import { JobsProver } from '../../sequencer/proving.ts'
import { main } from '../../client/cli/main.ts'
import { findPostgres, startPostgres, type TestPostgres } from '../postgres.ts'
import { until } from '../until.ts'
import { compileOpening, OPENING, type Opening } from './opening.ts'
import type { WorkerSetup } from './worker-process.ts'

const found = findPostgres()
if ('missing' in found) console.warn(`worker processes not tested: ${found.missing}`)
const KEY = '07'.repeat(32)
const CIRCUIT = 'c'.repeat(64)

describe.skipIf('missing' in found)('a worker process', () => {
  let server: TestPostgres
  let opening: Opening
  const running: ChildProcess[] = []
  beforeAll(async () => {
    if ('bin' in found) server = await startPostgres(found.bin)
    opening = await compileOpening()
  })
  afterEach(() => running.splice(0).forEach((child) => child.kill('SIGKILL')))
  afterAll(async () => {
    await shutdown()
    opening?.remove()
    await server?.stop()
  })

  function start(url: string, name: string, isStuck: boolean) {
    const { zkeyPath, wasmPath, verificationKeyPath } = opening
    const job = { zkeyPath, wasmPath, verificationKeyPath, singleThread: true }
    // Short for one that will be killed; long for one that may only be slow.
    const leaseMs = isStuck ? 5_000 : 300_000
    const setup: WorkerSetup = { url, key: KEY, circuit: CIRCUIT, job, name, isStuck, leaseMs }
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
    const script = join(import.meta.dirname, 'worker-process.ts')
    const child = spawn(process.execPath, ['--import', tsx, script, JSON.stringify(setup)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    running.push(child)
    let text = ''
    const waiting: { word: string; resolve: () => void }[] = []
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      for (const { word, resolve } of waiting) if (text.includes(word)) resolve()
    })
    const says = (word: string): Promise<void> =>
      new Promise((resolve) => {
        if (text.includes(word)) resolve()
        else waiting.push({ word, resolve })
      })
    return { child, says, ended: new Promise((resolve) => child.once('exit', resolve)) }
  }

  it('that is killed with kill -9 costs a lease, and the next one proves the job', async () => {
    const url = await server.database('killed')
    const store = await openPostgresJobs({ url })
    const seal = createJobSeal(Buffer.from(KEY, 'hex'))
    const remote = createRemoteProver({ store, seal, pollMs: 50 })
    const key = { keyHash: CIRCUIT, verificationKey: opening.verificationKey }
    const doomed = start(url, 'doomed', true)
    await doomed.says('ready')
    const proof = remote.prove(key, OPENING)
    await doomed.says('taken')
    doomed.child.kill('SIGKILL')
    const next = start(url, 'next', false)
    expect((await proof).publicSignals.at(-1)).toBe('7')
    await next.says('proven in')
    next.child.kill('SIGTERM')
    expect(await next.ended).toBe(0)
    await store.close()
  })

  it('is what a house with jobs waits for, and gets its proofs from', async () => {
    const url = await server.database('house')
    const parked: string[] = []
    const prover = await JobsProver.open({
      url,
      key: parseProverKey(KEY),
      onParked: (name) => parked.push(name),
    })
    const key = { keyHash: CIRCUIT, verificationKey: opening.verificationKey } as ShapeKey
    expect(await prover.missing(key)).toContain('no prover with key cccccccccccc')
    const { says } = start(url, 'one', false)
    await says('ready')
    const input = OPENING as unknown as Parameters<JobsProver['prove']>[1]
    const { publicSignals } = await proveHere(opening.zkeyPath, opening.wasmPath, OPENING)
    expect(await prover.prove(key, input, publicSignals)).toMatchObject({ protocol: 'groth16' })
    // It announces itself beside its work, on another connection.
    await until(async () => (await prover.missing(key)) === null)
    // The same input, and another statement than the one it proves.
    await expect(prover.prove(key, input, ['1', '7'])).rejects.toThrow('ProofMustVerify')
    expect(parked).toHaveLength(1)
    await prover.close()
  })
})

describe('the command', () => {
  const run = async (...argv: readonly string[]) => {
    let [out, err] = ['', '']
    const code = await main(argv, { out: (t) => (out += t), err: (t) => (err += t) })
    return { code, out, err }
  }
  afterEach(() => {
    delete process.env['CLOISTER_JOBS']
    delete process.env['CLOISTER_PROVER_KEY']
  })

  it.each([
    [['work'], 'no jobs'],
    [['work', '--jobs', 'postgres://127.0.0.1:1/x'], 'no key'],
    [['work', '--concurrency', '0'], '--concurrency must be a whole number'],
    [['work', '--concurrency', '1e2'], '--concurrency must be a whole number'],
    [['work', '--lease', '3601'], '--lease must be a whole number from 1 to 3600'],
    [['work', '--backend', 'gpu'], '--backend must be one of snarkjs, engine, rapidsnark'],
  ])('prover %j says what is missing', async (argv, message) => {
    const { code, err } = await run('prover', ...argv)
    expect(code).toBe(2)
    expect(err).toContain(message)
  })

  it('refuses a key of another length, and does not print it', async () => {
    process.env['CLOISTER_PROVER_KEY'] = 'abcdef'
    process.env['CLOISTER_JOBS'] = 'postgres://127.0.0.1:1/x'
    const { code, err } = await run('prover', 'work')
    expect(code).not.toBe(0)
    expect(err).toContain('ProverKeyMustHave32Bytes')
    expect(err).not.toContain('abcdef')
    // Children must not inherit it.
    expect(process.env['CLOISTER_PROVER_KEY']).toBeUndefined()
    expect(parseProverKey(` ${KEY}\n`)).toEqual(Buffer.from(KEY, 'hex'))
  })
})
