// Texts at random for each type, cast here and parsed by the engine: who reads what, and as which value.

import { Caster } from '../../../../runtime/cast/cast.ts'
import { cell } from '../../../../runtime/batch.ts'
import { field, plainCast } from '../../../../runtime/schema.ts'
import fc from '../../../properties.ts'
import type { Column } from '../../../../runtime/batch.ts'
import type { Type } from '../../../../runtime/schema.ts'

export interface Judged {
  readonly name: string
  readonly type: Type
  /** The engine's own reading of the text in `column`, or null. */
  parse (column: string): string
  /** Whether the engine's text of a value is the value of the other text, digit by digit; undefined: that text is no value at all. */
  equal (engine: string, text: string): boolean
}

const limits: ReadonlyArray<readonly [number, bigint]> = [8, 16, 32, 64].flatMap(bits => [[bits, 2n ** BigInt(bits)], [bits, 2n ** BigInt(bits - 1)]] as const)
const edges = fc.constantFrom(...limits.flatMap(([, limit]) => [limit, limit - 1n, -limit, -limit - 1n])).map(String)
const digits = fc.stringMatching(/^[+-]?\d{1,22}(\.\d{0,20})?$/)
const number = fc.oneof(edges, digits, fc.double().map(String), fc.float().map(String), fc.integer({ min: -300, max: 300 }).map(String), fc.tuple(fc.integer(), fc.integer({ min: -330, max: 310 })).map(([n, power]) => `${n}e${power}`), fc.stringMatching(/^[ +.e\d-]{0,6}$/), fc.constantFrom('', 'NaN', 'inf', '-0', '1,5', '0x10', '1_000', '١', '1.', '.5', '00012', '1e400', '3.5e38', '1e-400', '99999999999.999999995'))
const two = (most: number): fc.Arbitrary<string> => fc.integer({ min: 0, max: most }).map(n => String(n).padStart(2, '0'))
const day = fc.tuple(fc.integer({ min: 1880, max: 2320 }), two(13), two(32)).map(parts => parts.join('-'))
const clock = fc.tuple(two(24), two(60), two(61)).map(parts => parts.join(':'))
const time = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(day, fc.constantFrom('T', ' '), clock, fc.oneof(fc.constant(''), fc.stringMatching(/^\.\d{1,10}$/)), fc.constantFrom('Z', '', '+05:30', '-11:00')).map(parts => parts.join('')) },
  { weight: 3, arbitrary: day }, fc.constantFrom('1900-01-01T00:00:00Z', '1899-12-31T23:59:59Z', '2299-12-31T23:59:59.999Z', '2300-01-01', '2262-04-11T23:47:16.854775807Z', '2262-04-11T23:47:16.854775808Z', '2023-02-29', '2000-02-29', '2024-1-2', '24-01-02', 'now', '', '1700000000')
)
const words = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('', 'buy', 'sell', 'Buy', ' buy', 'true', 'TRUE', 'False', 'yes', 'no', '1', '0', '2', 'on', '\0', '\\N', '\\', 'a\tb\n', '\ufeff', 'null'))
// The engine's reader of JSON knows no integer beyond 64 bits.
const item = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer()).filter(value => Math.abs(value) < 1e19 || Math.abs(value) >= 1e21)
const list = fc.oneof(fc.array(item).map(items => JSON.stringify(items)), fc.constantFrom('[]', '[1,]', '[NaN]', '[1e400]', '[1', '1', '["1"]', '[true]'))

/** What texts of a type are made of. */
export function textsOf (type: Type): fc.Arbitrary<string> {
  switch (type.kind) {
    case 'timestamp':
    case 'date': return fc.oneof({ weight: 20, arbitrary: time }, number)
    case 'string':
    case 'enum':
    case 'bool': return words
    case 'list': return list
    default: return fc.oneof({ weight: 20, arbitrary: number }, words)
  }
}

const instant = /^(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))?)?$/

/** Tenths of nanoseconds since 1970; undefined: there is no such moment. */
function moment (text: string): bigint | undefined {
  const [, year, month, date, hour = '0', minute = '0', second = '0', fraction = '', sign, hours = '0', minutes = '0'] = instant.exec(text.trim()) ?? []
  if (year === undefined || fraction.length > 10) return undefined
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(date), Number(hour), Number(minute), Number(second))
  if (!new Date(ms).toISOString().startsWith(`${year}-${month}-${date}T${hour.padStart(2, '0')}:${minute.padStart(2, '0')}:${second.padStart(2, '0')}`)) return undefined
  const offset = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -60_000 : 60_000)
  return (BigInt(ms - offset) * 10_000_000n + BigInt(fraction.padEnd(10, '0')))
}

/** The number as digits times ten to a power, with no zero at the end; undefined: the text is none. */
function exact (text: string): string | undefined {
  const [, sign, whole = '', fraction = '', power = '0'] = /^\s*([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?\s*$/i.exec(text) ?? []
  if (whole + fraction === '') return undefined
  const all = (whole + fraction).replace(/^0+/, '')
  const bare = all.replace(/(?<!0)0+$/, '')
  return bare === '' ? '0' : `${sign === '-' ? '-' : ''}${bare}e${Number(power) - fraction.length + all.length - bare.length}`
}

const sameNumber = (engine: string, text: string): boolean => exact(text) !== undefined && exact(engine) === exact(text)
/** The engine has room for other years as well, and promises nothing about them. */
const promised = (at: bigint): boolean => at >= BigInt(Date.UTC(1900, 0)) * 10_000_000n && at < BigInt(Date.UTC(2300, 0)) * 10_000_000n
const sameMoment = (engine: string, text: string): boolean => {
  const at = moment(text)
  return at !== undefined && promised(at) && moment(engine) === at
}
/** The engine also keeps more digits than a decimal has, as long as its bytes hold them. */
const sameDecimal = (precision: number, scale: number) => (engine: string, text: string): boolean => sameNumber(engine, text) && engine.replace(/^-?0*|\..*$/g, '').length <= precision - scale
const sameDouble = (round: (value: number) => number) => (engine: string, text: string): boolean => exact(text) !== undefined && Number.isFinite(round(Number(text))) && Object.is(round(Number(engine)), round(Number(text)))
const integers = ['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'] as const

export const judged: readonly Judged[] = [
  ...integers.map((kind): Judged => ({ name: kind, type: { kind }, parse: column => `to${kind.replace(/^u?int/, found => found === 'int' ? 'Int' : 'UInt')}OrNull(${column})`, equal: sameNumber })),
  { name: 'float64', type: { kind: 'float64' }, parse: column => `toFloat64OrNull(${column})`, equal: sameDouble(value => value) },
  { name: 'float32', type: { kind: 'float32' }, parse: column => `toFloat32OrNull(${column})`, equal: sameDouble(Math.fround) },
  ...([[9, 2], [18, 8], [38, 18], [5, 5], [38, 0]] as const).map(([precision, scale]): Judged => ({ name: `decimal${precision}_${scale}`, type: { kind: 'decimal', precision, scale }, parse: column => `accurateCastOrNull(${column}, 'Decimal(${precision}, ${scale})')`, equal: sameDecimal(precision, scale) })),
  ...(['s', 'ms', 'us', 'ns'] as const).map((unit, i): Judged => ({ name: `timestamp_${unit}`, type: { kind: 'timestamp', unit }, parse: column => `toDateTime64(parseDateTime64BestEffortOrNull(${column}, ${Math.max(3, i * 3)}, 'UTC'), ${i * 3}, 'UTC')`, equal: sameMoment })),
  { name: 'date', type: { kind: 'date' }, parse: column => `toDate32OrNull(${column})`, equal: sameMoment },
  { name: 'bool', type: { kind: 'bool' }, parse: column => `accurateCastOrNull(${column}, 'Bool')`, equal: (engine, text) => engine === 'true' ? /^(?:true|yes|1)$/i.test(text.trim()) : /^(?:false|no|0)$/i.test(text.trim()) },
  { name: 'side', type: { kind: 'enum', values: ['buy', 'sell'] }, parse: column => `if(${column} IN ('buy', 'sell'), ${column}, NULL)`, equal: (engine, text) => engine === text },
  { name: 'text', type: { kind: 'string' }, parse: column => column, equal: (engine, text) => engine === text },
  { name: 'levels', type: { kind: 'list', of: { kind: 'float64' } }, parse: column => `JSONExtract(${column}, 'Array(Nullable(Float64))')`, equal: (engine, text) => engine === text }
]

/** The column of a type, cast from the texts, and by text its cell as text; undefined: refused. */
export function castTexts (type: Type, texts: readonly string[]): { readonly column: Column, readonly cells: ReadonlyArray<string | undefined> } {
  const refused = new Set<number>()
  const caster = new Caster(field('x', type, { cast: plainCast }))
  const column = caster.cast({ kind: 'values', values: texts }, texts.length, { add: i => { refused.add(i) } })
  const valid = Uint8Array.from(texts, (_, i) => Number(!refused.has(i)))
  const cells = texts.map((_, i) => refused.has(i) ? undefined : printed(cell(column, i)))
  return { column: type.kind === 'list' ? column : { ...column, valid }, cells }
}

function printed (value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : Object.is(value, -0) ? '-0' : String(value)
}
