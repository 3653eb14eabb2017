/** Receipts: what a wallet signs verifies here, and nothing else does. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verifyMessage, Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { receiptText } from '../../circuits/document.ts'
import { stampOf } from '../../circuits/page.ts'
import { Journal } from '../../client/journal.ts'
import { memberKeys } from '../../client/keys.ts'
import { domainOf } from '../../client/l1/batch-words.ts'
import { cloister } from './command.ts'
import {
  addressOfPrivateKey,
  makeReceipt,
  signerOfReceipt,
  verifyReceipt,
  type Receipt,
} from '../../client/receipt.ts'

const DOMAIN = 12345n
const body = { account: 16, head: 987654321n, time: 1_584_000_000n }
const key = randomBytes(32)
const wallet = new Wallet(`0x${key.toString('hex')}`)
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

describe('receipts', () => {
  it('have this text', () => {
    expect(receiptText(DOMAIN, body)).toBe('cloister receipt 12345 16 987654321 1584000000')
  })
  it('are those of ethers, both ways', async () => {
    const made = makeReceipt(DOMAIN, body, key)
    expect(made.signature).toBe(await wallet.signMessage(receiptText(DOMAIN, body)))
    expect(verifyMessage(receiptText(DOMAIN, body), made.signature)).toBe(wallet.address)
    expect(addressOfPrivateKey(key)).toBe(wallet.address.toLowerCase())
    expect(verifyReceipt(DOMAIN, made, wallet.address)).toBe(true)
    expect(verifyReceipt(DOMAIN, made, wallet.address.toLowerCase())).toBe(true)
  })
  it('do not verify with another field, domain or operator', () => {
    const made = makeReceipt(DOMAIN, body, key)
    const others: Receipt[] = [
      { ...made, account: 17 },
      { ...made, head: made.head + 1n },
      { ...made, time: made.time + 1n },
    ]
    for (const other of others) expect(verifyReceipt(DOMAIN, other, wallet.address)).toBe(false)
    expect(verifyReceipt(DOMAIN + 1n, made, wallet.address)).toBe(false)
    expect(verifyReceipt(DOMAIN, made, Wallet.createRandom().address)).toBe(false)
  })
  it('have one form only, and bytes that are no signature are none', () => {
    const { signature } = makeReceipt(DOMAIN, body, key)
    const s = BigInt(`0x${signature.slice(66, 130)}`)
    const flipped =
      signature.slice(0, 66) +
      (ORDER - s).toString(16).padStart(64, '0') +
      (signature.endsWith('1b') ? '1c' : '1b')
    const bad = [
      flipped,
      '0x',
      '',
      signature.slice(0, -2),
      `${signature}00`,
      `${signature.slice(0, -2)}1d`,
      `0x${'00'.repeat(64)}1b`,
      `0x${'ff'.repeat(64)}1c`,
    ]
    for (const other of bad)
      expect(signerOfReceipt(DOMAIN, { ...body, signature: other })).toBeNull()
  })
})

describe('cloister receipt', () => {
  const CONTRACT = `0x${'11'.repeat(20)}`
  const ofContract = domainOf(31337n, CONTRACT)
  let folder: string
  let file: string
  const dir = (): string => join(folder, 'ANN')
  const verify = (...more: readonly string[]) =>
    cloister('receipt', 'verify', file, '--operator', wallet.address, ...more)
  const changed = (change: Record<string, unknown>): void => {
    const words = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    writeFileSync(file, JSON.stringify({ ...words, ...change }))
  }

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'cloister-receipt-'))
    file = join(folder, 'receipt.json')
    mkdirSync(dir())
    const now = BigInt(Math.floor(Date.now() / 1000))
    const journal = Journal.open(join(dir(), 'journal.jsonl'), {
      domain: ofContract,
      account: 16,
      head: 5n,
    })
    const entries = [{ instrument: 1, quantity: -1n, price: 0n }]
    const page = { kind: 'withdrawal' as const, account: 16, counterparty: 0, entries }
    const { head } = journal.signPage(
      { ...page, stamp: stampOf(now, 0n), maxFee: 100n, payload: 7n },
      { key: memberKeys(randomBytes(32), 'ANN').signing, clientId: 'w', now },
    )
    journal.keepReceipt(
      makeReceipt(ofContract, { account: 16, head, time: now }, key),
      wallet.address,
    )
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('writes the receipt of a journal with its page, and checks it from the file alone', async () => {
    expect(await cloister('receipt', 'save', 'ANN', file, '--dir', dir())).toMatchObject({
      code: 0,
    })
    const held = await verify('--contract', CONTRACT, '--chain-id', '31337')
    expect(held.err).toBe('')
    expect(held).toMatchObject({ code: 0 })
    expect(held.out).toContain('withdrawal')
    expect(held.out).toContain('the receipt holds')
  })

  it('is written over nothing: the same again is the same, anything else is refused', async () => {
    const save = () => cloister('receipt', 'save', 'ANN', file, '--dir', dir())
    expect(await save()).toMatchObject({ code: 0 })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const own = readFileSync(file, 'utf8')
    writeFileSync(file, 'of another day')
    const refused = await save()
    expect(refused.code).toBe(2)
    expect(refused.err).toContain('a receipt overwrites nothing')
    expect(readFileSync(file, 'utf8')).toBe('of another day')
    writeFileSync(file, own)
  })

  it('says that nobody has the name, or where the file cannot be', async () => {
    const nobody = await cloister('receipt', 'save', 'ZED', file, '--dir', join(folder, 'none'))
    expect(nobody.err).toContain('cloister account new ZED')
    const nowhere = join(folder, 'none', 'receipt.json')
    const lost = await cloister('receipt', 'save', 'ANN', nowhere, '--dir', dir())
    expect(lost).toMatchObject({
      code: 2,
      err: `cloister: ${nowhere}: there is no such file or directory\n`,
    })
  })

  it('names what does not hold: signer, page, contract', async () => {
    const other = Wallet.createRandom().address
    const wrong = await cloister('receipt', 'verify', file, '--operator', other)
    expect(wrong.code).toBe(1)
    // As other tools show an address: two of them can be compared as texts.
    expect(wrong.out).toContain(wallet.address)
    expect((await verify('--contract', CONTRACT, '--chain-id', '1')).code).toBe(1)
    const { accepted } = JSON.parse(readFileSync(file, 'utf8')) as {
      accepted: { previousHead: string; page: Record<string, unknown> }
    }
    const page = { ...accepted.page, payload: '8' }
    changed({ accepted: { ...accepted, page } })
    expect((await verify()).out).toContain('does not lead to its head')
    changed({ accepted: { ...accepted, page: { ...accepted.page, account: 17 } } })
    expect((await verify()).code).toBe(1)
    changed({ accepted: null })
    expect(await verify()).toMatchObject({ code: 0 })
    changed({ time: '1' })
    expect((await verify()).code).toBe(1)
  })

  it('could not be done without a file, a receipt or a number: 2', async () => {
    expect((await cloister('receipt', 'save', 'BEN', file, '--dir', folder)).code).toBe(2)
    const none = await cloister('receipt', 'save', 'ANN', file, '--dir', dir(), '--head', '5')
    expect(none.code).toBe(2)
    for (const text of ['', '[]', '{"format":"cloister receipt 2"}']) {
      writeFileSync(file, text)
      expect((await verify()).code).toBe(2)
    }
    rmSync(file)
    expect((await verify()).code).toBe(2)
  })
})
