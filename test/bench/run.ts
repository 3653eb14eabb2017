/** What the law costs: constraints and gas of each shape, proofs on this machine, and peers. */
import { availableParallelism, cpus } from 'node:os'
import { Command } from 'commander'
import { shapeNamed } from '../../prover/artifacts.ts'
import { admissionCost, type AdmissionCost } from './admission.ts'
import { journalCost, type JournalCost } from './journal.ts'
import { isSparse } from './load.ts'
import { PEERS } from './peers.ts'
import { proofCostsOf, type ProofCost } from './prove.ts'
import { proverFigures, proversReport } from './provers.ts'
import { serviceCost, type ServiceCost } from './service.ts'
import type { ShapeCost } from './shapes.ts'
import { count, megabytes, seconds, tableText } from './table.ts'
import { wideCost } from './wide.ts'
import { tableReport, worldsReport } from './worlds.ts'

type Options = {
  readonly shapes?: true
  readonly json?: true
  readonly service?: true
  readonly minutes: string
  readonly helpers: string
  readonly wide?: true
  readonly journal?: true
  readonly records: string
  readonly worlds?: true
  readonly provers?: true
  readonly prove: string
  readonly only: string
}

/** The shapes that matter first. */
const ORDER = ['standard', 'large', 'sparse', 'small', 'mini']
const list = (text: string): readonly string[] =>
  text
    .split(',')
    .filter((name) => name !== '' && name !== 'none')
    .map((name) => shapeNamed(name).name)

const progress = (what: string): void => void process.stderr.write(`${what}\n`)
// Compilers talk through console.log; stdout is for the figures alone.
console.log = console.error
const print = (text: string): void => void process.stdout.write(`${text}\n`)

async function shapeCosts(names: readonly string[]): Promise<readonly ShapeCost[]> {
  // Loaded late: it compiles the contracts.
  const { costOf } = await import('./shapes.ts')
  const costs: ShapeCost[] = []
  for (const name of names) costs.push(await costOf(shapeNamed(name), progress))
  return costs
}

async function proofCosts(names: readonly string[]): Promise<readonly ProofCost[]> {
  const costs: ProofCost[] = []
  for (const name of names) costs.push(...(await proofCostsOf(shapeNamed(name), progress)))
  return costs
}

function printShapes(costs: readonly ShapeCost[]): void {
  print(
    'Constraints and gas by shape (--O1, linear constraints included; gas of a full batch\n' +
      'without deposits, requests and withdrawals, calldata and event included)\n',
  )
  print(
    tableText(
      [
        'shape',
        'pages',
        'trades',
        'accounts',
        'constraints',
        'a trade',
        'an account',
        'gas',
        'gas a trade',
      ],
      costs.map((c) => [
        c.name,
        count(c.pages),
        count(c.trades),
        count(c.accounts),
        count(c.constraints),
        count(c.perTrade),
        count(c.perAccount),
        count(c.gas),
        count(c.gasPerTrade),
      ]),
    ),
  )
  const sparse = costs
    .map(({ name }) => shapeNamed(name))
    .filter(isSparse)
    .map(({ name }) => name)
    .join(', ')
  print(
    '\nA trade is one leg seen from both sides: packages have two legs on average and take two\n' +
      `pages. In ${sparse} every account trades one leg; there the figure an account counts.\n`,
  )
}

function printProofs(costs: readonly ProofCost[]): void {
  const processor = cpus()[0]?.model ?? 'unknown processor'
  print(
    `Proofs of full batches on this machine (${availableParallelism()} cores, ${processor};\n` +
      'DEVELOPMENT keys; a trade is one leg seen from both sides)\n',
  )
  print(
    tableText(
      [
        'shape',
        'backend',
        'trades',
        'witness s',
        'first proof s',
        'next s',
        'verify s',
        'peak memory',
        'trades a second and core',
      ],
      costs.map((c) => [
        c.name,
        c.backend,
        count(c.trades),
        seconds(c.witnessSeconds),
        seconds(c.firstSeconds),
        seconds(c.nextSeconds),
        seconds(c.verifySeconds),
        megabytes(c.peakBytes),
        c.tradesPerSecondPerCore.toFixed(2),
      ]),
    ),
  )
  print('')
}

function printAdmission(cost: AdmissionCost): void {
  print(
    `Admission on one core, signature and margin of both sides checked: ${cost.pages} pages in ` +
      `${seconds(cost.seconds)} s,\n${count(cost.tradesPerSecond)} trades a second.\n`,
  )
}

function printJournal(cost: JournalCost): void {
  print('The journal: records of 1.1 kB, sealed, each acknowledged when it is durable\n')
  print(
    tableText(
      ['engine', 'load', 'records a second', 'p50 ms', 'p99 ms'],
      cost.appends.map((c) => [
        c.engine,
        c.load,
        count(Math.round(c.perSecond)),
        c.p50Ms.toFixed(2),
        c.p99Ms.toFixed(2),
      ]),
    ),
  )
  if (cost.missing !== null) print(cost.missing)
  print(
    `Replayed with every signature checked again: ${count(Math.round(cost.replayPerSecond))} ` +
      `records a processor second (${cost.replayRecords} records, batches included).\n`,
  )
  const { records, behind, bytes, without, taking, with: resumed } = cost.snapshot
  print(
    `A restart of ${count(records)} records takes ${seconds(without)} processor seconds, from a snapshot ` +
      `with ${count(behind)} records behind it\n${seconds(resumed)}; taking that one, ` +
      `${(bytes / 1e6).toFixed(1)} MB sealed, ${seconds(taking)} beside the records that lead to it.\n`,
  )
}

function printService({ helpers, loads, replays }: ServiceCost): void {
  print(
    'The house under load, everything but proofs: sixteen members in one other process propose,\n' +
      'affirm and sign packages of two trades by HTTP; records are on the disk before they are\n' +
      'acknowledged; a batch of 256 pages at most is netted and executed each 0.8 seconds;\n' +
      `${helpers} helper process for signatures and receipts, ` +
      `${availableParallelism()} cores\n`,
  )
  print(
    tableText(
      ['load', 'trades a second', 'settled a second', 'p50 ms', 'p99 ms', 'batches'],
      loads.map((c) => [
        c.load,
        c.tradesPerSecond.toFixed(0),
        c.settledPerSecond.toFixed(0),
        c.p50Ms.toFixed(1),
        c.p99Ms.toFixed(1),
        count(c.batches),
      ]),
    ),
  )
  print('\nMemory of the house\n')
  print(
    tableText(
      ['load', 'resident: start', 'middle', 'end', 'heap: start', 'end'],
      loads.map((c) => [c.load, ...c.resident.map(megabytes), ...c.heap.map(megabytes)]),
    ),
  )
  const ms = (value: number | null): string => (value === null ? '?' : value.toFixed(2))
  print('\nProcessor milliseconds a trade; the members share the cores with the house\n')
  print(
    tableText(
      ['load', 'house', 'its main thread', 'helpers', 'members'],
      loads.map((c) => [
        c.load,
        ms(c.cpuMs),
        ms(c.mainCpuMs),
        ms(c.helpersCpuMs),
        ms(c.membersCpuMs),
      ]),
    ),
  )
  const parts = loads.find((c) => c.parts !== null)?.parts ?? new Map<string, number>()
  print('\nOf the main thread, by part, profiled\n')
  print(
    tableText(
      ['part', 'ms a trade'],
      [...parts].map(([part, value]) => [part, ms(value)]),
    ),
  )
  print('\nIts journal replayed, in processor seconds\n')
  print(
    tableText(
      ['signatures', 'records', 'seconds', 'records a second', 's / 100,000 trades'],
      replays.map((r) => [
        r.isBelieved ? 'as recorded (a restart)' : 'verified again (an audit)',
        count(r.records),
        r.seconds.toFixed(1),
        count(Math.round(r.records / r.seconds)),
        ((100_000 * r.seconds) / r.trades).toFixed(0),
      ]),
    ),
  )
  print('')
}

function printPeers(): void {
  print(
    'Others, as published or as their public circuits compile. Theirs are marginal figures of\n' +
      'one more item at --O2, which drops linear constraints; ours divide a whole batch at --O1.\n',
  )
  print(
    tableText(
      ['system', 'item', 'constraints', 'gas', 'privacy', 'source'],
      PEERS.map((p) => [p.system, p.item, p.constraints, p.gas, p.privacy, p.source]),
    ),
  )
}

const command = new Command('bench')
  .description('Measures what the law costs. Compiles circuits that are not cached yet.')
  .option('--shapes', 'constraints and gas of the shapes only')
  .option('--json', 'one line of JSON on stdout (use npm run -s to have nothing else there)')
  .option('--prove <shapes>', 'shapes to prove, with commas, or none', 'mini,small')
  .option('--only <shapes>', 'shapes to count, with commas, or none', ORDER.join(','))
  .option('--journal', 'only: how fast records become durable and are replayed')
  .option('--records <n>', 'with --journal: so many for the restart with a snapshot', '5000')
  .option('--service', 'only: the house under load by HTTP, everything but proofs')
  .option('--minutes <n>', 'with --service: so long at 300 trades a second as well', '0')
  .option('--helpers <n>', 'with --service: processes for signatures beside the house', '1')
  .option('--wide', 'only: compile the mini shape at 36 balances and 32 worlds')
  .option('--provers', 'only: what another worker adds, and what keeping its key loaded adds')
  .option(
    '--worlds',
    "only: what sixteen and thirty-two worlds see of random books; a table's time",
  )
  .addHelpText(
    'after',
    '\nProgress goes to stderr. Proving large takes minutes and 3 GB:\n' +
      '  npm run bench -- --only none --prove standard,large',
  )
  .parse()
const options = command.opts<Options>()

if (options.journal) {
  const journal = await journalCost(progress, Number(options.records))
  if (options.json) print(JSON.stringify({ journal }))
  else printJournal(journal)
} else if (options.provers) {
  const provers = await proverFigures(progress)
  print(options.json ? JSON.stringify({ provers }) : proversReport(provers))
} else if (options.service) {
  const service = await serviceCost(progress, Number(options.minutes), Number(options.helpers))
  if (options.json)
    print(
      JSON.stringify({ service }, (_key, value: unknown) =>
        value instanceof Map ? Object.fromEntries(value) : value,
      ),
    )
  else printService(service)
} else if (options.worlds) {
  print(`${worldsReport(1000)}\n\n${tableReport()}`)
} else if (options.wide) {
  progress('compiling mini at 36 balances and 32 worlds')
  const wide = await wideCost()
  print(
    options.json
      ? JSON.stringify({ wide })
      : `${wide.shape} at ${wide.slots} balances and ${wide.worlds} worlds: ` +
          `${count(wide.constraints)} constraints; a full batch ` +
          (wide.refusal === null ? 'satisfies them' : `fails: ${wide.refusal}`),
  )
} else {
  const shapes = await shapeCosts(list(options.only))
  if (options.json && options.shapes) print(JSON.stringify({ shapes }))
  else if (!options.json) printShapes(shapes)
  if (!options.shapes) {
    const admission = admissionCost()
    const journal = await journalCost(progress)
    const proofs = await proofCosts(list(options.prove))
    if (options.json) print(JSON.stringify({ shapes, proofs, admission, journal }))
    else {
      printProofs(proofs)
      printAdmission(admission)
      printJournal(journal)
      print(`${tableReport()}\n`)
      printPeers()
    }
  }
}
// The chain and snarkjs' threads would keep the process alive.
process.exit(0)
