// What was taken of a source that is asked for what is new by a field whose values grow.
//
//   value   the greatest value that was taken, when the last pass ended: passes ask for rows from there on
//   known   hashes of the rows with that value; one that comes n times stands there n times
//
// A source that gives `value` again (most do) gives its rows again: they are told by their hashes and passed over. Rows
// below `value` are passed over, too: a source that knows days only, where the values are times, gives them again. While
// a pass is under way its greatest value is `high`, wherever in the pass it stands: rows may come in any order.

import { createHash } from 'node:crypto'
import { PlatformError } from '../../../runtime/errors.ts'
import { compareValues } from '../../../runtime/value-order.ts'
import type { Row } from '../../../runtime/plugin.ts'
import type { Ordered } from '../../../runtime/value-order.ts'

export interface WatermarkState {
  readonly value?: Ordered
  readonly known: readonly string[]
  /** Of `known`, those that this pass has not met yet. */
  readonly left: readonly string[]
  readonly high?: Ordered
  /** Hashes of the rows with the value `high` that this pass has met. */
  readonly ties: readonly string[]
}

export interface WatermarkOptions {
  readonly field: string
  readonly start: Ordered | undefined
  readonly rememberedMax: number
  readonly ascending: boolean
}

export class Watermark {
  readonly #options: WatermarkOptions
  #value: Ordered | undefined
  #known: readonly string[]
  #left: Map<string, number>
  #high: Ordered | undefined
  #ties: string[]

  constructor (options: WatermarkOptions, saved: WatermarkState | undefined) {
    this.#options = options
    this.#value = saved === undefined ? options.start : saved.value
    this.#known = saved?.known ?? []
    this.#left = counted(saved?.left ?? [])
    this.#high = saved?.high
    this.#ties = [...saved?.ties ?? []]
  }

  /** What the next pass asks from. */
  get value (): Ordered | undefined {
    return this.#value
  }

  get state (): WatermarkState {
    return {
      ...(this.#value !== undefined && { value: this.#value }),
      known: this.#known,
      left: [...this.#left].flatMap(([hash, count]) => new Array<string>(count).fill(hash)),
      ...(this.#high !== undefined && { high: this.#high }),
      ties: [...this.#ties]
    }
  }

  /** Whether a row is new. `hash` is called for the few rows that need it. Throws SOURCE_REFUSED for values without an order. */
  admit (value: Ordered, hash: () => string): boolean {
    const { field, ascending } = this.#options
    const order = this.#value === undefined ? 1 : this.#compare(value, this.#value)
    if (order < 0) return false
    const rise = this.#high === undefined ? 1 : this.#compare(value, this.#high)
    if (rise < 0 && ascending) throw new PlatformError('SOURCE_REFUSED', `The rows are not in the order of ${field}: ${JSON.stringify(value)} comes behind ${JSON.stringify(this.#high)}`, { where: 'input.http.incremental', remedy: 'Have the source sort them, or take ascending out.' })
    if (rise < 0) return order > 0 || !this.#meet(hash())
    if (rise > 0) this.#ties = []
    this.#high = value
    const mark = hash()
    this.#remember(mark)
    return order > 0 || !this.#meet(mark)
  }

  /** A pass has ended: what it took counts from now on. */
  settle (): void {
    if (this.#high !== undefined) {
      const same = this.#value !== undefined && this.#compare(this.#high, this.#value) === 0
      // Of the rows with the old value a source may give a part, or none.
      this.#known = same ? union(this.#known, this.#ties) : this.#ties
      this.#value = this.#high
    }
    this.#left = counted(this.#known)
    this.#high = undefined
    this.#ties = []
  }

  /** True: the row was taken before. */
  #meet (mark: string): boolean {
    const count = this.#left.get(mark) ?? 0
    if (count === 0) return false
    if (count === 1) this.#left.delete(mark)
    else this.#left.set(mark, count - 1)
    return true
  }

  #remember (mark: string): void {
    const { field, rememberedMax } = this.#options
    if (this.#ties.length >= rememberedMax) throw new PlatformError('SOURCE_REFUSED', `More than ${rememberedMax} rows have the value ${JSON.stringify(this.#high)} in ${field}`, { where: 'input.http.incremental.field', remedy: 'Choose a field with finer values, or raise remembered_rows_max.' })
    this.#ties.push(mark)
  }

  #compare (a: Ordered, b: Ordered): number {
    try {
      return compareValues(a, b)
    } catch (cause) {
      throw new PlatformError('SOURCE_REFUSED', `The values of ${this.#options.field} have no order: ${(cause as Error).message}`, { where: 'input.http.incremental.field', remedy: 'Choose a field whose values are all numbers, or all times; incremental.start has to be one, too.', cause })
    }
  }
}

/** Of a row, or of some of its fields: the same whatever the order of the fields. */
export function rowHash (row: Row, key: readonly string[] | undefined): string {
  const fields = (key ?? Object.keys(row).sort()).flatMap(name => row[name] === null || row[name] === undefined ? [] : [name, row[name]])
  return createHash('sha256').update(JSON.stringify(fields)).digest('base64url').slice(0, 12)
}

/** How often each mark is there. */
export function counted (marks: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const mark of marks) counts.set(mark, (counts.get(mark) ?? 0) + 1)
  return counts
}

/** Each mark as often as it is in the one that has more of it; those of `b` first. */
export function union (a: readonly string[], b: readonly string[]): string[] {
  const rest = counted(a)
  for (const mark of b) if ((rest.get(mark) ?? 0) > 0) rest.set(mark, (rest.get(mark) as number) - 1)
  return [...b, ...[...rest].flatMap(([mark, count]) => new Array<string>(count).fill(mark))]
}
