// The constants of a filter as values that can be compared with a column's own, exactly: no double comes between a
// decimal, a 64-bit integer or a time and what it is compared with.

import { parseInstant } from '../data/instant.ts'
import { PlatformError } from '../errors.ts'
import type { Scalar } from '../data/filter.ts'
import type { Field, TimeUnit, Type } from '../schema.ts'

/** `scale`: the column's value is multiplied by ten to that before it is compared with `value`. */
export type Operand =
  | { readonly kind: 'text', readonly value: string }
  | { readonly kind: 'double', readonly value: number }
  | { readonly kind: 'exact', readonly value: bigint, readonly scale: number }

const unitDigits: Readonly<Record<TimeUnit, number>> = { s: 0, ms: 3, us: 6, ns: 9 }
const number = /^([+-]?)(\d{1,60})(?:\.(\d{1,60}))?(?:[eE]([+-]?\d{1,2}))?$/

/** Throws REQUEST_INVALID where the value does not fit the column. */
export function operandOf ({ name, type }: Pick<Field, 'name' | 'type'>, value: Scalar): Operand {
  const found = convert(type, value)
  if (found !== undefined) return found
  throw new PlatformError('REQUEST_INVALID', `${JSON.stringify(value)} cannot be compared with ${name}, which is ${wants[type.kind] ?? 'a whole number'}`)
}

const wants: Readonly<Record<string, string>> = {
  string: 'text',
  enum: 'text',
  json: 'text',
  bool: 'true or false',
  float32: 'a number',
  float64: 'a number',
  decimal: 'a number',
  date: 'a date, such as 2024-01-02',
  timestamp: 'a time, such as 2024-01-02T14:30:00Z or ns since 1970',
  list: 'a list: it is null or not, nothing else can be asked'
}

function convert (type: Type, value: Scalar): Operand | undefined {
  switch (type.kind) {
    case 'string': case 'enum': case 'json': return { kind: 'text', value: String(value) }
    case 'bool': return /^(?:true|false|0|1)$/.test(String(value)) ? { kind: 'exact', value: /^(?:true|1)$/.test(String(value)) ? 1n : 0n, scale: 0 } : undefined
    case 'float32': case 'float64': return double(value)
    case 'date': return exact(value, { text: days, units: 0 })
    case 'timestamp': return exact(value, { text: parseInstant, units: 9 - unitDigits[type.unit] })
    case 'decimal': return decimal(value, type.scale)
    case 'list': return undefined
    default: return decimal(value, 0)
  }
}

function double (value: Scalar): Operand | undefined {
  const found = typeof value === 'boolean' || value === '' ? NaN : Number(value)
  return Number.isNaN(found) ? undefined : { kind: 'double', value: found }
}

/** A date or time, as text or as a whole number of what `text` gives; the column counts in units that are larger by ten to `units`. */
function exact (value: Scalar, { text, units }: { readonly text: (value: string) => bigint | undefined, readonly units: number }): Operand | undefined {
  const found = typeof value === 'string' ? (/^-?\d{1,19}$/.test(value) ? BigInt(value) : text(value)) : typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : undefined
  if (found === undefined) return undefined
  const factor = 10n ** BigInt(units)
  return found % factor === 0n ? { kind: 'exact', value: found / factor, scale: 0 } : { kind: 'exact', value: found, scale: units }
}

function days (text: string): bigint | undefined {
  const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : NaN
  return Number.isNaN(ms) ? undefined : BigInt(ms / 86_400_000)
}

/** A number as an integer that stands `scale` digits behind the column's own. */
function decimal (value: Scalar, columnScale: number): Operand | undefined {
  const [, sign, whole, fraction = '', exponent = '0'] = typeof value === 'boolean' ? [] : number.exec(String(value)) ?? []
  if (whole === undefined) return undefined
  const scale = fraction.length - Number(exponent)
  const unscaled = BigInt(`${whole}${fraction}`) * (sign === '-' ? -1n : 1n)
  return scale <= columnScale
    ? { kind: 'exact', value: unscaled * 10n ** BigInt(columnScale - scale), scale: 0 }
    : { kind: 'exact', value: unscaled, scale: scale - columnScale }
}
