/** A member's directory against L1: whose account it is, and a chain that was begun anew at the same address. */
import { describe, expect, it } from 'vitest'
import { registeredAccount } from '../../client/cli/registration.ts'
import { newAccounts } from '../../client/day/l1-accounts.ts'
import { freePort, startL1, stopAll } from '../../client/day/processes.ts'
import { KeyRing } from '../../client/key-ring.ts'
import { Seed } from '../../client/keys.ts'
import { domainOf } from '../../client/l1/batch-words.ts'
import { replay } from '../../client/l1/replay.ts'
import { HOME, joinSeeded, OWNER, seedBytes } from './seeded.ts'
import { SyntheticL1 } from './synthetic.ts'

const ring = (n: number, label: string): KeyRing =>
  new KeyRing(new Seed(Buffer.from(seedBytes(n))), label)
function chainOf(...members: readonly (readonly [number, string])[]) {
  const l1 = new SyntheticL1(HOME)
  for (const [n, label] of members) joinSeeded(l1, seedBytes(n), label)
  return replay(l1.events, { domain: domainOf(HOME.chainId, HOME.contract) })
}
const ann = { name: 'ANN', ring: ring(1, 'ANN'), l1Address: OWNER }

describe('an account that a directory speaks of', () => {
  it('is found on L1 where it was not written down, with its owner on L1', () => {
    const rebuilt = chainOf([2, 'BEN'], [1, 'ANN'])
    expect(registeredAccount(rebuilt, { ...ann, account: null })).toBe(17)
    expect(registeredAccount(rebuilt, { ...ann, account: 17 })).toBe(17)
    const l1Address = `0x${'22'.repeat(20)}`
    expect(registeredAccount(rebuilt, { ...ann, account: null, l1Address })).toBeNull()
    expect(registeredAccount(rebuilt, { ...ann, ring: ring(3, 'ANN'), account: null })).toBeNull()
  })

  it.each([
    ['that nobody has', [] as const],
    ["that is another's", [[2, 'BEN']] as const],
    ['while its keys have another', [[2, 'BEN'] as const, [1, 'ANN'] as const] as const],
  ])('%s is of a chain that is gone: said, not waited for', (_, members) => {
    const known = { ...ann, account: 16 }
    expect(() => registeredAccount(chainOf(...members), known)).toThrow(
      /ANN has account 16 of a house that was at this address before.*another --dir/,
    )
  })
})

it('each day has accounts of its own, so its contract has an address of its own', async () => {
  const [one, other] = [newAccounts(2), newAccounts(2)]
  expect(one.accounts.map(({ address }) => address)).not.toEqual(
    other.accounts.map(({ address }) => address),
  )
  const port = await freePort()
  try {
    await startL1(port, one.phrase)
    const body = '{"jsonrpc":"2.0","id":1,"method":"eth_accounts","params":[]}'
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', headers, body })
    const { result } = (await answer.json()) as { readonly result: readonly string[] }
    const expected = one.accounts.map(({ address }) => address.toLowerCase())
    expect(result.slice(0, 2)).toEqual(expected)
  } finally {
    stopAll()
  }
}, 120_000)
