import { RowBatch } from '../plugin.ts'
import { isTooWide } from '../batch.ts'
import { checkJson } from '../json.ts'
import type { Batch, Topic } from '../plugin.ts'
import type { Column } from '../batch.ts'

/**
 * Columns that grow by row objects. Rows of one shape, which is the rule, find their columns by position. A column ends
 * at the newest row that has its field, and gets the nulls that it lacks when it is next needed: to fill all columns
 * for each row would take for ever where the rows have different fields.
 */
export class Table {
  length = 0
  readonly #names: string[] = []
  readonly #columns: unknown[][] = []
  readonly #byName = new Map<string, unknown[]>()

  /** No row should be added any more: the next batch goes on. */
  get full (): boolean {
    return isTooWide(this.#names.length, this.length)
  }

  /** Throws for a value that must not go on; the table is then as it was. */
  add (row: Readonly<Record<string, unknown>>): void {
    const names = this.#names
    const columns = this.#columns
    const at = this.length
    let fields = 0
    for (const name in row) {
      const value = row[name]
      const column = names[fields] === name ? columns[fields] as unknown[] : this.#column(name)
      if (column.length < at) fillUp(column, at)
      column[at] = value
      fields++
      // Numbers and objects only: both are rare enough, or cheap enough, to be looked at in every row.
      if (typeof value === 'object' ? value !== null : value === Infinity || value === -Infinity) this.#check(value)
    }
    this.length++
  }

  batch (topic: Topic, bytes: number): Batch {
    const columns: Record<string, Column> = Object.create(null)
    for (const [i, name] of this.#names.entries()) {
      const values = this.#columns[i] as unknown[]
      fillUp(values, this.length)
      columns[name] = { kind: 'values', values }
    }
    return new RowBatch(topic, this.length, columns, { bytes })
  }

  #column (name: string): unknown[] {
    let column = this.#byName.get(name)
    if (column === undefined) {
      column = []
      this.#byName.set(name, column)
      this.#names.push(name)
      this.#columns.push(column)
    }
    return column
  }

  #check (value: unknown): void {
    try {
      checkJson(value, false, 1)
    } catch (error) {
      for (const column of this.#columns) if (column.length > this.length) column.length = this.length
      throw error
    }
  }
}

function fillUp (column: unknown[], length: number): void {
  while (column.length < length) column.push(null)
}
