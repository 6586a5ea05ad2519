// What was taken of a table that is asked for what is new by a column whose values grow.
//
//   value   the greatest value that was taken
//   marks   the rows with it, or with `lag` all rows that are not farther behind it, as [value, hash, hash, …]; a row
//           that comes n times stands there n times
//
// A statement asks for everything from `value` on, less `lag`, in the order of the column. So it meets the marked rows
// again, passes them over, and finds those that came in with the same value, or within `lag`, since.

import { createHash } from 'node:crypto'
import { PlatformError } from '../../../runtime/errors.ts'
import { compareValues, lessBy } from '../../../runtime/value-order.ts'
import type { Ordered } from '../../../runtime/value-order.ts'

export interface RecentState {
  readonly value: Ordered
  /** Of the column, in the words of the database. */
  readonly type: string
  readonly marks: ReadonlyArray<readonly [Ordered, ...string[]]>
}

export interface RecentOptions {
  readonly column: string
  readonly start: Ordered | undefined
  /** In the unit of numbers, or ms for times; 0: rows come in order. */
  readonly lag: number
  readonly rememberedMax: number
}

export class Recent {
  readonly #options: RecentOptions
  readonly #left = new Map<string, number>()
  #value: Ordered | undefined
  /** undefined: nothing was read yet. */
  #type: string | undefined
  #marks: Array<{ readonly value: Ordered, readonly hash: string }>

  constructor (options: RecentOptions, saved: RecentState | undefined) {
    this.#options = options
    this.#value = saved?.value ?? options.start
    this.#type = saved?.type
    this.#marks = (saved?.marks ?? []).flatMap(([value, ...hashes]) => hashes.map(hash => ({ value, hash })))
    for (const { hash } of this.#marks) this.#left.set(hash, (this.#left.get(hash) ?? 0) + 1)
  }

  /** From where on a statement asks; undefined: from the first row on. */
  get bound (): { readonly value: Ordered, readonly type: string } | undefined {
    if (this.#value === undefined) return undefined
    const { lag } = this.#options
    return { value: lag === 0 ? this.#value : this.#ordered(() => lessBy(this.#value as Ordered, lag)), type: this.#type ?? '' }
  }

  /** undefined: nothing was taken yet. */
  get state (): RecentState | undefined {
    if (this.#value === undefined || this.#type === undefined) return undefined
    const groups = new Map<Ordered, string[]>()
    for (const { value, hash } of this.#marks) {
      const group = groups.get(value)
      if (group === undefined) groups.set(value, [hash])
      else group.push(hash)
    }
    return { value: this.#value, type: this.#type, marks: [...groups].map(([value, hashes]) => [value, ...hashes]) }
  }

  /** Of rows in the order of the column, which are new. `hashOf` is called for the few that need it. */
  take (values: readonly Ordered[], type: string, hashOf: (i: number) => string): number[] {
    this.#type = type
    return this.#options.lag === 0 ? this.#takeInOrder(values, hashOf) : this.#takeLate(values, hashOf)
  }

  #takeInOrder (values: readonly Ordered[], hashOf: (i: number) => string): number[] {
    const taken: number[] = []
    const last = values.at(-1)
    const first = this.#value
    if (last !== first) this.#marks = []
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as Ordered
      const known = value === first && this.#left.size > 0
      if (!known && value !== last) {
        taken.push(i)
        continue
      }
      const hash = hashOf(i)
      if (known && this.#meet(hash)) {
        // It stays marked for as long as its value is the greatest one.
        continue
      }
      taken.push(i)
      if (value === last) this.#mark(value, hash)
    }
    this.#value = last ?? first
    return taken
  }

  #takeLate (values: readonly Ordered[], hashOf: (i: number) => string): number[] {
    const taken: number[] = []
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as Ordered
      const hash = hashOf(i)
      if (this.#meet(hash)) continue
      taken.push(i)
      this.#mark(value, hash)
      if (this.#value === undefined || this.#ordered(() => compareValues(value, this.#value as Ordered)) > 0) this.#value = value
      // Now and then is often enough: to look at all marks for each row would take for ever.
      if (this.#marks.length >= this.#options.rememberedMax) this.#forget()
    }
    this.#forget()
    return taken
  }

  /** Drops the marks that are farther behind than `lag`. */
  #forget (): void {
    const { bound } = this
    if (bound === undefined) return
    this.#marks = this.#marks.filter(({ value }) => this.#ordered(() => compareValues(value, bound.value)) >= 0)
  }

  #meet (hash: string): boolean {
    const count = this.#left.get(hash) ?? 0
    if (count === 1) this.#left.delete(hash)
    else if (count > 1) this.#left.set(hash, count - 1)
    return count > 0
  }

  #mark (value: Ordered, hash: string): void {
    const { column, rememberedMax, lag } = this.#options
    if (this.#marks.length >= rememberedMax) {
      const what = lag === 0 ? `have the value ${JSON.stringify(value)} in ${column}` : `lie within lag of ${column}`
      throw new PlatformError('SOURCE_REFUSED', `More than ${rememberedMax} rows ${what}`, { where: 'input.sql.incremental', remedy: 'Choose a column with finer values, a shorter lag, or raise remembered_rows_max; without lag, key makes remembering needless.' })
    }
    this.#marks.push({ value, hash })
  }

  #ordered<T> (work: () => T): T {
    try {
      return work()
    } catch (cause) {
      throw new PlatformError('SOURCE_REFUSED', `lag needs numbers or times in ${this.#options.column}: ${(cause as Error).message}`, { where: 'input.sql.incremental.lag', remedy: 'Leave lag out, or choose another column.', cause })
    }
  }
}

/** Of the values that tell a row from others. */
export function hashOf (values: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(values)).digest('base64url').slice(0, 12)
}
