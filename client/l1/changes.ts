/** What is announced to the lock of a house, what became of it, and until when one can leave before it. */
import { Interface, keccakOf } from './ethers.ts'
import { addressOf } from './rpc.ts'
import { httpTransport, ReadError, type Transport } from './transport.ts'

const BAND = '(uint16 band, uint16 jumpBand, uint16 feedBand, uint32 feedMaxAge, address feed) band'
/** Everything that the lock can do to a house, to its oracle or to itself. */
export const CHANGES = new Interface([
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
const TERMS =
  '(uint256 refundDelay, uint256 forceDelay, uint256 fullDelay, uint256 unwindDelay, uint256 batchDelay, ' +
  'uint256 tableDelay, uint256 sweepDelay, uint256 tableLife, uint256 lateSweepDelay, uint256 sweepEpoch, ' +
  'uint256 flagDelay, uint256 callDelay, uint256 claimsWindow, uint256 forcePrice)'
const HOUSE = new Interface([
  `function terms() view returns (${TERMS} terms)`,
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
  'event CallSalt(bytes32 indexed id, bytes32 salt)',
])

export type ChangeState = 'waiting' | 'due' | 'lapsed' | 'done' | 'cancelled'
export type AnnouncedCall = {
  readonly target: string
  /** The function with its arguments by name; null if no contract of a house has it. */
  readonly says: string | null
  readonly data: string
  /** Wei. */
  readonly value: bigint
}
export type Change = {
  readonly id: string
  readonly calls: readonly AnnouncedCall[]
  /** Of what must have been carried out before; 32 zero bytes for nothing. */
  readonly predecessor: string
  readonly salt: string
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
  /** Seconds during which what is due can be carried out. */
  readonly life: bigint
  /** The longest, in seconds, that a forced exit takes until it is served or anybody may freeze. */
  readonly wayOut: bigint
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
  for (const [id, said] of announced) {
    const time = (await ask(LOCK, lock, 'getTimestamp', [id])) as bigint
    const state = stateOf(time, now, life)
    const isOver = state === 'done' || state === 'cancelled'
    changes.push({ id, ...said, state, dueAt: isOver ? null : time })
  }
  return {
    lock,
    isSealed: (await ask(HOUSE, at, 'isSealed')) as boolean,
    isPaused: (await ask(HOUSE, at, 'isPaused')) as boolean,
    delay: (await ask(LOCK, lock, 'getMinDelay')) as bigint,
    life,
    wayOut: await wayOutOf(ask, at),
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

type Ask = (abi: Interface, to: string, name: string) => Promise<unknown>

async function wayOutOf(ask: Ask, house: string): Promise<bigint> {
  const terms = (await ask(HOUSE, house, 'terms')) as Readonly<Record<string, bigint>>
  const { forceDelay = 0n, fullDelay = 0n, tableDelay = 0n } = terms
  return (forceDelay > fullDelay ? forceDelay : fullDelay) + tableDelay
}

type Log = { readonly topics: string[]; readonly data: string }
type Announced = Pick<Change, 'calls' | 'predecessor' | 'salt'>
const ZERO = `0x${'00'.repeat(32)}`

async function announcedIn(send: Transport, lock: string): Promise<ReadonlyMap<string, Announced>> {
  const topics = ['CallScheduled', 'CallSalt'].map((name) => LOCK.getEvent(name)?.topicHash)
  const filter = { address: lock, topics: [topics], fromBlock: '0x0', toBlock: 'latest' }
  const found = new Map<string, Announced>()
  for (const log of (await send('eth_getLogs', [filter])) as readonly Log[]) {
    const parsed = LOCK.parseLog(log)
    if (parsed === null) continue
    const { name, args } = parsed
    const id = args['id'] as string
    const known = found.get(id) ?? { calls: [], predecessor: ZERO, salt: ZERO }
    if (name === 'CallSalt') {
      found.set(id, { ...known, salt: args['salt'] as string })
      continue
    }
    const calls = [...known.calls]
    const [target, data] = [args['target'] as string, args['data'] as string]
    // Announced again after it lapsed or was cancelled: the same id is the same calls.
    const value = args['value'] as bigint
    calls[Number(args['index'])] = { target, data, value, says: inWords(data) }
    found.set(id, { ...known, calls, predecessor: args['predecessor'] as string })
  }
  return found
}

/** Of the house, of its oracle, and of OpenZeppelin's lock; that of the admin nobody can be given. */
export const ROLES = {
  house: ['OPERATOR', 'ORACLE', 'GUARDIAN'],
  oracle: ['LISTER', 'GUARDIAN'],
  lock: ['PROPOSER_ROLE', 'CANCELLER_ROLE', 'EXECUTOR_ROLE'],
} as const
const ROLE_NAMES: ReadonlyMap<unknown, string> = new Map([
  [ZERO, 'DEFAULT_ADMIN_ROLE'],
  ...Object.values(ROLES).flatMap((names) => names.map((name) => [keccakOf(name), name] as const)),
])

/** The call by name with its arguments by name; null if no contract of a house has it. */
export function inWords(data: string): string | null {
  try {
    const call = CHANGES.parseTransaction({ data })
    if (call === null) return null
    const values = call.fragment.inputs.map(({ name }, i) => {
      const value: unknown = call.args[i]
      const role = name === 'role' ? ROLE_NAMES.get(value) : undefined
      return `${name} ${role ?? JSON.stringify(plain(value))}`
    })
    return `${call.name}(${values.join(', ')})`
  } catch {
    return null
  }
}

/** Structs as lists, numbers as text. */
function plain(value: unknown): unknown {
  return Array.isArray(value) ? value.map(plain) : typeof value === 'bigint' ? `${value}` : value
}
