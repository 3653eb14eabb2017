/** Computes the values of a proposed settlement again, and holds its averages against the tables. */
import type { AbstractProvider } from '../ethers.ts'
import { InputError } from '../signer/canonical.ts'
import { BASIS, decimalOfMicro, microOf, mulDivDown } from '../signer/decimal.ts'
import { readInstruments } from '../signer/engine.ts'
import { registerRoots, type SettledValue } from '../signer/register.ts'
import {
  FALLBACK_SECONDS,
  readSettlement,
  termsOfSettlement,
  valuesOf,
  type FallbackDocument,
} from '../signer/settlement.ts'
import { timeWeighted } from '../signer/window.ts'
import { readHistory, tableBefore, type History, type Proposal } from './chain.ts'
import type { Check } from './verify.ts'

export type SettlementVerification = {
  readonly contract: string
  readonly serial: bigint
  readonly state: Proposal['state']
  readonly dueAt: bigint
  readonly checks: readonly Check[]
  readonly notes: readonly string[]
  readonly holds: boolean
}

/**
 * The values must follow from the averages, and the roots from the values. The averages are what
 * the signers saw between tables as well, so against the reference prices of confirmed tables they
 * can only be near: the distance is told, not judged.
 */
export async function verifySettlement(
  provider: AbstractProvider,
  contract: string,
  serial: bigint,
): Promise<SettlementVerification> {
  const history = await readHistory(provider, contract)
  const found = history.proposals.find(({ report }) => report.serial === serial)
  if (found === undefined) {
    throw new InputError(`settlement ${serial} must be one of ${history.proposals.length} proposed`)
  }
  const { report, state, dueAt, instruments, settled } = found
  if (instruments === null) throw new InputError('L1 must carry the specifications')
  const checks: Check[] = []
  const check = (what: string, expected: unknown, posted: unknown): void => {
    const [a, b] = [String(expected), String(posted)]
    checks.push({ what, expected: a, posted: b, holds: a === b })
  }
  const notes: string[] = []
  const sources: string[] = []
  let added: readonly SettledValue[] = []
  try {
    const document = readSettlement(report.data)
    added = valuesOf(readInstruments(instruments), report.ids.map(Number), document)
    // L1 gave each id its name: an average under another's name settles the wrong instruments.
    for (const { id, name } of document.underlyings)
      check(`name of underlying ${id}`, history.underlyings.get(id) ?? 'none', name)
    // The window is part of what was agreed when the instrument was listed; a fallback has none.
    const length = report.windowEnd - report.windowStart
    for (const spec of readInstruments(instruments)) {
      const terms = report.ids.includes(BigInt(spec.id)) ? termsOfSettlement(spec) : null
      if (terms === null || document.version === 2) continue
      check(`window of ${spec.id}`, terms.windowSeconds, length)
      sources.push(`${spec.name} settles by ${terms.source}`)
    }
    if (document.version === 2)
      await checkFallback(provider, history, found, document, check, notes)
    else notes.push(...document.underlyings.map((one) => nearness(history, found, one)))
  } catch (error) {
    check('averages on L1 make values', 'they do', error instanceof Error ? error.message : error)
  }
  added.forEach(({ id, value }, i) => check(`value of ${id}`, value, report.values[i]))
  const { previousRoot, newRoot } = registerRoots(settled, added)
  check('register before', previousRoot, report.previousRoot)
  if (added.length > 0) check('register after', newRoot, report.newRoot)
  notes.push(...sources)
  const holds = checks.every((one) => one.holds)
  return { contract, serial, state, dueAt, checks, notes, holds }
}

/** In place of averages: the prices must be those of the last confirmed table before the expiry. */
async function checkFallback(
  provider: AbstractProvider,
  history: History,
  { report, block, transaction }: Proposal,
  document: FallbackDocument,
  check: (what: string, expected: unknown, posted: unknown) => void,
  notes: string[],
): Promise<void> {
  const end = Number(report.windowEnd)
  const table = tableBefore(history, end, transaction)
  check('table of the fallback', table?.number ?? 'none', document.table)
  for (const { id, price } of document.underlyings) {
    const found = table?.references.find(({ underlying }) => underlying === id)
    const expected = found === undefined ? 'none' : decimalOfMicro(found.price)
    check(`price of underlying ${id}`, expected, price)
  }
  const proposed = (await provider.getBlock(block))?.timestamp ?? 0
  const waited = proposed - end >= FALLBACK_SECONDS ? 'waited' : `only ${proposed - end} s`
  check(`${FALLBACK_SECONDS} s before the fallback`, 'waited', waited)
  notes.push(`no quorum said that it saw the window: settled at table ${document.table}`)
}

function nearness(
  { tables }: History,
  { report }: Proposal,
  { id, name, price }: { readonly id: number; readonly name: string; readonly price: string },
): string {
  const [start, end] = [Number(report.windowStart), Number(report.windowEnd)]
  const samples = tables.flatMap(({ time, isConfirmed, references }) => {
    const found = references.find(({ underlying }) => underlying === id)
    return isConfirmed && found !== undefined ? [{ price: found.price, time: Number(time) }] : []
  })
  const said = `${name} averaged ${price}`
  try {
    const average = timeWeighted(samples, start, end, end - start)
    const own = microOf(price, 'price')
    const distance = own > average ? own - average : average - own
    const points = mulDivDown(distance, BASIS, average)
    return `${said}; confirmed tables of the window ${decimalOfMicro(average)}, ${points} bp from it`
  } catch {
    return `${said}; too few confirmed tables in the window to hold it against`
  }
}
