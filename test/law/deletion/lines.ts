/** Which component of a circuit a constraint belongs to, and what it looks like without its indices. */
import type { CircuitFiles } from '../../../prover/artifacts.ts'
import { componentPaths, wiresByName, type Sum, type System } from '../r1cs.ts'

const ONE = 0
const withoutIndices = (name: string): string => name.replace(/\[\d+\]/g, '[]')
const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('.')))

/** Components by path (`main.member[0].next`), each with the numbers of the constraints within it. */
export type Components = ReadonlyMap<string, readonly number[]>

/** Names of each wire: the optimiser gives equal signals one wire. */
function namesOf(files: CircuitFiles, system: System): readonly (readonly string[])[] {
  const names: string[][] = Array.from({ length: system.wireCount }, () => [])
  for (const [name, wire] of wiresByName(files)) names[wire]!.push(name)
  return names
}

/** The paths of all components that see a signal of this name: its own and those above, no records. */
function pathsOf(name: string, components: ReadonlySet<string>): string[] {
  const paths: string[] = []
  for (let path = parentOf(name); path !== ''; path = parentOf(path))
    if (components.has(path)) paths.push(path)
  return paths
}

export type Anatomy = {
  /** All constraints within a component, those of its parts included. */
  readonly components: Components
  /** Constraints by the innermost component that sees all their signals. */
  readonly byHome: Components
  /** The constraint as text: its component and the signals of a * b = c, without indices. */
  readonly lineOf: (k: number) => string
}

export function anatomyOf(files: CircuitFiles, system: System): Anatomy {
  const names = namesOf(files, system)
  const components = componentPaths(files)
  const paths = names.map((all) => new Set(all.flatMap((name) => pathsOf(name, components))))
  const home: string[] = []
  const within = new Map<string, number[]>()
  system.constraints.forEach(({ a, b, c }, k) => {
    const wires = [...new Set([...a.wires, ...b.wires, ...c.wires])].filter((wire) => wire !== ONE)
    const [first, ...rest] = wires.map((wire) => paths[wire]!).sort((p, q) => p.size - q.size)
    const common = [...(first ?? ['main'])].filter((path) => rest.every((set) => set.has(path)))
    home[k] = common.reduce(
      (deepest, path) => (depth(path) > depth(deepest) ? path : deepest),
      'main',
    )
    for (const path of common) {
      const list = within.get(path)
      if (list === undefined) within.set(path, [k])
      else list.push(k)
    }
  })
  const labels = new Map<string, string>()
  const label = (wire: number, path: string): string => {
    if (wire === ONE) return '1'
    const key = `${wire}/${path}`
    const known = labels.get(key)
    if (known !== undefined) return known
    const inside = names[wire]!.filter((name) => name.startsWith(`${path}.`)).sort(byDepth)[0]!
    const made = withoutIndices(inside.slice(path.length + 1))
    labels.set(key, made)
    return made
  }
  const sumText = (sum: Sum, path: string): string =>
    [...new Set([...sum.wires].map((wire) => label(wire, path)))].sort().join(' + ') || '0'
  const lineOf = (k: number): string => {
    const { a, b, c } = system.constraints[k]!
    const path = home[k]!
    const [p, q] = [sumText(a, path), sumText(b, path)].sort()
    return `${withoutIndices(path)}: (${p}) * (${q}) = ${sumText(c, path)}`
  }
  const byHome = new Map<string, number[]>()
  home.forEach((path, k) => (byHome.get(path) ?? byHome.set(path, []).get(path)!).push(k))
  return { components: within, byHome, lineOf }
}

const depth = (path: string): number => path.split('.').length
const byDepth = (a: string, b: string): number => depth(a) - depth(b) || (a < b ? -1 : 1)
