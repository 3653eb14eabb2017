/** The day in a table, for people. */
import { INSTRUMENT_NAMES } from './instruments.ts'
import type { Conclusion } from './conclude.ts'

const dollars = (micro: bigint): string =>
  `${micro < 0n ? '-' : ''}${((micro < 0n ? -micro : micro) / 1_000_000n).toLocaleString('en')}`
const line = (text = ''): void => {
  process.stdout.write(`${text}\n`)
}

export function printTable({
  facts,
  outsiderBytes,
  feesCollected,
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
  if (failures.length > 0) line(`${failures.length} things did not hold`)
}

function nameOf(id: number): string {
  return Object.entries(INSTRUMENT_NAMES).find(([, known]) => known === id)?.[0] ?? `#${id}`
}
