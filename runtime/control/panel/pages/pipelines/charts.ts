import { Chart } from '../../parts/chart.ts'
import { Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { addressOf } from '../../kit/api.ts'
import { classes, html, useMemo } from '../../kit/html.ts'
import { count, number, rate, seconds } from '../../kit/number.ts'
import { href, route } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { VNode } from '../../kit/html.ts'

const EVERY_MS = 10_000
const POINTS = 240
const spans = ['15m', '1h', '6h', '1d', '7d'] as const

export interface SeriesAnswer {
  readonly series: ReadonlyArray<{ readonly labels: { readonly part: string, readonly step: string }, readonly points: ReadonlyArray<readonly [number, number]> }>
  readonly unit: string
}

const charts = [
  { name: 'twolane_rows_total', title: 'Rows a second', format: (value: number) => rate(value) },
  { name: 'twolane_lag_seconds', title: 'Lag', format: (value: number) => seconds(value) },
  { name: 'twolane_latency_seconds', title: 'Latency from topic to destination, 99th percentile', format: (value: number) => value < 1 ? `${Math.round(value * 1000)} ms` : seconds(value) },
  { name: 'twolane_rejected_rows_total', title: 'Rejected rows a second', format: (value: number) => number(value) },
  { name: 'twolane_lag_rows', title: 'Rows that wait', format: (value: number) => count(value) },
  { name: 'twolane_step_failures_total', title: 'Failures a second', format: (value: number) => number(value) }
] as const

const unitsMs = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `6h` in ms. */
export function spanMs (span: string): number {
  return Number.parseInt(span) * unitsMs[span.at(-1) as keyof typeof unitsMs]
}

/** Rate, lag, latency and errors of one part over time. */
export function PipelineCharts ({ part }: { readonly part: string }): VNode {
  const { path, query } = route.value
  const last = spans.find(span => span === query['last']) ?? '1h'
  return html`<${Section} title="Over time" actions=${html`<nav class="segments text" aria-label="Span">${spans.map(span => html`<a href=${href(path, { ...query, last: span })} class=${classes(span === last && 'current')} aria-current=${span === last ? 'true' : undefined}>${span}</a>`)}</nav>`}>
    <div class="columns">${charts.map(chart => html`<${One} key=${`${chart.name} ${last}`} part=${part} last=${last} ...${chart} />`)}</div>
  </${Section}>`
}

function One ({ part, last, name, title, format }: { readonly part: string, readonly last: string, readonly name: string, readonly title: string, readonly format: (value: number) => string }): VNode {
  const answer = useResource<SeriesAnswer>(addressOf('/v1/series', { name, part, last, points: POINTS }), { every: EVERY_MS })
  const series = useMemo(() => (answer.data?.series ?? []).map(({ labels, points }) => ({ label: labels.step === '' ? part : labels.step, points })), [answer.data])
  return html`<div><${Loaded} of=${answer} lines=${4}>${() => html`<${Chart} title=${title} series=${series} format=${format} from=${answer.at - spanMs(last)} to=${answer.at} empty="Nothing was measured in this time." />`}</${Loaded}></div>`
}
