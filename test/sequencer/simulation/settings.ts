/** The house of the simulation: small, so that a seed costs little. */
import { leafHash, type Account, feeAccountOf } from '../../../circuits/account.ts'
import { TREE_DEPTH, type Shape } from '../../../circuits/params.ts'
import { Tree } from '../../../circuits/tree.ts'
import { ADDRESS } from '../l1/sim-chain.ts'

export const FEE = 100n
export const FUTURE = 1024
export const DOMAIN = 12345n
export const FEE_VIEW_KEY = 777n
/** The operator's. */
export const KEY = `0x${'42'.repeat(32)}`
export const SHAPE: Shape = {
  name: 'sim',
  pages: 6,
  members: 4,
  rows: 2,
  rowsPerNode: 1,
  deposits: 2,
  withdrawals: 1,
  requests: 2,
  rotations: 1,
  rescues: 2,
  forcedExits: 1,
  reductions: 2,
  releases: 1,
}

export const feeAccount = (): Account => feeAccountOf(FEE_VIEW_KEY, 0n)

/** On the simulated chain, where contract and token need no addresses of their own. */
export const simDeployment = () => ({
  contract: ADDRESS,
  token: ADDRESS,
  chainId: 31337n,
  feeAccount: feeAccount(),
  shapeIds: new Map([[SHAPE.name, 1n]]),
})

export const genesisRoot = (() => {
  const tree = new Tree(TREE_DEPTH)
  tree.set(0, leafHash(feeAccount()))
  return tree.root
})()
