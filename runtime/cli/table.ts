/** Rows under headings, each column as wide as it must be; the last one has no padding. Columns named in `right` hold numbers. */
export function table (headings: readonly string[], rows: ReadonlyArray<readonly string[]>, right: readonly string[] = []): string[] {
  const widths = headings.map((heading, column) => Math.max(heading.length, ...rows.map(row => row[column]?.length ?? 0)))
  return [headings, ...rows].map(row => headings.map((heading, column) => {
    const text = row[column] ?? ''
    return right.includes(heading) ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0)
  }).join('   ').trimEnd())
}

/** 1234567 as 1,234,567. */
export function count (n: number): string {
  return Math.round(n).toLocaleString('en-US')
}

/** In the largest unit that leaves a digit before the point: 0.2s, 3m, 5h, 2d. */
export function duration (seconds: number): string {
  if (seconds < 10) return `${seconds === 0 ? 0 : Math.max(0.1, seconds).toFixed(1)}s`
  if (seconds < 120) return `${Math.round(seconds)}s`
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)}h`
  return `${Math.round(seconds / 86_400)}d`
}

/** 12 KB, 3.4 MB: powers of 1024. */
export function size (bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** ms since 1970 as 2024-01-02T06:00:00Z. */
export function moment (ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z')
}
