/** Rebuild and disclosure on a chain with the real contract and real proofs, and its last batch lost. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eighthOf } from '../../circuits/eddsa.ts'
import { cloister as run } from './command.ts'
import { memberKeys } from '../../client/keys.ts'
import { httpTransport } from '../../client/l1/rpc.ts'
import type { Member } from '../law/house.ts'
import { TestChain } from './chain.ts'
import { seedBytes, seedFolder } from './seeded.ts'

const SEED = seedBytes(3)
const own = seedFolder(SEED, 'ANN')
const state = join(own.folder, 'l1')
let chain: TestChain
let ann: Member

/** The next to join has the keys of the seed. */
function useSeed(): void {
  const join = chain.house.join.bind(chain.house)
  chain.house.join = (index?: number) => {
    const joined = join(index)
    const keys = memberKeys(SEED, 'ANN')
    Object.assign(joined.member, { key: keys.signing, viewKey: keys.viewKey })
    chain.house.viewKeys.set(joined.member.index, keys.viewKey)
    chain.house.join = join
    const { request } = joined
    const key = eighthOf(keys.signing)
    return { ...joined, request: { ...request, key, viewKeyHash: keys.viewKeyHash } }
  }
}

beforeAll(async () => {
  chain = await TestChain.start()
  useSeed()
  ann = await chain.join()
  const ben = await chain.join()
  await chain.batch({
    credits: [await chain.deposit(ann, 1_000_000_000n), await chain.deposit(ben, 2_000_000_000n)],
  })
  chain.house.trade(ann, ben, [{ instrument: 1024, quantity: 5n, price: 50_100_000n }])
  await chain.batch()
})
afterAll(() => {
  chain?.stop()
  rmSync(own.folder, { recursive: true, force: true })
})

async function cloister(...argv: string[]) {
  const ran = await run(...argv, '--json')
  return { ...ran, json: () => JSON.parse(ran.out) as Shown }
}
type Shown = {
  readonly root: string
  readonly batches: readonly { readonly number: string; readonly root: string }[]
  readonly accounts: readonly {
    readonly account: number
    readonly now: { readonly head: string }
  }[]
  readonly state: { readonly mended: readonly string[]; readonly resumedAfterBatch: string }
}
const place = (): string[] => ['--rpc', chain.url, '--contract', chain.contract]
const key = ['--key', own.path, '--label', 'ANN']
const rebuild = () => cloister('rebuild', ...place(), ...key, '--state', state)

describe('a chain with real proofs', () => {
  it('is rebuilt, and the account opened, from the seed alone', async () => {
    const { code, out, json } = await rebuild()
    expect(code, out).toBe(0)
    const { root, batches, accounts } = json()
    expect(root).toBe(`${chain.house.tree.root}`)
    expect(batches.map(({ number }) => number)).toEqual(['1', '2'])
    expect(accounts).toMatchObject([
      { account: ann.index, now: { head: `${chain.house.accounts.get(ann.index)?.head}` } },
    ])
  })
  it('is read by an auditor who has a grant, and no seed', async () => {
    const file = join(own.folder, 'audit.grant')
    const made = await cloister(
      ...['disclose', 'grant', ...key, ...place(), '--from', '2', '--to', '2', '--out', file],
    )
    expect(made.code, made.out).toBe(0)
    const { code, json } = await cloister('disclose', 'read', file, ...place())
    expect(code).toBe(0)
    expect(json()).toMatchObject({
      account: ann.index,
      before: { batch: '1' },
      batches: [
        {
          batch: '2',
          byPages: [
            { id: 1, lots: '-250500100' },
            { id: 1024, lots: '5' },
          ],
        },
      ],
    })
  })
  it('without its last batch is rebuilt without it, and with it when it comes again', async (test) => {
    const send = httpTransport(chain.url)
    const before = (await rebuild()).json()
    const raw = await lastBatch(send, chain.contract)
    try {
      await send('anvil_reorg', [1, []])
    } catch {
      return test.skip('this node cannot reorganise its chain: anvil can')
    }
    const without = (await rebuild()).json()
    expect(without.batches).toEqual(before.batches.slice(0, 1))
    expect(without.state.mended.join()).toContain('is another one now')
    expect(without.accounts[0]?.now.head).not.toBe(before.accounts[0]?.now.head)
    await send('eth_sendRawTransaction', [raw])
    await send('evm_mine', [])
    const again = (await rebuild()).json()
    expect(again.root).toBe(before.root)
    expect(again.batches.map(({ root }) => root)).toEqual(before.batches.map(({ root }) => root))
    expect(again.accounts[0]?.now).toEqual(before.accounts[0]?.now)
    expect(existsSync(state)).toBe(true)
  })
})

/** The signed transaction of the latest Batch event, or null where the node does not give it. */
async function lastBatch(
  send: ReturnType<typeof httpTransport>,
  contract: string,
): Promise<unknown> {
  const asked = { address: contract, fromBlock: '0x0', toBlock: 'latest' }
  const logs = (await send('eth_getLogs', [asked])) as { transactionHash: string }[]
  const hash = logs.at(-1)?.transactionHash
  return send('eth_getRawTransactionByHash', [hash]).catch(() => null)
}
