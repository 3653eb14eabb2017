/** What must hold at the end of a seed, judged by what members asked for and what L1 has. */
import { Core } from '../../../sequencer/core.ts'
import { replayInto, stateText } from '../../../sequencer/journal/replay.ts'
import type { Memory, Trade } from './members.ts'
import { FEE } from './settings.ts'
import type { World } from './world.ts'

const must = (isRight: boolean, what: string): void => {
  if (!isRight) throw new Error(what)
}

const nameOf = (proposer: number, clientId: string): string =>
  `${proposer} ${clientId.split('#')[0]}`

/** Whether everything that was acknowledged has come to an end. */
export function isSettled(world: World, memory: Memory): boolean {
  const { house } = world
  if (house === null || house.core.open !== null) return false
  const { chain } = world
  if (chain.events.length > 0 || chain.head.state.openDeposits.size > 0) return false
  const states = [...memory.acknowledged.keys()].map((id) => house.desk.tickets.get(id)?.state)
  return (
    states.every((state) => state === 'final' || state === 'refused') &&
    [...house.ledger.pending.values()].every((pages) => pages.length === 0) &&
    [...house.ledger.unsigned.values()].every((pages) => pages.length === 0)
  )
}

export async function check(world: World, memory: Memory): Promise<void> {
  const live = world.house
  must(live !== null, 'the house must be up at the end')
  const text = stateText(live!.core)
  const journal = await world.readJournal()
  const core = new Core(live!.core.genesis)
  const dropped = new Set<string>()
  const drop = core.desk.drop.bind(core.desk)
  core.desk.drop = (all, ...rest) => {
    for (const { trade } of all) dropped.add(trade)
    drop(all, ...rest)
  }
  await replayInto(core, journal)
  must(stateText(core) === text, 'an independent replay must give the state of the house')
  checkRoots(world, core)
  checkTrades(core, memory)
  checkBalances(world, core, memory, dropped)
}

function checkRoots(world: World, core: Core): void {
  const { roots } = world.chain
  must(core.batches.length <= roots.length, `L1 must have all ${core.batches.length} batches`)
  core.batches.forEach(({ root, number }, i) =>
    must(roots[i] === root, `batch ${number} must have one root, here and on L1`),
  )
  must(
    core.ledger.tree.root === (roots[core.batches.length - 1] ?? world.chain.genesisRoot),
    'the state must have the root of the last batch',
  )
}

function checkTrades(core: Core, memory: Memory): void {
  for (const [id, name] of memory.acknowledged) {
    const ticket = core.desk.tickets.get(id)
    must(ticket !== undefined, `acknowledged trade ${name} must not be lost`)
    must(
      ticket!.state === 'final' || ticket!.state === 'refused',
      `acknowledged trade ${name} must end; it is ${ticket!.state}`,
    )
  }
  // A house that forgets what it knows may give a second ticket another name of its own.
  const counts = new Map<string, number>()
  for (const { proposer, clientId, state } of core.desk.tickets.values()) {
    if (state !== 'final') continue
    const name = nameOf(proposer, clientId)
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  for (const [name, count] of counts) {
    must(memory.asked.has(name), `trade ${name} was never asked for`)
    must(count === 1, `trade ${name} was applied ${count} times`)
  }
}

/** Cash and contracts from plain sums over what was asked for: no state of the house, no law. */
function checkBalances(
  world: World,
  core: Core,
  memory: Memory,
  dropped: ReadonlySet<string>,
): void {
  const cash = new Map<number, bigint>()
  const lots = new Map<number, bigint>()
  const add = (to: Map<number, bigint>, account: number, amount: bigint): void =>
    void to.set(account, (to.get(account) ?? 0n) + amount)
  const pages = new Map<number, bigint>()
  const addPage = (account: number): void => {
    add(cash, account, -FEE)
    add(pages, account, 1n)
  }
  const { openDeposits } = world.chain.head.state
  for (const [id, { account, amount }] of memory.deposits) {
    must(!openDeposits.has(id), `deposit ${id} must be credited once L1 has it`)
    add(cash, account, amount)
  }
  for (const { proposer, clientId, state } of core.desk.tickets.values()) {
    if (state !== 'final') continue
    const { buyer, seller, entries } = memory.asked.get(nameOf(proposer, clientId)) as Trade
    for (const { quantity, price } of entries) {
      add(lots, buyer, quantity)
      add(lots, seller, -quantity)
      add(cash, buyer, -quantity * price)
      add(cash, seller, quantity * price)
    }
    for (const account of [buyer, seller]) addPage(account)
  }
  const paid = world.chain.head.state.paid
  for (const [name, { account, to, amount }] of memory.withdrawals) {
    const times = paid.filter((address) => address === to).length
    must(times <= 1, `withdrawal ${name} was paid ${times} times`)
    must(times === 1 || dropped.has(name), `acknowledged withdrawal ${name} must be paid or named`)
    if (times === 0) continue
    add(cash, account, -amount)
    addPage(account)
  }
  // Whoever is below zero in some world pays no fee (the law's rescue): so much of it may be missing.
  let [due, waived] = [0n, 0n]
  for (const [index, account] of core.ledger.accounts) {
    if (index === 0) continue
    const held = account.balances.reduce((sum, { quantity }) => sum + quantity, 0n)
    const wanted = lots.get(index) ?? 0n
    must(held === wanted, `account ${index} must hold ${wanted} lots, not ${held}`)
    const more = account.cash - (cash.get(index) ?? 0n)
    const fees = FEE * (pages.get(index) ?? 0n)
    must(
      more >= 0n && more <= fees && more % FEE === 0n,
      `account ${index} must have ${cash.get(index) ?? 0n}, not ${account.cash}`,
    )
    due += fees
    waived += more
  }
  const earned = core.ledger.accounts.get(0)?.cash ?? 0n
  must(earned === due - waived, `the fee account must have ${due - waived}, not ${earned}`)
}
