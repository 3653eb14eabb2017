/** Keys: fixed by the seed, apart from each other, and silent about it. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { isValidKey, sign, verify } from '../../circuits/eddsa.ts'
import { FIELD_MODULUS } from '../../circuits/params.ts'
import { createSeedFile, memberKeys, readSeedFile, Seed } from '../../client/keys.ts'

const dir = mkdtempSync(join(tmpdir(), 'cloister-keys-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const seed = new Seed(Uint8Array.from({ length: 32 }, (_, i) => i))

describe('memberKeys', () => {
  it('gives the same keys for the same seed, label and rotation, in either form', () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => i)
    expect(memberKeys(seed, 'A').viewKey).toBe(memberKeys(bytes, 'A').viewKey)
    expect(memberKeys(seed, 'A').signing.publicKey).toEqual(
      memberKeys(bytes, 'A').signing.publicKey,
    )
  })
  it('never changes: a member must find its account again in ten years', () => {
    expect(memberKeys(seed, 'A').viewKey).toBe(VIEW_KEY)
    expect(memberKeys(seed, 'A').ownerKeyHash).toBe(OWNER_KEY_HASH)
    expect(memberKeys(seed, 'A').depositSecret(0)).toBe(DEPOSIT_SECRET)
  })
  it('gives other keys for another label, rotation, counter or seed', () => {
    const other = new Seed(new Uint8Array(32))
    const drawn = [seed, other].flatMap((s) =>
      ['A', 'B'].flatMap((label) =>
        [0, 1].flatMap((n) => [
          memberKeys(s, label, n).viewKey,
          memberKeys(s, label, n).ownerKeyHash,
        ]),
      ),
    )
    const secrets = [0, 1, 2].map((n) => memberKeys(seed, 'A').depositSecret(n))
    expect(new Set([...drawn, ...secrets]).size).toBe(19)
    expect([...drawn, ...secrets].every((value) => value > 0n && value < FIELD_MODULUS)).toBe(true)
  })
  it('goes on counting deposits after a rotation', () => {
    expect(memberKeys(seed, 'A', 3).depositSecret(5)).toBe(memberKeys(seed, 'A').depositSecret(5))
  })
  it('signs with a key that the law accepts', () => {
    const { signing } = memberKeys(seed, 'A')
    expect(isValidKey(signing.publicKey)).toBe(true)
    expect(verify(signing.publicKey, 42n, sign(signing, 42n))).toBe(true)
  })
  it('refuses labels that could run into each other, and odd counters', () => {
    for (const label of ['', 'a/b', 'a b', 'x'.repeat(65)])
      expect(() => memberKeys(seed, label)).toThrow('label')
    for (const n of [-1, 0.5, NaN]) expect(() => memberKeys(seed, 'A', n)).toThrow('counter')
  })
})

describe('the seed', () => {
  it('shows nothing of itself', () => {
    for (const text of [
      String(seed),
      JSON.stringify({ seed }),
      inspect({ seed }, { depth: 9, showHidden: true }),
      JSON.stringify({ ...seed }),
    ]) {
      expect(text).not.toMatch(/00010203|0, 1, 2|\[0,1,2/)
    }
  })
  it('is written once, for its owner only, and read back', () => {
    const path = join(dir, 'seed')
    const made = createSeedFile(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(memberKeys(readSeedFile(path), 'A').viewKey).toBe(memberKeys(made, 'A').viewKey)
    expect(() => createSeedFile(path)).toThrow('never overwritten')
  })
  it.each([0o640, 0o604, 0o660, 0o644])('is refused in a file of mode %o', (mode) => {
    const path = join(dir, `open-${mode}`)
    createSeedFile(path)
    const secret = readFileSync(path, 'utf8').trim()
    chmodSync(path, mode)
    expect(() => readSeedFile(path)).toThrow(`chmod 600 ${path}`)
    expect(() => readSeedFile(path)).not.toThrow(secret)
  })
  it.each(['', 'a'.repeat(63), 'g'.repeat(64), 'a'.repeat(65), `${'a'.repeat(64)}\n\nx`])(
    'is refused when it reads %j, without quoting it',
    (content) => {
      const path = join(dir, `bad-${content.length}`)
      writeFileSync(path, content, { mode: 0o600 })
      let message = ''
      try {
        readSeedFile(path)
      } catch (error) {
        message = String(error)
      }
      expect(message).toContain('does not hold 64 hex digits')
      expect(message).not.toContain('a'.repeat(16))
    },
  )
  it('is missed by name', () => {
    expect(() => readSeedFile(join(dir, 'none'))).toThrow('ENOENT')
  })
})

// Drawn once with this code; if they change, every seed in use has lost its accounts.
const VIEW_KEY = 3224445012303595279237563597298458434904569198119956052818095508273154664893n
const OWNER_KEY_HASH =
  11896625929278539527277288931343844276283847288993337364138932375799870370095n
const DEPOSIT_SECRET = 9745613270439987137870211192315866789259941671515671240562112345540402137407n
