/** Whether the next report lists what the lister has proposed: the signers decide, by their documents. */
import { withProposed, type History } from '../verify/chain.ts'
import { ask, type Limits, type Peer } from './gather.ts'

/**
 * The history as the next report finds it. What is proposed counts once a quorum has that document
 * configured; before, and for ever if nobody takes it, reports go on over the document that counts now.
 */
export async function historyForReport(
  history: History,
  peers: readonly Peer[],
  quorum: number,
  limits?: Limits,
): Promise<History> {
  const { proposed } = history
  if (proposed === null) return history
  const said = await Promise.allSettled(
    peers.map(async (peer) => {
      const status = await ask(peer, '/status', undefined, limits)
      return (status as { instrumentsHash?: unknown } | null)?.instrumentsHash === proposed.hash
    }),
  )
  const ready = said.filter((one) => one.status === 'fulfilled' && one.value).length
  return ready >= quorum ? withProposed(history) : history
}
