/** The chain of this process over HTTP, for what speaks to a node: errors keep the contract's own data. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { provider } from '../contracts/l1.ts'

type Call = { readonly id: number; readonly method: string; readonly params: unknown[] }

async function answer({ id, method, params }: Call) {
  const head = { jsonrpc: '2.0', id }
  try {
    return { ...head, result: (await provider.send(method, params)) as unknown }
  } catch (error) {
    const { info, error: own } = error as { info?: { error?: object }; error?: object }
    const { data, message } = (own ?? info?.error ?? {}) as { data?: unknown; message?: string }
    return { ...head, error: { code: -32603, message: message ?? String(error), data } }
  }
}

export async function bridgeL1(): Promise<{ readonly url: string; readonly close: () => void }> {
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const asked = JSON.parse(Buffer.concat(pieces).toString()) as Call | Call[]
      const answers = Array.isArray(asked) ? Promise.all(asked.map(answer)) : answer(asked)
      void answers.then((given: unknown) => response.end(JSON.stringify(given)))
    })
  })
  // A connection that is ended while it is asked is a call that fails.
  server.keepAliveTimeout = 0
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
