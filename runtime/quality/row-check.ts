// One row rule over the columns of a batch: marks the rows that break it. Loops over columns; nothing is made a row, but
// for texts that are looked into and stand in no dictionary.

import { cell } from '../batch.ts'
import type { Column, Columns, TextColumn } from '../batch.ts'
import { doublesOf } from './doubles.ts'
import { LinearPattern } from './pattern.ts'
import type { RowRule, RuleOf, ValidValues } from './rule.ts'

/** Sets `marks[i]` to 1 for each row that breaks the rule, and returns how many there are; the marks are 0 before. */
export interface RowCheck {
  mark (columns: Columns, rows: number, marks: Uint8Array): number
}

export function rowCheckOf (rule: RowRule, isText: boolean): RowCheck {
  switch (rule.metric) {
    case 'nullValues': return new NullCheck(rule.field)
    case 'missingValues': return new MissingCheck(rule)
    case 'invalidValues': return isText ? new TextCheck(rule) : new NumberCheck(rule)
  }
}

/** What the value must be, in words; `it must be above 0`. */
export function demandOf (rule: RowRule): string {
  if (rule.metric !== 'invalidValues') return 'it must not be missing'
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, validValues, pattern } = rule.valid
  const demands = [
    minimum !== undefined && `at least ${minimum}`,
    exclusiveMinimum !== undefined && `above ${exclusiveMinimum}`,
    maximum !== undefined && `at most ${maximum}`,
    exclusiveMaximum !== undefined && `below ${exclusiveMaximum}`,
    validValues !== undefined && 'one of the valid values',
    pattern !== undefined && `like ${pattern}`
  ].filter(demand => demand !== false)
  return `it must be ${demands.length === 0 ? 'a finite number' : demands.join(' and ')}`
}

class NullCheck implements RowCheck {
  readonly #field: string

  constructor (field: string) {
    this.#field = field
  }

  mark (columns: Columns, rows: number, marks: Uint8Array): number {
    return markNulls(columns[this.#field]?.valid, rows, marks)
  }
}

function markNulls (valid: Uint8Array | undefined, rows: number, marks: Uint8Array): number {
  if (valid === undefined) return 0
  let n = 0
  for (let i = 0; i < rows; i++) {
    if (valid[i] !== 0) continue
    marks[i] = 1
    n++
  }
  return n
}

class MissingCheck implements RowCheck {
  readonly #field: string
  readonly #missing: ReadonlySet<unknown>

  constructor ({ field, missing }: RuleOf<'missingValues'>) {
    this.#field = field
    this.#missing = new Set(['', ...missing])
  }

  mark (columns: Columns, rows: number, marks: Uint8Array): number {
    const column = columns[this.#field]
    if (column === undefined) return 0
    let n = markNulls(column.valid, rows, marks)
    if (column.kind === 'text' || column.kind === 'dictionary' || column.kind === 'values') return n + markTexts(column, rows, marks, value => this.#missing.has(value))
    if (column.kind !== 'numbers' || !(column.numbers instanceof Float64Array || column.numbers instanceof Float32Array)) return n
    const { numbers } = column
    for (let i = 0; i < rows; i++) {
      if (marks[i] !== 0 || !Number.isNaN(numbers[i])) continue
      marks[i] = 1
      n++
    }
    return n
  }
}

class TextCheck implements RowCheck {
  readonly #field: string
  readonly #values: ReadonlySet<unknown> | undefined
  readonly #pattern: LinearPattern | undefined

  constructor ({ field, valid }: RuleOf<'invalidValues'>) {
    this.#field = field
    this.#values = valid.validValues === undefined ? undefined : new Set(valid.validValues)
    this.#pattern = valid.pattern === undefined ? undefined : new LinearPattern(valid.pattern)
  }

  mark (columns: Columns, rows: number, marks: Uint8Array): number {
    const column = columns[this.#field]
    if (column === undefined) return 0
    return markTexts(column, rows, marks, value => value !== null && (this.#values?.has(value) === false || this.#pattern?.test(String(value)) === false))
  }
}

/** Marks rows by their text; each different value of a dictionary is asked once. Null is not asked. */
function markTexts (column: Column, rows: number, marks: Uint8Array, isBroken: (value: unknown) => boolean): number {
  const { valid } = column
  const codes = column.kind === 'dictionary' ? column.codes : undefined
  const broken = column.kind === 'dictionary' ? Uint8Array.from(column.values, value => Number(value !== null && isBroken(value))) : undefined
  if (broken !== undefined && !broken.includes(1)) return 0
  const texts = column.kind === 'text' ? Buffer.from(column.bytes.buffer, column.bytes.byteOffset, column.bytes.byteLength) : undefined
  let n = 0
  for (let i = 0; i < rows; i++) {
    if (valid?.[i] === 0) continue
    const isOne = codes !== undefined && broken !== undefined
      ? broken[codes[i] as number] === 1
      : isBroken(texts === undefined ? cell(column, i) : texts.toString('utf8', (column as TextColumn).offsets[i], (column as TextColumn).offsets[i + 1]))
    if (!isOne) continue
    marks[i] = 1
    n++
  }
  return n
}

type BoundName = 'minimum' | 'maximum' | 'exclusiveMinimum' | 'exclusiveMaximum'

class NumberCheck implements RowCheck {
  readonly #field: string
  readonly #least: number
  readonly #greatest: number
  readonly #above: number
  readonly #below: number
  readonly #values: ReadonlySet<unknown> | undefined
  readonly #others: ReadonlyArray<{ readonly field: string, readonly bound: BoundName }>
  #own = new Float64Array(0)
  #other = new Float64Array(0)

  constructor ({ field, valid }: RuleOf<'invalidValues'>) {
    const constant = (bound: number | string | undefined, otherwise: number): number => typeof bound === 'number' ? bound : otherwise
    this.#field = field
    this.#least = constant(valid.minimum, -Infinity)
    this.#greatest = constant(valid.maximum, Infinity)
    // Without a bound, infinity itself is not within it: what is no finite number is never valid.
    this.#above = constant(valid.exclusiveMinimum, -Infinity)
    this.#below = constant(valid.exclusiveMaximum, Infinity)
    this.#values = valid.validValues === undefined ? undefined : new Set(valid.validValues)
    this.#others = othersOf(valid)
  }

  mark (columns: Columns, rows: number, marks: Uint8Array): number {
    const column = columns[this.#field]
    if (column === undefined) return 0
    if (this.#own.length < rows) this.#own = new Float64Array(rows)
    const numbers = doublesOf(column, rows, this.#own)
    const { valid } = column
    const [least, greatest, above, below, values] = [this.#least, this.#greatest, this.#above, this.#below, this.#values]
    let n = 0
    for (let i = 0; i < rows; i++) {
      const value = numbers[i] as number
      if ((value >= least && value <= greatest && value > above && value < below) || valid?.[i] === 0) continue
      marks[i] = 1
      n++
    }
    if (values !== undefined) n += this.#markOthers(numbers, valid, rows, marks, value => !values.has(value))
    for (const { field, bound } of this.#others) n += this.#markBeyond(numbers, { valid, bound, other: columns[field] }, rows, marks)
    return n
  }

  #markOthers (numbers: Float64Array, valid: Uint8Array | undefined, rows: number, marks: Uint8Array, isBroken: (value: number) => boolean): number {
    let n = 0
    for (let i = 0; i < rows; i++) {
      if (valid?.[i] === 0 || marks[i] === 1 || !isBroken(numbers[i] as number)) continue
      marks[i] = 1
      n++
    }
    return n
  }

  #markBeyond (numbers: Float64Array, { valid, bound, other }: { readonly valid: Uint8Array | undefined, readonly bound: BoundName, readonly other: Column | undefined }, rows: number, marks: Uint8Array): number {
    if (other === undefined) return 0
    if (this.#other.length < rows) this.#other = new Float64Array(rows)
    const limits = doublesOf(other, rows, this.#other)
    const sign = bound === 'minimum' || bound === 'exclusiveMinimum' ? 1 : -1
    const orEqual = bound === 'exclusiveMinimum' || bound === 'exclusiveMaximum'
    let n = 0
    for (let i = 0; i < rows; i++) {
      const short = sign * ((limits[i] as number) - (numbers[i] as number))
      if (!(short > 0 || (orEqual && short === 0)) || marks[i] === 1 || valid?.[i] === 0 || other.valid?.[i] === 0) continue
      marks[i] = 1
      n++
    }
    return n
  }
}

/** The bounds that are other fields. */
function othersOf (valid: ValidValues): Array<{ readonly field: string, readonly bound: BoundName }> {
  const bounds: readonly BoundName[] = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum']
  return bounds.flatMap(bound => {
    const field = valid[bound]
    return typeof field === 'string' ? [{ field, bound }] : []
  })
}
