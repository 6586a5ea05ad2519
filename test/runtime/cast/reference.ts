// The cast of numbers and times again, in the slowest and plainest way: regular expressions, BigInt and Date. What the
// loops over bytes make must be the same.

import { NOT_PRESENT } from '../../../runtime/schema.ts'
import type { Type } from '../../../runtime/schema.ts'

export const refused = Symbol('refused')

/** The cell of a value; unit of numbers for times: ms. */
export function reference (type: Type, value: unknown): unknown {
  if (value === null || value === NOT_PRESENT) return null
  switch (type.kind) {
    case 'string': return String(value)
    case 'float64': return float(value)
    case 'decimal': return decimal(type.precision, type.scale, value)
    case 'timestamp': return time(value)
    case 'bool': return bool(value)
    default: return integer(type.kind, value)
  }
}

/** The value times ten to `scale`, where that is an integer. */
function scaled (value: unknown, scale: number): bigint | undefined {
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) return undefined
  if (typeof value !== 'number' && typeof value !== 'string') return undefined
  const match = /^[ \t\n\v\f\r]*([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?[ \t\n\v\f\r]*$/i.exec(String(value))
  const [, sign, whole = '', fraction = '', power = '0'] = match ?? []
  if (whole + fraction === '') return undefined
  const digits = BigInt(sign === '-' ? `-${BigInt(whole + fraction)}` : whole + fraction)
  const shift = Number(power) - fraction.length + scale
  if (shift >= 0) return digits * 10n ** BigInt(shift)
  const divisor = 10n ** BigInt(-shift)
  return digits % divisor === 0n ? digits / divisor : undefined
}

function float (value: unknown): unknown {
  if (typeof value === 'string' && (value.trim() === '' || !/^[\s\d.e+-]*$/i.test(value))) return refused
  const number = typeof value === 'boolean' ? NaN : Number(value)
  return Number.isFinite(number) ? number : refused
}

function integer (kind: string, value: unknown): unknown {
  const exact = scaled(value, 0)
  const bits = Number(/\d+/.exec(kind)?.[0])
  const fits = exact !== undefined && (kind.startsWith('u') ? BigInt.asUintN(bits, exact) : BigInt.asIntN(bits, exact)) === exact
  if (!fits) return refused
  return Number.isSafeInteger(Number(exact)) ? Number(exact) : String(exact)
}

function decimal (precision: number, scale: number, value: unknown): unknown {
  const exact = scaled(value, scale)
  if (exact === undefined || String(exact).replace('-', '').length > precision) return refused
  const digits = String(exact).replace('-', '').padStart(scale + 1, '0')
  return `${exact < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

function time (value: unknown): unknown {
  let ms = scaled(value, 0)
  if (ms === undefined && typeof value === 'string' && /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/.test(value)) {
    const parsed = Date.parse(value)
    // Date takes the 31st of a month of 30 days.
    const day = new Date(`${value.slice(0, 10)}T00:00:00Z`).getUTCDate() === Number(value.slice(8, 10))
    if (!Number.isNaN(parsed) && day && !value.includes('T24')) ms = BigInt(parsed)
  }
  if (ms === undefined || ms < BigInt(Date.UTC(1900, 0)) || ms >= BigInt(Date.UTC(2300, 0))) return refused
  return new Date(Number(ms)).toISOString()
}

function bool (value: unknown): unknown {
  const text = String(value).trim().toLowerCase()
  if (typeof value === 'number' ? value === 1 : ['true', 'yes', '1'].includes(text)) return true
  if (typeof value === 'number' ? value === 0 : ['false', 'no', '0'].includes(text)) return false
  return refused
}
