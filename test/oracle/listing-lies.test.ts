/** A lister that proposes the honest document, and binds its ids to something else: for good, if adopted. */
import { afterAll, beforeEach, expect, test } from 'vitest'
import { NoQuorum } from '../../oracle/collector/gather.ts'
import { postTable, type CollectorOptions } from '../../oracle/collector/rounds.ts'
import { specificationHash } from '../../oracle/registry.ts'
import { documentHash } from '../../oracle/signer/canonical.ts'
import { expiryOf, instrumentsBytes, type InstrumentSpec } from '../../oracle/signer/engine.ts'
import { bindingsIn, readHistory } from '../../oracle/verify/chain.ts'
import { verifyTable } from '../../oracle/verify/verify.ts'
import { mustRefuse, now, provider, send } from '../contracts/l1.ts'
import { DATED } from '../contracts/oracle-market.ts'
import { createOracleWorld, KEYS, LISTED, wait, WORLDS } from '../contracts/oracle-world.ts'
import { CALM, LIMITS, startSigner, type Node } from './signers.ts'

const CASH = DATED[0] as InstrumentSpec
const dated = LISTED.filter((spec) => 'expiry' in spec)
const fresh = dated.at(-1)!
const OLD = LISTED.filter(({ id }) => id < fresh.id)
const NEW = [...OLD, fresh]
const NEW_BYTES = instrumentsBytes([CASH, ...NEW])
const honest = {
  id: fresh.id,
  expiry: BigInt(expiryOf(fresh)),
  specification: specificationHash(fresh as never),
}
const OTHER_BYTES = instrumentsBytes([CASH, ...OLD.slice(1)])
const HOUR = 3600n

const world = await createOracleWorld({ listed: OLD })
const history = () => readHistory(provider, world.domain.contract)
const clock = { now: 0 }
const documents = { worlds: WORLDS, instruments: NEW_BYTES }
const start = (more: object) =>
  Promise.all(
    KEYS.slice(0, 3).map((key) => startSigner(world.domain, key, () => clock.now, documents, more)),
  )
const bindings = async () => bindingsIn(await history(), documentHash(NEW_BYTES))
const [seeing, blind] = [await start({ bindings }), await start({})]
afterAll(async () => {
  for (const node of [...seeing, ...blind]) await node.close()
})

let snapshot: string
beforeEach(async () => {
  if (snapshot !== undefined) await provider.send('evm_revert', [snapshot])
  snapshot = (await provider.send('evm_snapshot', [])) as string
  for (const { signer } of seeing) (signer as unknown as { bindings: unknown }).bindings = null
})

const list = (added: object, bytes = NEW_BYTES) =>
  send(world.admin, world.oracle, 'list', [added], bytes)
/** A second later than all before: signers sign two reports of one second never, and remember it when L1 is reverted. */
async function tick() {
  const time = await now()
  await wait(BigInt(Math.max(0, clock.now - Number(time))) + 1n)
  clock.now = Number(await now())
}
async function postBy(peers: readonly Node[]) {
  await tick()
  for (const node of peers) node.see(CALM, clock.now)
  const options: CollectorOptions = {
    provider,
    wallet: await provider.getSigner(world.anyone),
    contract: world.domain.contract,
    peers,
    limits: LIMITS,
  }
  return postTable(options)
}
const isListed = () => world.oracle.getFunction('isListed')(fresh.id) as Promise<boolean>
const verify = (number: bigint) =>
  verifyTable({ provider, contract: world.domain.contract, number })

const LIES: readonly (readonly [string, object])[] = [
  ['an expiry a second off, at which nothing could ever settle', { expiry: honest.expiry + 1n }],
  ['no expiry', { expiry: 0n }],
  ['another specification', { specification: `0x${'ab'.repeat(32)}` }],
]
test.each(LIES)('%s: no signer signs over it, no collector brings it', async (_, lie) => {
  await list({ ...honest, ...lie })
  await expect(postBy(seeing)).rejects.toThrow(NoQuorum)
  await expect(postBy(seeing)).rejects.toThrow('ListingMustMatchDocument')
  // And where signers look at nothing, the collector does.
  await expect(postBy(blind)).rejects.toThrow(`instruments ${fresh.id} must be`)
  expect(await isListed()).toBe(false)
})
test('put right, with another document between them, it is listed; and what L1 says is asked no more', async () => {
  await list({ ...honest, expiry: 0n })
  await expect(postBy(seeing)).rejects.toThrow('ListingMustMatchDocument')
  await wait(HOUR)
  await mustRefuse('DocumentMustBeNew', world.admin, world.oracle, 'list', [honest], NEW_BYTES)
  await send(world.admin, world.oracle, 'list', [], OTHER_BYTES)
  await expect(postBy(seeing)).rejects.toThrow('DocumentMustBeOnL1')
  await wait(HOUR)
  await list(honest)
  await postBy(seeing)
  expect(await isListed()).toBe(true)
  expect((await bindings())?.isFinal).toBe(true)
  await postBy(seeing)
  const verified = await verify(2n)
  expect(verified.checks.filter(({ holds }) => !holds)).toEqual([])
})
test('adopted by a quorum of liars, it is found by whoever verifies', async () => {
  await list({ ...honest, expiry: honest.expiry + 1n })
  await tick()
  const signed = await Promise.all(
    blind.map(async ({ see, signer }) => {
      see(CALM, clock.now)
      return signer.report(
        1n,
        clock.now,
        NEW.map(({ id }) => id),
      )
    }),
  )
  await send(
    world.anyone,
    world.oracle,
    'post',
    signed[0]!.report,
    signed.map(({ signature }) => signature),
  )
  const { checks } = await verify(1n)
  expect(checks.filter(({ holds }) => !holds).map(({ what }) => what)).toEqual([
    'instruments bound to another specification or expiry',
  ])
})
