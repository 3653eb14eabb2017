/** Ports for servers of others, which cannot be told to take any and say which. */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Below those that systems give to whoever connects, or listens on port 0, meanwhile. */
const FIRST = 10_000
/** Files that run side by side draw from rooms of their own: what is free is taken a while later. */
const ROOM = 5_500
const own = FIRST + (Number(process.env['VITEST_POOL_ID'] ?? 0) % 4) * ROOM

/** The first of so many free ones in a row. */
export async function freePort(count = 1): Promise<number> {
  for (;;) {
    const first = randomInt(own, own + ROOM - count)
    const ports = Array.from({ length: count }, (_, i) => first + i)
    if ((await Promise.all(ports.map(isFree))).every((free) => free)) return first
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
