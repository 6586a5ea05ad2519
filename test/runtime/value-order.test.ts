import t from 'tap'
import { compareValues, lessBy, timeOf } from '../../runtime/value-order.ts'
import fc from '../properties.ts'

await t.test('numbers are compared exactly, as numbers and as text', async t => {
  for (const [less, more] of [[1, 2], ['9', '10'], ['9007199254740992', '9007199254740993'], ['-1.5', '-1.25'], [1e-7, '0.0000002'], ['0.10000000000000000001', '0.10000000000000000002'], [5, '1e3'.replace('1e3', '1000')], [1e21, '1000000000000000000001']] as const) {
    t.ok(compareValues(less, more) < 0, `${less} < ${more}`)
    t.ok(compareValues(more, less) > 0)
  }
  t.equal(compareValues('1.50', 1.5), 0)
  await fc.assert(fc.property(fc.bigInt(), fc.bigInt(), (a, b) => Math.sign(compareValues(String(a), String(b))) === (a < b ? -1 : a > b ? 1 : 0)))
})

await t.test('times are compared as moments, to the last digit', async t => {
  for (const [less, more] of [['2024-03-10T14:30:00Z', '2024-03-10T14:30:00.000000001Z'], ['2024-03-10T16:00:00+02:00', '2024-03-10T14:30:00Z'], ['2024-03-10', '2024-03-10 00:00:01'], ['2024-03-10 09:00:00', '2024-03-10T10:00:00']] as const) {
    t.ok(compareValues(less, more) < 0, `${less} < ${more}`)
  }
  t.equal(compareValues('2024-03-10T14:30:00Z', '2024-03-10T15:30:00+01:00'), 0)
  t.equal(timeOf('2024-03-10T14:30:00.5Z'), Date.UTC(2024, 2, 10, 14, 30, 0, 500))
  t.equal(timeOf('1710081000'), undefined)
})

await t.test('any other text is compared as text, and two kinds have no order', async t => {
  t.ok(compareValues('a', 'b') < 0)
  t.throws(() => compareValues(5, '2024-03-10T00:00:00Z'), /have no order: one is a number, the other a time/)
})

await t.test('less keeps digits and the form of a time', async t => {
  t.equal(lessBy(10, 3), 7)
  t.equal(lessBy('9007199254740993', 2), '9007199254740991')
  t.equal(lessBy('1.005', 2), '-0.995')
  t.equal(lessBy('2024-03-10T00:00:00.123456789Z', 1000), '2024-03-09T23:59:59.123456789Z')
  t.equal(lessBy('2024-03-10 00:00:00', 1500), '2024-03-09 23:59:58.5')
  t.equal(lessBy('2024-03-10T00:30:00+01:00', 3_600_000), '2024-03-09T23:30:00+01:00')
  t.equal(lessBy('2024-03-10', 60_000), '2024-03-09T23:59:00')
  t.throws(() => lessBy('abc', 1), /neither a number nor a time/)
})
