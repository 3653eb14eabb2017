/** Commands that need L1 and a file, and no house: rebuild, disclose. */
import type { Command } from 'commander'
import type { Common, Result } from './day.ts'

type Given = Record<string, unknown>
type CommonOf = (command: Command) => Common & Given
type Run = (work: Promise<Result>) => Promise<void>

const REBUILD = `
Nothing is believed but L1: every public word is read, every leaf is written into a tree of one's
own, every root is compared with the contract's. No house is asked; it may be gone for good.

Examples:
  cloister rebuild --rpc https://node.example --contract 0xe7f1...0512
  cloister rebuild --rpc URL --contract ADDRESS --key seed --label ANN    your account, from the seed
  cloister rebuild --member ANN --state ~/cloister-l1                     resumes where it stopped
  cloister rebuild --rpc URL --contract ADDRESS --key seed --json | jq .accounts[0].now

The seed: 64 hex digits in a file that only you can read. Its keys have a name, the one that
"cloister account new NAME" was given; it is found beside the seed, or is given with --label. Keys of
later rotations, by page or on L1, are found by themselves.

The history says, batch by batch, what changed and why as far as L1 shows it: registration, deposits
of this seed, conversions at settlement, forced exits. The rest is "pages" (trades, withdrawals by
page, fees): a journal head shows that there were pages, not how many; your journal does.

--state DIR keeps what was read (public data, about twice the bytes of the words). A record that is
damaged, cut short, reorganised away or untrue is noticed and mended by reading L1 again.

What a node can do: leave out or alter events, and then roots, counts or challenges do not match and
the command ends with 1. Whether a batch was proven at all is for "cloister audit" to say.

Exit codes: 0 rebuilt, every root equal; 1 L1 or the node's account of it does not hold together, or
from some batch on the account is under keys of others; 2 could not be done (node unreachable, a key
that fits nothing, a wrong address).`

export function addRebuild(program: Command, commonOf: CommonOf, run: Run): void {
  withKey(program.command('rebuild'))
    .description('the whole house from L1 alone; with a seed, your account and its history')
    .option(
      '--contract <address>',
      'the house on L1 (default: beside the seed, or the running day)',
    )
    .option('--account <index>', 'the account, if the seed has several or came to it by a page')
    .option('--state <directory>', 'keep what was read here and go on from it the next time')
    .option('--from-block <number>', "block of the contract's deployment (default: looked for)")
    .option('--leaves', 'with --json: every leaf of the tree, too')
    .addHelpText('after', REBUILD)
    .action((options: Given, command: Command) =>
      run(
        import('./rebuild.ts').then(({ rebuildHouse }) =>
          rebuildHouse({ ...commonOf(command), ...options }),
        ),
      ),
    )
}

const DISCLOSE = `
An auditor is given the keys of a period: one account, some batches, nothing else. The file holds no
seed and no view key, and none follows from it. The reader checks it against L1, not against you.

Examples:
  cloister disclose grant --member ANN --from 2026-01-01 --to 2026-03-31 --out q1.grant \\
    --purpose "audit of the first quarter, Meyer & Partners"
  cloister disclose grant --key seed --label ANN --rpc URL --contract ADDRESS --from 12 --to 40 \\
    --out 12-40.grant
  cloister disclose read q1.grant --rpc https://node.example          what the auditor runs
  cloister disclose list --member ANN                                 what was ever granted

Beside the period the file opens the last batch before it, or the reader would not know what the
account held when it began. A grant cannot be taken back: whoever has the file can read that period
for ever. Every grant is written into the log beside the seed (grants.jsonl) before its file exists;
its number and the hash before it are in the file, so a line that goes missing later shows.

Exit codes: 0 done, 1 the grant or the log does not hold (altered, incomplete, for another house),
2 could not be done.`

const GRANT = `
Periods: batch numbers (12), dates in UTC (2026-01-31; --to takes the whole day) or times
(2026-01-31T12:00Z). The period must be over. The file is readable by you alone (mode 0600) and
overwrites nothing; hand it over by a way that you would trust with the statements themselves.`

const READ = `
The file says which chain, house, account and batches it is for; each is checked, each ciphertext is
opened, each leaf recomputed and compared with L1, and it is checked that no batch of the period is
left out. Use a node of your own choice: nothing is taken from the member but the keys.`

export function addDisclose(program: Command, commonOf: CommonOf, run: Run): void {
  const disclose = program
    .command('disclose')
    .description('let an auditor read one account over one period, and nothing else')
    .addHelpText('after', DISCLOSE)
  const command = () => import('./disclose.ts')
  withKey(disclose.command('grant'))
    .description('write the keys of a period into a file for an auditor')
    .requiredOption('--from <batch|date>', 'first batch, date or time of the period')
    .requiredOption('--to <batch|date>', 'last batch, date or time of the period')
    .requiredOption('--out <file>', 'the file to write')
    .option('--purpose <text>', 'for whom and what for: stands in the file and in the log')
    .option('--account <index>', 'the account, if the seed has several')
    .option(
      '--contract <address>',
      'the house on L1 (default: beside the seed, or the running day)',
    )
    .option('--state <directory>', 'as of cloister rebuild')
    .addHelpText('after', GRANT)
    .action((options: { from: string; to: string; out: string }, self: Command) =>
      run(command().then((c) => c.discloseGrant({ ...commonOf(self), ...options }))),
    )
  disclose
    .command('read <file>')
    .description('read what a grant opens, checked against L1')
    .option(
      '--contract <address>',
      'the house that you mean (default: the one that the file names)',
    )
    .option('--state <directory>', 'as of cloister rebuild')
    .addHelpText('after', READ)
    .action((file: string, options: Given, self: Command) =>
      run(command().then((c) => c.discloseRead(file, { ...commonOf(self), ...options }))),
    )
  withKey(disclose.command('list'))
    .description('every grant that was made with this seed, from the log beside it')
    .action((options: Given, self: Command) =>
      run(command().then((c) => c.discloseList({ ...commonOf(self), ...options }))),
    )
}

function withKey(command: Command): Command {
  return command
    .option('--key <file>', 'seed file, or - for standard input')
    .option('--member <name>', 'the same for a member of this machine')
    .option('--label <name>', "name of the seed's keys (default: the one found beside the seed)")
}
