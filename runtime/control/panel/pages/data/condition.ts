import { Table } from '../../parts/table.ts'
import { Mark } from '../../parts/mark.ts'
import { Loaded } from '../../parts/problem.ts'
import { Time } from '../../parts/time.ts'
import { dayLabel, utc } from '../../kit/clock.ts'
import { classes, html, useEffect, useRef, useState } from '../../kit/html.ts'
import { count } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { Dataset, DayCondition } from './shapes.ts'
import type { Resource } from '../../kit/resource.ts'
import type { VNode } from '../../kit/html.ts'

const DAY_MS = 86_400_000
const WEEKS = 24
const EVERY_MS = 30_000
/** So few stand in one row; more of them in weeks. */
const FEW_DAYS = 21
const laneWords = { warehouse: 'warehouse', streaming: 'streaming', both: 'both lanes' } as const

/** The last half year, a cell a day: its colour says how complete it is, the band at its foot in which lane its rows are. */
export function ConditionStrip ({ dataset }: { readonly dataset: Dataset }): VNode {
  const { dataset: name, boundary_day: boundary } = dataset
  const days = useConditions(dataset)
  const [asTable, setAsTable] = useState(false)
  const grid = useRef<HTMLOListElement>(null)
  const shown = (days.data?.days ?? []).slice(firstOf(days.data?.days ?? []))
  const few = shown.length <= FEW_DAYS
  // Where it is too narrow for all of them, the newest days are the ones to see.
  useEffect(() => { grid.current?.scrollTo({ left: grid.current.scrollWidth }) }, [asTable, shown.length])
  return html`<${Loaded} of=${days}>${() => html`
    ${asTable
      ? html`<${ConditionTable} days=${shown} />`
      : html`<ol class=${classes('day-grid condition-grid', few && 'few')} ref=${grid} aria-label="Days, the oldest first">${shown.map((one, i) => html`<li key=${one.day} style=${i === 0 && !few ? { gridRowStart: new Date(one.day).getUTCDay() + 1 } : {}}><${Cell} name=${name} day=${one} /></li>`)}</ol>`}
    <div class="legend day-legend">
      ${(['available', 'degraded', 'pending', 'missing'] as const).map(condition => html`<span><i class=${condition}></i>${condition}</span>`)}
      <span><i class="lane-warehouse"></i>in the warehouse</span><span><i class="lane-streaming"></i>in the streaming database</span>
      <button type="button" class="small end" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}>${asTable ? 'Calendar' : 'Table'}</button>
    </div>
    <p class="soft">${boundaryWords(boundary, shown)}</p>`}</${Loaded}>`
}

/** Where the two lanes meet, for people who have not heard of it. */
function boundaryWords (boundary: string | null, days: readonly DayCondition[]): string {
  if (boundary !== null) return `Days before ${boundary} are in the warehouse: checked, complete, and no longer changing. From ${boundary} on, rows come from the streaming database as they arrive. Every answer reads both sides at one boundary, so that no row is missing and none comes twice.`
  const filled = days.filter(({ rows }) => rows > 0)
  return filled.length > 0 && filled.every(({ lane }) => lane === 'warehouse')
    ? 'All rows are loaded into the warehouse directly: there is nothing to hand over, and no row waits in the streaming database.'
    : 'No day was handed over to the warehouse yet: all rows come from the streaming database, as they arrive.'
}

/** Days before the first row are not missing: there was nothing yet. */
function firstOf (days: readonly DayCondition[]): number {
  const first = days.findIndex(({ rows, condition }) => rows > 0 || condition !== 'missing')
  return first < 0 ? days.length : first
}

/** Conditions of the last half year, or of the half year until its newest row; everything that shows them shares one call. */
export function useConditions ({ dataset, freshness: { last_event_at: newest } }: Dataset): Resource<{ readonly days: readonly DayCondition[] }> {
  const span = WEEKS * 7 * DAY_MS
  const newestMs = newest === null ? Date.now() : Date.parse(newest)
  const old = newestMs < Date.now() - span
  const end = old ? `&end=${utc(newestMs + DAY_MS).slice(0, 10)}` : ''
  return useResource(`/v1/datasets/${encodeURIComponent(dataset)}/condition?start=${utc((old ? newestMs : Date.now()) - span).slice(0, 10)}${end}`, { every: EVERY_MS })
}

function Cell ({ name, day: { day, condition, rows, lane, reason } }: { readonly name: string, readonly day: DayCondition }): VNode {
  const words = `${day}: ${condition}${rows > 0 ? `, ${count(rows)} rows, ${laneWords[lane]}` : ''}${reason === '' ? '' : `. ${reason}`}`
  const end = utc(Date.parse(day) + DAY_MS).slice(0, 10)
  return html`<a class=${classes('day', condition, day.endsWith('-01') && 'first', rows > 0 && `lane-${lane}`)} href=${href(['explore'], { dataset: name, start: day, end })} aria-label=${words} title=${words}>${dayLabel(day)}</a>`
}

function ConditionTable ({ days }: { readonly days: readonly DayCondition[] }): VNode {
  return html`<${Table} label="Days" rows=${days.toReversed()} keyOf=${({ day }: DayCondition) => day} columns=${[
    { id: 'day', title: 'Day', value: ({ day }: DayCondition) => day },
    { id: 'condition', title: 'Condition', value: ({ condition }: DayCondition) => condition, cell: ({ condition }: DayCondition) => html`<${Mark} state=${condition} />` },
    { id: 'rows', title: 'Rows', right: true, value: ({ rows }: DayCondition) => rows, cell: ({ rows }: DayCondition) => count(rows) },
    { id: 'lane', title: 'Lane', value: ({ lane }: DayCondition) => lane, cell: ({ lane, rows }: DayCondition) => rows === 0 ? '–' : laneWords[lane] },
    { id: 'changed', title: 'Written', wide: true, value: (one: DayCondition) => one.last_modified_at, cell: (one: DayCondition) => one.last_modified_at === null ? '–' : html`<${Time} at=${one.last_modified_at} />` },
    { id: 'reason', title: 'Why', wide: true, grow: true, cell: ({ reason }: DayCondition) => html`<span class="faint">${reason}</span>` }
  ]} />`
}
