/**
 * Whether a table should be held back. An indicative one is confirmed by the next that agrees with it
 * `agreementDelay` later, and the contract remembers the latest alone: who posts every minute what
 * agrees too early begins the delay anew each time, and a true fall is never confirmed but by the
 * large quorum, which two signers can deny.
 */
import type { AbstractProvider } from '../ethers.ts'
import { isWithin } from '../signer/decimal.ts'
import type { TableReport } from '../signer/report.ts'
import { oracleAt } from '../verify/chain.ts'

/** The second of L1's clock from which this report's successor agrees; null: post it now. */
export async function heldUntil(
  { provider, contract }: { readonly provider: AbstractProvider; readonly contract: string },
  report: TableReport,
  signatures: readonly string[],
): Promise<number | null> {
  const oracle = oracleAt(contract, provider)
  const view = (name: string, ...args: unknown[]): Promise<unknown> =>
    oracle.getFunction(name)(...args) as Promise<unknown>
  const [number, time, isConfirmed] = (await view('latest')) as readonly [bigint, bigint, boolean]
  if (number === 0n || isConfirmed) return null
  const [, , agreementDelay] = (await view('timing')) as readonly [bigint, bigint, bigint]
  const from = time + agreementDelay
  if (report.time >= from) return null
  for (const { underlying, price } of report.references) {
    const [[band, jumpBand], confirmed, candidate] = (await view('underlying', underlying)) as [
      readonly [bigint, bigint],
      bigint,
      bigint,
    ]
    // What cannot agree, however long it waits, takes the place of the latest at once.
    const canAgree =
      candidate > 0n &&
      confirmed > 0n &&
      isWithin(price, candidate, band) &&
      isWithin(price, confirmed, jumpBand)
    if (!canAgree) return null
  }
  const post = oracle.getFunction('post')
  return (await post.staticCall(report, signatures)) === true ? null : Number(from)
}
