/** A member's transactions on L1: register, deposit, claim. The L1 key is apart from the trading key. */
import type { Point } from '../../circuits/eddsa.ts'
import { accountOn, type OwnAccount, type OwnContract } from './ethers.ts'
import { withdrawalProof, type Withdrawal } from './withdrawals.ts'

const HOUSE_ABI = [
  'function register(uint256 x, uint256 y, uint256 viewKeyHash, bytes operatorSignature) ' +
    'returns (uint256)',
  'function rotate(uint256 account, uint256 x, uint256 y)',
  'function deposit(uint256 token, uint256 amount, uint256 commitment) returns (uint256)',
  'function tokens(uint256 id) view returns ((address token, uint96 unit, uint64 vault, uint64 owed, uint64 unconsumed, uint64 cap) found)',
  'function claim(uint256 batchNumber, uint256 slot, uint256 token, uint256 amount, address to, ' +
    'bytes32[] proof)',
  'event Registered(uint256 indexed account, address indexed l1Owner)',
  'event Deposited(uint256 indexed id, address indexed depositor, uint256 indexed token, uint256 ' +
    'amount, uint256 commitment)',
]
const TOKEN_ABI = [
  'function name() view returns (string)',
  'function mint(address to, uint256 amount)',
  'function approve(address spender, uint256 amount) returns (bool)',
  'function balanceOf(address) view returns (uint256)',
]

export class MemberL1 {
  readonly address: string
  private readonly own: OwnAccount
  private readonly house: OwnContract
  private readonly token: OwnContract
  private readonly contract: string

  constructor(rpcUrl: string, contract: string, token: string, l1Key: string) {
    this.own = accountOn(rpcUrl, l1Key)
    this.address = this.own.address
    this.contract = contract
    this.house = this.own.contract(contract, HOUSE_ABI)
    this.token = this.own.contract(token, TOKEN_ABI)
  }

  /** The index of the new account. */
  async register(key: Point, viewKeyHash: bigint, countersignature: string): Promise<number> {
    const mined = await this.house.send('register', key.x, key.y, viewKeyHash, countersignature)
    return Number(this.house.argumentOf(mined, 'Registered', 'account'))
  }

  /** Rotation from L1: the way back after a lost trading key. */
  async rotate(account: number, key: Point): Promise<void> {
    await this.house.send('rotate', account, key.x, key.y)
  }

  /** Whether anybody may mint it: play money says so in its name. */
  async isPlayMoney(): Promise<boolean> {
    return (await this.token.read('name')) === 'Test Dollar (no value)'
  }

  /** Play money of a local day. */
  async mint(amount: bigint): Promise<void> {
    await this.token.send('mint', this.address, amount)
  }

  /** The id of the deposit of `amount` lots. */
  async deposit(token: number, amount: bigint, commitment: bigint): Promise<bigint> {
    const { unit } = (await this.house.read('tokens', token)) as { readonly unit: bigint }
    await this.token.send('approve', this.contract, amount * unit)
    const mined = await this.house.send('deposit', token, amount, commitment)
    return this.house.argumentOf(mined, 'Deposited', 'id') as bigint
  }

  /** Takes one of a batch's withdrawals; `ofBatch` are all of that batch, in slot order. */
  async claim(ofBatch: readonly Withdrawal[], slot: number): Promise<void> {
    const found = ofBatch.find((withdrawal) => withdrawal.slot === slot)
    if (found === undefined) throw new Error(`the batch has no withdrawal in slot ${slot}`)
    const { batch, token, amount, to } = found
    const proof = withdrawalProof(this.contract, ofBatch, slot)
    await this.house.send('claim', batch, slot, token, amount, to, proof)
  }

  async tokenBalance(): Promise<bigint> {
    return (await this.token.read('balanceOf', this.address)) as bigint
  }

  close(): void {
    this.own.close()
  }
}
