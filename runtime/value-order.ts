// The order of raw values: what was read of a source so far is told by the greatest value of one of its fields. A raw
// value is a number, or a text that holds one, a time, or any other text.

import { IsoReader } from './cast/iso.ts'

export type Ordered = string | number

const decimal = /^([+-]?)(\d+)(?:\.(\d*))?$/
const unitsPerSecond = 10n ** 15n
const iso = new IsoReader()

/** A value as its place in its order; values of two kinds have none between them. */
type Place =
  | { readonly kind: 'number', readonly digits: bigint, readonly scale: number }
  | { readonly kind: 'time', readonly units: bigint }
  | { readonly kind: 'text', readonly text: string }

/** Below, at or above zero. Exact: no digit of a long number or of a fine time is lost. Throws an Error for values of two kinds. */
export function compareValues (a: Ordered, b: Ordered): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (a === b) return 0
  const one = placeOf(a)
  const other = placeOf(b)
  if (one.kind === 'number' && other.kind === 'number') return compareNumbers(one, other)
  if (one.kind === 'time' && other.kind === 'time') return Number(one.units - other.units)
  if (one.kind !== other.kind) throw new Error(`${JSON.stringify(a)} and ${JSON.stringify(b)} have no order: one is a ${one.kind}, the other a ${other.kind}`)
  return a < b ? -1 : 1
}

/** `value` less so many units for a number, or milliseconds for a time, in the form that it has. Throws an Error for any other text. */
export function lessBy (value: Ordered, by: number): Ordered {
  const place = placeOf(value)
  switch (place.kind) {
    case 'number': return typeof value === 'number' ? value - by : less(place, by)
    case 'time': return timeText(place.units - BigInt(Math.round(by * 1000)) * 10n ** 9n, String(value))
    case 'text': throw new Error(`${JSON.stringify(value)} is neither a number nor a time, so nothing can be taken off it`)
  }
}

/** Ms since 1970 of a time; undefined: the value is none. */
export function timeOf (value: Ordered): number | undefined {
  const place = placeOf(value)
  return place.kind === 'time' ? Number(place.units / 10n ** 12n) : undefined
}

function placeOf (value: Ordered): Place {
  const text = plainText(value)
  const [, sign, whole, fraction = ''] = decimal.exec(text) ?? []
  if (whole !== undefined) {
    const digits = BigInt(whole + fraction)
    return { kind: 'number', digits: sign === '-' ? -digits : digits, scale: fraction.length }
  }
  const units = unitsOf(text)
  return units === undefined ? { kind: 'text', text } : { kind: 'time', units }
}

/** A number without an exponent: 1e-7 is 0.0000001. */
function plainText (value: Ordered): string {
  if (typeof value === 'string') return value
  const text = String(value)
  const [, sign = '', whole = '', fraction = '', power = ''] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text) ?? []
  if (power === '') return text
  const shift = Number(power)
  const digits = whole + fraction
  return shift < 0 ? `${sign}0.${'0'.repeat(-shift - 1)}${digits}` : `${sign}${digits.padEnd(shift + 1, '0')}`
}

function compareNumbers (a: Place & { kind: 'number' }, b: Place & { kind: 'number' }): number {
  const scale = Math.max(a.scale, b.scale)
  const difference = a.digits * 10n ** BigInt(scale - a.scale) - b.digits * 10n ** BigInt(scale - b.scale)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

function less ({ digits, scale }: Place & { kind: 'number' }, by: number): string {
  const [, , whole = '0', fraction = ''] = decimal.exec(plainText(by)) ?? []
  const places = Math.max(scale, fraction.length)
  const left = digits * 10n ** BigInt(places - scale) - BigInt(whole + fraction) * 10n ** BigInt(places - fraction.length)
  const text = (left < 0n ? -left : left).toString().padStart(places + 1, '0')
  return `${left < 0n ? '-' : ''}${places === 0 ? text : `${text.slice(0, -places)}.${text.slice(-places)}`}`
}

/** In 10⁻¹⁵ s since 1970; a time without an offset counts as UTC, so all of one field have to be of one zone. */
function unitsOf (text: string): bigint | undefined {
  // The shortest date has eight digits, and those alone are a number.
  if (text.length < 10 || text.length > 40) return undefined
  const bytes = Buffer.from(text)
  if (iso.read(bytes, 0, bytes.length) !== undefined) return undefined
  const offset = Number.isNaN(iso.offset) ? 0 : iso.offset
  const seconds = BigInt(iso.days) * 86_400n + BigInt(iso.second - offset)
  return seconds * unitsPerSecond + BigInt(iso.fraction) * 10n ** BigInt(15 - iso.fractionDigits)
}

/** In the form of another time, for a database that compares texts: its separator, and its offset. */
function timeText (utc: bigint, like: string): string {
  const [, separator = 'T', offset = ''] = /^\S{8,10}([Tt ])?.*?([Zz]|[+-]\d\d(?::?\d\d)?)?$/.exec(like) ?? []
  const [, sign, hours = '0', minutes = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(offset) ?? []
  const units = utc + (sign === '-' ? -1n : 1n) * BigInt(Number(hours) * 3600 + Number(minutes) * 60) * unitsPerSecond
  const fraction = ((units % unitsPerSecond) + unitsPerSecond) % unitsPerSecond
  const seconds = (units - fraction) / unitsPerSecond
  const digits = fraction.toString().padStart(15, '0').replace(/0+$/, '')
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, -5).replace('T', separator)}${digits === '' ? '' : `.${digits}`}${offset}`
}
