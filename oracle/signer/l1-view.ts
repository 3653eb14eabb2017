/** What a signer with a node asks of L1: each question of the same events, read by one reader. */
import type { AbstractProvider } from '../ethers.ts'
import { bindingsIn, fundingBaseIn, referenceTableIn } from '../verify/chain.ts'
import { readSettlingView } from '../verify/settling.ts'
import { documentHash } from './canonical.ts'
import { OracleEvents } from './l1-events.ts'
import type { SignerOptions } from './signer.ts'

export type ViewOfL1 = Required<
  Pick<SignerOptions, 'bindings' | 'fundingBase' | 'settlingView' | 'tableBefore'>
>

/** @param instruments The document of the signer, byte for byte. */
export function viewOfL1(
  provider: AbstractProvider,
  contract: string,
  instruments: string,
  events = new OracleEvents(provider, contract),
): ViewOfL1 {
  const read = () => events.read()
  return {
    bindings: async () => bindingsIn(await read(), documentHash(instruments)),
    fundingBase: async () => fundingBaseIn(await read()),
    settlingView: () => readSettlingView(provider, contract, read),
    // A window that nobody settled for weeks may lie before what is remembered.
    tableBefore: async (time: number) =>
      referenceTableIn(await read(), time) ?? referenceTableIn(await events.readWhole(), time),
  }
}
