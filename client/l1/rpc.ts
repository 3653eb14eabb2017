/**
 * The reading room's door to L1: JSON-RPC, and ethers for the ABI. Everything is read at one block.
 */
import { getAddress, Interface } from './ethers.ts'
import { CLAIM_VERIFIER_ABI, CLOISTER_ABI, ERC20_ABI, EXIT_ABI, VERIFIER_ABI } from './abi.ts'
import {
  httpTransport,
  OverloadedError,
  ReadError,
  RefusedError,
  type Transport,
} from './transport.ts'
import {
  blockFrom,
  bytesOf,
  logsFrom,
  quantityOf,
  transactionFrom,
  type RawLog,
} from './rpc-forms.ts'

// Whoever reads L1 needs this door only.
export { httpTransport, ReadError, type Transport }

const HOUSE_ABI = [...CLOISTER_ABI, ...EXIT_ABI]
const cloister = new Interface(HOUSE_ABI)
/** The same with bytes for text: L1 takes any bytes for a name, and ethers reads no log that is no UTF-8. */
const asBytes = new Interface(HOUSE_ABI.map((line) => line.replaceAll(/\bstring\b/g, 'bytes')))
const verifier = new Interface(VERIFIER_ABI)
const claimVerifier = new Interface(CLAIM_VERIFIER_ABI)
const erc20 = new Interface(ERC20_ABI)

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
  /** Every event of a range of blocks, or those of one name. */
  readonly logs: (
    fromBlock: number,
    toBlock: number,
    name?: string,
  ) => Promise<readonly DecodedLog[]>
  readonly view: (name: string, args?: readonly unknown[]) => Promise<readonly unknown[]>
  /**
   * Of what stays as it is once it is written, such as a batch: also from a node that has dropped the
   * state of the head meanwhile, as most do after minutes, where there is much to read.
   */
  readonly record: (name: string, args: readonly unknown[]) => Promise<readonly unknown[]>
  /** At the head, or at an earlier block if the node keeps old states. */
  readonly code: (address: string, block?: number) => Promise<string>
  readonly balanceOf: (token: string, holder: string) => Promise<bigint>
  /** `input` has three words for a batch, five for a claim. */
  readonly verifyProof: (
    address: string,
    proof: ProofWords,
    input: readonly bigint[],
  ) => Promise<boolean>
  readonly transaction: (hash: string) => Promise<Call | null>
  /** The hash of a block as the chain has it now; null if there is no such block. */
  readonly blockHash: (number: number) => Promise<string | null>
  /** False if the block that everything was read at is no longer part of the chain. */
  readonly isHeadStillCanonical: () => Promise<boolean>
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
  const chainId = quantityOf(await send('eth_chainId', []), 'eth_chainId', 'number')
  const head = await blockOf(send, atBlock === undefined ? 'latest' : hex(atBlock))
  const tag = hex(head.number)
  const reader: LogReader = { span: BLOCKS_AT_ONCE, isBounded: false }
  const call = async (
    abi: Interface,
    to: string,
    name: string,
    args: readonly unknown[],
    at = tag,
  ): Promise<readonly unknown[]> => {
    const data = abi.encodeFunctionData(name, args)
    const result = bytesOf(await send('eth_call', [{ to, data }, at]), 'eth_call')
    if (result === '0x')
      throw new ReadError(
        `there is no ${name}() at ${to} on chain ${chainId} at block ${head.number}`,
      )
    try {
      const decoded = abi.decodeFunctionResult(name, result)
      // Of what is cut short it complains when it is looked at, all the way down.
      decoded.toArray(true)
      return decoded.toArray()
    } catch {
      throw new ReadError(
        `what the RPC node says that ${name}() answers is nothing it could answer`,
      )
    }
  }
  let isDropped = false
  const record: L1['record'] = async (name, args) => {
    if (isDropped) return call(cloister, address, name, args, 'latest')
    try {
      return await call(cloister, address, name, args)
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      const answer = await call(cloister, address, name, args, 'latest')
      isDropped = true
      return answer
    }
  }
  return {
    contract: address,
    chainId,
    head,
    record,
    logs: (fromBlock, toBlock, name) => readLogs(send, address, fromBlock, toBlock, reader, name),
    view: (name, args = []) => call(cloister, address, name, args),
    code: async (at, block) =>
      bytesOf(
        await send('eth_getCode', [at, block === undefined ? tag : hex(block)]),
        'eth_getCode',
      ),
    balanceOf: async (token, holder) =>
      (await call(erc20, token, 'balanceOf', [holder]))[0] as bigint,
    verifyProof: async (at, p, input) =>
      (
        await call(input.length === 5 ? claimVerifier : verifier, at, 'verifyProof', [
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
      const found = transactionFrom(await send('eth_getTransactionByHash', [hash]))
      if (found === null) return null
      const { to, from } = found
      return { ...found, to: to === null ? null : getAddress(to), from: getAddress(from) }
    },
    blockHash: (number) => hashOfBlock(send, number),
    isHeadStillCanonical: async () => (await blockOf(send, tag)).hash === head.hash,
  }
}

async function blockOf(send: Transport, tag: string): Promise<Block> {
  const found = blockFrom(await send('eth_getBlockByNumber', [tag, false]))
  if (found === null) throw new ReadError(`the RPC node has no block ${tag}`)
  return found
}

async function hashOfBlock(send: Transport, number: number): Promise<string | null> {
  return blockFrom(await send('eth_getBlockByNumber', [hex(number), false]))?.hash ?? null
}

/** How many blocks the node lets itself be asked for; learned while reading. */
type LogReader = { span: number; isBounded: boolean }
/** Small enough for most public nodes; a node that still refuses gets halves. */
const BLOCKS_AT_ONCE = 10_000

/** Every log of a range, in order, by as many requests as the node's limits make necessary. */
async function readLogs(
  send: Transport,
  address: string,
  from: number,
  to: number,
  reader: LogReader,
  name?: string,
): Promise<readonly DecodedLog[]> {
  const logs: DecodedLog[] = []
  for (let first = from; first <= to;) {
    const last = Math.min(first + reader.span - 1, to)
    try {
      logs.push(...(await logsOfRange(send, address, first, last, name)))
      first = last + 1
      if (!reader.isBounded) reader.span = Math.min(2 * reader.span, BLOCKS_AT_ONCE)
    } catch (error) {
      const isTooMuch = error instanceof RefusedError || error instanceof OverloadedError
      if (first === last || !isTooMuch) throw error
      // What was refused once is refused again: from here on the node gets what it can take.
      reader.span = Math.ceil((last - first + 1) / 2)
      reader.isBounded = true
    }
  }
  return logs
}

/** Logs of other ABIs are not ours and are skipped; logs that were not asked for are a lie. */
async function logsOfRange(
  send: Transport,
  address: string,
  from: number,
  to: number,
  only?: string,
): Promise<readonly DecodedLog[]> {
  const topics = only === undefined ? {} : { topics: [cloister.getEvent(only)?.topicHash] }
  const asked = { address, fromBlock: hex(from), toBlock: hex(to), ...topics }
  const decoded = logsFrom(await send('eth_getLogs', [asked])).flatMap((log): DecodedLog[] => {
    const { block, index, transaction } = log
    if (log.isRemoved) return []
    if (BigInt(log.address) !== BigInt(address) || !(block >= from && block <= to))
      throw new ReadError(
        `the RPC node was asked for logs of ${address} in blocks ${from} to ${to} and gave one ` +
          `of ${log.address} in block ${block}`,
      )
    const parsed = parsedLog(log)
    if (parsed === null || (only !== undefined && parsed.name !== only)) return []
    return [{ ...parsed, block, index, transaction }]
  })
  return decoded.sort((a, b) => a.block - b.block || a.index - b.index)
}

/**
 * Null for an event of another ABI. Arguments by the names of the ABI; what is no UTF-8 in a text is
 * replaced, so that nobody who names a shape can make the log of the house unreadable.
 */
function parsedLog({ topics, data, block }: RawLog): Pick<DecodedLog, 'name' | 'args'> | null {
  const event = topics[0] === undefined ? null : cloister.getEvent(topics[0])
  if (event === null) return null
  const { name, inputs } = event
  try {
    const form = asBytes.getEvent(name) as typeof event
    const found = asBytes.decodeEventLog(form, data, [form.topicHash, ...topics.slice(1)])
    // Of data that is cut short it complains when it is looked at, all the way down.
    found.toArray(true)
    // ethers' own Result hides a field called `values` behind Array's method.
    const values: readonly unknown[] = found.toArray()
    const args = inputs.map((input, i) => [
      input.name,
      input.type === 'string' ? textOf(values[i] as string) : values[i],
    ])
    return { name, args: Object.fromEntries(args) as DecodedLog['args'] }
  } catch {
    throw new ReadError(`a log of block ${block} is cut short, or no event: ask another RPC node`)
  }
}

const textOf = (bytes: string): string => Buffer.from(bytes.slice(2), 'hex').toString('utf8')

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
