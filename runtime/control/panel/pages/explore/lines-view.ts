import { kindOf } from '../data/shapes.ts'
import { Chart, SERIES_MAX } from '../../parts/chart.ts'
import { Empty } from '../../parts/problem.ts'
import { html, useMemo, useState } from '../../kit/html.ts'
import type { Series } from '../../parts/chart.ts'
import type { VNode } from '../../kit/html.ts'
import type { DatasetColumn, Row } from '../data/shapes.ts'

const favourites = ['last', 'close', 'price', 'mid', 'mark', 'value']

/** One number over time, a line for each symbol. */
export function LinesView ({ title, rows, columns, keys }: { readonly title: string, readonly rows: readonly Row[], readonly columns: readonly DatasetColumn[], readonly keys: readonly string[] }): VNode {
  const times = columns.filter(column => kindOf(column) === 'time' || kindOf(column) === 'day').map(({ name }) => name)
  const numbers = columns.filter(column => kindOf(column) === 'number').map(({ name }) => name)
  const [chosen, setChosen] = useState(favourites.find(name => numbers.includes(name)) ?? numbers[0] ?? '')
  const [time] = times
  const field = numbers.includes(chosen) ? chosen : numbers[0] ?? ''
  const present = keys.filter(key => columns.some(({ name }) => name === key))
  const series = useMemo(() => seriesOf(rows, { time, field, present }), [rows, field, time])
  if (time === undefined || numbers.length === 0) return html`<${Empty} title="Nothing to draw">A chart needs a time and a number among the fields.</${Empty}>`
  return html`<div class="filters"><div class="field"><label for="line-field">Field</label><select id="line-field" value=${field} onChange=${(event: Event) => setChosen((event.target as HTMLSelectElement).value)}>${numbers.map(name => html`<option value=${name}>${name}</option>`)}</select></div></div>
    <${Chart} title=${`${title}: ${field}`} series=${series} height=${360} zero=${false} />
    ${series.length > SERIES_MAX && html`<p class="faint small">The first ${SERIES_MAX} of ${series.length} are drawn; the table has all.</p>`}`
}

function seriesOf (rows: readonly Row[], { time = '', field, present }: { readonly time: string | undefined, readonly field: string, readonly present: readonly string[] }): Series[] {
  const groups = Map.groupBy(rows.filter(row => row[field] !== null && row[field] !== undefined), row => present.map(key => String(row[key])).join(' '))
  return [...groups].map(([label, group]) => ({
    label: label === '' ? field : label,
    points: group.map(row => [Date.parse(String(row[time])), Number(row[field])] as const).sort(([a], [b]) => a - b)
  }))
}
