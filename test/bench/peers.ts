/**
 * What others have published, or what their public circuits cost when compiled: nothing here is
 * our measurement of a running system of theirs.
 */
export type Peer = {
  readonly system: string
  readonly item: string
  readonly constraints: string
  readonly gas: string
  readonly privacy: string
  readonly source: string
}

const COMPILED = 'circom 2.2.3 --O2, marginal'

export const PEERS: readonly Peer[] = [
  {
    system: 'Hermez 1.0',
    item: 'transfer',
    constraints: '30,000-52,000',
    gas: '-',
    privacy: 'none',
    source: `hermeznetwork/circuits, ${COMPILED}`,
  },
  {
    system: 'FluiDex',
    item: 'trade',
    constraints: '84,000',
    gas: '-',
    privacy: 'none',
    source: `fluidex/circuits, ${COMPILED}`,
  },
  {
    system: 'Loopring 3',
    item: 'spot trade',
    constraints: '64,000-155,000',
    gas: '375-450',
    privacy: 'none',
    source: 'Loopring/protocols DESIGN.md and PR 1307',
  },
  {
    system: 'MACI 3',
    item: 'message',
    constraints: '25,000',
    gas: '-',
    privacy: 'coordinator reads',
    source: `MACI packages/circuits, ${COMPILED}`,
  },
  {
    system: 'Railgun, Nova, Zeto',
    item: 'transfer',
    constraints: '2,000-45,000',
    gas: '300,000-2,800,000',
    privacy: 'good',
    source: `their circuits, ${COMPILED}; Zeto's implementations page`,
  },
]
