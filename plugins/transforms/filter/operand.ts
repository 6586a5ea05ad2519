// What a condition compares with, in the terms of the column it looks at. The comparison is exact: decimals and 64-bit
// integers are compared as integers, not as doubles.

import { PlatformError } from '../../../runtime/errors.ts'
import type { TimeUnit, Type } from '../../../runtime/schema.ts'

/** As it stands in the pipeline file. */
export type Operand = string | number | boolean

/** The sign of `value - operand`; NaN where they cannot be compared, so that no comparison holds. */
export type Order = (value: unknown) => number

/** Throws CONFIG_INVALID where the operand is no value of the type. Without a type the rows are as their source gave them. */
export function operandFor (operand: Operand, type: Type | undefined, field: string): Order {
  if (type === undefined) return looseOrder(operand)
  switch (type.kind) {
    case 'bool': return exactOrder(Number(booleanOf(operand) ?? fail(operand, type, field)))
    case 'date': return exactOrder((instantNs(operand) ?? fail(operand, type, field)) / (86_400n * perNs.s))
    case 'timestamp': return instantOrder(instantNs(operand) ?? fail(operand, type, field), type.unit)
    case 'decimal': return decimalOrder(String(operand), type.scale) ?? fail(operand, type, field)
    case 'string':
    case 'enum':
    case 'json':
    case 'list': return looseOrder(operand)
    default: return exactOrder(numberOf(operand) ?? fail(operand, type, field))
  }
}

/** Rows as their source gave them: a number is compared with texts that are numbers, a text with any value's text. */
function looseOrder (operand: Operand): Order {
  if (typeof operand === 'number') {
    const order = exactOrder(operand)
    return value => {
      const number = typeof value === 'string' ? numberOf(value) : value
      return typeof number === 'number' || typeof number === 'bigint' ? order(number) : NaN
    }
  }
  const text = String(operand)
  return value => {
    const other = typeof value === 'object' ? JSON.stringify(value) : String(value)
    return other === text ? 0 : other < text ? -1 : 1
  }
}

/** JavaScript compares a double and a big integer by their mathematical values. */
function exactOrder (operand: number | bigint): Order {
  return value => {
    const number = value as number | bigint
    return number > operand ? 1 : number < operand ? -1 : Number.isNaN(number) || Number.isNaN(operand) ? NaN : 0
  }
}

const numeric = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/

/** Undefined: it is not a number. */
function numberOf (operand: Operand): number | bigint | undefined {
  if (typeof operand === 'number') return operand
  if (typeof operand === 'boolean' || !numeric.test(operand)) return undefined
  const number = Number(operand)
  // An integer that a double does not hold.
  return /^[+-]?\d+$/.test(operand) && !Number.isSafeInteger(number) ? BigInt(operand) : number
}

function booleanOf (operand: Operand): boolean | undefined {
  return operand === true || operand === 'true' ? true : operand === false || operand === 'false' ? false : undefined
}

/** Both sides as integers of one scale. */
function decimalOrder (text: string, scale: number): Order | undefined {
  const match = /^([+-]?)(\d*)\.?(\d*)$/.exec(text.includes('e') ? Number(text).toFixed(20).replace(/0+$/, '') : text)
  if (match === null || !/\d/.test(text)) return undefined
  const [, sign = '', whole = '', fraction = ''] = match
  const excess = Math.max(0, fraction.length - scale)
  const digits = BigInt(`${whole}${fraction.padEnd(scale, '0')}`)
  const order = exactOrder(sign === '-' ? -digits : digits)
  if (excess === 0) return order
  const factor = 10n ** BigInt(excess)
  return value => order((value as bigint) * factor)
}

const perNs = { s: 1_000_000_000n, ms: 1_000_000n, us: 1000n, ns: 1n } as const

/** Compared in the column's unit; an instant between two of its units is above the lower one. */
function instantOrder (ns: bigint, unit: TimeUnit): Order {
  const per = perNs[unit]
  const rest = ((ns % per) + per) % per
  const order = exactOrder((ns - rest) / per)
  if (rest === 0n) return order
  return value => order(value) > 0 ? 1 : -1
}

const iso = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?)?$/

/** ISO 8601, UTC where it names no offset, as nanoseconds since 1970; undefined: it is none. */
function instantNs (operand: Operand): bigint | undefined {
  const match = iso.exec(String(operand))
  if (match === null) return undefined
  const [, day, time = '00:00', seconds = '00', fraction = '', zone = 'Z'] = match
  const ms = Date.parse(`${day}T${time}:${seconds}${zone.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2')}`)
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

function fail (operand: Operand, type: Type, field: string): never {
  const wanted = type.kind === 'timestamp' || type.kind === 'date' ? 'a date or time as ISO 8601, such as 2024-01-02T14:30:00Z' : type.kind === 'bool' ? 'true or false' : 'a number'
  throw new PlatformError('CONFIG_INVALID', `The filter compares ${field}, a ${type.kind}, with ${JSON.stringify(operand)}`, { remedy: `Give ${wanted}.` })
}
