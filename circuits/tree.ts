/** The 8-ary Poseidon tree, sparse: an empty leaf is 0 and empty subtrees are known in advance. */
import { TREE_ARITY } from './params.ts'
import { hash } from './poseidon.ts'

function emptyNodes(depth: number): readonly bigint[] {
  const nodes = [0n]
  for (let level = 0; level < depth; level++) {
    nodes.push(hash('NODE', Array<bigint>(TREE_ARITY).fill(nodes[level] as bigint)))
  }
  return nodes
}
const EMPTY = emptyNodes(10)

/** The root of an empty tree of this depth. */
export function emptyRoot(depth: number): bigint {
  return EMPTY[depth] as bigint
}

/** A tree that is updated in place; level 0 are the leaves. */
export class Tree {
  readonly depth: number
  private readonly nodes: Map<number, bigint>[]
  /** Where nodes are found that are not here. */
  private readonly below: Tree | null

  constructor(depth: number, leaves: readonly bigint[] = [], below: Tree | null = null) {
    this.depth = depth
    this.below = below
    this.nodes = Array.from({ length: depth + 1 }, () => new Map<number, bigint>())
    leaves.forEach((leaf, i) => {
      if (leaf !== 0n) this.nodes[0]?.set(i, leaf)
    })
    let level = [...(this.nodes[0]?.keys() ?? [])]
    for (let l = 1; l <= depth; l++) {
      level = [...new Set(level.map((i) => Math.floor(i / TREE_ARITY)))]
      for (const i of level) this.nodes[l]?.set(i, hash('NODE', this.children(l, i)))
    }
  }

  node(level: number, index: number): bigint {
    const known = this.nodes[level]?.get(index) ?? this.below?.node(level, index)
    return known ?? (EMPTY[level] as bigint)
  }

  /** The eight nodes below node `index` of `level`. */
  children(level: number, index: number): bigint[] {
    return Array.from({ length: TREE_ARITY }, (_, i) =>
      this.node(level - 1, index * TREE_ARITY + i),
    )
  }

  get root(): bigint {
    return this.node(this.depth, 0)
  }

  leaf(index: number): bigint {
    return this.node(0, index)
  }

  set(index: number, leaf: bigint): void {
    if (index < 0 || index >= TREE_ARITY ** this.depth) throw new Error(`tree: no leaf ${index}`)
    this.nodes[0]?.set(index, leaf)
    let at = index
    for (let level = 1; level <= this.depth; level++) {
      at = Math.floor(at / TREE_ARITY)
      this.nodes[level]?.set(at, hash('NODE', this.children(level, at)))
    }
  }

  /** Many leaves at once: a node above several of them is hashed once. */
  setAll(leaves: readonly (readonly [number, bigint])[]): void {
    for (const [index, leaf] of leaves) {
      if (index < 0 || index >= TREE_ARITY ** this.depth) throw new Error(`tree: no leaf ${index}`)
      this.nodes[0]?.set(index, leaf)
    }
    let touched = leaves.map(([index]) => index)
    for (let level = 1; level <= this.depth; level++) {
      touched = [...new Set(touched.map((i) => Math.floor(i / TREE_ARITY)))]
      for (const i of touched) this.nodes[level]?.set(i, hash('NODE', this.children(level, i)))
    }
  }

  /** The children of every node on the way up from a leaf, lowest first, `levels` of them. */
  path(index: number, levels: number): bigint[][] {
    const out: bigint[][] = []
    let at = index
    for (let level = 1; level <= levels; level++) {
      at = Math.floor(at / TREE_ARITY)
      out.push(this.children(level, at))
    }
    return out
  }

  /** A tree over this one, for changes that this one does not see; it must not change meanwhile. */
  overlay(): Tree {
    return new Tree(this.depth, [], this)
  }
}
