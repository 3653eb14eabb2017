/** JSON-RPC over HTTP: asks, waits, asks again, and tells apart what failed and what was refused. */

export type Transport = (method: string, params: readonly unknown[]) => Promise<unknown>

/** What could not be read, as opposed to what was read and is wrong. */
export class ReadError extends Error {}
/** The node was reached and said no: asking for less may help, asking again does not. */
export class RefusedError extends ReadError {}
/** The node did not get done in time, or broke off: asking for less may help. */
export class OverloadedError extends ReadError {}

const TIMEOUT_MS = 30_000
const ATTEMPT_COUNT = 4
/** Of an answer; 10,000 blocks full of batches are less. What is longer is asked for by parts. */
const ANSWER_BYTES = 128 * 1024 * 1024
const TOO_LONG = Symbol('too long')
const MESSAGE_LENGTH = 300

/**
 * JSON-RPC over HTTP. Errors name the host only: the rest of an RPC address often is a key.
 * @param most Bytes of an answer; a test has less to wait for.
 */
export function httpTransport(rpcUrl: string, most = ANSWER_BYTES): Transport {
  const { host } = parseUrl(rpcUrl)
  let id = 0
  const attempt = async (
    method: string,
    params: readonly unknown[],
  ): Promise<{ value: unknown } | { retry: string; isTooMuch?: boolean }> => {
    let response: Response
    try {
      response = await fetch(rpcUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        signal: AbortSignal.timeout(TIMEOUT_MS),
        body: JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params }),
      })
    } catch (error) {
      return error instanceof Error && error.name === 'TimeoutError'
        ? { retry: 'no answer in time', isTooMuch: true }
        : { retry: 'no connection' }
    }
    if (response.status === 429) return { retry: `HTTP ${response.status}` }
    if (response.status === 413 || response.status >= 500)
      return { retry: `HTTP ${response.status}`, isTooMuch: true }
    const text = await textOf(response, most).catch(() => null)
    if (text === TOO_LONG) return { retry: 'the answer is too long', isTooMuch: true }
    const body = bodyOf(text)
    if (body === null && response.ok)
      return { retry: 'the answer broke off or is no JSON', isTooMuch: true }
    if (body === null)
      throw new ReadError(`${host} answered ${method} with HTTP ${response.status} and no JSON`)
    if (body.error !== undefined) {
      const { code } = body.error
      const message = plain(body.error.message)
      if (code === 429 || /too many requests|rate limit/i.test(message)) return { retry: message }
      const doubt = body.isStrange === true ? ' (is this the address of an L1 node?)' : ''
      throw new RefusedError(`${host} refused ${method}: ${message}${doubt}`)
    }
    return { value: body.result }
  }
  return async (method, params) => {
    let problem = ''
    let isTooMuch = false
    for (let i = 0; i < ATTEMPT_COUNT; i++) {
      if (i > 0) await new Promise((wake) => setTimeout(wake, 150 * 3 ** (i - 1)))
      const answer = await attempt(method, params)
      if ('value' in answer) return answer.value
      problem = answer.retry
      isTooMuch = answer.isTooMuch === true
      // Asking for fewer logs is better than waiting again for as many.
      if (isTooMuch && method === 'eth_getLogs' && i > 0) break
    }
    const text = `${host} could not be read: ${problem} (${method})`
    throw isTooMuch ? new OverloadedError(text) : new ReadError(text)
  }
}

type Body = {
  readonly result?: unknown
  readonly error?: { code?: number; message?: unknown }
  /** Nothing in it is of JSON-RPC: another service, such as a house, answers there. */
  readonly isStrange?: boolean
}

/** Null for what is no JSON, and for JSON that is no answer. */
function bodyOf(text: string | null): Body | null {
  try {
    const body = JSON.parse(text ?? '') as unknown
    const isBody = typeof body === 'object' && body !== null && !Array.isArray(body)
    if (!isBody) return null
    const { error, ...rest } = body as Body & { readonly error?: unknown }
    const hasCode = typeof (error as { code?: unknown } | null | undefined)?.code === 'number'
    const isStrange = !hasCode && !['jsonrpc', 'id', 'result'].some((name) => name in body)
    if (error === undefined || error === null) return rest
    return { error: typeof error === 'object' ? error : { message: error }, isStrange }
  } catch {
    return null
  }
}

/** TOO_LONG where it is, read no further: the node decides how much it sends, and this process holds it. */
async function textOf(response: Response, most: number): Promise<string | typeof TOO_LONG> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    parts.push(part as Uint8Array)
    length += (part as Uint8Array).length
    // Leaving the loop ends the connection.
    if (length > most) return TOO_LONG
  }
  return Buffer.concat(parts).toString('utf8')
}

/** A node's own words, as they may be shown on a terminal: one line, no control characters. */
function plain(message: unknown): string {
  if (typeof message !== 'string' || message === '') return 'no reason given'
  return message.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').slice(0, MESSAGE_LENGTH)
}

function parseUrl(rpcUrl: string): URL {
  const url = URL.canParse(rpcUrl) ? new URL(rpcUrl) : null
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new ReadError('the RPC address must be an http or https URL')
  return url
}
