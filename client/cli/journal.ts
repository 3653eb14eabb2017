/** `cloister journal`: looks at the sequencer's journal, in a process of the sequencer's own room. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { Common, Result } from './day.ts'
import { Undone } from './failures.ts'
import { fromHere, ROOT } from './root.ts'

type CommonOf = (command: Command) => Common
type Run = (work: Promise<Result>) => Promise<void>
type Options = {
  readonly keyFile?: string
  readonly unsealed?: true
  readonly out?: string
  readonly secrets?: true
  readonly from?: string
  readonly to?: string
  readonly root?: string
  readonly snapshot?: string
  readonly snapshots?: string
  readonly target?: string
  readonly targetKeyFile?: string
}

const HELP = `
JOURNAL is a directory or the URL of a PostgreSQL; without it, CLOISTER_JOURNAL of the environment
counts. A URL with a password is refused here, since the list of processes shows it: CLOISTER_JOURNAL
may hold one, or PGPASSWORD stands beside a URL without. The key comes from
CLOISTER_JOURNAL_KEY (64 hexadecimal digits), or from a file: DIRECTORY.key, or --key-file.
A journal in use is read as far as it is durable; nothing is ever changed. Examples:
  cloister journal verify /var/lib/cloister/journal
  cloister journal export /var/lib/cloister/journal --out day.jsonl --from 1000 --to 2000
  cloister journal replay /var/lib/cloister/journal --root ROOT_ON_L1
  cloister journal snapshot /var/lib/cloister/journal
  cloister journal reseal /var/lib/cloister/journal --target /var/lib/cloister/journal-2
A snapshot is a cache of the state, from which a sequencer starts without the records before it; it
lies in DIRECTORY.snapshots, or where --snapshots or CLOISTER_SNAPSHOTS says, and may be removed at
any time. replay believes none, and says whether the newest holds what the records come to.
reseal needs the sequencer stopped; the new key comes from CLOISTER_JOURNAL_TARGET_KEY or a file.
Exit codes: 0 all held, 1 something is damaged, missing or another's, 2 it could not be read.`

/** Adds the group `journal` to the program. */
export function journalCommand(program: Command, commonOf: CommonOf, run: Run): void {
  const group = program
    .command('journal')
    .description('verify, export or replay the journal of a sequencer, or take a snapshot')
    .addHelpText('after', HELP)
  const add = (name: string, description: string): Command =>
    group
      .command(`${name} [journal]`)
      .description(description)
      .option('--key-file <file>', 'the key of the journal')
      .option('--unsealed', 'the journal is kept without a key')
      .addHelpText('after', HELP)
  const withSnapshots = (command: Command): Command =>
    command.option('--snapshots <directory>', 'where snapshots lie (default: DIRECTORY.snapshots)')
  const act =
    (command: 'verify' | 'export' | 'replay' | 'snapshot' | 'reseal') =>
    (journal: string | undefined, options: Options, given: Command): Promise<void> => {
      commonOf(given)
      return run(work(command, journal, options))
    }
  withSnapshots(
    add('verify', 'every record: whole, in its place, readable with the key; which snapshots fit'),
  ).action(act('verify'))
  add('export', 'records as lines of JSON: positions in plain text')
    .requiredOption('--out <file>', 'the file to make')
    .option('--from <sequence>', 'the first record')
    .option('--to <sequence>', 'the last record')
    .option('--secrets', 'view keys, deposit secrets and randomness too')
    .action(act('export'))
  add('reseal', 'write every record into a new journal, under another key')
    .requiredOption('--target <journal>', 'a new directory, or the URL of an empty PostgreSQL')
    .option('--target-key-file <file>', 'its key (default: DIRECTORY.key, made with it)')
    .action(act('reseal'))
  withSnapshots(add('replay', 'rebuild the state from the journal alone; roots of all batches'))
    .option('--root <root>', 'the root that must come out, as L1 has it')
    .option('--snapshot <file>', 'a snapshot to compare with (default: the newest that fits)')
    .action(act('replay'))
  withSnapshots(add('snapshot', 'write the state down, so that a start need not apply all records'))
    .option('--out <file>', 'another place for it: then older ones are left alone')
    .action(act('snapshot'))
}

function sequence(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw new Undone(`${name} must be the number of a record`)
  return Number(text)
}

async function work(command: string, given: string | undefined, options: Options): Promise<Result> {
  const { keyFile, unsealed, out, secrets, from, to, root, target, targetKeyFile } = options
  const {
    CLOISTER_JOURNAL: named,
    CLOISTER_SNAPSHOTS: snapshots,
    CLOISTER_JOURNAL_KEY: key,
    CLOISTER_JOURNAL_TARGET_KEY: targetKey,
    ...env
  } = process.env
  const journal = given ?? named
  if (journal === undefined) throw new Undone('name a journal: a directory or a PostgreSQL URL')
  if (root !== undefined && !/^(0|[1-9][0-9]{0,77}|0x[0-9a-fA-F]{1,64})$/.test(root))
    throw new Undone('--root must be a number')
  const placed = (name: string): string =>
    /^postgres(ql)?:\/\//.test(name) ? name : fromHere(name)
  const fileOf = (name: string | undefined) => (name === undefined ? undefined : fromHere(name))
  const configuration = {
    journal: placed(journal),
    key,
    keyFile: fileOf(keyFile),
    unsealed,
    snapshots: fileOf(options.snapshots ?? snapshots),
  }
  const asked = {
    command,
    configuration,
    out: out === undefined ? undefined : fromHere(out),
    secrets,
    from: sequence(from, '--from'),
    to: sequence(to, '--to'),
    root,
    snapshot: fileOf(options.snapshot),
    target:
      target === undefined
        ? undefined
        : { journal: placed(target), key: targetKey, keyFile: fileOf(targetKeyFile) },
  }
  if (asked.out !== undefined && existsSync(asked.out))
    throw new Undone(`${asked.out} exists: nothing is written over`)
  const answer = await runProcess({ ...env, CLOISTER_JOURNAL_WORK: JSON.stringify(asked) })
  const rule = answer.json['rule']
  if (!answer.ok && rule === null) throw new Undone(answer.text)
  return { text: answer.text, json: answer.json, code: answer.ok ? 0 : 1 }
}

type Answer = {
  readonly ok: boolean
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
}
/** The work goes by environment, which other users cannot read, as they can a command line. */
function runProcess(env: NodeJS.ProcessEnv): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const file = join(ROOT, 'sequencer', 'journal', 'command.ts')
    const child = spawn(process.execPath, ['--import', 'tsx', file], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let out = ''
    let complaint = ''
    child.stdout.on('data', (data: Buffer) => (out += data.toString()))
    child.stderr.on(
      'data',
      (data: Buffer) => (complaint = (complaint + data.toString()).slice(-500)),
    )
    child.once('error', reject)
    child.once('close', () => {
      try {
        resolve(JSON.parse(out) as Answer)
      } catch {
        reject(new Undone(`the journal could not be read: ${complaint.trim()}`))
      }
    })
  })
}
