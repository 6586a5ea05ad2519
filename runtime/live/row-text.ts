// Rows as JSON, as the data API writes them: decimals and floats are numbers, 64-bit integers are text, times are ISO 8601
// in UTC. Columns are written as wholes and each row once, however many subscribers get it.

import { cell, timestampText } from '../batch.ts'
import { asText, columnOf } from './row-filter.ts'
import type { Batch, Column, NumbersColumn } from '../batch.ts'

/** The JSON of row `i`. */
export type TextAt = (i: number) => string

/** Texts of the rows of one batch with those columns; each one is made when it is first asked for, and kept. */
export function rowTexts (batch: Batch, columns: readonly string[], topic: string): TextAt {
  const cells = columns.map((name, k): readonly [string, TextAt] => [`${k === 0 ? '{' : ','}${JSON.stringify(name)}:`, cellTexts(columnOf(batch, name, topic), name)])
  const made = new Array<string | undefined>(batch.length)
  return i => {
    const known = made[i]
    if (known !== undefined) return known
    let text = cells.length === 0 ? '{' : ''
    for (const [before, textAt] of cells) text += before + textAt(i)
    return (made[i] = `${text}}`)
  }
}

function cellTexts (column: Column | undefined, name: string): TextAt {
  if (column === undefined) return () => 'null'
  const { valid } = column
  const textAt = name === '_offset' && column.kind === 'numbers' ? (i: number) => `"${String(column.numbers[i])}"` : textsOf(column)
  // A list that is not there is an empty one in the database.
  const none = column.kind === 'list' ? '[]' : 'null'
  return valid === undefined ? textAt : i => valid[i] === 0 ? none : textAt(i)
}

function textsOf (column: Column): TextAt {
  switch (column.kind) {
    case 'dictionary': {
      const texts = column.values.map(value => JSON.stringify(value ?? null))
      return i => texts[column.codes[i] as number] ?? 'null'
    }
    case 'numbers': return numberTexts(column)
    case 'decimal': return i => withoutZeros(String(cell(column, i)))
    case 'list': {
      const itemAt = textsOf(column.items)
      const { valid } = column.items
      return i => {
        const items: string[] = []
        for (let j = column.offsets[i] as number; j < (column.offsets[i + 1] as number); j++) items.push(valid !== undefined && valid[j] === 0 ? 'null' : itemAt(j))
        return `[${items.join(',')}]`
      }
    }
    // JSON that a source sent is text in the database.
    case 'text': return i => JSON.stringify(cell(asText(column), i))
    default: return i => jsonText(cell(column, i), column.type?.kind === 'json')
  }
}

function jsonText (value: unknown, isJson: boolean): string {
  return value === null || value === undefined ? 'null' : JSON.stringify(isJson && typeof value !== 'string' ? JSON.stringify(value) : value)
}

function numberTexts ({ numbers, type }: NumbersColumn): TextAt {
  switch (type?.kind) {
    case 'bool': return i => Number(numbers[i]) === 0 ? 'false' : 'true'
    case 'date': return i => `"${new Date(Number(numbers[i]) * 86_400_000).toISOString().slice(0, 10)}"`
    case 'timestamp': return type.unit === 'ms' ? milliTexts(numbers) : i => `"${timestampText(BigInt(numbers[i] as number | bigint), type.unit)}"`
    case 'float32': return i => Number.isFinite(numbers[i]) ? shortest(numbers[i] as number) : denormal(Number(numbers[i]))
    case 'int64': case 'uint64': return i => `"${String(numbers[i])}"`
    default: return i => Number.isFinite(Number(numbers[i])) ? String(numbers[i]) : denormal(Number(numbers[i]))
  }
}

/** JSON has no number for these. */
function denormal (value: number): string {
  return Number.isNaN(value) ? '"nan"' : value > 0 ? '"inf"' : '"-inf"'
}

/** The fewest digits that name the same number of 32 bits. */
function shortest (value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const text = Number(value.toPrecision(digits))
    if (Math.fround(text) === value) return String(text)
  }
  return String(Number(value.toPrecision(9)))
}

/** Neighbours are mostly of the same second, whose text is made once. */
function milliTexts (numbers: NumbersColumn['numbers']): TextAt {
  let second = NaN
  let before = ''
  return i => {
    const ms = Number(numbers[i])
    const now = Math.floor(ms / 1000)
    if (now !== second) {
      second = now
      before = `"${new Date(now * 1000).toISOString().slice(0, -4)}`
    }
    return `${before}${String(ms - now * 1000).padStart(3, '0')}Z"`
  }
}

/** A decimal as the database writes it. */
function withoutZeros (text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}
