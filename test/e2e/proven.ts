/** A clearing house on a chain in the process, its verifier the real one, and batches for it. */
import { bn254, bn254_Fr } from '@noble/curves/bn254.js'
import { Contract, ethers } from 'ethers'
import { leafHash, viewKeyHash } from '../../circuits/account.ts'
import type { Credit, L1Request } from '../../circuits/batch.ts'
import { eighthOf } from '../../circuits/eddsa.ts'
import { SETTLEMENT_DEPTH } from '../../circuits/params.ts'
import { statementOf } from '../../circuits/statement.ts'
import { tableOf } from '../../circuits/table.ts'
import { emptyRoot } from '../../circuits/tree.ts'
import { wordLayout } from '../../circuits/words.ts'
import { developmentKeyOf, shapeNamed, type ShapeKey } from '../../prover/artifacts.ts'
import type { CircuitInput } from '../../prover/groth16.ts'
import { proveInChild } from '../../prover/pool.ts'
import { compileVerifiers, deploy as deployHouse, termsOf } from '../../sequencer/deploy.ts'
import { contractsOf } from '../../sequencer/solidity.ts'
import { proofWords } from '../../prover/proof-words.ts'
import type { Submission } from '../contracts/batch-data.ts'
import {
  configuration,
  deployCloister,
  now,
  provider,
  register,
  send,
  type World,
} from '../contracts/l1.ts'
import { House, type Member } from '../law/house.ts'

const CHAIN_ID = 31337n
const FEE = 100n
const FEE_VIEW_KEY = 777n
const REFUND_DELAY = 100_000n
const FUNDS = 10_000_000_000n
export const OTHER_KEY = 2n
export const OTHER_SIZES = 3n

/** A house off chain, its contract, and a second contract that differs in its address alone. */
export class ProvenHouse {
  readonly house: House
  readonly world: World
  readonly twin: World
  readonly members: readonly Member[]
  private readonly key: ShapeKey
  private requests: readonly L1Request[]
  private credits: readonly Credit[]

  private constructor(
    house: House,
    world: World,
    twin: World,
    key: ShapeKey,
    members: readonly Member[],
    requests: readonly L1Request[],
    credits: readonly Credit[],
  ) {
    this.house = house
    this.world = world
    this.twin = twin
    this.key = key
    this.members = members
    this.requests = requests
    this.credits = credits
  }

  /** Two members have registered and paid in; no batch has been settled. */
  static async open(): Promise<ProvenHouse> {
    const key = await developmentKeyOf(shapeNamed('mini'), (what) => console.log(what))
    const verifiers = await compileVerifiers([key])
    const [admin, operator, oracle, ...owners] = (await provider.send('eth_accounts', [])) as [
      string,
      string,
      string,
      ...string[],
    ]
    const deployment = await deployHouse({
      admin: await provider.getSigner(admin),
      operator,
      oracle,
      verifiers,
      feeAccountViewKey: FEE_VIEW_KEY,
      fee: FEE,
      refundDelaySeconds: REFUND_DELAY,
    })
    const abi = contractsOf()['Cloister']?.abi as ethers.InterfaceAbi
    const tokenAbi = contractsOf()['TestDollar']?.abi as ethers.InterfaceAbi
    const cloister = new Contract(deployment.contract, abi, provider)
    const dollar = new Contract(deployment.token, tokenAbi, provider)
    const { verifier: address } = await cloister.getFunction('shapes')(1n)
    const verifier = new Contract(address as string, [], provider)
    const world: World = {
      cloister,
      dollar,
      verifier,
      address: deployment.contract,
      admin,
      operator,
      oracle,
      members: owners,
    }

    const house = new House()
    house.fee = FEE
    house.accounts.set(0, deployment.feeAccount)
    house.tree.set(0, leafHash(deployment.feeAccount))
    const twin = await twinOf(world, house, key)
    const keyHash = `0x${key.keyHash}`
    const { members, deposits, withdrawals, requests } = key.shape
    await send(
      admin,
      cloister,
      'addShape',
      OTHER_KEY,
      members,
      deposits,
      withdrawals,
      requests,
      address,
      ethers.id('another key'),
      true,
      'another key',
    )
    await send(
      admin,
      cloister,
      'addShape',
      OTHER_SIZES,
      members + 1,
      deposits,
      withdrawals,
      requests,
      address,
      keyHash,
      true,
      'other sizes',
    )

    const joined = [house.join(), house.join()]
    const credits = joined.map(({ member }) => house.credit(member, 1, FUNDS))
    for (const side of [world, twin]) await prepare(side, house, joined, credits)
    return new ProvenHouse(
      house,
      world,
      twin,
      key,
      joined.map(({ member }) => member),
      joined.map(({ request }) => request),
      credits,
    )
  }

  /** Executes what waits and proves it; the house off chain takes it over. */
  async prove(): Promise<Submission> {
    const { house, key, world } = this
    house.time = await now()
    const domain = (await world.cloister.getFunction('domain')()) as bigint
    const base = house.plan({ requests: this.requests, credits: this.credits })
    const plan = { ...base, context: { ...base.context, domain } }
    const outcome = house.execute(plan)
    if (!outcome.ok) throw new Error(`${outcome.rejection.rule}: ${outcome.rejection.detail}`)
    const built = house.build(key.shape, outcome.trace)
    const scope = {
      chainId: CHAIN_ID,
      contract: BigInt(world.address),
      keyHash: BigInt(`0x${key.keyHash}`),
    }
    const { x, y } = statementOf(scope, built.commitment, built.words)
    const { proof } = await proveInChild({
      zkeyPath: key.zkeyPath,
      wasmPath: key.wasmPath,
      input: built.finish(x, y) as CircuitInput,
      singleThread: false,
    })
    const first = wordLayout(key.shape).find(({ name }) => name === 'accounts')?.first
    const submission: Submission = {
      shapeId: 1n,
      time: house.time,
      newRoot: built.newRoot,
      tableNumber: 1n,
      batchNonce: plan.context.batchNonce,
      requestCount: BigInt(plan.requests.length),
      depositIds: plan.credits.map(({ id }) => id),
      withdrawals: [],
      forcedPayments: [],
      accountWords: built.words.slice(first),
      commitment: built.commitment,
      proof: proofWords(proof),
    }
    house.accept(outcome.trace)
    this.requests = []
    this.credits = []
    return submission
  }
}

/** The same genesis, fee, token, verifier and key hash at another address. */
async function twinOf(world: World, house: House, key: ShapeKey): Promise<World> {
  const feeAccount = house.accounts.get(0)
  if (feeAccount === undefined) throw new Error('proven: the house has no fee account')
  const cloister = await deployCloister(
    await configuration({
      genesisRoot: house.tree.root,
      feeAccountLeaf: leafHash(feeAccount),
      feeAccountViewKeyHash: feeAccount.viewKeyHash,
      feeAccountMeta: feeAccount.meta,
      settlementRoot: emptyRoot(SETTLEMENT_DEPTH),
      fee: FEE,
      terms: termsOf(REFUND_DELAY),
    }),
  )
  const { members, deposits, withdrawals, requests } = key.shape
  await send(
    world.admin,
    cloister,
    'addToken',
    1n,
    await world.dollar.getAddress(),
    1n,
    (1n << 55n) - 1n,
  )
  await send(
    world.admin,
    cloister,
    'addShape',
    1n,
    members,
    deposits,
    withdrawals,
    requests,
    await world.verifier.getAddress(),
    `0x${key.keyHash}`,
    true,
    key.shape.name,
  )
  return { ...world, cloister, address: await cloister.getAddress() }
}

type Joined = { readonly member: Member }

async function prepare(
  world: World,
  house: House,
  joined: readonly Joined[],
  credits: readonly Credit[],
): Promise<void> {
  const { cloister, dollar, address, oracle } = world
  const table = tableOf(house.rows)
  await send(
    oracle,
    cloister,
    'postTable',
    table.root,
    table.marksRoot,
    ethers.id('worlds'),
    '0x',
    true,
  )
  for (const [i, { member }] of joined.entries()) {
    const owner = world.members[i] as string
    const { x, y } = eighthOf(member.key)
    await register(world, owner, [x, y], viewKeyHash(member.viewKey))
    const credit = credits[i] as Credit
    await send(owner, dollar, 'mint', owner, credit.amount)
    await send(owner, dollar, 'approve', address, credit.amount)
    await send(owner, cloister, 'deposit', 1n, credit.amount, credit.commitment)
  }
}

const { Fp } = bn254.fields

/** -A and -B: the pairing of the two is the same. */
export function negated(proof: readonly bigint[]): readonly bigint[] {
  return proof.map((word, i) => ([1, 4, 5].includes(i) ? Fp.neg(word) : word))
}

/** A / r and B * r: a proof of the same statement that no one can tell from a fresh one. */
export function rerandomised(proof: readonly bigint[], r: bigint): readonly bigint[] {
  const [ax, ay, bx1, bx0, by1, by0, cx, cy] = proof as readonly [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ]
  const a = bn254.G1.Point.fromAffine({ x: ax, y: ay }).multiply(bn254_Fr.inv(r)).toAffine()
  const b = bn254.G2.Point.fromAffine({ x: { c0: bx0, c1: bx1 }, y: { c0: by0, c1: by1 } })
    .multiply(r)
    .toAffine()
  return [a.x, a.y, b.x.c1, b.x.c0, b.y.c1, b.y.c0, cx, cy]
}

/** The modulus of the field in which a proof's coordinates lie. */
export const COORDINATE_MODULUS = Fp.ORDER
