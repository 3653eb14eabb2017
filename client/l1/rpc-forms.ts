/** What an RPC node's answers must look like before anything is made of them: a node may say anything. */
import { isRecord } from './codec.ts'
import { ReadError } from './transport.ts'

export type RawBlock = { readonly number: number; readonly hash: string; readonly time: bigint }
export type RawLog = {
  readonly address: string
  readonly topics: readonly string[]
  readonly data: string
  readonly block: number
  readonly index: number
  readonly transaction: string
  readonly isRemoved: boolean
}
export type RawTransaction = {
  readonly to: string | null
  readonly from: string
  readonly input: string
  readonly block: number | null
}

const strange = (method: string, what: string): ReadError =>
  new ReadError(`the RPC node's answer to ${method} has no ${what} in its form: ask another node`)

const isHex = (value: unknown): value is string =>
  typeof value === 'string' && /^0x([0-9a-fA-F]{2})*$/.test(value)
const isBytes = (value: unknown, length: number): value is string =>
  isHex(value) && value.length === 2 + 2 * length

export function quantityOf(value: unknown, method: string, what: string): bigint {
  if (typeof value !== 'string' || !/^0x[0-9a-fA-F]{1,64}$/.test(value)) throw strange(method, what)
  return BigInt(value)
}
function smallOf(value: unknown, method: string, what: string): number {
  const small = Number(quantityOf(value, method, what))
  if (!Number.isSafeInteger(small)) throw strange(method, what)
  return small
}

/** Any bytes, as `eth_call` and `eth_getCode` answer. */
export function bytesOf(value: unknown, method: string): string {
  if (!isHex(value)) throw strange(method, 'bytes')
  return value
}

/** Null if the node has no such block. */
export function blockFrom(value: unknown): RawBlock | null {
  const method = 'eth_getBlockByNumber'
  if (value === null || value === undefined) return null
  if (!isRecord(value)) throw strange(method, 'block')
  const { number, hash, timestamp } = value
  if (!isBytes(hash, 32)) throw strange(method, 'hash')
  const time = quantityOf(timestamp, method, 'timestamp')
  return { number: smallOf(number, method, 'number'), hash, time }
}

export function logsFrom(value: unknown): readonly RawLog[] {
  const method = 'eth_getLogs'
  if (!Array.isArray(value)) throw strange(method, 'list')
  return value.map((log: unknown): RawLog => {
    if (!isRecord(log)) throw strange(method, 'log')
    const { address, topics, data, blockNumber, logIndex, transactionHash, removed } = log
    if (!isBytes(address, 20)) throw strange(method, 'address')
    const isTopics = Array.isArray(topics) && topics.every((topic) => isBytes(topic, 32))
    if (!isTopics || topics.length > 4) throw strange(method, 'topics')
    if (!isHex(data)) throw strange(method, 'data')
    if (!isBytes(transactionHash, 32)) throw strange(method, 'transactionHash')
    return {
      address,
      topics: topics as string[],
      data,
      block: smallOf(blockNumber, method, 'blockNumber'),
      index: smallOf(logIndex, method, 'logIndex'),
      transaction: transactionHash,
      isRemoved: removed === true,
    }
  })
}

/** Null if the node knows none of this hash. */
export function transactionFrom(value: unknown): RawTransaction | null {
  const method = 'eth_getTransactionByHash'
  if (value === null || value === undefined) return null
  if (!isRecord(value)) throw strange(method, 'transaction')
  const { to = null, from, input, blockNumber = null } = value
  if (!isBytes(from, 20) || (to !== null && !isBytes(to, 20))) throw strange(method, 'address')
  if (!isHex(input)) throw strange(method, 'input')
  const block = blockNumber === null ? null : smallOf(blockNumber, method, 'blockNumber')
  return { to, from, input, block }
}
