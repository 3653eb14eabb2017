/**
 * What a Groth16 key file of snarkjs says of itself: its points, its circuit hash, and who
 * contributed. Read without snarkjs, so that what is compared here is not snarkjs' own word.
 *
 * Layout as written by snarkjs 0.7.6 (src/zkey_new.js, src/zkey_utils.js): points affine, their
 * coordinates little endian in Montgomery form.
 */
import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { BASE_PRIME, FIELD_PRIME, FR_BYTES, G1_BYTES, G2_BYTES } from '../bn254.ts'
import { DEVELOPMENT_SUFFIX } from '../dev-key.ts'
import { bigintAt, readContainer, readSection } from './container.ts'
import { CeremonyFailure } from './failure.ts'

export type G1 = { readonly x: bigint; readonly y: bigint }
/** Halves of each coordinate in the order real, imaginary. */
export type G2 = {
  readonly x: readonly [bigint, bigint]
  readonly y: readonly [bigint, bigint]
}
export type KeyContribution = {
  readonly kind: 'contribution' | 'beacon'
  readonly name: string
  /** BLAKE2b-512 of the contribution's public part, 128 hex digits: what its party publishes. */
  readonly hash: string
  /** Of a beacon: its value in hex, and the binary logarithm of its iterations. */
  readonly beacon: { readonly value: string; readonly iterationsLog2: number } | null
}
export type KeyFile = {
  readonly path: string
  readonly sha256: string
  readonly nVars: number
  readonly nPublic: number
  readonly domainSize: number
  readonly alpha1: G1
  readonly beta2: G2
  readonly gamma2: G2
  readonly delta1: G1
  readonly delta2: G2
  readonly ic: readonly G1[]
  /** BLAKE2b-512 of the initial key's points; snarkjs calls it the circuit hash. */
  readonly circuitHash: string
  readonly contributions: readonly KeyContribution[]
}

const SECTION_COUNT = 10
/** Two field sizes and primes, three counts. */
const HEADER_POINTS_OFFSET = 2 * (4 + FR_BYTES) + 12
const HEADER_BYTES = HEADER_POINTS_OFFSET + 3 * G1_BYTES + 3 * G2_BYTES
const COEFFICIENT_BYTES = 12 + FR_BYTES
const HASH_BYTES = 64
const CONTRIBUTION_BYTES = 3 * G1_BYTES + G2_BYTES + HASH_BYTES + 8
const PARAMETER = { name: 1, iterations: 2, beacon: 3 } as const
const FROM_MONTGOMERY = inverseModulo(1n << 256n, BASE_PRIME)

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 22 })) {
    hash.update(piece as Buffer)
  }
  return hash.digest('hex')
}

/** Throws CeremonyFailure with KeyFileMustBeWhole or KeyMustNotBeOfDevelopment. */
export async function readKeyFile(path: string): Promise<KeyFile> {
  if (!existsSync(path)) throw new Error(`there is no key file at ${path}`)
  const sections = readContainer(path, 'zkey', 'KeyFileMustBeWhole')
  const fail = (why: string): never => {
    throw new CeremonyFailure('KeyFileMustBeWhole', `${path} ${why}`)
  }
  for (let type = 1; type <= SECTION_COUNT; type++) {
    if (!sections.has(type)) fail(`lacks section ${type}`)
  }
  const protocol = readSection(path, sections, 1)
  if (protocol.length !== 4 || protocol.readUInt32LE(0) !== 1) fail('is no Groth16 key')
  const header = readSection(path, sections, 2)
  if (header.length !== HEADER_BYTES) fail(`has a header of ${header.length} bytes`)
  if (
    bigintAt(header, 4, FR_BYTES) !== BASE_PRIME ||
    bigintAt(header, 40, FR_BYTES) !== FIELD_PRIME
  )
    fail('is not over the curve BN254')
  const [nVars, nPublic, domainSize] = [72, 76, 80].map((at) => header.readUInt32LE(at)) as [
    number,
    number,
    number,
  ]
  const expected: readonly [number, number][] = [
    [3, (nPublic + 1) * G1_BYTES],
    [5, nVars * G1_BYTES],
    [6, nVars * G1_BYTES],
    [7, nVars * G2_BYTES],
    [8, (nVars - nPublic - 1) * G1_BYTES],
    [9, domainSize * G1_BYTES],
  ]
  for (const [type, bytes] of expected) {
    const found = sections.get(type)?.bytes
    if (found !== bytes) fail(`has ${found} bytes in section ${type}, not ${bytes}`)
  }
  const coefficients = readSection(path, sections, 4, 4)
  const coefficientBytes = (sections.get(4)?.bytes ?? 0) - 4
  if (
    coefficients.length !== 4 ||
    coefficientBytes !== coefficients.readUInt32LE(0) * COEFFICIENT_BYTES
  )
    fail('does not hold as many coefficients as it says')
  const at = (i: number): number => HEADER_POINTS_OFFSET + i * G1_BYTES
  const ic = readSection(path, sections, 3)
  const history = readHistory(readSection(path, sections, 10), fail)
  if (path.endsWith(DEVELOPMENT_SUFFIX) || history.isDevelopment) {
    throw new CeremonyFailure(
      'KeyMustNotBeOfDevelopment',
      `${path} is a development key: its secret is derived from public text`,
    )
  }
  return {
    path,
    sha256: await sha256Of(path),
    nVars,
    nPublic,
    domainSize,
    alpha1: g1At(header, at(0)),
    beta2: g2At(header, at(2)),
    gamma2: g2At(header, at(4)),
    delta1: g1At(header, at(6)),
    delta2: g2At(header, at(7)),
    ic: Array.from({ length: nPublic + 1 }, (_, i) => g1At(ic, i * G1_BYTES)),
    circuitHash: history.circuitHash,
    contributions: history.contributions,
  }
}

/** Development keys carry it in place of the circuit hash. */
const DEVELOPMENT_MARK = 'DEVELOPMENT KEY:'

export function hasDevelopmentMark(path: string): boolean {
  const sections = readContainer(path, 'zkey', 'KeyFileMustBeWhole')
  return readSection(path, sections, 10, 16).toString('latin1') === DEVELOPMENT_MARK
}

function readHistory(bytes: Buffer, fail: (why: string) => never) {
  if (bytes.length < HASH_BYTES + 4) fail('has no room for its history')
  const contributions: KeyContribution[] = []
  const count = bytes.readUInt32LE(HASH_BYTES)
  let at = HASH_BYTES + 4
  for (let i = 1; i <= count; i++) {
    if (at + CONTRIBUTION_BYTES > bytes.length) fail(`breaks off within contribution ${i}`)
    const type = bytes.readUInt32LE(at + CONTRIBUTION_BYTES - 8)
    const parameterBytes = bytes.readUInt32LE(at + CONTRIBUTION_BYTES - 4)
    const end = at + CONTRIBUTION_BYTES + parameterBytes
    if (type > 1 || end > bytes.length) fail(`has a contribution ${i} that cannot be read`)
    const parameters = parametersIn(bytes.subarray(at + CONTRIBUTION_BYTES, end), i, fail)
    const { name, iterations, value } = parameters
    const isBeacon = type === 1
    if (isBeacon !== (iterations !== null && value !== null))
      fail(`has a contribution ${i} that is half a beacon`)
    contributions.push({
      kind: isBeacon ? 'beacon' : 'contribution',
      name,
      hash: contributionHash(bytes.subarray(at, at + CONTRIBUTION_BYTES - 8)),
      beacon: isBeacon ? { value: value ?? '', iterationsLog2: iterations ?? 0 } : null,
    })
    at = end
  }
  if (at !== bytes.length) fail('has bytes behind its last contribution')
  const mark = bytes.toString('latin1', 0, 16)
  return {
    circuitHash: bytes.toString('hex', 0, HASH_BYTES),
    contributions,
    isDevelopment: mark === DEVELOPMENT_MARK,
  }
}

function parametersIn(bytes: Buffer, number: number, fail: (why: string) => never) {
  let name = ''
  let iterations: number | null = null
  let value: string | null = null
  let last = 0
  for (let at = 0; at < bytes.length;) {
    const type = bytes[at] ?? 0
    const length = type === PARAMETER.iterations ? 0 : (bytes[at + 1] ?? 0)
    const content = bytes.subarray(at + 2, at + 2 + length)
    if (
      type <= last ||
      type > PARAMETER.beacon ||
      content.length !== length ||
      at + 1 >= bytes.length
    )
      fail(`has a contribution ${number} whose parameters cannot be read`)
    if (type === PARAMETER.name) name = content.toString('utf8')
    if (type === PARAMETER.iterations) iterations = bytes[at + 1] ?? 0
    if (type === PARAMETER.beacon) value = content.toString('hex')
    last = type
    at += 2 + length
  }
  return { name, iterations, value }
}

/** Points uncompressed and big endian, the imaginary half first, then the transcript hash. */
function contributionHash(bytes: Buffer): string {
  const hash = createHash('blake2b512')
  const g1 = (at: number): void => {
    const { x, y } = g1At(bytes, at)
    hash.update(bigEndian(x)).update(bigEndian(y))
  }
  g1(0) // delta after the contribution
  g1(G1_BYTES) // s
  g1(2 * G1_BYTES) // s times the secret
  const { x, y } = g2At(bytes, 3 * G1_BYTES)
  for (const half of [x[1], x[0], y[1], y[0]]) hash.update(bigEndian(half))
  const transcript = 3 * G1_BYTES + G2_BYTES
  return hash.update(bytes.subarray(transcript, transcript + HASH_BYTES)).digest('hex')
}

function g1At(bytes: Uint8Array, at: number): G1 {
  return { x: coordinateAt(bytes, at), y: coordinateAt(bytes, at + FR_BYTES) }
}

function g2At(bytes: Uint8Array, at: number): G2 {
  const half = (i: number): bigint => coordinateAt(bytes, at + i * FR_BYTES)
  return { x: [half(0), half(1)], y: [half(2), half(3)] }
}

function coordinateAt(bytes: Uint8Array, at: number): bigint {
  return (bigintAt(bytes, at, FR_BYTES) * FROM_MONTGOMERY) % BASE_PRIME
}

function bigEndian(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * FR_BYTES, '0'), 'hex')
}

function inverseModulo(value: bigint, modulus: bigint): bigint {
  let [r0, r1, s0, s1] = [modulus, value % modulus, 0n, 1n]
  while (r1 !== 0n) [r0, r1, s0, s1] = [r1, r0 % r1, s1, s0 - (r0 / r1) * s1]
  return ((s0 % modulus) + modulus) % modulus
}
