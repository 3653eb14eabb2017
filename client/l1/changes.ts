/** What is announced to the lock of a house, what became of it, and until when one can leave before it. */
import { Interface } from './ethers.ts'
import { addressOf } from './rpc.ts'
import { httpTransport, ReadError, type Transport } from './transport.ts'

const BAND = '(uint16 band, uint16 jumpBand, uint16 feedBand, uint32 feedMaxAge, address feed) band'
/** Everything that the lock can do to a house, to its oracle or to itself. */
const CHANGES = new Interface([
  'function seal()',
  'function addToken(uint256 id, address token, uint256 unit, uint256 cap)',
  'function addShape(uint256 id, uint256 members, uint256 deposits, uint256 withdrawals, uint256 requests, ' +
    'address verifier, bytes32 keyHash, bool isDevelopmentKey, string name)',
  'function addSweepShape(uint256 id, uint256 accounts, address verifier, bytes32 keyHash, ' +
    'bool isDevelopmentKey, string name)',
  'function addEscapeShape(uint256 id, address verifier, bytes32 keyHash, bool isDevelopmentKey, string name)',
  'function setFee(uint256 fee)',
  'function grantRole(bytes32 role, address account)',
  'function revokeRole(bytes32 role, address account)',
  'function setSigners(address[] signers, uint256 quorum, uint256 largeQuorum)',
  'function setTiming((uint32 maxAge, uint32 confirmWindow, uint32 agreementDelay, uint32 settlementWindow, ' +
    'uint32 challengeDelay) timing)',
  `function addUnderlying(string name, ${BAND})`,
  `function setBand(uint256 underlying, ${BAND})`,
  'function retireUnderlying(uint256 underlying)',
  'function setWorlds(bytes document)',
  'function updateDelay(uint256 newDelay)',
])
const HOUSE = new Interface([
  'function lock() view returns (address)',
  'function isSealed() view returns (bool)',
  'function isPaused() view returns (bool)',
])
const LOCK = new Interface([
  'event CallScheduled(bytes32 indexed id, uint256 indexed index, address target, uint256 value, bytes data, ' +
    'bytes32 predecessor, uint256 delay)',
  'function getTimestamp(bytes32 id) view returns (uint256)',
  'function getMinDelay() view returns (uint256)',
  'function LIFE() view returns (uint256)',
])

export type ChangeState = 'waiting' | 'due' | 'lapsed' | 'done' | 'cancelled'
export type AnnouncedCall = {
  readonly target: string
  /** The function with its arguments by name; null if no contract of a house has it. */
  readonly says: string | null
  readonly data: string
}
export type Change = {
  readonly id: string
  readonly calls: readonly AnnouncedCall[]
  readonly state: ChangeState
  /** Seconds; null once it is done or cancelled. */
  readonly dueAt: bigint | null
}
export type ChangeControl = {
  readonly lock: string
  readonly isSealed: boolean
  readonly isPaused: boolean
  /** Seconds. */
  readonly delay: bigint
  readonly now: bigint
  /** In the order of their first announcement. */
  readonly changes: readonly Change[]
}

/** Throws ReadError where there is no house of this kind. */
export async function readChanges(rpc: string | Transport, house: string): Promise<ChangeControl> {
  const send = typeof rpc === 'string' ? httpTransport(rpc) : rpc
  const ask = async (
    abi: Interface,
    to: string,
    name: string,
    args: readonly unknown[] = [],
  ): Promise<unknown> => {
    const data = abi.encodeFunctionData(name, args)
    const result = (await send('eth_call', [{ to, data }, 'latest'])) as string
    if (result === '0x') throw new ReadError(`there is no ${name}() at ${to}`)
    return abi.decodeFunctionResult(name, result)[0]
  }
  const at = addressOf(house)
  const lock = (await ask(HOUSE, at, 'lock')) as string
  const block = (await send('eth_getBlockByNumber', ['latest', false])) as { timestamp: string }
  const [now, life] = [BigInt(block.timestamp), (await ask(LOCK, lock, 'LIFE')) as bigint]
  const announced = await announcedIn(send, lock)
  const changes: Change[] = []
  for (const [id, calls] of announced) {
    const time = (await ask(LOCK, lock, 'getTimestamp', [id])) as bigint
    const state = stateOf(time, now, life)
    const isOver = state === 'done' || state === 'cancelled'
    changes.push({ id, calls, state, dueAt: isOver ? null : time })
  }
  return {
    lock,
    isSealed: (await ask(HOUSE, at, 'isSealed')) as boolean,
    isPaused: (await ask(HOUSE, at, 'isPaused')) as boolean,
    delay: (await ask(LOCK, lock, 'getMinDelay')) as bigint,
    now,
    changes,
  }
}

/** As TimelockController keeps it: 0 for what is not announced any more, 1 for what is done. */
function stateOf(time: bigint, now: bigint, life: bigint): ChangeState {
  if (time === 0n) return 'cancelled'
  if (time === 1n) return 'done'
  if (time > now) return 'waiting'
  return now > time + life ? 'lapsed' : 'due'
}

type Log = { readonly topics: string[]; readonly data: string }

async function announcedIn(
  send: Transport,
  lock: string,
): Promise<ReadonlyMap<string, readonly AnnouncedCall[]>> {
  const topic = LOCK.getEvent('CallScheduled')?.topicHash
  const filter = { address: lock, topics: [topic], fromBlock: '0x0', toBlock: 'latest' }
  const found = new Map<string, AnnouncedCall[]>()
  for (const log of (await send('eth_getLogs', [filter])) as readonly Log[]) {
    const args = LOCK.parseLog(log)?.args
    if (args === undefined) continue
    const [id, index] = [args['id'] as string, Number(args['index'])]
    const [target, data] = [args['target'] as string, args['data'] as string]
    const calls = found.get(id) ?? []
    // Announced again after it lapsed or was cancelled: the same id is the same calls.
    calls[index] = { target, data, says: inWords(data) }
    found.set(id, calls)
  }
  return found
}

function inWords(data: string): string | null {
  try {
    const call = CHANGES.parseTransaction({ data })
    if (call === null) return null
    const values = call.fragment.inputs.map(
      ({ name }, i) => `${name} ${JSON.stringify(plain(call.args[i]))}`,
    )
    return `${call.name}(${values.join(', ')})`
  } catch {
    return null
  }
}

/** Structs as lists, numbers as text. */
function plain(value: unknown): unknown {
  return Array.isArray(value) ? value.map(plain) : typeof value === 'bigint' ? `${value}` : value
}
