/** The day in a table, for people. */
import { INSTRUMENT_NAMES } from './instruments.ts'
import type { Conclusion } from './conclude.ts'

const dollars = (micro: bigint): string =>
  `${micro < 0n ? '-' : ''}${((micro < 0n ? -micro : micro) / 1_000_000n).toLocaleString('en')}`
const line = (text = ''): void => {
  process.stdout.write(`${text}\n`)
}

/** To the micro-dollar, for what must sum to zero. */
const exact = (micro: bigint): string => {
  const size = micro < 0n ? -micro : micro
  const fraction = String(size % 1_000_000n)
    .padStart(6, '0')
    .replace(/0{1,4}$/, '')
  return `${micro < 0n ? '-' : ''}${(size / 1_000_000n).toLocaleString('en')}.${fraction}`
}

export function printTable({
  facts,
  outsiderBytes,
  feesCollected,
  expiries,
  intervals,
  sweep,
  line: summary,
  failures,
}: Conclusion): void {
  line('\nBatches (development keys: a local day, not a secure one)')
  line('batch   trades   legs   pages/slots   accounts   prove s       gas   public bytes')
  for (const b of facts.batches) {
    line(
      `${b.number.padStart(5)}${String(b.trades).padStart(9)}${String(b.legs).padStart(7)}${`${b.pages}/${b.pageSlots}`.padStart(14)}` +
        `${String(b.accounts).padStart(11)}${b.proveSeconds.toFixed(1).padStart(10)}${Number(b.gas).toLocaleString('en').padStart(10)}${String(b.publicBytes).padStart(15)}`,
    )
  }
  line(
    `\n${facts.constraints.toLocaleString('en')} constraints a batch; ${summary.trades} trades proven, ${summary.refused} refused, each for the rule it broke:`,
  )
  for (const trade of facts.trades.filter((t) => t.expect !== 'settle'))
    line(`  ${trade.tradeId.padEnd(5)}${trade.note.padEnd(45)}${trade.expect}`)
  printLifecycle({ facts, expiries, intervals })
  line(
    `\nWhat an outsider saw: ${outsiderBytes.commitments.toLocaleString('en')} bytes of commitments, ${outsiderBytes.ciphertext.toLocaleString('en')} bytes of ciphertext, and which accounts were touched.`,
  )
  line('What each member sees of itself (dollars):')
  line('member  account        cash   at mark   worst world   positions')
  facts.checks.forEach((check, i) => {
    const worth = check.worth.map(BigInt)
    const worst = worth.reduce((low, w) => (w < low ? w : low))
    line(
      `${(facts.names[i] ?? '').padEnd(8)}${String(check.account).padStart(7)}${dollars(BigInt(check.cash)).padStart(12)}${dollars(worth[0] ?? 0n).padStart(10)}` +
        `${`${dollars(worst)} (${worth.indexOf(worst)})`.padStart(14)}   ${check.balances
          .map((b) => `${nameOf(b.id)} ${b.quantity}`)
          .slice(0, 3)
          .join(', ')}${check.balances.length > 3 ? ` and ${check.balances.length - 3} more` : ''}`,
    )
  })
  line(`\nroot on L1          ${summary.l1Root}\nroot from L1 events ${summary.clientRoot}`)
  line(
    `conserved: ${summary.conserved ? 'yes' : 'NO'} (fees collected: ${dollars(feesCollected)} dollars); ${summary.seconds} s in all`,
  )
  line(`sweep of everybody's solvency: ${sweep}`)
  if (failures.length > 0) line(`${failures.length} things did not hold`)
}

function nameOf(id: number): string {
  return Object.entries(INSTRUMENT_NAMES).find(([, known]) => known === id)?.[0] ?? `#${id}`
}

function printLifecycle({
  facts,
  expiries,
  intervals,
}: Pick<Conclusion, 'facts' | 'expiries' | 'intervals'>): void {
  line('\nExpired, settled in the register, converted to cash in the last batch:')
  for (const { id, value, lots } of expiries) {
    const amounts = [...lots].map(([name, quantity]) => [name, quantity * value] as const)
    const total = (isWinner: boolean): bigint =>
      amounts.reduce((sum, [, x]) => (x > 0n === isWinner ? sum + x : sum), 0n)
    line(
      `  ${nameOf(id).padEnd(20)}${exact(value).padStart(10)} a lot   longs ${exact(total(true))}   shorts ${exact(total(false))}   sum ${exact(total(true) + total(false))}`,
    )
  }
  const claimed = facts.claims.find(({ name }) => name === facts.winner)
  line(
    `  ${facts.winner} withdrew its ${exact(claimed?.received ?? 0n)} of the option and claimed them on L1`,
  )
  line('Funding of BTC-PERP, by shifted marks alone (no account has an index):')
  for (const { from, to, funding, flows } of intervals) {
    const payer = funding > 0n ? 'longs paid shorts' : 'shorts paid longs'
    const shares = [...flows].filter(([, flow]) => flow !== 0n)
    line(
      `  table ${from} to ${to}   F ${funding > 0n ? '+' : ''}${exact(funding)} a lot   ${payer}: ` +
        `${shares.map(([name, flow]) => `${name} ${exact(flow)}`).join(', ')}   sum ${exact(shares.reduce((sum, [, x]) => sum + x, 0n))}`,
    )
  }
}
