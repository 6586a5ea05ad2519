// A day as the number of days since 1970-01-01: no zone, no hours, so that adding is adding.

const dayMs = 86_400_000
const pattern = /^(\d{4})-(\d\d)-(\d\d)$/

/** Of `2024-07-03`; undefined: it is no day of any calendar. */
export function parseDay (text: string): number | undefined {
  const [, year, month, day] = pattern.exec(text) ?? []
  if (year === undefined) return undefined
  const number = dayOf(Number(year), Number(month), Number(day))
  return formatDay(number) === text ? number : undefined
}

/** `2024-07-03` */
export function formatDay (day: number): string {
  return new Date(day * dayMs).toISOString().slice(0, 10)
}

/** `month` from 1 on; what is beyond its end goes on in the next one, as with Date. */
export function dayOf (year: number, month: number, day: number): number {
  const date = new Date(0)
  // Not Date.UTC: it takes the year 24 for 1924.
  date.setUTCFullYear(year, month - 1, day)
  return date.getTime() / dayMs
}

export function yearOf (day: number): number {
  return new Date(day * dayMs).getUTCFullYear()
}

/** 0: Monday. */
export function weekdayOf (day: number): number {
  // 1970-01-01 was a Thursday.
  return (((day + 3) % 7) + 7) % 7
}

/** Easter Sunday of the western churches, by the arithmetic of Gauss with the corrections for the Gregorian calendar. */
export function easterOf (year: number): number {
  const golden = year % 19
  const century = Math.floor(year / 100)
  const moon = (century - Math.floor(century / 4) - Math.floor((8 * century + 13) / 25) + 19 * golden + 15) % 30
  const full = moon - Math.floor(moon / 28) * (1 - Math.floor(29 / (moon + 1)) * Math.floor((21 - golden) / 11))
  const weekday = (year + Math.floor(year / 4) + full + 2 - century + Math.floor(century / 4)) % 7
  const sunday = full - weekday
  return dayOf(year, 3, 28 + sunday)
}
