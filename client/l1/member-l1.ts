/** A member's transactions on L1: register, deposit, claim. The L1 key is apart from the trading key. */
import { Contract, JsonRpcProvider, NonceManager, Wallet } from 'ethers'
import { MerkleTree } from 'merkletreejs'
import { AbiCoder, keccak256 } from 'ethers'
import type { Point } from '../../circuits/eddsa.ts'

const HOUSE_ABI = [
  'function register(uint256 x, uint256 y, uint256 viewKeyHash, bytes operatorSignature) returns (uint256)',
  'function rotate(uint256 account, uint256 x, uint256 y)',
  'function deposit(uint256 token, uint256 amount, uint256 commitment) returns (uint256)',
  'function claim(uint256 batchNumber, uint256 slot, uint256 token, uint256 amount, address to, bytes32[] proof)',
  'function roots(uint256) view returns (uint256)',
  'event Registered(uint256 indexed account, address indexed l1Owner)',
  'event Deposited(uint256 indexed id, address indexed depositor, uint256 indexed token, uint256 amount, uint256 commitment)',
]
const TOKEN_ABI = ['function mint(address to, uint256 amount)', 'function approve(address spender, uint256 amount) returns (bool)', 'function balanceOf(address) view returns (uint256)']

export type Withdrawal = { readonly token: bigint; readonly amount: bigint; readonly to: string }

/** Leaf of the withdrawal tree: hashed twice, as OpenZeppelin's MerkleProof expects of trees made off chain. */
export function withdrawalLeaf(contract: string, batch: bigint, slot: number, w: Withdrawal): string {
  return keccak256(keccak256(AbiCoder.defaultAbiCoder().encode(['address', 'uint256', 'uint256', 'uint256', 'uint256', 'address'],
    [contract, batch, slot, w.token, w.amount, w.to])))
}

/** The Merkle proof of one slot among the withdrawals of a batch. */
export function withdrawalProof(contract: string, batch: bigint, withdrawals: readonly Withdrawal[], slot: number): string[] {
  const leaves = withdrawals.map((w, i) => Buffer.from(withdrawalLeaf(contract, batch, i, w).slice(2), 'hex'))
  const tree = new MerkleTree(leaves, (data: Buffer) => Buffer.from(keccak256(data).slice(2), 'hex'), { sortPairs: true })
  return tree.getHexProof(leaves[slot] as Buffer)
}

export class MemberL1 {
  readonly address: string
  private readonly provider: JsonRpcProvider
  private readonly house: Contract
  private readonly token: Contract
  private readonly contract: string

  constructor(rpcUrl: string, contract: string, token: string, l1Key: string) {
    this.provider = new JsonRpcProvider(rpcUrl, undefined, { cacheTimeout: -1, pollingInterval: 100 })
    const wallet = new Wallet(l1Key, this.provider)
    this.address = wallet.address
    const signer = new NonceManager(wallet)
    this.contract = contract
    this.house = new Contract(contract, HOUSE_ABI, signer)
    this.token = new Contract(token, TOKEN_ABI, signer)
  }

  private async event(sent: { wait: () => Promise<{ logs: readonly { topics: readonly string[]; data: string }[] } | null> }, name: string, argument: string): Promise<bigint> {
    const receipt = await sent.wait()
    for (const log of receipt?.logs ?? []) {
      const parsed = this.house.interface.parseLog(log)
      if (parsed?.name === name) return parsed.args[argument] as bigint
    }
    throw new Error(`L1 did not emit ${name}`)
  }

  async register(key: Point, viewKeyHash: bigint, countersignature: string): Promise<number> {
    return Number(await this.event(await this.house.getFunction('register')(key.x, key.y, viewKeyHash, countersignature), 'Registered', 'account'))
  }

  /** Rotation from L1: the way back after a lost trading key. */
  async rotate(account: number, key: Point): Promise<void> {
    await (await this.house.getFunction('rotate')(account, key.x, key.y)).wait()
  }

  /** Play money of a local day. */
  async mint(amount: bigint): Promise<void> {
    await (await this.token.getFunction('mint')(this.address, amount)).wait()
  }

  async deposit(token: number, amount: bigint, commitment: bigint): Promise<bigint> {
    await (await this.token.getFunction('approve')(this.contract, amount)).wait()
    return this.event(await this.house.getFunction('deposit')(token, amount, commitment), 'Deposited', 'id')
  }

  async claim(batch: bigint, slot: number, withdrawals: readonly Withdrawal[]): Promise<void> {
    const w = withdrawals[slot]
    if (w === undefined) throw new Error(`batch ${batch} has no withdrawal ${slot}`)
    await (await this.house.getFunction('claim')(batch, slot, w.token, w.amount, w.to, withdrawalProof(this.contract, batch, withdrawals, slot))).wait()
  }

  async tokenBalance(): Promise<bigint> {
    return await this.token.getFunction('balanceOf')(this.address) as bigint
  }

  close(): void {
    this.provider.destroy()
  }
}
