/** Constraints of a compiled circuit over bigints: for witnesses that no calculator would produce. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { FIELD_MODULUS } from '../../circuits/params.ts'
import { readR1csLayout } from '../../prover/r1cs.ts'
import type { CircuitFiles } from '../../prover/artifacts.ts'

/** A sum of coefficient * wire; wire 0 is the constant one. */
export type Sum = { readonly wires: Uint32Array; readonly coefficients: readonly bigint[] }
/** a * b = c. */
export type Constraint = { readonly a: Sum; readonly b: Sum; readonly c: Sum }
export type System = {
  readonly constraints: readonly Constraint[]
  readonly wireCount: number
  readonly outputCount: number
  readonly inputCount: number
}

export function readSystem(files: CircuitFiles): System {
  const file = openSync(files.r1csPath, 'r')
  try {
    const layout = readR1csLayout(file, files.r1csPath)
    const bytes = Buffer.alloc(layout.constraintsBytes)
    readSync(file, bytes, 0, bytes.length, layout.constraintsOffset)
    let at = 0
    const known = new Map<string, bigint>()
    const sum = (): Sum => {
      const count = bytes.readUInt32LE(at)
      at += 4
      const wires = new Uint32Array(count)
      const coefficients: bigint[] = []
      for (let i = 0; i < count; i++) {
        wires[i] = bytes.readUInt32LE(at)
        const key = bytes.toString('latin1', at + 4, at + 36)
        let value = known.get(key)
        if (value === undefined) {
          value =
            bytes.readBigUInt64LE(at + 4) +
            (bytes.readBigUInt64LE(at + 12) << 64n) +
            (bytes.readBigUInt64LE(at + 20) << 128n) +
            (bytes.readBigUInt64LE(at + 28) << 192n)
          known.set(key, value)
        }
        coefficients.push(value)
        at += 36
      }
      return { wires, coefficients }
    }
    const constraints = Array.from({ length: layout.nConstraints }, () => ({
      a: sum(),
      b: sum(),
      c: sum(),
    }))
    return {
      constraints,
      wireCount: layout.nVars,
      outputCount: layout.nOutputs,
      inputCount: layout.nPublicInputs + layout.nPrivateInputs,
    }
  } finally {
    closeSync(file)
  }
}

export function evaluate(sum: Sum, witness: readonly bigint[]): bigint {
  let total = 0n
  for (let i = 0; i < sum.wires.length; i++) {
    total += (sum.coefficients[i] as bigint) * (witness[sum.wires[i] as number] as bigint)
  }
  const rest = total % FIELD_MODULUS
  return rest < 0n ? rest + FIELD_MODULUS : rest
}

export function holds({ a, b, c }: Constraint, witness: readonly bigint[]): boolean {
  return (evaluate(a, witness) * evaluate(b, witness) - evaluate(c, witness)) % FIELD_MODULUS === 0n
}

/** The numbers of the constraints that a full assignment breaks. */
export function brokenBy(system: System, witness: readonly bigint[]): number[] {
  return system.constraints.flatMap((constraint, i) => (holds(constraint, witness) ? [] : [i]))
}

/** Wire number of every named signal that is still a wire. */
export function wiresByName(files: CircuitFiles): ReadonlyMap<string, number> {
  const names = new Map<string, number>()
  for (const line of readFileSync(files.symPath, 'utf8').split('\n')) {
    const [, wire, , name] = line.split(',')
    if (name !== undefined && Number(wire) >= 0) names.set(name, Number(wire))
  }
  return names
}

/**
 * The paths that are components. A path within one is a record if its signals are of the same template
 * instance: the third column, which counts an instance after all that it consists of.
 */
export function componentPaths(files: CircuitFiles): ReadonlySet<string> {
  const instance = new Map<string, number>()
  const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('.')))
  for (const line of readFileSync(files.symPath, 'utf8').split('\n')) {
    const [, , node, name] = line.split(',')
    if (name === undefined) continue
    for (let path = parentOf(name); path !== ''; path = parentOf(path)) {
      const known = instance.get(path)
      if (known !== undefined && known >= Number(node)) break
      instance.set(path, Number(node))
    }
  }
  return new Set(
    [...instance.keys()].filter((path) => instance.get(path) !== instance.get(parentOf(path))),
  )
}
