/**
 * The house's register of settled values as a signer was last shown it. Its root is a function of what is
 * shown and of nothing else; what has not changed since the last time is not hashed again.
 */
import { setImmediate as others } from 'node:timers/promises'
import { mod } from '../../circuits/field.ts'
import { SETTLEMENT_DEPTH, TREE_ARITY } from '../../circuits/params.ts'
import { rowHash, settledRow } from '../../circuits/table.ts'
import { Tree } from '../../circuits/tree.ts'
import { InputError } from './canonical.ts'

export type SettledValue = { readonly id: number; readonly value: bigint }
export type RegisterRoots = { readonly previousRoot: bigint; readonly newRoot: bigint }

const ROOM = TREE_ARITY ** SETTLEMENT_DEPTH
/** Hashed in one go: some hundredths of a second, after which whoever else has asked is answered. */
const STRETCH = 64

const leafOf = ({ id, value }: SettledValue): bigint => rowHash(settledRow(id, value))

/** The register's root after these entries, in the order of posting. */
export function registerRoot(settled: readonly SettledValue[]): bigint {
  return mod(new Tree(SETTLEMENT_DEPTH, settled.map(leafOf)).root)
}

/** Before and after, hashing all of it once. */
export function registerRoots(
  settled: readonly SettledValue[],
  added: readonly SettledValue[],
): RegisterRoots {
  const tree = new Tree(SETTLEMENT_DEPTH, settled.map(leafOf))
  const previousRoot = mod(tree.root)
  tree.setAll(added.map((one, i) => [settled.length + i, leafOf(one)]))
  return { previousRoot, newRoot: mod(tree.root) }
}

export class Register {
  private readonly tree = new Tree(SETTLEMENT_DEPTH)
  private readonly shown: SettledValue[] = []
  private last: Promise<unknown> = Promise.resolve()

  /** As registerRoots; one after the other, since all change one tree. */
  roots(settled: readonly SettledValue[], added: readonly SettledValue[]): Promise<RegisterRoots> {
    const both = this.last.then(async () => {
      const previousRoot = await this.show(settled)
      return { previousRoot, newRoot: await this.show([...settled, ...added]) }
    })
    this.last = both.catch(() => {})
    return both
  }

  /** Makes the tree that of these entries, whatever was shown before. */
  private async show(entries: readonly SettledValue[]): Promise<bigint> {
    if (entries.length > ROOM)
      throw new InputError(`the register must have ${ROOM} entries at most, not ${entries.length}`)
    let changed: (readonly [number, bigint])[] = []
    for (let i = 0; i < Math.max(entries.length, this.shown.length); i++) {
      const [entry, before] = [entries[i], this.shown[i]]
      if (entry?.id === before?.id && entry?.value === before?.value) continue
      changed.push([i, entry === undefined ? 0n : leafOf(entry)])
      if (changed.length < STRETCH) continue
      this.put(changed, entries)
      changed = []
      await others()
    }
    this.put(changed, entries)
    this.shown.length = entries.length
    return mod(this.tree.root)
  }

  private put(
    changed: readonly (readonly [number, bigint])[],
    entries: readonly SettledValue[],
  ): void {
    this.tree.setAll(changed)
    for (const [i] of changed) this.shown[i] = entries[i] as SettledValue
  }
}
