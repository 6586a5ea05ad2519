// Numbers for people: short, with a unit, and with digits of one width wherever they stand below each other.

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 })

/** `1,234`, from 100,000 on `123.4K`. */
export function count (value: number | undefined | null): string {
  if (value === undefined || value === null || Number.isNaN(value)) return '–'
  return Math.abs(value) < 100_000 ? whole.format(value) : compact.format(value)
}

/** A number with about three digits that matter. */
export function number (value: number | undefined | null): string {
  if (value === undefined || value === null || Number.isNaN(value)) return '–'
  const size = Math.abs(value)
  if (size >= 1000) return count(value)
  return size === 0 ? '0' : size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 0.01 ? value.toFixed(2) : value.toPrecision(2)
}

/** Rows a second. */
export function rate (value: number | undefined | null): string {
  return value === undefined || value === null ? '–' : `${value < 0.05 ? '0' : value < 100 ? value.toFixed(1) : count(value)}/s`
}

const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']

export function bytes (value: number | undefined | null): string {
  if (value === undefined || value === null) return '–'
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3))
  const scaled = value / 1000 ** power
  return `${power === 0 ? scaled.toFixed(0) : scaled.toPrecision(3)} ${units[power]}`
}

/** `0.3 s`, `42 s`, `3 min`, `5 h`, `12 d` */
export function seconds (value: number | undefined | null): string {
  if (value === undefined || value === null || Number.isNaN(value)) return '–'
  if (value < 10) return `${value < 0.05 ? '0' : value.toFixed(1)} s`
  if (value < 100) return `${value.toFixed(0)} s`
  if (value < 5400) return `${Math.round(value / 60)} min`
  return value < 172_800 ? `${Math.round(value / 3600)} h` : `${Math.round(value / 86_400)} d`
}

export function money (value: number | undefined | null, currency = 'USD'): string {
  if (value === undefined || value === null) return '–'
  return new Intl.NumberFormat('en-US', { style: 'currency', currency, maximumFractionDigits: Math.abs(value) < 10 ? 2 : 0 }).format(value)
}

export function percent (share: number | undefined | null): string {
  return share === undefined || share === null ? '–' : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)}%`
}

/** `1 row`, `2 rows` */
export function plural (value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}
