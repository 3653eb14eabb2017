/**
 * Which constraints of a system the others imply, seen at a witness.
 *
 * Let g_k be the gradient of constraint k at a witness w, every wire but the constant one free (the
 * inputs too: deleting a check lets in statements that were refused). If g_k is no combination of the
 * other gradients, w is a smooth point of the solutions of all constraints but k, and k changes along
 * them: there are assignments that break k alone, so deleting k would let them in. A constraint whose
 * gradient does depend on others is a survivor at this w; another w may tell more.
 *
 * The dependent ones are read off ONE left null vector chosen at random: a constraint that stands in
 * any dependency has a nonzero weight in it, except with probability 1/p.
 */
import { FIELD_MODULUS as P } from '../../../circuits/params.ts'
import { inverse } from '../../../circuits/field.ts'
import { evaluate, type Sum, type System } from '../r1cs.ts'

type Row = Map<number, bigint>
/** What a pivot took away from other rows: row and factor in turn. */
type Step = {
  readonly pivot: number
  readonly rows: readonly number[]
  readonly factors: readonly bigint[]
}

function addTo(row: Row, sum: Sum, factor: bigint): void {
  if (factor === 0n) return
  sum.wires.forEach((wire, i) => {
    if (wire === 0) return
    const value = ((row.get(wire) ?? 0n) + factor * (sum.coefficients[i] as bigint)) % P
    if (value === 0n) row.delete(wire)
    else row.set(wire, value)
  })
}

/** The gradient of a * b - c at the witness. */
function gradient(system: System, k: number, witness: readonly bigint[]): Row {
  const { a, b, c } = system.constraints[k]!
  const row: Row = new Map()
  addTo(row, a, evaluate(b, witness))
  addTo(row, b, evaluate(a, witness))
  addTo(row, c, P - 1n)
  return row
}

/** Rows of the matrix with the places of each column, kept in step. */
class Matrix {
  readonly rows: readonly Row[]
  readonly columns: Set<number>[]
  readonly freeRows: number[] = []
  readonly freeColumns: number[] = []
  /** Rows by their size; a row stays behind in the lists of sizes that it has had. */
  readonly bySize: number[][] = []

  constructor(rows: readonly Row[], width: number) {
    this.rows = rows
    this.columns = Array.from({ length: width }, () => new Set<number>())
    rows.forEach((row, k) => {
      for (const wire of row.keys()) this.columns[wire]!.add(k)
      this.list(k)
    })
    this.columns.forEach((column, wire) => column.size === 1 && this.freeColumns.push(wire))
  }

  private list(k: number): void {
    const { size } = this.rows[k]!
    if (size === 1) this.freeRows.push(k)
    ;(this.bySize[size] ??= []).push(k)
  }

  take(k: number): void {
    for (const wire of this.rows[k]!.keys()) {
      const column = this.columns[wire]!
      column.delete(k)
      if (column.size === 1) this.freeColumns.push(wire)
    }
  }

  /** Takes pivot (k, wire) out and returns what it subtracted. */
  eliminate(k: number, wire: number): Step {
    const pivot = this.rows[k]!
    this.take(k)
    const scale = inverse(pivot.get(wire)!)
    const rows = [...this.columns[wire]!]
    const factors = rows.map((other) => (this.rows[other]!.get(wire)! * scale) % P)
    rows.forEach((other, i) => this.subtract(other, pivot, P - factors[i]!, wire))
    this.columns[wire]!.clear()
    return { pivot: k, rows, factors }
  }

  private subtract(k: number, pivot: Row, factor: bigint, gone: number): void {
    const row = this.rows[k]!
    const { size } = row
    for (const [wire, value] of pivot) {
      if (wire === gone) continue
      const old = row.get(wire)
      const next = ((old ?? 0n) + factor * value) % P
      if (next === 0n) {
        row.delete(wire)
        const column = this.columns[wire]!
        column.delete(k)
        if (column.size === 1) this.freeColumns.push(wire)
      } else {
        row.set(wire, next)
        if (old === undefined) this.columns[wire]!.add(k)
      }
    }
    row.delete(gone)
    if (row.size !== size) this.list(k)
  }
}

/** The wire of a row that stands in the fewest other rows. */
function rarestWire(matrix: Matrix, k: number): number {
  let best = -1
  for (const wire of matrix.rows[k]!.keys()) {
    if (best < 0 || matrix.columns[wire]!.size < matrix.columns[best]!.size) best = wire
  }
  return best
}

/** Numbers of the constraints whose gradients depend on others' at the witness, ascending. */
export function dependentAt(system: System, witness: readonly bigint[]): number[] {
  const rows = system.constraints.map((_, k) => gradient(system, k, witness))
  const matrix = new Matrix(rows, system.wireCount)
  const isLeft = rows.map((row) => row.size > 0)
  const steps: Step[] = []
  const pivot = (k: number, wire: number): void => {
    isLeft[k] = false
    steps.push(matrix.eliminate(k, wire))
  }
  const isOpen = (k: number): boolean => isLeft[k]! && rows[k]!.size > 0
  for (;;) {
    const wire = matrix.freeColumns.pop()
    if (wire !== undefined) {
      const [k] = matrix.columns[wire]!
      if (k !== undefined && matrix.columns[wire]!.size === 1 && isOpen(k)) pivot(k, wire)
      continue
    }
    const single = matrix.freeRows.pop()
    if (single !== undefined) {
      if (isOpen(single)) pivot(single, rarestWire(matrix, single))
      continue
    }
    const k = nextRow(matrix, isOpen)
    if (k < 0) break
    pivot(k, rarestWire(matrix, k))
  }
  return weights(rows.length, isLeft, steps).flatMap((weight, k) => (weight === 0n ? [] : [k]))
}

/** So many of the shortest rows are looked at for each pivot: to look at all takes longer than it saves. */
const LOOKED_AT = 40

/** Among the shortest rows the one whose best pivot costs least; -1 if none is left. */
function nextRow(matrix: Matrix, isOpen: (k: number) => boolean): number {
  let best = -1
  let bestCost = Infinity
  let looked = 0
  for (let size = 1; size < matrix.bySize.length; size++) {
    const listed = matrix.bySize[size] ?? []
    if (size - 1 >= bestCost) break
    for (let i = listed.length - 1; i >= 0; i--) {
      const k = listed[i]!
      if (!isOpen(k) || matrix.rows[k]!.size !== size) {
        listed[i] = listed.at(-1)!
        listed.pop()
        continue
      }
      let column = Infinity
      for (const wire of matrix.rows[k]!.keys())
        column = Math.min(column, matrix.columns[wire]!.size)
      const cost = (size - 1) * (column - 1)
      if (cost < bestCost) {
        bestCost = cost
        best = k
      }
      if (++looked === LOOKED_AT) return best
    }
  }
  return best
}

/** Weights of the original rows in a random combination of those that vanished. */
function weights(count: number, vanished: readonly boolean[], steps: readonly Step[]): bigint[] {
  const weight = Array.from({ length: count }, (_, k) => (vanished[k] ? randomNonzero() : 0n))
  for (let i = steps.length - 1; i >= 0; i--) {
    const { pivot, rows, factors } = steps[i]!
    let sum = 0n
    rows.forEach((row, j) => {
      sum += factors[j]! * weight[row]!
    })
    weight[pivot] = (P - (sum % P)) % P
  }
  return weight
}

let drawn = 0n
/** Any spread of numbers will do: nobody plays against the test. */
function randomNonzero(): bigint {
  drawn = (drawn * 6364136223846793005n + 1442695040888963407n) % P
  return (drawn * drawn) % P || 1n
}
