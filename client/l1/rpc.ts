/**
 * The reading room's door to L1: JSON-RPC, and ethers for the ABI. Everything is read at one block.
 */
import { Interface, getAddress, type LogDescription } from 'ethers'
import { CLOISTER_ABI, ERC20_ABI, VERIFIER_ABI } from './abi.ts'

const cloister = new Interface(CLOISTER_ABI)
const verifier = new Interface(VERIFIER_ABI)
const erc20 = new Interface(ERC20_ABI)

export type Transport = (method: string, params: readonly unknown[]) => Promise<unknown>
export type Block = { readonly number: number; readonly hash: string; readonly time: bigint }
export type DecodedLog = {
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
  readonly block: number
  readonly index: number
  readonly transaction: string
}
export type Call = {
  readonly to: string | null
  readonly from: string
  readonly input: string
  readonly block: number | null
}
export type ProofWords = readonly bigint[]
export type SubmittedBatch = {
  readonly shapeId: bigint
  readonly newRoot: bigint
  readonly commitment: bigint
  /** a, b, c in the order of snarkjs' calldata: eight words. */
  readonly proof: ProofWords
}

/** L1 as it stood at block `head`; what is mined meanwhile cannot make two answers disagree. */
export type L1 = {
  readonly contract: string
  readonly chainId: bigint
  readonly head: Block
  readonly logs: (fromBlock: number, toBlock: number) => Promise<readonly DecodedLog[]>
  readonly view: (name: string, args?: readonly unknown[]) => Promise<readonly unknown[]>
  readonly code: (address: string) => Promise<string>
  readonly balanceOf: (token: string, holder: string) => Promise<bigint>
  readonly verifyProof: (
    address: string,
    proof: ProofWords,
    input: readonly bigint[],
  ) => Promise<boolean>
  readonly transaction: (hash: string) => Promise<Call | null>
  /** False if the block that everything was read at is no longer part of the chain. */
  readonly isHeadStillCanonical: () => Promise<boolean>
}

/** What could not be read, as opposed to what was read and is wrong. */
export class ReadError extends Error {}
/** The node was reached and said no: asking for less may help, asking again does not. */
class RefusedError extends ReadError {}

const TIMEOUT_MS = 30_000
const ATTEMPT_COUNT = 4

/** JSON-RPC over HTTP. Errors name the host only: the rest of an RPC address often is a key. */
export function httpTransport(rpcUrl: string): Transport {
  const { host } = parseUrl(rpcUrl)
  let id = 0
  const attempt = async (
    method: string,
    params: readonly unknown[],
  ): Promise<{ value: unknown } | { retry: string }> => {
    let response: Response
    try {
      response = await fetch(rpcUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        signal: AbortSignal.timeout(TIMEOUT_MS),
        body: JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params }),
      })
    } catch (error) {
      return {
        retry:
          error instanceof Error && error.name === 'TimeoutError'
            ? 'no answer in time'
            : 'no connection',
      }
    }
    if (response.status === 429 || response.status >= 500)
      return { retry: `HTTP ${response.status}` }
    const body = (await response.json().catch(() => null)) as {
      result?: unknown
      error?: { message?: string }
    } | null
    if (body === null)
      throw new ReadError(`${host} answered ${method} with HTTP ${response.status} and no JSON`)
    if (body.error !== undefined)
      throw new RefusedError(
        `${host} refused ${method}: ${body.error.message ?? 'no reason given'}`,
      )
    return { value: body.result }
  }
  return async (method, params) => {
    let problem = ''
    for (let i = 0; i < ATTEMPT_COUNT; i++) {
      if (i > 0) await new Promise((wake) => setTimeout(wake, 150 * 3 ** (i - 1)))
      const answer = await attempt(method, params)
      if ('value' in answer) return answer.value
      problem = answer.retry
    }
    throw new ReadError(
      `${host} could not be read: ${problem} (${method}, ${ATTEMPT_COUNT} attempts)`,
    )
  }
}

function parseUrl(rpcUrl: string): URL {
  const url = URL.canParse(rpcUrl) ? new URL(rpcUrl) : null
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new ReadError('the RPC address must be an http or https URL')
  return url
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`

/** Connects and fixes the block at which everything will be read, the latest unless named. */
export async function connect(
  rpc: string | Transport,
  contract: string,
  atBlock?: number,
): Promise<L1> {
  const send = typeof rpc === 'string' ? httpTransport(rpc) : rpc
  const address = addressOf(contract)
  const chainId = BigInt((await send('eth_chainId', [])) as string)
  const head = await blockOf(send, atBlock === undefined ? 'latest' : hex(atBlock))
  const tag = hex(head.number)
  const call = async (
    abi: Interface,
    to: string,
    name: string,
    args: readonly unknown[],
  ): Promise<readonly unknown[]> => {
    const data = abi.encodeFunctionData(name, args)
    const result = (await send('eth_call', [{ to, data }, tag])) as string
    if (result === '0x')
      throw new ReadError(
        `there is no ${name}() at ${to} on chain ${chainId} at block ${head.number}`,
      )
    return abi.decodeFunctionResult(name, result).toArray()
  }
  return {
    contract: address,
    chainId,
    head,
    logs: (fromBlock, toBlock) => readLogs(send, address, fromBlock, toBlock),
    view: (name, args = []) => call(cloister, address, name, args),
    code: async (at) => (await send('eth_getCode', [at, tag])) as string,
    balanceOf: async (token, holder) =>
      (await call(erc20, token, 'balanceOf', [holder]))[0] as bigint,
    verifyProof: async (at, p, input) =>
      (
        await call(verifier, at, 'verifyProof', [
          [p[0], p[1]],
          [
            [p[2], p[3]],
            [p[4], p[5]],
          ],
          [p[6], p[7]],
          input,
        ])
      )[0] as boolean,
    transaction: async (hash) => {
      const found = (await send('eth_getTransactionByHash', [hash])) as {
        to: string | null
        from: string
        input: string
        blockNumber: string | null
      } | null
      if (found === null) return null
      const block = found.blockNumber === null ? null : Number(found.blockNumber)
      return {
        to: found.to === null ? null : getAddress(found.to),
        from: getAddress(found.from),
        input: found.input,
        block,
      }
    },
    isHeadStillCanonical: async () => (await blockOf(send, tag)).hash === head.hash,
  }
}

async function blockOf(send: Transport, tag: string): Promise<Block> {
  const found = (await send('eth_getBlockByNumber', [tag, false])) as {
    number: string
    hash: string
    timestamp: string
  } | null
  if (found === null) throw new ReadError(`the RPC node has no block ${tag}`)
  return { number: Number(found.number), hash: found.hash, time: BigInt(found.timestamp) }
}

/**
 * Halves a range that the node finds too large. Logs of other ABIs are not ours and are skipped.
 */
async function readLogs(
  send: Transport,
  address: string,
  from: number,
  to: number,
): Promise<readonly DecodedLog[]> {
  type Raw = {
    topics: string[]
    data: string
    blockNumber: string
    logIndex: string
    transactionHash: string
  }
  let raw: Raw[]
  try {
    raw = (await send('eth_getLogs', [
      { address, fromBlock: hex(from), toBlock: hex(to) },
    ])) as Raw[]
  } catch (error) {
    if (from === to || !(error instanceof RefusedError)) throw error
    const middle = Math.floor((from + to) / 2)
    return [
      ...(await readLogs(send, address, from, middle)),
      ...(await readLogs(send, address, middle + 1, to)),
    ]
  }
  const decoded = raw.flatMap(
    ({ topics, data, blockNumber, logIndex, transactionHash }): DecodedLog[] => {
      const parsed = cloister.parseLog({ topics, data })
      return parsed === null
        ? []
        : [
            {
              name: parsed.name,
              args: argsOf(parsed),
              block: Number(blockNumber),
              index: Number(logIndex),
              transaction: transactionHash,
            },
          ]
    },
  )
  return decoded.sort((a, b) => a.block - b.block || a.index - b.index)
}

/**
 * By the names of the ABI; ethers' own Result hides a field called `values` behind Array's method.
 */
function argsOf(parsed: LogDescription): Readonly<Record<string, unknown>> {
  const values: readonly unknown[] = parsed.args.toArray()
  return Object.fromEntries(parsed.fragment.inputs.map((input, i) => [input.name, values[i]]))
}

export function addressOf(text: string): string {
  try {
    return getAddress(text)
  } catch {
    throw new ReadError(`${text} is not an Ethereum address`)
  }
}

/**
 * Every submitBatch call that the calldata of a transaction contains: the whole of a direct call,
 * or what a multisig forwards. The caller tells by the proof which of them is meant.
 */
export function submissionsIn(input: string): readonly SubmittedBatch[] {
  const selector = cloister.getFunction('submitBatch')?.selector.slice(2) ?? ''
  const found: SubmittedBatch[] = []
  for (let at = input.indexOf(selector, 2); at >= 0; at = input.indexOf(selector, at + 1)) {
    if (at % 2 !== 0) continue
    try {
      const args = cloister.decodeFunctionData('submitBatch', `0x${input.slice(at)}`)
      const header = args[0] as readonly bigint[]
      found.push({
        shapeId: header[0] as bigint,
        newRoot: header[2] as bigint,
        commitment: args['commitment'] as bigint,
        proof: [...(args['proof'] as readonly bigint[])],
      })
    } catch {
      // Four bytes that only look like the selector.
    }
  }
  return found
}
