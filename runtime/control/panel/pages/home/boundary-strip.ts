import { Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { now, utc } from '../../kit/clock.ts'
import { html } from '../../kit/html.ts'
import { count } from '../../kit/number.ts'
import { useResource } from '../../kit/resource.ts'
import type { VNode } from '../../kit/html.ts'
import type { Boundary } from '../../kit/shapes.ts'

const EVERY_MS = 30_000
const DAYS = 21
const DAY_MS = 86_400_000

interface Cell { readonly day: string, readonly kind: 'warehouse' | 'streaming' | 'waiting' | 'none', readonly text: string }

/** Where each of the last days is read from: the streaming database or the warehouse, with a certificate. */
export function BoundaryStrip (): VNode {
  const boundary = useResource<Boundary>('/v1/boundary', { every: EVERY_MS })
  return html`<${Section} title="Boundary" note=${`last ${DAYS} days, UTC`}>
    <${Loaded} of=${boundary}>${(found: Boundary) => {
      const rows = rowsOf(found, now.value)
      if (rows.length === 0) {
        return html`<${Empty} title="No day was handed over yet">The streaming database keeps ${found.realtime_days} days before today. The job <a href="#/jobs/handoff">handoff</a> certifies older ones and moves them to the warehouse.</${Empty}>`
      }
      return html`<ul class="boundary">${rows.map(({ dataset, cells }) => html`<li>
          <span class="ellipsis" title=${dataset}>${dataset}</span>
          <ol aria-label=${`Days of ${dataset}: ${summary(cells)}`}>${cells.map(({ kind, text }) => html`<li class=${kind} title=${text}></li>`)}</ol>
        </li>`)}</ul>
        <p class="legend boundary-legend"><span><i class="warehouse"></i>warehouse, certified</span><span><i class="streaming"></i>streaming</span><span><i class="waiting"></i>waits</span><span><i class="none"></i>no rows</span></p>`
    }}</${Loaded}>
  </${Section}>`
}

function rowsOf ({ days, waiting, realtime_days: realtime }: Boundary, at: number): Array<{ readonly dataset: string, readonly cells: readonly Cell[] }> {
  const datasets = [...new Set([...days, ...waiting].map(({ dataset }) => dataset))].sort()
  return datasets.map(dataset => ({
    dataset,
    cells: Array.from({ length: DAYS }, (_, i): Cell => {
      const age = DAYS - 1 - i
      const day = utc(at - age * DAY_MS).slice(0, 10)
      const certified = days.find(one => one.dataset === dataset && one.day === day)
      const waits = waiting.find(one => one.dataset === dataset && one.day === day)
      if (waits !== undefined) return { day, kind: 'waiting', text: `${day} waits: ${waits.reason}` }
      if (certified !== undefined) return { day, kind: 'warehouse', text: `${day}: ${count(certified.rows)} rows in the warehouse, version ${certified.version}, hash ${certified.hash}` }
      return age <= realtime ? { day, kind: 'streaming', text: `${day}: in the streaming database` } : { day, kind: 'none', text: `${day}: no rows` }
    })
  }))
}

function summary (cells: readonly Cell[]): string {
  return (['warehouse', 'streaming', 'waiting', 'none'] as const).map(kind => `${cells.filter(cell => cell.kind === kind).length} ${kind === 'none' ? 'without rows' : kind}`).join(', ')
}
