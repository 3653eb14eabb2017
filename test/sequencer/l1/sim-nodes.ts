/** Nodes of the chain in memory, at the level of their RPC: they may lag, lie, drop, dawdle or fall silent. */
import type { Transport } from '../../../sequencer/l1/rpc.ts'
import { CHAIN_ID, hex, Refusal, waitingOf, type Block, type SimChain } from './sim-chain.ts'

/** A node of the chain, with its faults. */
export type SimNode = {
  /** Blocks that it has not seen yet. */
  lag: number
  isSilent: boolean
  /** Changes what it answers; the honest answer comes in. */
  lie: (method: string, params: readonly unknown[], answer: unknown) => unknown
  /** Cuts the text that goes out. */
  cut: (text: string) => string
  /** Milliseconds before it answers. */
  delay: () => number
  /** Whether it loses a transaction that it said it took. */
  isForgetful: () => boolean
  asked: number
}

/** Several nodes of one chain behind the transport that the sequencer's door uses. */
export function nodesOf(chain: SimChain, count: number) {
  const nodes: SimNode[] = Array.from({ length: count }, () => ({
    lag: 0,
    isSilent: false,
    lie: (_method, _params, answer) => answer,
    cut: (text) => text,
    delay: () => 0,
    isForgetful: () => false,
    asked: 0,
  }))
  const urls = nodes.map((_, i) => `http://node${i}:8545/secret-path`)
  const transport: Transport = async (url, body) => {
    const node = nodes[urls.indexOf(url)] as SimNode
    const { id, method, params } = JSON.parse(body) as {
      id: number
      method: string
      params: unknown[]
    }
    node.asked++
    if (node.isSilent) return new Promise(() => {})
    const wait = node.delay()
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    const text = JSON.stringify({ jsonrpc: '2.0', id, ...answer(chain, node, method, params) })
    return node.cut(text)
  }
  return { nodes, urls, transport }
}

function answer(
  chain: SimChain,
  node: SimNode,
  method: string,
  params: readonly unknown[],
): object {
  try {
    return { result: node.lie(method, params, honest(chain, node, method, params)) }
  } catch (error) {
    const { message } = error as Error
    return error instanceof Refusal
      ? { error: { code: 3, message: 'execution reverted', data: error.data } }
      : { error: { code: -32000, message } }
  }
}

function honest(
  chain: SimChain,
  node: SimNode,
  method: string,
  params: readonly unknown[],
): unknown {
  const blocks = chain.blocks.slice(0, Math.max(1, chain.blocks.length - node.lag))
  const at = (tag: unknown): Block => {
    const found = blocks.find(({ hash }) => hash === (tag as { blockHash?: string }).blockHash)
    if (found === undefined) throw new Error('header not found')
    return found
  }
  switch (method) {
    case 'eth_chainId':
      return hex(CHAIN_ID)
    case 'eth_blockNumber':
      return hex(blocks.length - 1)
    case 'eth_getBlockByNumber': {
      const block = blocks[Number(params[0])]
      if (block === undefined) return null
      const { number, hash, time } = block
      return { number: hex(number), hash, timestamp: hex(time), baseFeePerGas: hex(chain.baseFee) }
    }
    case 'eth_getLogs': {
      const { fromBlock, toBlock } = params[0] as { fromBlock: string; toBlock: string }
      return blocks.slice(Number(fromBlock), Number(toBlock) + 1).flatMap(({ logs }) => logs)
    }
    case 'eth_call':
      return chain.call(at(params[1]), params[0] as { to: string; data: string })
    case 'eth_getTransactionCount':
      return hex(at(params[1]).state.nonces.get(String(params[0]).toLowerCase()) ?? 0)
    case 'eth_estimateGas':
      chain.call(blocks.at(-1) as Block, params[0] as { to: string; data: string })
      return hex(100_000)
    case 'eth_sendRawTransaction': {
      const raw = String(params[0])
      return node.isForgetful() ? waitingOf(raw).hash : chain.send(raw)
    }
    case 'eth_getTransactionReceipt':
      return chain.receipt(blocks, String(params[0]))
    default:
      throw new Error(`${method} is not modelled`)
  }
}
