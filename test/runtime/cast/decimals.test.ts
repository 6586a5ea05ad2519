import t from 'tap'
import fc from '../../properties.ts'
import type { Type } from '../../../runtime/schema.ts'
import { cast } from './shapes.ts'

const decimal = (precision: number, scale: number): Type => ({ kind: 'decimal', precision, scale })
const price = decimal(18, 8)
const wide = decimal(38, 18)
const excess = { refused: 'has more than the 8 decimals of decimal(18, 8)' }
const outside = { refused: 'does not fit decimal(18, 8)' }

await t.test('a decimal is exact', async t => {
  for (const [text, expected] of [
    ['0', '0.00000000'], ['-0', '0.00000000'], ['1', '1.00000000'], ['-1.5', '-1.50000000'], ['0.1', '0.10000000'], ['.00000001', '0.00000001'], ['-0.00000001', '-0.00000001'],
    ['9999999999.99999999', '9999999999.99999999'], ['-9999999999.99999999', '-9999999999.99999999'], ['1.2300000000000000000000000000000000', '1.23000000'],
    ['123e-8', '0.00000123'], ['1.5e3', '1500.00000000'], ['15E+2', '1500.00000000'], ['0e999', '0.00000000'], ['100000000000e-10', '10.00000000'], [' +7 ', '7.00000000']
  ] as const) t.equal(cast(price, text), expected, text)
  t.equal(cast(wide, '99999999999999999999.999999999999999999'), '99999999999999999999.999999999999999999')
  t.equal(cast(wide, '-12345678901234567890.123456789012345678'), '-12345678901234567890.123456789012345678')
  t.equal(cast(wide, '-0.000000000000000001'), '-0.000000000000000001')
  t.equal(cast(wide, '-18.446744073709551616'), '-18.446744073709551616', 'one beyond 64 bits')
  t.equal(cast(wide, '18.446744073709551616'), '18.446744073709551616')
  t.equal(cast(price, '-42.94967296'), '-42.94967296', 'one whose lower half is 0')
  t.equal(cast(wide, '18.446744073709551615'), '18.446744073709551615', '64 bits')
  t.equal(cast(decimal(19, 0), '9999999999999999999'), '9999999999999999999')
  t.same(cast(decimal(19, 0), '10000000000000000000'), { refused: 'does not fit decimal(19, 0)' })
  t.equal(cast(decimal(20, 0), '18446744073709551615'), '18446744073709551615')
  t.equal(cast(decimal(5, 2), '1.5K', { suffixes: { K: 100 } }), '150.00')
})

await t.test('any decimal that fits comes back as it was', async () => {
  for (const [precision, scale] of [[1, 0], [9, 9], [18, 8], [19, 4], [38, 18], [38, 0]] as const) {
    const most = 10n ** BigInt(precision) - 1n
    fc.assert(fc.property(fc.bigInt({ min: -most, max: most }), unscaled => {
      const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
      const text = (unscaled < 0n ? '-' : '') + (scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`)
      return cast(decimal(precision, scale), text) === text && cast(decimal(precision, scale), `${unscaled}e-${scale}`) === text
    }), { numRuns: 60 })
  }
})

await t.test('digits beyond the scale are refused, never cut', async t => {
  for (const text of ['0.000000001', '1.234567891', '-0.1234567899', '1e-9', '1e-999999', '0.00000000500000000000000000000000000000000001']) t.same(cast(price, text), excess, text)
})

await t.test('digits beyond the scale are rounded half even where the rule says so', async t => {
  const cents = decimal(38, 2)
  for (const [text, expected] of [
    ['0.005', '0.00'], ['0.015', '0.02'], ['0.025', '0.02'], ['-0.025', '-0.02'], ['-0.035', '-0.04'], ['0.0250000000000000000000000000000000000001', '0.03'], ['0.02499999999999999999999999999999999999', '0.02'],
    ['9.995', '10.00'], ['1e-30', '0.00'], ['1e-99999', '0.00'], ['12345678901234567890.125', '12345678901234567890.12'], ['12345678901234567890.135', '12345678901234567890.14']
  ] as const) t.equal(cast(cents, text, { excess: 'round' }), expected, text)
  t.same(cast(decimal(3, 2), '9.995', { excess: 'round' }), { refused: 'does not fit decimal(3, 2)' }, 'rounding up may leave the range')
  t.equal(cast(cents, 0.145, { excess: 'round' }), '0.14')
})

await t.test('what is too large is refused', async t => {
  for (const text of ['10000000000', '-10000000000', '1e10', '1e30', '1e99999', '99999999999999999999999999', '1'.repeat(900)]) t.same(cast(price, text), outside, text.slice(0, 30))
  t.same(cast(wide, '100000000000000000000'), { refused: 'does not fit decimal(38, 18)' })
})

await t.test('a number of JSON is the decimal that it prints as', async t => {
  for (const [value, expected] of [[0.1, '0.10000000'], [-1.5, '-1.50000000'], [1e-7, '0.00000010'], [0.30000000000000004, excess], [1234567.25, '1234567.25000000'], [-0, '0.00000000']] as const) t.same(cast(price, value), expected)
  t.equal(cast(decimal(38, 0), 123456789012345678901234567890n), '123456789012345678901234567890')
  t.same(cast(decimal(38, 0), 2 ** 53), { refused: 'is beyond 2^53, so digits may be lost already: send it as text' })
  for (const value of [NaN, Infinity]) t.same(cast(price, value), { refused: 'is not a finite number' })
  for (const value of ['', 'abc', '1,5', true, {}, []]) t.same(cast(price, value), { refused: 'is not a number' })
  t.equal(cast(price, 1.234, { thousands: '.' }), '1.23400000', 'the rule for texts does not concern it')
})
