import t from 'tap'
import { depthMax, needsCare, parseJson } from '../../runtime/json.ts'
import fc from '../properties.ts'

type Source = (name: string, value: unknown, context: { source?: string }) => unknown

// The same rule said with the parser's own view of each number.
const keep: Source = (_, value, { source = '' }) => typeof value === 'number' && /[\d.]{16}/.test(source) && String(value) !== source ? source : value
const oracle = (text: string): unknown => (JSON.parse as (text: string, reviver: Source) => unknown)(text, keep)

await t.test('digits that a double does not hold stay as text', async t => {
  const kept = ['9007199254740993', '-1700000000000000001', '0.1000000000000000055511151231257827', '1.0000000000000000', '123456789012345678901234567890', '1.2345678901234567890e10']
  for (const digits of kept) t.strictSame(parseJson(`{"a": [${digits}, {"b" : ${digits} }]}`), { a: [digits, { b: digits }] })
  for (const digits of ['9007199254740992', '1700000000000000', '0.1234567890123456', '1', '-0.5']) t.strictSame(parseJson(`[${digits}]`), [Number(digits)])
})

await t.test('digits inside a text are left alone', async t => {
  for (const text of ['a: 9007199254740993, b', '\\"9007199254740993', '9007199254740993', '\\\\']) {
    t.strictSame(parseJson(JSON.stringify({ [text]: text, n: [text] })), { [text]: text, n: [text] })
  }
})

await t.test('any JSON gives what a parser that sees each number would give', async t => {
  const digits = fc.stringMatching(/^-?(0|[1-9]\d{0,24})(\.\d{1,24})?(e[+-]?\d{1,2})?$/)
  const spaces = fc.constantFrom('', ' ', '\n', '\t ')
  const text = fc.string().map(text => JSON.stringify(text))
  const { value } = fc.letrec<{ value: string, list: string, object: string }>(tie => ({
    value: fc.oneof({ depthSize: 'small' }, digits, text, fc.constantFrom('true', 'null'), tie('list'), tie('object')),
    list: fc.tuple(spaces, fc.array(tie('value'), { maxLength: 4 })).map(([space, items]) => `[${space}${items.join(`${space},${space}`)}${space}]`),
    object: fc.tuple(spaces, fc.array(fc.tuple(text, tie('value')), { maxLength: 4 })).map(([space, pairs]) => `{${space}${pairs.map(([name, item]) => `${name}${space}:${space}${item}`).join(',')}${space}}`)
  }))
  fc.assert(fc.property(value, text => {
    const expected = oracle(text)
    t.strictSame(parseJson(text), expected)
    if (!needsCare(text)) t.strictSame(JSON.parse(text), expected)
  }), { numRuns: 500 })
})

await t.test('what is no JSON is an error, however long its numbers', async t => {
  const long = '12345678901234567890'
  for (const text of ['', '{', `{${long}: 1}`, `{"a":1,${long} :2}`, `[${long}.]`, `[0${long}]`, `[${long} 1]`, `[1.${long}.2]`, `["a"${long}]`, `[-]${long}`, `[--${long}]`, `x${long}`, '\u0000', '[1,]', 'NaN', '{"a":Infinity}']) {
    t.throws(() => JSON.parse(text), text)
    t.throws(() => parseJson(text), text)
  }
})

await t.test('damaged JSON is judged as the parser judges it', async t => {
  fc.assert(fc.property(fc.json(), fc.nat(), fc.constantFrom('"', '\\', '{', ']', ',', ':', '12345678901234567', ' '), (text, at, damage) => {
    const damaged = text.slice(0, at % (text.length + 1)) + damage + text.slice(at % (text.length + 1))
    let expected: unknown
    try {
      expected = oracle(damaged)
    } catch {
      t.throws(() => parseJson(damaged), damaged)
      return
    }
    try {
      t.strictSame(parseJson(damaged), expected)
    } catch (error) {
      // It may refuse more: what nests too deeply, halves of characters, numbers out of range.
      t.match(String(error), /nested|surrogate|too large/)
    }
  }), { numRuns: 500 })
})

await t.test('nesting has a limit, and a text that only opens does no harm', async t => {
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
  t.doesNotThrow(() => parseJson(nested(depthMax)))
  t.throws(() => parseJson(nested(depthMax + 1)), /deeper than 100 levels/)
  t.throws(() => parseJson(nested(1_000_000)), /deeper/)
  t.throws(() => parseJson('{"a":'.repeat(1_000_000)))
})

await t.test('half of a surrogate pair is refused, a whole one is not', async t => {
  t.throws(() => parseJson('{"a":"\\ud800"}'), /surrogate/)
  t.throws(() => parseJson('{"\\udc00":1}'), /surrogate/)
  t.strictSame(parseJson('["\\ud83d\\ude00", "\\u0000"]'), ['😀', '\0'])
})

await t.test('a number out of range is refused, not turned into infinity', async t => {
  t.throws(() => parseJson('[1e999]'), /too large/)
  t.throws(() => parseJson('{"a":-1e999}'), /too large/)
})

await t.test('a name like __proto__ is a name like any other', async t => {
  const value = parseJson('{"__proto__":{"x":1}}') as object
  t.ok(Object.hasOwn(value, '__proto__'))
  t.equal(Object.getPrototypeOf(value), Object.prototype)
})
