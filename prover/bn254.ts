// The BN254 curve as one WebAssembly module that workers can share: compiled once here,
// instantiated wherever points or field elements are multiplied in bulk.
//
// This is the same wasmcurves code that snarkjs runs. We instantiate it ourselves because
// ffjavascript offers no fixed-base multiplication, and copies every operand in and out.

import { createRequire } from 'node:module'

export const FIELD_PRIME =
  21888242871839275222246405745257275088548364400416034343698204186575808495617n // r
export const BASE_PRIME =
  21888242871839275222246405745257275088696311157297823662689037894645226208583n // q

export const FR_BYTES = 32
export const G1_BYTES = 64
export const G2_BYTES = 128

type Unary = (a: number, out: number) => void
type Binary = (a: number, b: number, out: number) => void

/** Arguments are addresses in the instance's memory. */
export type CurveExports = {
  readonly frm_add: Binary
  readonly frm_sub: Binary
  readonly frm_mul: Binary
  readonly frm_batchInverse: BatchInverse
  readonly frm_fft: (values: number, count: number) => void
  readonly frm_ifft: (values: number, count: number) => void
  /** out[i] = values[i] * first * step^i */
  readonly frm_batchApplyKey: (
    values: number,
    count: number,
    first: number,
    step: number,
    out: number,
  ) => void
  readonly frm_batchFromMontgomery: (values: number, count: number, out: number) => void
  /** out[i] = a[i] * b[i] - c[i] */
  readonly qap_joinABC: (a: number, b: number, c: number, count: number, out: number) => void
  readonly f1m_neg: Unary
  readonly f2m_neg: Unary
  readonly f1m_sub: Binary
  readonly f1m_mul: Binary
  readonly f1m_square: Unary
  readonly f1m_batchInverse: BatchInverse
  readonly f1m_fromMontgomery: Unary
  readonly f2m_sub: Binary
  readonly f2m_mul: Binary
  readonly f2m_square: Unary
  readonly f2m_batchInverse: BatchInverse
  readonly g1m_doubleAffine: Unary
  readonly g2m_doubleAffine: Unary
  readonly g1m_toAffine: Unary
  readonly g2m_toAffine: Unary
  readonly g1m_toJacobian: Unary
  readonly g2m_toJacobian: Unary
  readonly g1m_zero: (out: number) => void
  readonly g2m_zero: (out: number) => void
  readonly g1m_double: Unary
  readonly g2m_double: Unary
  readonly g1m_add: Binary
  readonly g2m_add: Binary
  /** Jacobian + affine */
  readonly g1m_addMixed: Binary
  readonly g2m_addMixed: Binary
  /** affine + affine to Jacobian, whatever the points */
  readonly g1m_addAffine: Binary
  readonly g2m_addAffine: Binary
  readonly g1m_timesScalar: (p: number, k: number, kBytes: number, out: number) => void
  readonly g2m_timesScalar: (p: number, k: number, kBytes: number, out: number) => void
  readonly g1m_timesScalarAffine: (p: number, k: number, kBytes: number, out: number) => void
  readonly g2m_timesScalarAffine: (p: number, k: number, kBytes: number, out: number) => void
  readonly bn128_pairing: Binary
}

export type BatchInverse = (
  input: number,
  inputStep: number,
  count: number,
  out: number,
  outStep: number,
) => void

export type CurveModule = {
  readonly module: WasmModule
  readonly g1Generator: number
  readonly g2Generator: number
  readonly staticBytes: number
}

export type Curve = {
  readonly exports: CurveExports
  readonly u8: Uint8Array
  readonly u32: Uint32Array
  readonly g1Generator: number
  readonly g2Generator: number
  readonly allocate: (bytes: number) => number
}

type ModuleBuilder = {
  setMemory: (pages: number) => void
  build: () => Uint8Array<ArrayBuffer>
  readonly modules: { readonly bn128: { readonly pG1gen: number; readonly pG2gen: number } }
}

// Node's types leave WebAssembly to the browser's library, which this room does not load.
type WasmModule = { readonly wasmModule: never }
type WasmMemory = { readonly buffer: ArrayBuffer }
const wasm = (
  globalThis as unknown as {
    readonly WebAssembly: {
      readonly Module: new (code: Uint8Array<ArrayBuffer>) => WasmModule
      readonly Memory: new (size: { initial: number }) => WasmMemory
      readonly Instance: new (
        module: WasmModule,
        imports: { env: { memory: WasmMemory } },
      ) => { readonly exports: unknown }
    }
  }
).WebAssembly

const PAGE_BYTES = 65536
// Batch inversion takes its working space above everything allocated: 4,097 elements of 64 bytes
// are the most that fixed-base.ts asks for.
const SCRATCH_BYTES = 1 << 19
const ALIGNMENT_BYTES = 4096

export function compileCurve(): CurveModule {
  // wasmcurves is a dependency of ffjavascript, which is one of snarkjs: walk that chain, so that
  // the layout of points is the one of the snarkjs that will read the key.
  const fromSnarkjs = createRequire(createRequire(import.meta.url).resolve('snarkjs'))
  const fromField = createRequire(fromSnarkjs.resolve('ffjavascript'))
  const builders = fromField('wasmbuilder') as { ModuleBuilder: new () => ModuleBuilder }
  const curves = fromField('wasmcurves') as { buildBn128: (builder: ModuleBuilder) => void }
  const builder = new builders.ModuleBuilder()
  builder.setMemory(25)
  curves.buildBn128(builder)
  const module = new wasm.Module(builder.build())
  // Word 0 of a fresh instance's memory points at the first free byte.
  const memory = new wasm.Memory({ initial: 25 })
  new wasm.Instance(module, { env: { memory } })
  return {
    module,
    g1Generator: builder.modules.bn128.pG1gen,
    g2Generator: builder.modules.bn128.pG2gen,
    staticBytes: new Uint32Array(memory.buffer)[0] ?? 0,
  }
}

/** The memory never grows, so the views stay valid: the caller says how much it will allocate. */
export function instantiateCurve(curve: CurveModule, bytes: number): Curve {
  const total = curve.staticBytes + bytes + ALIGNMENT_BYTES + SCRATCH_BYTES
  const pages = Math.max(25, Math.ceil(total / PAGE_BYTES))
  if (pages > 65536) {
    throw new Error(`the curve's memory ends at 4 GiB and this needs ${total} bytes`)
  }
  const memory = new wasm.Memory({ initial: pages })
  const instance = new wasm.Instance(curve.module, { env: { memory } })
  const u32 = new Uint32Array(memory.buffer)
  const end = memory.buffer.byteLength - SCRATCH_BYTES
  const allocate = (size: number): number => {
    const start = Math.ceil((u32[0] ?? 0) / 32) * 32
    if (start + size > end) {
      throw new Error(`allocating ${size} bytes at ${start} passes the reserved ${end}`)
    }
    u32[0] = start + size
    return start
  }
  return {
    exports: instance.exports as CurveExports,
    u8: new Uint8Array(memory.buffer),
    u32,
    g1Generator: curve.g1Generator,
    g2Generator: curve.g2Generator,
    allocate,
  }
}

/** Little endian, 32 bytes, as it stands: the caller decides whether it is in Montgomery form. */
export function writeBigInt(curve: Curve, address: number, value: bigint): void {
  let rest = value
  for (let i = 0; i < FR_BYTES; i++) {
    curve.u8[address + i] = Number(rest & 0xffn)
    rest >>= 8n
  }
}

export function readBigInt(curve: Curve, address: number): bigint {
  let value = 0n
  for (let i = FR_BYTES - 1; i >= 0; i--) {
    value = (value << 8n) | BigInt(curve.u8[address + i] ?? 0)
  }
  return value
}

export function modulo(value: bigint): bigint {
  const rest = value % FIELD_PRIME
  return rest < 0n ? rest + FIELD_PRIME : rest
}

export function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let square = modulo(base)
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = modulo(result * square)
    square = modulo(square * square)
  }
  return result
}

export function inverse(value: bigint): bigint {
  if (modulo(value) === 0n) throw new Error('zero has no inverse')
  return power(value, FIELD_PRIME - 2n)
}

export function toMontgomery(value: bigint): bigint {
  return modulo(value << 256n)
}
