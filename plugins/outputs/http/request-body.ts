import type { Batch } from '../../../runtime/plugin.ts'

/** Rows of one batch that follow each other in a request. */
interface Stretch {
  readonly batch: Batch
  readonly first: number
  last: number
}

export interface BodyLimits {
  readonly format: 'json' | 'ndjson'
  readonly rows: number
  readonly kilobytes: number
}

/** The rows of one request as they gather. */
export class RequestBody {
  readonly #limits: BodyLimits
  readonly #lines: string[] = []
  readonly #stretches: Stretch[] = []
  #bytes = 2

  constructor (limits: BodyLimits) {
    this.#limits = limits
  }

  get rows (): number {
    return this.#lines.length
  }

  get partition (): number {
    return this.#stretches[0]?.batch.position.partition ?? 0
  }

  /** Offset of the first row. */
  get from (): number {
    const first = this.#stretches[0]
    return first === undefined ? 0 : first.batch.offsetAt(first.first)
  }

  /** Behind the offset of the last row. */
  get to (): number {
    const last = this.#stretches.at(-1)
    return last === undefined ? 0 : last.batch.offsetAt(last.last) + 1
  }

  /** Whether a row may join; the first one always may. */
  fits (row: string): boolean {
    return this.rows === 0 || (this.rows < this.#limits.rows && this.#bytes + Buffer.byteLength(row) + 1 <= this.#limits.kilobytes * 1024)
  }

  add (row: string, batch: Batch, i: number): void {
    this.#lines.push(row)
    this.#bytes += Buffer.byteLength(row) + 1
    const stretch = this.#stretches.at(-1)
    if (stretch?.batch === batch) stretch.last = i
    else this.#stretches.push({ batch, first: i, last: i })
  }

  text (): string {
    return this.#limits.format === 'json' ? `[${this.#lines.join(',')}]` : `${this.#lines.join('\n')}\n`
  }

  /** Where the rows stand in the batches they came in. */
  * places (): Generator<{ readonly batch: Batch, readonly i: number }, void, void> {
    for (const { batch, first, last } of this.#stretches) {
      for (let i = first; i <= last; i++) yield { batch, i }
    }
  }
}
