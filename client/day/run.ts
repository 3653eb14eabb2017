/** `npm start`: a day at a clearing house, 12 March 2020, from an empty chain to checked leaves. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EXPIRING_OPTION, INSTRUMENT_NAMES, ROUND_TABLES } from './instruments.ts'
import { parseDayTrades } from './csv.ts'
import { newAccounts } from './l1-accounts.ts'
import type { MemberCheck } from './check.ts'
import { DAY_HELP, dayOptions } from './options.ts'
import { freePort, ROOT, startL1, stopAll, Worker } from './processes.ts'
import { watchWritten } from '../cli/written.ts'
import { HouseApi, type BatchReport } from '../api.ts'
import { conclude, type Claim, type Conclusion, type RoundResult } from './conclude.ts'
import { printTable } from './report.ts'

const CSV = join(ROOT, 'client', 'day', 'trades-2020-03-12.csv')
const DEPOSIT = 250_000_000_000n
const WITHDRAWAL = 25_000_000_000n
const FEE = '250000'
const ENTRY_SHAPE = 'entry'
/** Any account can leave by one of these claims; the small sweep proves eight accounts at a time. */
const EXIT_CIRCUITS = ['escape', 'escape-settled', 'sweep-small']
export const MEMBER_NAMES = [
  'ALDER',
  'BIRCH',
  'CEDAR',
  'ELM',
  'HAZEL',
  'LARCH',
  'MAPLE',
  'ROWAN',
] as const

/** Rounds after which a batch is made; what expires over night is traded for the last time in round 4. */
const SETTLING_ROUNDS: readonly number[] = [2, 4]
/** Who withdraws collateral, and who its proceeds of the option that expires. */
const WITHDRAWER = 3
const WINNER = 1

type PostedStep = {
  readonly number: number
  readonly wasIndicative: boolean
  readonly signatures: number
}
const options = dayOptions(process.argv.slice(2))

type SettledNight = {
  readonly values: readonly { readonly id: number; readonly value: string }[]
  readonly table: PostedStep
}
const tableInWords = ({ number, wasIndicative, signatures }: PostedStep): string =>
  `table ${number} posted with ${signatures} of 5 signatures` +
  (wasIndicative
    ? '; farther than 5 % from what was confirmed, so 4 of 5 looked again and confirmed it'
    : '')
const nameOf = (id: number): string =>
  Object.entries(INSTRUMENT_NAMES).find(([, known]) => known === id)?.[0] ?? `#${id}`

const started = Date.now()
const note = (line: string): void => {
  process.stderr.write(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}\n`)
}
const hex = (bytes: number): string => randomBytes(bytes).toString('hex')

async function day(folder: string): Promise<Conclusion> {
  const trades = parseDayTrades(readFileSync(CSV, 'utf8'))
  note('starting the embedded L1 (Hardhat), the sequencer and the members')
  note('circuits and DEVELOPMENT keys are made once and cached')
  const l1Port = await freePort()
  const rpcUrl = `http://127.0.0.1:${l1Port}`
  const { phrase, accounts } = newAccounts(4 + MEMBER_NAMES.length)
  const l1 = startL1(l1Port, phrase)
  // Whoever needs it first says why it is not there.
  l1.catch(() => {})
  type Account = (typeof accounts)[0]
  const sweeper = accounts.at(-1) as Account
  const [admin, operator, collector] = accounts as [Account, Account, Account]
  const tables = join(folder, 'tables')
  const feeAccountViewKey = `0x${hex(31)}`
  const port = options.port || (await freePort())
  const sequencer = new Worker('sequencer', 'sequencer/main.ts', [], {
    CLOISTER_SEQUENCER: JSON.stringify({
      rpcUrl,
      port,
      tables,
      shapes: options.shape === 'mini' ? ['mini'] : [options.shape, ENTRY_SHAPE],
      oracle: null,
      fee: FEE,
      exits: EXIT_CIRCUITS,
      // Of what is timed no core is taken away; after it, the sweep is as any house's.
      sweepsWhenAsked: true,
      operatorPort: 0,
      logFormat: 'text',
      logLevel: 'warn',
    }),
    SWEEPER_KEY: sweeper.key,
    CLOISTER_PROVER: process.env['CLOISTER_PROVER'] ?? 'engine',
    OPERATOR_KEY: operator.key,
    ADMIN_KEY: admin.key,
    FEE_ACCOUNT_VIEW_KEY: feeAccountViewKey,
  })
  // Members start at once and wait for the house: most of their start is loading libraries.
  const members = MEMBER_NAMES.map(
    (name, i) =>
      new Worker(
        name,
        'client/day/member-process.ts',
        [
          name,
          `http://127.0.0.1:${port}`,
          CSV,
          JSON.stringify(INSTRUMENT_NAMES),
          join(folder, `${name}.journal`),
          join(folder, 'documents'),
        ],
        { MEMBER_SEED: hex(32), MEMBER_L1_KEY: accounts[3 + i]?.key ?? '' },
      ),
  )
  await l1
  const house = (await sequencer.ready) as {
    url: string
    contract: string
    oracle: string
    token: string
    shapes: { name: string; constraints: number }[]
  }
  note(`contracts deployed, house at ${house.url}, contract ${house.contract}`)
  note(
    `only the oracle's contract ${house.oracle} may post tables: 3 of 5 signers speak through it`,
  )
  const oracle = new Worker(
    'oracle',
    'oracle/day-process.ts',
    [],
    {
      CLOISTER_ORACLE: JSON.stringify({ rpcUrl, oracle: house.oracle, tables }),
      ADMIN_KEY: admin.key,
      COLLECTOR_KEY: collector.key,
    },
    { onNote: note },
  )
  oracle.ready.catch(() => {})
  const post = async (step: number): Promise<string> => {
    await oracle.ready
    const { result } = await oracle.ask<{ result: PostedStep }>({ command: 'table', step })
    await untilSeen(house.url, result.number)
    return tableInWords(result)
  }
  const firstTable = post(ROUND_TABLES[0] as number)
  firstTable.catch(() => {})
  await Promise.all(members.map((m) => m.ready))
  note('members connected')
  const directory: Record<string, number> = {}
  const registered = await Promise.all(
    members.map((m) => m.ask<{ result: { account: number } }>({ command: 'register' })),
  )
  registered.forEach(({ result }, i) => {
    directory[MEMBER_NAMES[i] as string] = result.account
  })
  await Promise.all(members.map((m) => m.ask({ command: 'deposit', amount: DEPOSIT.toString() })))
  note(
    `${members.length} members registered and deposited ${DEPOSIT / 1_000_000n} test dollars each`,
  )
  note(await firstTable)

  const batches: BatchReport[] = []
  const settleOne = async (): Promise<boolean> => {
    const { report } = await sequencer.ask<{ report: BatchReport | null }>({ command: 'batch' })
    if (report === null) return false
    batches.push(report)
    note(
      `batch ${report.number} accepted by L1: ${report.trades} trades (${report.legs} legs), ${report.accounts} accounts, ` +
        `proven in ${report.proveSeconds.toFixed(1)} s, ${Number(report.gas).toLocaleString('en')} gas`,
    )
    return true
  }
  const settleAll = async (): Promise<void> => {
    while (await settleOne());
  }
  await settleAll()
  // From here a batch is proven while the next rounds trade on what the journals already say.
  let settling: Promise<unknown> = Promise.resolve()
  const results: RoundResult[] = []
  const rounds = [...new Set(trades.map((t) => t.round))].sort((a, b) => a - b)
  for (const round of rounds) {
    const step = ROUND_TABLES[round - 1]
    if (step !== undefined && round > 1) {
      // Until a table that moved far is confirmed, L1 takes no batch in normal mode.
      await settling
      note(await post(step))
    }
    const done = await Promise.all(
      members.map((m) => m.ask<{ result: RoundResult[] }>({ command: 'round', round, directory })),
    )
    const outcomes = done.flatMap((d) => d.result)
    results.push(...outcomes)
    const told = new Map(outcomes.map(({ trade, outcome }) => [trade, outcome.state]))
    const count = (state: string): number => [...told.values()].filter((s) => s === state).length
    note(`round ${round}: ${count('accepted')} trades accepted, ${count('refused')} refused`)
    if (!SETTLING_ROUNDS.includes(round)) continue
    await settling
    settling = settleOne()
    settling.catch(() => {})
  }
  await settling
  // The night passes; what expires is settled, and the last batch converts it for whom it touches.
  const { result: settled } = await oracle.ask<{ result: SettledNight }>({ command: 'settle' })
  for (const { id, value } of settled.values)
    note(`${nameOf(id)} settled at ${Number(value) / 1e6} dollars a lot, final on L1`)
  note(tableInWords(settled.table))
  await untilSeen(house.url, settled.table.number)
  const optionValue = BigInt(settled.values.find(({ id }) => id === EXPIRING_OPTION)?.value ?? 0)
  const held = await members[WINNER]?.ask<{ result: { lots: string } }>({
    command: 'holding',
    instrument: EXPIRING_OPTION,
  })
  const proceeds = BigInt(held?.result.lots ?? 0) * optionValue
  await withdraw(members[WITHDRAWER], WITHDRAWAL)
  await withdraw(members[WINNER], proceeds)
  await settleAll()
  const claims: Claim[] = []
  for (const [member, expected] of [
    [WITHDRAWER, WITHDRAWAL],
    [WINNER, proceeds],
  ] as const) {
    const got = await members[member]?.ask<{ result: { received: string } }>({ command: 'claim' })
    claims.push({
      name: MEMBER_NAMES[member] as string,
      expected,
      received: BigInt(got?.result.received ?? 0),
    })
  }
  const checks = await Promise.all(
    members.map((m) => m.ask<{ result: MemberCheck }>({ command: 'check' })),
  )
  for (const { name, received } of claims)
    note(`${name} withdrew ${Number(received) / 1e6} test dollars and claimed them on L1`)
  note('every member opened its leaf and checked it against the root on L1')
  const conclusion = await conclude({
    rpcUrl,
    contract: house.contract,
    feeAccountViewKey: BigInt(feeAccountViewKey),
    trades,
    results,
    batches,
    checks: checks.map((c) => c.result),
    names: MEMBER_NAMES,
    claims,
    settled: settled.values.map(({ id, value }) => ({ id, value: BigInt(value) })),
    winner: MEMBER_NAMES[WINNER] as string,
    constraints: house.shapes[0]?.constraints ?? 0,
    seconds: (Date.now() - started) / 1000,
  })
  if (options.stay) {
    const session = join(ROOT, '.cache', 'day.json')
    writeFileSync(
      session,
      JSON.stringify(
        {
          url: house.url,
          rpcUrl,
          contract: house.contract,
          token: house.token,
          oracle: house.oracle,
        },
        null,
        1,
      ),
    )
    note(
      `the house stays at ${house.url} (L1 ${rpcUrl}, contract ${house.contract}); stop it with Ctrl-C`,
    )
    await sequencer.ask({ command: 'sweep' })
    void keepSettling(settleOne)
  }
  return conclusion
}

/** The house looks at L1 by itself; a round begins when it has seen its table confirmed. */
async function untilSeen(url: string, table: number): Promise<void> {
  const api = new HouseApi(url)
  for (;;) {
    const { tableNumber, mode } = await api.status()
    if (Number(tableNumber) >= table && mode === 'normal') return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function withdraw(member: Worker | undefined, amount: bigint): Promise<void> {
  const answer = await member?.ask<{ result: { state: string; rule: string | null } }>({
    command: 'withdraw',
    amount: amount.toString(),
  })
  if (answer?.result.state !== 'accepted')
    throw new Error(`a withdrawal of ${amount} was refused: ${answer?.result.rule}`)
}

/** After the day a batch is tried every three seconds, one at a time; what goes wrong is said and tried again. */
async function keepSettling(settleOne: () => Promise<boolean>): Promise<never> {
  for (;;) {
    await settleOne().catch((error: Error) => note(error.message))
    await new Promise((resolve) => setTimeout(resolve, 3000))
  }
}

if (options.help) {
  process.stdout.write(`${DAY_HELP}\n`)
} else {
  const folder = mkdtempSync(join(tmpdir(), 'cloister-day-'))
  const end = (code: number): never => {
    stopAll()
    rmSync(folder, { recursive: true, force: true })
    process.exit(code)
  }
  const written = watchWritten()
  // A day that was cut short has shown nothing; one that stays afterwards is ended like this.
  let isDone = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => end(isDone ? 0 : 130))
  try {
    const conclusion = await day(folder)
    isDone = conclusion.failures.length === 0
    if (!options.json) printTable(conclusion)
    else process.stdout.write(`${JSON.stringify(conclusion.line)}\n`)
    for (const failure of conclusion.failures) process.stderr.write(`FAILED  ${failure}\n`)
    if (!options.stay || conclusion.failures.length > 0)
      end(await written(conclusion.failures.length === 0 ? 0 : 1))
  } catch (error) {
    process.stderr.write(`FAILED  ${error instanceof Error ? error.message : String(error)}\n`)
    end(await written(1))
  }
}
