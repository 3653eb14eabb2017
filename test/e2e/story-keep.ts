/** A story that goes back to where it was: chain and house together. */
import type { NonceManager } from 'ethers'
import { leafHash } from '../../circuits/account.ts'
import type { L1Request } from '../../circuits/batch.ts'
import type { Table } from '../../circuits/table.ts'
import { StateHistory } from '../../sequencer/history.ts'
import type { House } from '../law/house.ts'
import type { Person, Story } from './story.ts'

/** What is not on the chain, so that a story can go back with it. */
export type Kept = {
  readonly house: ReturnType<typeof keptOf>
  readonly requests: readonly L1Request[]
  readonly snapshot: string
  readonly table: Table
  readonly deposits: ReadonlyMap<Person, number>
}

function keptOf(house: House) {
  return {
    accounts: [...house.accounts],
    viewKeys: [...house.viewKeys],
    batchNumber: house.batchNumber,
    accountCount: house.accountCount,
    serial: house.serial,
    depositId: house.depositId,
    rows: house.rows,
    members: house.members.map((member) => ({ ...member, pending: [...member.pending] })),
  }
}

export async function keep(story: Story): Promise<Kept> {
  const snapshot = (await story.provider.send('evm_snapshot', [])) as string
  const deposits = new Map(story.people.map((person) => [person, person.deposits]))
  return {
    house: keptOf(story.house),
    requests: [...story.requests],
    snapshot,
    table: story.table,
    deposits,
  }
}

/** Chain and house go back; keys and directories stay. */
export async function back(story: Story, kept: Kept): Promise<void> {
  await story.provider.send('evm_revert', [kept.snapshot])
  const { accounts, viewKeys, members, ...rest } = kept.house
  const { house } = story
  for (const index of [...house.accounts.keys()]) house.tree.set(index, 0n)
  house.accounts.clear()
  for (const [index, account] of accounts) {
    house.accounts.set(index, account)
    house.tree.set(index, leafHash(account))
  }
  house.viewKeys.clear()
  for (const [index, key] of viewKeys) house.viewKeys.set(index, key)
  house.members.forEach((member, i) =>
    Object.assign(member, members[i], { pending: [...(members[i]?.pending ?? [])] }),
  )
  Object.assign(house, { ...rest, rows: [...rest.rows] })
  story.history = new StateHistory()
  story.requests = [...kept.requests]
  story.table = kept.table
  for (const [person, count] of kept.deposits) person.deposits = count
  ;(story.cloister.runner as NonceManager).reset()
}
