// Values of Parquet in the raw forms that the mapping casts exactly:
//
//   integers     numbers; beyond 2^53 their digits as text         decimals   their digits as text
//   timestamps   ISO 8601 text, with Z where they are UTC, without it where the file says that they are local
//   dates        2024-01-02        times of day   14:30:00.123456
//   floats       numbers; NaN, Infinity, -Infinity and -0 as text, because JSON has none of them
//   strings, enums, JSON   text        UUID   text        bytes of a fixed length   hexadecimal text
//   lists, structs, maps   arrays and objects of these

import { isUtf8 } from 'node:buffer'
import { timestampTexts } from '../lines.ts'
import type { SchemaElement, SchemaTree } from 'hyparquet'

/** Stands for a value that cannot go on; its row is rejected for that reason. */
export class Unfit {
  readonly reason: string
  constructor (reason: string) {
    this.reason = reason
  }
}

/** One value as the reader gives it, to its raw form; an `Unfit` where there is none. Null is handled before. */
export type Raw = (value: unknown) => unknown

/** Text of bytes; the reader calls it once for each value of a dictionary. */
export function textOf (bytes: Uint8Array | undefined): string | Unfit | undefined {
  if (bytes === undefined) return undefined
  if (!isUtf8(bytes)) return new Unfit('bytes that are not UTF-8 text')
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
}

/**
 * What the reader itself has to know of a column: whether it is text. All else it would turn into doubles and
 * milliseconds, so it gets the physical types only.
 */
export function bare (element: SchemaElement): SchemaElement {
  if (element.type === undefined) return element
  const { converted_type: _, logical_type: __, ...physical } = element
  return element.type === 'BYTE_ARRAY' && !isDecimal(element) ? { ...physical, converted_type: 'UTF8' } : physical
}

export function rawOf (tree: SchemaTree): Raw {
  const { element, children } = tree
  const repeated = element.repetition_type === 'REPEATED'
  const one = children.length === 0 ? leaf(element) : nested(tree)
  // A repeated field that is in no list annotation is a list all the same.
  return repeated ? value => Array.isArray(value) ? items(value, one) : one(value) : one
}

function nested ({ element, children }: SchemaTree): Raw {
  const only = children[0] as SchemaTree
  if (element.converted_type === 'LIST' && children.length === 1) {
    // The usual list has a group between itself and its items.
    const item = only.children.length === 1 ? only.children[0] as SchemaTree : only
    const one = item === only ? withoutRepetition(only) : rawOf(item)
    return value => Array.isArray(value) ? items(value, one) : value
  }
  if (element.converted_type === 'MAP' && only.children.length === 2) {
    const one = rawOf(only.children[1] as SchemaTree)
    return value => members(value as Record<string, unknown>, () => one)
  }
  const byName = new Map(children.map(child => [child.element.name, rawOf(child)]))
  return value => members(value as Record<string, unknown>, name => byName.get(name) ?? (value => value))
}

function withoutRepetition (tree: SchemaTree): Raw {
  const { repetition_type: _, ...element } = tree.element
  return rawOf({ ...tree, element })
}

function items (values: readonly unknown[], one: Raw): unknown {
  const list: unknown[] = []
  for (const value of values) {
    const raw = value == null ? null : one(value)
    if (raw instanceof Unfit) return raw
    list.push(raw)
  }
  return list
}

function members (value: Record<string, unknown>, of: (name: string) => Raw): unknown {
  const object = Object.create(null) as Record<string, unknown>
  for (const name in value) {
    const raw = value[name] == null ? null : of(name)(value[name])
    if (raw instanceof Unfit) return raw
    object[name] = raw
  }
  return object
}

function leaf (element: SchemaElement): Raw {
  const { type, converted_type: converted, logical_type: logical } = element
  if (isDecimal(element)) return decimals(logical?.type === 'DECIMAL' ? logical.scale : element.scale ?? 0)
  return byLogical(logical) ?? (converted === undefined ? undefined : byConverted[converted]) ?? physical(type)
}

function byLogical (logical: SchemaElement['logical_type']): Raw | undefined {
  switch (logical?.type) {
    case 'DATE': return day
    case 'TIMESTAMP': return timestamps(unitOf[logical.unit], logical.isAdjustedToUTC)
    case 'TIME': return times(unitOf[logical.unit])
    case 'UUID': return value => hex(value).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    case 'FLOAT16': return value => floating(float16(value as Uint8Array))
    case 'INTEGER': return logical.isSigned ? undefined : unsigned(logical.bitWidth)
    default: return undefined
  }
}

/** What older writers say in place of a logical type. */
const byConverted: Readonly<Record<string, Raw | undefined>> = {
  DATE: day,
  TIMESTAMP_MILLIS: timestamps('ms', true),
  TIMESTAMP_MICROS: timestamps('us', true),
  TIME_MILLIS: times('ms'),
  TIME_MICROS: times('us'),
  INTERVAL: () => new Unfit('an interval of time, which has no raw form'),
  UINT_8: unsigned(32),
  UINT_16: unsigned(32),
  UINT_32: unsigned(32),
  UINT_64: unsigned(64)
}

function physical (type: SchemaElement['type']): Raw {
  switch (type) {
    case 'FLOAT':
    case 'DOUBLE': return floating
    case 'FIXED_LEN_BYTE_ARRAY': return hex
    case 'INT64': return integer
    case 'INT96': return timestamps('ns', true)
    default: return value => value
  }
}

function isDecimal ({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return converted === 'DECIMAL' || logical?.type === 'DECIMAL'
}

/** The reader gives the bits as a signed number. */
function unsigned (bits: number): Raw {
  return bits === 64 ? value => integer(BigInt.asUintN(64, BigInt(value as bigint))) : value => (value as number) >>> 0
}

const unitOf = { MILLIS: 'ms', MICROS: 'us', NANOS: 'ns' } as const
type Unit = typeof unitOf[keyof typeof unitOf]

function integer (value: unknown): number | string {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : String(value)
}

function floating (value: unknown): number | string {
  const number = value as number
  if (!Number.isFinite(number)) return String(number)
  return Object.is(number, -0) ? '-0' : number
}

function float16 (bytes: Uint8Array): number {
  const bits = (bytes[0] as number) | (bytes[1] as number) << 8
  const sign = (bits & 0x8000) === 0 ? 1 : -1
  const exponent = bits >> 10 & 31
  const fraction = bits & 1023
  if (exponent === 0) return sign * 2 ** -24 * fraction
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  return sign * 2 ** (exponent - 25) * (1024 + fraction)
}

function hex (value: unknown): string {
  const bytes = value as Uint8Array
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}

function decimals (scale: number): Raw {
  return value => {
    const unscaled = value instanceof Uint8Array ? bigEndian(value) : BigInt(value as number | bigint)
    const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
    const sign = unscaled < 0n ? '-' : ''
    return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  }
}

/** Two's complement, high byte first. */
function bigEndian (bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex(bytes)}`))
}

function timestamps (unit: Unit, utc: boolean): Raw {
  const textOf = timestampTexts(unit)
  return careful(value => {
    const text = textOf(value as bigint)
    return utc ? text : text.slice(0, -1)
  }, 'a timestamp')
}

function times (unit: Unit): Raw {
  const textOf = timestampTexts(unit)
  return careful(value => textOf(value as bigint).slice(11, -1), 'a time of day')
}

function day (value: unknown): unknown {
  return dayText(value)
}

const dayText = careful(value => new Date(Number(value) * 86_400_000).toISOString().slice(0, 10), 'a date')

/** Some integers are no time that a calendar has. */
function careful (raw: (value: unknown) => string, what: string): Raw {
  return value => {
    try {
      return raw(value)
    } catch {
      return new Unfit(`${String(value)}, which is out of the range of ${what}`)
    }
  }
}
