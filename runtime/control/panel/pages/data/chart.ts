import { kindOf } from './shapes.ts'
import { presets, RangePicker } from '../../parts/range.ts'
import { BarsView } from '../explore/bars-view.ts'
import { SymbolsField } from '../explore/symbols-field.ts'
import { everyFor, spanOf } from '../explore/every.ts'
import { callOf, listOf } from '../explore/question.ts'
import { Labelled } from '../../parts/form.ts'
import { Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { addressOf } from '../../kit/api.ts'
import { html } from '../../kit/html.ts'
import { href, route, setQuery } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { Control } from '../../parts/form.ts'
import type { RangeText } from '../../parts/range.ts'
import type { VNode } from '../../kit/html.ts'
import type { DatasetDetail, DatasetRange, RowsPage } from './shapes.ts'

const EVERY_MS = 10_000
const DAY_MS = 86_400_000
const BARS_MAX = 5000
/** As the platform finds prices by itself. */
const priced = /^(?:close|last|price|mid|mark|bid|ask)$/

/** Prices over time: candles of one symbol, lines of several. */
export function ChartTab ({ dataset }: { readonly dataset: DatasetDetail }): VNode {
  const { query } = route.value
  const bounds = useResource<DatasetRange>(`/v1/datasets/${encodeURIComponent(dataset.dataset)}/range`)
  const numbers = dataset.columns.filter(column => kindOf(column) === 'number' && !column.name.startsWith('_')).map(({ name }) => name)
  if (numbers.length === 0 || dataset.event_time === '') return html`<${Empty} title="Nothing to draw">The dataset has no field of numbers, or no time.</${Empty}>`
  const given: RangeText = { last: query['last'], start: query['start'], end: query['end'] }
  const range = given.last === undefined && given.start === undefined && given.end === undefined ? { last: presetFor(dataset, bounds.data) } : given
  const price = query['price'] ?? (numbers.some(name => priced.test(name)) ? undefined : numbers[0])
  const symbols = query['symbols'] ?? String(dataset.sample[0]?.[dataset.key[0] ?? ''] ?? '')
  const every = query['every'] ?? everyFor(spanOf(range))
  const question = { kind: 'bars' as const, dataset: dataset.dataset, params: { ...range, symbols: symbols === '' ? undefined : symbols, every, price, sort: 'desc', limit: String(BARS_MAX) } }
  return html`<${Section} title="Chart" note=${`bars of ${every}`} actions=${html`<a class="button small" href=${href(['explore'], { dataset: dataset.dataset, kind: 'bars', ...question.params, sort: undefined, limit: undefined, run: 1 })}>In Explore</a>`}>
    <div class="filters">
      <${RangePicker} range=${range} onChange=${(next: RangeText) => setQuery({ ...next, every: undefined })} />
      ${dataset.key.length > 0 && html`<${SymbolsField} dataset=${dataset.dataset} symbols=${listOf(symbols)} onChange=${(next: readonly string[]) => setQuery({ symbols: next.join(',') })} />`}
      <${Labelled} label="Price">${(control: Control) => html`<select ...${control} value=${price ?? ''} onChange=${(event: Event) => setQuery({ price: (event.target as HTMLSelectElement).value })}><option value="">automatic</option>${numbers.map(name => html`<option value=${name}>${name}</option>`)}</select>`}</${Labelled}>
    </div>
    ${bounds.data === undefined ? undefined : html`<${Bars} path=${pathOf(question)} keys=${dataset.key} dataset=${dataset.dataset} />`}
  </${Section}>`
}

function pathOf (question: Parameters<typeof callOf>[0]): string {
  const { path, query } = callOf(question, 'json')
  return addressOf(path, { ...query, page_size: BARS_MAX })
}

function Bars ({ path, keys, dataset }: { readonly path: string, readonly keys: readonly string[], readonly dataset: string }): VNode {
  const bars = useResource<RowsPage>(path, { every: EVERY_MS })
  return html`<${Loaded} of=${bars} lines=${8}>${({ rows }: RowsPage) => html`<${BarsView} title=${dataset} rows=${rows.toReversed()} keys=${keys} />`}</${Loaded}>`
}

/** The shortest time that reaches back to the newest row and holds some hundred of them. */
function presetFor ({ rows, freshness }: DatasetDetail, bounds: DatasetRange | undefined): string {
  const [start, end] = [bounds?.start, freshness.last_event_at].map(text => text === null || text === undefined ? NaN : Date.parse(text)) as [number, number]
  if (Number.isNaN(start) || Number.isNaN(end)) return '1d'
  const perDay = rows / Math.max(1 / 24, (end - start) / DAY_MS)
  const age = (Date.now() - end) / DAY_MS
  return presets.map(([last]) => last).find(last => spanOf({ last }) / DAY_MS > age && (spanOf({ last }) / DAY_MS - age) * perDay > 300) ?? '365d'
}
