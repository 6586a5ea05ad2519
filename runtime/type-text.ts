// Destination types as text, both ways: `decimal(18, 8)`, `timestamp(ns)`, `enum(buy, sell)`, `list(float64)`.

import { suggest } from './problems.ts'
import type { TimeUnit, Type } from './schema.ts'

const simpleKinds = [
  'string', 'bool', 'float32', 'float64', 'date', 'json',
  'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'
] as const
type SimpleKind = typeof simpleKinds[number]

export const timeUnits: readonly TimeUnit[] = ['s', 'ms', 'us', 'ns']

/** How each type is written, for suggestions and documentation. */
export const typeForms: readonly string[] = [...simpleKinds, 'decimal(precision, scale)', 'timestamp(s, ms, us or ns)', 'enum(a, b)', 'list(type)']

const listDepthMax = 3
const decimalPrecisionMax = 38

/** Throws a plain Error that says what is wrong; the caller knows the place. */
export function parseType (text: string, depth = 0): Type {
  const trimmed = text.trim()
  if (isSimple(trimmed)) return { kind: trimmed }
  const open = trimmed.indexOf('(')
  const name = open < 0 ? trimmed : trimmed.slice(0, open).trim()
  if (open >= 0 && !trimmed.endsWith(')')) throw new Error(`a type ends with ")"; inside { } it needs quotes: '${name}(…)'`)
  const inside = open < 0 ? undefined : trimmed.slice(open + 1, -1)
  switch (name) {
    case 'decimal': return decimal(inside)
    case 'timestamp': return timestamp(inside)
    case 'enum': return { kind: 'enum', values: enumValues(inside) }
    case 'list':
      if (inside === undefined || inside.trim() === '') throw new Error('a list says of what: list(float64)')
      if (depth >= listDepthMax) throw new Error(`lists nest ${listDepthMax} levels deep at most`)
      return { kind: 'list', of: parseType(inside, depth + 1) }
    default:
      if (isSimple(name)) throw new Error(`${name} takes nothing in brackets`)
      throw new Error(`unknown type${suggest(name, [...simpleKinds, 'decimal', 'timestamp', 'enum', 'list'])}`)
  }
}

/** The text that `parseType` reads back as the same type. */
export function formatType (type: Type): string {
  switch (type.kind) {
    case 'decimal': return `decimal(${type.precision}, ${type.scale})`
    case 'timestamp': return `timestamp(${type.unit})`
    case 'enum': return `enum(${type.values.map(quoteValue).join(', ')})`
    case 'list': return `list(${formatType(type.of)})`
    default: return type.kind
  }
}

function isSimple (text: string): text is SimpleKind {
  return (simpleKinds as readonly string[]).includes(text)
}

function decimal (inside: string | undefined): Type {
  const match = /^\s*(\d{1,4})\s*,\s*(\d{1,4})\s*$/.exec(inside ?? '')
  if (match === null) throw new Error('a decimal says its digits and how many of them stand after the point: decimal(18, 8)')
  const [precision, scale] = [Number(match[1]), Number(match[2])]
  if (precision < 1 || precision > decimalPrecisionMax) throw new Error(`a decimal has 1 to ${decimalPrecisionMax} digits`)
  if (scale > precision) throw new Error(`a decimal of ${precision} digits cannot have ${scale} after the point`)
  return { kind: 'decimal', precision, scale }
}

function timestamp (inside: string | undefined): Type {
  const unit = timeUnits.find(unit => unit === inside?.trim())
  if (unit === undefined) throw new Error('a timestamp says its unit: timestamp(s), timestamp(ms), timestamp(us) or timestamp(ns)')
  return { kind: 'timestamp', unit }
}

function enumValues (inside: string | undefined): string[] {
  const values: string[] = []
  const item = /(?:\s*'((?:[^']|'')*)'\s*|([^',()]*))(,|$)/y
  const text = inside ?? ''
  while (item.lastIndex < text.length) {
    const match = item.exec(text)
    if (match === null) throw new Error("the values of an enum stand between commas; one with a comma, bracket or quote stands in single quotes: enum('a, b', c)")
    const bare = match[2]?.trim()
    if (bare === '') throw new Error("a value of an enum is empty; write '' for the empty text")
    values.push(bare ?? (match[1] as string).replaceAll("''", "'"))
    if (match[3] === '') break
    if (item.lastIndex === text.length) throw new Error('an enum ends with a comma')
  }
  if (values.length === 0) throw new Error('an enum names its values: enum(buy, sell)')
  const seen = new Set<string>()
  const twice = values.find(value => seen.size === seen.add(value).size)
  if (twice !== undefined) throw new Error(`the enum has ${JSON.stringify(twice)} twice`)
  return values
}

function quoteValue (value: string): string {
  return /^[^\s',()](?:[^',()]*[^\s',()])?$/.test(value) ? value : `'${value.replaceAll("'", "''")}'`
}
