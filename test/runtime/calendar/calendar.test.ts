import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { calendarNames, readCalendar } from '../../../runtime/calendar/calendar.ts'
import { main } from '../../../runtime/cli/main.ts'
import { parseCalendar } from '../../../runtime/calendar/calendar-file.ts'
import { capture } from '../cli/capture.ts'
import type { Calendar } from '../../../runtime/calendar/calendar.ts'
import type { PlatformError } from '../../../runtime/errors.ts'
import type { Test } from 'tap'

const root = join(import.meta.dirname, '../../..')
const hourMs = 3_600_000
const at = (text: string): number => Date.parse(text)

/** Open and close as UTC times, or the holiday's name. */
function held (calendar: Calendar, day: string): string {
  const sessions = calendar.sessions(day, day).map(({ openMs, closeMs }) => `${new Date(openMs).toISOString().slice(5, 16)} ${new Date(closeMs).toISOString().slice(5, 16)}`)
  return sessions.length > 0 ? sessions.join(', ') : calendar.holiday(day) ?? 'closed'
}

async function own (t: Test, text: string): Promise<Calendar> {
  const root = t.testdir()
  await mkdir(join(root, 'config/calendars'), { recursive: true })
  await writeFile(join(root, 'config/calendars/own.yaml'), text)
  return readCalendar(root, 'own')
}

function problems (text: string): string[] {
  try {
    parseCalendar('config/calendars/own.yaml', text)
  } catch (error) {
    return (error as PlatformError).message.split('\n')
  }
  return []
}

await t.test('New York: holidays by rule, by observance and by decree', async t => {
  const calendar = await readCalendar(root, 'XNYS')
  const days: Record<string, string> = {
    '2010-12-31': '12-31T14:30 12-31T21:00', // New Year on a Saturday is not kept on the Friday
    '2012-10-29': 'Hurricane Sandy',
    '2015-07-03': 'Independence Day', // the 4th is a Saturday
    '2018-12-05': 'Day of mourning for George H. W. Bush',
    '2020-04-10': 'Good Friday',
    '2021-06-18': '06-18T13:30 06-18T20:00', // not yet kept
    '2021-12-24': 'Christmas Day',
    '2021-12-31': '12-31T14:30 12-31T21:00',
    '2022-06-20': 'Juneteenth', // the 19th is a Sunday
    '2023-01-02': 'New Year\'s Day',
    '2024-01-15': 'Martin Luther King Day',
    '2024-03-29': 'Good Friday',
    '2024-05-27': 'Memorial Day',
    '2024-06-19': 'Juneteenth',
    '2024-11-28': 'Thanksgiving Day',
    '2025-01-09': 'Day of mourning for Jimmy Carter',
    '2025-04-18': 'Good Friday',
    '2025-02-17': 'Presidents\' Day',
    '2025-02-16': 'closed'
  }
  for (const [day, says] of Object.entries(days)) t.equal(held(calendar, day), says, day)
})

await t.test('New York: early closes', async t => {
  const calendar = await readCalendar(root, 'XNYS')
  for (const day of ['2023-07-03', '2024-07-03', '2025-07-03']) t.match(held(calendar, day), /T17:00$/, day)
  for (const day of ['2021-11-26', '2024-11-29', '2024-12-24']) t.match(held(calendar, day), /T18:00$/, day)
  t.match(held(calendar, '2022-07-01'), /T20:00$/, 'the Friday before a Monday holiday is whole')
  t.match(held(calendar, '2027-12-23'), /T21:00$/)
  t.ok(calendar.isOpen(at('2024-07-03T16:59:59.999Z')))
  t.notOk(calendar.isOpen(at('2024-07-03T17:00:00Z')))
})

await t.test('London and Frankfurt: holidays that move, and those that do not', async t => {
  const london = await readCalendar(root, 'XLON')
  const days: Record<string, string> = {
    '2011-01-03': 'New Year\'s Day',
    '2016-12-26': 'Boxing Day',
    '2016-12-27': 'Christmas Day', // Christmas was the Sunday, and gives way to Boxing Day
    '2021-12-27': 'Christmas Day',
    '2021-12-28': 'Boxing Day',
    '2020-05-04': '05-04T07:00 05-04T15:30',
    '2020-05-08': 'Early May bank holiday',
    '2022-05-30': '05-30T07:00 05-30T15:30',
    '2022-06-02': 'Spring bank holiday',
    '2022-09-19': 'Funeral of Elizabeth II',
    '2022-12-23': '12-23T08:00 12-23T12:30'
  }
  for (const [day, says] of Object.entries(days)) t.equal(held(london, day), says, day)
  const frankfurt = await readCalendar(root, 'XETR')
  t.equal(held(frankfurt, '2021-05-24'), 'Whit Monday')
  t.equal(held(frankfurt, '2022-06-06'), '06-06T07:00 06-06T15:30')
  t.equal(held(frankfurt, '2018-12-28'), '12-28T08:00 12-28T13:00')
})

await t.test('daylight saving time is that of the market', async t => {
  const [newYork, london] = [await readCalendar(root, 'XNYS'), await readCalendar(root, 'XLON')]
  t.equal(held(newYork, '2024-03-08'), '03-08T14:30 03-08T21:00')
  t.equal(held(newYork, '2024-03-11'), '03-11T13:30 03-11T20:00')
  t.equal(held(london, '2024-03-28'), '03-28T08:00 03-28T16:30', 'Europe changes three weeks later')
  t.equal(held(london, '2024-04-02'), '04-02T07:00 04-02T15:30')
  t.equal(held(newYork, '2024-11-04'), '11-04T14:30 11-04T21:00')
})

await t.test('a session that opens on the day before belongs to the day on which it closes', async t => {
  const calendar = await readCalendar(root, 'CMES')
  t.equal(held(calendar, '2024-01-08'), '01-07T23:00 01-08T22:00', 'Monday begins on Sunday')
  t.equal(held(calendar, '2024-03-11'), '03-10T22:00 03-11T21:00', 'and after the change of the clock an hour earlier')
  t.match(calendar.sessionAt(at('2024-01-07T23:30:00Z')), { day: '2024-01-08' })
  t.notOk(calendar.isOpen(at('2024-01-08T22:30:00Z')), 'the break')
  t.match(held(calendar, '2024-11-28'), /T18:00$/, 'Thanksgiving ends at noon')
  t.equal(held(calendar, '2024-12-25'), 'Christmas Day')
  t.equal(new Date(calendar.nextOpen(at('2024-12-24T18:15:00Z')) as number).toISOString(), '2024-12-25T23:00:00.000Z')
  t.match(calendar.sessionAt(at('2024-12-31T12:00:00Z')), { day: '2024-12-31' })
  t.match(calendar.sessionAt(at('2025-01-01T23:30:00Z')), { day: '2025-01-02' }, 'after the holiday of New Year')
})

await t.test('always open means at every moment, over the end of the year, too', async t => {
  const calendar = await readCalendar(root, '24x7')
  for (const time of ['2024-02-29T12:00:00Z', '2024-12-31T23:59:59.999Z', '2025-01-01T00:00:00Z', '2000-01-01T00:00:00Z']) t.ok(calendar.isOpen(at(time)), time)
  t.equal(calendar.sessions('2024-01-01', '2024-12-31').length, 366)
  t.equal(calendar.nextOpen(at('2024-12-31T00:00:00.001Z')), at('2025-01-01T00:00:00Z'))
})

await t.test('isOpen, sessionAt and nextOpen agree with the sessions at every hour of two years', async t => {
  for (const name of ['XNYS', 'CMES']) {
    const calendar = await readCalendar(root, name)
    const sessions = calendar.sessions('2022-12-01', '2025-02-01')
    let next = 0
    let wrong = 0
    for (let ms = at('2023-01-01T00:00:00Z'); ms < at('2025-01-01T00:00:00Z'); ms += hourMs / 2) {
      while (sessions[next]!.openMs < ms) next++
      const current = sessions[next]!.openMs === ms ? sessions[next] : sessions[next - 1]
      const open = current !== undefined && current.openMs <= ms && ms < current.closeMs
      if (calendar.isOpen(ms) !== open || calendar.nextOpen(ms) !== sessions[next]!.openMs || (open && calendar.sessionAt(ms)?.day !== current.day)) wrong++
    }
    t.equal(wrong, 0, name)
  }
})

await t.test('times that are none are closed, and years without a session have no next open', async t => {
  const calendar = await own(t, 'time_zone: UTC\nfrom: 2024-01-01\nto: 2024-12-31\nsessions: [{ days: [monday], open: 09:00, close: 12:00, to: 2024-12-31 }]\n')
  for (const ms of [NaN, Infinity, -Infinity, 8.64e15, -8.64e15, 1e12 * 1e9]) {
    t.notOk(calendar.isOpen(ms))
    t.equal(calendar.nextOpen(ms), undefined)
  }
  t.equal(calendar.nextOpen(at('2025-01-01T00:00:00Z')), undefined)
  t.equal(calendar.nextOpen(at('2024-01-01T09:00:00Z')), at('2024-01-01T09:00:00Z'), 'a session that opens now counts')
  t.throws(() => calendar.sessions('2024-02-30', '2024-03-01'), { code: 'REQUEST_INVALID', message: /"2024-02-30" is no day/ })
  t.throws(() => calendar.holiday('today'), { code: 'REQUEST_INVALID' })
  t.strictSame(calendar.sessions('2024-03-01', '2024-02-01'), [])
  t.strictSame(calendar.covers, { from: '2024-01-01', to: '2024-12-31' })
})

await t.test('a calendar of one\'s own: a break at noon, other hours from a day on, a close before the second session', async t => {
  const calendar = await own(t, `
time_zone: Asia/Tokyo
from: 2024-01-01
to: 2025-12-31
sessions:
  - { days: [monday, tuesday, wednesday, thursday, friday], open: 12:30, close: 15:00, to: 2024-11-04 }
  - { days: [monday, tuesday, wednesday, thursday, friday], open: 12:30, close: 15:30, from: 2024-11-05 }
  - { days: [monday, tuesday, wednesday, thursday, friday], open: 09:00, close: 11:30 }
holidays:
  - { name: Respect for the Aged Day, on: third monday of september }
early_closes:
  - { name: Half a day, on: 2024-12-30, close: 11:30 }
`)
  t.equal(held(calendar, '2024-11-01'), '11-01T00:00 11-01T02:30, 11-01T03:30 11-01T06:00')
  t.equal(held(calendar, '2024-11-05'), '11-05T00:00 11-05T02:30, 11-05T03:30 11-05T06:30')
  t.equal(held(calendar, '2024-12-30'), '12-30T00:00 12-30T02:30')
  t.equal(held(calendar, '2024-09-16'), 'Respect for the Aged Day')
})

await t.test('what is wrong with a file is told with its place', async t => {
  const lines = problems(`time_zone: America/New_Yrok
from: 2024-02-30
to: 2025-12-31
sessions:
  - { days: [monday], open: 16:00, close: 09:30 }
holidays:
  - { name: A, on: thrid monday of january }
  - { name: B, on: february 30 }
  - { name: C, on: 2023-02-29 }
  - { name: D, on: [easter - 2, someday] }
  - { name: E, on: may 1, from: 2025, to: 2020 }
`)
  const expected = [
    /own\.yaml:1:1 time_zone: "America\/New_Yrok" is no time zone/,
    /own\.yaml:2:1 from: there is no such day as 2024-02-30/,
    /own\.yaml:5:\d+ sessions\[0\]\.close: must be after open \(16:00\)/,
    /own\.yaml:7:\d+ holidays\[0\]\.on: "thrid" is not allowed; did you mean "third"\?/,
    /holidays\[1\]\.on: february has no day 30/,
    /holidays\[2\]\.on: there is no such day/,
    /holidays\[3\]\.on\[1\]: write a day \(2012-10-29\)/,
    /holidays\[4\]\.to: must not be before from/
  ]
  t.equal(lines.length, expected.length, lines.join('\n'))
  for (const [i, line] of lines.entries()) t.match(line, expected[i])
  t.match(problems('time_zone: UTC\nfrom: 2024-01-01\nto: 2024-12-31\nsessions: []\nholydays: []\n').join('\n'), /holydays: unknown key; did you mean "holidays"\?/)
  t.match(problems('time_zone: UTC\nfrom: 2024-01-01\nto: 2024-12-31\nsessions: [{ days: [mondey], open: 9:00, close: 10:00 }]').join('\n'), /did you mean "monday"\?(.|\n)*open: must match/)
  t.match(problems('time_zone: UTC\nfrom: 2024-01-01\nto: 2024-12-31\nsessions:\n  - { days: [monday], open: 17:00, close: 16:00, overnight: true }\n  - { days: [sunday], open: 16:00, close: 18:00 }').join('\n'), /sessions: the sessions of (sunday and monday|monday and sunday) overlap/)
})

await t.test('lint checks the calendars', async t => {
  const folder = t.testdir({ config: { calendars: { 'own.yaml': 'time_zone: UTC\nfrom: 2024-01-01\nto: 2024-12-31\nsessions: []\n', '24x7.yaml': await readFile(join(root, 'config/calendars/24x7.yaml'), 'utf8') } }, 'package.json': '{}' })
  const { terminal, lines, complaints } = capture(folder)
  t.equal(await main(['lint'], terminal), 1)
  t.strictSame([...lines, ...complaints], ['config/calendars/own.yaml:4:1 sessions: must not be empty', '2 files checked, 1 problem'])
})

await t.test('a calendar that does not exist is told with those that do', async t => {
  t.strictSame((await calendarNames(root)).toSorted(), ['24x7', 'CMES', 'XETR', 'XLON', 'XNAS', 'XNYS'])
  await t.rejects(readCalendar(root, 'xnys'), { code: 'CONFIG_INVALID', message: /there is no market calendar "xnys"; did you mean "XNYS"\?/ })
  await t.rejects(readCalendar(root, '../platform'), { code: 'CONFIG_INVALID' })
})
