/** The audit of houses whose code is right: by which constructor it came there, for whom, and whether the house still runs. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  ContractFactory,
  Contract,
  JsonRpcProvider,
  NonceManager,
  Wallet,
  type InterfaceAbi,
} from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { audit, type AuditReport } from '../../client/audit/audit.ts'
import { renderReport } from '../../client/audit/report.ts'
import { constructorArguments } from '../../client/l1/ethers.ts'
import { connect, httpTransport, type Transport } from '../../client/l1/rpc.ts'
import { PROJECT_ROOT } from '../../prover/artifacts.ts'
import {
  argumentsBehind,
  compileSolidity,
  projectSources,
  type CompiledContract,
} from '../../prover/solidity.ts'
import { deploy, type Deployment } from '../../sequencer/deploy.ts'
import { contractsOf } from '../../sequencer/solidity.ts'
import { ADMIN_KEY, startNode } from './chain.ts'

let node: Awaited<ReturnType<typeof startNode>>
let provider: JsonRpcProvider
let admin: NonceManager
let house: Deployment
let cloister: Contract
let twin: string

const compiled = (name: string): CompiledContract => {
  const found = contractsOf()[name]
  if (found === undefined) throw new Error(`there is no ${name}`)
  return found
}
async function make(contract: CompiledContract, ...args: readonly unknown[]): Promise<string> {
  const factory = new ContractFactory(contract.abi as InterfaceAbi, contract.bytecode, admin)
  const made = await factory.deploy(...(args as never[]))
  await made.waitForDeployment()
  return made.getAddress()
}
const send = async (name: string, ...args: readonly unknown[]): Promise<void> => {
  const sent = (await cloister.getFunction(name)(...args)) as { wait: () => Promise<unknown> }
  await sent.wait()
}
const reportOf = (
  contract = house.contract,
  rpcUrl: string | Transport = node.url,
): Promise<AuditReport> => audit({ rpcUrl, contract, build: false })
const namesOf = ({ checks }: AuditReport, status: string): readonly string[] =>
  checks.filter((check) => check.status === status).map((check) => check.name)
/** A node that says of the transaction that made the house what `change` makes of it. */
function otherMaking(change: (call: Record<string, unknown>) => unknown): Transport {
  const honest = httpTransport(node.url)
  return async (method, params) => {
    const answer = await honest(method, params)
    if (method !== 'eth_getTransactionByHash') return answer
    const call = answer as Record<string, unknown>
    return `${call['input']}`.startsWith(compiled('Cloister').bytecode.slice(0, 4000))
      ? change(call)
      : answer
  }
}

beforeAll(async () => {
  contractsOf()
  node = await startNode()
  provider = new JsonRpcProvider(node.url, 31337, {
    staticNetwork: true,
    cacheTimeout: -1,
    pollingInterval: 50,
  })
  admin = new NonceManager(new Wallet(ADMIN_KEY, provider))
  house = await deploy({
    admin,
    operator: await admin.getAddress(),
    oracle: null,
    verifiers: [],
    feeAccountViewKey: 777n,
    fee: 100n,
    refundDelaySeconds: 172_800n,
  })
  cloister = new Contract(house.contract, compiled('Cloister').abi as InterfaceAbi, admin)
})
afterAll(() => {
  provider.destroy()
  node.process.kill()
})

describe('an audit of how a house was made', () => {
  it('says which constructor ran, with which terms, and that no batch shows anything yet', async () => {
    const report = await reportOf()
    expect([...namesOf(report, 'failed'), ...namesOf(report, 'unread')]).toEqual([])
    expect(namesOf(report, 'held')).toEqual(
      expect.arrayContaining([
        'making of the house',
        'making of its oracle',
        'house of its oracle',
      ]),
    )
    const text = renderReport(report)
    expect(text).toContain('a forced exit is late after 3 days')
    expect(text).toContain('No batch yet')
    expect(text).not.toContain('Every change of every account follows the circuits')
    expect(text).toContain('none posted yet')
  })
  it('fails on a house whose code is right, with a verifier in its storage that no event shows', async () => {
    const path = 'test/contracts/SeededHouse.sol'
    const source = readFileSync(join(PROJECT_ROOT, path), 'utf8')
    const seeded = compileSolidity({ ...projectSources(), [path]: source })['SeededHouse']
    const l1 = await connect(node.url, house.contract)
    const [genesis] = await l1.logs(0, l1.head.number, 'Genesis')
    const call = await l1.transaction(genesis?.transaction ?? '')
    const { abi, bytecode } = compiled('Cloister')
    const rest = argumentsBehind(call?.input ?? '', bytecode)
    const given = constructorArguments(abi, rest ?? '')
    const evil = `0x${'66'.repeat(20)}`
    twin = await make(
      seeded as CompiledContract,
      given?.['configuration'],
      given?.['extension_'],
      evil,
    )
    const view = new Contract(twin, abi as InterfaceAbi, admin)
    expect(await view.getFunction('extension')()).toBe(given?.['extension_'])
    const report = await reportOf(twin)
    expect(namesOf(report, 'held')).toContain('house')
    expect(namesOf(report, 'failed')).toEqual(['making of the house'])
    expect(report.exitCode).toBe(1)
  })
  it('does not call a house good that a contract made, or whose making the node has lost', async () => {
    const forwarded = otherMaking((call) => ({ ...call, to: house.token }))
    const lost = otherMaking(() => null)
    for (const rpc of [forwarded, lost]) {
      const report = await reportOf(house.contract, rpc)
      expect(namesOf(report, 'unread')).toEqual(['making of the house'])
      expect(report.exitCode).toBe(2)
    }
  })
  it('fails on a creation code that differs in one digit, and on arguments that are none', async () => {
    const [other, cut] = [
      otherMaking((call) => ({ ...call, input: flipped(`${call['input']}`, 5_000) })),
      otherMaking((call) => ({ ...call, input: compiled('Cloister').bytecode })),
    ]
    for (const rpc of [other, cut])
      expect(namesOf(await reportOf(house.contract, rpc), 'failed')).toEqual([
        'making of the house',
      ])
  })
  it('fails on a house that was told other terms than its other half keeps', async () => {
    const { length } = compiled('Cloister').bytecode
    const three = (3n * 86_400n).toString(16).padStart(64, '0')
    const rpc = otherMaking((call) => {
      const input = `${call['input']}`
      const given = input
        .slice(length)
        .replace(three, (4n * 86_400n).toString(16).padStart(64, '0'))
      return { ...call, input: input.slice(0, length) + given }
    })
    expect(namesOf(await reportOf(house.contract, rpc), 'failed')).toEqual(['terms'])
  })
  it('fails on code in which one immutable has two values', async () => {
    const { runtime } = compiled('Cloister')
    const places = Object.values(runtime?.immutables ?? {}).find((found) => found.length > 1)
    const [start = 0] = places?.[1] ?? []
    const honest = httpTransport(node.url)
    const rpc: Transport = async (method, params) => {
      const answer = await honest(method, params)
      if (method !== 'eth_getCode') return answer
      const [address = ''] = params as string[]
      return BigInt(address) === BigInt(house.contract)
        ? flipped(`${answer}`, 2 + 2 * start)
        : answer
    }
    expect(namesOf(await reportOf(house.contract, rpc), 'failed')).toEqual(['house'])
  })
  it('fails on an oracle that was made for another house, whose admin is whoever that names', async () => {
    const other = await make(compiled('TableOracle'), twin, await admin.getAddress())
    const role = (await cloister.getFunction('ORACLE')()) as string
    await send('grantRole', role, other)
    expect(namesOf(await reportOf(), 'failed')).toEqual(['house of its oracle'])
    await send('revokeRole', role, other)
    expect((await reportOf()).exitCode).toBe(0)
  })
})

// The last, in this order: nothing undoes a freeze.
describe('an audit says whether the house runs', () => {
  it('what is announced to its lock, once it is sealed', async () => {
    expect(renderReport(await reportOf())).not.toContain('Announced')
    await send('seal')
    const address = (await cloister.getFunction('lock')()) as string
    const lock = new Contract(address, compiled('ChangeLock').abi as InterfaceAbi, admin)
    const data = cloister.interface.encodeFunctionData('setFee', [300_000n])
    const delay = (await lock.getFunction('getMinDelay')()) as bigint
    const none = `0x${'00'.repeat(32)}`
    await lock
      .getFunction('schedule')(house.contract, 0, data, none, none, delay)
      .then((sent: { wait: () => Promise<unknown> }) => sent.wait())
    const report = await reportOf()
    expect(report.exitCode).toBe(0)
    expect(renderReport(report)).toMatch(/Announced: setFee\(fee "300000"\), can be carried out/)
  })
  it('paused, and reduce-only', async () => {
    await send('pause')
    await send('setMode', 1)
    const text = renderReport(await reportOf())
    expect(text).toContain('Paused by the guardian')
    expect(text).toContain('Reduce-only')
    await send('unpause')
    await send('setMode', 0)
    expect(renderReport(await reportOf())).not.toMatch(/Paused|Reduce-only/)
  })
  it('frozen: since when, on what ground, and until when there are claims', async () => {
    await provider.send('evm_increaseTime', [8 * 86_400])
    await provider.send('evm_mine', [])
    await send('freeze', 3, 0)
    const report = await reportOf()
    expect(report.exitCode).toBe(0)
    expect(report.standing.freeze).toMatchObject({ ground: 3 })
    const text = renderReport(report)
    expect(text).toMatch(/!!! FROZEN !!! in block \d+: no batch for too long/)
    expect(text).toContain('cloister exit escape')
  })
  it('and fails where contract and events do not agree on that', async () => {
    const honest = httpTransport(node.url)
    const frozen = cloister.interface.getEvent('Frozen')?.topicHash
    const rpc: Transport = async (method, params) => {
      const answer = await honest(method, params)
      return method === 'eth_getLogs'
        ? (answer as { topics: string[] }[]).filter(({ topics }) => topics[0] !== frozen)
        : answer
    }
    expect(namesOf(await reportOf(house.contract, rpc), 'failed')).toContain('freeze')
  })
})

function flipped(text: string, at: number): string {
  return text.slice(0, at) + (text[at] === '1' ? '2' : '1') + text.slice(at + 1)
}
