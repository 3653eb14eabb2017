/** A local chain with the contract, its mini verifier and two members: what an audit reads. */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  Contract,
  ContractFactory,
  JsonRpcProvider,
  NonceManager,
  Wallet,
  type InterfaceAbi,
} from 'ethers'
import type { BatchPlan, L1Request } from '../../circuits/batch.ts'
import { eighthOf } from '../../circuits/eddsa.ts'
import { tableOf } from '../../circuits/table.ts'
import { viewKeyHash } from '../../circuits/account.ts'
import { challengeOf, domainOf, parseBatchWords } from '../../client/l1/batch-words.ts'
import {
  developmentKeyOf,
  PROJECT_ROOT,
  shapeNamed,
  type ShapeKey,
} from '../../prover/artifacts.ts'
import { prove, type CircuitInput } from '../../prover/groth16.ts'
import { leafHash } from '../../circuits/account.ts'
import type { CompiledContract } from '../../prover/solidity.ts'
import { compileVerifiers, deploy, type CompiledVerifier } from '../../sequencer/deploy.ts'
import { contractsOf } from '../../sequencer/solidity.ts'
import { SequencerL1 } from '../../sequencer/l1.ts'
import { freePort } from '../free-port.ts'
import { House, type Member } from '../law/house.ts'

const ANVIL = join(PROJECT_ROOT, 'node_modules', '@foundry-rs', 'anvil-linux-amd64', 'bin', 'anvil')
/** The first account of every local chain; its key is in every manual. */
export const ADMIN_KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80'

export async function startNode(): Promise<{
  readonly url: string
  readonly process: ChildProcess
}> {
  const port = String(await freePort())
  const child = existsSync(ANVIL)
    ? spawn(ANVIL, ['--port', port, '--chain-id', '31337', '--silent'], { stdio: 'ignore' })
    : spawn(
        process.execPath,
        [join(PROJECT_ROOT, 'node_modules', '.bin', 'hardhat'), 'node', '--port', port],
        {
          cwd: PROJECT_ROOT,
          stdio: 'ignore',
          env: { ...process.env, HARDHAT_DISABLE_TELEMETRY_PROMPT: 'true' },
        },
      )
  const url = `http://127.0.0.1:${port}`
  while (child.exitCode === null && child.signalCode === null) {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}',
    }).catch(() => null)
    if (answer?.ok === true) return { url, process: child }
    await new Promise((wake) => setTimeout(wake, 100))
  }
  throw new Error(`the local chain ended with ${child.signalCode ?? `code ${child.exitCode}`}`)
}

export class TestChain {
  readonly house = new House()
  readonly url: string
  readonly contract: string
  readonly domain: bigint
  private readonly node: ChildProcess
  private readonly key: ShapeKey
  private readonly l1: SequencerL1
  private readonly cloister: Contract
  private readonly token: Contract
  private readonly provider: JsonRpcProvider
  private requests: L1Request[] = []

  private constructor(
    node: ChildProcess,
    url: string,
    contract: string,
    token: string,
    key: ShapeKey,
    provider: JsonRpcProvider,
    admin: NonceManager,
  ) {
    this.node = node
    this.url = url
    this.contract = contract
    this.key = key
    this.provider = provider
    this.domain = domainOf(31337n, contract)
    const { privateKey } = Wallet.createRandom()
    // No node is silent because the machine stood still.
    this.l1 = new SequencerL1(url, contract, privateKey, { timeoutMilliseconds: 120_000 })
    this.cloister = new Contract(contract, contractsOf()['Cloister']?.abi as InterfaceAbi, admin)
    this.token = new Contract(token, contractsOf()['TestDollar']?.abi as InterfaceAbi, admin)
  }

  static async start(): Promise<TestChain> {
    const key = await developmentKeyOf(shapeNamed('mini'))
    const verifiers = await compileVerifiers([key])
    contractsOf()
    const node = await startNode()
    try {
      return await TestChain.deployTo(node, key, verifiers)
    } catch (error) {
      // Nobody else knows of the process yet.
      node.process.kill()
      throw error
    }
  }

  /** A verifier of claims, under this name and hash of its key, whatever it is a verifier of. */
  async addEscape(id: bigint, name: string, keyHash: string, verifier: CompiledContract) {
    const { abi, bytecode } = verifier
    const admin = this.cloister.runner as NonceManager
    const made = await new ContractFactory(abi as InterfaceAbi, bytecode, admin).deploy()
    await made.waitForDeployment()
    await this.cloister
      .getFunction('addEscapeShape')(id, await made.getAddress(), keyHash, true, name)
      .then(mined)
  }

  private static async deployTo(
    node: Awaited<ReturnType<typeof startNode>>,
    key: ShapeKey,
    verifiers: readonly CompiledVerifier[],
  ): Promise<TestChain> {
    const provider = new JsonRpcProvider(node.url, 31337, {
      staticNetwork: true,
      cacheTimeout: -1,
      pollingInterval: 50,
    })
    const admin = new NonceManager(new Wallet(ADMIN_KEY, provider))
    const address = await admin.getAddress()
    const deployment = await deploy({
      admin,
      operator: address,
      oracle: address,
      verifiers,
      feeAccountViewKey: 777n,
      fee: 100n,
      refundDelaySeconds: 100_000n,
    })
    const chain = new TestChain(
      node.process,
      node.url,
      deployment.contract,
      deployment.token,
      key,
      provider,
      admin,
    )
    await chain.cloister
      .getFunction('grantRole')(
        await chain.cloister.getFunction('OPERATOR')(),
        chain.l1.wallet.address,
      )
      .then(mined)
    await provider
      .send('anvil_setBalance', [chain.l1.wallet.address, '0x56bc75e2d63100000'])
      .catch(() =>
        provider.send('hardhat_setBalance', [chain.l1.wallet.address, '0x56bc75e2d63100000']),
      )
    chain.house.accounts.set(0, deployment.feeAccount)
    chain.house.tree.set(0, leafHash(deployment.feeAccount))
    await chain.token
      .getFunction('mint')(address, 10n ** 12n)
      .then(mined)
    await chain.token
      .getFunction('approve')(chain.contract, 10n ** 12n)
      .then(mined)
    const table = tableOf(chain.house.rows)
    await chain.cloister
      .getFunction('postTable')(table.root, table.marksRoot, `0x${'00'.repeat(32)}`, '0x', true)
      .then(mined)
    return chain
  }

  async join(): Promise<Member> {
    const { member, request } = this.house.join()
    const point = eighthOf(member.key)
    const l1Owner = await (this.cloister.runner as NonceManager).getAddress()
    const hash = viewKeyHash(member.viewKey)
    const signature = await this.l1.countersign({
      l1Owner,
      ownerX: point.x,
      ownerY: point.y,
      viewKeyHash: hash,
    })
    await this.cloister.getFunction('register')(point.x, point.y, hash, signature).then(mined)
    this.requests.push(request)
    return member
  }

  async deposit(member: Member, amount: bigint) {
    const credit = this.house.credit(member, 1, amount)
    await this.cloister.getFunction('deposit')(1, amount, credit.commitment).then(mined)
    return credit
  }

  /** Executes, proves and submits a batch; returns the seconds of proving. */
  async batch(parts: Partial<BatchPlan> = {}): Promise<void> {
    const block = await this.provider.getBlock('latest')
    this.house.time = BigInt(block?.timestamp ?? 0)
    const base = this.house.plan({ requests: this.requests, ...parts })
    const plan = {
      ...base,
      context: { ...base.context, domain: this.domain, time: this.house.time },
    }
    const outcome = this.house.execute(plan)
    if (!outcome.ok) throw new Error(`${outcome.rejection.rule}: ${outcome.rejection.detail}`)
    const { trace } = outcome
    const built = this.house.build(this.key.shape, trace)
    const { x, y } = challengeOf(
      {
        chainId: 31337n,
        contract: this.contract,
        keyHash: `0x${this.key.keyHash}`,
        commitment: built.commitment,
      },
      built.words,
    )
    const { proof } = await prove(
      this.key.zkeyPath,
      this.key.wasmPath,
      built.finish(x, y) as CircuitInput,
    )
    const words = parseBatchWords(this.key.shape, built.words)
    await this.l1.submit({
      shapeId: 1n,
      time: this.house.time,
      newRoot: built.newRoot,
      tableNumber: 1n,
      batchNonce: words.header.batchNonce,
      requestCount: this.requests.length,
      depositIds: plan.credits.map((c) => c.id),
      withdrawals: trace.payouts.map(({ token, amount, to }) => ({ token, amount, to })),
      accountWords: words.accounts.flatMap((a) => [BigInt(a.index), a.leaf, ...a.cipher]),
      commitment: built.commitment,
      proof,
    })
    this.house.accept(trace)
    this.requests = []
  }

  async claim(batch: bigint, amount: bigint, to: string): Promise<void> {
    await this.cloister.getFunction('claim')(batch, 0, 1, amount, to, []).then(mined)
  }

  stop(): void {
    this.l1.close()
    this.provider.destroy()
    this.node.kill()
  }
}

async function mined(sent: { wait: () => Promise<unknown> }): Promise<void> {
  await sent.wait()
}
