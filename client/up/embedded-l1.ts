/**
 * A chain in this process that is there again after every start: Hardhat's, made from its log. Every
 * step has its block's time in the log, so that the blocks are the same to the last bit.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { senderOf } from '../l1/ethers.ts'
import { ChainLog, type Step } from './chain-log.ts'

type Request = { readonly method: string; readonly params?: readonly unknown[] }
export type Provider = { readonly request: (request: Request) => Promise<unknown> }

/** What changes the chain and may be asked for; everything else of the kind is refused. */
const STEPS: readonly string[] = ['eth_sendRawTransaction', 'hardhat_setBalance', 'evm_mine']
/** Of these a chain that must be made again the same knows nothing. */
const REFUSED = /^(eth_send|eth_sign|personal_|evm_|hardhat_|anvil_|debug_|miner_)/
const READ_ANYWAY: readonly string[] = ['hardhat_metadata', 'hardhat_getAutomine']
const INVALID = -32_600

/** As Hardhat's JSON-RPC server expects an error. */
function refusal(message: string): Error {
  return Object.assign(new Error(message), { code: INVALID, _isProviderError: true })
}

export type EmbeddedL1 = {
  readonly provider: Provider
  readonly blocks: number
  readonly steps: number
  readonly tornBytes: number
  readonly close: () => void
}

/** Does all of the log again, and makes a block of now, so that L1's clock goes on with this one. */
export async function openEmbeddedL1(
  path: string,
  now = (): number => Math.floor(Date.now() / 1000),
): Promise<EmbeddedL1> {
  const log = ChainLog.open(path, new Date(now() * 1000))
  const chain = hardhat(log.start)
  const latest = async (): Promise<{ number: number; time: number }> => {
    const block = await chain.request({
      method: 'eth_getBlockByNumber',
      params: ['latest', false],
    })
    const { number, timestamp } = block as { number: string; timestamp: string }
    return { number: Number(number), time: Number(timestamp) }
  }
  const perform = async ({ time, method, params }: Step): Promise<unknown> => {
    if (time !== null) await chain.request({ method: 'evm_setNextBlockTimestamp', params: [time] })
    return chain.request({ method, params })
  }
  // What was answered with an error is so again.
  for (const step of log.steps) await perform(step).catch(() => {})
  const take = async (method: string, params: readonly unknown[]): Promise<unknown> => {
    if (method === 'eth_sendRawTransaction') await requireNext(chain, params[0])
    const makesBlock = method !== 'hardhat_setBalance'
    const time = makesBlock ? Math.max(now(), (await latest()).time + 1) : null
    const step = { time, method, params: method === 'evm_mine' ? [] : params }
    log.append(step)
    return perform(step)
  }
  let turn: Promise<unknown> = Promise.resolve()
  const request = ({ method, params = [] }: Request): Promise<unknown> => {
    if (STEPS.includes(method)) {
      // One after the other: their order is what the log says.
      const done = turn.then(() => take(method, params))
      turn = done.catch(() => {})
      return done
    }
    if (REFUSED.test(method) && !READ_ANYWAY.includes(method))
      return Promise.reject(
        refusal(`${method} is not known to the embedded L1: it takes ${STEPS.join(', ')}`),
      )
    return chain.request({ method, params })
  }
  await request({ method: 'evm_mine' })
  return {
    provider: Object.assign(Object.create(chain) as Provider, { request }),
    blocks: (await latest()).number,
    steps: log.steps.length,
    tornBytes: log.tornBytes,
    close: () => log.close(),
  }
}

/** One that waits in the pool for another would be mined at a moment that the log does not know. */
async function requireNext(chain: Provider, raw: unknown): Promise<void> {
  const sender = typeof raw === 'string' ? senderOf(raw) : null
  if (sender === null) throw refusal('a raw transaction must be one that is signed')
  const count = await chain.request({
    method: 'eth_getTransactionCount',
    params: [sender.from, 'latest'],
  })
  if (sender.nonce > Number(count))
    throw refusal(
      `the nonce must be ${Number(count)}, not ${sender.nonce}: in order, none left out`,
    )
}

function hardhat(start: string): Provider {
  process.env['HARDHAT_CONFIG'] = join(import.meta.dirname, 'hardhat.config.cjs')
  process.env['HARDHAT_DISABLE_TELEMETRY_PROMPT'] = 'true'
  process.env['CLOISTER_L1_START'] = start
  const { network } = createRequire(import.meta.url)('hardhat') as {
    network: { provider: Provider }
  }
  return network.provider
}

/** The provider as a node that other processes reach, by Hardhat's own JSON-RPC server. */
export async function serveL1(provider: Provider, port: number): Promise<{ port: number }> {
  const { JsonRpcServer } = createRequire(import.meta.url)(
    'hardhat/internal/hardhat-network/jsonrpc/server',
  ) as {
    JsonRpcServer: new (config: object) => {
      listen: () => Promise<{ port: number }>
      readonly _httpServer: { keepAliveTimeout: number }
    }
  }
  const server = new JsonRpcServer({ hostname: '127.0.0.1', port, provider })
  // A connection that is ended while it is asked is a call that fails: on a machine that stood still for
  // the usual five seconds both happen at once.
  server._httpServer.keepAliveTimeout = 0
  return server.listen()
}
