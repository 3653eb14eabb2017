/** What is being recorded for each account: several requests are served at once, and a limit counts all of them. */
export class UnderWay<Item> {
  private readonly items = new Map<number, readonly Item[]>()

  of(account: number): readonly Item[] {
    return this.items.get(account) ?? []
  }

  add(account: number, item: Item): void {
    this.items.set(account, [...this.of(account), item])
  }

  /** One of those that are this item, if it is there more than once. */
  end(account: number, item: Item): void {
    const all = this.of(account)
    const left = all.toSpliced(all.indexOf(item), 1)
    if (left.length === 0) this.items.delete(account)
    else this.items.set(account, left)
  }
}
