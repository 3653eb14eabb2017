/** `cloister changes` and its steps: seal a house, announce its changes, carry them out, cancel them. */
import type { Command } from 'commander'
import type { Common, Result } from './day.ts'
import * as help from './help-changes.ts'

type CommonOf = (command: Command) => Common & Record<string, unknown>
type Run = (work: Promise<Result>) => Promise<void>

// Loaded when a command runs, so that printing help loads nothing of L1.
const steps = () => import('./change-steps.ts')

export function addChanges(program: Command, commonOf: CommonOf, run: Run): void {
  const changes = program
    .command('changes')
    .description('who may change what of a house, what is announced to its lock, and from when on')
    .option('--contract <address>', 'the house on L1 (default: that of the running day)')
    .addHelpText('after', help.CHANGES)
    .action((_options: object, command: Command) =>
      run(import('./changes.ts').then((listing) => listing.changes(commonOf(command)))),
    )
  sending(changes.command('announce <change> [value...]'))
    .description('announce a change: its delay begins, and everybody can see it')
    .option('--of <place>', 'house, oracle or lock, where a change could be of several')
    .option('--salt <hex>', '32 bytes; another one to make a change again that was made before')
    .option('--for-later', 'announce what would be refused if it were carried out today', false)
    .addHelpText('after', help.ANNOUNCE)
    .action((change: string, values: string[], _options: object, command: Command) =>
      run(steps().then(({ announce }) => announce(change, values, commonOf(command)))),
    )
  sending(changes.command('execute <id>'))
    .description('carry out a change that is due: anybody may')
    .addHelpText('after', help.EXECUTE)
    .action((id: string, _options: object, command: Command) =>
      run(steps().then(({ execute }) => execute(id, commonOf(command)))),
    )
  sending(changes.command('cancel <id>'))
    .description('take an announced change back: the proposer and the guardian may')
    .addHelpText('after', help.CANCEL)
    .action((id: string, _options: object, command: Command) =>
      run(steps().then(({ cancel }) => cancel(id, commonOf(command)))),
    )
  sending(changes.command('seal'))
    .description('make the lock the only admin of the house and its oracle, for good')
    .addHelpText('after', help.SEAL)
    .action((_options: object, command: Command) =>
      run(steps().then(({ seal }) => seal(commonOf(command)))),
    )
  for (const [name, description] of [
    ['pause', 'stop batches, deposits and registrations; every way out stays open'],
    ['unpause', 'let them in again; of a public house only once it is sealed'],
  ] as const)
    sending(changes.command(name))
      .description(description)
      .addHelpText('after', help.PAUSE)
      .action((_options: object, command: Command) =>
        run(steps().then(({ pause }) => pause(name === 'pause', commonOf(command)))),
      )
}

/** Options of what is sent to L1; without --yes it is only looked at. */
function sending(command: Command): Command {
  return command
    .option('--key-file <file>', 'L1 key of who sends, mode 600 (default: CLOISTER_L1_KEY)')
    .option('--yes', 'send it; without, it is tried and shown', false)
}
