/** What the database of proving jobs sees of an input: nothing, not even how much there is of it. */
import { describe, expect, it } from 'vitest'
import { openPostgresJobs } from '../../prover/jobs/postgres-jobs.ts'
import { createJobSeal, InputMustOpen } from '../../prover/jobs/seal.ts'
import { OPENING } from './opening.ts'

const KEY = new Uint8Array(32).fill(9)
const seal = createJobSeal(KEY)
const CIRCUIT = 'a'.repeat(64)

describe('sealed inputs', () => {
  it('open with the key and for the circuit that they were sealed with', () => {
    const sealed = seal.close(CIRCUIT, OPENING)
    expect(seal.open(CIRCUIT, sealed)).toEqual({
      value: '41',
      salt: '12345678901234567890',
      shift: '7',
    })
    expect(() => seal.open('b'.repeat(64), sealed)).toThrow(InputMustOpen)
    expect(() => createJobSeal(new Uint8Array(32)).open(CIRCUIT, sealed)).toThrow(InputMustOpen)
    for (const at of [0, 11, 12, 5000, sealed.length - 16, sealed.length - 1]) {
      const changed = Uint8Array.from(sealed)
      changed[at] = (changed[at] as number) ^ 1
      expect(() => seal.open(CIRCUIT, changed)).toThrow(InputMustOpen)
    }
    for (const cut of [0, 12, 28, sealed.length - 1])
      expect(() => seal.open(CIRCUIT, sealed.slice(0, cut))).toThrow(InputMustOpen)
  })
  it('are of one length, and never the same twice', () => {
    const small = seal.close(CIRCUIT, { v: [0n, 0n] })
    const large = seal.close(CIRCUIT, { v: [2n ** 253n, 2n ** 252n] })
    expect(small.length).toBe(large.length)
    expect(Buffer.from(seal.close(CIRCUIT, OPENING)).equals(seal.close(CIRCUIT, OPENING))).toBe(
      false,
    )
  })
  it('have one name, whatever the order of their signals, and another under another key', () => {
    const name = seal.name(CIRCUIT, OPENING)
    const { value, salt, shift } = OPENING
    expect(seal.name(CIRCUIT, { shift, salt, value })).toBe(name)
    expect(seal.name(CIRCUIT, { ...OPENING, salt: 1n })).not.toBe(name)
    expect(seal.name('b'.repeat(64), OPENING)).not.toBe(name)
    expect(createJobSeal(new Uint8Array(32)).name(CIRCUIT, OPENING)).not.toBe(name)
  })
  it('need a key of 32 bytes', () => {
    for (const bytes of [0, 16, 31, 33])
      expect(() => createJobSeal(new Uint8Array(bytes))).toThrow('ProverKeyMustHave32Bytes')
  })
})

describe('jobs in PostgreSQL', () => {
  it('say nothing of the URL when the database is not there', async () => {
    const secret = 'postgres://cloister:hunter2@127.0.0.1:1/none'
    const error = await openPostgresJobs({ url: secret }).catch((e: unknown) => e)
    expect(String(error)).toContain('ECONNREFUSED')
    expect(String(error)).not.toContain('hunter2')
    await expect(openPostgresJobs({ url: secret, schema: 'a; drop' })).rejects.toThrow('no name')
  })
})
