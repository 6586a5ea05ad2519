// Typed columns of many batches as one Arrow column of the field's type.

import {
  Bool, DateDay, Decimal, Float32, Float64, Int16, Int32, Int64, Int8, List, Timestamp, TimeUnit as ArrowTimeUnit, Uint16, Uint32,
  Uint64, Uint8, Field as ArrowField, makeData
} from 'apache-arrow'
import type { Data, DataType } from 'apache-arrow'
import type { Column, NumberArray } from '../batch.ts'
import { PlatformError } from '../errors.ts'
import type { Field, IntegerKind, Type } from '../schema.ts'
import { int64, mergeValid, packBits, packValid } from './parts.ts'
import type { Part } from './parts.ts'
import { mergeDictionary, mergeText } from './text.ts'
import type { TextOf } from './text.ts'

/** The parts as one Arrow column. Throws where a part is not of the field's type: a wrong scale or unit would change values without a word. */
export function mergeTyped (parts: readonly Part[], length: number, field: Field): Data {
  let type = field.type
  for (const { column } of parts) {
    if (column === undefined) continue
    assertType(column, field)
    // Rows of an older revision: the destination widens them.
    if (column.type !== undefined) type = column.type
  }
  return merge(parts, length, type, field.lowCardinality || field.type.kind === 'enum', field.name)
}

function merge (parts: readonly Part[], length: number, type: Type, dictionary: boolean, name: string): Data {
  switch (type.kind) {
    case 'string':
    case 'enum': {
      const textOf = stringText(name)
      return dictionary ? mergeDictionary(parts, length, textOf) : mergeText(parts, length, textOf)
    }
    case 'json': return mergeText(parts, length, jsonText)
    case 'list': return mergeList(parts, length, type.of, name)
    case 'decimal': return mergeDecimal(parts, length, type, name)
    case 'bool': {
      const bytes = new Uint8Array(length)
      copyNumbers(parts, bytes, name)
      return makeData({ type: new Bool(), length, data: packBits(bytes), ...packValid(mergeValid(parts, length)) })
    }
    default: {
      const [arrowType, numbers] = fixedWidth(type.kind, type.kind === 'timestamp' ? timeUnits[type.unit] : ArrowTimeUnit.SECOND, length)
      copyNumbers(parts, numbers, name)
      return makeData({ type: arrowType, length, data: numbers, ...packValid(mergeValid(parts, length)) } as Parameters<typeof makeData>[0])
    }
  }
}

const timeUnits = { s: ArrowTimeUnit.SECOND, ms: ArrowTimeUnit.MILLISECOND, us: ArrowTimeUnit.MICROSECOND, ns: ArrowTimeUnit.NANOSECOND } as const

type FixedWidth = 'float32' | 'float64' | 'date' | 'timestamp' | IntegerKind

function fixedWidth (kind: FixedWidth, unit: ArrowTimeUnit, length: number): [DataType, NumberArray] {
  switch (kind) {
    case 'float32': return [new Float32(), new Float32Array(length)]
    case 'float64': return [new Float64(), new Float64Array(length)]
    case 'int8': return [new Int8(), new Int8Array(length)]
    case 'int16': return [new Int16(), new Int16Array(length)]
    case 'int32': return [new Int32(), new Int32Array(length)]
    case 'int64': return [new Int64(), new BigInt64Array(length)]
    case 'uint8': return [new Uint8(), new Uint8Array(length)]
    case 'uint16': return [new Uint16(), new Uint16Array(length)]
    case 'uint32': return [new Uint32(), new Uint32Array(length)]
    case 'uint64': return [new Uint64(), new BigUint64Array(length)]
    case 'date': return [new DateDay(), new Int32Array(length)]
    case 'timestamp': return [new Timestamp(unit, 'UTC'), new BigInt64Array(length)]
  }
}

function copyNumbers (parts: readonly Part[], into: NumberArray, name: string): void {
  for (const { column, from, length, at } of parts) {
    if (column === undefined) continue
    if (column.kind !== 'numbers') throw wrongShape(column, name)
    const numbers = column.numbers.subarray(from, from + length)
    const wide = into instanceof BigInt64Array || into instanceof BigUint64Array
    if (numbers instanceof BigInt64Array || numbers instanceof BigUint64Array) {
      if (wide) into.set(numbers, at)
      else for (let i = 0; i < length; i++) into[at + i] = Number(numbers[i])
    } else if (wide) {
      int64(numbers, new BigInt64Array(into.buffer as ArrayBuffer), at)
    } else {
      into.set(numbers, at)
    }
  }
}

function mergeDecimal (parts: readonly Part[], length: number, { precision, scale }: { precision: number, scale: number }, name: string): Data {
  const words = new BigUint64Array(2 * length)
  for (const { column, from, length: rows, at } of parts) {
    if (column === undefined) continue
    if (column.kind !== 'decimal') throw wrongShape(column, name)
    words.set(column.words.subarray(2 * from, 2 * (from + rows)), 2 * at)
  }
  return makeData({ type: new Decimal(scale, precision, 128), length, data: new Uint32Array(words.buffer), ...packValid(mergeValid(parts, length)) })
}

function mergeList (parts: readonly Part[], length: number, of: Type, name: string): Data {
  const offsets = new Int32Array(length + 1)
  const items: Part[] = []
  let end = 0
  for (const { column, from, length: rows, at } of parts) {
    if (column === undefined) {
      offsets.fill(end, at + 1, at + rows + 1)
      continue
    }
    if (column.kind !== 'list') throw wrongShape(column, name)
    const first = column.offsets[from] as number
    for (let i = 1; i <= rows; i++) offsets[at + i] = (column.offsets[from + i] as number) - first + end
    const count = (column.offsets[from + rows] as number) - first
    items.push({ column: column.items, from: first, length: count, at: end })
    end += count
  }
  const child = merge(items, end, of, false, `${name}[]`)
  return makeData({ type: new List(new ArrowField('item', child.type, true)), length, valueOffsets: offsets, child, ...packValid(mergeValid(parts, length)) })
}

function stringText (name: string): TextOf {
  return value => {
    if (typeof value === 'string') return value
    if (value === null || value === undefined) return null
    throw new PlatformError('PLUGIN_FAILED', `column ${name} holds ${typeof value} where its type is a text`)
  }
}

const jsonText: TextOf = value => value === null || value === undefined ? null : JSON.stringify(value) ?? null

const units = ['s', 'ms', 'us', 'ns']
const bits = (kind: string): number => Number(/\d+$/.exec(kind)?.[0] ?? 0)

/** Whether every value of `type` is one of `wanted`, so that rows of an older schema may go into the table of a newer one. */
function fits (type: Type, wanted: Type): boolean {
  if (type.kind === 'enum') return wanted.kind === 'string' || (wanted.kind === 'enum' && type.values.every(value => wanted.values.includes(value)))
  if (/^u?int/.test(type.kind) && /^u?int/.test(wanted.kind)) {
    const unsigned = type.kind.startsWith('u')
    return bits(wanted.kind) > bits(type.kind) && (unsigned || !wanted.kind.startsWith('u'))
  }
  if (type.kind === 'decimal' && wanted.kind === 'decimal') {
    return wanted.scale >= type.scale && wanted.precision - wanted.scale >= type.precision - type.scale
  }
  if (type.kind === 'timestamp' && wanted.kind === 'timestamp') return units.indexOf(wanted.unit) >= units.indexOf(type.unit)
  return type.kind === 'float32' && wanted.kind === 'float64'
}

function assertType ({ type }: Column, field: Field): void {
  if (type === field.type) return
  if (type === undefined) {
    throw new PlatformError('CONFIG_INVALID', `column ${field.name} has no type: the rows come as the topic holds them`, {
      remedy: 'Add a mapping to the pipeline, such as `transforms: [mapping: quotes]`.'
    })
  }
  const [is, wanted] = [JSON.stringify(type), JSON.stringify(field.type)]
  if (is !== wanted && !fits(type, field.type)) {
    throw new PlatformError('CONFIG_INVALID', `column ${field.name} is of type ${is}, and the table's is ${wanted}`, {
      remedy: 'Let the last mapping of the pipeline and its topic use the same schema.'
    })
  }
}

function wrongShape (column: Column, name: string): PlatformError {
  return new PlatformError('PLUGIN_FAILED', `column ${name} comes as ${column.kind}, which does not hold values of its type`)
}
