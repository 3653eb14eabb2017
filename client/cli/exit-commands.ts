/** `cloister exit`: its commands, for the program. */
import type { Command } from 'commander'
import type { Common, Result } from './day.ts'

type Given = Record<string, unknown>
type CommonOf = (command: Command) => Common & Given
type Run = (work: Promise<Result>) => Promise<void>

const EXIT = `
No house is asked: an L1 node, the contract and your seed are enough, in an empty directory. What
the L1 owner must send is sent with its key (l1.key beside the seed, or --l1-key FILE), or written out
for a multisig or a hardware wallet with --print. No key is ever an argument.

While the house runs and does not serve you:
  cloister exit force cash --member ANN                        what it would cost
  cloister exit force cash --member ANN --max-price 0.002      ask on L1: batches must pay it
  cloister exit claim --member ANN                             collect it when a batch has
  cloister exit refund --member ANN                            ask for deposits back that are not credited
When it has not, or does nothing at all:
  cloister exit freeze --member ANN                            names the ground, or how long until one
  cloister exit escape --key seed --label ANN --rpc URL --contract ADDRESS
  cloister exit claim --member ANN                             after the claims window: every token
  cloister exit status --member ANN

To walk it on a local day, set the clock of its L1 forward (evm_increaseTime, evm_mine): seven days
without a batch are a ground, and fourteen more end the claims.

Exit codes: 0 done, 1 refused by a rule of L1, no ground to freeze, or L1 does not hold together,
2 could not be done.`

const ESCAPE = `
Rebuilds the house from L1, opens your leaf, values it at the last confirmed marks, proves that on this
machine (seconds; some minutes more the first time, for the circuit), and claims it as the L1 owner.
A claim within the window is worth the same whenever it is made; do not be late.
--table FILE: the oracle's rows of the last confirmed table, where its posting on L1 lacks the root of
its worlds. They are checked against the root on L1.
--at-marks: where the final values that the node tells of do not have the register's root, what has
expired is claimed at its last mark. Ask another node first: it may know the final value.`

export function addExit(program: Command, commonOf: CommonOf, run: Run): void {
  const exit = program
    .command('exit')
    .description('leave by L1 alone: forced exit, refund, freeze, escape, collect')
    .addHelpText('after', EXIT)
  const commands = () => import('./exit.ts')
  withPlace(exit.command('force <token>'))
    .description('have batches pay out all of one token that the account can spare')
    .option('--to <address>', 'L1 address to pay (default: the L1 owner)')
    .option('--max-price <ether>', 'send it, for no more than this; what is too much comes back')
    .action((token: string, options: Given, self: Command) =>
      run(commands().then((c) => c.exitForce(token, { ...commonOf(self), ...options }))),
    )
  withPlace(exit.command('refund [deposit]'))
    .description('ask for deposits back that no batch has credited; exit claim collects them')
    .action((deposit: string | undefined, options: Given, self: Command) =>
      run(
        import('./exit-refund.ts').then((c) =>
          c.exitRefund(deposit, { ...commonOf(self), ...options }),
        ),
      ),
    )
  withPlace(exit.command('freeze'))
    .description('freeze the house if there is a ground; else say how long until one')
    .action((options: Given, self: Command) =>
      run(commands().then((c) => c.exitFreeze({ ...commonOf(self), ...options }))),
    )
  withPlace(exit.command('escape'))
    .description('after a freeze: prove what the account is worth, and claim it')
    .option('--keys <directory>', 'keys of a ceremony, NAME.zkey each')
    .option('--table <file>', "the oracle's rows of the last confirmed table")
    .option(
      '--at-marks',
      'claim what has expired at its last mark where the register cannot be read',
    )
    .addHelpText('after', ESCAPE)
    .action((options: Given, self: Command) =>
      run(commands().then((c) => c.exitEscape({ ...commonOf(self), ...options }))),
    )
  withPlace(exit.command('claim'))
    .description('collect all that L1 owes: payments, refunds, shares of every token')
    .option('--to <address>', 'L1 address for the shares (default: the L1 owner)')
    .action((options: Given, self: Command) =>
      run(commands().then((c) => c.exitClaim({ ...commonOf(self), ...options }))),
    )
  withPlace(exit.command('status'))
    .description('what waits, what can be collected, which grounds to freeze are near')
    .action((options: Given, self: Command) =>
      run(commands().then((c) => c.exitStatus({ ...commonOf(self), ...options }))),
    )
}

function withPlace(command: Command): Command {
  return command
    .option('--key <file>', 'seed file, or - for standard input')
    .option('--member <name>', 'the same for a member of this machine')
    .option('--label <name>', "name of the seed's keys (default: the one found beside the seed)")
    .option('--account <index>', 'the account, if the seed has several')
    .option(
      '--contract <address>',
      'the house on L1 (default: beside the seed, or the running day)',
    )
    .option('--state <directory>', 'as of cloister rebuild')
    .option('--l1-key <file>', "file of the L1 owner's key (default: l1.key beside the seed)")
    .option('--print', 'write the transactions out instead of sending them')
}
