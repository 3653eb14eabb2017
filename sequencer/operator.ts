/**
 * The operator's own port: metrics, whether the process is alive, and whether it is ready and if not
 * why. Apart from the members' port, and on this machine only unless the operator says otherwise.
 */
import { createServer, type Server } from 'node:http'
import type { Metrics } from './metrics.ts'

/** Why the house cannot serve right now, a sentence each; none: it is ready. */
export type Reasons = () => readonly string[]

/**
 * Longer than there is between two scrapes, a minute at most in use: a connection that ends while it is
 * being asked over is a gap in what is watched, or a false alarm.
 */
const KEEP_ALIVE_MILLISECONDS = 75_000

export type OperatorPort = { readonly port: number; readonly close: () => Promise<void> }

/** Rejects with a sentence when the port is taken. */
export async function serveOperator(
  metrics: Metrics,
  reasons: Reasons,
  { port, host }: { readonly port: number; readonly host: string },
): Promise<OperatorPort> {
  const server = createServer((request, response) => {
    const send = (code: number, type: string, body: string): void => {
      response.writeHead(code, { 'content-type': type, 'cache-control': 'no-store' }).end(body)
    }
    const json = (code: number, body: object): void =>
      send(code, 'application/json', `${JSON.stringify(body)}\n`)
    if (request.method !== 'GET') return json(405, { error: 'only GET is answered' })
    switch (request.url?.split('?')[0]) {
      case '/health':
        return json(200, { alive: true })
      case '/ready': {
        const why = reasons()
        return json(why.length === 0 ? 200 : 503, { ready: why.length === 0, reasons: why })
      }
      case '/metrics': {
        const { registry } = metrics
        registry.metrics().then(
          (text) => send(200, registry.contentType, text),
          () => json(500, { error: 'the metrics could not be collected' }),
        )
        return
      }
      default:
        return json(404, { error: 'there are /metrics, /health and /ready' })
    }
  })
  server.requestTimeout = 5_000
  server.keepAliveTimeout = KEEP_ALIVE_MILLISECONDS
  await listen(server, port, host)
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`operatorPort ${port} must be free: another process listens there`)
          : error,
      ),
    )
    server.listen(port, host, resolve)
  })
}
