/** The keys of one seed by rotation, derived when they are asked for. */
import { eighthOf, type Point } from '../circuits/eddsa.ts'
import { memberKeys, type MemberKeys, type Seed } from './keys.ts'

/**
 * So many rotations that came to nothing may lie between two that settled. A rotation is a rare and
 * deliberate act; whoever has tried more in a row gives a larger number.
 */
export const ROTATION_GAP = 20

/**
 * Which rotation of the seed each key of a leaf is of: they differ after a rotation from L1, which
 * changes the owner key alone.
 */
export type KeysInForce = { readonly owner: number; readonly view: number }

export class KeyRing {
  readonly label: string
  readonly gap: number
  readonly #seed: Seed
  readonly #keys: MemberKeys[] = []
  readonly #eighths: Point[] = []

  constructor(seed: Seed, label: string, gap = ROTATION_GAP) {
    this.#seed = seed
    this.label = label
    this.gap = gap
  }

  at(rotation: number): MemberKeys {
    this.#keys[rotation] ??= memberKeys(this.#seed, this.label, rotation)
    return this.#keys[rotation]
  }

  inForce({ owner, view }: KeysInForce): MemberKeys {
    const { viewKey, viewKeyHash } = this.at(view)
    return { ...this.at(owner), viewKey, viewKeyHash }
  }

  /** The point that L1 is given for an owner key. */
  eighthAt(rotation: number): Point {
    this.#eighths[rotation] ??= eighthOf(this.at(rotation).signing)
    return this.#eighths[rotation]
  }

  depositSecret(counter: number): bigint {
    return this.at(0).depositSecret(counter)
  }

  /** Rotations to try when the last one seen was `latest`: that one, later ones, earlier ones. */
  *order(latest: number): Generator<number> {
    for (let n = latest; n <= latest + this.gap; n++) yield n
    for (let n = latest - 1; n >= 0; n--) yield n
  }
}
