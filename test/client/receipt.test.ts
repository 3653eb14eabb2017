/** Receipts: what a wallet signs verifies here, and nothing else does. */
import { randomBytes } from 'node:crypto'
import { verifyMessage, Wallet } from 'ethers'
import { describe, expect, it } from 'vitest'
import { receiptText } from '../../circuits/document.ts'
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
