import { readCalendar } from '../calendar/calendar.ts'
import type { Sessions } from './windows.ts'

/** Market calendars by name. Throws CONFIG_INVALID where there is none, or it is wrong. */
export type Calendars = (name: string) => Promise<Sessions>

/** The calendars of a project; each is read once. */
export function calendarsOf (root: string): Calendars {
  const read = new Map<string, Promise<Sessions>>()
  return name => {
    const known = read.get(name) ?? Promise.resolve(readCalendar(root, name))
    read.set(name, known)
    return known
  }
}
