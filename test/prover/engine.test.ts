/** Our own Groth16: its sums against plain ones, its proofs under snarkjs' verifier. */
import { createHash } from 'node:crypto'
import { copyFileSync, readFileSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBackend } from '../../prover/backends.ts'
import {
  compileCurve,
  FIELD_PRIME,
  FR_BYTES,
  instantiateCurve,
  writeBigInt,
  type Curve,
} from '../../prover/bn254.ts'
import { openEngine } from '../../prover/engine/engine.ts'
import {
  createMultiexp,
  digitBitsFor,
  digitsOf,
  multiexpBytes,
} from '../../prover/engine/multiexp.ts'
import { pointBytes, type GroupName } from '../../prover/fixed-base.ts'
import { calculateWitness, prove, shutdown, verify } from '../../prover/groth16.ts'
import { compileOpening, OPENING, type Opening } from './opening.ts'

/** Any, and the same in every run. */
let drawn = 0
const anyScalar = (): bigint =>
  BigInt(`0x${createHash('sha512').update(`${drawn++}`).digest('hex')}`) % FIELD_PRIME

function wordsOf(scalars: readonly bigint[]): Uint32Array {
  return Uint32Array.from(
    scalars.flatMap((s) =>
      Array.from({ length: 8 }, (_, i) => Number((s >> BigInt(32 * i)) & 0xffffffffn)),
    ),
  )
}

describe('digits', () => {
  it('add up to their scalars, none beyond half a window', () => {
    const scalars = [0n, 1n, 2n, FIELD_PRIME - 1n, FIELD_PRIME / 2n, 2n ** 253n, anyScalar()]
    for (const bits of [2, 5, 13, 15]) {
      const { windows, count, values } = digitsOf(wordsOf(scalars), bits)
      expect(count).toBe(scalars.length)
      scalars.forEach((scalar, i) => {
        let sum = 0n
        for (let window = windows - 1; window >= 0; window--) {
          const digit = values[window * count + i] as number
          expect(Math.abs(digit)).toBeLessThanOrEqual(2 ** (bits - 1))
          sum = (sum << BigInt(bits)) + BigInt(digit)
        }
        expect(sum).toBe(scalar)
      })
    }
  })

  it('grow with the number of points', () => {
    expect(digitBitsFor(16)).toBeLessThan(digitBitsFor(250_000))
    expect(digitBitsFor(2 ** 28)).toBeLessThanOrEqual(15)
  })
})

describe.each(['G1', 'G2'] as const)('sums of points in %s', (group) => {
  const count = 40
  const curveModule = compileCurve()
  const curve = instantiateCurve(curveModule, multiexpBytes(group, 4 * count) + (1 << 16))
  const space = curve.allocate(count * pointBytes(group))
  const multiexp = createMultiexp(curve, group, space, count)
  const generator = group === 'G1' ? curveModule.g1Generator : curveModule.g2Generator

  /** The affine point k * generator in the file's form; zero is infinity. */
  function multiple(k: bigint): Uint8Array {
    const out = scaled(curve, group, generator, k)
    return curve.u8.slice(out, out + pointBytes(group))
  }
  function sumOf(ks: readonly bigint[], scalars: readonly bigint[], bits: number): Uint8Array {
    const points = new Uint32Array(new Uint8Array(Buffer.concat(ks.map(multiple))).buffer)
    const { windows, values } = digitsOf(wordsOf(scalars), bits)
    const e = curve.exports
    const [double, add, zero, toAffine] =
      group === 'G1'
        ? [e.g1m_double, e.g1m_add, e.g1m_zero, e.g1m_toAffine]
        : [e.g2m_double, e.g2m_add, e.g2m_zero, e.g2m_toAffine]
    const bytes = (pointBytes(group) * 3) / 2
    const [sum, window] = [curve.allocate(bytes), curve.allocate(bytes)]
    zero(sum)
    for (let i = windows - 1; i >= 0; i--) {
      for (let j = 0; j < bits; j++) double(sum, sum)
      const digits = values.subarray(i * ks.length, (i + 1) * ks.length)
      multiexp.window(points, digits, bits, window)
      add(sum, window, sum)
    }
    toAffine(sum, sum)
    return curve.u8.slice(sum, sum + pointBytes(group))
  }
  const free = curve.u32[0] as number
  const check = (ks: readonly bigint[], scalars: readonly bigint[]): void => {
    const expected = ks.reduce((sum, k, i) => (sum + k * (scalars[i] as bigint)) % FIELD_PRIME, 0n)
    for (const bits of [2, 4, 13]) {
      curve.u32[0] = free
      expect(Buffer.from(sumOf(ks, scalars, bits))).toEqual(Buffer.from(multiple(expected)))
    }
  }

  it('of any points', () => {
    const ks = Array.from({ length: count }, anyScalar)
    check(ks, ks.map(anyScalar))
  })
  it('of equal points, whose sums double', () => {
    const ks = Array<bigint>(7).fill(5n)
    check(ks, Array<bigint>(7).fill(3n))
    check(ks, [1n, 1n, 1n, 1n, 2n, 2n, 2n])
  })
  it('of opposite points, whose sums are infinite, with others behind them', () => {
    const ks = [5n, FIELD_PRIME - 5n, 5n, FIELD_PRIME - 5n, 9n]
    check(ks, [1n, 1n, 1n, 1n, 1n])
    check(ks.slice(0, 4), [3n, 3n, 3n, 3n])
    check([5n, 5n], [1n, FIELD_PRIME - 1n])
  })
  it('of infinite points, and times nothing', () => {
    check([0n, 7n, 0n, 11n], [1n, 1n, 1n, 1n])
    check([0n, 0n], [3n, 4n])
    check([7n, 8n, 9n], [0n, 0n, 0n])
    check([7n, 8n, 9n], [0n, 1n, FIELD_PRIME - 1n])
  })
  it('refuses more points than it has room for', () => {
    const digits = new Int16Array(count + 1)
    expect(() => multiexp.window(new Uint32Array(0), digits, 4, 0)).toThrow('no room')
  })
})

/** Affine k * point; (0, 0) for infinity. */
function scaled(curve: Curve, group: GroupName, point: number, k: bigint): number {
  const e = curve.exports
  const out = curve.allocate((pointBytes(group) * 3) / 2)
  const scalar = curve.allocate(FR_BYTES)
  writeBigInt(curve, scalar, k)
  if (group === 'G1') {
    e.g1m_timesScalarAffine(point, scalar, FR_BYTES, out)
    e.g1m_toAffine(out, out)
  } else {
    e.g2m_timesScalarAffine(point, scalar, FR_BYTES, out)
    e.g2m_toAffine(out, out)
  }
  if (k === 0n) curve.u8.fill(0, out, out + pointBytes(group))
  return out
}

describe('proofs of the engine', () => {
  let opening: Opening
  let witness: Uint8Array
  beforeAll(async () => {
    opening = await compileOpening()
    witness = await calculateWitness(opening.wasmPath, OPENING)
  })
  afterAll(async () => {
    await shutdown()
    opening.remove()
  })

  it.each([1, 2, 3])('verify, made by %s threads, one after the other', async (threads) => {
    const engine = openEngine(opening.zkeyPath, threads)
    const [one, other] = [await engine.prove(witness), await engine.prove(witness)]
    await engine.close()
    const theirs = await prove(opening.zkeyPath, opening.wasmPath, OPENING, { singleThread: true })
    for (const { proof, publicSignals } of [one, other]) {
      expect(publicSignals).toEqual(theirs.publicSignals)
      expect(await verify(opening.verificationKey, publicSignals, proof)).toBe(true)
      const wrong = [...publicSignals.slice(0, -1), '8']
      expect(await verify(opening.verificationKey, wrong, proof)).toBe(false)
    }
    // Blinded anew: equal proofs would say that the witness is the same.
    for (const part of ['pi_a', 'pi_b', 'pi_c'] as const)
      expect(one.proof[part]).not.toEqual(other.proof[part])
  })

  it('of a witness that breaks the circuit never leave the backend', async () => {
    const broken = witness.slice()
    const last = broken.length - FR_BYTES
    broken[last] = (broken[last] as number) ^ 1
    const engine = openEngine(opening.zkeyPath, 1)
    const { proof, publicSignals } = await engine.prove(broken)
    await engine.close()
    expect(await verify(opening.verificationKey, publicSignals, proof)).toBe(false)
    const notes: string[] = []
    const backend = await openBackend('engine', opening, 1, (line) => notes.push(line))
    await expect(backend.prove(broken)).rejects.toThrow('does not verify')
    expect(notes).toEqual([expect.stringContaining('snarkjs takes over')])
    // What it does to one witness it does to that alone.
    expect((await backend.prove(witness)).publicSignals).toEqual(
      (await prove(opening.zkeyPath, opening.wasmPath, OPENING)).publicSignals,
    )
    await backend.close()
  })

  it('are verified under the key within the proving key where no other is given', async () => {
    const { zkeyPath } = opening
    const backend = await openBackend('engine', { zkeyPath }, 1, () => {})
    const broken = witness.slice()
    broken[broken.length - FR_BYTES] = (broken[broken.length - FR_BYTES] as number) ^ 1
    await expect(backend.prove(broken)).rejects.toThrow('does not verify')
    await expect(backend.prove(witness)).resolves.toMatchObject({ proof: { protocol: 'groth16' } })
    await backend.close()
  })

  it('need a witness of the circuit, whole', async () => {
    const engine = openEngine(opening.zkeyPath, 1)
    for (const wrong of [witness.slice(0, -32), witness.slice(0, -1), new Uint8Array(0)])
      await expect(engine.prove(wrong)).rejects.toThrow('the witness is not one of')
    const other = witness.slice()
    other[0] = 0
    await expect(engine.prove(other)).rejects.toThrow('the witness is not one of')
    await engine.close()
  })

  it('need a key that is whole', () => {
    const cut = join(opening.dir, 'cut.zkey')
    copyFileSync(opening.zkeyPath, cut)
    truncateSync(cut, readFileSync(cut).length - 1)
    expect(() => openEngine(cut, 1)).toThrow('cut short')
  })
})
