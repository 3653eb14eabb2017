/** The `cloister` command: reads the command line, runs one command, answers with its exit code. */
import { Command, CommanderError, Option } from 'commander'
import type { Common, Result } from './day.ts'
import { addCall } from './call.ts'
import { addCeremony } from './ceremony.ts'
import { addChanges } from './change-commands.ts'
import { addCircuits } from './circuits.ts'
import { addExit } from './exit-commands.ts'
import { failureOf, type ExitCode } from './failures.ts'
import { requireGivenOnce, requireKnownCommand, spilledSecret } from './given-once.ts'
import { parseSeconds } from './terms.ts'
import * as help from './help.ts'
import { journalCommand } from './journal.ts'
import { receiptCommand } from './receipt.ts'
import { plain } from './plain.ts'
import { proverCommand } from './prover.ts'
import { riskCommand } from './risk.ts'
import { addOracle } from './oracle.ts'
import { addDisclose, addRebuild } from './l1-commands.ts'

/** As package.json has it; a test compares the two. */
export const VERSION = '0.1.0'
const VERSION_JSON = `${JSON.stringify({ ok: true, version: VERSION })}\n`

export type Output = { readonly out: (text: string) => void; readonly err: (text: string) => void }

/** Options as commander has them, after those of the parent commands. */
type Given = Record<string, unknown>

export async function main(argv: readonly string[], output: Output): Promise<ExitCode> {
  const isJson = argv.includes('--json')
  let code: ExitCode = 0
  const run = async (work: Promise<Result>): Promise<void> => {
    const { text, json, code: given = 0, isJsonText = false } = await work
    output.out(
      isJson && !isJsonText
        ? `${JSON.stringify({ ok: given === 0, ...json })}\n`
        : plain(`${text}\n`),
    )
    code = given
  }
  const fail = (failed: ExitCode, rule: string | null, text: string): ExitCode => {
    if (isJson)
      output.out(`${JSON.stringify({ ok: false, exitCode: failed, rule, message: text })}\n`)
    else output.err(plain(`cloister: ${text}\n`))
    return failed
  }
  const spilled = spilledSecret(argv)
  if (spilled !== null) return fail(2, null, spilled)
  try {
    await programOf(output, isJson, run).parseAsync([...argv], { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0
      if (error.code !== 'commander.help')
        return fail(2, null, error.message.replace(/^error: /, ''))
      // The help stands on stderr already; a program is told what it lacks.
      return isJson ? fail(2, null, 'a command must be named: --help lists them') : 2
    }
    const failure = failureOf(error)
    return fail(failure.code, failure.rule, failure.text)
  }
}

function programOf(
  output: Output,
  isJson: boolean,
  run: (work: Promise<Result>) => Promise<void>,
): Command {
  const program = new Command('cloister')
    .description('Private clearing of derivatives, proven on L1.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.out(isJson && text === `${VERSION}\n` ? VERSION_JSON : text),
      writeErr: (text) => (isJson ? undefined : output.err(text)),
      outputError: () => {},
    })
    .configureHelp({ showGlobalOptions: true, helpWidth: 100 })
    .version(VERSION, '--version', 'print the version of this checkout')
    .option('--json', 'answer with one line of JSON')
    .option(
      '--house <url>',
      'address of the house (default: CLOISTER_HOUSE, or the one started last)',
    )
    .option('--data <directory>', 'directory of a house that runs here (default: CLOISTER_DATA)')
    .option('--rpc <url>', 'L1 node to read and write (default: that of the house)')
    .option('--dir <directory>', "the member's directory (default: .cache/members/NAME)")
    .addOption(
      new Option('--timeout <seconds>', 'how long to wait for a batch or the other side').default(
        '600',
      ),
    )
    .addHelpText('after', help.PROGRAM)
  const commonOf = (command: Command): Common & Given => {
    const given = command.optsWithGlobals<Given & { timeout: string }>()
    return {
      ...given,
      json: isJson,
      timeout: parseSeconds(given.timeout),
      note: (line) => {
        if (!isJson) output.err(plain(`${line}\n`))
      },
    }
  }
  const tell: Tell = (text, json) => output.out(`${isJson ? JSON.stringify(json) : plain(text)}\n`)
  addUp(program, commonOf, run, tell)
  addAccount(program, commonOf, run, tell)
  addCash(program, commonOf, run)
  addTrade(program, commonOf, run)
  riskCommand(program, commonOf, run)
  addOracle(program, commonOf, run)
  addRebuild(program, commonOf, run)
  addDisclose(program, commonOf, run)
  addExit(program, commonOf, run)
  addCeremony(program, commonOf, run)
  addCircuits(program, commonOf, run)
  journalCommand(program, commonOf, run)
  receiptCommand(program, commonOf, run)
  addCall(program, commonOf, run)
  proverCommand(program, commonOf, run)
  program
    .command('status')
    .description('the house, its table and its batches, read from it and from L1')
    .addHelpText('after', help.STATUS)
    .action((_options: Given, command: Command) =>
      run(import('./house.ts').then(({ status }) => status(commonOf(command)))),
    )
  program
    .command('audit')
    .description('replay L1 from the first event, verify every proof again, count the vault')
    .option('--contract <address>', 'the house on L1 (default: that of the running day)')
    .option('--no-build', 'compile nothing: use keys of the cache, or leave proofs unverified')
    .option('--keys <directory>', 'verification keys that a ceremony exported, NAME.vkey.json each')
    .addHelpText('after', help.AUDIT)
    .action((options: { contract?: string; build: boolean; keys?: string }, command: Command) =>
      run(
        import('./house.ts').then(({ auditHouse }) =>
          auditHouse({ ...commonOf(command), ...options }),
        ),
      ),
    )
  addChanges(program, commonOf, run)
  requireGivenOnce(program)
  requireKnownCommand(program)
  return program
}

type CommonOf = (command: Command) => Common & Given
type Run = (work: Promise<Result>) => Promise<void>
/** A line of a command that has many. */
type Tell = (text: string, json: Readonly<Record<string, unknown>>) => void
const NO_WAIT = ['--no-wait', 'do not wait: return as soon as it is asked for'] as const

function addUp(program: Command, commonOf: CommonOf, run: Run, tell: Tell): void {
  program
    .command('up')
    .description('keep a whole house running: L1, oracle, sequencer, in the directory --data')
    .option(
      '--port <number>',
      "the members' port; the next two are L1's and the operator's",
      '8600',
    )
    .option('--cadence <seconds>', 'between two batches', '15')
    .option('--tables <seconds>', 'between two tables of the oracle', '600')
    .option(
      '--shape <name>',
      'small, mini, standard, sparse or large; stays as it was made',
      'small',
    )
    .addHelpText('after', help.UP)
    .action(
      (
        options: { port: string; cadence: string; tables: string; shape: string },
        command: Command,
      ) =>
        run(
          import('./up.ts').then(({ keepUp }) =>
            keepUp({ ...commonOf(command), ...options, tell }),
          ),
        ),
    )
}

function addAccount(program: Command, commonOf: CommonOf, run: Run, tell: Tell): void {
  const account = program
    .command('account')
    .description('open an account; see what is in it; change its keys; attend it')
  account
    .command('new <name>')
    .description('make keys, register on L1, wait until a batch has registered the account')
    .option('--dollars <amount>', 'test dollars to mint, on a local chain only', '1000000')
    .option(...NO_WAIT)
    .addHelpText('after', help.ACCOUNT_NEW)
    .action((name: string, options: { dollars: string; wait: boolean }, command: Command) =>
      run(
        import('./account.ts').then(({ accountNew }) =>
          accountNew(name, { ...commonOf(command), ...options }),
        ),
      ),
    )
  account
    .command('show <name>')
    .description("open the account's leaf on L1: cash, balances, worth in every world")
    .addHelpText('after', help.ACCOUNT_SHOW)
    .action((name: string, _options: Given, command: Command) =>
      run(import('./account.ts').then(({ accountShow }) => accountShow(name, commonOf(command)))),
    )
  account
    .command('rotate <name>')
    .description('change the keys: the next ones of the seed, by a page or from L1')
    .option(
      '--l1',
      "from L1 with the L1 owner's key: where the house does not serve, or a key is out",
    )
    .option('--l1-key <file>', "with --l1: the L1 owner's key (default: l1.key beside the seed)")
    .option('--print', 'with --l1: write the transaction out for another wallet')
    .option(...NO_WAIT)
    .addHelpText('after', help.ACCOUNT_ROTATE)
    .action((name: string, options: Wait & { l1?: boolean; print?: boolean }, command: Command) =>
      run(
        import('./rotate.ts').then(({ accountRotate }) =>
          accountRotate(name, { ...commonOf(command), ...options }),
        ),
      ),
    )
  addAttend(account, commonOf, run, tell)
}

function addAttend(account: Command, commonOf: CommonOf, run: Run, tell: Tell): void {
  account
    .command('attend <name>')
    .description('stay with the account: tell what happens to it, sign anew what the house has cut')
    .addHelpText('after', help.ACCOUNT_ATTEND)
    .action((name: string, _options: Given, command: Command) =>
      run(import('./attend.ts').then(({ attend }) => attend(name, { ...commonOf(command), tell }))),
    )
}

type Wait = { wait: boolean }

function addCash(program: Command, commonOf: CommonOf, run: Run): void {
  program
    .command('deposit <name> <amount>')
    .description('pay dollars into the account; L1 sees the amount, not the account')
    .option(...NO_WAIT)
    .addHelpText('after', help.DEPOSIT)
    .action((name: string, amount: string, { wait }: Wait, command: Command) =>
      run(
        import('./cash.ts').then(({ deposit }) =>
          deposit(name, amount, { ...commonOf(command), wait }),
        ),
      ),
    )
  program
    .command('withdraw <name> <amount>')
    .description('take dollars out: sign, wait for the batch, claim on L1')
    .option('--to <address>', "L1 address to pay (default: the member's own)")
    .option(...NO_WAIT)
    .addHelpText('after', help.WITHDRAW)
    .action((name: string, amount: string, options: Wait & { to?: string }, command: Command) =>
      run(
        import('./cash.ts').then(({ withdraw }) =>
          withdraw(name, amount, { ...commonOf(command), ...options }),
        ),
      ),
    )
  program
    .command('claim <name>')
    .description('claim on L1 what was withdrawn and not claimed yet')
    .option(...NO_WAIT)
    .action((name: string, { wait }: Wait, command: Command) =>
      run(import('./cash.ts').then(({ claim }) => claim(name, { ...commonOf(command), wait }))),
    )
}

function addTrade(program: Command, commonOf: CommonOf, run: Run): void {
  const trade = program
    .command('trade')
    .description('propose, affirm and sign trades')
    .addHelpText('after', help.TRADE)
  const trades = () => import('./trade.ts')
  trade
    .command('propose <name> <counterparty> <leg...>')
    .description('propose a trade of one to three legs; then wait for the other side and sign')
    .option('--client-id <id>', 'your own name for the trade: asked twice, it is made once')
    .option(...NO_WAIT)
    .addHelpText('after', help.TRADE)
    .action(
      (
        name: string,
        counterparty: string,
        legs: string[],
        options: Wait & { clientId?: string },
        command: Command,
      ) =>
        run(
          trades().then(({ propose }) =>
            propose(name, counterparty, legs, { ...commonOf(command), ...options }),
          ),
        ),
    )
  trade
    .command('list <name>')
    .description('the trades of this member: id, state, role, terms from its side')
    .action((name: string, _options: Given, command: Command) =>
      run(trades().then(({ list }) => list(name, commonOf(command)))),
    )
  trade
    .command('affirm <name> <id>')
    .description('agree to a proposal as trade list shows it; then sign')
    .option('--document <file>', 'the trade document, where another program proposed the trade')
    .option(...NO_WAIT)
    .addHelpText('after', help.TRADE_AFFIRM)
    .action((name: string, id: string, options: Wait & { document?: string }, command: Command) =>
      run(trades().then(({ affirm }) => affirm(name, id, { ...commonOf(command), ...options }))),
    )
  trade
    .command('reject <name> <id>')
    .description("turn a proposal down, or take one's own back")
    .action((name: string, id: string, _options: Given, command: Command) =>
      run(trades().then(({ reject }) => reject(name, id, commonOf(command)))),
    )
  trade
    .command('sign <name>')
    .description('sign all stamped trades that were agreed here, in the order of their stamps')
    .action((name: string, _options: Given, command: Command) =>
      run(trades().then(({ sign }) => sign(name, commonOf(command)))),
    )
}
