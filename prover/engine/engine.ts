/**
 * Groth16 proofs from snarkjs' keys and witnesses, by the same curve code as snarkjs', with what
 * snarkjs does anew for every proof done once: the key stays in memory that all threads share, the
 * threads and the compiled curve stay, rows of the constraint system are made in the threads, and
 * the sums of points share their inversions.
 *
 * Whoever hands a proof on verifies it before (groth16.ts): nothing in here needs to be believed.
 */
import { randomBytes } from 'node:crypto'
import {
  compileCurve,
  FIELD_PRIME,
  FR_BYTES,
  instantiateCurve,
  readBigInt,
  writeBigInt,
  type Curve,
} from '../bn254.ts'
import { pointBytes, type GroupName } from '../fixed-base.ts'
import type { Groth16Proof, Proof } from '../groth16.ts'
import { digitBitsFor, digitsOf, type Digits } from './multiexp.ts'
import { readProvingKey, type ProvingKey } from './proving-key.ts'
import { groupOf, type ProofMemory, type SectionName } from './tasks.ts'
import { startThreads, type Threads } from './threads.ts'

export type Engine = {
  readonly key: ProvingKey
  /** `witness` in .wtns form. One at a time; throws if it is of another circuit. */
  readonly prove: (witness: Uint8Array) => Promise<Proof>
  readonly close: () => Promise<void>
}

/** .wtns of one prime of 32 bytes: everything before the first value (circom_runtime 0.1.28). */
const WITNESS_HEAD_BYTES = 76
const COEFFICIENT_WORDS = (12 + FR_BYTES) / 4

export function openEngine(zkeyPath: string, threadCount: number): Engine {
  const key = readProvingKey(zkeyPath)
  const curveModule = compileCurve()
  const curve = instantiateCurve(curveModule, 1 << 16)
  const bounds = rowBounds(key, threadCount)
  const threads = startThreads(threadCount, { curveModule, key: sectionsOf(key) })
  const start = curve.u32[0] as number
  return {
    key,
    prove: async (wtns) => {
      const witness = witnessOf(wtns, key)
      const memory = proofMemory(witness, key)
      try {
        const sums = await sumsOf(threads, key, bounds, witness, memory)
        // What the last proof put there is free again.
        curve.u32[0] = start
        const proof = assemble(curve, key, sums)
        return { proof, publicSignals: publicSignalsOf(witness, key) }
      } finally {
        for (const secret of [witness.buffer, ...Object.values(memory)])
          new Uint8Array(secret).fill(0)
        threads.forget()
      }
    },
    close: () => threads.close(),
  }
}

/** Without what cannot be cloned cheaply: shared memory travels by reference. */
function sectionsOf({ A, B1, B2, C, H, coefficients, nVars, domainSize }: ProvingKey) {
  return { A, B1, B2, C, H, coefficients, nVars, domainSize }
}

type Rows = {
  readonly first: number
  readonly end: number
  readonly from: number
  readonly to: number
}

/** Cuts the constraints into pieces with about the same number of coefficients. */
function rowBounds(key: ProvingKey, threadCount: number): readonly Rows[] {
  const words = new Uint32Array(key.coefficients)
  const constraintAt = (i: number): number => words[i * COEFFICIENT_WORDS + 1] as number
  let last = 0
  for (let i = 0; i < key.coefficientCount; i++) {
    const constraint = constraintAt(i)
    if (
      constraint < last ||
      constraint >= key.domainSize ||
      (words[i * COEFFICIENT_WORDS] as number) > 1
    )
      throw new Error(`${key.path} has its coefficients in an order that is not known here`)
    last = constraint
  }
  const pieces = threadCount * 4
  const rows: Rows[] = []
  let first = 0
  for (let piece = 1; piece <= pieces; piece++) {
    let end = Math.floor((key.coefficientCount * piece) / pieces)
    while (end > 0 && end < key.coefficientCount && constraintAt(end) === constraintAt(end - 1))
      end++
    if (end <= first && piece < pieces) continue
    const from = rows.at(-1)?.to ?? 0
    const to = piece === pieces ? key.domainSize : constraintAt(end - 1) + 1
    rows.push({ first, end, from, to })
    first = end
  }
  return rows
}

function witnessOf(wtns: Uint8Array, { nVars, path }: ProvingKey): Uint32Array<SharedArrayBuffer> {
  const bytes = nVars * FR_BYTES
  if (
    Buffer.from(wtns.subarray(0, 4)).toString('latin1') !== 'wtns' ||
    wtns.length !== WITNESS_HEAD_BYTES + bytes
  )
    throw new Error(`the witness is not one of ${nVars} values, as ${path} needs`)
  const witness = new Uint32Array(new SharedArrayBuffer(bytes))
  new Uint8Array(witness.buffer).set(wtns.subarray(WITNESS_HEAD_BYTES))
  return witness
}

function proofMemory(witness: Uint32Array<SharedArrayBuffer>, key: ProvingKey): ProofMemory {
  const column = (): SharedArrayBuffer => new SharedArrayBuffer(key.domainSize * FR_BYTES)
  return { witness: witness.buffer, a: column(), b: column(), c: column(), quotient: column() }
}

type Sums = { readonly [name in SectionName]: readonly Uint8Array[] } & { readonly bits: Bits }
type Bits = { readonly witness: number; readonly quotient: number }

/** The five sums, as the sums of their windows. */
async function sumsOf(
  threads: Threads,
  key: ProvingKey,
  bounds: readonly Rows[],
  witness: Uint32Array,
  memory: ProofMemory,
): Promise<Sums> {
  const quotient = (async () => {
    await Promise.all(bounds.map((rows) => threads.run({ kind: 'rows', ...rows, memory })))
    const columns = [memory.a, memory.b, memory.c]
    await Promise.all(columns.map((values) => threads.run({ kind: 'shift', values }, true)))
    const size = key.domainSize / threads.count
    const pieces = Array.from({ length: threads.count }, (_, i) => ({
      from: Math.floor(i * size),
      to: Math.floor((i + 1) * size),
    }))
    await Promise.all(pieces.map((piece) => threads.run({ kind: 'join', ...piece, memory }, true)))
  })()
  // Whatever fails first is what the proof failed of.
  quotient.catch(() => {})
  const digits = digitsOf(witness, digitBitsFor(key.nVars))
  const windowsOf = (section: SectionName, { bits, windows, count, values }: Digits, skip = 0) =>
    Promise.all(
      Array.from({ length: windows }, (_, i) =>
        threads.run({
          kind: 'window',
          section,
          digits: values.buffer,
          first: i * count + skip,
          count: count - skip,
          bits,
        }),
      ),
    ) as Promise<Uint8Array[]>
  const ofWitness = Promise.all([
    windowsOf('B2', digits),
    windowsOf('A', digits),
    windowsOf('B1', digits),
    windowsOf('C', digits, key.nPublic + 1),
  ])
  ofWitness.catch(() => {})
  await quotient
  const ofQuotient = digitsOf(new Uint32Array(memory.quotient), digitBitsFor(key.domainSize))
  const H = await windowsOf('H', ofQuotient)
  const [B2, A, B1, C] = await ofWitness
  digits.values.fill(0)
  ofQuotient.values.fill(0)
  return { A, B1, B2, C, H, bits: { witness: digits.bits, quotient: ofQuotient.bits } }
}

type Group = {
  readonly name: GroupName
  readonly add: (a: number, b: number, out: number) => void
  readonly mixed: (a: number, b: number, out: number) => void
  readonly double: (a: number, out: number) => void
  readonly zero: (out: number) => void
  readonly times: (p: number, k: number, kBytes: number, out: number) => void
  readonly toAffine: (a: number, out: number) => void
}

function assemble(curve: Curve, key: ProvingKey, sums: Sums): Groth16Proof {
  const e = curve.exports
  const g1: Group = {
    name: 'G1',
    add: e.g1m_add,
    mixed: e.g1m_addMixed,
    double: e.g1m_double,
    zero: e.g1m_zero,
    times: e.g1m_timesScalar,
    toAffine: e.g1m_toAffine,
  }
  const g2: Group = {
    name: 'G2',
    add: e.g2m_add,
    mixed: e.g2m_addMixed,
    double: e.g2m_double,
    zero: e.g2m_zero,
    times: e.g2m_timesScalar,
    toAffine: e.g2m_toAffine,
  }
  const groups = { G1: g1, G2: g2 }
  const place = (bytes: Uint8Array): number => {
    const address = curve.allocate(bytes.length)
    curve.u8.set(bytes, address)
    return address
  }
  const sum = (name: SectionName): number => {
    const group = groups[groupOf(name)]
    return combine(curve, group, sums[name], name === 'H' ? sums.bits.quotient : sums.bits.witness)
  }
  /** out += k * p, all Jacobian. */
  const addTimes = (group: Group, out: number, p: number, k: bigint): void => {
    const scalar = curve.allocate(FR_BYTES)
    const product = curve.allocate((pointBytes(group.name) * 3) / 2)
    writeBigInt(curve, scalar, k)
    group.times(p, scalar, FR_BYTES, product)
    group.add(out, product, out)
  }
  const jacobian = (group: Group, affine: Uint8Array): number => {
    const point = curve.allocate((affine.length * 3) / 2)
    group.zero(point)
    group.mixed(point, place(affine), point)
    return point
  }
  // Fresh for every proof: with them, proofs of one witness say nothing of it nor of each other.
  const [r, s] = [randomScalar(), randomScalar()]
  const [a, b, b1, c] = [sum('A'), sum('B2'), sum('B1'), sum('C')]
  const delta1 = jacobian(g1, key.delta1)
  g1.mixed(a, place(key.alpha1), a)
  addTimes(g1, a, delta1, r)
  g2.mixed(b, place(key.beta2), b)
  addTimes(g2, b, jacobian(g2, key.delta2), s)
  g1.mixed(b1, place(key.beta1), b1)
  addTimes(g1, b1, delta1, s)
  g1.add(c, sum('H'), c)
  addTimes(g1, c, a, s)
  addTimes(g1, c, b1, r)
  addTimes(g1, c, delta1, (FIELD_PRIME - ((r * s) % FIELD_PRIME)) % FIELD_PRIME)

  const plain = curve.allocate(FR_BYTES)
  const coordinates = (group: Group, point: number): readonly string[] => {
    group.toAffine(point, point)
    return Array.from({ length: pointBytes(group.name) / FR_BYTES }, (_, i) => {
      e.f1m_fromMontgomery(point + i * FR_BYTES, plain)
      return readBigInt(curve, plain).toString()
    })
  }
  const [x0, x1, y0, y1] = coordinates(g2, b) as [string, string, string, string]
  return {
    pi_a: [...coordinates(g1, a), '1'],
    pi_b: [
      [x0, x1],
      [y0, y1],
      ['1', '0'],
    ],
    pi_c: [...coordinates(g1, c), '1'],
    protocol: 'groth16',
    curve: 'bn128',
  }
}

/** The sum of windows: the last one counts most. */
function combine(curve: Curve, group: Group, windows: readonly Uint8Array[], bits: number): number {
  const bytes = (pointBytes(group.name) * 3) / 2
  const sum = curve.allocate(bytes)
  const window = curve.allocate(bytes)
  group.zero(sum)
  for (const point of [...windows].reverse()) {
    for (let i = 0; i < bits; i++) group.double(sum, sum)
    curve.u8.set(point, window)
    group.add(sum, window, sum)
  }
  return sum
}

function randomScalar(): bigint {
  // 256 bits more than the field has: the remainder is uniform for any purpose.
  return BigInt(`0x${randomBytes(64).toString('hex')}`) % FIELD_PRIME
}

function publicSignalsOf(witness: Uint32Array, { nPublic }: ProvingKey): readonly string[] {
  return Array.from({ length: nPublic }, (_, i) => {
    let value = 0n
    for (let word = 7; word >= 0; word--)
      value = (value << 32n) | BigInt(witness[(i + 1) * 8 + word] as number)
    return value.toString()
  })
}
