/** One thread of a proof: it does one task after the other on memory that all threads share. */
import { parentPort, workerData } from 'node:worker_threads'
import {
  FIELD_PRIME,
  FR_BYTES,
  instantiateCurve,
  power,
  toMontgomery,
  writeBigInt,
} from '../bn254.ts'
import { pointBytes } from '../fixed-base.ts'
import { createMultiexp, multiexpBytes } from './multiexp.ts'
import { groupOf, type Start, type Task, type TaskAnswer } from './tasks.ts'

const port = parentPort
if (port === null) throw new Error('engine/worker runs as a worker thread only')
const { curveModule, key } = workerData as Start
const COEFFICIENT_BYTES = 12 + FR_BYTES
/** Coefficients are brought in by pieces of this many. */
const PIECE = 1 << 14
/** Of a window: the sum as a Jacobian point, the larger of the two. */
const POINT_BYTES = 3 * 64

const { nVars, domainSize } = key
const largest = Math.max(nVars, domainSize)
const space = Math.max(
  largest * pointBytes('G1'),
  nVars * pointBytes('G2'),
  // Rows: the witness, a piece of coefficients, and three columns.
  nVars * FR_BYTES + PIECE * COEFFICIENT_BYTES + 3 * domainSize * FR_BYTES,
  4 * domainSize * FR_BYTES,
)
const curve = instantiateCurve(
  curveModule,
  space + multiexpBytes('G1', 0) + multiexpBytes('G2', 0) + 4096,
)
const arena = curve.allocate(space)
const { exports: wasm, u8, u32 } = curve
const product = curve.allocate(FR_BYTES)
const one = curve.allocate(FR_BYTES)
const step = curve.allocate(FR_BYTES)
const sum = curve.allocate(POINT_BYTES)
const multiexp = {
  G1: createMultiexp(curve, 'G1', arena, Math.floor(space / pointBytes('G1'))),
  G2: createMultiexp(curve, 'G2', arena, Math.floor(space / pointBytes('G2'))),
}
writeBigInt(curve, one, toMontgomery(1n))
writeBigInt(curve, step, toMontgomery(rootOfUnity(2 * domainSize)))

/** snarkjs' choice: powers of the smallest non-residue, 5. */
function rootOfUnity(order: number): bigint {
  return power(5n, (FIELD_PRIME - 1n) / BigInt(order))
}

function rows({ first, end, from, to, memory }: Extract<Task, { kind: 'rows' }>): void {
  const bytes = (to - from) * FR_BYTES
  const witness = arena
  const a = witness + nVars * FR_BYTES
  const b = a + bytes
  const c = b + bytes
  const piece = c + bytes
  u8.set(new Uint8Array(memory.witness), witness)
  u8.fill(0, a, c)
  const all = new Uint8Array(key.coefficients)
  for (let start = first; start < end; start += PIECE) {
    const count = Math.min(PIECE, end - start)
    u8.set(all.subarray(start * COEFFICIENT_BYTES, (start + count) * COEFFICIENT_BYTES), piece)
    for (let i = 0; i < count; i++) {
      const at = piece + i * COEFFICIENT_BYTES
      const [matrix, constraint, wire] = [u32[at >>> 2], u32[(at >>> 2) + 1], u32[(at >>> 2) + 2]]
      const out = (matrix === 0 ? a : b) + ((constraint as number) - from) * FR_BYTES
      wasm.frm_mul(at + 12, witness + (wire as number) * FR_BYTES, product)
      wasm.frm_add(out, product, out)
    }
  }
  for (let at = 0; at < bytes; at += FR_BYTES) wasm.frm_mul(a + at, b + at, c + at)
  const place = from * FR_BYTES
  new Uint8Array(memory.a, place, bytes).set(u8.subarray(a, a + bytes))
  new Uint8Array(memory.b, place, bytes).set(u8.subarray(b, b + bytes))
  new Uint8Array(memory.c, place, bytes).set(u8.subarray(c, c + bytes))
}

function shift({ values }: Extract<Task, { kind: 'shift' }>): void {
  const shared = new Uint8Array(values)
  u8.set(shared, arena)
  wasm.frm_ifft(arena, domainSize)
  wasm.frm_batchApplyKey(arena, domainSize, one, step, arena)
  wasm.frm_fft(arena, domainSize)
  shared.set(u8.subarray(arena, arena + domainSize * FR_BYTES))
}

function join({ from, to, memory }: Extract<Task, { kind: 'join' }>): void {
  const bytes = (to - from) * FR_BYTES
  const columns = [memory.a, memory.b, memory.c]
  columns.forEach((column, i) =>
    u8.set(new Uint8Array(column, from * FR_BYTES, bytes), arena + i * bytes),
  )
  const out = arena + 3 * bytes
  wasm.qap_joinABC(arena, arena + bytes, arena + 2 * bytes, to - from, out)
  wasm.frm_batchFromMontgomery(out, to - from, out)
  new Uint8Array(memory.quotient, from * FR_BYTES, bytes).set(u8.subarray(out, out + bytes))
}

function window(task: Extract<Task, { kind: 'window' }>): Uint8Array {
  const { section, digits, first, count, bits } = task
  const group = groupOf(section)
  const ofWindow = new Int16Array(digits, 2 * first, count)
  multiexp[group].window(new Uint32Array(key[section]), ofWindow, bits, sum)
  return u8.slice(sum, sum + (pointBytes(group) * 3) / 2)
}

function run(task: Task): Uint8Array | null {
  switch (task.kind) {
    case 'rows':
      rows(task)
      return null
    case 'shift':
      shift(task)
      return null
    case 'join':
      join(task)
      return null
    case 'window':
      return window(task)
  }
}

port.on('message', (task: Task | 'forget') => {
  if (task === 'forget') {
    // What was secret in the last proof.
    u8.fill(0, arena, arena + space)
    return
  }
  let answer: TaskAnswer
  try {
    answer = { ok: true, point: run(task) }
  } catch (error) {
    answer = { ok: false, message: error instanceof Error ? error.message : String(error) }
  }
  port.postMessage(answer)
})
