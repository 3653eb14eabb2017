/**
 * L1 as enough of its nodes agree on it. Everything is asked at a block that is named by its hash, so
 * that answers of different moments, or of different forks, never mix.
 */
import { NoAgreement, type Pool } from './pool.ts'

export type Place = { readonly number: number; readonly hash: string }
/** Wei a gas, and seconds. */
export type Block = Place & { readonly baseFee: string; readonly time: string }
export type Log = {
  readonly topics: readonly string[]
  readonly data: string
  readonly blockNumber: number
  readonly index: number
}
export type Receipt = {
  readonly hash: string
  readonly block: number
  readonly isGood: boolean
  readonly gasUsed: string
}

/** Blocks asked for at once: public nodes refuse more than some thousands. */
const SPAN_BLOCKS = 2_000
/** Nodes refuse answers of ten thousand events or so, or take longer for them than they are waited for. */
const MANY_LOGS = 4_000
const FEW_LOGS = 1_000
const HASH = /^0x[0-9a-f]{64}$/i
const HEX = /^0x[0-9a-f]*$/i

const hex = (number: number): string => `0x${number.toString(16)}`
function must<T>(value: T, isRight: boolean, what: string): T {
  if (!isRight) throw new Error(what)
  return value
}
const textOf = (value: unknown, pattern: RegExp, what: string): string =>
  must(String(value).toLowerCase(), typeof value === 'string' && pattern.test(value), what)

export class Chain {
  readonly pool: Pool
  /** A block counts when there are so many from it on, itself included: 1 is the head. */
  readonly confirmations: number
  /** Blocks that the next question for events is about. */
  private span = SPAN_BLOCKS

  constructor(pool: Pool, confirmations: number) {
    if (!Number.isInteger(confirmations) || confirmations < 0)
      throw new Error(`confirmations must be a whole number, not ${confirmations}`)
    this.pool = pool
    this.confirmations = Math.max(confirmations, 1)
  }

  block(number: number): Promise<Block> {
    return this.pool.agreed('eth_getBlockByNumber', [hex(number), false], (value) => {
      const { hash, number: found, timestamp, baseFeePerGas } = value as Record<string, unknown>
      must(null, Number(found) === number, `not block ${number}`)
      return {
        number,
        hash: textOf(hash, HASH, 'no block hash'),
        baseFee: textOf(baseFeePerGas ?? '0x0', HEX, 'no base fee'),
        time: textOf(timestamp, HEX, 'no time'),
      }
    })
  }

  async head(): Promise<Block> {
    return this.block(await this.pool.height())
  }

  /** The youngest block that counts, or null on a chain that is shorter. */
  async deep(): Promise<Block | null> {
    const number = (await this.pool.height()) - this.confirmations + 1
    return number < 0 ? null : this.block(number)
  }

  /** Throws RpcError with the contract's own words. */
  call(
    request: { readonly to: string; readonly data: string; readonly from?: string },
    at: Place,
  ): Promise<string> {
    const block = { blockHash: at.hash }
    return this.pool.agreed('eth_call', [request, block], (v) => textOf(v, HEX, 'no data'))
  }

  /** Transactions of an account up to a block: the nonce of its next one. */
  async count(account: string, at: Place): Promise<number> {
    const params = [account, { blockHash: at.hash }]
    return Number(
      await this.pool.agreed('eth_getTransactionCount', params, (v) => textOf(v, HEX, 'no count')),
    )
  }

  /**
   * Events in their order, from a block on and up to `last`: as far as nodes are asked at once. Where they
   * give no answer the next question is about half as many blocks, down to one: what anybody has put into
   * a few blocks may be more than a node gives in one answer.
   */
  async logs(
    address: string,
    from: number,
    to: number,
  ): Promise<{ readonly logs: readonly Log[]; readonly last: number }> {
    const last = Math.min(from + this.span - 1, to)
    const filter = { address, fromBlock: hex(from), toBlock: hex(last) }
    try {
      const logs = await this.pool.agreed('eth_getLogs', [filter], (value) =>
        (value as readonly unknown[])
          .map((log) => logOf(log, address, from, last))
          .sort((a, b) => a.blockNumber - b.blockNumber || a.index - b.index),
      )
      if (logs.length > MANY_LOGS) this.narrow()
      else if (logs.length < FEW_LOGS) this.span = Math.min(2 * this.span, SPAN_BLOCKS)
      return { logs, last }
    } catch (error) {
      this.narrow()
      throw error
    }
  }

  private narrow(): void {
    this.span = Math.max(1, Math.floor(this.span / 2))
  }

  /** Null while no block has it, as far as enough nodes say. */
  async receipt(hash: string): Promise<Receipt | null> {
    try {
      return await this.pool.agreed('eth_getTransactionReceipt', [hash], (value) => {
        const { transactionHash, status, gasUsed, blockNumber } = value as Record<string, unknown>
        must(null, textOf(transactionHash, HASH, 'no hash') === hash.toLowerCase(), 'another one')
        const isGood = Number(textOf(status, HEX, 'no status')) === 1
        const block = Number(textOf(blockNumber, HEX, 'no block'))
        return { hash, block, isGood, gasUsed: textOf(gasUsed, HEX, 'no gas') }
      })
    } catch (error) {
      if (error instanceof NoAgreement) return null
      throw error
    }
  }
}

function logOf(log: unknown, address: string, first: number, last: number): Log {
  const { topics, data, blockNumber, logIndex, address: of } = log as Record<string, unknown>
  const block = Number(textOf(blockNumber, HEX, 'an event without a block'))
  must(null, block >= first && block <= last, 'an event of another block')
  must(null, String(of).toLowerCase() === address.toLowerCase(), 'an event of another contract')
  return {
    topics: (topics as readonly unknown[]).map((topic) => textOf(topic, HASH, 'no topic')),
    data: textOf(data, HEX, 'no data'),
    blockNumber: block,
    index: Number(textOf(logIndex, HEX, 'no index')),
  }
}
