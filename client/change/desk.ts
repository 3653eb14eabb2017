/** What every change needs: how things stand, who sends, and a step that is tried before it is sent. */
import { accountOn, Interface, type OwnAccount } from '../l1/ethers.ts'
import { contractErrorIn } from '../l1/contract-errors.ts'
import { readChanges, type Change, type ChangeControl } from '../l1/changes.ts'
import { oracleOf } from '../l1/oracle-tables.ts'
import { httpTransport, type Transport } from '../l1/transport.ts'
import type { ChangeCall } from './call.ts'
import { ChangeRefusal } from './refusal.ts'

export type ChangeOptions = {
  readonly rpcUrl: string
  readonly house: string
  /** Of who sends, in hex; null: nothing can be sent, and what depends on the sender is not tried. */
  readonly key: string | null
  /** Otherwise everything is looked at, and nothing sent. */
  readonly isSent: boolean
}
export type ChangeStep = {
  /** `ready`: it would be sent; `already`: it was so before. */
  readonly outcome: 'sent' | 'ready' | 'already'
  readonly to: string
  readonly data: string
  readonly from: string | null
  readonly transaction: string | null
}
export const LOCK = new Interface([
  'function schedule(address target, uint256 value, bytes data, bytes32 predecessor, bytes32 salt, uint256 delay)',
  'function execute(address target, uint256 value, bytes payload, bytes32 predecessor, bytes32 salt)',
  'function executeBatch(address[] targets, uint256[] values, bytes[] payloads, bytes32 predecessor, bytes32 salt)',
  'function cancel(bytes32 id)',
  'function hashOperation(address target, uint256 value, bytes data, bytes32 predecessor, bytes32 salt) view returns (bytes32)',
])
export const HOUSE = new Interface([
  'function seal()',
  'function pause()',
  'function unpause()',
  'function isFrozen() view returns (bool)',
])

export type Desk = {
  readonly control: ChangeControl
  readonly isFrozen: () => Promise<boolean>
  readonly addressOf: (call: ChangeCall) => Promise<string>
  readonly idOf: (given: readonly unknown[]) => Promise<string>
  /** Why the lock would be refused today; null if it would not. */
  readonly problemOf: (target: string, data: string) => Promise<string | null>
  readonly step: (to: string, data: string, role: Role | null) => Promise<ChangeStep>
  readonly nothing: (to: string, data: string) => Promise<ChangeStep>
  readonly again: (id: string) => Promise<Change | null>
}
export type Role = 'PROPOSER_ROLE' | 'CANCELLER_ROLE' | 'ADMIN' | 'GUARDIAN'
const ROLES = new Interface([
  'function hasRole(bytes32 role, address account) view returns (bool)',
  'function PROPOSER_ROLE() view returns (bytes32)',
  'function CANCELLER_ROLE() view returns (bytes32)',
  'function ADMIN() view returns (bytes32)',
  'function GUARDIAN() view returns (bytes32)',
])
/** A key that is worth nothing: of who only looks. */
const NOBODY = `0x${'00'.repeat(31)}01`

export async function within<T>(
  options: ChangeOptions,
  work: (desk: Desk) => Promise<T>,
): Promise<T> {
  const { rpcUrl, house, key, isSent } = options
  const send = httpTransport(rpcUrl)
  const control = await readChanges(send, house)
  const account = accountOn(rpcUrl, key ?? NOBODY)
  const ask = async (abi: Interface, to: string, name: string, args: readonly unknown[] = []) => {
    const data = abi.encodeFunctionData(name, args)
    const result = (await send('eth_call', [{ to, data }, 'latest'])) as string
    return abi.decodeFunctionResult(name, result)[0] as unknown
  }
  const about = (to: string, data: string) => ({
    to,
    data,
    from: key === null ? null : account.address,
  })
  try {
    return await work({
      control,
      isFrozen: async () => (await ask(HOUSE, house, 'isFrozen')) as boolean,
      addressOf: ({ place }) => placeAt(send, house, control.lock, place),
      idOf: async (given) => (await ask(LOCK, control.lock, 'hashOperation', given)) as string,
      problemOf: (target, data) => problemOf(account, target, data, control.lock),
      nothing: async (to, data) => ({ ...about(to, data), outcome: 'already', transaction: null }),
      again: async (id) =>
        (await readChanges(send, house)).changes.find((change) => change.id === id) ?? null,
      step: async (to, data, role) => {
        if (key === null) {
          if (isSent) throw new Error('a key must be given: --key-file FILE, or CLOISTER_L1_KEY')
          return { ...about(to, data), outcome: 'ready', transaction: null }
        }
        if (role !== null) {
          const word = await ask(ROLES, to, role)
          if (!((await ask(ROLES, to, 'hasRole', [word, account.address])) as boolean))
            throw new ChangeRefusal(
              'SenderMustHaveRole',
              `${account.address}, whose key was given, must have the role ${role} of ${to}`,
            )
        }
        await account.attempt(to, data)
        if (!isSent) return { ...about(to, data), outcome: 'ready', transaction: null }
        return { ...about(to, data), outcome: 'sent', transaction: await account.sendRaw(to, data) }
      },
    })
  } finally {
    account.close()
  }
}

async function placeAt(
  send: Transport,
  house: string,
  lock: string,
  place: ChangeCall['place'],
): Promise<string> {
  if (place === 'lock') return lock
  return place === 'oracle' ? oracleOf(send, house) : house
}

async function problemOf(
  account: OwnAccount,
  target: string,
  data: string,
  lock: string,
): Promise<string | null> {
  try {
    await account.attempt(target, data, lock)
    return null
  } catch (error) {
    const refusal = contractErrorIn(error)
    if (refusal === null) throw error
    const values = refusal.values.map(([name, value]) => `${name} ${value}`).join(', ')
    return values === '' ? refusal.name : `${refusal.name} (${values})`
  }
}
