import t from 'tap'
import fc from '../../properties.ts'
import type { Type } from '../../../runtime/schema.ts'
import { cast } from './shapes.ts'
import type { CastOptions } from './shapes.ts'

const float64: Type = { kind: 'float64' }
const float32: Type = { kind: 'float32' }
const notNumber = { refused: 'is not a number' }
const lost = { refused: 'is beyond 2^53, so digits may be lost already: send it as text' }
const quoteRule: CastOptions = { prefixes: ['C', 'H', 'US$'], suffixes: { K: 1e3, M: 1e6, B: 1e9, bp: 0.0001, dz: 12 }, percent: 'fraction', thousands: ',' }

await t.test('a float64 is the double that Number() reads', async t => {
  const texts = [
    '0', '-0', '+1', '1.5', '.5', '5.', '-.25', '1e3', '1E-3', '1.7976931348623157e308', '5e-324', '2.2250738585072011e-308', '1e-400', '-1e-400',
    '9007199254740993', '0.1', '0.30000000000000004', '123456789012345678901234567890', '100000000000000000000000000000000000000000000.5',
    '3.141592653589793238462643383279502884197', '1e22', '1e23', '123456789012345e22', '00000000000000000000000000000000001.25', '8.41e21', '9.5367431640625e-7'
  ]
  for (const text of texts) t.ok(Object.is(cast(float64, text), Number(text)), text)
  fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), value => Object.is(cast(float64, String(value)), Number(String(value)))))
  const number = fc.tuple(fc.constantFrom('', '-', '+'), fc.stringMatching(/^[0-9]{1,36}$/), fc.stringMatching(/^[0-9]{0,36}$/), fc.integer({ min: -330, max: 270 }))
  fc.assert(fc.property(number, ([sign, whole, fraction, power]) => {
    const text = `${sign}${whole}.${fraction}e${power}`
    const value = Number(text)
    const result = cast(float64, text)
    return Number.isFinite(value) ? Object.is(result, value) : typeof result === 'object'
  }), { numRuns: 500 })
})

await t.test('numbers of JSON reach a float64 as they are', async t => {
  for (const value of [0, -0, 1.5, 5e-324, Number.MAX_VALUE, 2 ** 53 + 2]) t.ok(Object.is(cast(float64, value), value), String(value))
  t.equal(cast(float64, 9007199254740993n), 9007199254740992)
})

await t.test('NaN, infinities and numbers beyond the range are refused, and never become 0 or null', async t => {
  for (const value of [NaN, Infinity, -Infinity]) t.same(cast(float64, value), { refused: 'is not a finite number' })
  for (const text of ['NaN', 'nan', 'Infinity', '-Infinity', 'inf', 'null', 'undefined']) t.same(cast(float64, text), notNumber, text)
  for (const text of ['1e400', '-1e400', '1.7976931348623159e308', `1${'0'.repeat(400)}`, '1e99999999999']) t.same(cast(float64, text), { refused: 'is too large for float64' }, text.slice(0, 20))
})

await t.test('a float32 is the nearest one, and none is infinite', async t => {
  for (const text of ['0.1', '16777217', '1e-45', '3.4028234663852886e38', '3.4028235e38']) t.equal(cast(float32, text), Math.fround(Number(text)), text)
  for (const value of [3.4028236e38, '3.4028236e38', -1e39, 1e300]) t.same(cast(float32, value), { refused: 'is too large for float32' })
})

await t.test('a text that is no number is refused', async t => {
  const texts = [
    '', ' ', 'abc', '1 2', '1,2', '1.2.3', '--1', '+-1', '1-', '-', '+', '.', 'e5', '1e', '1e+', '1e5.5', '0x10', '1_000', '1K', '12%', '٣', '１', '1\u00a0', '1\0', '\u22121', 'true',
    '1'.repeat(1001)
  ]
  for (const text of texts) {
    t.same(cast(float64, text), notNumber, JSON.stringify(text.slice(0, 20)))
    t.same(cast({ kind: 'int64' }, text), notNumber, JSON.stringify(text.slice(0, 20)))
  }
  for (const value of [true, {}, [1], [[]]]) t.same(cast(float64, value), notNumber)
  t.equal(cast(float64, ' \t-1.50 \n'), -1.5, 'spaces around do not matter')
})

await t.test('prefixes, suffixes, percent and thousands are taken where the rule has them', async t => {
  const table: ReadonlyArray<readonly [string, number | typeof notNumber]> = [
    ['C100.12', 100.12], ['H-5', -5], ['US$3', 3], ['C', notNumber], ['CC1', notNumber], ['c1', notNumber], ['C 1', notNumber], ['-C1', notNumber],
    ['17K', 17000], ['1.1K', 1100], ['0.07M', 70000], ['C1.5B', 1.5e9], ['17k', notNumber], ['17KK', notNumber], ['K', notNumber], ['17 K', notNumber],
    ['3dz', 36], ['0.5dz', 6], ['25bp', 0.0025], ['1e2K', 1e5],
    ['12.5%', 0.125], ['-7%', -0.07], ['%', notNumber], ['5K%', notNumber],
    ['1,234', 1234], ['1,234,567.89', 1234567.89], ['12,345K', 12345000], ['1234', 1234],
    ['1,23', notNumber], ['12,34,567', notNumber], ['1234,567', notNumber], [',123', notNumber], ['1,,234', notNumber], ['1,234,', notNumber], ['1.234,567', notNumber], ['1,2345', notNumber], ['1,23.4', notNumber]
  ]
  for (const [text, expected] of table) t.same(cast(float64, text, quoteRule), expected, text)
  t.equal(cast(float64, '12.5%', { percent: 'number' }), 12.5)
  t.equal(cast(float64, '12.5%', { percent: 'fraction' }), 0.125)
  t.equal(cast(float64, '1\u202f234.5', { thousands: '\u202f' }), 1234.5, 'a separator of several bytes')
  t.equal(cast(float64, '1.234.567', { thousands: '.' }), 1234567)
  t.same(cast(float64, '1.5', { thousands: '.' }), notNumber)
  t.equal(cast(float64, 1.234, { thousands: '.' }), 1.234, 'a number of JSON is not a text')
})

await t.test('a suffix that cannot multiply exactly is refused before the first row', async t => {
  for (const suffixes of [{ K: 0 }, { K: -5 }, { K: NaN }, { K: Infinity }, { '': 10 }, { K: 0.30000000000000004 }]) {
    t.throws(() => cast(float64, '1', { suffixes: suffixes as unknown as Record<string, number> }), { code: 'CONFIG_INVALID' })
  }
})

await t.test('integers are exact to the edges of their range, as text, number and big integer', async t => {
  for (const [kind, bits, signed] of [['int8', 8, true], ['int16', 16, true], ['int32', 32, true], ['int64', 64, true], ['uint8', 8, false], ['uint16', 16, false], ['uint32', 32, false], ['uint64', 64, false]] as const) {
    const lowest = signed ? -(2n ** BigInt(bits - 1)) : 0n
    const highest = 2n ** BigInt(signed ? bits - 1 : bits) - 1n
    const outside = { refused: `is outside ${kind}, which holds ${lowest} to ${highest}` }
    const plain = (value: bigint): number | string => Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
    for (const value of [lowest, lowest + 1n, 0n, 1n, highest - 1n, highest, lowest - 1n, highest + 1n, -(10n ** 25n), 10n ** 40n, highest * 256n]) {
      const expected = value < lowest || value > highest ? outside : plain(value)
      t.same(cast({ kind }, String(value)), expected, `${kind} ${value}`)
      t.same(cast({ kind }, value), expected)
      if (Number.isSafeInteger(Number(value))) t.same(cast({ kind }, Number(value)), expected)
    }
    fc.assert(fc.property(fc.bigInt({ min: lowest, max: highest }), value => cast({ kind }, String(value)) === plain(value)), { numRuns: 50 })
  }
})

await t.test('no digit is lost around 2^53, and a number that may have lost some is refused', async t => {
  const int64: Type = { kind: 'int64' }
  t.equal(cast(int64, '9007199254740993'), '9007199254740993')
  t.equal(cast(int64, '-9007199254740993'), '-9007199254740993')
  t.equal(cast(int64, 2 ** 53 - 1), 9007199254740991)
  for (const value of [2 ** 53, -(2 ** 53), 2 ** 53 + 2, 1e300]) t.same(cast(int64, value), lost)
  t.same(cast({ kind: 'uint64' }, '-0'), 0)
  t.same(cast(int64, '[9007199254740993]'), notNumber)
})

await t.test('an integer may be written with an exponent or a fraction of zeros, and with no other', async t => {
  const int32: Type = { kind: 'int32' }
  const fraction = { refused: 'has a fraction, and int32 has none' }
  for (const [text, expected] of [['12.0', 12], ['12.', 12], ['-12.000000000000000000000000000000000', -12], ['1e3', 1000], ['1.5e1', 15], ['120e-1', 12], ['0e-999', 0], ['0.0', 0], ['1e-999999', fraction], ['12.5', fraction], ['15e-1', fraction], ['0.000000000000000000000000000000000000000001', fraction]] as const) {
    t.same(cast(int32, text), expected, text)
  }
  t.same(cast(int32, 12.5), fraction)
  t.equal(cast(int32, 12.0), 12)
  t.same(cast({ kind: 'int8' }, 300), { refused: 'is outside int8, which holds -128 to 127' })
  t.equal(cast({ kind: 'int64' }, '1.5M', { suffixes: { M: 1e6 } }), 1_500_000)
  t.equal(cast({ kind: 'int64' }, '3dz', { suffixes: { dz: 12 } }), 36)
  t.same(cast(int32, '0.5dz', { suffixes: { dz: 13 } }), fraction)
  for (const value of [NaN, Infinity]) t.same(cast(int32, value), { refused: 'is not a finite number' })
  for (const value of [true, false, {}, []]) t.same(cast(int32, value), notNumber)
})
