import { NOT_PRESENT } from '../schema.ts'
import { startsWith } from './cells.ts'

/** The texts that mean null: `not present in source system` and those of the cast rule, exactly as written. */
export class NullTexts {
  readonly #texts: ReadonlySet<string>
  /** By their length in bytes: most texts are told from them by the length alone. */
  readonly #byLength: ReadonlyArray<readonly Uint8Array[] | undefined>

  constructor (nulls: readonly string[]) {
    this.#texts = new Set([NOT_PRESENT, ...nulls])
    const byLength: Uint8Array[][] = []
    for (const text of this.#texts) {
      const bytes = Buffer.from(text)
      byLength[bytes.length] = [...byLength[bytes.length] ?? [], bytes]
    }
    this.#byLength = Array.from(byLength)
  }

  /** Whether the bytes [from, to) are one of them. */
  bytes (bytes: Uint8Array, from: number, to: number): boolean {
    const size = to - from
    const candidates = size < this.#byLength.length ? this.#byLength[size] : undefined
    if (candidates === undefined) return false
    for (let i = 0; i < candidates.length; i++) if (startsWith(bytes, from, candidates[i] as Uint8Array)) return true
    return false
  }

  /** Whether a value means null. */
  value (value: unknown): boolean {
    return value === null || value === undefined || (typeof value === 'string' && this.#texts.has(value))
  }
}
