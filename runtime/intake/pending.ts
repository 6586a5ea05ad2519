import { RowBatch } from '../plugin.ts'
import { isTooWide } from '../batch.ts'
import type { Batch, Codes, Column } from '../batch.ts'
import type { Topic } from '../schema.ts'

/** Of rows that wait; a batch that is larger goes on alone. */
const bytesMax = 4 * 2 ** 20

/** Rows of one file or of many small ones, until they make a batch: each append to a topic costs a write to the disk. */
export class Pending {
  length = 0
  readonly #topic: Topic
  readonly #rowsMax: number
  readonly #fileField: string | undefined
  #parts: Array<{ readonly batch: Batch, readonly file: string }> = []
  #names = new Set<string>()
  #bytes = 0

  /** `fileField`: the field that gets the name of each row's file. */
  constructor (topic: Topic, rowsMax: number, fileField: string | undefined) {
    this.#topic = topic
    this.#rowsMax = rowsMax
    this.#fileField = fileField
  }

  get full (): boolean {
    return this.length >= this.#rowsMax || this.#bytes >= bytesMax
  }

  /** Whether what waits has to go on before the batch is added. */
  refuses (batch: Batch): boolean {
    if (this.length === 0 || batch.length === 0) return false
    return this.length + batch.length > this.#rowsMax || isTooWide(this.#names.size + Object.keys(batch.columns).length, this.length + batch.length)
  }

  add (batch: Batch, file: string): void {
    if (batch.length === 0) return
    this.#parts.push({ batch, file })
    for (const name in batch.columns) this.#names.add(name)
    this.length += batch.length
    this.#bytes += batch.bytes
  }

  /** All rows that wait, as one batch; without rows where none do. */
  take (): Batch {
    const parts = this.#parts
    const columns: Record<string, Column> = Object.create(null)
    if (parts.length === 1) Object.assign(columns, parts[0]?.batch.columns)
    else for (const name of this.#names) columns[name] = { kind: 'values', values: this.#values(name) }
    if (this.#fileField !== undefined && this.length > 0) columns[this.#fileField] = this.#files()
    const batch = new RowBatch(this.#topic, this.length, columns, { bytes: this.#bytes })
    this.#parts = []
    this.#names = new Set()
    this.#bytes = this.length = 0
    return batch
  }

  #values (name: string): unknown[] {
    const values: unknown[] = []
    for (const { batch } of this.#parts) {
      const column = batch.columns[name]
      for (let i = 0; i < batch.length; i++) values.push(column?.kind === 'values' ? column.values[i] ?? null : null)
    }
    return values
  }

  #files (): Column {
    const codes: Codes = this.#parts.length <= 256 ? new Uint8Array(this.length) : new Int32Array(this.length)
    let at = 0
    for (const [i, { batch }] of this.#parts.entries()) codes.fill(i, at, at += batch.length)
    return { kind: 'dictionary', codes, values: this.#parts.map(({ file }) => file) }
  }
}
