/**
 * A house on a real disk as a process of its own, on an L1 that its parent keeps. It is told to die by
 * SIGKILL at its n-th step of persistence: a write (before, halfway, after), a sync, a rename, a
 * transaction given to a node, a proof. What it has acknowledged it says in a line of its own.
 */
import { writeSync } from 'node:fs'
import { depositCommitment, viewKeyHash } from '../../../circuits/account.ts'
import { eighthOf, sign, signingKey } from '../../../circuits/eddsa.ts'
import { counterPage, headAfter, type Page } from '../../../circuits/page.ts'
import { tableOf } from '../../../circuits/table.ts'
import type { ShapeKey } from '../../../prover/artifacts.ts'
import { House } from '../../../sequencer/house.ts'
import { FileJournal } from '../../../sequencer/journal/file-journal.ts'
import { sealerOf } from '../../../sequencer/journal/seal.ts'
import { SequencerL1 } from '../../../sequencer/l1.ts'
import { row } from '../../law/house.ts'
import { ADDRESS, proofOf, type SimChain } from '../l1/sim-chain.ts'
import { diskThat, dyingAt } from '../journal/dying-disk.ts'
import { FEE, FEE_VIEW_KEY, FUTURE, KEY, SHAPE, simDeployment } from './settings.ts'

export const TRADES = 3
const keys = [1, 2].map((i) => signingKey(new Uint8Array(32).fill(i)))
const ACCOUNTS = [16, 17] as const
const table = tableOf([row(FUTURE, 50_000_000n)])
export const DEPOSIT = 1_000_000_000n

/** What members and the oracle have put on L1 before. */
export function prepare(chain: SimChain): void {
  chain.post(1n, table.root)
  ACCOUNTS.forEach((account, i) => {
    const key = eighthOf(keys[i] as (typeof keys)[number])
    chain.register(account, i, key, viewKeyHash(BigInt(account)))
    chain.deposit(BigInt(i + 1), 1, DEPOSIT, depositCommitment(account, BigInt(account)))
  })
}

export async function serve(directory: string, rpcUrl: string, dieAt: number): Promise<void> {
  const { mayDie, around, steps } = dyingAt(dieAt)
  const journal = await FileJournal.open({
    directory,
    sealer: sealerOf(new Uint8Array(32).fill(1)),
    segmentBytes: 20_000,
    disk: diskThat(mayDie, around),
  })
  const l1 = new SequencerL1(rpcUrl, ADDRESS, KEY, {
    pollMilliseconds: 5,
    // No node is silent because the machine stood still.
    timeoutMilliseconds: 120_000,
    transport: async (url, body) => {
      const ask = async (): Promise<string> => (await fetch(url, { method: 'POST', body })).text()
      return body.includes('eth_sendRawTransaction') ? around(ask) : ask()
    },
  })
  const house = new House({
    rpcUrl,
    deployment: simDeployment(),
    domain: 12345n,
    l1,
    prove: (_key, input) => around(async () => proofOf(input)),
    feeAccountViewKey: FEE_VIEW_KEY,
    keys: [{ shape: SHAPE, keyHash: '22'.repeat(32), zkeyPath: 'x.development.zkey' } as ShapeKey],
    fee: FEE,
    tableByRoot: (root) => (root === table.root ? table : undefined),
    log: () => {},
    journal,
  })
  await house.open()
  await house.meetL1()
  await work(house)
  writeSync(1, `steps ${steps()}\n`)
  writeSync(1, `root ${house.ledger.tree.root}\n`)
  for (const account of ACCOUNTS) {
    const { cash, balances } = house.ledger.accounts.get(account) ?? { cash: 0n, balances: [] }
    writeSync(1, `account ${account} ${cash} ${balances.map(({ quantity }) => quantity).join()}\n`)
  }
  await house.close()
}

/** Everything again from the start, as clients do that do not know what has arrived. */
async function work(house: House): Promise<void> {
  for (const [i, account] of ACCOUNTS.entries()) {
    const key = eighthOf(keys[i] as (typeof keys)[number])
    await house.countersign(ADDRESS, key, BigInt(account))
    await house.showDeposit(account, BigInt(account))
  }
  while (ACCOUNTS.some((account) => (house.ledger.accounts.get(account)?.cash ?? 0n) === 0n))
    await house.runBatch()
  for (let i = 1; i <= TRADES; i++) {
    const entries = [{ instrument: FUTURE, quantity: BigInt(i), price: 50_000_000n }]
    const [buyer, seller] = ACCOUNTS
    const asked = { clientId: `t${i}`, counterparty: seller, entries, payload: BigInt(i) }
    const ticket = await house.propose(buyer, asked)
    if ('refused' in ticket) throw new Error(ticket.detail)
    await house.affirm(seller, ticket.id)
    const page: Page = {
      kind: 'trade',
      account: buyer,
      counterparty: seller,
      stamp: ticket.stamp,
      maxFee: FEE,
      payload: ticket.payload,
      entries,
    }
    for (const [k, own] of [page, counterPage(page, FEE)].entries()) {
      if (ticket.state !== 'stamped') break
      const head = house.ledger.headOf(own.account) as bigint
      const signature = sign(keys[k] as (typeof keys)[number], headAfter(head, own))
      const said = await house.ask({
        kind: 'page',
        ticket: ticket.id,
        signed: { page: own, signature },
      })
      if ('refused' in said) throw new Error(said.detail)
      if (said.complete) writeSync(1, `acknowledged t${i}\n`)
    }
    // The second is left for the batch of the third.
    if (i !== 2) await house.runBatch()
  }
  while ([...house.ledger.pending.values()].some((pages) => pages.length > 0))
    await house.runBatch()
  const states = [...house.desk.tickets.values()].map(
    ({ clientId, state }) => `${clientId} ${state}`,
  )
  for (const state of states) writeSync(1, `ticket ${state}\n`)
}

const [directory, rpcUrl, dieAt] = process.argv.slice(2)
if (process.argv[1]?.endsWith('service.ts') === true)
  await serve(String(directory), String(rpcUrl), Number(dieAt))
