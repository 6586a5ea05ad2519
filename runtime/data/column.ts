// What a request may compare with a column, told by the column's type in the engine.

import { PlatformError } from '../errors.ts'
import type { Binder } from './binder.ts'
import { ceilTo, parseInstant } from './instant.ts'

/** A column of a dataset that who asks may read. */
export interface Column {
  readonly name: string
  /** In ClickHouse's words: `Nullable(Decimal(18, 8))`. */
  readonly type: string
  readonly unit: string
  readonly description: string
}

/** Numbers of an unbounded comparison would go beyond the type and come back as other numbers. */
const integerBits: Readonly<Record<string, readonly [signed: boolean, bits: number]>> = {
  Int8: [true, 8], Int16: [true, 16], Int32: [true, 32], Int64: [true, 64], UInt8: [false, 8], UInt16: [false, 16], UInt32: [false, 32], UInt64: [false, 64]
}
const TEXT_MAX = 1000

/** The type inside of Nullable and LowCardinality. */
export function bareType (type: string): string {
  return type.replace(/^LowCardinality\((.*)\)$/, '$1').replace(/^Nullable\((.*)\)$/, '$1')
}

export function isDecimal (type: string): boolean {
  return bareType(type).startsWith('Decimal')
}

export function isNumber (type: string): boolean {
  return /^(?:Decimal|Float|Int|UInt)/.test(bareType(type))
}

export function isText (type: string): boolean {
  return bareType(type) === 'String'
}

/** Digits behind the point of a second; undefined: it is no time with a clock. */
export function timeDigits (type: string): number | undefined {
  const found = /^DateTime64\((\d)/.exec(bareType(type))
  return found === null ? undefined : Number(found[1])
}

/** Binds a value as the column's type has it; throws REQUEST_INVALID where it does not fit. `where` is for messages. */
export function bindValue (binder: Binder, { name, type }: Pick<Column, 'name' | 'type'>, value: string | number | boolean): string {
  const { type: bare, text } = fitValue({ name, type }, value)
  return binder.bind(bare, text)
}

/** Binds a list of values for IN, all of the column's type. */
export function bindValues (binder: Binder, column: Pick<Column, 'name' | 'type'>, values: ReadonlyArray<string | number | boolean>): string {
  const fitted = values.map(value => fitValue(column, value))
  if (fitted.every(({ type }) => type === 'String')) return binder.bind('Array(String)', fitted.map(({ text }) => text))
  return `(${fitted.map(({ type, text }) => binder.bind(type, text)).join(', ')})`
}

function fitValue ({ name, type }: Pick<Column, 'name' | 'type'>, value: string | number | boolean): { readonly type: string, readonly text: string } {
  const bare = bareType(type)
  const wrong = (what: string): PlatformError => new PlatformError('REQUEST_INVALID', `${JSON.stringify(value).slice(0, 100)} is not ${what}, which ${name} is compared with`, { remedy: `The column is ${type}.` })
  if (bare === 'String') {
    if (String(value).length > TEXT_MAX) throw new PlatformError('REQUEST_INVALID', `a text of more than ${TEXT_MAX} letters is compared with ${name}`)
    return { type: 'String', text: String(value) }
  }
  if (bare === 'Bool') {
    if (!/^(?:true|false|1|0)$/.test(String(value))) throw wrong('true or false')
    return { type: 'Bool', text: /^(?:true|1)$/.test(String(value)) ? 'true' : 'false' }
  }
  const integer = integerBits[bare]
  if (integer !== undefined) return { type: bare, text: fitInteger(value, integer, wrong) }
  if (bare.startsWith('Float')) {
    if (typeof value === 'boolean' || !/^-?\d+(?:\.\d+)?(?:e[+-]?\d{1,3})?$/i.test(String(value))) throw wrong('a number')
    return { type: 'Float64', text: String(value) }
  }
  if (bare.startsWith('Decimal')) return fitDecimal(bare, value, wrong)
  if (bare === 'Date32') {
    const ns = parseInstant(typeof value === 'boolean' ? '' : value)
    if (ns === undefined || !/^\d{4}-\d\d-\d\d$/.test(String(value))) throw wrong('a day such as 2024-01-02')
    return { type: 'Date32', text: String(value) }
  }
  const digits = timeDigits(type)
  if (digits === undefined) throw new PlatformError('REQUEST_INVALID', `${name} is a list and cannot be compared`, { remedy: 'Leave the condition out, and filter what comes back.' })
  const ns = typeof value === 'boolean' ? undefined : parseInstant(value)
  if (ns === undefined) throw wrong('a moment such as 2024-01-02T03:04:05Z')
  if (ns % 10n ** BigInt(9 - digits) !== 0n) throw wrong(`a moment with at most ${digits} digits behind the second`)
  return { type: bare, text: ceilTo(ns, digits) }
}

function fitInteger (value: string | number | boolean, [signed, bits]: readonly [boolean, number], wrong: (what: string) => PlatformError): string {
  if (typeof value === 'boolean' || !/^-?\d{1,20}$/.test(String(value))) throw wrong('a whole number')
  const number = BigInt(String(value))
  const fits = signed ? BigInt.asIntN(bits, number) === number : BigInt.asUintN(bits, number) === number
  if (!fits) throw wrong(`a whole number of ${bits} bits${signed ? '' : ' from 0 on'}`)
  return String(number)
}

/** Digits that the engine would cut off are refused: `price > 1.005` must not become `price > 1.00`. */
function fitDecimal (bare: string, value: string | number | boolean, wrong: (what: string) => PlatformError): { readonly type: string, readonly text: string } {
  const scale = Number(/, ?(\d+)\)$/.exec(bare)?.[1] ?? 0)
  const [, whole, fraction = ''] = /^-?(\d{1,38})(?:\.(\d+))?$/.exec(typeof value === 'boolean' ? '' : typeof value === 'number' ? plain(value) : value) ?? []
  if (whole === undefined) throw wrong('a decimal number')
  const digits = fraction.replace(/(?<!0)0+$/, '')
  if (digits.length > scale) throw wrong(`a number with at most ${scale} digits behind the point`)
  if (whole.replace(/^0+/, '').length > 38 - scale) throw wrong(`a number with at most ${38 - scale} digits before the point`)
  return { type: `Decimal(38, ${scale})`, text: typeof value === 'number' ? plain(value) : String(value) }
}

/** All digits without an exponent: 1e-7 as 0.0000001. */
function plain (value: number): string {
  const text = String(value)
  const [, sign, first = '', others = '', power] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text) ?? []
  if (power === undefined) return text
  const zeros = '0'.repeat(Math.max(0, -Number(power) - 1))
  return Number(power) < 0 ? `${sign}0.${zeros}${first}${others}` : `${sign}${first}${others.padEnd(Number(power), '0')}`
}
