/**
 * A house on a local chain for whole stories: real proofs of batches, claims and sweeps, members with
 * seeds and L1 keys of their own in directories of their own, and the command line as they would use it.
 */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Contract, JsonRpcProvider, NonceManager, Wallet, type InterfaceAbi } from 'ethers'
import { expect } from 'vitest'
import { depositCommitment, leafHash, viewKeyHash } from '../../circuits/account.ts'
import type { BatchPlan, BatchTrace, Credit, L1Request } from '../../circuits/batch.ts'
import { eighthOf } from '../../circuits/eddsa.ts'
import { statementOf } from '../../circuits/statement.ts'
import { settledRow, settlementsOf, tableOf, type Row, type Table } from '../../circuits/table.ts'
import { buildBatch } from '../../circuits/witness.ts'
import { wordLayout } from '../../circuits/words.ts'
import { main } from '../../client/cli/main.ts'
import { memberKeys } from '../../client/keys.ts'
import { marksData } from '../contracts/marks-data.ts'
import { developmentKeyOf, shapeNamed, type ShapeKey } from '../../prover/artifacts.ts'
import type { CircuitInput } from '../../prover/groth16.ts'
import { compileExits, type CompiledExit } from '../../sequencer/deploy-exits.ts'
import { compileVerifiers, deploy, type Deployment } from '../../sequencer/deploy.ts'
import { StateHistory } from '../../sequencer/history.ts'
import { domainOf, SequencerL1, type Submission } from '../../sequencer/l1.ts'
import { contractsOf } from '../../sequencer/solidity.ts'
import { ADMIN_KEY, startNode } from '../client/chain.ts'
import { House, randomField, type Member } from '../law/house.ts'
import { compilePicky, deployed, proofOf, sent } from './story-l1.ts'

export const HOUR = 3_600n
export const DAY = 24n * HOUR
/** A first run compiles three circuits and writes their keys. */
export const COLD = 900_000
export const TOKEN = 2

export const CHAIN_ID = 31337n
const FEE = 100n

export type Person = {
  readonly name: string
  readonly seed: Uint8Array
  readonly wallet: Wallet
  readonly member: Member
  deposits: number
}
export type Answer = { readonly code: number; readonly json: Record<string, unknown> }
export type Proven = {
  readonly submission: Submission
  readonly trace: BatchTrace
  readonly requests: readonly L1Request[]
}

export class Story {
  readonly house = new House()
  readonly people: Person[] = []
  readonly url: string
  readonly provider: JsonRpcProvider
  readonly deployment: Deployment
  readonly cloister: Contract
  readonly dollar: Contract
  readonly picky: Contract
  readonly operator: SequencerL1
  history = new StateHistory()
  requests: L1Request[] = []
  table: Table
  readonly tables = new Map<bigint, Table>()
  private readonly node: ChildProcess
  private readonly key: ShapeKey
  readonly exits: readonly CompiledExit[]
  private readonly folders: string[] = []

  private constructor(
    node: { readonly url: string; readonly process: ChildProcess },
    provider: JsonRpcProvider,
    deployment: Deployment,
    key: ShapeKey,
    exits: readonly CompiledExit[],
    operator: SequencerL1,
    admin: NonceManager,
    picky: Contract,
  ) {
    this.node = node.process
    this.url = node.url
    this.provider = provider
    this.deployment = deployment
    this.key = key
    this.exits = exits
    this.operator = operator
    const contracts = contractsOf()
    const abiOf = (name: string) => contracts[name]?.abi as InterfaceAbi
    this.cloister = new Contract(deployment.contract, abiOf('Cloister'), admin)
    this.dollar = new Contract(deployment.token, abiOf('TestDollar'), admin)
    this.picky = picky
    this.house.fee = FEE
    this.house.accounts.set(0, deployment.feeAccount)
    this.house.tree.set(0, leafHash(deployment.feeAccount))
    this.table = tableOf(this.house.rows)
  }

  /** Deployed with verifiers of batches, claims and sweeps; cash, a second token, one table posted. */
  static async open(circuits: readonly string[] = ['escape', 'sweep-mini']): Promise<Story> {
    const key = await developmentKeyOf(shapeNamed('mini'), (what) => console.log(what))
    const exits = await compileExits(circuits, (what) => console.log(what))
    const verifiers = await compileVerifiers([key])
    const picky = compilePicky()
    contractsOf()
    const node = await startNode()
    try {
      const provider = new JsonRpcProvider(node.url, 31337, {
        staticNetwork: true,
        cacheTimeout: -1,
        pollingInterval: 20,
      })
      const admin = new NonceManager(new Wallet(ADMIN_KEY, provider))
      const operatorKey = Wallet.createRandom().privateKey
      const operatorAddress = new Wallet(operatorKey).address
      await provider.send('hardhat_setBalance', [operatorAddress, '0x56bc75e2d63100000'])
      const deployment = await deploy({
        admin,
        operator: operatorAddress,
        oracle: await admin.getAddress(),
        verifiers,
        exits,
        feeAccountViewKey: 777n,
        fee: FEE,
        refundDelaySeconds: 2n * DAY,
      })
      const operator = new SequencerL1(node.url, deployment.contract, operatorKey, {
        // No node is silent because the machine stood still.
        timeoutMilliseconds: 120_000,
      })
      const token = await deployed(admin, picky)
      const story = new Story(node, provider, deployment, key, exits, operator, admin, token)
      await sent(story.cloister, 'addToken', TOKEN, await token.getAddress(), 1, 1n << 50n)
      await story.post()
      return story
    } catch (error) {
      node.process.kill()
      throw error
    }
  }

  /** Registers on L1 with keys of a seed of its own, from an L1 address of its own. */
  async join(name: string): Promise<Person> {
    const seed = new Uint8Array(32).fill(this.people.length + 1)
    const keys = memberKeys(seed, name)
    const wallet = new Wallet(Wallet.createRandom().privateKey, this.provider)
    await this.provider.send('hardhat_setBalance', [wallet.address, '0x56bc75e2d63100000'])
    const { member, request } = this.house.join()
    Object.assign(member, { key: keys.signing, viewKey: keys.viewKey })
    this.house.viewKeys.set(member.index, keys.viewKey)
    const key = eighthOf(keys.signing)
    const hash = viewKeyHash(keys.viewKey)
    const registration = {
      l1Owner: wallet.address,
      ownerX: key.x,
      ownerY: key.y,
      viewKeyHash: hash,
    }
    const signature = await this.operator.countersign(registration)
    await this.as(wallet, 'register', key.x, key.y, hash, signature)
    this.requests.push({ ...request, key, viewKeyHash: hash } as L1Request)
    const person: Person = { name, seed, wallet, member, deposits: 0 }
    this.people.push(person)
    return person
  }

  async deposit(person: Person, amount: bigint, token = 1): Promise<Credit> {
    const { member, wallet } = person
    const secret = memberKeys(person.seed, person.name).depositSecret(person.deposits++)
    const commitment = depositCommitment(member.index, secret)
    const contract = (token === 1 ? this.dollar : this.picky).connect(wallet) as Contract
    await sent(contract, 'mint', wallet.address, amount)
    await sent(contract, 'approve', this.deployment.contract, amount)
    await this.as(wallet, 'deposit', token, amount, commitment)
    return { id: ++this.house.depositId, commitment, token, amount, account: member.index, secret }
  }

  /** Confirmed at once; `rows` replace those of the house. */
  async post(rows: readonly Row[] = this.house.rows): Promise<void> {
    this.house.rows = [...rows]
    this.table = tableOf(rows)
    this.tables.set(this.table.root, this.table)
    const { root, marksRoot } = this.table
    await sent(
      this.cloister,
      'postTable',
      root,
      marksRoot,
      `0x${'00'.repeat(32)}`,
      marksData(this.table),
      true,
    )
  }

  /** Final values of what has expired, and a table without its rows; nothing is converted yet. */
  async settleValues(values: ReadonlyMap<number, bigint>, rows: readonly Row[]): Promise<void> {
    this.house.settled = [...values].map(([id, value]) => settledRow(id, value))
    const { root } = settlementsOf(this.house.settled).tree
    await sent(this.cloister, 'postSettlement', [...values.keys()], [...values.values()], root)
    await this.post(rows)
  }

  /** Executes what waits and proves it; nothing is sent, and the house is as it was. */
  async prove(parts: Partial<BatchPlan> = {}): Promise<Proven> {
    const { house, key, deployment } = this
    const { contract } = deployment
    house.time = await this.now()
    const base = house.plan({ requests: this.requests, ...parts })
    const plan = { ...base, context: { ...base.context, domain: domainOf(CHAIN_ID, contract) } }
    const outcome = house.execute(plan)
    if (!outcome.ok) throw new Error(`${outcome.rejection.rule}: ${outcome.rejection.detail}`)
    const { trace } = outcome
    const tableNumber = await this.ask<bigint>('tableNumber')
    const view = {
      tableNumber,
      confirmedTableRoot: this.table.root,
      accountCountBefore: house.accountCount,
    }
    const built = buildBatch(key.shape, trace, house.tree, view, randomField())
    const scope = {
      chainId: CHAIN_ID,
      contract: BigInt(contract),
      keyHash: BigInt(`0x${key.keyHash}`),
    }
    const { x, y } = statementOf(scope, built.commitment, built.words)
    const proof = await proofOf(key, built.finish(x, y) as CircuitInput)
    const first = wordLayout(key.shape).find(({ name }) => name === 'accounts')?.first
    const submission: Submission = {
      shapeId: deployment.shapeIds.get('mini') as bigint,
      time: house.time,
      newRoot: built.newRoot,
      tableNumber,
      batchNonce: plan.context.batchNonce,
      requestCount: plan.requests.length,
      depositIds: plan.credits.map(({ id }) => id),
      withdrawals: trace.payouts,
      forcedPayments: plan.requests.flatMap((request) =>
        request.kind === 'forcedExit'
          ? [trace.members.find(({ index }) => index === request.account)?.forced?.amount ?? 0n]
          : [],
      ),
      accountWords: built.words.slice(first),
      commitment: built.commitment,
      proof,
    }
    return { submission, trace, requests: plan.requests }
  }

  async settle({ submission, trace, requests }: Proven): Promise<void> {
    await this.operator.submit(submission)
    this.history.record(trace)
    this.house.accept(trace)
    this.requests = this.requests.slice(requests.length)
  }

  async batch(parts: Partial<BatchPlan> = {}): Promise<void> {
    await this.settle(await this.prove(parts))
  }

  /** A forced exit as the operator would have to serve it. */
  async queued(serial: bigint): Promise<L1Request> {
    const { account, x, y } = await this.ask<{ account: bigint; x: bigint; y: bigint }>(
      'request',
      serial,
    )
    const { lots: freeVault } = await this.operator.freeVault(Number(x))
    return {
      kind: 'forcedExit',
      serial,
      account: Number(account),
      token: Number(x),
      to: y,
      freeVault,
    }
  }

  /** The command line in a directory that holds the seed and the L1 key, and nothing else. */
  async cli(person: Person, ...args: readonly string[]): Promise<Answer> {
    const folder = mkdtempSync(join(tmpdir(), `cloister-story-${person.name}-`))
    this.folders.push(folder)
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), `${text}\n`, { mode: 0o600 })
      return join(folder, name)
    }
    const key = file('seed', Buffer.from(person.seed).toString('hex'))
    file('l1.key', person.wallet.privateKey)
    return this.run(...args, '--key', key, '--label', person.name)
  }

  async run(...args: readonly string[]): Promise<Answer> {
    let out = ''
    const { contract } = this.deployment
    const argv = [...args, '--json', '--rpc', this.url, '--contract', contract]
    const code = await main(argv, { out: (text) => (out += text), err: () => {} })
    return { code, json: JSON.parse(out) as Record<string, unknown> }
  }

  ask<T>(name: string, ...args: readonly unknown[]): Promise<T> {
    return this.cloister.getFunction(name)(...args) as Promise<T>
  }
  async as(wallet: Wallet, name: string, ...args: readonly unknown[]): Promise<void> {
    await sent(this.cloister.connect(wallet) as Contract, name, ...args)
  }
  async holds(address: string, token = 1): Promise<bigint> {
    const contract = token === 1 ? this.dollar : this.picky
    return (await contract.getFunction('balanceOf')(address)) as bigint
  }

  /** The vault as accounted is what the contract holds, and what accounts own is in it. */
  async mustAddUp(): Promise<void> {
    for (const token of [1, TOKEN]) {
      const vault = await this.ask<bigint>('vault', token)
      expect(await this.holds(this.deployment.contract, token)).toBe(vault)
      const owed = await this.ask<bigint>('owed', token)
      expect(vault - owed - (await this.ask<bigint>('unconsumedDeposits', token)) >= 0n).toBe(true)
    }
  }

  async now(): Promise<bigint> {
    return BigInt((await this.provider.getBlock('latest'))?.timestamp ?? 0)
  }
  async wait(seconds: bigint): Promise<void> {
    await this.provider.send('evm_increaseTime', [Number(seconds)])
    await this.provider.send('evm_mine', [])
  }
  /** Days in which the oracle goes on posting, so that the clock of service runs. */
  async days(count: number): Promise<void> {
    for (let day = 0; day < count; day++) {
      await this.wait(DAY)
      await this.post()
    }
  }

  stop(): void {
    this.operator.close()
    this.provider.destroy()
    this.node.kill()
    for (const folder of this.folders) rmSync(folder, { recursive: true, force: true })
  }
}
