// A * B = C says the same as B * A = C, but a proof pays for its sides differently: the points of
// the second side lie in G2, where an addition costs about three times as much, and are needed in
// G1 as well. So each constraint is turned to the side that brings fewer new wires to B.

import { openSync, closeSync, readFileSync, writeFileSync, renameSync } from 'node:fs'
import { FR_BYTES } from './bn254.ts'
import { readR1csLayout, type R1csLayout } from './r1cs.ts'

/** Changes with the rule below: part of the name under which compiled circuits are kept. */
export const SIDES_RULE = 'sides-1'

const TERM_BYTES = 4 + FR_BYTES
/** A wire that is a bit costs a proof hardly anything: its scalar has one digit. */
const BIT_COST = 1
const WORD_COST = 8

export type Sides = {
  readonly turned: number
  /** Wires with a point in G2 that is not zero. */
  readonly wiresBefore: number
  readonly wiresAfter: number
}

/** Where the three linear combinations of each constraint begin, and where the last one ends. */
type Places = { readonly starts: Uint32Array; readonly end: number }

/** Turns the constraints of an .r1cs file in place; the same file gives the same file. */
export function turnSides(path: string): Sides {
  const layout = layoutOf(path)
  const bytes = readFileSync(path)
  const places = placesOf(bytes, layout)
  const { turned, sides } = choose(bytes, layout, places)
  const changed = Buffer.from(bytes)
  turned.forEach((isTurned, i) => {
    if (isTurned === 0) return
    const [a, b, c] = bounds(places, i)
    bytes.copy(changed, a, b, c)
    bytes.copy(changed, a + (c - b), a, b)
  })
  writeFileSync(`${path}.tmp`, changed)
  renameSync(`${path}.tmp`, path)
  return sides
}

function layoutOf(path: string): R1csLayout {
  const file = openSync(path, 'r')
  try {
    return readR1csLayout(file, path)
  } finally {
    closeSync(file)
  }
}

function placesOf(bytes: Buffer, layout: R1csLayout): Places {
  const starts = new Uint32Array(3 * layout.nConstraints)
  let at = layout.constraintsOffset
  for (let i = 0; i < starts.length; i++) {
    starts[i] = at
    at += 4 + bytes.readUInt32LE(at) * TERM_BYTES
  }
  if (at !== layout.constraintsOffset + layout.constraintsBytes)
    throw new Error('the constraints of an r1cs file must end where their section ends')
  return { starts, end: at }
}

function bounds({ starts, end }: Places, constraint: number): [number, number, number, number] {
  const at = (i: number): number => starts[i] ?? end
  const first = 3 * constraint
  return [at(first), at(first + 1), at(first + 2), at(first + 3)]
}

function* wiresAt(bytes: Buffer, from: number): Generator<number> {
  const count = bytes.readUInt32LE(from)
  for (let i = 0; i < count; i++) yield bytes.readUInt32LE(from + 4 + i * TERM_BYTES)
}

function choose(
  bytes: Buffer,
  { nVars, nConstraints }: R1csLayout,
  places: Places,
): { readonly turned: Uint8Array; readonly sides: Sides } {
  const turned = new Uint8Array(nConstraints)
  const [before, after] = [new Uint8Array(nVars), new Uint8Array(nVars)]
  const cost = new Uint8Array(nVars).fill(WORD_COST)
  const isSquare = new Uint8Array(nConstraints)
  cost[0] = BIT_COST
  for (let i = 0; i < nConstraints; i++) {
    const [a, b, c] = bounds(places, i)
    for (const wire of wiresAt(bytes, b)) before[wire] = 1
    const [left, right] = [[...wiresAt(bytes, a)], [...wiresAt(bytes, b)]]
    const others = new Set([...left, ...right].filter((wire) => wire !== 0))
    // w * (w - 1) = 0
    if (bytes.readUInt32LE(c) === 0 && others.size === 1)
      for (const wire of others) cost[wire] = BIT_COST
    if (left.length !== right.length || left.some((wire, j) => wire !== right[j])) continue
    isSquare[i] = 1
    for (const wire of right) after[wire] = 1
  }
  const added = (from: number): number => {
    let sum = 0
    for (const wire of wiresAt(bytes, from)) if (after[wire] === 0) sum += cost[wire] as number
    return sum
  }
  for (let i = 0; i < nConstraints; i++) {
    if (isSquare[i] === 1) continue
    const [a, b] = bounds(places, i)
    if (added(a) < added(b)) turned[i] = 1
    for (const wire of wiresAt(bytes, turned[i] === 1 ? a : b)) after[wire] = 1
  }
  const count = (marks: Uint8Array): number => marks.reduce((sum, mark) => sum + mark, 0)
  return {
    turned,
    sides: { turned: count(turned), wiresBefore: count(before), wiresAfter: count(after) },
  }
}
