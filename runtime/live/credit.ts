/** What was handed on and not taken yet, bounded: whoever sends waits until there is room. */
export class Credit {
  readonly #bytesMax: number
  #bytes = 0
  #wake: (() => void) | undefined

  constructor (bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  spend (bytes: number): void {
    this.#bytes += bytes
  }

  give (bytes: number): void {
    this.#bytes -= bytes
    if (this.#bytes < this.#bytesMax) this.release()
  }

  /** Lets who waits go on, whatever is there. */
  release (): void {
    this.#wake?.()
    this.#wake = undefined
  }

  /** Resolves when there is room, or when it is released. One may wait at a time. */
  async room (): Promise<void> {
    if (this.#bytes < this.#bytesMax) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    await promise
  }
}
