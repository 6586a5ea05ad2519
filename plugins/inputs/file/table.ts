import { RowBatch } from '../../../runtime/plugin.ts'
import { checkJson } from '../../../runtime/json.ts'
import type { Batch, Topic } from '../../../runtime/plugin.ts'
import type { Column } from '../../../runtime/batch.ts'

/** Columns that grow by row objects. Rows of one shape, which is the rule, find their columns by position. */
export class Table {
  length = 0
  readonly #names: string[] = []
  readonly #columns: unknown[][] = []
  readonly #byName = new Map<string, unknown[]>()

  /** Throws for a value that must not go on; the table is then as it was. */
  add (row: Readonly<Record<string, unknown>>): void {
    const names = this.#names
    const columns = this.#columns
    const at = this.length
    let fields = 0
    for (const name in row) {
      const value = row[name]
      const column = names[fields] === name ? columns[fields] as unknown[] : this.#column(name)
      column[at] = value
      fields++
      // Numbers and objects only: both are rare enough, or cheap enough, to be looked at in every row.
      if (typeof value === 'object' ? value !== null : value === Infinity || value === -Infinity) this.#check(value)
    }
    if (fields < columns.length) this.#fillUp()
    this.length++
  }

  batch (topic: Topic, bytes: number): Batch {
    const columns: Record<string, Column> = Object.create(null)
    for (const [i, name] of this.#names.entries()) columns[name] = { kind: 'values', values: this.#columns[i] as unknown[] }
    return new RowBatch(topic, this.length, columns, { bytes })
  }

  #column (name: string): unknown[] {
    let column = this.#byName.get(name)
    if (column === undefined) {
      column = new Array<unknown>(this.length).fill(null)
      this.#byName.set(name, column)
      this.#names.push(name)
      this.#columns.push(column)
    }
    return column
  }

  /** Null for the fields that the newest row does not have. */
  #fillUp (): void {
    for (const column of this.#columns) if (column.length === this.length) column.push(null)
  }

  #check (value: unknown): void {
    try {
      checkJson(value, false, 1)
    } catch (error) {
      for (const column of this.#columns) column.length = this.length
      throw error
    }
  }
}
