/** A Groth16 proving key of snarkjs (.zkey) in shared memory, read once. */
import { closeSync, openSync, readSync } from 'node:fs'
import { BASE_PRIME, FIELD_PRIME, FR_BYTES, G1_BYTES, G2_BYTES } from '../bn254.ts'
import { bigintAt, readContainer, readSection } from '../ceremony/container.ts'
import type { KeySections } from './tasks.ts'

export type ProvingKey = KeySections & {
  readonly path: string
  readonly nPublic: number
  readonly coefficientCount: number
  /** Affine, in snarkjs' form. */
  readonly alpha1: Uint8Array
  readonly beta1: Uint8Array
  readonly beta2: Uint8Array
  readonly delta1: Uint8Array
  readonly delta2: Uint8Array
}

/** Two field sizes and primes, three counts (snarkjs 0.7.6, src/zkey_utils.js). */
const POINTS_OFFSET = 2 * (4 + FR_BYTES) + 12
const HEADER_BYTES = POINTS_OFFSET + 3 * G1_BYTES + 3 * G2_BYTES
/** One read of Node ends at 2 GiB. */
const READ_BYTES = 1 << 28

/** Throws unless the file is a whole Groth16 key over BN254 whose sections fit each other. */
export function readProvingKey(path: string): ProvingKey {
  const sections = readContainer(path, 'zkey', 'KeyFileMustBeWhole')
  const fail = (why: string): never => {
    throw new Error(`${path} ${why}`)
  }
  const protocol = readSection(path, sections, 1)
  if (protocol.length !== 4 || protocol.readUInt32LE(0) !== 1) fail('is no Groth16 key')
  const header = readSection(path, sections, 2)
  if (header.length !== HEADER_BYTES) fail(`has a header of ${header.length} bytes`)
  const primes = [bigintAt(header, 4, FR_BYTES), bigintAt(header, 40, FR_BYTES)]
  if (primes[0] !== BASE_PRIME || primes[1] !== FIELD_PRIME) fail('is not over the curve BN254')
  const [nVars, nPublic, domainSize] = [72, 76, 80].map((at) => header.readUInt32LE(at)) as [
    number,
    number,
    number,
  ]
  // The odd coset needs a root of unity of twice the order; the field has them up to 2^28.
  if (domainSize > 2 ** 27) fail(`has a domain of ${domainSize}: too large for this prover`)
  const coefficientCount = readSection(path, sections, 4, 4).readUInt32LE(0)
  const file = openSync(path, 'r')
  const shared = (type: number, bytes: number, skip = 0): SharedArrayBuffer => {
    const section = sections.get(type)
    if (section === undefined || section.bytes !== bytes + skip)
      return fail(`has ${section?.bytes ?? 'no'} bytes in section ${type}, not ${bytes + skip}`)
    const memory = new SharedArrayBuffer(bytes)
    for (let at = 0; at < bytes; at += READ_BYTES) {
      const piece = new Uint8Array(memory, at, Math.min(READ_BYTES, bytes - at))
      if (readSync(file, piece, 0, piece.length, section.offset + skip + at) !== piece.length)
        fail('became shorter while it was read')
    }
    return memory
  }
  const at = (g1: number, g2: number, bytes: number): Uint8Array => {
    const start = POINTS_OFFSET + g1 * G1_BYTES + g2 * G2_BYTES
    return header.subarray(start, start + bytes)
  }
  try {
    return {
      path,
      nVars,
      nPublic,
      domainSize,
      coefficientCount,
      // The order of the header: alpha1, beta1, beta2, gamma2, delta1, delta2.
      alpha1: at(0, 0, G1_BYTES),
      beta1: at(1, 0, G1_BYTES),
      beta2: at(2, 0, G2_BYTES),
      delta1: at(2, 2, G1_BYTES),
      delta2: at(3, 2, G2_BYTES),
      coefficients: shared(4, coefficientCount * (12 + FR_BYTES), 4),
      A: shared(5, nVars * G1_BYTES),
      B1: shared(6, nVars * G1_BYTES),
      B2: shared(7, nVars * G2_BYTES),
      C: shared(8, (nVars - nPublic - 1) * G1_BYTES),
      H: shared(9, domainSize * G1_BYTES),
    }
  } finally {
    closeSync(file)
  }
}
