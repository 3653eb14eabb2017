/** Ports for servers of others, which cannot be told to take any and say which. */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Below those that systems give to whoever connects, or listens on port 0, meanwhile. */
const [FIRST, LAST] = [10_000, 32_000] as const
/**
 * Files run beside each other, each in a process of a place that no other has meanwhile. Each place has
 * ports of its own: one that is found free is nobody else's until its server listens, and after it.
 */
const PLACES = 16
const ROOM = Math.floor((LAST - FIRST) / PLACES)
/** Of this process, so that none is given twice. */
const given = new Set<number>()

/** The first of so many free ones in a row. */
export async function freePort(count = 1): Promise<number> {
  const place = Number(process.env['VITEST_POOL_ID'] ?? 0) % PLACES
  const low = FIRST + place * ROOM
  for (;;) {
    const first = randomInt(low, low + ROOM - count)
    const ports = Array.from({ length: count }, (_, i) => first + i)
    if (ports.some((port) => given.has(port))) continue
    if (!(await Promise.all(ports.map(isFree))).every((free) => free)) continue
    for (const port of ports) given.add(port)
    return first
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
