/** The same door on chains that others have written: anvil with forks of its own, and hardhat. */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Contract, JsonRpcProvider, NonceManager, Wallet, type InterfaceAbi } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PROJECT_ROOT, shapeNamed, type ShapeKey } from '../../../prover/artifacts.ts'
import { compileSolidity, type CompiledContract } from '../../../prover/solidity.ts'
import { Diverged } from '../../../sequencer/core.ts'
import { deploy } from '../../../sequencer/deploy.ts'
import { SequencerL1, untilAnswering, type Alarm, type Submission } from '../../../sequencer/l1.ts'
import { contractsOf } from '../../../sequencer/solidity.ts'
import { freePort } from '../../free-port.ts'
import { until } from '../../until.ts'

const ANVIL = join(PROJECT_ROOT, 'node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil')
const ADMIN = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80'
const OPERATOR = '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d'
/** Points of the curves: the stub does its pairing work and then accepts. */
const G2 = [
  '10857046999023057135944570762232829481370756359578518086990519993285655852781',
  '11559732032986387107991004021392285783925812861821192530917403151452391805634',
  '8495653923123431417604973247489272438418190587263600148770280649306958101930',
  '4082367875863433681332203403145435568316851327593401208105741076214120093531',
] as const
const STUB_PROOF = {
  pi_a: ['1', '2', '1'],
  pi_b: [
    [G2[0], G2[1]],
    [G2[2], G2[3]],
    ['1', '0'],
  ],
  pi_c: ['1', '2', '1'],
} as unknown as Submission['proof']

type Kind = 'anvil' | 'hardhat'
/** Stands before a node and does to its answers what a test says. */
type Proxy = {
  url: string
  change: (method: string, text: string) => string | null
  close: () => void
}
type World = {
  readonly url: string
  readonly provider: JsonRpcProvider
  readonly contract: string
  readonly token: string
  readonly cloister: Contract
  readonly proxies: readonly Proxy[]
  readonly close: () => void
}

async function startProxy(target: string): Promise<Proxy> {
  const proxy: Proxy = { url: '', change: (_method, text) => text, close: () => {} }
  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      void (async () => {
        const body = Buffer.concat(parts).toString()
        const { method } = JSON.parse(body) as { method: string }
        const headers = { 'content-type': 'application/json' }
        const text = await (await fetch(target, { method: 'POST', headers, body })).text()
        const said = proxy.change(method, text)
        // Null: it never answers.
        if (said !== null) response.end(said)
      })().catch(() => response.destroy())
    })
  })
  // A connection that is ended while it is asked is a call that fails.
  server.keepAliveTimeout = 0
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  proxy.close = () => {
    server.closeAllConnections()
    server.close()
  }
  return proxy
}

function stubVerifier(): CompiledContract {
  const read = (path: string): string => readFileSync(join(PROJECT_ROOT, path), 'utf8')
  const paths = ['contracts/IGroth16Verifier.sol', 'test/contracts/StubVerifier.sol']
  return compileSolidity(Object.fromEntries(paths.map((path) => [path, read(path)])))[
    'StubVerifier'
  ] as CompiledContract
}

async function open(kind: Kind): Promise<World> {
  const stub = stubVerifier()
  const abi = contractsOf()['Cloister']?.abi as InterfaceAbi
  const port = String(await freePort())
  const hardhat = join(PROJECT_ROOT, 'node_modules/.bin/hardhat')
  const child: ChildProcess =
    kind === 'anvil'
      ? spawn(ANVIL, ['--port', port, '--chain-id', '31337', '--silent'], { stdio: 'ignore' })
      : spawn(process.execPath, [hardhat, 'node', '--port', port], {
          cwd: PROJECT_ROOT,
          stdio: 'ignore',
          env: { ...process.env, HARDHAT_DISABLE_TELEMETRY_PROMPT: 'true' },
        })
  const url = `http://127.0.0.1:${port}`
  await untilAnswering(url, 600)
  const provider = new JsonRpcProvider(url, 31337, {
    staticNetwork: true,
    cacheTimeout: -1,
    pollingInterval: 20,
  })
  const admin = new NonceManager(new Wallet(ADMIN, provider))
  const address = await admin.getAddress()
  const shape = shapeNamed('mini')
  const key = { shape, keyHash: '22'.repeat(32), zkeyPath: 'x.development.zkey' } as ShapeKey
  const { contract, token } = await deploy({
    admin,
    operator: new Wallet(OPERATOR).address,
    oracle: address,
    verifiers: [{ key, contract: stub }],
    feeAccountViewKey: 777n,
    fee: 100n,
    refundDelaySeconds: 172_800n,
  })
  const cloister = new Contract(contract, abi, admin)
  await (
    await cloister.getFunction('postTable')(900n, 901n, `0x${'00'.repeat(32)}`, '0x12', true)
  ).wait()
  const proxies = [await startProxy(url), await startProxy(url), await startProxy(url)]
  const close = (): void => {
    for (const proxy of proxies) proxy.close()
    provider.destroy()
    child.kill()
  }
  return { url, provider, contract, token, cloister, proxies, close }
}

describe.each([
  ['anvil', existsSync(ANVIL)],
  ['hardhat', true],
] as const)('on %s', (kind, isThere) => {
  if (!isThere) {
    it.skip(`${kind} is not installed (@foundry-rs/anvil-linux-amd64 is optional)`, () => {})
    return
  }
  let world: World
  const alarms: Alarm[] = []
  const doors: SequencerL1[] = []
  /** Nothing is silent because the machine is slow, unless a test wants silence. */
  const door = (
    confirmations: number,
    urls: readonly string[] = [world.url],
    timeoutMilliseconds = 120_000,
  ): SequencerL1 => {
    const made = new SequencerL1(urls, world.contract, OPERATOR, {
      confirmations,
      pollMilliseconds: 20,
      timeoutMilliseconds,
      alarm: (alarm) => void alarms.push(alarm),
    })
    doors.push(made)
    return made
  }
  const mine = async (blocks = 1): Promise<void> => {
    for (let i = 0; i < blocks; i++) await world.provider.send('evm_mine', [])
  }
  const batch = async (next: bigint, ahead = 0): Promise<Submission> => ({
    shapeId: 1n,
    time: BigInt(((await world.provider.getBlock('latest'))?.timestamp ?? 0) + ahead),
    newRoot: next,
    tableNumber: 1n,
    batchNonce: 5n,
    requestCount: 0,
    depositIds: [],
    withdrawals: [],
    accountWords: Array.from({ length: (shapeNamed('mini').members + 1) * 10 }, (_, i) =>
      BigInt(i),
    ),
    commitment: 7n,
    proof: STUB_PROOF,
  })
  const last = async (): Promise<bigint> =>
    world.cloister.getFunction('batchNumber')() as Promise<bigint>
  const setMode = async (mode: number): Promise<void> => {
    await (await world.cloister.getFunction('setMode')(mode)).wait()
  }

  beforeAll(async () => {
    world = await open(kind)
  })
  afterAll(() => {
    for (const made of doors) made.close()
    world?.close()
  })

  it('an event counts at its depth, and one that a fork took away never did', async () => {
    const l1 = door(3)
    await mine(3)
    await l1.news()
    await setMode(1)
    expect((await l1.news()).mode).toBeNull()
    const kept = (await world.provider.send('evm_snapshot', [])) as string
    await mine(2)
    expect((await l1.news()).mode).toBe(1n)
    await world.provider.send('evm_revert', [kept])
    await mine(1)
    expect((await l1.news()).mode).toBeNull()
    await mine(3)
    await setMode(0)
    await mine(2)
    expect((await l1.news()).mode).toBe(0n)
  })

  it('a fork below what was recorded is told by name', async () => {
    await mine(3)
    const l1 = door(1)
    await l1.news()
    const kept = (await world.provider.send('evm_snapshot', [])) as string
    const before = await world.cloister
      .getFunction('mode')()
      .catch(() => null)
    await (world.cloister.runner as NonceManager).getNonce()
    await setMode(1)
    expect((await l1.news()).mode).toBe(1n)
    await world.provider.send('evm_revert', [kept])
    ;(world.cloister.runner as NonceManager).reset()
    expect(before === null || (await world.cloister.getFunction('mode')()) === before).toBe(true)
    await mine(2)
    await expect(l1.news()).rejects.toThrow(Diverged)
  })

  it('settles a batch at its depth, once', async () => {
    const l1 = door(3)
    const number = (await last()) + 1n
    const raws: string[] = []
    const sent = l1.submit(await batch(4001n), {
      number,
      earlier: [],
      record: async (raw) => void raws.push(raw),
    })
    await until(async () => (await last()) >= number)
    const early = await Promise.race([sent, new Promise((wake) => setTimeout(wake, 300, 'open'))])
    expect(early).toBe('open')
    expect(await last()).toBe(number)
    expect(await l1.rootOf(number)).toBeNull()
    await mine(2)
    expect((await sent).gasUsed).toBeGreaterThan(100_000n)
    expect(await l1.rootOf(number)).toBe(4001n)
    // Whoever follows it again finds it there.
    const again = await door(3).follow({ number, earlier: raws, record: async () => {} })
    expect(again.hash).toBe((await sent).hash)
    expect(await last()).toBe(number)
  })

  it('a batch that a fork took away is sent again as it was', async () => {
    const l1 = door(3)
    const number = (await last()) + 1n
    const kept = (await world.provider.send('evm_snapshot', [])) as string
    const raws: string[] = []
    const sent = l1.submit(await batch(5001n), {
      number,
      earlier: [],
      record: async (raw) => void raws.push(raw),
    })
    await until(async () => (await last()) >= number)
    // It ends first: else it might send the batch again by itself before anybody looks.
    l1.close()
    await expect(sent).rejects.toThrow('closed')
    if (kind === 'anvil') {
      await mine(1)
      // Its own fork: two blocks that are empty in place of the last two.
      await world.provider.send('anvil_reorg', [2, []])
    } else await world.provider.send('evm_revert', [kept])
    expect(await last()).toBe(number - 1n)
    // Nobody has an interest in the empty pool but the door: it asks again after its time.
    const restarted = door(3)
    const again = restarted.follow({ number, earlier: raws, record: async () => {} })
    await until(async () => (await last()) >= number)
    await mine(3)
    expect((await again).gasUsed).toBeGreaterThan(0n)
    expect(await restarted.rootOf(number)).toBe(5001n)
  })

  it('other calls of the operator go through the same count of nonces, and name what L1 refuses', async () => {
    const l1 = door(1)
    const dollar = contractsOf()['TestDollar']?.abi as InterfaceAbi
    const mint = new Contract(world.token, dollar, l1.wallet).getFunction('mint')
    const nonce = await world.provider.getTransactionCount(l1.operator)
    // At once: each waits for the one before it.
    const sent = await Promise.all([1n, 2n, 3n].map((amount) => mint(l1.operator, amount)))
    for (const one of sent) expect((await one.wait()).status).toBe(1)
    expect(await world.provider.getTransactionCount(l1.operator)).toBe(nonce + 3)
    const zeros = Array<bigint>(8).fill(0n)
    const error = (await l1.contract
      .getFunction('submitSweep')(1n, 0n, 0n, 0n, zeros)
      .catch((e: unknown) => e)) as { data: string }
    expect(l1.contract.interface.parseError(error.data)?.name).toBe('SweepMustBeDue')
    expect(await world.provider.getTransactionCount(l1.operator)).toBe(nonce + 3)
  })

  it('tells what an operator watches', async () => {
    const { head, balance, sweepAge, tableTime } = await door(1).vitals()
    expect(head).toBe(await world.provider.getBlockNumber())
    expect(balance).toBe(await world.provider.getBalance(new Wallet(OPERATOR).address))
    expect(sweepAge).toBeGreaterThanOrEqual(0)
    expect(tableTime).toBeGreaterThan(1_600_000_000)
  })

  it('a batch is refused by the name of the contract, without a transaction', async () => {
    const count = await world.provider.getTransactionCount(new Wallet(OPERATOR).address)
    const old = { ...(await batch(1n)), tableNumber: 0n }
    await expect(door(1).submit(old)).rejects.toThrow(
      'L1 refused the batch: TableMustBeCurrent(0, 1)',
    )
    expect(await world.provider.getTransactionCount(new Wallet(OPERATOR).address)).toBe(count)
  })

  it('behind three proxies a liar is outvoted, half a text is none, silence is waited out', async () => {
    alarms.splice(0)
    const [liar, cutter, mute] = world.proxies as [Proxy, Proxy, Proxy]
    const urls = [liar.url, cutter.url, mute.url]
    const l1 = door(1, urls)
    const number = await last()
    const honest: Proxy['change'] = (_method, text) => text
    liar.change = (method, text) =>
      method === 'eth_call'
        ? text.replace(/"result":"0x[0-9a-f]+"/, `"result":"0x${'00'.repeat(32)}"`)
        : text
    expect(await l1.rootOf(number)).toBe(5001n)
    const isLie = ({ what }: Alarm): boolean => what === 'l1Disagrees'
    // Two that agree are enough: the liar may answer after them.
    await until(() => alarms.some(isLie))
    const lies = alarms.filter(isLie)
    expect(lies).toHaveLength(1)
    expect(lies[0]?.detail).toContain(new URL(liar.url).host)
    liar.change = honest
    cutter.change = (_method, text) => text.slice(0, text.length - 7)
    mute.change = () => null
    const waiting = door(1, urls, 500).rootOf(number)
    await until(() => alarms.some(({ what }) => what === 'l1Silent'))
    const early = await Promise.race([
      waiting,
      new Promise((wake) => setTimeout(wake, 500, 'open')),
    ])
    expect(early).toBe('open')
    expect(new Set(alarms.map(({ what }) => what))).toEqual(new Set(['l1Disagrees', 'l1Silent']))
    mute.change = honest
    expect(await waiting).toBe(5001n)
    const sent = await l1.submit(await batch(6001n))
    expect(sent.gasUsed).toBeGreaterThan(0n)
    expect(await last()).toBe(number + 1n)
  })
})
