// Charts over time. The canvas is one of three forms of the same numbers: a sentence says how they went, and a table holds
// them all. The code that draws is loaded when the first chart is shown.

import { Icon } from './icon.ts'
import { Table } from './table.ts'
import { Empty } from './problem.ts'
import { theme } from '../kit/theme.ts'
import { utc } from '../kit/clock.ts'
import { html, useEffect, useMemo, useRef, useState } from '../kit/html.ts'
import { number } from '../kit/number.ts'
import type { ComponentChildren, VNode } from '../kit/html.ts'

export interface Series {
  readonly label: string
  /** ms since 1970 and value, in the order of time; null: a gap. */
  readonly points: ReadonlyArray<readonly [at: number, value: number | null]>
}

export interface ChartProps {
  readonly title: string
  readonly series: readonly Series[]
  /** Pixels. */
  readonly height?: number
  readonly format?: (value: number) => string
  readonly empty?: ComponentChildren
  /** What the time axis shows, ms since 1970; left out: from the first point to the last. */
  readonly from?: number
  readonly to?: number
  /** Whether the value axis begins at zero, as it does unless it is prices that are shown. */
  readonly zero?: boolean
}

/** Series of one chart that are drawn; the table has all. */
export const SERIES_MAX = 8

export function Chart ({ title, series, height = 160, format = number, empty, from, to, zero = true }: ChartProps): VNode {
  const place = useRef<HTMLDivElement>(null)
  const [asTable, setAsTable] = useState(false)
  const drawn = series.slice(0, SERIES_MAX)
  const isEmpty = drawn.every(({ points }) => points.length === 0)
  const look = theme.value
  useEffect(() => {
    const element = place.current
    if (element === null || asTable || isEmpty) return
    let end = (): void => {}
    let left = false
    void import('./plot.ts').then(({ plot }) => { if (!left) end = plot(element, { series: drawn, height, format, from, to, zero }) })
    return () => {
      left = true
      end()
    }
  }, [series, asTable, isEmpty, height, look])
  if (isEmpty) return html`<figure class="chart"><figcaption><strong>${title}</strong></figcaption><${Empty} title="No numbers yet">${empty}</${Empty}></figure>`
  return html`<figure class="chart">
    <figcaption>
      <strong>${title}</strong>
      <button type="button" class="small" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}><${Icon} name=${asTable ? 'status' : 'logs'} size=${12} />${asTable ? 'Chart' : 'Table'}</button>
    </figcaption>
    ${asTable ? html`<${Numbers} title=${title} series=${series} format=${format} />` : html`<div ref=${place} class="plot" role="img" aria-label=${`${title}: ${summary(drawn, format)}`} style=${{ minHeight: `${height}px` }}></div>`}
    <p class="legend">${drawn.map(({ label, points }, i) => html`<span><i class=${`series-${i}`}></i>${label} <strong>${shown(points.findLast(([, value]) => value !== null)?.[1], format)}</strong></span>`)}</p>
  </figure>`
}

function Numbers ({ title, series, format }: { readonly title: string, readonly series: readonly Series[], readonly format: (value: number) => string }): VNode {
  const rows = useMemo(() => {
    const byTime = new Map<number, Array<number | null>>()
    series.forEach(({ points }, i) => {
      for (const [at, value] of points) {
        const row = byTime.get(at) ?? Array.from({ length: series.length }, () => null)
        row[i] = value
        byTime.set(at, row)
      }
    })
    return [...byTime].map(([at, values]) => ({ at, values })).sort((a, b) => b.at - a.at)
  }, [series])
  const columns = [
    { id: 'at', title: 'UTC', value: (row: { at: number }) => row.at, cell: (row: { at: number }) => utc(row.at) },
    ...series.map(({ label }, i) => ({ id: `s${i}`, title: label, right: true, value: (row: { values: Array<number | null> }) => row.values[i], cell: (row: { values: Array<number | null> }) => shown(row.values[i], format) }))
  ]
  return html`<${Table} label=${`${title} as a table`} rows=${rows} columns=${columns} keyOf=${(row: { at: number }) => String(row.at)} />`
}

function shown (value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? '–' : format(value)
}

/** `now 4.3/s, between 0/s and 12/s, 5.1/s on average` */
function summary (series: readonly Series[], format: (value: number) => string): string {
  return series.map(({ label, points }) => {
    const values = points.map(([, value]) => value).filter(value => value !== null)
    const last = values.at(-1)
    if (last === undefined) return `${label}: no numbers`
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const text = `now ${format(last)}, between ${format(Math.min(...values))} and ${format(Math.max(...values))}, ${format(mean)} on average`
    return series.length === 1 ? text : `${label}: ${text}`
  }).join('; ')
}
