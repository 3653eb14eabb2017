/** The seed alone finds everything; a wrong one is told from a lost page and from an empty account. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Account } from '../../circuits/account.ts'
import { sign } from '../../circuits/eddsa.ts'
import { headAfter } from '../../circuits/page.ts'
import { cloister } from './command.ts'
import { appendLine, type SignedPage } from '../../client/journal-file.ts'
import { memberKeys } from '../../client/keys.ts'
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
import type { Member } from '../law/house.ts'

const SEED = seedBytes(7)
const OTHER = seedBytes(8)
let l1: SyntheticL1
let ann: Member
let ben: Member
let node: FakeNode
let url: string
const own = seedFolder(SEED, 'ANN')
const other = seedFolder(OTHER, 'BEN')
/** What each batch left in ANN's account, as the house itself had it. */
const kept: Account[] = []
/** What ANN signed, in order. */
const signed: SignedPage[] = []

/** As ANN's journal has them: pages that wait in the house, on the head that they continue. */
function write(): void {
  let previousHead = (l1.house.accounts.get(ann.index) as Account).head
  for (const page of ann.pending) {
    const head = headAfter(previousHead, page)
    const clientId = `page-${signed.length + 1}`
    signed.push({ clientId, page, previousHead, head, signature: sign(ann.key, head) })
    previousHead = head
  }
}

function keep(): void {
  kept.push(l1.house.accounts.get(ann.index) as Account)
}

beforeAll(async () => {
  l1 = new SyntheticL1(HOME)
  ann = joinSeeded(l1, SEED, 'ANN')
  ben = joinSeeded(l1, OTHER, 'BEN')
  // Counter 0 never reached L1: a transaction that failed after its counter was written down.
  l1.batch({
    credits: [
      depositSeeded(l1, ann, SEED, 'ANN', 1, 1_000_000_000n),
      depositSeeded(l1, ben, OTHER, 'BEN', 0, 2_000_000_000n),
    ],
  })
  keep()
  l1.house.trade(ann, ben, [
    { instrument: 1024, quantity: 5n, price: 50_100_000n },
    { instrument: 1025, quantity: -7n, price: 2_000_000n },
  ])
  write()
  l1.batch()
  keep()
  // By page, and not to the next rotation but to the third: two came to nothing.
  rotateSeeded(l1, ann, SEED, 'ANN', 3)
  write()
  l1.batch()
  keep()
  rotateOnL1(l1, ann, SEED, 'ANN', 4)
  l1.settle(1024, 70_000_000n)
  l1.batch()
  keep()
  l1.house.withdraw(ann, 1, 1_000_000n, BigInt(`0x${'11'.repeat(20)}`))
  write()
  l1.batch()
  keep()
  l1.batch({ cover: [ann.index] })
  keep()
  depositSeeded(l1, ann, SEED, 'ANN', 2, 5n)
  node = new FakeNode(HOME, l1.events)
  url = await node.listen()
})
afterAll(() => {
  node.stop()
  for (const { folder } of [own, other]) rmSync(folder, { recursive: true, force: true })
})

const rebuild = (...more: string[]) =>
  cloister('rebuild', '--rpc', url, '--contract', HOME.contract, ...more)

type Json = {
  readonly ok: boolean
  readonly root: string
  readonly message?: string
  readonly batches: readonly { readonly number: string; readonly root: string }[]
  readonly leaves?: readonly { readonly index: number; readonly leaf: string }[]
  readonly cost: { readonly bytesPerBatch: number; readonly batches: number }
  readonly accounts: readonly {
    readonly account: number
    readonly pending?: readonly string[]
    readonly touchedBy: number
    readonly now: { readonly balances: unknown; readonly head: string } | null
    readonly deposits: readonly unknown[]
    readonly history: readonly Record<string, unknown>[]
  }[]
}
async function rebuildJson(...more: string[]): Promise<Json> {
  const { code, out } = await rebuild('--json', ...more)
  expect(code, out).toBe(0)
  return JSON.parse(out) as Json
}

describe('the house', () => {
  it('has after each batch the root that the chain has, and every leaf', async () => {
    const { root, batches, leaves, cost } = await rebuildJson('--leaves')
    expect(root).toBe(`${l1.house.tree.root}`)
    expect(batches.map(({ root }) => root)).toEqual(
      l1.events.flatMap((e) => (e.kind === 'batch' ? [`${e.newRoot}`] : [])),
    )
    expect(leaves?.map(({ index, leaf }) => [index, BigInt(leaf)])).toEqual(
      [0, ann.index, ben.index].map((i) => [i, l1.house.tree.leaf(i)]),
    )
    expect(cost).toMatchObject({ batches: 6, bytesPerBatch: 79 * 32 })
  })
  it('read from a block behind its first is no fault of L1', async () => {
    const last = l1.events.at(-1)?.block ?? 0
    const { code, err } = await rebuild('--from-block', `${last}`)
    expect([code, err]).toEqual([2, expect.stringContaining(`--from-block ${last} must not lie`)])
  })

  it('is told to people with the cost, and progress goes to stderr', async () => {
    const { code, out, err } = await rebuild()
    expect(code).toBe(0)
    expect(out).toContain("6, each root equal to the chain's")
    expect(out).toContain('320 a touched account')
    expect(err).toContain('read blocks 0 to')
    expect((await rebuild('--json')).err).toBe('')
  })
})

describe('help', () => {
  it.each([
    ['rebuild', ['--key', '--state', '--leaves', 'Nothing is believed but L1', 'Exit codes']],
    ['disclose', ['grant', 'read', 'list', 'cannot be taken back', 'Exit codes']],
    ['disclose grant', ['--from', '--to', '--out', '--purpose', '2026-01-31', 'mode 0600']],
    ['disclose read', ['--contract', 'a node of your own choice']],
  ])('of %s teaches its use', async (command, words) => {
    const { code, out } = await cloister(...command.split(' '), '--help')
    expect(code).toBe(0)
    for (const word of words) expect(out).toContain(word)
  })
})

describe('a frozen house', () => {
  it('is shown as such', async () => {
    const stopped = new SyntheticL1(HOME)
    joinSeeded(stopped, SEED, 'ANN')
    stopped.batch()
    stopped.emit({ kind: 'frozen', ground: 2, claimsEndAt: 1_600_000_000n })
    const there = new FakeNode(HOME, stopped.events)
    const argv = ['rebuild', '--rpc', await there.listen(), '--contract', HOME.contract]
    expect((await cloister(...argv)).out).toContain('claims until 2020-09-13T12:26:40Z')
    expect(JSON.parse((await cloister(...argv, '--json')).out)).toMatchObject({
      frozen: { ground: 2, claimsEndAt: '1600000000' },
    })
    there.stop()
  })
})

describe('the account', () => {
  it('is found by the seed alone, through rotations by page and from L1', async () => {
    const { accounts } = await rebuildJson('--key', own.path, '--label', 'ANN')
    expect(accounts.length).toBe(1)
    const [account] = accounts
    expect(account?.account).toBe(ann.index)
    expect(account?.history.map((step) => step['head'])).toEqual(kept.map((k) => `${k.head}`))
    expect(account?.history.map((step) => step['ownerKeyHash'])).toEqual(
      kept.map((k) => `${k.ownerKeyHash}`),
    )
    expect(account?.now?.balances).toEqual([
      { id: 1, instrument: 'cash', lots: `${kept.at(-1)?.cash}` },
      expect.objectContaining({ id: 1025, lots: '-7' }),
    ])
  })
  it('has a history of what L1 shows', async () => {
    const { accounts } = await rebuildJson('--key', own.path, '--label', 'ANN')
    const [account] = accounts
    const [first, trade, rotated, onL1, withdrawal, cover] = account?.history ?? []
    expect(first).toMatchObject({ event: 'registered', pages: 0, deposits: ['1'], byPages: [] })
    expect(trade).toMatchObject({
      event: null,
      pages: null,
      byPages: [
        { id: 1, lots: `${-5n * 50_100_000n + 7n * 2_000_000n - 100n}` },
        { id: 1024, lots: '5' },
        { id: 1025, lots: '-7' },
      ],
    })
    expect(rotated).toMatchObject({ event: 'keys rotated by page', pages: null })
    // The settled future is converted by the first batch that touches the account.
    expect(onL1).toMatchObject({
      event: 'key rotated on L1',
      pages: 0,
      conversions: [{ id: 1024, lots: '5', value: '70000000', cash: '350000000' }],
      byPages: [],
    })
    expect(withdrawal).toMatchObject({
      paidToOwner: [{ slot: 0, token: 1, lots: '1000000' }],
      byPages: [{ id: 1, lots: '-1000100' }],
    })
    expect(cover).toMatchObject({ event: null, pages: 0, changes: [], byPages: [] })
    expect(account?.deposits).toEqual([
      { id: '1', token: 1, lots: '1000000000', status: 'consumed', batch: '1' },
      { id: '3', token: 1, lots: '5', status: 'open', batch: null },
    ])
  })
  describe('with its journal beside the seed', () => {
    const journal = join(own.folder, 'journal.jsonl')
    const fill = (pages: readonly SignedPage[]): void => {
      rmSync(journal, { force: true })
      let size = 0
      for (const page of pages)
        size = appendLine(journal, size, { type: 'page', signedAt: 1n, ...page })
    }
    afterEach(() => rmSync(journal, { force: true }))
    const ask = async (): Promise<Json['accounts'][number]> => {
      const { accounts } = await rebuildJson('--key', own.path, '--label', 'ANN')
      return accounts[0] as Json['accounts'][number]
    }

    it('has every page of it in a batch, and every change explained to the unit', async () => {
      fill(signed)
      const { history, pending } = await ask()
      expect(pending).toEqual([])
      expect(history.map((step) => [step['pages'], step['settled'], step['unexplained']])).toEqual([
        [0, [], []],
        [1, ['page-1'], []],
        [1, ['page-2'], []],
        [0, [], []],
        [1, ['page-3'], []],
        [0, [], []],
      ])
      expect((await rebuild('--key', own.path, '--label', 'ANN')).out).toContain('1 page: cash')
    })
    it('shows a page that was signed and lost: no batch has it', async () => {
      const head = kept.at(-1)?.head ?? 0n
      const page = { ...(signed[0] as SignedPage).page, payload: 77n }
      const lost = { clientId: 'lost', page, previousHead: head, head: headAfter(head, page) }
      fill([...signed, { ...lost, signature: sign(ann.key, lost.head) }])
      expect((await ask()).pending).toEqual(['lost'])
      const { out } = await rebuild('--key', own.path, '--label', 'ANN')
      expect(out).toContain('1 signed pages are not settled and not counted here: lost')
    })
    it('that lacks a page says so where it lacks it, and only there', async () => {
      fill(signed.slice(1))
      const { history } = await ask()
      expect(history.map((step) => step['pages'])).toEqual([0, null, 1, 0, 1, 0])
      expect(history[1]).not.toHaveProperty('settled')
    })
    it('that was altered explains nothing: its pages do not lead to the heads', async () => {
      const [first] = signed as [SignedPage]
      const entries = first.page.entries.map((e) => ({ ...e, price: e.price + 1n }))
      fill([{ ...first, page: { ...first.page, entries } }, ...signed.slice(1)])
      expect((await ask()).history[1]?.['pages']).toBeNull()
    })
    it('that is damaged keeps nobody from the account: it is said, and L1 explains the rest', async () => {
      fill(signed)
      const whole = readFileSync(journal)
      for (const damaged of [
        Buffer.concat([Buffer.from('garbage\n'), whole]),
        Buffer.concat([whole.subarray(0, 40), Buffer.from([0xff, 10]), whole.subarray(41)]),
      ]) {
        writeFileSync(journal, damaged)
        const found = await rebuildJson('--key', own.path, '--label', 'ANN')
        expect(found).toMatchObject({ ok: true, journalUnread: expect.stringContaining('line 1') })
        expect(found.accounts[0]?.now?.head).toBe(`${kept.at(-1)?.head}`)
        expect(found.accounts[0]?.pending ?? null).toBeNull()
        const { out } = await rebuild('--key', own.path, '--label', 'ANN')
        expect(out).toContain('WITHOUT THE JOURNAL, which cannot be read')
        const status = await cloister(
          'exit',
          'status',
          '--key',
          own.path,
          '--label',
          'ANN',
          '--rpc',
          'http://127.0.0.1:9',
          '--contract',
          HOME.contract,
        )
        // Past the journal, at the node.
        expect(status.err).toContain('could not be read: no connection')
      }
    })
  })
  it('of a member whose record is damaged is found by the name that was given', async () => {
    const dir = seedFolder(SEED, 'elsewhere')
    writeFileSync(join(dir.folder, 'member.json'), '{')
    const { code, out } = await rebuild('--member', 'ANN', '--dir', dir.folder, '--json')
    rmSync(dir.folder, { recursive: true, force: true })
    expect([code, (JSON.parse(out) as Json).accounts[0]?.account]).toEqual([0, ann.index])
  })
  it('touched once, and never', async () => {
    const few = new SyntheticL1(HOME)
    const member = joinSeeded(few, SEED, 'ANN')
    const before = new FakeNode(HOME, few.events)
    const at = await before.listen()
    const ask = async (): Promise<Json> => {
      const argv = ['rebuild', '--rpc', at, '--contract', HOME.contract, '--key', own.path]
      const { code, out } = await cloister(...argv, '--label', 'ANN', '--json')
      expect(code, out).toBe(0)
      return JSON.parse(out) as Json
    }
    expect((await ask()).accounts).toMatchObject([{ touchedBy: 0, now: null, history: [] }])
    few.batch()
    before.grow(few.events)
    expect((await ask()).accounts).toMatchObject([
      { account: member.index, touchedBy: 1, now: { balances: [] }, history: [{ pages: 0 }] },
    ])
    before.stop()
  })
  it('is not kept from its owner by others who use its public key', async () => {
    const crowd = new SyntheticL1(HOME)
    const own16 = joinSeeded(crowd, SEED, 'ANN')
    // Registered with ANN's key and a view key of one's own; below, rotated to ANN's key.
    joinSeeded(crowd, SEED, 'ANN', 99n)
    crowd.batch()
    const there = new FakeNode(HOME, crowd.events)
    const argv = ['rebuild', '--rpc', await there.listen(), '--contract', HOME.contract, '--json']
    const ask = async () => {
      const { code, out } = await cloister(...argv, '--key', own.path, '--label', 'ANN')
      expect(code, out).toBe(0)
      return JSON.parse(out) as Json & { unopened: readonly { account: number }[] }
    }
    expect((await ask()).accounts.map(({ account }) => account)).toEqual([own16.index])
    const eve = joinSeeded(crowd, OTHER, 'EVE')
    crowd.batch()
    rotateOnL1(crowd, eve, SEED, 'ANN', 0)
    crowd.batch()
    there.grow(crowd.events)
    const { accounts, unopened } = await ask()
    expect(accounts.map(({ account }) => account)).toEqual([own16.index])
    expect(unopened).toMatchObject([{ account: eve.index }])
    there.stop()
  })
  it('that came to the seed later is opened from then on', async () => {
    const bought = new SyntheticL1(HOME)
    const seller = joinSeeded(bought, OTHER, 'BEN')
    bought.batch({ credits: [depositSeeded(bought, seller, OTHER, 'BEN', 0, 500n)] })
    bought.batch({ cover: [seller.index] })
    rotateSeeded(bought, seller, SEED, 'ANN', 0)
    bought.batch()
    const there = new FakeNode(HOME, bought.events)
    const argv = ['rebuild', '--rpc', await there.listen(), '--contract', HOME.contract, '--json']
    const named = ['--key', own.path, '--label', 'ANN', '--account', `${seller.index}`]
    const { accounts } = JSON.parse((await cloister(...argv, ...named)).out) as Json
    expect(accounts).toMatchObject([
      { touchedBy: 3, earlier: 2, now: { balances: [{ id: 1, lots: '400' }] } },
    ])
    expect(accounts[0]?.history.map(({ batch }) => batch)).toEqual(['3'])
    // The former holder still reads what was its own, and is told where that ends.
    const former = await cloister(...argv, '--key', other.path, '--label', 'BEN')
    expect(former.code).toBe(1)
    const json = JSON.parse(former.out) as Json
    expect(json.accounts[0]?.history.map(({ batch }) => batch)).toEqual(['1', '2'])
    expect(json.message).toContain('opens the ciphertext of batch 3')
    const place = [...argv.slice(1, -1), '--key', other.path, '--label', 'BEN']
    const out = join(other.folder, 'former.grant')
    const grant = ['disclose', 'grant', ...place, '--from', '1', '--to', '2', '--out', out]
    expect((await cloister(...grant)).code).toBe(0)
    const later = ['--from', '1', '--to', '3', '--out', `${out}.2`]
    expect((await cloister('disclose', 'grant', ...place, ...later)).code).toBe(2)
    there.stop()
  })
  it('of a deposit whose counter lies far behind others that failed is still found', async () => {
    const far = new SyntheticL1(HOME)
    const member = joinSeeded(far, SEED, 'ANN')
    far.batch({ credits: [depositSeeded(far, member, SEED, 'ANN', 99, 3n)] })
    const there = new FakeNode(HOME, far.events)
    const at = await there.listen()
    const argv = ['rebuild', '--rpc', at, '--contract', HOME.contract, '--key', own.path]
    const { out } = await cloister(...argv, '--label', 'ANN', '--json')
    expect((JSON.parse(out) as Json).accounts[0]?.deposits).toMatchObject([{ lots: '3' }])
    there.stop()
  })
})

describe('a key that does not fit', () => {
  it('is named: another seed, another label, another account', async () => {
    const strange = seedFolder(seedBytes(9), 'ANN')
    for (const argv of [
      ['--key', strange.path, '--label', 'ANN'],
      ['--key', own.path, '--label', 'ANNE'],
    ]) {
      const { code, err } = await rebuild(...argv)
      expect(code).toBe(2)
      expect(err).toContain('no account on L1 was registered or rotated with a key of this seed')
    }
    rmSync(strange.folder, { recursive: true })
    const foreign = await rebuild('--key', own.path, '--label', 'ANN', '--account', `${ben.index}`)
    expect(foreign.code).toBe(2)
    expect(foreign.err).toContain('opens the ciphertext of batch 1')
    const none = await rebuild('--key', own.path, '--label', 'ANN', '--account', '99')
    expect(none.err).toContain('account 99 does not exist: accounts end before 18')
  })
  it('is not printed, whatever happens', async () => {
    const { viewKey } = memberKeys(SEED, 'ANN')
    const runs = [
      await rebuild('--key', own.path, '--label', 'ANN', '--json'),
      await rebuild('--key', own.path, '--label', 'ANN'),
      await rebuild('--key', own.path, '--label', 'ANN', '--account', `${ben.index}`),
    ]
    for (const { out, err } of runs) {
      for (const secret of [viewKey.toString(), viewKey.toString(16), '07'.repeat(8)])
        expect(`${out}${err}`).not.toContain(secret)
    }
  })
})
