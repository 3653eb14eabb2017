/** Documents and requests as field elements: what a member signs besides journal heads. */
import { sha256 } from '@noble/hashes/sha2.js'
import type { Signature } from './eddsa.ts'
import { hash } from './poseidon.ts'

function halves(digest: Uint8Array): readonly [bigint, bigint] {
  const number = (bytes: Uint8Array): bigint =>
    bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
  return [number(digest.slice(0, 16)), number(digest.slice(16, 32))]
}

/** The payload of a trade: binds the trade document, whatever its format. */
export function documentHash(document: string | Uint8Array): bigint {
  const bytes = typeof document === 'string' ? new TextEncoder().encode(document) : document
  return hash('DOCUMENT', halves(sha256(bytes)))
}

/** How far the clocks of a member and the sequencer may be apart, and how long a session lasts. */
export const CLOCK_SECONDS = 30
export const SESSION_SECONDS = 3_600

/** What opens a session: an Ed25519 key that shall speak for an account, and its owner's word. */
export type Opening = {
  readonly account: number
  /** 32 bytes in hex. */
  readonly publicKey: string
  /** Seconds. */
  readonly time: number
  /** Drawn by the sequencer at its start. */
  readonly instance: string
  readonly signature: Signature
}

/** What the owner key signs of it: it can never be a journal head (another tag). */
export function openingMessage(
  domain: bigint,
  { account, publicKey, time, instance }: Omit<Opening, 'signature'>,
): bigint {
  return documentHash(`cloister session\n${domain}\n${account}\n${publicKey}\n${time}\n${instance}`)
}

/** What the key of a session signs with each request; `path` with its query, the hash in hex. */
export function requestText(
  domain: bigint,
  request: {
    readonly session: string
    readonly time: string
    readonly nonce: string
    readonly method: string
    readonly path: string
    readonly bodyHash: string
  },
): string {
  const { session, time, nonce, method, path, bodyHash } = request
  return `cloister request\n${domain}\n${session}\n${time}\n${nonce}\n${method} ${path}\n${bodyHash}`
}

/** What the operator signs on L1's curve when it has admitted a journal: evidence against it. */
export function receiptText(
  domain: bigint,
  {
    account,
    head,
    time,
  }: { readonly account: number; readonly head: bigint; readonly time: bigint },
): string {
  return `cloister receipt ${domain} ${account} ${head} ${time}`
}
