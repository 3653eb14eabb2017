/** The chain of this process as a node that other processes reach. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { provider } from '../contracts/l1.ts'

export type RpcNode = { readonly url: string; readonly close: () => void }
type Call = { readonly id: number; readonly method: string; readonly params: unknown[] }

async function answer({ id, method, params }: Call): Promise<object> {
  try {
    return { jsonrpc: '2.0', id, result: (await provider.send(method, params)) as unknown }
  } catch (error) {
    const { data } = ((error as { error?: unknown }).error ?? {}) as { data?: unknown }
    return { jsonrpc: '2.0', id, error: { code: 3, message: String(error), data } }
  }
}

export async function startRpc(): Promise<RpcNode> {
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (part: Buffer) => {
      text += part.toString()
    })
    request.on('end', () => {
      void (async () => {
        const body = JSON.parse(text) as Call | Call[]
        const said = Array.isArray(body) ? await Promise.all(body.map(answer)) : await answer(body)
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify(said))
      })()
    })
  })
  // A connection that is ended while it is asked is a call that fails: none is, however long nobody asked.
  server.keepAliveTimeout = 0
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
