/** The least item first. */
export class Heap<T> {
  readonly #items: T[] = []
  readonly #isLess: (a: T, b: T) => boolean

  constructor (isLess: (a: T, b: T) => boolean) {
    this.#isLess = isLess
  }

  get size (): number {
    return this.#items.length
  }

  peek (): T | undefined {
    return this.#items[0]
  }

  push (item: T): void {
    const items = this.#items
    let at = items.push(item) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isLess(item, items[parent] as T)) break
      items[at] = items[parent] as T
      at = parent
    }
    items[at] = item
  }

  pop (): T | undefined {
    const items = this.#items
    const [least] = items
    const last = items.pop()
    if (items.length === 0 || last === undefined) return least
    let at = 0
    while (true) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && this.#isLess(items[child + 1] as T, items[child] as T)) child++
      if (!this.#isLess(items[child] as T, last)) break
      items[at] = items[child] as T
      at = child
    }
    items[at] = last
    return least
  }
}
