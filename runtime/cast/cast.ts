// From a raw column to a typed one: picks the cells of a field's type, and walks the column in the shape it has.
//
//   text        each value is read from its bytes; no strings are made
//   dictionary  each different value is cast once, then the cells are gathered by code
//   numbers     a loop over doubles
//   values      by the JavaScript type of each value, the slow way
//
// A string field keeps the bytes of a text column and the codes of a dictionary as they are. Whatever the shape, equal
// values give equal cells and equal refusals.

import { cell } from '../batch.ts'
import type { Column, DictionaryColumn, NumbersColumn, TextColumn } from '../batch.ts'
import type { CastRule, Field, Type } from '../schema.ts'
import { dateText, textCell, textOf } from './cells.ts'
import type { Cells, Fault, Faults } from './cells.ts'
import { DecimalCells } from './decimals.ts'
import { gather, withValid } from './gather.ts'
import { rawDigits } from './json-text.ts'
import { JsonCells, ListCells } from './json.ts'
import { NullTexts } from './nulls.ts'
import { FloatCells, IntegerCells, isIntegerKind } from './numbers.ts'
import { NumberScanner } from './scanner.ts'
import { BoolCells, EnumCells, TextCells, passDictionary, passText } from './text.ts'
import { DateCells, TimestampCells } from './timestamps.ts'
import { Zone } from './zone.ts'

const missing: Fault = 'is no value, and the field is mandatory'

/**
 * Casts the raw column of one field; made once a field, for any number of batches. The column may be absent. A refused
 * row goes to `faults` and its cell means nothing; rows come in any order, and a row may come more than once.
 */
export class Caster {
  readonly #type: Type
  readonly #mandatory: boolean
  readonly #nulls: NullTexts
  readonly #begin: Begin

  /** Throws CONFIG_INVALID where the cast rule makes no sense. */
  constructor (field: Pick<Field, 'type' | 'mandatory' | 'cast'>) {
    this.#type = field.type
    this.#mandatory = field.mandatory
    this.#nulls = new NullTexts(field.cast.nulls)
    this.#begin = cellsOf(field)
  }

  cast (column: Column | undefined, rows: number, faults: Faults): Column {
    if (column === undefined) return this.#absent(rows, faults)
    if (column.type !== undefined) return this.#expanded(column, rows, faults)
    switch (column.kind) {
      case 'text': return this.#text(column, rows, faults)
      case 'numbers': return this.#numbers(column, rows, faults)
      case 'dictionary': return column.values.length > rows ? this.#expanded(column, rows, faults) : this.#dictionary(column, rows, faults)
      case 'values': return this.#values(column.values, column.valid, rows, faults)
      default: return this.#expanded(column, rows, faults)
    }
  }

  #absent (rows: number, faults: Faults): Column {
    const valid = new Uint8Array(rows)
    if (this.#mandatory) for (let i = 0; i < rows; i++) faults.add(i, null, missing)
    return this.#begin(rows, faults).column(valid)
  }

  #expanded (column: Column, rows: number, faults: Faults): Column {
    return this.#values(Array.from({ length: rows }, (_, i) => cell(column, i)), undefined, rows, faults)
  }

  #text (column: TextColumn, rows: number, faults: Faults): Column {
    const { offsets, bytes } = column
    const pass = this.#type.kind === 'string'
    const cells = this.#begin(pass ? 0 : rows, faults)
    const nulls = this.#nulls
    const present = column.valid
    let valid: Uint8Array | undefined
    let from = offsets[0] as number
    for (let i = 0; i < rows; i++) {
      const to = offsets[i + 1] as number
      if (present?.[i] === 0 || nulls.bytes(bytes, from, to)) {
        valid ??= new Uint8Array(rows).fill(1)
        valid[i] = 0
        if (this.#mandatory) faults.add(i, present?.[i] === 0 ? null : textOf(bytes, from, to), missing)
      } else if (!pass) {
        const fault = cells.text(bytes, from, to, i)
        if (fault !== undefined) faults.add(i, textOf(bytes, from, to), fault)
      }
      from = to
    }
    return pass ? passText(column, rows, valid, this.#type, faults) : cells.column(valid)
  }

  #numbers (column: NumbersColumn, rows: number, faults: Faults): Column {
    const { numbers } = column
    const cells = this.#begin(rows, faults)
    let valid: Uint8Array | undefined
    for (let i = 0; i < rows; i++) {
      if (column.valid?.[i] === 0) {
        valid ??= new Uint8Array(rows).fill(1)
        valid[i] = 0
        if (this.#mandatory) faults.add(i, null, missing)
        continue
      }
      const value = numbers[i] as number | bigint
      const fault = typeof value === 'number' ? cells.number(value, i) : cells.other(value, i)
      if (fault !== undefined) faults.add(i, value, fault)
    }
    return cells.column(valid)
  }

  #values (values: readonly unknown[], present: Uint8Array | undefined, rows: number, faults: Faults): Column {
    const cells = this.#begin(rows, faults)
    let valid: Uint8Array | undefined
    for (let i = 0; i < rows; i++) {
      const value = present?.[i] === 0 ? null : values[i]
      if (this.#nulls.value(value)) {
        valid ??= new Uint8Array(rows).fill(1)
        valid[i] = 0
        if (this.#mandatory) faults.add(i, value, missing)
        continue
      }
      const fault = this.#value(cells, value, i)
      if (fault !== undefined) faults.add(i, value, fault)
    }
    return cells.column(valid)
  }

  #value (cells: Cells, value: unknown, i: number): Fault | undefined {
    switch (typeof value) {
      case 'string': return textCell(cells, value, i)
      case 'number': return cells.number(value, i)
      case 'object': {
        if (value instanceof Date) return textCell(cells, dateText(value), i)
        const digits = this.#type.kind === 'json' ? undefined : rawDigits(value)
        return digits === undefined ? cells.other(value, i) : textCell(cells, digits, i)
      }
      default: return cells.other(value, i)
    }
  }

  #dictionary (column: DictionaryColumn, rows: number, faults: Faults): Column {
    const { codes, values } = column
    const refused = new RefusedCodes()
    const cast = this.#distinct(column, refused)
    const nulls = cast.nulls
    let valid: Uint8Array | undefined
    if (column.valid !== undefined || nulls.includes(1) || refused.some) {
      for (let i = 0; i < rows; i++) {
        const code = codes[i] as number
        const absent = column.valid?.[i] === 0
        if (absent || nulls[code] === 1) {
          valid ??= new Uint8Array(rows).fill(1)
          valid[i] = 0
          if (this.#mandatory) faults.add(i, absent ? null : values[code], missing)
        } else {
          refused.repeat(code, i, faults)
        }
      }
    }
    return withValid(this.#type.kind === 'string' ? cast.column : gather(cast.column, codes, rows), valid)
  }

  /** One cell a code. */
  #distinct (column: DictionaryColumn, refused: RefusedCodes): { readonly column: Column, readonly nulls: Uint8Array } {
    const { values } = column
    const isNull = (value: unknown): boolean => this.#nulls.value(value)
    if (this.#type.kind === 'string') return passDictionary(column, isNull, this.#type, refused)
    const nulls = new Uint8Array(values.length)
    const cells = this.#begin(values.length, refused)
    for (let code = 0; code < values.length; code++) {
      const value = values[code]
      if (isNull(value)) {
        nulls[code] = 1
        continue
      }
      const fault = this.#value(cells, value, code)
      if (fault !== undefined) refused.add(code, value, fault)
    }
    return { column: cells.column(undefined), nulls }
  }
}

/** What is refused of a dictionary's values, to be repeated for every row that refers to them. */
class RefusedCodes implements Faults {
  readonly #byCode = new Map<number, Array<[value: unknown, fault: Fault, path: string | undefined]>>()

  get some (): boolean {
    return this.#byCode.size > 0
  }

  add (code: number, value: unknown, fault: Fault, path?: string): void {
    const refused = this.#byCode.get(code)
    if (refused === undefined) this.#byCode.set(code, [[value, fault, path]])
    else refused.push([value, fault, path])
  }

  repeat (code: number, i: number, faults: Faults): void {
    for (const [value, fault, path] of this.#byCode.get(code) ?? []) faults.add(i, value, fault, path)
  }
}

type Begin = (rows: number, faults: Faults) => Cells

function cellsOf ({ type, cast }: Pick<Field, 'type' | 'cast'>): Begin {
  switch (type.kind) {
    case 'string': return rows => new TextCells(type, rows)
    case 'enum': return rows => new EnumCells(type, rows)
    case 'bool': return rows => new BoolCells(type, rows)
    case 'json': return rows => new JsonCells(type, rows)
    case 'list': {
      const items = new Caster({ type: type.of, mandatory: false, cast })
      return (rows, faults) => new ListCells(type, (values, itemFaults) => items.cast({ kind: 'values', values }, values.length, itemFaults), faults, rows)
    }
    default: return numericCellsOf(type, cast)
  }
}

function numericCellsOf (type: Type, cast: CastRule): Begin {
  const scanner = new NumberScanner(cast)
  if (type.kind === 'decimal') return rows => new DecimalCells(type, cast, scanner, rows)
  if (type.kind === 'float32' || type.kind === 'float64') return rows => new FloatCells(type, scanner, rows)
  if (isIntegerKind(type.kind)) {
    const { kind } = type
    return rows => new IntegerCells(kind, type, scanner, rows)
  }
  const zone = new Zone(cast.zone)
  return type.kind === 'timestamp'
    ? rows => new TimestampCells(type, cast, zone, scanner, rows)
    : rows => new DateCells(type, cast, zone, scanner, rows)
}
