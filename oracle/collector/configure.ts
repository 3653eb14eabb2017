/** Gives a fresh oracle contract its parameters, in the order in which they need each other. */
import { Contract, ZeroAddress, type Signer as L1Signer } from '../ethers.ts'
import { expiryOf, instrumentsBytes, worldsBytes, type InstrumentSpec } from '../signer/engine.ts'
import { specificationHash } from '../registry.ts'
import { documentHash } from '../signer/canonical.ts'
import type { WorldSet } from '../worlds.ts'
import { ORACLE_SETTERS_ABI } from '../verify/abi.ts'

/** Basis points and seconds, as contracts/ITableOracle.sol explains them. */
export type BandParameters = {
  readonly band: number
  readonly jumpBand: number
  readonly feedBand: number
  readonly feedMaxAge: number
  readonly feed: string
}
export type TimingParameters = {
  readonly maxAge: number
  readonly confirmWindow: number
  readonly agreementDelay: number
  readonly settlementWindow: number
  readonly challengeDelay: number
}
export type OracleParameters = {
  readonly signers: readonly string[]
  readonly quorum: number
  readonly largeQuorum: number
  readonly timing: TimingParameters
  /** In the order of their ids, from 1. */
  readonly underlyings: readonly { readonly name: string; readonly band: BandParameters }[]
  readonly worlds: WorldSet
  readonly instruments: readonly InstrumentSpec[]
  /** Unix second of L1's clock at which an instrument expires; of a replay not the market's. */
  readonly expiryOnL1?: (marketExpiry: number) => number
}

/** What a deployment may begin with; docs/oracle.md says why. */
export const DEFAULT_BAND: BandParameters = {
  band: 500,
  jumpBand: 5_000,
  feedBand: 300,
  feedMaxAge: 3_600,
  feed: ZeroAddress,
}
export const DEFAULT_TIMING: TimingParameters = {
  maxAge: 120,
  confirmWindow: 3_600,
  agreementDelay: 300,
  settlementWindow: 1_800,
  challengeDelay: 7_200,
}

/**
 * Publishes a world set where L1 has another: a house for try-outs that was made by an earlier version of
 * the project would have no tables any more. Of a sealed house the lock alone may do it.
 */
export async function publishWorlds(
  contract: string,
  admin: L1Signer,
  worlds: WorldSet,
): Promise<boolean> {
  const oracle = new Contract(contract, ORACLE_SETTERS_ABI, admin)
  const document = worldsBytes(worlds)
  if ((await oracle.getFunction('worldsHash')()) === documentHash(document)) return false
  const sent = (await oracle.getFunction('setWorlds')(document)) as { wait: () => Promise<unknown> }
  await sent.wait()
  return true
}

export async function configureOracle(
  contract: string,
  admin: L1Signer,
  parameters: OracleParameters,
): Promise<void> {
  const oracle = new Contract(contract, ORACLE_SETTERS_ABI, admin)
  const call = async (name: string, ...args: readonly unknown[]): Promise<void> => {
    const sent = (await oracle.getFunction(name)(...args)) as { wait: () => Promise<unknown> }
    await sent.wait()
  }
  const { quorum, largeQuorum, timing, underlyings, worlds, instruments } = parameters
  const signers = [...parameters.signers].sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1))
  await call('setSigners', signers, quorum, largeQuorum)
  await call('setTiming', timing)
  for (const { name, band } of underlyings) await call('addUnderlying', name, band)
  await call('setWorlds', worldsBytes(worlds))
  const onL1 = parameters.expiryOnL1 ?? ((time: number) => time)
  // Cash has no row: it is worth one in every world.
  const listings = instruments.flatMap((spec) =>
    spec.kind === 'cash'
      ? []
      : [
          {
            id: spec.id,
            expiry: expiryOf(spec) === 0 ? 0 : onL1(expiryOf(spec)),
            specification: specificationHash(spec),
          },
        ],
  )
  await call('list', listings, instrumentsBytes(instruments))
}
