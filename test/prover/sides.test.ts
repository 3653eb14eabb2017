/** Constraints turned to their cheaper side: the same products, fewer wires with a point in G2. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FIELD_PRIME } from '../../prover/bn254.ts'
import { readR1csInfo } from '../../prover/r1cs.ts'
import { turnSides } from '../../prover/sides.ts'

/** Wires with coefficients. */
type Side = readonly (readonly [wire: number, coefficient: bigint])[]
type Constraint = readonly [a: Side, b: Side, c: Side]

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloister-sides-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function word(value: number, bytes: 4 | 8): Buffer {
  const out = Buffer.alloc(bytes)
  if (bytes === 4) out.writeUInt32LE(value)
  else out.writeBigUInt64LE(BigInt(value))
  return out
}
const field = (value: bigint): Buffer =>
  Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()

function fileOf(constraints: readonly Constraint[], wires: number): string {
  const header = Buffer.concat([
    word(32, 4),
    field(FIELD_PRIME),
    ...[wires, 0, 1, wires - 2].map((n) => word(n, 4)),
    word(wires, 8),
    word(constraints.length, 4),
  ])
  const body = Buffer.concat(
    constraints
      .flat()
      .flatMap((side) => [
        word(side.length, 4),
        ...side.flatMap(([wire, coefficient]) => [word(wire, 4), field(coefficient)]),
      ]),
  )
  const section = (type: number, bytes: Buffer): Buffer[] => [
    word(type, 4),
    word(bytes.length, 8),
    bytes,
  ]
  const path = join(folder, `${constraints.length}-${wires}.r1cs`)
  const parts = [Buffer.from('r1cs'), word(1, 4), word(2, 4), ...section(1, header)]
  writeFileSync(path, Buffer.concat([...parts, ...section(2, body)]))
  return path
}

const one = (wire: number): Side => [[wire, 1n]]
const bit = (wire: number): Constraint => [
  one(wire),
  [
    [wire, 1n],
    [0, FIELD_PRIME - 1n],
  ],
  [],
]

function turnedFile(constraints: readonly Constraint[], wires: number) {
  const path = fileOf(constraints, wires)
  const sides = turnSides(path)
  return { path, sides, bytes: readFileSync(path) }
}

describe('a constraint', () => {
  test('is turned where its second side brings more new wires', () => {
    const wide: Constraint = [
      one(1),
      [
        [2, 5n],
        [3, 7n],
      ],
      one(4),
    ]
    const { sides, bytes } = turnedFile([wide], 5)
    expect(sides).toEqual({ turned: 1, wiresBefore: 2, wiresAfter: 1 })
    expect(bytes).toEqual(readFileSync(fileOf([[wide[1], wide[0], wide[2]]], 5)))
  })

  test('stays where both sides bring as much, and where it is a square', () => {
    const square: Constraint = [one(2), one(2), one(3)]
    for (const constraints of [[square], [[one(1), one(2), one(3)] as Constraint]]) {
      const before = readFileSync(fileOf(constraints, 6))
      expect(turnedFile(constraints, 6).bytes).toEqual(before)
    }
  })

  test('is turned to wires that a later square needs anyhow', () => {
    const { sides } = turnedFile(
      [
        [one(1), one(2), one(3)],
        [one(1), one(1), one(4)],
      ],
      5,
    )
    expect(sides).toEqual({ turned: 1, wiresBefore: 2, wiresAfter: 1 })
  })

  test('is turned to several bits rather than to one word', () => {
    const sum: Side = [
      [1, 1n],
      [2, 2n],
    ]
    const { sides } = turnedFile([[sum, one(3), one(4)], bit(1), bit(2)], 7)
    expect(sides).toEqual({ turned: 3, wiresBefore: 4, wiresAfter: 2 })
  })
})

test('turning twice is turning once, and the header stays', () => {
  const constraints: Constraint[] = [
    [one(1), [[2, 1n], [3, 1n]], one(4)], // prettier-ignore
    [one(4), [[1, 1n], [5, 3n]], one(6)], // prettier-ignore
    bit(6),
  ]
  const { path, bytes } = turnedFile(constraints, 8)
  const info = readR1csInfo(path)
  expect(turnSides(path).turned).toBe(0)
  expect(readFileSync(path)).toEqual(bytes)
  expect(info).toMatchObject({ nConstraints: 3, nVars: 8 })
})

test('a file whose constraints do not end with their section is refused', () => {
  const path = fileOf([[one(1), one(2), one(3)]], 9)
  const bytes = readFileSync(path)
  // Fewer constraints than there are bytes for.
  bytes.writeUInt32LE(0, 12 + 12 + 36 + 16 + 8)
  writeFileSync(path, bytes)
  expect(() => turnSides(path)).toThrow('must end where their section ends')
})
