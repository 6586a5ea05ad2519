import { PlatformError } from '../errors.ts'

const daySeconds = 86_400
const daysKeptMax = 10_000

/** The clock of a time zone. */
export class Zone {
  /** Nothing to look up. */
  readonly utc: boolean
  readonly #name: string
  readonly #format: Intl.DateTimeFormat
  /** Offset of the local days that have only one; NaN: the clock is put forward or back around that day. */
  readonly #days = new Map<number, number>()

  /** Throws CONFIG_INVALID where there is no such zone. */
  constructor (name: string) {
    this.#name = name
    this.utc = name === 'UTC' || name === ''
    try {
      this.#format = new Intl.DateTimeFormat('en-US', {
        timeZone: this.utc ? 'UTC' : name, hourCycle: 'h23', era: 'short', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric'
      })
    } catch (cause) {
      throw new PlatformError('CONFIG_INVALID', `There is no time zone "${name}"`, { remedy: 'Use a name of the IANA database, such as `America/New_York`.', cause })
    }
  }

  /**
   * Seconds that the clock is ahead of UTC at a local time, given as seconds since 1970 as if it were UTC. Text: why the
   * clock shows that time never or twice. Nothing is guessed then: an hour off is worse than a refused row.
   */
  offsetOfLocal (local: number): number | string {
    if (this.utc) return 0
    const day = Math.floor(local / daySeconds)
    let offset = this.#days.get(day)
    if (offset === undefined) {
      const before = this.offsetAt((day - 1) * daySeconds)
      offset = before === this.offsetAt((day + 2) * daySeconds) ? before : NaN
      if (this.#days.size === daysKeptMax) this.#days.clear()
      this.#days.set(day, offset)
    }
    return Number.isNaN(offset) ? this.#aroundChange(local) : offset
  }

  #aroundChange (local: number): number | string {
    const before = this.offsetAt(local - 2 * daySeconds)
    const after = this.offsetAt(local + 2 * daySeconds)
    const first = this.offsetAt(local - before) === before
    const second = this.offsetAt(local - after) === after
    if (first && second && before !== after) return `is a time that ${this.#name} has twice, because its clock is put back: send it with its offset`
    if (!first && !second) return `is a time that ${this.#name} does not have, because its clock is put forward`
    return first ? before : after
  }

  /** Seconds that the clock is ahead of UTC at an instant in seconds since 1970. */
  offsetAt (instant: number): number {
    if (this.utc) return 0
    const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {}
    const seconds = Math.floor(instant)
    for (const { type, value } of this.#format.formatToParts(seconds * 1000)) parts[type] = Number(value)
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
    return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - seconds
  }
}
