// How rows differ from what a test expects, in words. Values are compared as what they mean: `193.18` is the decimal
// 193.18000000, and `2026-01-02T00:00:00Z` the timestamp 2026-01-02T00:00:00.000000000Z.

import { isDeepStrictEqual } from 'node:util'
import { cell } from './batch.ts'
import type { Batch } from './batch.ts'
import type { Row } from './plugin.ts'
import type { Type } from './schema.ts'

const rowsShownMax = 5

/** One line a difference; none where the rows are as expected. */
export function rowDifferences (expected: readonly Row[], actual: readonly Batch[], exact: boolean): string[] {
  const lines: string[] = []
  const places = actual.flatMap(batch => Array.from({ length: batch.length }, (_, i) => ({ batch, i })))
  if (places.length !== expected.length) lines.push(`${expected.length} ${expected.length === 1 ? 'row' : 'rows'} expected, ${places.length} came`)
  for (const [n, row] of expected.entries()) {
    const place = places[n]
    if (place === undefined) lines.push(`row ${n} is missing: ${show(row)}`)
    else lines.push(...fieldDifferences(row, place.batch, place.i, exact).map(line => `row ${n} ${line}`))
  }
  for (const [n, { batch, i }] of [...places.entries()].slice(expected.length, expected.length + rowsShownMax)) lines.push(`row ${n} was not expected: ${show(filled(batch.row(i)))}`)
  return lines
}

/** Differences of plain rows, of which only the named fields count. */
export function plainDifferences (expected: Row, actual: Row): string[] {
  return Object.entries(expected).filter(([name, value]) => !sameValue(value, actual[name] ?? null)).map(([name, value]) => `${name}: expected ${show(value)}, got ${show(actual[name] ?? null)}`)
}

function fieldDifferences (expected: Row, { columns }: Batch, i: number, exact: boolean): string[] {
  const lines: string[] = []
  for (const [name, value] of Object.entries(expected)) {
    const column = Object.hasOwn(columns, name) ? columns[name] : undefined
    const actual = column === undefined ? null : cell(column, i)
    if (!sameValue(value, actual, column?.type)) lines.push(`${name}: expected ${show(value)}, got ${column === undefined ? 'no such field' : show(actual)}`)
  }
  if (!exact) return lines
  for (const [name, column] of Object.entries(columns)) {
    const actual = cell(column, i)
    if (!Object.hasOwn(expected, name) && actual !== null) lines.push(`${name}: nothing expected, got ${show(actual)}`)
  }
  return lines
}

function sameValue (expected: unknown, actual: unknown, type?: Type): boolean {
  if (expected === null || actual === null) return expected === actual
  switch (type?.kind) {
    case 'decimal': return plainDecimal(String(expected)) === plainDecimal(String(actual))
    case 'timestamp': return instant(String(expected)) === instant(String(actual))
    case 'int64':
    case 'uint64': return String(expected) === String(actual)
    case 'list': return Array.isArray(expected) && Array.isArray(actual) && expected.length === actual.length && expected.every((item, i) => sameValue(item, actual[i], type.of))
    case 'float32': return typeof expected === 'number' && Math.fround(expected) === actual
    default: return isDeepStrictEqual(plain(expected), plain(actual))
  }
}

/** Rows may be made without a prototype. */
function plain (value: unknown): unknown {
  return typeof value === 'object' && value !== null ? JSON.parse(JSON.stringify(value)) : value
}

/** A decimal without exponent and without zeros at its ends. */
function plainDecimal (text: string): string {
  const match = /^([-+]?)(\d*)\.?(\d*)(?:[eE]([-+]?\d+))?$/.exec(text)
  if (match === null) return text
  const [, sign, whole = '', fraction = '', exponent = '0'] = match
  const shift = Number(exponent)
  const digits = whole + fraction
  const point = whole.length + shift
  if (Math.abs(shift) > 100) return text
  const padded = point < 0 ? '0'.repeat(-point) + digits : digits.padEnd(point, '0')
  const left = padded.slice(0, Math.max(0, point)).replace(/^0+/, '')
  const right = padded.slice(Math.max(0, point)).replace(/0+$/, '')
  if (left === '' && right === '') return '0'
  return `${sign === '-' ? '-' : ''}${left === '' ? '0' : left}${right === '' ? '' : `.${right}`}`
}

/** A time as UTC with the digits it needs; a text that is no time stays as it is. */
function instant (text: string): string {
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d+))?(Z|[-+]\d\d:?\d\d)?)?$/.exec(text)
  if (match === null) return text
  const [, day, time = '00:00', fraction = '', zone = 'Z'] = match
  const ms = Date.parse(`${day}T${time}${zone}`)
  return Number.isNaN(ms) ? text : `${new Date(ms).toISOString().slice(0, 19)}.${fraction.replace(/0+$/, '')}`
}

function filled (row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))
}

function show (value: unknown): string {
  return JSON.stringify(value) ?? 'nothing'
}
