/** Who decides that a proposed listing is listed: the signers, by the documents that they have. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ethers } from 'ethers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { historyForReport } from '../../oracle/collector/adopting.ts'
import { unboundIn } from '../../oracle/signer/binding.ts'
import { readHistory } from '../../oracle/verify/chain.ts'
import { readInstruments, instrumentsBytes } from '../../oracle/signer/engine.ts'
import { expiryOf } from '../../oracle/signer/engine.ts'
import { specificationHash } from '../../oracle/registry.ts'
import { INSTRUMENTS } from '../../oracle/day-2020-03-12.ts'
import { provider, send } from '../contracts/l1.ts'
import {
  confirmFirst,
  createOracleWorld,
  createReport,
  LISTED,
  post,
  wait,
} from '../contracts/oracle-world.ts'

const [first, ...others] = [...LISTED].reverse()
const OLD = [...others].reverse()
const NEW = instrumentsBytes([INSTRUMENTS[0]!, ...LISTED])
const [OLD_HASH, NEW_HASH] = [instrumentsBytes([INSTRUMENTS[0]!, ...OLD]), NEW].map((bytes) =>
  ethers.keccak256(bytes),
)
const world = await createOracleWorld({ listed: OLD })
const history = async () => readHistory(provider, await world.oracle.getAddress())

/** Signers that say which document they have; the last answers nothing of use. */
const servers: Server[] = []
let say: readonly string[] = []
const peers = async () =>
  Promise.all(
    servers.map(async (server, i) => ({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      address: `${i}`,
    })),
  )
beforeAll(async () => {
  for (let i = 0; i < 5; i++) {
    const server = createServer((_, response) => {
      response.end(say[i] === undefined ? 'null' : JSON.stringify({ instrumentsHash: say[i] }))
    })
    // A connection that is ended while it is asked is a signer that does not answer.
    server.keepAliveTimeout = 0
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    servers.push(server)
  }
})
afterAll(() =>
  servers.forEach((server) => {
    server.closeAllConnections()
    server.close()
  }),
)

test('what is proposed counts for nothing, until a quorum has it configured', async () => {
  await confirmFirst(world, { listed: OLD })
  const before = await history()
  expect(before.proposed).toBeNull()
  expect(await historyForReport(before, await peers(), 3)).toBe(before)
  if (first === undefined) throw new Error('nothing is listed')
  await send(
    world.admin,
    world.oracle,
    'list',
    [
      {
        id: first.id,
        expiry: BigInt(expiryOf(first)),
        specification: specificationHash(first as never),
      },
    ],
    NEW,
  )
  const proposed = await history()
  expect(proposed.listed).toEqual(before.listed)
  expect(proposed.instruments).toBe(before.instruments)
  expect(proposed.expiries.has(first.id)).toBe(false)

  const [old, fresh] = [OLD_HASH!, NEW_HASH!]
  const listedIf = async (hashes: readonly string[]) => {
    say = hashes
    return (await historyForReport(proposed, await peers(), 3)).listed.includes(first.id)
  }
  expect(await listedIf([old, old, old, fresh, fresh])).toBe(false)
  expect(await listedIf([old, fresh, fresh])).toBe(false)
  expect(await listedIf([old, fresh, fresh, fresh])).toBe(true)

  const next = await historyForReport(proposed, await peers(), 3)
  expect([next.instruments, next.proposed]).toEqual([NEW, null])
  expect(next.expiries.get(first.id)).toBe(BigInt(expiryOf(first)))
  expect(
    unboundIn(
      next,
      readInstruments(NEW).filter(({ id }) => id === first.id),
      true,
    ),
  ).toEqual([])

  // The first report over it makes it so, and is itself of all that it lists.
  await wait(1n)
  await post(world, await createReport(world))
  const after = await history()
  expect([after.listed, after.proposed]).toEqual([next.listed, null])
  expect(after.tables.at(-1)?.listed).toEqual(next.listed)
  expect(after.specifications).toEqual(next.specifications)
})
