import type { Fault, Faults } from './cells.ts'

const valueCharactersMax = 80
/** Bad fields that the reason of one row names. */
const namedMax = 20

/** The rows of one batch that are refused, each with one line that names all its bad fields. */
export class Refusals {
  readonly #reasons = new Map<number, string[]>()

  get size (): number {
    return this.#reasons.size
  }

  /** Takes what is refused of one field. */
  of (field: string): Faults {
    return {
      add: (row, value, fault, path = '') => this.#add(row, `${field}${path}`, value, fault)
    }
  }

  #add (row: number, place: string, value: unknown, fault: Fault): void {
    const reasons = this.#reasons.get(row) ?? []
    if (reasons.length === 0) this.#reasons.set(row, reasons)
    if (reasons.length < namedMax) reasons.push(`${place}: ${printable(value)} ${fault}`)
    else if (reasons.length === namedMax) reasons.push('…')
  }

  has (row: number): boolean {
    return this.#reasons.has(row)
  }

  reason (row: number): string {
    return (this.#reasons.get(row) ?? []).join('; ')
  }

  /** Those of `rows` rows that are not refused. */
  others (rows: number): Int32Array {
    const indexes = new Int32Array(rows - this.#reasons.size)
    let at = 0
    for (let i = 0; i < rows; i++) if (!this.#reasons.has(i)) indexes[at++] = i
    return indexes
  }
}

/** Characters that a terminal or a log viewer acts on instead of showing them: controls, marks of direction, invisible ones. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** A value as one short line that cannot be mistaken for anything else in a log. */
export function printable (value: unknown): string {
  const text = typeof value === 'string' ? quoted(value) : shortened(other(value))
  return text.replace(unprintable, character => `\\u${(character.codePointAt(0) as number).toString(16).padStart(4, '0')}`)
}

function quoted (text: string): string {
  return JSON.stringify(shortened(text))
}

function shortened (text: string): string {
  if (text.length <= valueCharactersMax) return text
  // Not in the middle of a surrogate pair.
  const high = text.charCodeAt(valueCharactersMax - 1) >> 10 === 0x36
  return `${text.slice(0, valueCharactersMax - (high ? 1 : 0))}…`
}

function other (value: unknown): string {
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : String(value)
  try {
    return JSON.stringify(value) ?? 'an object'
  } catch {
    // Too deep, circular, or holding what JSON cannot.
    return Array.isArray(value) ? 'a list' : 'an object'
  }
}
