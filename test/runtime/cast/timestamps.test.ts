import t from 'tap'
import fc from '../../properties.ts'
import type { TimeUnit, Type } from '../../../runtime/schema.ts'
import { cast } from './shapes.ts'

const timestamp = (unit: TimeUnit): Type => ({ kind: 'timestamp', unit })
const date: Type = { kind: 'date' }
const notIso = { refused: 'is not an ISO 8601 date or time, such as 2024-03-10 or 2024-03-10T14:30:00Z' }
const neither = { refused: 'is neither a number nor an ISO 8601 date or time' }
const never = { refused: 'is a day or time that does not exist' }
const leap = { refused: 'is a leap second, which no timestamp can hold' }
const ambiguous = { refused: 'is a number without a unit: set `unit` of the field\'s cast rule to s, ms, us or ns' }
const years = { refused: 'is outside the years 1900 to 2299' }
const nanoYears = { refused: 'is outside 1900-01-01 to 2262-04-11' }

await t.test('ISO 8601 in all its forms is the instant it names', async t => {
  for (const [text, expected] of [
    ['2024-03-10T14:30:15Z', '2024-03-10T14:30:15.000Z'], ['2024-03-10t14:30:15z', '2024-03-10T14:30:15.000Z'], ['2024-03-10 14:30:15', '2024-03-10T14:30:15.000Z'],
    ['2024-03-10T14:30', '2024-03-10T14:30:00.000Z'], ['2024-03-10', '2024-03-10T00:00:00.000Z'], ['20240310', '2024-03-10T00:00:00.000Z'],
    ['20240310T143015Z', '2024-03-10T14:30:15.000Z'], ['20240310 14:30:15', '2024-03-10T14:30:15.000Z'], ['20240310T1430', '2024-03-10T14:30:00.000Z'],
    ['2024-03-10T14:30:15.5Z', '2024-03-10T14:30:15.500Z'], ['2024-03-10T14:30:15,123+05:30', '2024-03-10T09:00:15.123Z'], ['2024-03-10T14:30:15-0500', '2024-03-10T19:30:15.000Z'],
    ['2024-03-10T14:30:15+05', '2024-03-10T09:30:15.000Z'], ['2024-03-10T14:30-00:00', '2024-03-10T14:30:00.000Z'], ['2024-03-10T14:30:15.123000000000000000000Z', '2024-03-10T14:30:15.123Z'],
    ['2024-02-29T23:59:59.999Z', '2024-02-29T23:59:59.999Z'], ['2000-02-29', '2000-02-29T00:00:00.000Z'], [' 1969-12-31T23:59:59.999Z ', '1969-12-31T23:59:59.999Z'], ['1900-01-01', '1900-01-01T00:00:00.000Z'], ['2299-12-31T23:59:59.999Z', '2299-12-31T23:59:59.999Z']
  ] as const) t.equal(cast(timestamp('ms'), text), expected, text)
})

await t.test('a text that is no ISO 8601 time is refused', async t => {
  for (const text of ['', 'now', '2024-03', '2024-3-10', '24-03-10', '2024/03/10', '10.03.2024', '2024-03-10T', '2024-03-10T14', '2024-03-10T14:30:', '2024-03-10T14:30:15.', '2024-03-10T14:30:15.Z', '2024-03-10T14:30:15 Z', '2024-03-10T14:30:15+5', '2024-03-10T14:30:15+05:3', '2024-03-10T14:30:15+05:30:00', '2024-03-10T14:30:15ZZ', '2024-0310', '2024-03-10T14:30:15+24:00', '+2024-03-10', '２０２４-03-10', '2024-W10-7', '2024-03-10X14:30', 'Sun Mar 10 2024']) {
    t.same(cast(timestamp('ms'), text), notIso, text)
  }
  for (const text of ['2024-13-01', '2024-00-10', '2024-02-30', '2023-02-29', '1900-02-29', '2200-02-29', '2024-04-31', '2024-03-00', '2024-03-10T24:00:00Z', '2024-03-10T23:60Z', '2024-03-10T23:59:61Z']) t.same(cast(timestamp('ms'), text), never, text)
  for (const value of [true, {}, []]) t.same(cast(timestamp('ms'), value), { refused: 'is not a time' })
})

await t.test('a leap second is refused: 23:59:60 and the second after it would be the same timestamp', async t => {
  t.same(cast(timestamp('ms'), '2016-12-31T23:59:60Z'), leap)
  t.same(cast(timestamp('ns'), '2016-12-31T18:59:60.5-05:00'), leap)
  t.equal(cast(timestamp('ms'), '2017-01-01T00:00:00Z'), '2017-01-01T00:00:00.000Z')
})

await t.test('a number is taken in the unit of the rule, and without one it is refused', async t => {
  const at = '2025-11-22T08:26:40'
  for (const [unit, value] of [['s', 1763800000], ['ms', 1763800000000], ['us', 1763800000000000]] as const) {
    t.equal(cast(timestamp('ns'), value, { unit }), `${at}.000000000Z`)
    t.equal(cast(timestamp('s'), value, { unit }), `${at}Z`)
    t.equal(cast(timestamp('ms'), String(value), { unit }), `${at}.000Z`)
    t.equal(cast(timestamp('us'), BigInt(value), { unit }), `${at}.000000Z`)
  }
  t.equal(cast(timestamp('ns'), '1763800000123456789', { unit: 'ns' }), `${at}.123456789Z`)
  t.equal(cast(timestamp('ns'), 1763800000123456789n, { unit: 'ns' }), `${at}.123456789Z`)
  t.equal(cast(timestamp('ns'), '1763800000.123456789', { unit: 's' }), `${at}.123456789Z`)
  t.equal(cast(timestamp('ms'), 1763800000.123, { unit: 's' }), `${at}.123Z`)
  t.equal(cast(timestamp('ms'), '1.7638e9', { unit: 's' }), `${at}.000Z`)
  t.equal(cast(timestamp('us'), '-0.000001', { unit: 's' }), '1969-12-31T23:59:59.999999Z')
  t.equal(cast(timestamp('ms'), -1, { unit: 'ms' }), '1969-12-31T23:59:59.999Z')
  t.equal(cast(timestamp('ms'), '20240310', { unit: 's' }), '1970-08-23T06:18:30.000Z', 'digits alone are a number there')
  t.equal(cast(timestamp('ms'), '2024-03-10', { unit: 's' }), '2024-03-10T00:00:00.000Z', 'ISO 8601 still is')
  t.same(cast(timestamp('ms'), 1763800000000), ambiguous)
  t.same(cast(timestamp('ms'), 20240310), ambiguous)
  for (const text of ['1763800000000', '1763800000', '2024', '1']) t.same(cast(timestamp('ms'), text), ambiguous, text)
  t.same(cast(timestamp('ms'), 1n), ambiguous)
  t.same(cast(timestamp('ns'), Number('1763800000123456789'), { unit: 'ns' }), { refused: 'is beyond 2^53, so digits may be lost already: send it as text' })
  t.same(cast(timestamp('ms'), 'abc', { unit: 'ms' }), neither)
  for (const value of [NaN, Infinity]) t.same(cast(timestamp('ms'), value, { unit: 'ms' }), { refused: 'is not a time' })
})

await t.test('a time that the engine cannot hold is refused: years before 1900, after 2299, or after 2262 in ns', async t => {
  for (const text of ['1800-01-01', '1899-12-31T23:59:59.999Z', '3000-01-01', '2300-01-01', '9999-12-31T23:59:59Z', '0001-01-01', '2299-12-31T23:59:59-00:01', '1900-01-01T00:00:00+00:01']) {
    for (const unit of ['s', 'ms', 'us'] as const) t.same(cast(timestamp(unit), text.replace('.999', ''), {}), years, text)
    t.same(cast(timestamp('ns'), text), nanoYears, text)
  }
  t.equal(cast(timestamp('ns'), '2262-04-11T23:47:16.854775807Z'), '2262-04-11T23:47:16.854775807Z')
  t.same(cast(timestamp('ns'), '2262-04-11T23:47:16.854775808Z'), nanoYears)
  t.same(cast(timestamp('ns'), '2299-12-31'), nanoYears)
  t.equal(cast(timestamp('ns'), '1900-01-01'), '1900-01-01T00:00:00.000000000Z')
  for (const [value, unit] of [['1763800000000', 's'], ['1763800000000000', 'ms'], [-2208988800001, 'ms'], [10413792000000, 'ms'], ['1e300', 's'], ['99999999999999999999000', 'us']] as const) t.same(cast(timestamp('ms'), value, { unit }), years, String(value))
  t.equal(cast(timestamp('us'), '10413791999999999', { unit: 'us' }), '2299-12-31T23:59:59.999999Z')
})

await t.test('digits beyond the unit are refused, or rounded half even', async t => {
  const excess = { refused: 'has more digits than timestamp(ms) holds' }
  const table = [
    ['2024-03-10T00:00:00.0005Z', '2024-03-10T00:00:00.000Z'], ['2024-03-10T00:00:00.0015Z', '2024-03-10T00:00:00.002Z'], ['2024-03-10T00:00:00.00050000000000000001Z', '2024-03-10T00:00:00.001Z'],
    ['2024-03-10T00:00:59.9996Z', '2024-03-10T00:01:00.000Z'], ['1969-12-31T23:59:59.9996Z', '1970-01-01T00:00:00.000Z'], ['1960-01-01T00:00:00.9999Z', '1960-01-01T00:00:01.000Z'], ['1960-01-01T00:00:00.0004Z', '1960-01-01T00:00:00.000Z']
  ] as const
  for (const [text, rounded] of table) {
    t.same(cast(timestamp('ms'), text), excess, text)
    t.equal(cast(timestamp('ms'), text, { excess: 'round' }), rounded, text)
  }
  t.same(cast(timestamp('ms'), '1700000000.1234', { unit: 's' }), excess)
  t.equal(cast(timestamp('ms'), '1700000000.1235', { unit: 's', excess: 'round' }), '2023-11-14T22:13:20.124Z')
  t.equal(cast(timestamp('s'), '1700000000500', { unit: 'ms', excess: 'round' }), '2023-11-14T22:13:20Z')
  t.same(cast(timestamp('ns'), '2024-03-10T00:00:00.1234567891Z'), { refused: 'has more digits than timestamp(ns) holds' })
})

await t.test('any instant comes back from its ISO text', async () => {
  const ms = fc.integer({ min: Date.UTC(1900, 0), max: Date.UTC(2300, 0) - 1 })
  fc.assert(fc.property(ms, ms => {
    const text = new Date(ms).toISOString()
    return cast(timestamp('ms'), text) === text && cast(timestamp('ms'), String(ms), { unit: 'ms' }) === text && cast(timestamp('ms'), ms, { unit: 'ms' }) === text
  }))
  const ns = fc.bigInt({ min: -2208988800n * 10n ** 9n, max: 2n ** 63n - 1n })
  fc.assert(fc.property(ns, ns => {
    const text = cast(timestamp('ns'), String(ns), { unit: 'ns' }) as string
    return cast(timestamp('ns'), text) === text && BigInt(Date.parse(`${text.slice(0, 19)}Z`)) * 1_000_000n + BigInt(text.slice(20, 29)) === ns
  }))
})

await t.test('a time without an offset is of the zone of the rule', async t => {
  const inNewYork = { zone: 'America/New_York' }
  t.equal(cast(timestamp('s'), '2024-01-15T09:30:00', inNewYork), '2024-01-15T14:30:00Z')
  t.equal(cast(timestamp('s'), '2024-07-15 09:30:00', inNewYork), '2024-07-15T13:30:00Z')
  t.equal(cast(timestamp('s'), '2024-07-15', inNewYork), '2024-07-15T04:00:00Z')
  t.equal(cast(timestamp('s'), '2024-07-15T09:30:00Z', inNewYork), '2024-07-15T09:30:00Z')
  t.equal(cast(timestamp('s'), 1700000000, { ...inNewYork, unit: 's' }), '2023-11-14T22:13:20Z', 'numbers are UTC')
  t.equal(cast(timestamp('s'), '2024-01-15T09:30:00', { zone: 'Asia/Kolkata' }), '2024-01-15T04:00:00Z')
  t.throws(() => cast(timestamp('s'), '2024-01-15', { zone: 'Mars/Base' }), { code: 'CONFIG_INVALID', message: 'There is no time zone "Mars/Base"' })
})

await t.test('a time that the clock of the zone skips or shows twice is refused, never guessed', async t => {
  const skipped = (zone: string): object => ({ refused: `is a time that ${zone} does not have, because its clock is put forward` })
  const twice = (zone: string): object => ({ refused: `is a time that ${zone} has twice, because its clock is put back: send it with its offset` })
  for (const [zone, text, expected] of [
    ['America/New_York', '2024-03-10T01:59:59', '2024-03-10T06:59:59Z'], ['America/New_York', '2024-03-10T02:00:00', skipped('America/New_York')], ['America/New_York', '2024-03-10T02:59:59', skipped('America/New_York')], ['America/New_York', '2024-03-10T03:00:00', '2024-03-10T07:00:00Z'],
    ['America/New_York', '2024-11-03T00:59:59', '2024-11-03T04:59:59Z'], ['America/New_York', '2024-11-03T01:00:00', twice('America/New_York')], ['America/New_York', '2024-11-03T01:59:59', twice('America/New_York')], ['America/New_York', '2024-11-03T02:00:00', '2024-11-03T07:00:00Z'], ['America/New_York', '2024-11-03T01:30:00-05:00', '2024-11-03T06:30:00Z'],
    ['Australia/Lord_Howe', '2024-10-06T02:15:00', skipped('Australia/Lord_Howe')], ['Australia/Lord_Howe', '2024-04-07T01:45:00', twice('Australia/Lord_Howe')], ['Australia/Lord_Howe', '2024-04-07T01:15:00', '2024-04-06T14:15:00Z'],
    ['America/Nuuk', '2022-03-26T22:30:00', skipped('America/Nuuk')], ['America/Nuuk', '2022-03-26T23:00:00', '2022-03-27T01:00:00Z'],
    ['Pacific/Apia', '2011-12-30T12:00:00', skipped('Pacific/Apia')], ['Pacific/Apia', '2011-12-31T00:00:00', '2011-12-30T10:00:00Z']
  ] as const) t.same(cast(timestamp('s'), text, { zone }), expected, `${zone} ${text}`)
})

await t.test('local times of any zone come back as the instant they were made of', async () => {
  for (const zone of ['America/New_York', 'Europe/London', 'Asia/Tokyo', 'Australia/Lord_Howe', 'America/Sao_Paulo']) {
    const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' })
    // Hours around the changes of the clock come up often enough in a few years.
    fc.assert(fc.property(fc.integer({ min: Date.UTC(2015, 0) / 1000, max: Date.UTC(2018, 0) / 1000 }), seconds => {
      const result = cast(timestamp('s'), format.format(seconds * 1000), { zone })
      return typeof result === 'object' || result === new Date(seconds * 1000).toISOString().replace('.000', '')
    }), { numRuns: 100 })
  }
})

await t.test('a date is a day as it is written, or a time at midnight', async t => {
  const midday = { refused: 'is not midnight, so it is no date' }
  for (const [value, expected, options] of [
    ['2024-03-10', '2024-03-10', {}], ['20240310', '2024-03-10', {}], [' 2024-03-10 ', '2024-03-10', {}], ['2024-03-10T00:00:00', '2024-03-10', { zone: 'America/New_York' }], ['2024-03-10T00:00:00.000-05:00', '2024-03-10', {}],
    ['2024-03-10T09:30:00Z', midday, {}], ['2024-03-10T00:00:00.001Z', midday, {}], ['2024-02-30', never, {}], ['03/10/2024', notIso, {}], ['', notIso, {}],
    ['1900-01-01', '1900-01-01', {}], ['2299-12-31', '2299-12-31', {}], ['1899-12-31', years, {}], ['2300-01-01', years, {}],
    [1710028800, '2024-03-10', { unit: 's' }], ['1710028800000', '2024-03-10', { unit: 'ms' }], [1710028801, midday, { unit: 's' }], ['1710028800.5', midday, { unit: 's' }], [-86400, '1969-12-31', { unit: 's' }], [1710028800000n, '2024-03-10', { unit: 'ms' }],
    [1710046800, '2024-03-10', { unit: 's', zone: 'America/New_York' }], [1710028800, midday, { unit: 's', zone: 'America/New_York' }],
    [20240310, ambiguous, {}], [1n, ambiguous, {}], [99999999999999, years, { unit: 's' }], ['1e300', years, { unit: 's' }], [2 ** 60, { refused: 'is beyond 2^53, so digits may be lost already: send it as text' }, { unit: 'us' }], [NaN, { refused: 'is not a time' }, { unit: 's' }], [true, { refused: 'is not a time' }, {}], ['x', neither, { unit: 's' }]
  ] as const) t.same(cast(date, value, options), expected, String(value))
  t.equal(cast(date, new Date(Date.UTC(2024, 2, 10))), '2024-03-10')
})
