/** `cloister prover`: a worker that makes proofs for a house, and what this machine can do. */
import type { Command } from 'commander'
import type { Common, Result } from './day.ts'
import { Undone } from './failures.ts'

type CommonOf = (command: Command) => Common
type Run = (work: Promise<Result>) => Promise<void>
type WorkOptions = {
  readonly jobs?: string
  readonly jobsFile?: string
  readonly keyFile?: string
  readonly shapes: string
  readonly keys?: string
  readonly backend?: string
  readonly concurrency: string
  readonly lease: string
}

const WORK_HELP = `
The URL comes from --jobs, from a file, or from CLOISTER_JOBS; with a password in it --jobs is refused,
since the list of processes shows it. The key that house and provers share (64 hexadecimal digits) comes from
--key-file or CLOISTER_PROVER_KEY; the database never sees it, nor any input in plain text. Examples:
  CLOISTER_JOBS=postgres://... cloister prover work --key-file prover.key --shapes standard,entry \\
    --keys /var/lib/cloister/keys
  cloister prover work --jobs-file jobs.url --key-file prover.key --concurrency 4
SIGTERM puts the jobs under way back. Without --keys the keys are DEVELOPMENT keys.`

const DOCTOR_HELP = `
Proves one small circuit twice with every backend that there is. A backend is chosen by
CLOISTER_PROVER or --backend: snarkjs (the default), engine, rapidsnark (RAPIDSNARK_BIN, or on PATH;
RAPIDSNARK_SHA256 pins the binary). All take the same keys, and every proof is verified.`

export function proverCommand(program: Command, commonOf: CommonOf, run: Run): void {
  const group = program.command('prover').description('prove for a house; examine this machine')
  group
    .command('work')
    .description('take proving jobs from PostgreSQL until it is stopped')
    .option('--jobs <url>', 'the PostgreSQL with the jobs')
    .option('--jobs-file <file>', 'a file with that URL')
    .option('--key-file <file>', 'the key that the inputs are sealed with')
    .option('--shapes <names>', 'shapes to prove, with commas; the usual one first', 'small,entry')
    .option('--keys <directory>', 'proving keys of a ceremony, NAME.zkey each')
    .option('--backend <name>', 'snarkjs, engine or rapidsnark')
    .option('--concurrency <count>', 'proofs at a time; with one it has all cores', '1')
    .option('--lease <seconds>', 'after this long without a heartbeat another takes the job', '30')
    .addHelpText('after', WORK_HELP)
    .action((options: WorkOptions, command: Command) => run(work(options, commonOf(command))))
  group
    .command('doctor')
    .description('which backends there are, and how fast')
    .addHelpText('after', DOCTOR_HELP)
    .action((_options: unknown, command: Command) => run(doctor(commonOf(command))))
}

function whole(text: string, name: string, most: number): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text) || Number(text) > most)
    throw new Undone(`${name} must be a whole number from 1 to ${most}`)
  return Number(text)
}

async function work(options: WorkOptions, { note }: Common): Promise<Result> {
  const { BACKENDS } = await import('../../prover/backends.ts')
  const { parseProverKey, runWorker, secretFrom } = await import('../../prover/jobs/process.ts')
  const concurrency = whole(options.concurrency, '--concurrency', 256)
  const leaseSeconds = whole(options.lease, '--lease', 3600)
  const backend = BACKENDS.find((name) => name === options.backend)
  if (options.backend !== undefined && backend === undefined)
    throw new Undone(`--backend must be one of ${BACKENDS.join(', ')}`)
  const jobsUrl = options.jobs ?? secretFrom(options.jobsFile, 'CLOISTER_JOBS')
  if (jobsUrl === null) throw new Undone('no jobs: give --jobs, --jobs-file or CLOISTER_JOBS')
  const key = secretFrom(options.keyFile, 'CLOISTER_PROVER_KEY')
  if (key === null) throw new Undone('no key: give --key-file or CLOISTER_PROVER_KEY')
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  await runWorker({
    jobsUrl,
    proverKey: parseProverKey(key),
    shapes: options.shapes.split(',').filter((name) => name !== ''),
    concurrency,
    leaseSeconds,
    log: note,
    signal: stop.signal,
    ...(options.keys === undefined ? {} : { keys: options.keys }),
    ...(backend === undefined ? {} : { backend }),
  })
  return { text: 'stopped', json: { stopped: true } }
}

async function doctor({ note }: Common): Promise<Result> {
  const { examine } = await import('../../prover/doctor.ts')
  const report = await examine(note)
  const { shutdown } = await import('../../prover/groth16.ts')
  await shutdown()
  const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GB`
  const seconds = (value: number | null): string => (value === null ? '' : value.toFixed(2))
  const lines = report.backends.map(({ name, source, missing, firstSeconds, nextSeconds }) =>
    missing === null
      ? `  ${name.padEnd(11)} first ${seconds(firstSeconds)} s, then ${seconds(nextSeconds)} s   ${source}`
      : `  ${name.padEnd(11)} ${missing}`,
  )
  const text = [
    `node ${report.node}, ${report.threads} threads, ${report.processor}`,
    `memory ${gigabytes(report.memoryBytes)}, free ${gigabytes(report.freeBytes)}; ` +
      `${gigabytes(report.peakBytes)} used here`,
    `private files in ${report.privateFiles}`,
    `proofs of ${report.constraints} constraints:`,
    ...lines,
  ]
  const isAny = report.backends.some(({ missing }) => missing === null)
  return { text: text.join('\n'), json: { ...report }, code: isAny ? 0 : 1 }
}
