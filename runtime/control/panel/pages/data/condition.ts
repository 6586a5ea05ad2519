import { Table } from '../../parts/table.ts'
import { Mark } from '../../parts/mark.ts'
import { Loaded } from '../../parts/problem.ts'
import { Time } from '../../parts/time.ts'
import { utc } from '../../kit/clock.ts'
import { classes, html, useEffect, useRef, useState } from '../../kit/html.ts'
import { count } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { DayCondition } from './shapes.ts'
import type { VNode } from '../../kit/html.ts'

const DAY_MS = 86_400_000
const WEEKS = 24
const EVERY_MS = 30_000
const laneWords = { warehouse: 'warehouse', streaming: 'streaming', both: 'both lanes' } as const

/** The last half year, a cell a day: its colour says how complete it is, the band at its foot in which lane its rows are. */
export function ConditionStrip ({ name }: { readonly name: string }): VNode {
  const days = useConditions(name)
  const [asTable, setAsTable] = useState(false)
  const grid = useRef<HTMLOListElement>(null)
  const shown = (days.data?.days ?? []).slice(firstOf(days.data?.days ?? []))
  // Where it is too narrow for all of them, the newest days are the ones to see.
  useEffect(() => { grid.current?.scrollTo({ left: grid.current.scrollWidth }) }, [asTable, shown.length])
  return html`<${Loaded} of=${days}>${() => html`
    ${asTable
      ? html`<${ConditionTable} days=${shown} />`
      : html`<ol class="day-grid condition-grid" ref=${grid} aria-label="Days, the oldest first">${shown.map((one, i) => html`<li key=${one.day} style=${i === 0 ? { gridRowStart: new Date(one.day).getUTCDay() + 1 } : {}}><${Cell} name=${name} day=${one} /></li>`)}</ol>`}
    <div class="legend day-legend">
      ${(['available', 'degraded', 'pending', 'missing'] as const).map(condition => html`<span><i class=${condition}></i>${condition}</span>`)}
      <span><i class="lane-warehouse"></i>in the warehouse</span><span><i class="lane-streaming"></i>in the streaming database</span>
      <button type="button" class="small end" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}>${asTable ? 'Calendar' : 'Table'}</button>
    </div>`}</${Loaded}>`
}

/** Days before the first row are not missing: there was nothing yet. */
function firstOf (days: readonly DayCondition[]): number {
  const first = days.findIndex(({ rows, condition }) => rows > 0 || condition !== 'missing')
  return first < 0 ? days.length : first
}

/** Conditions of the last half year; everything that shows them shares one call. */
export function useConditions (name: string) {
  return useResource<{ days: readonly DayCondition[] }>(`/v1/datasets/${encodeURIComponent(name)}/condition?start=${utc(Date.now() - WEEKS * 7 * DAY_MS).slice(0, 10)}`, { every: EVERY_MS })
}

function Cell ({ name, day: { day, condition, rows, lane, reason } }: { readonly name: string, readonly day: DayCondition }): VNode {
  const words = `${day}: ${condition}${rows > 0 ? `, ${count(rows)} rows, ${laneWords[lane]}` : ''}${reason === '' ? '' : `. ${reason}`}`
  const end = utc(Date.parse(day) + DAY_MS).slice(0, 10)
  return html`<a class=${classes('day', condition, rows > 0 && `lane-${lane}`)} href=${href(['explore'], { dataset: name, start: day, end })} aria-label=${words} title=${words}>${Number(day.slice(8))}</a>`
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
