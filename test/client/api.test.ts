/** What the client does with answers of a house that say nothing of the request itself. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { HouseApi } from '../../client/api.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

const LATE = {
  error: { code: 'RequestMustArriveInTime', detail: 'the request must arrive in time' },
}

type House = { readonly api: HouseApi; readonly asked: () => number }

/** A house that has not heard the first so many requests whole, or cuts them. Counts those that it is sent. */
async function lateHouse(late: number, isCut = false): Promise<House> {
  let asked = 0
  const server = createServer((request, response) => {
    const isLate = ++asked <= late
    if (isLate && isCut) return void request.socket.destroy()
    response.writeHead(isLate ? 408 : 200, { connection: 'close' })
    response.end(JSON.stringify(isLate ? LATE : { instance: 'here' }))
  })
  servers.push(server)
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as AddressInfo
  return { api: new HouseApi(`http://127.0.0.1:${port}`), asked: () => asked }
}

it('sends again what a house that stood still has not heard', async () => {
  const { api, asked } = await lateHouse(2)
  expect(await api.status()).toEqual({ instance: 'here' })
  expect(asked()).toBe(3)
})

it('says so when it is not heard three times', async () => {
  const { api, asked } = await lateHouse(3)
  await expect(api.status()).rejects.toThrow('(408): the request must arrive in time')
  expect(asked()).toBe(3)
})

it('asks again where the connection was cut, three times at most', async () => {
  const { api, asked } = await lateHouse(2, true)
  expect(await api.status()).toEqual({ instance: 'here' })
  expect(asked()).toBe(3)
  const gone = await lateHouse(3, true)
  await expect(gone.api.status()).rejects.toThrow('is it running?')
  expect(gone.asked()).toBe(3)
})
