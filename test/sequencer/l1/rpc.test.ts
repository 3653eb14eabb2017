/** One node over HTTP: what is silence, and what is only a thread that was held up. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, it, vi } from 'vitest'
import { NoAnswer, nodeAt } from '../../../sequencer/l1/rpc.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const close of closing.splice(0)) await close()
})

/** What the two threads tell each other: questions heard, questions that may be answered, answers given. */
const [HEARD, MAY, GIVEN] = [0, 1, 2] as const
/** A node on a thread of its own, which answers when it may, whatever this one does. */
const NODE = `
const { createServer } = require('node:http')
const { parentPort, workerData: flags } = require('node:worker_threads')
createServer((request, response) => {
  let body = ''
  request.on('data', (part) => (body += part))
  request.on('end', () => {
    const count = Atomics.add(flags, ${HEARD}, 1)
    Atomics.wait(flags, ${MAY}, count)
    response.on('finish', () => {
      Atomics.add(flags, ${GIVEN}, 1)
      Atomics.notify(flags, ${GIVEN})
    })
    response.end(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(body).id, result: '0x7a69' }))
  })
}).listen(0, '127.0.0.1', function () { parentPort.postMessage(this.address().port) })`

it('an answer that came while this thread was held up counts', async () => {
  const flags = new Int32Array(new SharedArrayBuffer(12))
  const worker = new Worker(NODE, { eval: true, workerData: flags })
  closing.push(() => worker.terminate())
  const port = await new Promise((resolve) => worker.once('message', resolve))
  const { ask } = nodeAt(`http://127.0.0.1:${port}`, { timeoutMilliseconds: 5_000 })
  // However long it takes until the question is heard: its time ends when this test says so.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const answer = ask('eth_chainId', [])
  // In the turn of the loop behind which timers come, and sockets only then.
  while (Atomics.load(flags, HEARD) < 1) await new Promise((resolve) => setImmediate(resolve))
  Atomics.add(flags, MAY, 1)
  Atomics.notify(flags, MAY)
  // From here to the end of its time this thread does nothing else.
  expect(Atomics.wait(flags, GIVEN, 0, 300_000)).not.toBe('timed-out')
  // What was given to the kernel over there is here a moment later.
  Atomics.wait(flags, HEARD, 1, 200)
  vi.advanceTimersByTime(5_100)
  expect(await answer).toBe('0x7a69')
})

it('silence is told after its time', async () => {
  const server = createServer(() => {})
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const asked = nodeAt(`http://127.0.0.1:${port}`, { timeoutMilliseconds: 50 }).ask('x', [])
  await expect(asked).rejects.toThrow(NoAnswer)
  await expect(asked).rejects.toThrow('silent for 50 ms')
})
