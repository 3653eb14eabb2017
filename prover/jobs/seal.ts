/**
 * Inputs of proofs, sealed for the provers: whoever holds the database sees neither positions nor,
 * by length, how much there is of them. AES-256-GCM; the circuit is bound to the ciphertext.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import type { CircuitInput, CircuitValue } from '../groth16.ts'

export type JobSeal = {
  /** The same input for the same circuit has the same name, which says nothing else of it. */
  readonly name: (circuit: string, input: CircuitInput) => string
  readonly close: (circuit: string, input: CircuitInput) => Uint8Array
  /** Throws InputMustOpen for another key, another circuit, or changed bytes. */
  readonly open: (circuit: string, sealed: Uint8Array) => CircuitInput
}

export const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** Plain texts of one circuit differ in length by their digits: they are filled up to whole blocks. */
const BLOCK_BYTES = 1 << 16

export class InputMustOpen extends Error {}

/** A key of 32 bytes that the house and its provers share. */
export function createJobSeal(key: Uint8Array): JobSeal {
  if (key.length !== KEY_BYTES) throw new Error(`ProverKeyMustHave32Bytes: ${key.length}`)
  const derived = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', key, new Uint8Array(0), `cloister/prover/${purpose}`, 32))
  const [sealing, naming] = [derived('input'), derived('name')]
  const additional = (circuit: string): Buffer => Buffer.from(`cloister/prove-job/1/${circuit}`)
  return {
    name: (circuit, input) =>
      createHmac('sha256', naming)
        .update(`${circuit}\n${textOf(input)}`)
        .digest('hex'),
    close: (circuit, input) => {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', sealing, nonce).setAAD(additional(circuit))
      const plain = padded(textOf(input))
      const sealed = Buffer.concat([
        nonce,
        cipher.update(plain),
        cipher.final(),
        cipher.getAuthTag(),
      ])
      plain.fill(0)
      return sealed
    },
    open: (circuit, sealed) => {
      try {
        const nonce = sealed.subarray(0, NONCE_BYTES)
        const body = sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES)
        const decipher = createDecipheriv('aes-256-gcm', sealing, nonce, {
          authTagLength: TAG_BYTES,
        })
          .setAAD(additional(circuit))
          .setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
        const plain = Buffer.concat([decipher.update(body), decipher.final()])
        const input = JSON.parse(plain.toString('utf8')) as CircuitInput
        plain.fill(0)
        return input
      } catch (error) {
        // The cause would quote what was opened.
        const kind = error instanceof SyntaxError ? 'is no input' : 'was not sealed with this key'
        throw new InputMustOpen(`InputMustOpen: a job of circuit ${circuit} ${kind}`)
      }
    },
  }
}

/** bigints as decimal strings, which the witness calculator takes for numbers; names sorted. */
function textOf(input: CircuitInput): string {
  const sorted = Object.fromEntries(Object.entries(input).sort(([a], [b]) => (a < b ? -1 : 1)))
  return JSON.stringify(sorted, (_, value: CircuitValue) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
}

/** Spaces at the end mean nothing in JSON. */
function padded(text: string): Buffer {
  const bytes = Buffer.byteLength(text)
  const plain = Buffer.alloc(Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES, ' ')
  plain.write(text)
  return plain
}
