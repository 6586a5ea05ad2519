import type { Clock } from '../../../runtime/plugin.ts'

/** Time that goes at a multiple of the real one. At the speed Infinity it is wherever it has to be. */
export class VirtualClock {
  readonly #speed: number
  readonly #clock: Clock
  #began: { readonly real: number, readonly virtual: number } | undefined

  constructor (speed: number, clock: Clock) {
    this.#speed = speed
    this.#clock = clock
  }

  /** From now on it is `time`, ms since 1970. Only the first call counts. */
  begin (time: number): void {
    this.#began ??= { real: this.#clock.now(), virtual: time }
  }

  /** Infinity where nothing has to be waited for. */
  now (): number {
    if (this.#began === undefined || this.#speed === Infinity) return Infinity
    // A clock that is set back does not turn the replay back.
    return this.#began.virtual + Math.max(0, this.#clock.now() - this.#began.real) * this.#speed
  }

  /** Real milliseconds until then; 0: it is over. */
  msUntil (time: number): number {
    return this.#speed === Infinity ? 0 : Math.max(0, (time - this.now()) / this.#speed)
  }
}

/** `max` is Infinity, `10x` is 10; undefined: it is neither. */
export function parseSpeed (text: string): number | undefined {
  if (text === 'max') return Infinity
  const factor = Number(/^(\d{1,6}(?:\.\d{1,6})?)x$/.exec(text)?.[1])
  return factor > 0 ? factor : undefined
}
