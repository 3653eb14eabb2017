/** `cloister ceremony` and `cloister circuits`: the set-up of the keys, and what they are made of. */
import { createInterface } from 'node:readline/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { Common, Result } from './day.ts'
import * as help from './help-ceremony.ts'
import type { DeployOptions } from './ceremony-deploy.ts'
import { fromHere, ROOT } from './root.ts'

type CommonOf = (command: Command) => Common & Record<string, unknown>
type Run = (work: Promise<Result>) => Promise<void>
type PhaseOneOptions = { readonly phase1: string; readonly phase1Hash?: string }

// Loaded when a command runs, so that printing help does not load the prover.
const steps = () => import('../../prover/ceremony/steps.ts')
const PHASE_ONE = ['--phase1 <file>', 'the phase-1 file, from prepare'] as const
const PHASE_ONE_HASH = [
  '--phase1-hash <hex>',
  'BLAKE2b-512 of a phase-1 file of your own, in place of the pinned public ones',
] as const

export function addCeremony(program: Command, commonOf: CommonOf, runCommand: Run): void {
  const run: Run = (work) => runCommand(work.finally(endThreads))
  const ceremony = program
    .command('ceremony')
    .description('make proving keys whose secret nobody knows, and check that it is so')
    .addHelpText('after', help.CEREMONY)
  ceremony
    .command('prepare [circuit]')
    .description('fetch the public phase-1 file, or check one: its BLAKE2b hash is pinned')
    .option('--power <n>', 'size 2^n, from 8 to 28 (default: what the circuit needs)')
    .option('--from <file>', 'check this file and download nothing')
    .option('--to <file>', 'where to put it (default: .cache/phase1/)')
    .option('--mirror <url>', 'another place that keeps the files; the hash stays the same')
    .addHelpText('after', help.PREPARE)
    .action((circuit: string | undefined, options: PrepareOptions, command: Command) =>
      run(prepare(circuit, options, commonOf(command))),
    )
  ceremony
    .command('init <circuit> <key>')
    .description('write the initial key of a shape, and the announcement')
    .requiredOption(...PHASE_ONE)
    .option(...PHASE_ONE_HASH)
    .option('--party <name...>', 'a party that will contribute', [])
    .option('--beacon-source <text>', 'where the beacon will come from, in the future')
    .option('--beacon-iterations <log2>', 'iterations of its hash, as a power of two', '10')
    .addHelpText('after', help.INIT)
    .action((circuit: string, key: string, options: InitOptions, command: Command) =>
      run(init(circuit, key, options, commonOf(command))),
    )
  ceremony
    .command('contribute <from> <to>')
    .description('add a secret that is forgotten at once; prints the hash to publish')
    .requiredOption('--name <name>', 'who contributes, as announced')
    .option('--no-typed', 'ask for no typed text; the operating system gives the secret')
    .addHelpText('after', help.CONTRIBUTE)
    .action((from: string, to: string, options: ContributeOptions, command: Command) =>
      run(contribute(from, to, options, commonOf(command))),
    )
  ceremony
    .command('beacon <from> <to>')
    .description('apply the announced public value: the last step')
    .requiredOption('--value <hex>', 'what the announced source gave')
    .action((from: string, to: string, { value }: { value: string }) =>
      run(applyBeacon(from, to, value)),
    )
  ceremony
    .command('verify <circuit> <key>')
    .description('make everything again, follow every contribution, try to forge a proof')
    .requiredOption(...PHASE_ONE)
    .option(...PHASE_ONE_HASH)
    .option('--transcript <file>', 'default: beside the key')
    .option('--announcement <hex>', 'the announcement as it was published at the init')
    .option('--published <hash...>', 'contribution hashes that parties published', [])
    .option('--beacon <hex>', 'what you found that the announced source gave')
    .addHelpText('after', help.VERIFY)
    .action((circuit: string, key: string, options: VerifyOptions, command: Command) =>
      run(verify(circuit, key, options, commonOf(command))),
    )
  ceremony
    .command('export <key>')
    .description('write the verification key and the Solidity verifier')
    .requiredOption('--out <directory>', 'where to')
    .action((key: string, { out }: { out: string }) => run(exportKey(key, out)))
  ceremony
    .command('deploy <verifier>')
    .description('compile an exported verifier, as the audit does, and put it on L1')
    .option('--key-file <file>', 'L1 key of who pays, mode 600 (default: CLOISTER_L1_KEY)')
    .option('--yes', 'send it; without, it is compiled and its hash shown', false)
    .addHelpText('after', help.DEPLOY)
    .action((verifier: string, options: DeployOptions, command: Command) =>
      run(
        import('./ceremony-deploy.ts').then(({ deployVerifier }) =>
          deployVerifier(verifier, options, commonOf(command)),
        ),
      ),
    )
}

/** snarkjs keeps threads that would keep the process alive. */
async function endThreads(): Promise<void> {
  await (await import('../../prover/groth16.ts')).shutdown()
}

type PrepareOptions = {
  readonly power?: string
  readonly from?: string
  readonly to?: string
  readonly mirror?: string
}

async function prepare(
  circuit: string | undefined,
  options: PrepareOptions,
  { note }: Common,
): Promise<Result> {
  const phase1 = await import('../../prover/ceremony/phase1.ts')
  if (options.from !== undefined) {
    const found = await phase1.checkPhaseOne(fromHere(options.from))
    return told(found)
  }
  const power = await powerOf(circuit, options.power, note)
  const path = options.to ?? join(ROOT, '.cache', 'phase1', phase1.publicFileName(power))
  let shown = 0
  const found = await phase1.fetchPhaseOne({
    power,
    path: fromHere(path),
    ...(options.mirror === undefined ? {} : { mirror: options.mirror }),
    onProgress: (bytes, total) => {
      if (bytes - shown < 1 << 26) return
      shown = bytes
      note(`${bytes >> 20} of ${total >> 20} MiB`)
    },
  })
  return told(found)

  function told({ path: file, power: size, blake2b }: typeof found): Result {
    return {
      text: `${file}\nis the public phase 1 of 2^${size}, BLAKE2b ${blake2b}`,
      json: { path: file, power: size, blake2b },
    }
  }
}

async function powerOf(
  circuit: string | undefined,
  given: string | undefined,
  note: (line: string) => void,
): Promise<number> {
  if (given !== undefined) return wholeNumber(given, '--power')
  if (circuit === undefined) throw new Error('name a circuit, or give --power or --from')
  const { compileForCeremony } = await import('../../prover/ceremony/circuit.ts')
  const { powerFor } = await import('../../prover/ceremony/phase1.ts')
  const { identity, remove } = await compileForCeremony(circuitNamed(circuit), note)
  remove()
  return powerFor({ nConstraints: identity.constraints, nPublic: identity.publicSignals })
}

type InitOptions = PhaseOneOptions & {
  readonly party: readonly string[]
  readonly beaconSource?: string
  readonly beaconIterations: string
}

async function init(
  circuit: string,
  key: string,
  options: InitOptions,
  { note }: Common,
): Promise<Result> {
  const { initCeremony } = await steps()
  const { announcementHash } = await import('../../prover/ceremony/transcript.ts')
  const made = await initCeremony({
    circuit: circuitNamed(circuit),
    zkeyPath: fromHere(key),
    ...phaseOneOf(options),
    parties: options.party,
    beacon:
      options.beaconSource === undefined
        ? null
        : {
            source: options.beaconSource,
            iterationsLog2: wholeNumber(options.beaconIterations, '--beacon-iterations'),
          },
    onProgress: note,
  })
  const announcement = announcementHash(made.transcript)
  return {
    text: [
      `${made.key.path} is the initial key. ANYBODY can forge proofs for it: it needs parties.`,
      `publish now:  announcement ${announcement}`,
      ...(made.transcript.announced.beacon === null ? [NO_BEACON] : []),
    ].join('\n'),
    json: { key: made.key.path, circuitHash: made.key.circuitHash, announcement },
  }
}

const NO_BEACON =
  'no beacon is announced: the last party can choose among keys by trying many contributions'

type ContributeOptions = { readonly name: string; readonly typed: boolean }

async function contribute(
  from: string,
  to: string,
  options: ContributeOptions,
  { json, note }: Common,
): Promise<Result> {
  const isAsked = options.typed && process.stdin.isTTY && !json
  const typed = isAsked ? await ask('Type some text if you like, then Enter: ') : ''
  note('contributing; the secret exists in this process only')
  const made = await (
    await steps()
  ).contribute({ from: fromHere(from), to: fromHere(to), name: options.name, typed })
  const added = made.key.contributions.at(-1)
  return {
    text: [
      `${made.key.path} has ${made.key.contributions.length} contributions.`,
      `publish now:  ${options.name} ${added?.hash}`,
      'Pass the key and its transcript on; then switch this machine off.',
    ].join('\n'),
    json: { key: made.key.path, name: options.name, contributionHash: added?.hash },
  }
}

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question(question)
  } finally {
    lines.close()
  }
}

async function applyBeacon(from: string, to: string, value: string): Promise<Result> {
  const hex = value.toLowerCase().replace(/^0x/, '')
  const { beacon } = await steps()
  const made = await beacon({ from: fromHere(from), to: fromHere(to), value: hex })
  const added = made.key.contributions.at(-1)
  return {
    text: `${made.key.path} is final.\npublish now:  beacon ${added?.hash}`,
    json: { key: made.key.path, value: hex, contributionHash: added?.hash },
  }
}

type VerifyOptions = PhaseOneOptions & {
  readonly transcript?: string
  readonly announcement?: string
  readonly published: readonly string[]
  readonly beacon?: string
}

async function verify(
  circuit: string,
  key: string,
  options: VerifyOptions,
  { note }: Common,
): Promise<Result> {
  const { verifyCeremony } = await import('../../prover/ceremony/verify.ts')
  const report = await verifyCeremony({
    circuit: circuitNamed(circuit),
    zkeyPath: fromHere(key),
    ...phaseOneOf(options),
    published: options.published,
    ...(options.transcript === undefined ? {} : { transcriptPath: fromHere(options.transcript) }),
    ...(options.announcement === undefined ? {} : { announcement: options.announcement }),
    ...(options.beacon === undefined
      ? {}
      : { beaconValue: options.beacon.toLowerCase().replace(/^0x/, '') }),
    onProgress: note,
  })
  const marks = { held: 'held  ', failed: 'FAILED', unchecked: 'NOT CHECKED' }
  return {
    text: [
      ...report.checks.map(({ must, verdict, detail }) => `${marks[verdict]} ${must}: ${detail}`),
      ...report.contributions.map(
        ({ kind, name, hash }, i) => `${kind} ${i + 1} of "${name}"\n  ${hash}`,
      ),
      ...report.notCompared.map((what) => `NOT GIVEN to compare with: ${what}`),
      `announcement  ${report.announcement ?? '-'}`,
      `key hash      ${report.keyHash ?? '-'}`,
      `verifier      ${report.verifierSha256 ?? '-'} (SHA-256 of its creation code)`,
      {
        held: 'THE KEY IS GOOD',
        failed: 'DO NOT USE THIS KEY',
        unchecked: 'NOT EVERYTHING WAS CHECKED',
      }[report.verdict],
    ].join('\n'),
    json: { ...report },
    code: { held: 0, failed: 1, unchecked: 2 }[report.verdict] as 0 | 1 | 2,
  }
}

async function exportKey(key: string, out: string): Promise<Result> {
  const exported = await (await steps()).exportKey(fromHere(key), fromHere(out))
  return {
    text: [
      exported.verificationKeyPath,
      exported.verifierPath,
      `key hash ${exported.keyHash}: what addShape is given, and what the audit compares`,
    ].join('\n'),
    json: exported,
  }
}

function phaseOneOf({ phase1, phase1Hash }: PhaseOneOptions) {
  return {
    phase1Path: fromHere(phase1),
    ...(phase1Hash === undefined ? {} : { acceptedPhase1Hash: phase1Hash }),
  }
}

function circuitNamed(circuit: string): string {
  return circuit.endsWith('.circom') ? fromHere(circuit) : circuit
}

function wholeNumber(text: string, option: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new Error(`${option} must be a whole number: ${text}`)
  return Number(text)
}
