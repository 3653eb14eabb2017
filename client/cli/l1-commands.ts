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

Exit codes: 0 rebuilt, every root equal; 1 L1 or the node's account of it does not hold together;
2 could not be done (node unreachable, a key that fits nothing, a wrong address).`

export function addRebuild(program: Command, commonOf: CommonOf, run: Run): void {
  program
    .command('rebuild')
    .description('the whole house from L1 alone; with a seed, your account and its history')
    .option('--contract <address>', 'the house on L1 (default: beside the seed, or the running day)')
    .option('--key <file>', 'seed file: open its account')
    .option('--member <name>', 'the same for a member of this machine: its seed, node and contract')
    .option('--label <name>', 'name of the seed\'s keys (default: the one found beside the seed)')
    .option('--account <index>', 'the account, if the seed has several or came to it by a page')
    .option('--state <directory>', 'keep what was read here and go on from it the next time')
    .option('--from-block <number>', 'block of the contract\'s deployment (default: looked for)')
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
