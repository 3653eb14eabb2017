/** A worker in a process of its own, to be killed: configuration as JSON on argv, its log on stdout. */
import { createProverPool } from '../../prover/pool.ts'
import { openPostgresJobs } from '../../prover/jobs/postgres-jobs.ts'
import { createJobSeal } from '../../prover/jobs/seal.ts'
import { work } from '../../prover/jobs/work.ts'
import type { ProveJob } from '../../prover/prove-process.ts'

export type WorkerSetup = {
  readonly url: string
  readonly key: string
  readonly circuit: string
  readonly job: ProveJob
  readonly name: string
  /** Takes a job and never proves it. */
  readonly isStuck: boolean
  readonly leaseMs: number
}

const setup = JSON.parse(process.argv[2] ?? '') as WorkerSetup
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
const pool = createProverPool(1)
const store = await openPostgresJobs({ url: setup.url })
const say = (line: string): void => void process.stdout.write(`${line}\n`)
say('ready')
await work({
  store,
  seal: createJobSeal(Buffer.from(setup.key, 'hex')),
  circuits: new Map([[setup.circuit, setup.job]]),
  prove: (job) => {
    say('taken')
    return setup.isStuck ? new Promise(() => {}) : pool.prove(job)
  },
  name: setup.name,
  leaseMs: setup.leaseMs,
  pollMs: 50,
  log: say,
  signal: stop.signal,
})
pool.close()
await store.close()
