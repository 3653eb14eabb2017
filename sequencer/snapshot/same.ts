/**
 * Whether two states are one, by looking at every field of every object, private ones included: nobody
 * says what is compared, so nothing that is added later is left out.
 */

type Pair = readonly [one: unknown, other: unknown, path: string]

/**
 * Null if they are the same, else the path of the first difference. `isOneObject` (by default): also what
 * is one object in one of them is one in the other.
 */
export function differenceOf(one: unknown, other: unknown, isOneObject = true): string | null {
  const partners = new Map<object, object>()
  const back = new Map<object, object>()
  const waiting: Pair[] = [[one, other, '']]
  for (let pair = waiting.pop(); pair !== undefined; pair = waiting.pop()) {
    const [a, b, path] = pair
    if (Object.is(a, b) && typeof a !== 'object') continue
    if (typeof a === 'function' && typeof b === 'function') {
      // It is made anew with each state: its text alone can be compared.
      if (String(a) !== String(b)) return path
      continue
    }
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
      if (!Object.is(a, b)) return path
      continue
    }
    if (partners.get(a) === b) continue
    if (isOneObject && (partners.has(a) || back.has(b))) return `${path} (another object)`
    partners.set(a, b)
    back.set(b, a)
    const wrong = partsOf(a, b, path, waiting)
    if (wrong !== null) return wrong
  }
  return null
}

/** Puts the parts of both beside each other; the path of what cannot be. */
function partsOf(a: object, b: object, path: string, waiting: Pair[]): string | null {
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return `${path} (another class)`
  if (a instanceof Uint8Array)
    return Buffer.from(a).equals(b as Uint8Array) ? null : `${path} (other bytes)`
  if (a instanceof Map || a instanceof Set) {
    // In their order: what is the oldest goes first. The pairs that a Map is read as are new each time.
    const [ones, others] = [[...a], [...(b as Map<unknown, unknown> | Set<unknown>)]]
    if (ones.length !== others.length) return `${path} (${ones.length} and ${others.length})`
    ones.forEach((item, i) => waiting.push([item, others[i], `${path}[${keyText(item, i)}]`]))
  }
  const keys = Reflect.ownKeys(a)
  const others = new Set(Reflect.ownKeys(b))
  if (keys.length !== others.size) return `${path} (${keys.length} and ${others.size} fields)`
  for (const key of keys) {
    if (!others.has(key)) return `${path}.${String(key)}`
    waiting.push([Reflect.get(a, key), Reflect.get(b, key), `${path}.${String(key)}`])
  }
  return null
}

function keyText(item: unknown, i: number): string {
  const key: unknown = Array.isArray(item) ? item[0] : i
  return typeof key === 'object' ? String(i) : String(key)
}
