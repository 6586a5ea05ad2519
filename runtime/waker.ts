/** One waiter at a time sleeps until it is woken, or for so long. Waking when nobody sleeps does nothing. */
export class Waker {
  #wake: (() => void) | undefined

  wake (): void {
    this.#wake?.()
  }

  sleep (ms?: number): Promise<void> {
    return new Promise(resolve => {
      const timer = ms === undefined ? undefined : setTimeout(() => this.wake(), ms)
      this.#wake = () => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
    })
  }
}
