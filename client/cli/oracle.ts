/** `cloister oracle verify`: a posted table computed again by whoever wants to know. */
import type { Command } from 'commander'
import type { Common, Result } from './day.ts'
import { Undone } from './failures.ts'
import { fromHere } from './root.ts'
import { timeText } from '../time-text.ts'

type CommonOf = (command: Command) => Common
type Run = (work: Promise<Result>) => Promise<void>
type Given = {
  readonly contract: string
  readonly number?: string
  readonly settlement?: string
  readonly inputs?: string
}

const HELP = `
Examples:
  cloister oracle verify --rpc http://127.0.0.1:8545 --contract 0x5FbDB2315678afecb367f032d93F642f64180aa3
  cloister oracle verify --rpc URL --contract ADDRESS --number 7 --json
  cloister oracle verify --rpc URL --contract ADDRESS --inputs tables/
  cloister oracle verify --rpc URL --contract ADDRESS --settlement 3
The contract is the oracle (TableOracle; cloister audit names it). Market, world set and specifications
are read from its events, so L1 alone is enough. Files given with --inputs take their place and must
have the posted hashes; the rows that a poster published say which value of which world differs.
Exit codes: 0 the table is what its inputs give, 1 it is not, 2 it could not be read.`
const DIFFERENCES_SHOWN = 40

export function addOracle(program: Command, commonOf: CommonOf, run: Run): void {
  const oracle = program.command('oracle').description('check what the oracle said')
  oracle
    .command('verify')
    .description('compute a posted table again from its published inputs; say where it differs')
    .requiredOption('--contract <address>', 'the oracle contract on L1')
    .option('--number <n>', 'which table (default: the latest)')
    .option('--settlement <serial>', 'instead of a table: the values of a proposed settlement')
    .option('--inputs <path>', 'file or folder with market, worlds, instruments, rows as JSON')
    .addHelpText('after', HELP)
    .action((given: Given, command: Command) => run(verify({ ...commonOf(command), ...given })))
}

export async function verify(options: Common & Given): Promise<Result> {
  const { rpc } = options
  if (rpc === undefined || !/^https?:\/\//.test(rpc)) {
    throw new Undone('--rpc must be the http or https address of an L1 node')
  }
  for (const key of ['number', 'settlement'] as const) {
    const given = options[key]
    if (given !== undefined && !/^[1-9]\d{0,18}$/.test(given)) {
      throw new Undone(`--${key} must be a whole number from 1`)
    }
  }
  const [{ JsonRpcProvider, Network, getAddress, isAddress }, { verifyTable }, { readInputs }] =
    await Promise.all([
      import('../../oracle/ethers.ts'),
      import('../../oracle/verify/verify.ts'),
      import('../../oracle/verify/inputs.ts'),
    ])
  if (!isAddress(options.contract)) throw new Undone('--contract must be an Ethereum address')
  const { httpTransport } = await import('../l1/rpc.ts')
  // The reading room's transport fails in time where ethers would ask an absent node for ever.
  const chainId = BigInt((await httpTransport(rpc)('eth_chainId', [])) as string)
  const network = Network.from(chainId)
  const provider = new JsonRpcProvider(rpc, network, { staticNetwork: network })
  try {
    const contract = getAddress(options.contract)
    if (options.settlement !== undefined) {
      const { verifySettlement } = await import('../../oracle/verify/settlement.ts')
      return settlementResult(
        await verifySettlement(provider, contract, BigInt(options.settlement)),
      )
    }
    const found = await verifyTable({
      provider,
      contract,
      ...(options.number === undefined ? {} : { number: BigInt(options.number) }),
      ...(options.inputs === undefined ? {} : { inputs: readInputs(fromHere(options.inputs)) }),
    })
    return resultOf(found)
  } finally {
    provider.destroy()
  }
}

type Verification = Awaited<
  ReturnType<(typeof import('../../oracle/verify/verify.ts'))['verifyTable']>
>

type SettlementVerification = Awaited<
  ReturnType<(typeof import('../../oracle/verify/settlement.ts'))['verifySettlement']>
>

const short = (text: string): string =>
  text.length > 30 ? `${text.slice(0, 14)}...${text.slice(-6)}` : text
const linesOf = (checks: Verification['checks']): readonly string[] =>
  checks.map(({ what, expected, posted, holds }) =>
    holds
      ? `  equal    ${what} ${short(posted)}`
      : `  DIFFERS  ${what}: computed ${short(expected)}, posted ${short(posted)}`,
  )

function settlementResult(found: SettlementVerification): Result {
  const { serial, state, dueAt, checks, notes, holds } = found
  return {
    code: holds ? 0 : 1,
    text: [
      `Settlement ${serial}, ${state}, due ${timeText(dueAt)}`,
      ...linesOf(checks),
      ...notes.map((note) => `  note     ${note}`),
      holds ? 'The values follow from the averages.' : 'The values do NOT follow.',
    ].join('\n'),
    json: {
      contract: found.contract,
      serial: `${serial}`,
      state,
      dueAt: `${dueAt}`,
      checks,
      notes,
    },
  }
}

function resultOf(found: Verification): Result {
  const { checks, differences, notes } = found
  return {
    code: found.holds ? 0 : 1,
    text: [
      `Table ${found.number} of ${timeText(found.time)}, ${found.isConfirmed ? 'confirmed' : 'indicative'}: ` +
        `${found.rowCount} rows, ${found.worldCount} worlds computed again`,
      ...linesOf(checks),
      ...differences
        .slice(0, DIFFERENCES_SHOWN)
        .map(
          ({ row, name, world, expected, posted }) =>
            `  DIFFERS  row ${row} ${name}, ${/^\d+$/.test(world) ? `world ${world}` : world}: ` +
            `computed ${expected}, posted ${posted}`,
        ),
      ...(differences.length > DIFFERENCES_SHOWN
        ? [`  and ${differences.length - DIFFERENCES_SHOWN} more (all with --json)`]
        : []),
      ...notes.map((note) => `  note     ${note}`),
      found.holds ? 'The table is what its inputs give.' : 'The table is NOT what its inputs give.',
    ].join('\n'),
    json: {
      contract: found.contract,
      number: `${found.number}`,
      time: `${found.time}`,
      confirmed: found.isConfirmed,
      rows: found.rowCount,
      worlds: found.worldCount,
      checks,
      differences,
      notes,
    },
  }
}
