/** JSON-RPC to one node of L1. What it answers is a word of that node, not yet a fact. */
import { behindSockets } from '../../prover/in-time.ts'

/** The node's own refusal; `data` is what a contract reverted with. */
export class RpcError extends Error {
  readonly code: number
  readonly data: string | null
  constructor(code: number, message: string, data: string | null) {
    super(message)
    this.code = code
    this.data = data
  }
}
/** No answer that could be one: silence, a closed door, half a text, the answer to something else. */
export class NoAnswer extends Error {}

/** Sends the text to the address and returns the text that comes back; rejects when `signal` aborts. */
export type Transport = (url: string, body: string, signal: AbortSignal) => Promise<string>
export type L1Node = {
  /** For logs: the host alone, since keys stand in paths and queries of such addresses. */
  readonly name: string
  /** Throws RpcError or NoAnswer. */
  readonly ask: (method: string, params: readonly unknown[]) => Promise<unknown>
}

const ANSWER_BYTES = 1 << 26

const overHttp: Transport = async (url, body, signal) => {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body, signal })
  const text = await textOf(response)
  // Some nodes answer a refusal of the call with a status of their own and the usual body.
  if (!response.ok && !text.trimStart().startsWith('{'))
    throw new NoAnswer(`HTTP status ${response.status}`)
  return text
}

async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length
    if (bytes > ANSWER_BYTES) throw new NoAnswer(`an answer of more than ${ANSWER_BYTES} bytes`)
    text += decoder.decode(chunk as Uint8Array, { stream: true })
  }
  return text + decoder.decode()
}

export function nodeAt(
  url: string,
  {
    timeoutMilliseconds = 5_000,
    transport = overHttp,
  }: { readonly timeoutMilliseconds?: number; readonly transport?: Transport } = {},
): L1Node {
  let count = 0
  const name = new URL(url).host
  const ask = async (method: string, params: readonly unknown[]): Promise<unknown> => {
    const id = ++count
    const body = JSON.stringify({ jsonrpc: '2.0', id, method, params })
    const end = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const silence = new Promise<never>((_, reject) => {
      const giveUp = (): void => {
        end.abort()
        reject(new NoAnswer(`silent for ${timeoutMilliseconds} ms`))
      }
      timer = setTimeout(
        () => (transport === overHttp ? behindSockets(giveUp) : giveUp()),
        timeoutMilliseconds,
      )
    })
    try {
      return parse(await Promise.race([transport(url, body, end.signal), silence]), id)
    } catch (error) {
      if (error instanceof RpcError || error instanceof NoAnswer) throw error
      const cause = (error as { cause?: unknown }).cause
      const why = cause instanceof Error ? cause.message : (error as Error).message
      throw new NoAnswer(why, { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }
  return { name, ask }
}

/** Resolves when the node answers; throws after `seconds`. */
export async function untilAnswering(rpcUrl: string, seconds: number): Promise<void> {
  const end = Date.now() + 1000 * seconds
  const node = nodeAt(rpcUrl)
  for (;;) {
    if ((await node.ask('eth_chainId', []).catch(() => null)) !== null) return
    if (Date.now() > end) throw new Error(`L1: no answer within ${seconds} s`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function parse(text: string, id: number): unknown {
  let answer: { id?: unknown; result?: unknown; error?: unknown }
  try {
    answer = JSON.parse(text) as typeof answer
  } catch {
    throw new NoAnswer(`not JSON, or half of it (${text.length} characters)`)
  }
  if (typeof answer !== 'object' || answer === null || answer.id !== id)
    throw new NoAnswer('the answer to something else')
  if (answer.error !== undefined && answer.error !== null) {
    const { code, message, data } = answer.error as Record<string, unknown>
    throw new RpcError(Number(code), String(message), revertData(data))
  }
  if (answer.result === undefined) throw new NoAnswer('neither a result nor an error')
  return answer.result
}

/** Nodes nest it differently. */
function revertData(data: unknown): string | null {
  if (typeof data === 'string') return /^0x[0-9a-f]*$/i.test(data) ? data : null
  if (typeof data !== 'object' || data === null) return null
  return revertData((data as { data?: unknown }).data)
}
