/**
 * A receipt: the operator's signature that it has admitted a journal up to a head. EIP-191 personal
 * signature by the operator's L1 address over the text of receiptText, all numbers in decimal.
 */
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { receiptText } from '../circuits/document.ts'

export type ReceiptBody = {
  readonly account: number
  readonly head: bigint
  /** Seconds, by the operator's clock. */
  readonly time: bigint
}
/** r, s and v (27 or 28) as 65 bytes in hex, as wallets have it. */
export type Receipt = ReceiptBody & { readonly signature: string }

function digestOf(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text)
  const prefix = new TextEncoder().encode(`\x19Ethereum Signed Message:\n${bytes.length}`)
  return keccak_256(Uint8Array.of(...prefix, ...bytes))
}

function addressOfPublicKey(uncompressed: Uint8Array): string {
  return `0x${Buffer.from(keccak_256(uncompressed.slice(1)).slice(12)).toString('hex')}`
}

/** The L1 address of a 32-byte private key, lower case. */
export function addressOfPrivateKey(privateKey: Uint8Array): string {
  return addressOfPublicKey(secp256k1.getPublicKey(privateKey, false))
}

export function makeReceipt(domain: bigint, body: ReceiptBody, operatorKey: Uint8Array): Receipt {
  const signed = secp256k1.sign(digestOf(receiptText(domain, body)), operatorKey, {
    prehash: false,
    format: 'recovered',
  })
  const recovery = signed[0] ?? 0
  return {
    ...body,
    signature: `0x${Buffer.from(signed.slice(1)).toString('hex')}${(27 + recovery).toString(16)}`,
  }
}

/** The address that signed, or null for bytes that are no signature. */
export function signerOfReceipt(domain: bigint, receipt: Receipt): string | null {
  if (!/^0x[0-9a-fA-F]{130}$/.test(receipt.signature)) return null
  const bytes = Buffer.from(receipt.signature.slice(2), 'hex')
  const recovery = (bytes[64] ?? 0) - 27
  if (recovery !== 0 && recovery !== 1) return null
  try {
    const signature = secp256k1.Signature.fromBytes(
      Uint8Array.of(recovery, ...bytes.subarray(0, 64)),
      'recovered',
    )
    // The other of two valid forms of a signature would let one receipt appear as two.
    if (signature.hasHighS()) return null
    return addressOfPublicKey(
      signature.recoverPublicKey(digestOf(receiptText(domain, receipt))).toBytes(false),
    )
  } catch {
    return null
  }
}

export function verifyReceipt(domain: bigint, receipt: Receipt, operator: string): boolean {
  return signerOfReceipt(domain, receipt)?.toLowerCase() === operator.toLowerCase()
}
