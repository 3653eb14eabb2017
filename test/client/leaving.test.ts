/** Leaving with a seed: the account's latest leaf, whatever lies between, and whatever a node once told. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Account } from '../../circuits/account.ts'
import { leaving } from '../../client/cli/leaving.ts'
import { latestAccount } from '../../client/exit/claim.ts'
import { KeyRing, ROTATION_GAP } from '../../client/key-ring.ts'
import { Seed } from '../../client/keys.ts'
import { challengeOf } from '../../client/l1/batch-words.ts'
import { OpenError } from '../../client/l1/open.ts'
import { connect } from '../../client/l1/rpc.ts'
import { scan } from '../../client/l1/scan.ts'
import type { Member } from '../law/house.ts'
import { FakeNode } from './fake-node.ts'
import {
  depositSeeded,
  HOME,
  joinSeeded,
  rotateOnL1,
  rotateSeeded,
  seedBytes,
  seedFolder,
} from './seeded.ts'
import { SyntheticL1 } from './synthetic.ts'

const SEED = seedBytes(7)

describe('the latest leaf, which a claim is made of', () => {
  const latest = async (chain: SyntheticL1, member: Member): Promise<Account> => {
    const there = new FakeNode(HOME, chain.events)
    const found = await scan(await connect(there.transport, HOME.contract))
    return latestAccount(found, new KeyRing(new Seed(SEED), 'ANN'), member.index)
  }

  it('opens, whoever held the account between: a thief of its trading key who is out again', async () => {
    const chain = new SyntheticL1(HOME)
    const member = joinSeeded(chain, SEED, 'ANN')
    chain.batch({ credits: [depositSeeded(chain, member, SEED, 'ANN', 0, 7n)] })
    rotateSeeded(chain, member, seedBytes(99), 'THIEF', 0)
    chain.batch()
    // The owner key comes back by L1, the view key by a page: only then does the seed open the leaf.
    rotateOnL1(chain, member, SEED, 'ANN', 1)
    chain.batch()
    await expect(latest(chain, member)).rejects.toThrow('no view key of this seed')
    rotateSeeded(chain, member, SEED, 'ANN', 2)
    chain.batch()
    expect(await latest(chain, member)).toEqual(chain.house.accounts.get(member.index))
  })

  it('is found behind more rotations than the gap, where each was in force for a batch', async () => {
    const chain = new SyntheticL1(HOME)
    const member = joinSeeded(chain, SEED, 'ANN')
    chain.batch()
    for (const rotation of [ROTATION_GAP - 1, 2 * ROTATION_GAP - 2]) {
      rotateSeeded(chain, member, SEED, 'ANN', rotation)
      chain.batch()
    }
    expect(await latest(chain, member)).toEqual(chain.house.accounts.get(member.index))
  })
})

describe('leaving', () => {
  const own = seedFolder(SEED, 'ANN')
  const chain = new SyntheticL1(HOME)
  const ann = joinSeeded(chain, SEED, 'ANN')
  const ben = joinSeeded(chain, seedBytes(8), 'BEN')
  chain.batch({ credits: [depositSeeded(chain, ann, SEED, 'ANN', 0, 7n)] })
  const node = new FakeNode(HOME, chain.events)
  let url: string
  beforeAll(async () => {
    url = await node.listen()
  })
  afterAll(() => {
    node.stop()
    rmSync(own.folder, { recursive: true, force: true })
  })
  const at = (state: string, label = 'ANN', account?: string) => {
    const place = { rpc: url, contract: HOME.contract, state, json: true, timeout: 1 }
    const named = account === undefined ? {} : { account }
    return leaving({ ...place, key: own.path, label, note: () => {}, ...named })
  }
  const opened = async (state: string): Promise<Account> => {
    const { found, key, account } = await at(state)
    return latestAccount(found, key.ring, account)
  }

  it('is not stopped by what an untrue node left in the state directory', async () => {
    const state = join(own.folder, 'leaving')
    const last = chain.house.batchNumber
    // The liar alters a ciphertext and the challenge with it: no root shows that.
    node.told = (events) =>
      events.map((e) => {
        if (e.kind !== 'batch' || e.number !== last) return e
        const words = e.words.map((w, i) => (i === 39 + 12 ? w + 1n : w))
        const keyHash = `0x${'22'.repeat(32)}`
        const { x } = challengeOf({ ...HOME, keyHash, commitment: e.commitment }, words)
        return { ...e, words, x }
      })
    await expect(opened(state)).rejects.toThrow(OpenError)
    node.told = (events) => events
    expect(await opened(state)).toEqual(chain.house.accounts.get(ann.index))
    // What opens is not read again, nor what is nobody's of this seed.
    const logs = node.countOf('eth_getLogs')
    await opened(state)
    await expect(at(state, 'NOBODY')).rejects.toThrow('no account on L1 opens')
    expect(node.countOf('eth_getLogs')).toBe(logs)
  })

  it('goes on with an account that does not open, for what needs no opening', async () => {
    const state = join(own.folder, 'foreign')
    const { account, owner } = await at(state, 'ANN', `${ben.index}`)
    expect([account, BigInt(owner)]).toEqual([ben.index, BigInt(`0x${'11'.repeat(20)}`)])
  })
})
