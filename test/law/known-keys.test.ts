/** A key that has signed before is checked with kept multiples: the answers must not change by it. */
import { expect, test } from 'vitest'
import { Curve, sign, signingKey, verify, type Point } from '../../circuits/eddsa.ts'
import { FIELD_MODULUS } from '../../circuits/params.ts'

const seedOf = (i: number): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, j) => (i >> (8 * j)) & 255)

test('signatures are told from forgeries the first, the third and the tenth time', () => {
  const [key, other] = [signingKey(seedOf(1)), signingKey(seedOf(2))]
  for (let i = 0n; i < 10n; i++) {
    const [good, foreign] = [sign(key, i), sign(other, i)]
    expect(verify(key.publicKey, i, good)).toBe(true)
    expect(verify(key.publicKey, i + 1n, good)).toBe(false)
    expect(verify(key.publicKey, i, foreign)).toBe(false)
    expect(verify(key.publicKey, i, { ...good, s: good.s ^ 1n })).toBe(false)
    expect(verify(key.publicKey, i, { ...good, r: foreign.r })).toBe(false)
    expect(verify(other.publicKey, i, foreign)).toBe(true)
  }
})

test('more keys than are kept verify all the same', () => {
  const keys = Array.from({ length: 270 }, (_, i) => signingKey(seedOf(1000 + i)))
  const messages = keys.map((key) => sign(key, 5n))
  for (let round = 0; round < 2; round++)
    keys.forEach((key, i) =>
      expect(verify(key.publicKey, 5n, messages[i] as ReturnType<typeof sign>)).toBe(true),
    )
})

test('a key of small order, off the curve or p too large is refused each time', () => {
  const key = signingKey(seedOf(3))
  const good = sign(key, 7n)
  const halfTurn = Curve.fromAffine(key.publicKey)
    .add(Curve.fromAffine({ x: 0n, y: FIELD_MODULUS - 1n }))
    .toAffine()
  const bad: Point[] = [
    { x: 0n, y: 1n },
    { x: 0n, y: FIELD_MODULUS - 1n },
    { x: halfTurn.x, y: halfTurn.y },
    { x: key.publicKey.x + FIELD_MODULUS, y: key.publicKey.y },
    { x: key.publicKey.x, y: key.publicKey.y + 1n },
  ]
  for (let i = 0; i < 5; i++) for (const point of bad) expect(verify(point, 7n, good)).toBe(false)
  expect(verify(key.publicKey, 7n, good)).toBe(true)
})
