/** Nothing of a grant can be altered: by who reads it, by its own signer, by anybody else. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  parseGrant,
  renderGrant,
  signGrant,
  type GrantBody,
} from '../../client/disclosure/grant.ts'
import { memberKeys } from '../../client/keys.ts'
import { cloister, discloseHouse, SEED } from './disclosure-house.ts'
import { FakeNode } from './fake-node.ts'
import { HOME } from './seeded.ts'
import { SyntheticL1 } from './synthetic.ts'

const { own, node, url, fileOf, read, made } = await discloseHouse()

/** As JSON.parse gives it. */
type File = Record<'period' | 'log' | 'signature', object> & { readonly keys: readonly unknown[] }

describe('a grant that was altered', () => {
  const edits: readonly (readonly [string, (json: File) => unknown])[] = [
    ['the account', (j) => ({ ...j, account: 17 })],
    ['the purpose', (j) => ({ ...j, purpose: 'something else' })],
    ['the description', (j) => ({ ...j, opens: 'Opens everything.' })],
    ['the contract', (j) => ({ ...j, contract: `0x${'C2'.repeat(20)}` })],
    ['the chain', (j) => ({ ...j, chainId: '1' })],
    ['the domain', (j) => ({ ...j, domain: '1' })],
    ['the period', (j) => ({ ...j, period: { ...j.period, to: '6' } })],
    ['the date', (j) => ({ ...j, issuedAt: '2020-01-01T00:00:00.000Z' })],
    ['the place in the log', (j) => ({ ...j, log: { ...j.log, number: 99 } })],
    ['a field more', (j) => ({ ...j, note: 'trust me' })],
    ['a key left out', (j) => ({ ...j, keys: j.keys.slice(1) })],
    ['a key twice', (j) => ({ ...j, keys: [...j.keys, j.keys.at(-1)] })],
    ['the signature', (j) => ({ ...j, signature: { ...j.signature, s: '5' } })],
    ['the signer', (j) => ({ ...j, signer: { x: '0', y: '1' } })],
    ['no keys', (j) => ({ ...j, keys: [] })],
    ['a number with a leading zero', (j) => ({ ...j, chainId: '04242' })],
    ['an account that is a text', (j) => ({ ...j, account: '16' })],
    ['another format', (j) => ({ ...j, format: 'cloister.grant.v2' })],
  ]
  it.each(edits)('in %s is not read', async (_name, edit) => {
    const { file } = await made('4', '5')
    const json = JSON.parse(readFileSync(file, 'utf8')) as File
    const bad = fileOf('bad')
    writeFileSync(bad, JSON.stringify(edit(json)), { mode: 0o600 })
    const { code, out } = await read(bad, '--json')
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({ ok: false, exitCode: 1 })
  })
  it('in any one digit of a key is not read', async () => {
    const { file } = await made('4', '5')
    const text = readFileSync(file, 'utf8')
    for (const name of ['batchKey', 'batchNonce', 'ownerKeyHash', 'viewKeyHash']) {
      const at = text.indexOf(`"${name}": "`) + name.length + 6
      const digit = text[at] === '1' ? '2' : '1'
      expect(() => parseGrant(text.slice(0, at) + digit + text.slice(at + 1))).toThrow('altered')
    }
    expect(() => parseGrant(text.slice(0, -2))).toThrow('is no JSON')
    // Another order and other spaces are the same grant.
    const { format, ...rest } = JSON.parse(text) as Record<string, unknown>
    expect(parseGrant(JSON.stringify({ ...rest, format }))).toEqual(parseGrant(text))
  })

  const forged = async (change: (body: GrantBody) => GrantBody, signer = 1): Promise<string> => {
    const { grant } = await made('4', '5')
    const { signer: _s, signature: _g, ...body } = grant
    const again = signGrant(change(body), memberKeys(SEED, 'ANN', signer).signing)
    const file = fileOf('forged')
    writeFileSync(file, renderGrant(again), { mode: 0o600 })
    return file
  }
  it.each<readonly [string, (b: GrantBody) => GrantBody, string]>([
    [
      'without a batch of the period',
      (b) => ({ ...b, keys: b.keys.filter((k) => k.batch !== 4n) }),
      'leaves out batch 4',
    ],
    ['without the batch before', (b) => ({ ...b, keys: b.keys.slice(1) }), 'leaves out batch 2'],
    [
      'with another key',
      (b) => ({ ...b, keys: b.keys.map((k, i) => (i === 0 ? { ...k, batchKey: 5n } : k)) }),
      'the batch key does not open',
    ],
    [
      'with another nonce',
      (b) => ({ ...b, keys: b.keys.map((k, i) => (i === 0 ? { ...k, batchNonce: 5n } : k)) }),
      'has another nonce',
    ],
    [
      'with another view key hash',
      (b) => ({ ...b, keys: b.keys.map((k, i) => (i === 0 ? { ...k, viewKeyHash: 5n } : k)) }),
      'other key hashes',
    ],
    [
      'with a batch that did not touch',
      (b) => ({ ...b, keys: b.keys.map((k, i) => (i === 0 ? { ...k, batch: 3n } : k)) }),
      'batch 3 did not touch',
    ],
    [
      'for another account',
      (b) => ({ ...b, account: 17 }),
      'has another nonce|does not open|did not touch',
    ],
    ['for an account that is not there', (b) => ({ ...b, account: 99 }), 'does not exist'],
    [
      'for a period that is not there yet',
      (b) => ({ ...b, period: { ...b.period, to: 9n } }),
      'is the node behind',
    ],
    [
      'with a key outside the period',
      (b) => ({ ...b, period: { ...b.period, to: 4n } }),
      'lies outside the period',
    ],
    [
      'with a longer period than its keys',
      (b) => ({ ...b, period: { ...b.period, to: 7n } }),
      'leaves out batch 7',
    ],
  ])('by its own signer, %s, does not hold', async (_name, change, why) => {
    const { code, out } = await read(await forged(change))
    expect(code).toBe(1)
    expect(out).toMatch(new RegExp(why))
  })
  it('signed by anybody but the owner as of its last batch does not hold', async () => {
    expect((await read(await forged((b) => b))).code).toBe(0)
    const { code, out } = await read(await forged((b) => b, 0))
    expect(code).toBe(1)
    expect(out).toContain('the signer is not the owner of account 16 as of batch 5')
  })
  it('for another chain or house says which', async () => {
    const { file } = await made('4', '5')
    const other = { chainId: 1n, contract: HOME.contract }
    const mainnet = new FakeNode(other, new SyntheticL1(other).events)
    const at = await mainnet.listen()
    const chain = await cloister('disclose', 'read', file, '--rpc', at)
    expect(chain).toMatchObject({ code: 1 })
    expect(chain.out).toContain('the grant is for chain 4242, this node is of chain 1')
    mainnet.stop()
    const house = `0x${'C2'.repeat(20)}`
    const wrong = await cloister('disclose', 'read', file, '--rpc', url, '--contract', house)
    expect(wrong.code).toBe(1)
    expect(wrong.out).toMatch(/is for the house 0xC1.*, not for 0x[cC]2/)
  })
  it('is not blamed for what an untrue node left in the state directory', async () => {
    const { file } = await made('4', '5')
    const state = join(own.folder, 'state')
    // The liar alters a ciphertext and the challenge with it: no root shows that.
    const { challengeOf } = await import('../../client/l1/batch-words.ts')
    node.told = (events) =>
      events.map((e) => {
        if (e.kind !== 'batch' || e.number !== 4n) return e
        const words = e.words.map((w, i) => (i === 39 + 12 ? w + 1n : w))
        const keyHash = `0x${'22'.repeat(32)}`
        const { x } = challengeOf({ ...HOME, keyHash, commitment: e.commitment }, words)
        return { ...e, words, x }
      })
    const lied = await read(file, '--state', state)
    node.told = (events) => events
    expect(lied.code).toBe(1)
    expect(lied.out).toContain('altered words')
    // A grant that is itself at fault does not have L1 read again.
    const wrong = await forged((b) => ({
      ...b,
      keys: b.keys.map((k, i) => (i === 0 ? { ...k, batchKey: 5n } : k)),
    }))
    const logs = node.countOf('eth_getLogs')
    expect((await read(wrong, '--state', state)).code).toBe(1)
    expect(node.countOf('eth_getLogs') - logs).toBe(1)
    expect((await read(file, '--state', state)).code).toBe(0)
  })
})
