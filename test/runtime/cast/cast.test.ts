import t from 'tap'
import { Caster } from '../../../runtime/cast/cast.ts'
import { Refusals, printable } from '../../../runtime/cast/refusals.ts'
import { NOT_PRESENT } from '../../../runtime/schema.ts'
import fc from '../../properties.ts'
import type { Type } from '../../../runtime/schema.ts'
import { reference, refused } from './reference.ts'
import { cast, castAll, castColumn, fieldOf, shapesOf } from './shapes.ts'

const types: readonly Type[] = [
  { kind: 'float64' }, { kind: 'int8' }, { kind: 'int32' }, { kind: 'int64' }, { kind: 'uint16' }, { kind: 'uint64' }, { kind: 'bool' },
  { kind: 'decimal', precision: 9, scale: 2 }, { kind: 'decimal', precision: 18, scale: 8 }, { kind: 'decimal', precision: 38, scale: 18 }, { kind: 'timestamp', unit: 'ms' }
]

const number = fc.oneof(fc.integer({ min: -300, max: 300 }), fc.integer(), fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: -1e6, max: 1e6 }).map(cents => cents / 100), fc.integer({ min: -3e12, max: 12e12 }))
const numberText = fc.oneof(
  number.map(String),
  fc.bigInt({ min: -(2n ** 66n), max: 2n ** 66n }).map(String),
  fc.tuple(fc.integer(), fc.integer({ min: -12, max: 12 })).map(([digits, power]) => `${digits}e${power}`),
  fc.stringMatching(/^ ?[+-]?\d{0,22}\.?\d{0,10}(e[+-]?\d{1,3})? ?$/),
  fc.stringMatching(/^[+-.e\d ]{0,6}$/)
)
const timeText = fc.oneof(
  fc.date({ noInvalidDate: true, min: new Date('1890-01-01'), max: new Date('2310-01-01') }).map(date => date.toISOString()),
  fc.stringMatching(/^20[0-3]\d-[01]\d-[0-3]\d(T[0-2]\d:[0-6]\d(:[0-5]\d(\.\d{1,3})?)?(Z|[+-][01]\d:[0-5]\d))?$/)
)
const text = fc.oneof({ weight: 4, arbitrary: numberText }, timeText, fc.string(), fc.constantFrom('true', 'No', '1', '', 'NaN', NOT_PRESENT))
const nothing = fc.constant(null)
const columns = fc.oneof(
  fc.array(fc.oneof({ weight: 6, arbitrary: text }, nothing), { maxLength: 12 }),
  fc.array(fc.oneof({ weight: 6, arbitrary: number }, nothing), { maxLength: 12 }),
  fc.array(fc.oneof(text, number, fc.boolean(), nothing), { maxLength: 12 }),
  // Values that repeat, as in a dictionary.
  fc.tuple(fc.array(text, { minLength: 1, maxLength: 3 }), fc.array(fc.nat(2), { minLength: 8, maxLength: 30 })).map(([values, codes]) => codes.map(code => values[code % values.length]))
)

await t.test('any values in any shape give the cells and the refusals of the plain reference', async () => {
  fc.assert(fc.property(fc.constantFrom(...types), columns, (type, values) => {
    const outcomes = castAll(type, values, { unit: 'ms' })
    return outcomes.every((outcome, i) => {
      const expected = reference(type, values[i])
      const same = 'cell' in outcome ? Object.is(outcome.cell, expected) : expected === refused
      if (!same) throw new Error(`${JSON.stringify(type)} ${JSON.stringify(values[i])}: ${JSON.stringify(outcome)}, and the reference says ${String(expected)}`)
      return same
    })
  }), { numRuns: 600 })
})

await t.test('strings, enums and JSON are the same in every shape', async () => {
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom('buy', 'sell', NOT_PRESENT, '{"a":1}', '[1]'), fc.maxSafeInteger(), fc.boolean(), nothing)
  const kinds: readonly Type[] = [{ kind: 'string' }, { kind: 'enum', values: ['buy', 'sell', 'true', '1'] }, { kind: 'json' }, { kind: 'list', of: { kind: 'string' } }]
  fc.assert(fc.property(fc.constantFrom(...kinds), fc.oneof(fc.array(value), fc.array(fc.string())), (type, values) => {
    const outcomes = castAll(type, values)
    return type.kind !== 'string' || outcomes.every((outcome, i) => 'cell' in outcome && outcome.cell === reference(type, values[i]))
  }), { numRuns: 150 })
})

await t.test('every shape is really there', async t => {
  t.same(Object.keys(shapesOf(['a', null])), ['values', 'dictionary', 'large dictionary', 'text', 'topic'])
  t.same(Object.keys(shapesOf([1, null])), ['values', 'dictionary', 'large dictionary', 'numbers', 'topic'])
  t.equal(shapesOf(['a', 'b', 'c', 'd', 'e'])['topic']?.kind, 'text')
  t.equal(shapesOf([1, 2, 3, 4, 5])['topic']?.kind, 'numbers')
  t.equal(shapesOf(['a', 'a', 'a', 'a', 'a', 'b', 'a', 'a'])['topic']?.kind, 'dictionary')
  t.equal(shapesOf(['a', 1, null, true, 2])['topic']?.kind, 'values')
})

await t.test('columns of other number types, of typed values and of no rows are cast too', async t => {
  const int64 = new Caster(fieldOf({ kind: 'int64' }))
  t.same(castColumn(int64, { kind: 'numbers', numbers: BigInt64Array.of(1n, -(2n ** 63n)) }, 2), [{ cell: 1 }, { cell: '-9223372036854775808' }])
  t.same(castColumn(int64, { kind: 'numbers', numbers: Int8Array.of(1, -128) }, 2), [{ cell: 1 }, { cell: -128 }])
  const typed = new Caster(fieldOf({ kind: 'timestamp', unit: 'ns' })).cast({ kind: 'values', values: ['2024-03-10T00:00:00.123456789Z', null] }, 2, { add: () => t.fail() })
  t.same(castColumn(new Caster(fieldOf({ kind: 'timestamp', unit: 'ns' })), typed, 2), [{ cell: '2024-03-10T00:00:00.123456789Z' }, { cell: null }])
  for (const type of types) t.same(castAll(type, []), [])
})

await t.test('what a batch was given is never changed, and what it got is its own', async t => {
  const caster = new Caster(fieldOf({ kind: 'list', of: { kind: 'float64' } }))
  const values = ['[1,2]', [3], null]
  const before = structuredClone(values)
  const first = caster.cast({ kind: 'values', values }, 3, { add: () => t.fail() })
  const kept = structuredClone(first)
  caster.cast({ kind: 'values', values: [[9], [9], [9]] }, 3, { add: () => t.fail() })
  t.same(values, before)
  t.same(first, kept)
})

await t.test('a refusal is one short line, whatever the value is', async t => {
  const refusals = new Refusals()
  refusals.of('last').add(1, 'abc', 'is not a number')
  refusals.of('sizes').add(1, '\u001b[31m\n\u202e\u2028\ud800"', 'is not a number', '[3]')
  t.equal(refusals.reason(1), 'last: "abc" is not a number; sizes[3]: "\\u001b[31m\\n\\u202e\\u2028\\ud800\\"" is not a number')
  t.same([refusals.size, refusals.has(0), refusals.has(1), [...refusals.others(3)]], [1, false, true, [0, 2]])
  for (let i = 0; i < 100; i++) refusals.of(`f${i}`).add(2, i, 'is bad')
  t.equal(refusals.reason(2).split('; ').length, 21)
  for (const value of ['x'.repeat(10 ** 7), '👍'.repeat(100), { a: 'x'.repeat(10 ** 6) }, '\0'.repeat(100), '\n'.repeat(1000)]) {
    t.match(printable(value), /^[^\p{C}]{1,490}$/u)
  }
  t.equal(printable(`${'x'.repeat(79)}👍`), `"${'x'.repeat(79)}…"`)
  t.equal(printable('x'.repeat(80)), `"${'x'.repeat(80)}"`)
  t.same([null, undefined, -0, 5n, true, [1], { a: 1 }].map(printable), ['null', 'undefined', '-0', '5', 'true', '[1]', '{"a":1}'])
  const circle: unknown[] = []
  circle.push(circle)
  t.same([circle, { circle }, () => 1].map(printable).slice(0, 2), ['a list', 'an object'])
  t.same(cast({ kind: 'int8' }, '\0'), { refused: 'is not a number' })
})
