/**
 * How a client speaks for its account: its owner key signs once for a key that lives as long as this
 * process, and that key signs every request.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  sign as signWith,
  type KeyObject,
} from 'node:crypto'
import { openingMessage, requestText, type Opening } from '../circuits/document.ts'
import { sign, type SigningKey } from '../circuits/eddsa.ts'

export type Credentials = {
  readonly account: number
  readonly key: SigningKey
  readonly domain: bigint
}

const seconds = (): number => Math.floor(Date.now() / 1000)

/** What stands before the 32 bytes of a private key of Ed25519 in PKCS #8 (RFC 8410). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')

/**
 * An Ed25519 key of 32 random bytes (RFC 8032), not one of generateKeyPairSync: the job that makes that
 * pair locks it once more when it is collected. Node (seen in 20.20.2) allocates while it exports a key
 * under the same lock, so a collection at that moment has the thread wait for itself for ever.
 */
function newSessionKey(): KeyObject {
  const key = Buffer.concat([PKCS8_HEAD, randomBytes(32)])
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
}

/** A session key that the house has not heard of yet, and what opens a session with it. */
export function newOpening(
  { account, key, domain }: Credentials,
  instance: string,
): { readonly opening: Opening; readonly privateKey: KeyObject } {
  const privateKey = newSessionKey()
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' })
  const publicKey = Buffer.from(x, 'base64url').toString('hex')
  const terms = { account, publicKey, time: seconds(), instance }
  const signature = sign(key, openingMessage(domain, terms))
  return { opening: { ...terms, signature }, privateKey }
}

export class Session {
  readonly id: string
  /** Seconds. */
  readonly until: number
  private readonly domain: bigint
  private readonly key: KeyObject
  private nonce = 0

  constructor(id: string, until: number, domain: bigint, key: KeyObject) {
    this.id = id
    this.until = until
    this.domain = domain
    this.key = key
  }

  /** A bit before it ends: a request takes its time, too. */
  get isLive(): boolean {
    return seconds() < this.until - 5
  }

  /** The headers of one request; each request needs its own. */
  headers(method: string, path: string, body: string): Record<string, string> {
    const time = String(seconds())
    const nonce = String(++this.nonce)
    const bodyHash = createHash('sha256').update(body).digest('hex')
    const request = { session: this.id, time, nonce, method, path, bodyHash }
    const text = requestText(this.domain, request)
    return {
      'x-cloister-session': this.id,
      'x-cloister-time': time,
      'x-cloister-nonce': nonce,
      'x-cloister-signature': signWith(null, Buffer.from(text), this.key).toString('hex'),
    }
  }
}
