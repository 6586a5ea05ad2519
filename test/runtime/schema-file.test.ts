import t from 'tap'
import { join } from 'node:path'
import fc from '../properties.ts'
import type { PlatformError } from '../../runtime/errors.ts'
import { formatType, parseType, readSchemas, readTopic } from '../../runtime/schema-file.ts'
import { plainCast } from '../../runtime/schema.ts'
import type { Type } from '../../runtime/schema.ts'

const quotes = `
description: Quotes
owner: market-data
key: [symbol]
event_time: time
partitions: 2
retention: { days: 2, gigabytes: 0.5, beyond_outputs: true }
fields:
  symbol: { type: string, low_cardinality: true, aliases: [sym, "55"] }
  time: { type: timestamp(ns), cast: { unit: ms, zone: Europe/Berlin } }
  last: { type: 'decimal(18, 8)', unit: USD, description: Last price, cast: { prefixes: [C, H], suffixes: true, thousands: ',', excess: round, nulls: [N/A, ""] } }
  volume: { type: int64, required: true, cast: { suffixes: { K: 1000 } } }
  change: { type: float64, cast: { percent: fraction } }
  sides: { type: 'list(enum(buy, sell))' }
`

/** `quotes.yaml` with lines put in place of others. */
function linesOf (text: string, file = 'schemas/quotes.yaml'): string[] {
  try {
    readTopic(file, text)
  } catch (error) {
    return (error as PlatformError).message.split('\n')
  }
  return []
}

await t.test('a schema file becomes a topic', async t => {
  const topic = readTopic('schemas/quotes.yaml', quotes)
  const [symbol, time, last, volume, change, sides] = topic.fields
  t.equal(topic.name, 'quotes')
  t.match(topic, { description: 'Quotes', owner: 'market-data', key: ['symbol'], eventTime: 'time', partitions: 2 })
  t.strictSame(topic.retention, { ms: 2 * 86_400_000, bytes: 2 ** 29, beyondOutputs: true })
  t.strictSame(symbol, { name: 'symbol', type: { kind: 'string' }, required: true, mandatory: true, description: '', unit: '', lowCardinality: true, aliases: ['sym', '55'], cast: plainCast })
  t.strictSame(time?.cast, { ...plainCast, unit: 'ms', zone: 'Europe/Berlin' })
  t.strictSame(last?.cast, { ...plainCast, prefixes: ['C', 'H'], suffixes: { K: 1e3, M: 1e6, B: 1e9 }, thousands: ',', excess: 'round', nulls: ['N/A', ''] })
  t.match(last, { required: false, mandatory: false, unit: 'USD', description: 'Last price' })
  t.match(volume, { required: true, mandatory: false, cast: { suffixes: { K: 1000 } } })
  t.equal(change?.cast.percent, 'fraction')
  t.strictSame(sides?.type, { kind: 'list', of: { kind: 'enum', values: ['buy', 'sell'] } })
})

await t.test('what is left out has defaults', async t => {
  const topic = readTopic('schemas/a.b-c.yaml', 'fields: { x: { type: json } }')
  t.match(topic, { name: 'a.b-c', description: '', owner: '', key: [], eventTime: '', partitions: 1, retention: { ms: 7 * 86_400_000, bytes: 10 * 2 ** 30, beyondOutputs: false } })
})

await t.test('the hash follows what a schema says, not how it is written', async t => {
  const { hash } = readTopic('schemas/quotes.yaml', quotes)
  t.match(hash, /^[0-9a-f]{16}$/)
  t.equal(readTopic('schemas/quotes.yaml', `# a comment\n${quotes.replace('key: [symbol]', 'key:\n  - symbol')}`).hash, hash)
  t.equal(readTopic('schemas/quotes.yaml', quotes.replace('suffixes: true', 'suffixes: { K: 1000, M: 1.0e+6, B: 1.0e+9 }')).hash, hash)
  for (const [from, to] of [['unit: USD', 'unit: EUR'], ['days: 2', 'days: 3'], ['int64', 'int32'], ['unit: ms', 'unit: s'], ['key: [symbol]', 'key: [symbol, volume]'], ['Last price', 'Price']] as const) {
    t.not(readTopic('schemas/quotes.yaml', quotes.replace(from, to)).hash, hash, to)
  }
})

await t.test('every mistake in a schema has its line', async t => {
  const table: Array<[string, string, string[]]> = [
    ['key: [symbol]', 'key: [symbl]', ['schemas/quotes.yaml:4:7 key[0]: the schema has no field "symbl"; did you mean "symbol"?']],
    ['key: [symbol]', 'key: [symbol, sides]', ['schemas/quotes.yaml:4:15 key[1]: a field of the type list cannot be in the key']],
    ['key: [symbol]', 'key: symbol', ['schemas/quotes.yaml:4:1 key: must be a list, not a text']],
    ['event_time: time', 'event_time: last', ['schemas/quotes.yaml:5:1 event_time: must be a field of the type timestamp or date; last is decimal']],
    ['event_time: time', 'eventtime: time', ['schemas/quotes.yaml:5:1 eventtime: unknown key; did you mean "event_time"?']],
    ['event_time: time', 'event_time: when', ['schemas/quotes.yaml:5:1 event_time: the schema has no field "when"; allowed: change, last, sides, symbol, time, volume']],
    ['partitions: 2', 'partitions: 0', ['schemas/quotes.yaml:6:1 partitions: must be at least 1']],
    ['days: 2', 'days: 0', ['schemas/quotes.yaml:7:14 retention.days: must be above 0']],
    ['type: int64', 'type: int46', ['schemas/quotes.yaml:12:13 fields.volume.type: unknown type; did you mean "int64"?']],
    ['type: int64', 'type: number', ['schemas/quotes.yaml:12:13 fields.volume.type: unknown type; allowed: bool, date, decimal, enum, float32, float64, int16, int32, int64, int8, json, list, string, timestamp, uint16, uint32, uint64, uint8']],
    ['type: int64', 'typ: int64', ['schemas/quotes.yaml:12:3 fields.volume.type: is missing (destination type)', 'schemas/quotes.yaml:12:13 fields.volume.typ: unknown key; did you mean "type"?']],
    ["'decimal(18, 8)'", "'decimal(39, 8)'", ['schemas/quotes.yaml:11:11 fields.last.type: a decimal has 1 to 38 digits']],
    ["'decimal(18, 8)'", "'decimal(8, 18)'", ['schemas/quotes.yaml:11:11 fields.last.type: a decimal of 8 digits cannot have 18 after the point']],
    ["'decimal(18, 8)'", 'decimal(18, 8)', ['schemas/quotes.yaml:11:29 fields.last["8)"]: unknown key; inside { } a text with a comma needs quotes']],
    ["'decimal(18, 8)'", 'decimal', ['schemas/quotes.yaml:11:11 fields.last.type: a decimal says its digits and how many of them stand after the point: decimal(18, 8)']],
    ['timestamp(ns)', 'timestamp', ['schemas/quotes.yaml:10:11 fields.time.type: a timestamp says its unit: timestamp(s), timestamp(ms), timestamp(us) or timestamp(ns)']],
    ['unit: ms', 'unit: millis', ['schemas/quotes.yaml:10:40 fields.time.cast.unit: "millis" is not allowed; allowed: iso, ms, ns, s, us']],
    ['zone: Europe/Berlin', 'zone: Europe/Berln', ['schemas/quotes.yaml:10:50 fields.time.cast.zone: "Europe/Berln" is no time zone; write an IANA name such as America/New_York or UTC']],
    ['enum(buy, sell)', 'enum(buy, sell, buy)', ['schemas/quotes.yaml:14:12 fields.sides.type: the enum has "buy" twice']],
    ['enum(buy, sell)', 'enum()', ['schemas/quotes.yaml:14:12 fields.sides.type: an enum names its values: enum(buy, sell)']],
    ['aliases: [sym, "55"]', 'aliases: [sym, last]', ['schemas/quotes.yaml:9:65 fields.symbol.aliases[1]: "last" is already a name of the field last']],
    ['type: int64,', 'type: int64, aliases: [sym],', ['schemas/quotes.yaml:12:36 fields.volume.aliases[0]: "sym" is already a name of the field symbol']],
    ['  volume:', '  _volume:', ['schemas/quotes.yaml:12:3 fields._volume: names that begin with _ are reserved for the position of a row']],
    ['  volume:', '  extra:', ['schemas/quotes.yaml:12:3 fields.extra: the name extra is reserved for what a source sends and the schema does not know']],
    ['  volume:', '  Volume:', ['schemas/quotes.yaml:12:3 fields.Volume: this name is not allowed; a name has small letters, digits and "_", 64 at most, and begins with no digit']],
    ['low_cardinality: true', 'required: false', ['schemas/quotes.yaml:9:27 fields.symbol.required: fields of the key and the event time are always required']],
    ['type: float64,', 'type: float64, low_cardinality: true,', ['schemas/quotes.yaml:13:28 fields.change.low_cardinality: is for the type string']],
    ['type: float64, cast: { percent: fraction }', 'type: string, cast: { percent: fraction, unit: ms, excess: round }', [
      'schemas/quotes.yaml:13:35 fields.change.cast.percent: is for decimals and floats, not for string',
      'schemas/quotes.yaml:13:54 fields.change.cast.unit: is for timestamps, not for string',
      'schemas/quotes.yaml:13:64 fields.change.cast.excess: is for decimals and timestamps, not for string'
    ]],
    ['prefixes: [C, H]', 'prefixes: [C1, "-"]', ['schemas/quotes.yaml:11:79 fields.last.cast.prefixes: "C1" holds a digit, a sign, a point or a space', 'schemas/quotes.yaml:11:79 fields.last.cast.prefixes: "-" holds a digit, a sign, a point or a space']],
    ['suffixes: { K: 1000 }', 'suffixes: { K: 0 }', ['schemas/quotes.yaml:12:62 fields.volume.cast.suffixes.K: must be above 0']],
    ["thousands: ','", 'thousands: .', ['schemas/quotes.yaml:11:113 fields.last.cast.thousands: "." is not allowed; allowed: " ", "\'", ",", _, empty']]
  ]
  for (const [from, to, lines] of table) {
    t.ok(quotes.includes(from), from)
    const found = linesOf(quotes.replace(from, to))
    t.strictSame(found, lines, to)
  }
})

await t.test('the name of the file is the name of the topic, and checked', async t => {
  for (const name of ['quotes', 'quotes.raw', 'a-b', '_x', `a${'b'.repeat(63)}`]) t.strictSame(linesOf(quotes, `schemas/${name}.yaml`), [], name)
  for (const name of ['Quotes', '1a', 'a b', '.hidden', '-', `a${'b'.repeat(64)}`]) t.match(linesOf(quotes, `schemas/${name}.yaml`)[0], /:2:1: a topic's name \(the file's name\) begins with a small letter/, name)
  t.strictSame(linesOf(quotes, 'schemas/quotes.rejected.yaml'), ['schemas/quotes.rejected.yaml:2:1: names that end with .rejected are reserved for refused rows'])
})

const type: fc.Arbitrary<Type> = fc.letrec<{ type: Type, list: Type }>(tie => ({
  type: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    fc.constantFrom('string', 'bool', 'float32', 'float64', 'date', 'json', 'int8', 'int64', 'uint64').map(kind => ({ kind }) as Type),
    fc.integer({ min: 1, max: 38 }).chain(precision => fc.integer({ min: 0, max: precision }).map(scale => ({ kind: 'decimal' as const, precision, scale }))),
    fc.constantFrom('s', 'ms', 'us', 'ns').map(unit => ({ kind: 'timestamp', unit }) as Type),
    fc.uniqueArray(fc.oneof(fc.string(), fc.constantFrom(',', "'", "''", ' a', ')', 'a b', '', 'a, b')), { minLength: 1, maxLength: 6 }).map(values => ({ kind: 'enum' as const, values })),
    tie('list')
  ),
  list: tie('type').map(of => ({ kind: 'list' as const, of }))
})).type

await t.test('a type that was printed reads back the same', async t => {
  fc.assert(fc.property(type, type => {
    let lists = 0
    for (let inner: Type = type; inner.kind === 'list'; inner = inner.of) lists++
    if (lists > 3) return
    const text = formatType(type)
    if (JSON.stringify(parseType(text)) !== JSON.stringify(type)) throw new Error(text)
  }), { numRuns: 2000 })
  t.equal(formatType({ kind: 'enum', values: ['buy', 'a, b', "it's"] }), "enum(buy, 'a, b', 'it''s')")
  t.strictSame(parseType(' list( decimal(18,8) ) '), { kind: 'list', of: { kind: 'decimal', precision: 18, scale: 8 } })
})

await t.test('no text crashes the reader of types with anything but a sentence', async t => {
  const part = fc.constantFrom('list(', 'enum(', ')', '(', ',', "'", 'decimal', 'timestamp', 'ms', '18', ' ', 'string', 'a')
  fc.assert(fc.property(fc.array(part, { maxLength: 30 }).map(parts => parts.join('')), text => {
    try {
      parseType(text)
    } catch (error) {
      if (!(error instanceof Error) || error.constructor !== Error || !/^[a-z]/.test(error.message)) throw error
    }
  }), { numRuns: 2000 })
  t.throws(() => parseType('list('.repeat(5000) + 'string' + ')'.repeat(5000)), { message: 'lists nest 3 levels deep at most' })
})

await t.test('a folder of schemas is read whole, or all that is wrong with it is said', async t => {
  const root = t.testdir({ good: { 'quotes.yaml': quotes, 'bars.yaml': 'fields: { x: { type: date } }', 'README.md': '' }, bad: { 'a.yaml': 'fields: {}', 'b.yaml': 'fields: [', 'c.yml': '', '.d.yaml': '[' } })
  t.strictSame([...(await readSchemas(join(root, 'good'))).keys()], ['bars', 'quotes'])
  t.equal((await readSchemas(join(root, 'missing'))).size, 0)
  const { message } = await readSchemas(join(root, 'bad')).then(() => ({ message: '' }), (error: Error) => error)
  t.strictSame(message.split('\n'), [
    'bad/a.yaml:1:1 fields: must not be empty',
    'bad/b.yaml:1:10: wrong indentation, or a bracket that is not closed',
    'bad/c.yml: name it c.yaml'
  ])
})

await t.test('what names a row are fields of the schema that can be compared', async t => {
  const schema = (unique: string): string => `fields:\n  a: { type: int64 }\n  b: { type: json }\nunique: ${unique}\n`
  t.strictSame(readTopic('schemas/rows.yaml', schema('[a]')).unique, ['a'])
  t.throws(() => readTopic('schemas/rows.yaml', schema('[c]')), { message: /^schemas\/rows\.yaml:4:10 unique\[0\]: the schema has no field "c"/ })
  t.throws(() => readTopic('schemas/rows.yaml', schema('[b]')), { message: /a field of the type json cannot be in what names a row/ })
})
