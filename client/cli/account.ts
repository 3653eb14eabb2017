/** `cloister account`: an account of one's own, and what is in it. */
import { worthOf } from '../../circuits/table.ts'
import { openAccount, rebuild, replayFrom, type Rebuilt } from '../l1/rebuild.ts'
import { connect, httpTransport } from '../l1/rpc.ts'
import { WORLDS } from '../../oracle/worlds.ts'
import type { TableView } from '../api.ts'
import { findHouse, rpcOf, untilBatch, type Common, type Result } from './day.ts'
import { Undone } from './failures.ts'
import { accountOf, journalOf, keysInWords, leafOf } from './keys-on-l1.ts'
import { registeredAccount } from './registration.ts'
import { openStore, Session } from './session.ts'
import type { MemberStore } from './store.ts'
import { rowsUnder, servedTable } from './table-on-l1.ts'
import { dollars, instrumentName, lotsInWords, parseDollars } from './terms.ts'

/** The chain id of Hardhat's and Anvil's own chains: there, and only there, money is made up. */
const LOCAL_CHAIN = '31337'
const GAS_MONEY = 10n ** 20n

export async function accountNew(
  name: string,
  options: Common & { readonly dollars: string; readonly wait: boolean },
): Promise<Result> {
  const amount = parseDollars(options.dollars)
  const store = openStore(name, options)
  const house = await findHouse(options)
  const { status, rpcUrl } = house
  return store.locked(async () => {
    const { chainId, contract, token } = status
    store.create({ chainId, contract, token, rpcUrl })
    const session = new Session(store, house, options)
    try {
      await fund(session, amount)
      await adoptRegistration(session)
      const account = await session.member.register()
      if (options.wait) {
        let isSaid = false
        const what = `registering account ${account} (asked for on L1: the same command goes on)`
        await untilBatch(what, house, options.timeout, async (l1) => {
          const rebuilt = await replayFrom(l1)
          if (rebuilt.last(account) !== undefined) return open(rebuilt, session)
          if (!isSaid) options.note(`account ${account}: waiting for a batch to register it`)
          isSaid = true
          return null
        })
      }
      return newResult(store, session, account, options.wait)
    } finally {
      session.l1.close()
    }
  })
}

function newResult(store: MemberStore, { l1 }: Session, account: number, isDone: boolean): Result {
  const { name, directory } = store
  return {
    text: [
      `${name} has account ${account}${isDone ? '' : ' (no batch has registered it yet)'}`,
      `  directory   ${directory} (seed and keys, readable by you alone: keep a copy)`,
      `  L1 address  ${l1.address}`,
      `Next${isDone ? '' : ', once a batch has registered it'}: cloister deposit ${name} 1000`,
    ].join('\n'),
    json: { name, account, directory, l1Address: l1.address, registered: isDone },
  }
}

async function fund({ l1, house, store }: Session, amount: bigint): Promise<void> {
  const send = httpTransport(house.rpcUrl)
  const held = BigInt((await send('eth_getBalance', [l1.address, 'latest'])) as string)
  const chainId = BigInt((await send('eth_chainId', [])) as string).toString()
  if (chainId !== LOCAL_CHAIN) {
    if (held > 0n) return
    throw new Undone(`send gas money to ${l1.address} on chain ${chainId}, then ask again`)
  }
  if (held < GAS_MONEY / 2n)
    await send('hardhat_setBalance', [l1.address, `0x${GAS_MONEY.toString(16)}`])
  const isPoor = store.stored.account === null && (await l1.tokenBalance()) === 0n
  if (isPoor && (await l1.isPlayMoney())) await l1.mint(amount)
}

/** A registration that a former command sent and did not live to write down. */
async function adoptRegistration({ member, house, l1, store, ring }: Session): Promise<void> {
  const rebuilt = await replayFrom(await connect(house.rpcUrl, house.status.contract))
  const { account } = member.record
  const known = { name: store.name, account, ring, l1Address: l1.address }
  const registered = registeredAccount(rebuilt, known)
  if (account === null && registered !== null) member.adopt(registered)
}

function open(rebuilt: Rebuilt, { member, ownerKeyHash }: Session) {
  return openAccount(rebuilt, member.account, member.keys.viewKey, [ownerKeyHash])
}

/** From L1 and the own keys alone; the house is asked for its table only, and may be gone. */
export async function accountShow(name: string, options: Common): Promise<Result> {
  const store = openStore(name, options)
  const { stored } = store
  const index = accountOf(store)
  const ring = store.ring()
  const rebuilt = await rebuild(rpcOf(options, stored), stored.contract)
  const { account, keys } = leafOf(store, ring, rebuilt)
  const served = await servedTable(options, stored.contract).catch((error: unknown) =>
    error instanceof Error ? error.message : 'no answer',
  )
  const worth = typeof served === 'string' ? served : worthUnder(rebuilt, served.view, account)
  const worlds = [...WORLDS.map((world) => world.name), 'variation']
  const wide = Math.max(...worlds.map((world) => world.length))
  const isSettled = (journalOf(store, ring)?.state.pending.length ?? 0) === 0
  const holdings = account.balances.map(
    ({ id, quantity }) => `  ${instrumentName(id).padEnd(20)} ${lotsInWords(quantity)}`,
  )
  const batch = rebuilt.last(index)?.batchNumber ?? 0n
  return {
    text: [
      `${name}: account ${index} of ${stored.contract}, as batch ${batch} left it on L1`,
      ...(keys.owner === 0 ? [] : [`  ${'keys'.padEnd(20)} ${keysInWords(keys)}`]),
      `  ${'cash'.padEnd(20)} ${dollars(account.cash)}`,
      ...holdings,
      ...(isSettled ? [] : ['  What was signed since is not settled yet and not counted here.']),
      ...(typeof worth === 'string'
        ? [`  Worth not computed: ${worth}`]
        : [
            `Worth per world of table ${typeof served === 'string' ? '' : served.view.number} (the house's rows, L1's root):`,
            ...worth.map(
              (w, i) => `  ${(worlds[i] ?? `world ${i}`).padEnd(wide)} ${dollars(w).padStart(20)}`,
            ),
          ]),
    ].join('\n'),
    json: {
      name,
      account: index,
      contract: stored.contract,
      batch: `${batch}`,
      settled: isSettled,
      keys,
      root: `${rebuilt.root}`,
      cash: `${account.cash}`,
      cashUnit: 'micro-dollar',
      balances: account.balances.map(({ id, quantity }) => ({
        id,
        instrument: instrumentName(id),
        lots: `${quantity}`,
      })),
      worth:
        typeof worth === 'string'
          ? null
          : worth.map((w, i) => ({ world: worlds[i] ?? `${i}`, microDollars: `${w}` })),
      ...(typeof worth === 'string' ? { worthProblem: worth } : {}),
    },
  }
}

/** Rows that the house serves count only under the root that L1 has. */
function worthUnder(
  rebuilt: Rebuilt,
  view: TableView,
  account: Parameters<typeof worthOf>[0],
): readonly bigint[] | string {
  const rows = rowsUnder(rebuilt, view)
  if (typeof rows === 'string') return rows
  const worth = worthOf(account, rows.rowOf)
  return typeof worth === 'number' ? `instrument ${worth} is held and not in the table` : worth
}
