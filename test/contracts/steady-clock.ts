/** A chain whose clock only its blocks move, so that no test depends on how fast the machine is. */

export type Request = { readonly method: string; readonly params?: readonly unknown[] }
export type Chain = { request(call: Request): Promise<unknown> }

const MINES = new Set(['eth_sendTransaction', 'eth_sendRawTransaction', 'evm_mine'])

/**
 * Hardhat's clock goes on with the machine's between two blocks, so that a test that stops a second
 * before a deadline has passed it whenever a second of the machine ends there. Here every block
 * comes one second after the one before, unless a test set another time for it, or set time forward.
 */
export function steady(chain: Chain): Chain & { readonly keepUp: () => void } {
  let chosen = 0n
  let forward = 0n
  let isKeepingUp = false
  let last: Promise<unknown> = Promise.resolve()
  const ask = (method: string, ...params: unknown[]) => chain.request({ method, params })
  const tick = async () => {
    const block = (await ask('eth_getBlockByNumber', 'latest', false)) as { timestamp: string }
    const time = BigInt(block.timestamp)
    if (chosen > time) return
    const next = time + 1n + forward
    const machine = isKeepingUp ? BigInt(Math.floor(Date.now() / 1000)) : 0n
    const later = next > machine ? next : machine
    await ask('evm_setNextBlockTimestamp', `0x${later.toString(16)}`)
    forward = 0n
  }
  const answer = async (call: Request) => {
    if (MINES.has(call.method)) await tick()
    const said = await chain.request(call)
    if (call.method === 'evm_setNextBlockTimestamp') chosen = BigInt(call.params![0] as string)
    if (call.method === 'evm_increaseTime') forward += BigInt(call.params![0] as number)
    if (call.method === 'evm_revert') chosen = forward = 0n
    return said
  }
  return {
    /** For a house that goes by the machine's clock: no block is behind it from now on. */
    keepUp: () => void (isKeepingUp = true),
    // One after the other: two blocks at once would take the same second.
    request: (call) => {
      const said = last.then(() => answer(call))
      last = said.catch(() => {})
      return said
    },
  }
}
