/**
 * The journal: nothing leaves unrecorded, nothing is signed twice, nothing odd is signed at all.
 */
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { verify } from '../../circuits/eddsa.ts'
import { headAfter, stampOf, type Page } from '../../circuits/page.ts'
import { Journal, JournalError, type JournalRefusal } from '../../client/journal.ts'
import { memberKeys } from '../../client/keys.ts'
import { addressOfPrivateKey, makeReceipt } from '../../client/receipt.ts'

const dir = mkdtempSync(join(tmpdir(), 'cloister-journal-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const NOW = 1_584_000_000n
const DOMAIN = 12345n
const key = memberKeys(new Uint8Array(32), 'A').signing
const genesis = { domain: DOMAIN, account: 16, head: 777n }
let path = ''
let count = 0
beforeEach(() => {
  path = join(dir, `journal-${count++}`)
})

const page = (over: Partial<Page> = {}): Page => ({
  kind: 'trade',
  account: 16,
  counterparty: 17,
  stamp: stampOf(NOW, 5n),
  maxFee: 1000n,
  payload: 1n,
  entries: [{ instrument: 1024, quantity: -5n, price: 50n }],
  ...over,
})
const options = (clientId: string) => ({ key, clientId, now: NOW })

function refusalOf(work: () => unknown): JournalRefusal | 'nothing' {
  try {
    work()
    return 'nothing'
  } catch (error) {
    if (error instanceof JournalError) return error.refusal
    throw error
  }
}

describe('signPage', () => {
  it('chains heads and signs each of them', () => {
    const journal = Journal.open(path, genesis)
    const first = journal.signPage(page(), options('a'))
    const second = journal.signPage(page({ payload: 2n }), options('b'))
    expect([first.previousHead, second.previousHead]).toEqual([777n, first.head])
    expect(second.head).toBe(headAfter(first.head, second.page))
    expect(verify(key.publicKey, second.head, second.signature)).toBe(true)
    expect(journal.state.head).toBe(second.head)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })
  it('is on the disk, and another process goes on from there', () => {
    const one = Journal.open(path, genesis)
    const two = Journal.open(path, genesis)
    const first = one.signPage(page(), options('a'))
    const second = two.signPage(page({ payload: 2n }), options('b'))
    expect(second.previousHead).toBe(first.head)
    expect(Journal.open(path, genesis).state).toEqual(two.state)
    expect(one.signPage(page({ payload: 3n }), options('c')).previousHead).toBe(second.head)
  })
  it('answers the same for the same client id, and refuses another page under it', () => {
    const journal = Journal.open(path, genesis)
    const first = journal.signPage(page(), options('a'))
    expect(journal.signPage(page(), options('a'))).toEqual(first)
    expect(readFileSync(path, 'utf8').split('\n').length).toBe(3)
    expect(refusalOf(() => journal.signPage(page({ payload: 2n }), options('a')))).toBe(
      'ClientIdMustBeNew',
    )
  })
  it.each([
    ['StampMustBeOnClock', { stamp: stampOf(NOW - 121n, 0n) }],
    ['StampMustBeOnClock', { stamp: stampOf(NOW + 121n, 0n) }],
    ['CounterpartyMustDiffer', { counterparty: 16 }],
    ['PageMustBeOwn', { account: 17, counterparty: 16 }],
    ['PageMustBeWellFormed', { counterparty: 3 }],
    ['PageMustBeWellFormed', { kind: 'rotation' }],
    ['PageMustBeWellFormed', { kind: 'withdrawal', counterparty: 0, payload: 0n }],
    ['PageMustBeWellFormed', { maxFee: -1n }],
  ] as const)('refuses with %s (%#)', (refusal, over) => {
    const journal = Journal.open(path, genesis)
    expect(refusalOf(() => journal.signPage(page(over as Partial<Page>), options('a')))).toBe(
      refusal,
    )
    expect(journal.state.head).toBe(777n)
  })
  it('accepts stamps at the bound', () => {
    const journal = Journal.open(path, genesis)
    journal.signPage(page({ stamp: stampOf(NOW - 120n, 0n) }), options('a'))
    journal.signPage(page({ stamp: stampOf(NOW + 120n, 0n) }), options('b'))
    expect(
      refusalOf(() =>
        journal.signPage(page({ stamp: stampOf(NOW + 2n, 0n) }), {
          ...options('c'),
          stampBoundSeconds: 1n,
        }),
      ),
    ).toBe('StampMustBeOnClock')
  })
  it('never signs a second page on one head', () => {
    const journal = Journal.open(path, genesis)
    journal.signPage(page(), { ...options('a'), onHead: 777n })
    expect(() =>
      journal.signPage(page({ payload: 2n }), { ...options('b'), onHead: 777n }),
    ).toThrow('page a is signed on that head already')
    expect(
      refusalOf(() => journal.signPage(page({ payload: 2n }), { ...options('b'), onHead: 5n })),
    ).toBe('HeadMustBeCurrent')
  })
})

describe('settle and rebase', () => {
  it('moves settled pages out and keeps the rest pending', () => {
    const journal = Journal.open(path, genesis)
    const [a, b, c] = ['a', 'b', 'c'].map((id, i) =>
      journal.signPage(page({ payload: BigInt(i + 1) }), options(id)),
    )
    journal.settle(b?.head ?? 0n, 4n)
    expect(journal.state.settledHead).toBe(b?.head)
    expect(journal.state.pending.map((p) => p.clientId)).toEqual(['c'])
    expect(journal.state.head).toBe(c?.head)
    journal.settle(b?.head ?? 0n, 4n)
    // A node that is behind says nothing new, and nothing wrong.
    journal.settle(a?.head ?? 0n, 3n)
    expect(journal.state).toMatchObject({ settledHead: b?.head, settledBatch: 4n })
    expect(refusalOf(() => journal.settle(a?.head ?? 0n, 5n))).toBe('SettledHeadMustBeKnown')
    expect(refusalOf(() => journal.settle(123n, 5n))).toBe('SettledHeadMustBeKnown')
  })
  it('sees what another process has written', () => {
    const [one, other] = [Journal.open(path, genesis), Journal.open(path, genesis)]
    one.signPage(page(), options('a'))
    expect(other.state.pending).toEqual([])
    other.refresh()
    expect(other.state.pending.map((p) => p.clientId)).toEqual(['a'])
  })
  it('signs later pages anew on the settled head without the one that cannot settle', () => {
    const journal = Journal.open(path, genesis)
    for (const [i, id] of ['a', 'b', 'c'].entries())
      journal.signPage(page({ payload: BigInt(i + 1) }), options(id))
    const again = journal.rebase(['b'], key)
    expect(again.map((p) => p.clientId)).toEqual(['a', 'c'])
    expect(again[0]?.previousHead).toBe(777n)
    expect(again[1]?.previousHead).toBe(again[0]?.head)
    expect(again.every((p) => verify(key.publicKey, p.head, p.signature))).toBe(true)
    expect(journal.page('c')).toEqual(again[1])
    expect(Journal.open(path, genesis).state).toEqual(journal.state)
    expect(refusalOf(() => journal.rebase(['b'], key))).toBe('ClientIdMustBeNew')
  })
})

describe('a page that was left out', () => {
  it('is signed on the current head when it is asked for again, and never twice on one', () => {
    const journal = Journal.open(path, genesis)
    const a = journal.signPage(page(), options('a'))
    journal.rebase(['a'], key)
    expect(journal.isPending('a')).toBe(false)
    const b = journal.signPage(page({ payload: 2n }), options('b'))
    const again = journal.signPage(page(), options('a'))
    expect(again.previousHead).toBe(b.head)
    expect(again.head).not.toBe(a.head)
    expect(journal.state.pending.map((p) => p.clientId)).toEqual(['b', 'a'])
    expect(Journal.open(path, genesis).state).toEqual(journal.state)
  })
  it('is answered, not signed again, once it has settled', () => {
    const journal = Journal.open(path, genesis)
    const a = journal.signPage(page(), options('a'))
    journal.settle(a.head, 1n)
    expect(journal.signPage(page(), options('a'))).toEqual(a)
    expect(journal.state.pending).toEqual([])
    expect(Journal.open(path, genesis).signPage(page(), options('a'))).toEqual(a)
    expect(journal.state.head).toBe(a.head)
  })
  it('may still settle with its run: then what was signed instead is dead', () => {
    const journal = Journal.open(path, genesis)
    const [, b, c] = ['a', 'b', 'c'].map((id, i) =>
      journal.signPage(page({ payload: BigInt(i + 1) }), options(id)),
    )
    journal.rebase(['a'], key)
    journal.signPage(page({ payload: 9n }), options('d'))
    journal.settle(b?.head ?? 0n, 3n)
    expect(journal.state.settledHead).toBe(b?.head)
    expect(journal.state.pending.map((p) => p.head)).toEqual([c?.head])
    expect(journal.state.head).toBe(c?.head)
    expect(Journal.open(path, genesis).state).toEqual(journal.state)
  })
})

describe('follow', () => {
  it('goes on from any head that was signed here, signing nothing', () => {
    const journal = Journal.open(path, genesis)
    const [a, b] = ['a', 'b'].map((id, i) =>
      journal.signPage(page({ payload: BigInt(i + 1) }), options(id)),
    )
    journal.follow(a?.head ?? 0n)
    expect(journal.state.pending.map((p) => p.clientId)).toEqual(['a'])
    journal.follow(777n)
    expect(journal.state.pending).toEqual([])
    journal.follow(b?.head ?? 0n)
    expect(journal.state.pending).toEqual([a, b])
    expect(Journal.open(path, genesis).state).toEqual(journal.state)
  })
  it('refuses a head that was not, and those before the settled one', () => {
    const journal = Journal.open(path, genesis)
    const a = journal.signPage(page(), options('a'))
    expect(refusalOf(() => journal.follow(5n))).toBe('HeadMustBeCurrent')
    journal.settle(a.head, 1n)
    expect(refusalOf(() => journal.follow(777n))).toBe('HeadMustBeCurrent')
    expect(journal.state.head).toBe(a.head)
  })
})

describe('receipts', () => {
  const operatorKey = randomBytes(32)
  const operator = addressOfPrivateKey(operatorKey)
  it('are kept if the operator signed them for a head of this journal', () => {
    const journal = Journal.open(path, genesis)
    const { head } = journal.signPage(page(), options('a'))
    const receipt = makeReceipt(DOMAIN, { account: 16, head, time: NOW }, operatorKey)
    journal.keepReceipt(receipt, operator)
    journal.keepReceipt(receipt, operator)
    expect(Journal.open(path, genesis).state.receipts.get(head)).toEqual(receipt)
    const bad = [
      makeReceipt(DOMAIN + 1n, receipt, operatorKey),
      makeReceipt(DOMAIN, receipt, randomBytes(32)),
      makeReceipt(DOMAIN, { ...receipt, head: 1n }, operatorKey),
      makeReceipt(DOMAIN, { ...receipt, account: 17 }, operatorKey),
    ]
    for (const other of bad)
      expect(refusalOf(() => journal.keepReceipt(other, operator))).toBe('ReceiptMustVerify')
  })
})

describe('the file', () => {
  it('loses a line that a crash has torn, and nothing else', () => {
    const journal = Journal.open(path, genesis)
    const first = journal.signPage(page(), options('a'))
    appendFileSync(path, '{"type":"page","clientId":"b","pa')
    const again = Journal.open(path, genesis)
    expect(again.state.head).toBe(first.head)
    again.signPage(page({ payload: 9n }), options('b'))
    expect(Journal.open(path, genesis).state.pending).toHaveLength(2)
  })
  it('is refused when a line is damaged, of another account, or out of order', () => {
    Journal.open(path, genesis).signPage(page(), options('a'))
    expect(refusalOf(() => Journal.open(path, { ...genesis, account: 18 }))).toBe(
      'JournalMustMatch',
    )
    expect(refusalOf(() => Journal.open(path, { ...genesis, domain: 1n }))).toBe('JournalMustMatch')
    const content = readFileSync(path, 'utf8')
    writeFileSync(path, content.replace('"quantity":"-5"', '"quantity":"-6"'))
    expect(refusalOf(() => Journal.open(path, genesis))).toBe('JournalMustMatch')
    writeFileSync(path, content.replace('"quantity":"-5"', '"quantity":-5'))
    expect(() => Journal.open(path, genesis)).toThrow('line 2: a number is not written as one')
    writeFileSync(path, 'nonsense\n')
    expect(() => Journal.open(path, genesis)).toThrow('line 1: no JSON')
  })
  it('has one writer at a time', () => {
    const journal = Journal.open(path, genesis)
    writeFileSync(`${path}.lock`, '')
    expect(() => journal.signPage(page(), options('a'))).toThrow('another process is writing')
    writeFileSync(`${path}.lock`, `${process.ppid} 1\n`)
    expect(() => journal.signPage(page(), options('a'))).toThrow(
      `writing this journal (${process.ppid})`,
    )
    rmSync(`${path}.lock`)
    journal.signPage(page(), options('a'))
  })
  it('goes on where a writer died with the lock in its hand', () => {
    const journal = Journal.open(path, genesis)
    writeFileSync(`${path}.lock`, '999999999 1\n')
    journal.signPage(page(), options('a'))
    expect(existsSync(`${path}.lock`)).toBe(false)
  })
})
