/** The chain of this process as a node that tells what it is asked for, and lies where a test wants it to. */
import { BrowserProvider } from 'ethers'
import { provider } from '../contracts/l1.ts'

export type Log = { readonly topics: readonly string[]; readonly blockNumber: string }
type Filter = { readonly fromBlock: string; readonly toBlock: string }

export function lyingNode() {
  const lie = {
    logs: (logs: readonly Log[]) => logs,
    head: (head: number) => head,
  }
  const honest = { ...lie }
  /** What was asked of it for logs: first and last block. */
  const asked: (readonly [first: number, last: number])[] = []
  const request = async ({ method, params }: { method: string; params?: unknown[] }) => {
    const said: unknown = await provider.send(method, params ?? [])
    if (method === 'eth_blockNumber') return `0x${lie.head(Number(said)).toString(16)}`
    if (method !== 'eth_getLogs') return said
    const { fromBlock, toBlock } = params![0] as Filter
    asked.push([Number(fromBlock), Number(toBlock)])
    return lie.logs(said as readonly Log[])
  }
  return {
    provider: new BrowserProvider({ request }, undefined, { cacheTimeout: -1 }),
    lie,
    asked,
    /** What it has been asked for since the last time. */
    takeAsked: () => asked.splice(0),
    tellTruth: () => void Object.assign(lie, honest),
  }
}
