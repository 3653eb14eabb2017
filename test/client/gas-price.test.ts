/** A node names the price of gas; what it names is not signed whatever it is. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { OwnerL1 } from '../../client/exit/owner.ts'

const GWEI = 1_000_000_000n
const hex = (value: bigint): string => `0x${value.toString(16)}`
const KEY = `0x${'11'.repeat(32)}`
const HOUSE = `0x${'22'.repeat(20)}`

type Asked = { readonly id: number; readonly method: string }

/** The methods that a freeze was asked with, and how it ended, at a node that names this price. */
async function freezeAt(tip: bigint, baseFee: bigint | null, gasPrice = 3n * GWEI) {
  const asked: string[] = []
  const answer = (method: string): unknown => {
    const block = {
      number: '0x5',
      hash: `0x${'33'.repeat(32)}`,
      parentHash: `0x${'34'.repeat(32)}`,
      timestamp: '0x5',
      nonce: '0x0000000000000000',
      difficulty: '0x0',
      gasLimit: '0x1c9c380',
      gasUsed: '0x0',
      miner: HOUSE,
      extraData: '0x',
      transactions: [],
      ...(baseFee === null ? {} : { baseFeePerGas: hex(baseFee) }),
    }
    return {
      eth_chainId: '0x1092',
      eth_blockNumber: '0x5',
      eth_getBlockByNumber: block,
      eth_maxPriorityFeePerGas: hex(tip),
      eth_gasPrice: hex(gasPrice),
      eth_estimateGas: '0x30d40',
      eth_getTransactionCount: '0x0',
    }[method]
  }
  const one = ({ id, method }: Asked): object => {
    asked.push(method)
    const result = answer(method)
    return result === undefined
      ? { jsonrpc: '2.0', id, error: { code: -32000, message: `sent ${method}` } }
      : { jsonrpc: '2.0', id, result }
  }
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => (body += part.toString()))
    request.on('end', () => {
      const all = JSON.parse(body) as Asked | Asked[]
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(Array.isArray(all) ? all.map(one) : one(all)))
    })
  })
  // A connection that is ended while it is asked is a call that fails.
  server.keepAliveTimeout = 0
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const ended = await new OwnerL1(url, HOUSE, KEY)
    .send({ name: 'freeze', args: [3, 0n] })
    .then(() => 'sent')
    .catch((error: unknown) => String(error))
  server.closeAllConnections()
  server.close()
  return { ended, isSent: asked.includes('eth_sendRawTransaction') }
}

it('a tip is signed up to 500 gwei, whatever the base fee is', async () => {
  expect(await freezeAt(500n * GWEI, 9_000n * GWEI)).toMatchObject({ isSent: true })
  const dear = await freezeAt(500n * GWEI + GWEI, 1n)
  expect(dear.isSent).toBe(false)
  expect(dear.ended).toContain('asks 501 gwei')
})

it('where the node says that there is no base fee the same holds of the whole price', async () => {
  expect(await freezeAt(0n, null, 500n * GWEI)).toMatchObject({ isSent: true })
  const dear = await freezeAt(0n, null, 501n * GWEI)
  expect(dear.isSent).toBe(false)
  expect(dear.ended).toContain('asks 501 gwei')
})

describe('on a chain of a cheap coin', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('the limit is what the environment says, as the refusal tells', async () => {
    const refused = await freezeAt(5_000n * GWEI, 1n)
    expect(refused.ended).toContain('CLOISTER_TIP_LIMIT_GWEI')
    vi.stubEnv('CLOISTER_TIP_LIMIT_GWEI', '5000')
    expect(await freezeAt(5_000n * GWEI, 1n)).toMatchObject({ isSent: true })
    expect(await freezeAt(0n, null, 5_000n * GWEI)).toMatchObject({ isSent: true })
    expect(await freezeAt(5_001n * GWEI, 1n)).toMatchObject({ isSent: false })
  })

  it.each(['0', '-1', '1.5', 'none', '0x5'])('a limit of %s is none', async (limit) => {
    vi.stubEnv('CLOISTER_TIP_LIMIT_GWEI', limit)
    const { ended, isSent } = await freezeAt(1n, 1n)
    expect(ended).toContain('CLOISTER_TIP_LIMIT_GWEI must be a whole number of gwei')
    expect(isSent).toBe(false)
  })
})
