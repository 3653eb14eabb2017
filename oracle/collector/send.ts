/**
 * One transaction of the collector: sent, and waited for as long as its round is worth something. A
 * collector that waited for ever would post no table more from the first rise of the gas price on.
 */
import { oracleAt } from '../verify/chain.ts'
import type { CollectorOptions } from './rounds.ts'

type Sending = Pick<CollectorOptions, 'provider' | 'wallet' | 'contract' | 'waitMs'>
type Sent = { readonly wait: (confirmations: number, ms: number) => Promise<Receipt | null> }
type Receipt = { readonly gasUsed: bigint }

const WAIT_MS = 120_000
const TRANSFER_GAS = 21_000n
/** A node takes another in its place from a tenth more on; sixteen times as much is enough, or nothing is. */
const MOST_DOUBLINGS = 4

/** How often in a row what stood in the way of a wallet was not cleared. */
const doublings = new WeakMap<object, number>()

/** The gas that it used. Throws if L1 refuses it, or has not taken it in time. */
export async function sendTo(
  options: Sending,
  name: string,
  ...args: readonly unknown[]
): Promise<bigint> {
  const { wallet, contract, waitMs = WAIT_MS } = options
  await clearWay(options)
  const sent = (await oracleAt(contract, wallet).getFunction(name)(...args)) as Sent
  return (await taken(sent, name, waitMs)).gasUsed
}

async function taken(sent: Sent, what: string, waitMs: number): Promise<Receipt> {
  const late = new Error(`L1 has not taken ${what} in ${waitMs / 1000} s`)
  const receipt = await sent.wait(1, waitMs).catch((error: unknown) => {
    throw (error as { code?: unknown }).code === 'TIMEOUT' ? late : error
  })
  if (receipt === null) throw late
  return receipt
}

/**
 * What L1 has not taken is of a round that is over, and all that is sent later stands behind it: an empty
 * transaction takes its place, at twice what the node asks for now, and twice that with each further try.
 */
async function clearWay({ provider, wallet, waitMs = WAIT_MS }: Sending): Promise<void> {
  const to = await wallet.getAddress()
  for (;;) {
    const nonce = await provider.getTransactionCount(to, 'latest')
    if ((await provider.getTransactionCount(to, 'pending')) <= nonce) break
    const tries = Math.min((doublings.get(wallet) ?? 0) + 1, MOST_DOUBLINGS)
    doublings.set(wallet, tries)
    const { maxFeePerGas, maxPriorityFeePerGas, gasPrice } = await provider.getFeeData()
    const times = (fee: bigint): bigint => fee * 2n ** BigInt(tries)
    const fees =
      maxFeePerGas === null || maxPriorityFeePerGas === null
        ? { gasPrice: times(gasPrice ?? 1n) }
        : {
            maxFeePerGas: times(maxFeePerGas),
            maxPriorityFeePerGas: times(maxPriorityFeePerGas),
          }
    const sent = await wallet.sendTransaction({ to, nonce, gasLimit: TRANSFER_GAS, ...fees })
    await taken(sent, `what clears nonce ${nonce}`, waitMs)
  }
  doublings.delete(wallet)
}
