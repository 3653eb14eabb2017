/** Places that are taken and given back, counted by whose they are. */
export class Places<Key> {
  private readonly counts = new Map<Key, number>()
  private all = 0

  /** Of everybody together. */
  get taken(): number {
    return this.all
  }
  takenBy(key: Key): number {
    return this.counts.get(key) ?? 0
  }

  /** The answer gives the place back, once. */
  take(key: Key): () => void {
    this.counts.set(key, this.takenBy(key) + 1)
    this.all++
    let isIn = true
    return () => {
      if (!isIn) return
      isIn = false
      this.all--
      const left = this.takenBy(key) - 1
      if (left === 0) this.counts.delete(key)
      else this.counts.set(key, left)
    }
  }
}
