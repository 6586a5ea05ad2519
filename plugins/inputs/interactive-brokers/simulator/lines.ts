/**
 * Market data lines: one a conid, whoever holds it. A snapshot holds its line until it is unsubscribed, a stream until
 * it ends. Beyond the limit nothing is refused; there just comes no data.
 */
export class Lines {
  readonly #max: number
  readonly #holders = new Map<number, Set<string>>()

  constructor (max: number) {
    this.#max = max
  }

  get count (): number { return this.#holders.size }

  /** False when all lines are taken by other conids. */
  take (conid: number, holder: string): boolean {
    const holders = this.#holders.get(conid)
    if (holders === undefined && this.#holders.size >= this.#max) return false
    this.#holders.set(conid, (holders ?? new Set()).add(holder))
    return true
  }

  release (conid: number, holder: string): void {
    const holders = this.#holders.get(conid)
    holders?.delete(holder)
    if (holders?.size === 0) this.#holders.delete(conid)
  }

  conids (): readonly number[] {
    return [...this.#holders.keys()]
  }
}
