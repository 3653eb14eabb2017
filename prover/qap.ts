// The polynomials of a circuit, evaluated at a tau that is known: for every wire the scalars that
// a proving key hides in its points, and on the way the key's table of coefficients.

import { readSync } from 'node:fs'
import {
  FIELD_PRIME,
  FR_BYTES,
  instantiateCurve,
  inverse,
  modulo,
  power,
  toMontgomery,
  writeBigInt,
} from './bn254.ts'
import type { Curve, CurveModule } from './bn254.ts'
import type { R1csLayout } from './r1cs.ts'

export type ToxicWaste = {
  readonly tau: bigint
  readonly alpha: bigint
  readonly beta: bigint
  readonly gamma: bigint
  readonly delta: bigint
}

/** Each is a run of 32-byte scalars, reduced and little endian. */
export type WireScalars = {
  readonly a: SharedArrayBuffer
  readonly b: SharedArrayBuffer
  readonly c: SharedArrayBuffer
  readonly publicInputs: readonly Uint8Array[]
}

export const COEFFICIENT_BYTES = 12 + FR_BYTES // matrix, constraint, wire, value
const TERM_BYTES = 4 + FR_BYTES // wire, value
const INVERSION_BATCH = 4096
const STAGE_BYTES = 8 << 20
const TWO_ADICITY = 28
const NON_RESIDUE = 5n
const R3 = modulo(1n << 768n) // mul(c, R^3) = c * R^2: snarkjs stores coefficients so

export function domainSizeFor(info: { nConstraints: number; nPublic: number }): number {
  // snarkjs: 2^(floor(log2(rows - 1)) + 1), with one row more for each public wire and the one.
  const size = 2 ** (Math.floor(Math.log2(Math.max(1, info.nConstraints + info.nPublic))) + 1)
  if (size > 2 ** (TWO_ADICITY - 1)) throw new Error(`${size} rows are too many for BN254`)
  return size
}

/** The root of unity that ffjavascript's FFT uses for a domain of this size. */
function rootOfUnity(size: number): bigint {
  const ofAll = power(NON_RESIDUE, (FIELD_PRIME - 1n) >> BigInt(TWO_ADICITY))
  return power(ofAll, 2n ** BigInt(TWO_ADICITY) / BigInt(size))
}

/**
 * L_j(tau) = w^j (tau^size - 1) / (size (tau - w^j)) for j = first, first + step, ..., each times
 * `factor`, whose form (plain or Montgomery) is the form of the result.
 */
function lagrangeAtTau(
  curve: Curve,
  tau: bigint,
  size: number,
  first: bigint,
  step: bigint,
  count: number,
  factor: bigint,
  emit: (index: number, address: number, count: number) => void,
): void {
  const { frm_mul: mul, frm_sub: sub, frm_batchInverse: batchInverse } = curve.exports
  const vanishing = modulo(power(tau, BigInt(size)) - 1n)
  if (vanishing === 0n) throw new Error('tau lies in the domain')
  const constant = constantOf(curve, modulo(modulo(vanishing * inverse(BigInt(size))) * factor))
  const tauAt = constantOf(curve, toMontgomery(tau))
  const stepAt = constantOf(curve, toMontgomery(step))
  const current = constantOf(curve, toMontgomery(first))
  const roots = curve.allocate(INVERSION_BATCH * FR_BYTES)
  const differences = curve.allocate(INVERSION_BATCH * FR_BYTES)
  const values = curve.allocate(INVERSION_BATCH * FR_BYTES)
  for (let done = 0; done < count; done += INVERSION_BATCH) {
    const batch = Math.min(INVERSION_BATCH, count - done)
    for (let i = 0; i < batch; i++) {
      const root = roots + i * FR_BYTES
      curve.u8.copyWithin(root, current, current + FR_BYTES)
      sub(tauAt, root, differences + i * FR_BYTES)
      mul(current, stepAt, current)
    }
    batchInverse(differences, FR_BYTES, batch, values, FR_BYTES)
    for (let i = 0; i < batch; i++) {
      const value = values + i * FR_BYTES
      mul(value, roots + i * FR_BYTES, value)
      mul(value, constant, value)
    }
    emit(done, values, batch)
  }
}

function constantOf(curve: Curve, value: bigint): number {
  const address = curve.allocate(FR_BYTES)
  writeBigInt(curve, address, value)
  return address
}

/**
 * The H scalars. snarkjs evaluates the quotient at the odd points of the domain of twice the size,
 * where A*B - C is a polynomial that vanishes on the even points: so the base for odd point i is
 * L_(2i+1)(tau) over the double domain, and the vanishing polynomial never appears.
 */
export function quotientScalars(
  curveModule: CurveModule,
  waste: ToxicWaste,
  domainSize: number,
): SharedArrayBuffer {
  const curve = instantiateCurve(curveModule, INVERSION_BATCH * FR_BYTES * 3 + 4096)
  const scalars = new SharedArrayBuffer(domainSize * FR_BYTES)
  const bytes = new Uint8Array(scalars)
  const root = rootOfUnity(2 * domainSize)
  lagrangeAtTau(
    curve,
    waste.tau,
    2 * domainSize,
    root,
    modulo(root * root),
    domainSize,
    inverse(waste.delta),
    (index, address, count) => {
      bytes.set(curve.u8.subarray(address, address + count * FR_BYTES), index * FR_BYTES)
    },
  )
  return scalars
}

export type SweepOptions = {
  readonly curveModule: CurveModule
  readonly waste: ToxicWaste
  readonly file: number
  readonly layout: R1csLayout
  readonly domainSize: number
  /** Called in order; the bytes are valid during the call only. */
  readonly writeCoefficients: (bytes: Uint8Array) => void
}

/** One pass over the constraints: A_s(tau), B_s(tau), C_s(tau), and the coefficient table. */
export function sweepConstraints(options: SweepOptions): WireScalars {
  const { waste, layout, domainSize } = options
  const rows = layout.nConstraints + layout.nPublic + 1
  const stage = Math.min(STAGE_BYTES, layout.constraintsBytes)
  const outBytes = Math.ceil(stage / TERM_BYTES) * COEFFICIENT_BYTES + 65536
  const curve = instantiateCurve(
    options.curveModule,
    (rows + layout.nVars * 3) * FR_BYTES + INVERSION_BATCH * FR_BYTES * 3 + stage + outBytes + 8192,
  )
  const lagrange = curve.allocate(rows * FR_BYTES)
  // In Montgomery form, so that a product with a plain coefficient is plain.
  lagrangeAtTau(
    curve,
    waste.tau,
    domainSize,
    1n,
    rootOfUnity(domainSize),
    rows,
    toMontgomery(1n),
    (index, address, count) => {
      curve.u8.copyWithin(lagrange + index * FR_BYTES, address, address + count * FR_BYTES)
    },
  )
  const sumBytes = layout.nVars * FR_BYTES
  const [a, b, c] = [curve.allocate(sumBytes), curve.allocate(sumBytes), curve.allocate(sumBytes)]
  // Batch inversion has used this memory as its working space.
  for (const sum of [a, b, c]) curve.u8.fill(0, sum, sum + sumBytes)
  accumulate(options, curve, lagrange, [a, b, c], stage, outBytes)
  return combine(curve, options, a, b, c)
}

function accumulate(
  { file, layout, writeCoefficients }: SweepOptions,
  curve: Curve,
  lagrange: number,
  sums: readonly [number, number, number],
  stageBytes: number,
  outBytes: number,
): void {
  const { u8, u32 } = curve
  const { frm_add: add, frm_mul: mul } = curve.exports
  const stage = curve.allocate(stageBytes)
  const out = curve.allocate(outBytes)
  const product = curve.allocate(FR_BYTES)
  const r3 = constantOf(curve, R3)
  let outEnd = out
  const emitCoefficient = (matrix: number, row: number, wire: number, value: number): void => {
    const word = outEnd >>> 2
    u32[word] = matrix
    u32[word + 1] = row
    u32[word + 2] = wire
    mul(value, r3, outEnd + 12)
    outEnd += COEFFICIENT_BYTES
  }
  const addTerms = (matrix: number, row: number, from: number, count: number): void => {
    const sum = sums[matrix] ?? 0
    const weight = lagrange + row * FR_BYTES
    for (let i = 0, at = from; i < count; i++, at += TERM_BYTES) {
      const wire = u32[at >>> 2] ?? 0
      if (wire >= layout.nVars) throw new Error(`constraint ${row} names wire ${wire}`)
      mul(at + 4, weight, product)
      add(sum + wire * FR_BYTES, product, sum + wire * FR_BYTES)
      if (matrix < 2) emitCoefficient(matrix, row, wire, at + 4)
    }
  }

  let row = 0
  let held = 0
  for (let read = 0; read < layout.constraintsBytes;) {
    const wanted = Math.min(stageBytes - held, layout.constraintsBytes - read)
    const got = readSync(file, u8, stage + held, wanted, layout.constraintsOffset + read)
    if (got === 0) {
      throw new Error(
        wanted === 0
          ? `constraint ${row} is larger than ${stageBytes} bytes`
          : 'the r1cs file ends early',
      )
    }
    read += got
    const end = stage + held + got
    let at = stage
    while (row < layout.nConstraints) {
      const next = endOfConstraint(u32, at, end)
      if (next === undefined) break
      for (let matrix = 0; matrix < 3; matrix++) {
        const count = u32[at >>> 2] ?? 0
        addTerms(matrix, row, at + 4, count)
        at += 4 + count * TERM_BYTES
      }
      row++
    }
    writeCoefficients(u8.subarray(out, outEnd))
    outEnd = out
    held = end - at
    u8.copyWithin(stage, at, end)
  }
  if (row !== layout.nConstraints || held !== 0) {
    throw new Error(`the r1cs file holds ${row} of ${layout.nConstraints} constraints`)
  }
  addPublicRows()

  // snarkjs' extra rows: wire s alone in A, for the one and each public wire, so that the
  // polynomials of public wires are independent.
  function addPublicRows(): void {
    const one = constantOf(curve, 1n)
    for (let wire = 0; wire <= layout.nPublic; wire++) {
      const publicRow = layout.nConstraints + wire
      const sum = sums[0] + wire * FR_BYTES
      mul(one, lagrange + publicRow * FR_BYTES, product)
      add(sum, product, sum)
      emitCoefficient(0, publicRow, wire, one)
      if (outEnd + COEFFICIENT_BYTES > out + outBytes || wire === layout.nPublic) {
        writeCoefficients(u8.subarray(out, outEnd))
        outEnd = out
      }
    }
  }
}

/** Where the constraint at `from` ends, if all of it lies before `end`. */
function endOfConstraint(u32: Uint32Array, from: number, end: number): number | undefined {
  let at = from
  for (let matrix = 0; matrix < 3; matrix++) {
    if (at + 4 > end) return undefined
    at += 4 + (u32[at >>> 2] ?? 0) * TERM_BYTES
  }
  return at <= end ? at : undefined
}

function combine(
  curve: Curve,
  { waste, layout }: SweepOptions,
  a: number,
  b: number,
  c: number,
): WireScalars {
  const { frm_add: add, frm_mul: mul } = curve.exports
  const alpha = constantOf(curve, toMontgomery(waste.alpha))
  const beta = constantOf(curve, toMontgomery(waste.beta))
  const overGamma = constantOf(curve, toMontgomery(inverse(waste.gamma)))
  const overDelta = constantOf(curve, toMontgomery(inverse(waste.delta)))
  const product = curve.allocate(FR_BYTES)
  for (let wire = 0; wire < layout.nVars; wire++) {
    const at = c + wire * FR_BYTES
    mul(a + wire * FR_BYTES, beta, product)
    add(at, product, at)
    mul(b + wire * FR_BYTES, alpha, product)
    add(at, product, at)
    mul(at, wire <= layout.nPublic ? overGamma : overDelta, at)
  }
  const share = (from: number, count: number): SharedArrayBuffer => {
    const shared = new SharedArrayBuffer(count * FR_BYTES)
    new Uint8Array(shared).set(curve.u8.subarray(from, from + count * FR_BYTES))
    return shared
  }
  const firstPrivate = layout.nPublic + 1
  return {
    a: share(a, layout.nVars),
    b: share(b, layout.nVars),
    c: share(c + firstPrivate * FR_BYTES, layout.nVars - firstPrivate),
    publicInputs: Array.from({ length: firstPrivate }, (_, wire) =>
      curve.u8.slice(c + wire * FR_BYTES, c + (wire + 1) * FR_BYTES),
    ),
  }
}
