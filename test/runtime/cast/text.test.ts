import t from 'tap'
import { Caster } from '../../../runtime/cast/cast.ts'
import { printable } from '../../../runtime/cast/refusals.ts'
import { NOT_PRESENT } from '../../../runtime/schema.ts'
import type { Type } from '../../../runtime/schema.ts'
import { cast, castAll, castColumn, fieldOf, textColumn } from './shapes.ts'

const string: Type = { kind: 'string' }
const side: Type = { kind: 'enum', values: ['buy', 'sell', 'Käufe', ''] }
const bool: Type = { kind: 'bool' }
const halfPair = { refused: 'has half of a surrogate pair, which is no text' }

await t.test('a text is kept to the byte', async t => {
  for (const text of ['AAPL', '', ' ', 'a\0b', '\0', '日本語', '👩‍👩‍👧', 'مرحبا \u202e', '\ufeffbom', 'e\u0301', '\u2028', '\u{10ffff}', 'null', 'NaN', '\x1b[31m', 'x'.repeat(100_000)]) {
    t.equal(cast(string, text), text, printable(text))
  }
})

await t.test('half of a surrogate pair is no text', async t => {
  for (const text of ['\ud83d', 'a\udc00b', `${'x'.repeat(5000)}\ud83d`]) {
    for (const type of [string, side, bool, { kind: 'float64' }, { kind: 'json' }] as const) t.same(cast(type, text), halfPair)
  }
})

await t.test('bytes that are not UTF-8 are refused, and their neighbours are not', async t => {
  const caster = new Caster(fieldOf(string))
  const bytes = Buffer.from([0x61, 0xff, 0xfe, 0x62])
  t.same(castColumn(caster, { kind: 'text', offsets: Int32Array.of(0, 1, 3, 4), bytes }, 3), [{ cell: 'a' }, { refused: 'is not UTF-8' }, { cell: 'b' }])
})

await t.test('other values become the text that JavaScript and JSON print', async t => {
  for (const [value, expected] of [
    [1.5, '1.5'], [0, '0'], [1e21, { refused: 'is beyond 2^53, so digits may be lost already: send it as text' }], [2 ** 53 - 1, '9007199254740991'], [12345678901234567890n, '12345678901234567890'],
    [true, 'true'], [false, 'false'], [[1, 'a', null], '[1,"a",null]'], [{ b: 1, a: { d: 2, c: 3 } }, '{"a":{"c":3,"d":2},"b":1}'], [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Map([[1, 2]]), { refused: 'holds something that JSON cannot' }], [() => 1, { refused: 'holds something that JSON cannot' }]
  ] as const) t.same(cast(string, value), expected, String(value))
})

await t.test('text columns and dictionaries pass without a copy', async t => {
  const caster = new Caster(fieldOf(string))
  const faults = { add: () => t.fail('nothing is refused') }
  const text = textColumn(['a', NOT_PRESENT, 'c'])
  const passed = caster.cast(text, 3, faults)
  t.ok(passed.kind === 'text' && passed.bytes === text.bytes && passed.offsets === text.offsets)
  t.same(passed.valid, Uint8Array.of(1, 0, 1))
  const codes = Uint8Array.of(1, 0, 1)
  const dictionary = caster.cast({ kind: 'dictionary', codes, values: ['a', NOT_PRESENT] }, 3, faults)
  t.ok(dictionary.kind === 'dictionary' && dictionary.codes === codes)
  t.same(dictionary.valid, Uint8Array.of(0, 1, 0))
  t.same(dictionary.type, string)
})

await t.test('a bad value of a dictionary refuses the rows that have it, and an unused one none', async t => {
  for (const [type, bad] of [[string, '\ud83d'], [{ kind: 'int8' }, 'abc'], [side, 'hold']] as const) {
    const good = type.kind === 'int8' ? '1' : 'buy'
    const cells = (codes: readonly number[]): unknown[] => castColumn(new Caster(fieldOf(type)), { kind: 'dictionary', codes: Uint8Array.from(codes), values: [good, bad] }, codes.length)
    t.same(cells([0, 1, 0, 1]).map(outcome => Object.keys(outcome as object)[0]), ['cell', 'refused', 'cell', 'refused'])
    t.same(cells([0, 0, 0]).map(outcome => Object.keys(outcome as object)[0]), ['cell', 'cell', 'cell'])
  }
})

await t.test('an enum takes its names exactly', async t => {
  const none = { refused: 'is none of buy, sell, Käufe, ' }
  for (const [value, expected] of [['buy', 'buy'], ['sell', 'sell'], ['Käufe', 'Käufe'], ['', ''], ['Buy', none], ['buy ', none], ['bu', none], ['buyer', none], [{}, none], [['buy'], none], [1, none], [true, none]] as const) t.same(cast(side, value), expected)
  t.equal(cast({ kind: 'enum', values: ['1', 'true'] }, 1), '1')
  t.equal(cast({ kind: 'enum', values: ['1', 'true'] }, true), 'true')
  const many: Type = { kind: 'enum', values: Array.from({ length: 300 }, (_, i) => `v${i}`) }
  t.equal(cast(many, 'v299'), 'v299')
  t.same(cast(many, 'v300'), { refused: 'is none of v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, …' })
})

await t.test('a bool takes six words and nothing else', async t => {
  const none = { refused: 'is none of true, false, yes, no, 1, 0' }
  for (const value of ['true', 'TRUE', 'True', 'yes', 'Yes', '1', ' true ', 1, true, 1n]) t.equal(cast(bool, value), true, String(value))
  for (const value of ['false', 'FALSE', 'no', 'No', '0', '\tfalse\n', 0, -0, false, 0n]) t.equal(cast(bool, value), false, String(value))
  for (const value of ['', 'y', 'n', 't', 'f', 'on', 'off', '2', '-1', '01', '1.0', 'truе', 'true\0', '\x11', 2, -1, 0.5, NaN, 2n, {}, []]) t.same(cast(bool, value), none, String(value))
})

await t.test('null, what is not present and the texts of the rule are null, and nothing else is', async t => {
  const nulls = ['N/A', '', '—']
  for (const type of [string, side, bool, { kind: 'int64' }, { kind: 'decimal', precision: 5, scale: 2 }, { kind: 'date' }, { kind: 'timestamp', unit: 'ms' }, { kind: 'json' }, { kind: 'list', of: string }] as const) {
    for (const value of [null, undefined, NOT_PRESENT, ...nulls]) t.equal(cast(type, value ?? null, { nulls }), null, `${type.kind} ${value}`)
    t.equal(new Caster(fieldOf(type)).cast(undefined, 2, { add: () => t.fail('it may be null') }).valid?.join(), '0,0', 'an absent column')
  }
  for (const text of ['n/a', ' N/A', 'N/A ', 'not present in source', ' ', '-', 'null']) t.equal(cast(string, text, { nulls }), text)
})

await t.test('null refuses a row where the field is mandatory', async t => {
  const missing = { refused: 'is no value, and the field is mandatory' }
  for (const type of [string, { kind: 'float64' }, { kind: 'timestamp', unit: 'ns' }] as const) {
    t.same(castAll(type, [null, NOT_PRESENT], { mandatory: true }), [missing, missing])
    t.same(castColumn(new Caster(fieldOf(type, { mandatory: true })), undefined, 2), [missing, missing])
    t.same(castColumn(new Caster(fieldOf(type, { mandatory: true })), { kind: 'dictionary', codes: Uint8Array.of(0), valid: Uint8Array.of(0), values: ['1'] }, 1), [missing])
  }
  t.same(castColumn(new Caster(fieldOf({ kind: 'float64' }, { mandatory: true })), { kind: 'numbers', numbers: Float64Array.of(1, 2), valid: Uint8Array.of(0, 1) }, 2), [missing, { cell: 2 }])
})
