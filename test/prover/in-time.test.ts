/** What counts as late: a silent host, not a thread that was held up itself. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, it } from 'vitest'
import { inTime } from '../../prover/in-time.ts'

/** On a thread of its own: it answers whatever this one does, except to "hush". */
const ECHO = `
const { createServer } = require('node:net')
const { parentPort } = require('node:worker_threads')
createServer((socket) => {
  socket.on('error', () => {})
  socket.on('data', (data) => String(data) === 'hush' || socket.write(data))
}).listen(0, '127.0.0.1', function () { parentPort.postMessage(this.address().port) })`

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function opened(): Promise<Socket> {
  const worker = new Worker(ECHO, { eval: true })
  closing.push(() => worker.terminate())
  const [port] = (await once(worker, 'message')) as [number]
  const socket = connect(port, '127.0.0.1')
  closing.push(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}
const answerOf = async (socket: Socket): Promise<string> =>
  String(((await once(socket, 'data')) as [Buffer])[0])
const standStill = (milliseconds: number): unknown =>
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
const late = (): Error => new Error('late')
const LIMIT = 2_000

it('an answer that came while this thread stood still counts', async () => {
  const socket = await opened()
  socket.write('asked')
  const answer = inTime(answerOf(socket), LIMIT, late)
  standStill(LIMIT + 500)
  expect(await answer).toBe('asked')
})

it('so does one whose question did not leave before this thread stood still', async () => {
  const socket = await opened()
  const answer = inTime(answerOf(socket), LIMIT, late)
  // As a driver does that gathers what it writes until the end of the turn.
  setImmediate(() => socket.write('asked'))
  setTimeout(() => standStill(LIMIT + 500), 0)
  standStill(LIMIT + 500)
  expect(await answer).toBe('asked')
})

it('silence is late, once, after its time', async () => {
  const socket = await opened()
  socket.write('hush')
  const started = performance.now()
  let times = 0
  const asked = inTime(answerOf(socket), 200, () => {
    times++
    return late()
  })
  await expect(asked).rejects.toThrow('late')
  // The clock of timers is cut to whole milliseconds.
  expect(performance.now() - started).toBeGreaterThan(180)
  expect(times).toBe(1)
})

it('what fails in time fails as it is', async () => {
  await expect(inTime(Promise.reject(new Error('refused')), 600_000, late)).rejects.toThrow(
    'refused',
  )
})
