/** `cloister status` and `cloister audit`: the house as it presents itself, and as L1 has it. */
import { rebuild } from '../l1/rebuild.ts'
import { connect } from '../l1/rpc.ts'
import { sweepJson, sweepText, sweepsOnL1 } from '../exit/sweeps.ts'
import { hexWord } from '../../circuits/hex-word.ts'
import { findDay, findHouse, START, type Common, type Result } from './day.ts'
import { Undone } from './failures.ts'
import { fromHere } from './root.ts'
import { dollars } from './terms.ts'
import { timeText } from '../time-text.ts'

const BATCHES_SHOWN = 10

export async function status(options: Common): Promise<Result> {
  const { api, status: house, rpcUrl } = await findHouse(options)
  const table = await api.table()
  const rebuilt = await rebuild(rpcUrl, house.contract)
  const sweeps = await sweepsOnL1(await connect(rpcUrl, house.contract))
  const posted = rebuilt.tables.at(-1)
  const isSameTable = posted !== undefined && posted.root === BigInt(table.root)
  const batches = rebuilt.batches.map(({ event, parts, shape, touchedCount }) => ({
    number: `${event.number}`,
    time: timeText(parts.header.time),
    shape: shape.name,
    leavesWritten: touchedCount,
    requests: parts.requests.length,
    deposits: parts.deposits.length,
    withdrawals: parts.withdrawals.length,
  }))
  const keys = [...rebuilt.shapes.values()]
  const isDevelopment = keys.some((shape) => shape.isDevelopmentKey)
  return {
    text: [
      `House at ${api.url}`,
      `  contract   ${house.contract} on chain ${house.chainId} (L1 ${rpcUrl})`,
      `  operator   ${house.operator}`,
      `  fee        ${dollars(BigInt(house.fee))} a page`,
      `  keys       ${keys.map((k) => k.name).join(', ')}` +
        (isDevelopment ? ' - DEVELOPMENT keys: anybody can forge proofs' : ''),
      posted === undefined
        ? '  table      none yet'
        : `  table      ${posted.number} of ${timeText(posted.time)}, ${table.rows.length} rows, ` +
          (isSameTable ? 'the house has the same' : 'THE HOUSE HAS ANOTHER'),
      ...(rebuilt.freeze === null
        ? [`  sweep      ${sweepText(sweeps)}`]
        : ['  FROZEN     nothing is settled any more; leave by: cloister exit']),
      `  members    ${rebuilt.accountCount - 16n} on L1`,
      `  root       ${hexWord(rebuilt.root)}`,
      batches.length > BATCHES_SHOWN
        ? `Batches (${batches.length}, the last ${BATCHES_SHOWN} shown)`
        : `Batches (${batches.length})`,
      ...batches
        .slice(-BATCHES_SHOWN)
        .map(
          (b) =>
            `  ${b.number.padStart(4)}  ${b.time}  ${b.shape}: ${b.leavesWritten} leaves written, ` +
            `${b.requests} requests, ${b.deposits} deposits, ${b.withdrawals} withdrawals`,
        ),
    ].join('\n'),
    json: {
      house: api.url,
      contract: house.contract,
      chainId: house.chainId,
      operator: house.operator,
      fee: house.fee,
      feeUnit: 'micro-dollar a page',
      developmentKeys: isDevelopment,
      table: posted === undefined ? null : `${posted.number}`,
      sameTable: isSameTable,
      frozen: rebuilt.freeze !== null,
      sweep: sweepJson(sweeps),
      members: Number(rebuilt.accountCount - 16n),
      root: `${rebuilt.root}`,
      batches,
    },
  }
}

export async function auditHouse(
  options: Common & {
    readonly contract?: string
    readonly build: boolean
    readonly keys?: string
  },
): Promise<Result> {
  const day = options.rpc === undefined || options.contract === undefined ? findDay(options) : null
  const rpcUrl = options.rpc ?? day?.rpcUrl
  const contract = options.contract ?? day?.contract
  if (rpcUrl === undefined || contract === undefined)
    throw new Undone(`no house is running: name --rpc and --contract, or ${START}`)
  const { runAudit } = await import('../audit/command.ts')
  const { keysOfFolder } = await import('../audit/keys.ts')
  let text = ''
  const code = await runAudit({
    rpcUrl,
    contract,
    build: options.build,
    ...(options.keys === undefined ? {} : { keySource: keysOfFolder(fromHere(options.keys)) }),
    json: options.json,
    write: (part) => {
      text += part
    },
    writeProgress: (line) => options.note(line.trimEnd()),
  })
  return {
    text: text.trimEnd(),
    json: options.json ? (JSON.parse(text) as Record<string, unknown>) : {},
    code,
  }
}
