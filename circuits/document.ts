/** Documents and requests as field elements: what a member signs besides journal heads. */
import { sha256 } from '@noble/hashes/sha2.js'
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

/** What a member signs to speak to the sequencer: it can never be a journal head (another tag). */
export function requestMessage(
  domain: bigint,
  account: number,
  time: number,
  method: string,
  path: string,
  body: string,
): bigint {
  return documentHash(
    `cloister request\n${domain}\n${account}\n${time}\n${method} ${path}\n${body}`,
  )
}

/** What the operator signs on L1's curve when it has admitted a journal: evidence against it. */
export function receiptText(
  domain: bigint,
  { account, head, time }: { readonly account: number; readonly head: bigint; readonly time: bigint },
): string {
  return `cloister receipt ${domain} ${account} ${head} ${time}`
}
