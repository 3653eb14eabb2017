/** Nodes that answer in no form, or without end: an error that says so, and nothing on the terminal. */
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connect, httpTransport, ReadError, type Transport } from '../../client/l1/rpc.ts'
import { scan } from '../../client/l1/scan.ts'
import { FakeNode } from './fake-node.ts'
import { HOME } from './seeded.ts'
import { SyntheticL1 } from './synthetic.ts'

let l1: SyntheticL1
let honest: Transport
let root: bigint
type Log = Record<string, unknown>
/** The name of the shape, "mini", in hex. */
const NAME = Buffer.from('mini').toString('hex')

beforeAll(async () => {
  l1 = new SyntheticL1(HOME)
  const [a, b] = [l1.join(), l1.join()]
  l1.batch({ credits: [l1.deposit(a, 1_000_000_000n), l1.deposit(b, 2_000_000_000n)] })
  l1.house.withdraw(a, 1, 5n)
  l1.batch()
  honest = new FakeNode(HOME, l1.events).transport
  root = (await scan(await connect(honest, HOME.contract))).rebuilt.root
})

/** The honest node but for the answer to one method. */
const lying =
  (method: string, lie: (result: never) => unknown): Transport =>
  async (asked, params) => {
    const result = structuredClone(await honest(asked, params))
    return asked === method ? lie(result as never) : result
  }
const read = async (node: Transport) => scan(await connect(node, HOME.contract))
const logs = (change: (log: Log, all: Log[]) => unknown) =>
  lying('eth_getLogs', (all: Log[]) => {
    const log = all[3]
    const given = log === undefined ? undefined : change(log, all)
    return given === undefined ? all : given
  })

describe('an answer in no form', () => {
  it.each<readonly [string, Transport]>([
    ['chain id', lying('eth_chainId', () => 'abc')],
    ['no chain id', lying('eth_chainId', () => null)],
    ['chain id without digits', lying('eth_chainId', () => '0x')],
    ['chain id as a number', lying('eth_chainId', () => 1)],
    ['block', lying('eth_getBlockByNumber', () => 'x')],
    ['block number', lying('eth_getBlockByNumber', (b: object) => ({ ...b, number: 'x' }))],
    [
      'block number of 2^64',
      lying('eth_getBlockByNumber', (b: object) => ({ ...b, number: `0x1${'0'.repeat(16)}` })),
    ],
    ['block hash', lying('eth_getBlockByNumber', (b: object) => ({ ...b, hash: '0x12' }))],
    ['block time', lying('eth_getBlockByNumber', (b: object) => ({ ...b, timestamp: null }))],
    ['logs as a record', lying('eth_getLogs', () => ({}))],
    ['no logs', lying('eth_getLogs', () => null)],
    ['a log that is none', logs((_log, all) => all.map((one, i) => (i === 3 ? null : one)))],
    ['a log without topics', logs((log) => void (log['topics'] = null))],
    ['short topics', logs((log) => void (log['topics'] = ['0x12']))],
    ['no address', logs((log) => void (log['address'] = null))],
    ['no index', logs((log) => void delete log['logIndex'])],
    ['a negative index', logs((log) => void (log['logIndex'] = '-0x1'))],
    ['odd data', logs((log) => void (log['data'] = '0x1'))],
    ['no transaction', logs((log) => void (log['transactionHash'] = 7))],
    ['a call as null', lying('eth_call', () => null)],
    ['a short call', lying('eth_call', () => '0x1234')],
  ])('%s is said to be one', async (_what, node) => {
    const error = await read(node).then(
      () => null,
      (failed: unknown) => failed,
    )
    expect(error).toBeInstanceOf(ReadError)
    expect((error as Error).message).toMatch(/RPC node|cut short/)
  })

  it('of logs that are cut short, each of them: an error, or no log of ours', async () => {
    const count = ((await honest('eth_getLogs', [everything()])) as Log[]).length
    expect(count).toBeGreaterThan(6)
    for (let i = 0; i < count; i++) {
      const node = lying('eth_getLogs', (all: Log[]) =>
        all.map((log, at) => {
          const data = String(log['data'])
          return at === i ? { ...log, data: data.slice(0, Math.max(2, data.length - 64)) } : log
        }),
      )
      const found = await read(node).catch((failed: unknown) => failed)
      if (found instanceof Error) expect(found, `log ${i}`).toBeInstanceOf(ReadError)
      // An event whose words are all topics loses nothing.
      else expect((found as Awaited<ReturnType<typeof read>>).rebuilt.root).toBe(root)
    }
  })
  it('of a shape whose name is no text is read all the same: L1 takes any bytes for a name', async () => {
    const all = (await honest('eth_getLogs', [everything()])) as Log[]
    const at = all.findIndex(({ data }) => String(data).includes(NAME))
    const node = lying('eth_getLogs', (given: Log[]) =>
      given.map((log, i) =>
        i === at ? { ...log, data: String(log['data']).replace(NAME, 'ff80c32e') } : log,
      ),
    )
    const found = await read(node)
    expect(found.rebuilt.root).toBe(root)
    expect([...found.rebuilt.shapes.values()].map(({ name }) => name)).toEqual([
      '\ufffd\ufffd\ufffd.',
    ])
  })
  it('of a shape with an id that no contract gives is an error, and no crash', async () => {
    const id = (1n << 60n).toString(16).padStart(64, '0')
    const node = lying('eth_getLogs', (given: Log[]) =>
      given.map((log) =>
        String(log['data']).includes(NAME)
          ? { ...log, topics: [(log['topics'] as string[])[0], `0x${id}`] }
          : log,
      ),
    )
    await expect(read(node)).rejects.toThrow(ReadError)
  })
  it('of an event without a topic is none of ours', async () => {
    const all = (await honest('eth_getLogs', [everything()])) as Log[]
    const extra = { ...all[0], topics: [], data: '0x' }
    const node = lying('eth_getLogs', (given: Log[]) => [...given, extra])
    expect((await read(node)).rebuilt.root).toBe(root)
  })
})

const everything = () => ({ address: HOME.contract, fromBlock: '0x0', toBlock: '0xfff' })

describe('over HTTP', () => {
  let server: Server
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })
  const answering = async (
    answer: (response: ServerResponse) => void,
    most?: number,
  ): Promise<Transport> => {
    server = createServer((_request, response) => answer(response))
    // A connection that is ended while it is asked is a call that fails.
    server.keepAliveTimeout = 0
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    return httpTransport(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, most)
  }
  it('a refusal is one line without control characters, however it is written', async () => {
    const evil = `no\n\u001b[31mWITHDRAW NOW\u0007\u202e ${'x'.repeat(5_000)}`
    const node = await answering((r) =>
      r.end(JSON.stringify({ error: { code: 1, message: evil } })),
    )
    const error = (await node('eth_call', []).catch((failed: unknown) => failed)) as Error
    expect(error.message).toMatch(/^127\.0\.0\.1:\d+ refused eth_call: no \[31mWITHDRAW NOW/)
    expect(error.message).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(error.message.length).toBeLessThan(400)
  })
  it.each(['[]', '"x"', '7', 'null', '{', '[['.repeat(50_000)])(
    'what is no answer is not taken for one: %.20s',
    async (text) => {
      const node = await answering((r) => r.end(text))
      await expect(node('eth_getLogs', [])).rejects.toThrow('broke off or is no JSON')
    },
  )
  it('an error that is a text is one', async () => {
    const node = await answering((r) => r.end('{"error":"go away"}'))
    await expect(node('eth_call', [])).rejects.toThrow('refused eth_call: go away')
  })
  it('an answer without end is read no further', async () => {
    let sent = 0
    const part = Buffer.alloc(1 << 20, 'a')
    const node = await answering((r) => {
      r.write('{"result":"')
      const more = (): void => {
        while (!r.destroyed && sent < 4e9) {
          sent += part.length
          if (!r.write(part)) return void r.once('drain', more)
        }
      }
      more()
    }, 4e6)
    await expect(node('eth_getLogs', [])).rejects.toThrow('the answer is too long')
    // Twice asked, each time more than is taken by what is on its way: far from all of it.
    expect(sent).toBeLessThan(1e9)
  })
})
