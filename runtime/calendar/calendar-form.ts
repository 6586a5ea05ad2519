// The form of config/calendars/<name>.yaml as JSON Schema: it checks the files and completes them in an editor.

import { observances, weekdays } from './rule.ts'

/** What the file holds once it is checked. */
export interface CalendarText {
  readonly description?: string
  readonly time_zone: string
  readonly from: string
  readonly to: string
  readonly sessions: readonly SessionText[]
  readonly holidays: readonly HolidayText[]
  readonly early_closes: ReadonlyArray<HolidayText & { readonly close: string }>
}
export interface SessionText {
  readonly days: readonly string[]
  readonly open: string
  readonly close: string
  readonly overnight: boolean
  readonly from?: string
  readonly to?: string
}
export interface HolidayText {
  readonly name: string
  readonly on: string | readonly string[]
  readonly observed: keyof typeof observances
  readonly weekdays?: readonly string[]
  readonly from?: number
  readonly to?: number
  readonly except?: readonly number[]
}

const day = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\d$', description: 'A day such as 2024-07-03.' }
const year = { type: 'integer', minimum: 1900, maximum: 2200 }
const time = (description: string): object => ({ type: 'string', pattern: '^(?:[01]\\d|2[0-3]):[0-5]\\d$|^24:00$', description })
const weekdayList = (description: string): object => ({ type: 'array', minItems: 1, uniqueItems: true, items: { type: 'string', enum: weekdays }, description })

const holiday = {
  name: { type: 'string', minLength: 1, maxLength: 100, description: 'Shown where a day has no session.' },
  on: {
    type: ['string', 'array'],
    items: { type: 'string' },
    minItems: 1,
    maxItems: 500,
    description: 'A day of a month (december 25), a weekday (third monday of january, last monday of may), easter (Easter Sunday), each with days to add (easter - 2), or one day (2012-10-29); or a list of them.'
  },
  observed: { type: 'string', enum: Object.keys(observances), default: 'same', description: `What a weekend does to it: ${Object.entries(observances).map(([name, does]) => `${name}: ${does}`).join('; ')}.` },
  weekdays: weekdayList('It counts only where it falls on one of these; any where it is left out.'),
  from: { ...year, description: 'The first year in which it is kept.' },
  to: { ...year, description: 'The last year in which it is kept.' },
  except: { type: 'array', items: year, description: 'Years in which it is not kept.' }
}

export const calendarForm = {
  type: 'object',
  additionalProperties: false,
  required: ['time_zone', 'from', 'to', 'sessions'],
  properties: {
    description: { type: 'string', description: 'For people.' },
    time_zone: { type: 'string', minLength: 1, description: 'Of all times in the file: an IANA name, such as America/New_York.' },
    from: { ...day, description: 'The first day for which the file is right.' },
    to: { ...day, description: 'The last day for which the file is right as far as it is known: later closures have to be added.' },
    sessions: {
      type: 'array',
      minItems: 1,
      maxItems: 100,
      description: 'When the market is open. Several may cover one weekday, as with a break at noon.',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['days', 'open', 'close'],
        properties: {
          days: weekdayList('The weekdays that the session belongs to.'),
          open: time('When it opens, such as 09:30.'),
          close: time('When it closes, such as 16:00; 24:00 is the end of the day.'),
          overnight: { type: 'boolean', default: false, description: 'It opens on the day before.' },
          from: { ...day, description: 'The first day on which it is held.' },
          to: { ...day, description: 'The last day on which it is held.' }
        }
      }
    },
    holidays: {
      type: 'array',
      default: [],
      maxItems: 1000,
      description: 'Days without a session.',
      items: { type: 'object', additionalProperties: false, required: ['name', 'on'], properties: holiday }
    },
    early_closes: {
      type: 'array',
      default: [],
      maxItems: 1000,
      description: 'Days on which the last session ends earlier.',
      items: { type: 'object', additionalProperties: false, required: ['name', 'on', 'close'], properties: { ...holiday, close: time('When the market closes on these days.') } }
    }
  }
} as const
