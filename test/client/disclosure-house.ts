/** A member on L1 who discloses, an auditor who reads, and the command line between them. */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, expect } from 'vitest'
import type { Account } from '../../circuits/account.ts'
import { parseGrant, type Grant } from '../../client/disclosure/grant.ts'
import { cloister as run } from './command.ts'
import { FakeNode } from './fake-node.ts'
import { depositSeeded, HOME, joinSeeded, rotateSeeded, seedBytes, seedFolder } from './seeded.ts'
import { SyntheticL1 } from './synthetic.ts'

export const SEED = seedBytes(7)
export const DAY = 86_400n

/**
 * Batches 1 to 7, a day apart; ANN is touched by 1, 2, 4, 5 and 7, a rotation by page in 5. Ends with
 * the test file that asks for it.
 */
export async function discloseHouse() {
  const own = seedFolder(SEED, 'ANN')
  const kept = new Map<bigint, Account>()
  const l1 = new SyntheticL1(HOME, 'disclosure')
  const ann = joinSeeded(l1, SEED, 'ANN')
  // A sub-account: other owner keys, the same view key.
  const sub = joinSeeded(l1, SEED, 'ANN-2', ann.viewKey)
  const next = (parts: Parameters<SyntheticL1['batch']>[0] = {}): void => {
    l1.batch(parts)
    l1.house.time += DAY
    kept.set(l1.house.batchNumber, l1.house.accounts.get(ann.index) as Account)
  }
  next({
    credits: [
      depositSeeded(l1, ann, SEED, 'ANN', 0, 1_000_000_000n),
      depositSeeded(l1, sub, SEED, 'ANN-2', 0, 2_000_000_000n),
    ],
  })
  l1.house.trade(ann, sub, [{ instrument: 1024, quantity: 5n, price: 50_100_000n }])
  next()
  next({ cover: [sub.index] })
  l1.house.trade(ann, sub, [{ instrument: 1024, quantity: -2n, price: 50_200_000n }])
  next()
  rotateSeeded(l1, ann, SEED, 'ANN', 1)
  next()
  next({ cover: [sub.index] })
  l1.house.withdraw(ann, 1, 1_000_000n)
  next()
  const node = new FakeNode(HOME, l1.events)
  const url = await node.listen()
  afterAll(() => {
    node.stop()
    rmSync(own.folder, { recursive: true, force: true })
  })
  beforeEach(() => {
    node.grow(l1.events)
  })

  let files = 0
  /** A path where nothing is yet. */
  const fileOf = (kind: string): string => join(own.folder, `${++files}.${kind}`)
  const PLACE = ['--rpc', url, '--contract', HOME.contract]
  const KEY = ['--key', own.path, '--label', 'ANN']
  const grant = async (from: string, to: string, ...more: string[]) => {
    const file = fileOf('grant')
    const argv = ['disclose', 'grant', ...KEY, ...PLACE, '--from', from, '--to', to]
    return { ...(await cloister(...argv, '--out', file, ...more)), file }
  }
  const read = (file: string, ...more: string[]) =>
    cloister('disclose', 'read', file, ...PLACE, ...more)
  const made = async (from: string, to: string): Promise<{ file: string; grant: Grant }> => {
    const { code, file, err } = await grant(from, to)
    expect(code, err).toBe(0)
    return { file, grant: parseGrant(readFileSync(file, 'utf8')) }
  }
  return { own, l1, ann, sub, node, url, kept, fileOf, PLACE, KEY, grant, read, made }
}

export async function cloister(...argv: string[]) {
  const ran = await run(...argv)
  return { ...ran, json: () => JSON.parse(ran.out) as Record<string, unknown> }
}
