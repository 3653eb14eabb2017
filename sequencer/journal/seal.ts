/**
 * Records at rest hold positions, view keys and prices in plain text, so they are sealed: AES-256-GCM
 * under a key derived for each run of the process, bound to the record's place in the chain.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'
import { JournalError } from './journal.ts'

/** Seals and opens; `place` is authenticated and not kept. */
export type Sealer = {
  /** Tells keys apart and says nothing about them; zeros for records that are not sealed. */
  readonly keyId: Uint8Array
  readonly seal: (plain: Uint8Array, place: Uint8Array) => Uint8Array
  /** Null if the record was not sealed with this key, in this place, or was changed since. */
  readonly open: (sealed: Uint8Array, place: Uint8Array) => Uint8Array | null
}

export const KEY_ID_BYTES = 8
const VERSION = 1
const SALT_BYTES = 16
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** What sealing adds: version, salt of the run, nonce, tag. */
export const SEAL_BYTES = 1 + SALT_BYTES + NONCE_BYTES + TAG_BYTES

const NO_KEY = new Uint8Array(KEY_ID_BYTES)

/** 96-bit nonces drawn at random are good for 2^32 records of one run. */
export function sealerOf(key: Uint8Array): Sealer {
  if (key.length !== 32) throw new JournalError('JournalKeyMustMatch', 'a key has 32 bytes')
  const keys = new Map<string, Uint8Array>()
  const keyOf = (salt: Uint8Array): Uint8Array => {
    const name = Buffer.from(salt).toString('latin1')
    const known = keys.get(name)
    if (known !== undefined) return known
    const made = new Uint8Array(hkdfSync('sha256', key, salt, 'cloister journal record', 32))
    keys.set(name, made)
    return made
  }
  const ownSalt = randomBytes(SALT_BYTES)
  return {
    keyId: keyIdOf(key),
    seal: (plain, place) => {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', keyOf(ownSalt), nonce)
      cipher.setAAD(place)
      const body = cipher.update(plain)
      cipher.final()
      return Buffer.concat([Buffer.from([VERSION]), ownSalt, nonce, body, cipher.getAuthTag()])
    },
    open: (sealed, place) => {
      if (sealed.length <= SEAL_BYTES || sealed[0] !== VERSION) return null
      const salt = sealed.subarray(1, 1 + SALT_BYTES)
      const nonce = sealed.subarray(1 + SALT_BYTES, 1 + SALT_BYTES + NONCE_BYTES)
      const decipher = createDecipheriv('aes-256-gcm', keyOf(salt), nonce)
      decipher.setAAD(place)
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
      const body = decipher.update(
        sealed.subarray(1 + SALT_BYTES + NONCE_BYTES, sealed.length - TAG_BYTES),
      )
      try {
        decipher.final()
      } catch {
        return null
      }
      return body
    },
  }
}

/** For a store that is encrypted by other means: only on explicit demand. */
export const UNSEALED: Sealer = {
  keyId: NO_KEY,
  seal: (plain) => plain,
  open: (sealed) => sealed,
}

export function keyIdOf(key: Uint8Array): Uint8Array {
  return createHash('sha256').update('cloister journal key id').update(key).digest().subarray(0, 8)
}

/** Before any record is read: the message names what differs, not the key. */
export function checkKey(sealer: Sealer, keyId: Uint8Array, where: string): void {
  if (timingSafeEqual(sealer.keyId, keyId)) return
  const [asked, has] = [keyId, sealer.keyId].map((id) =>
    Buffer.from(NO_KEY).equals(id) ? 'no key' : `key ${Buffer.from(id).toString('hex')}`,
  )
  throw new JournalError(
    'JournalKeyMustMatch',
    `${where} is written with ${asked}, given is ${has}`,
  )
}

/** The place of a record: which journal, after which record. */
export function placeOf(identity: Uint8Array, before: Uint8Array, sequence: number): Uint8Array {
  const number = Buffer.alloc(8)
  number.writeBigUInt64BE(BigInt(sequence))
  return Buffer.concat([identity, number, before])
}
