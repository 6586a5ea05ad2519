/** So many at once; the others wait in the order in which they came. */
export class Slots {
  #free: number
  readonly #waiting: Array<() => void> = []

  constructor (max: number) {
    this.#free = max
  }

  /** Resolves with what gives the slot back. */
  async take (): Promise<() => void> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>(resolve => { this.#waiting.push(resolve) })
    let given = false
    return () => {
      if (given) return
      given = true
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
