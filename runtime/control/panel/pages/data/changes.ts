import { useConditions } from './condition.ts'
import { Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { Mark } from '../../parts/mark.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { html } from '../../kit/html.ts'
import { count } from '../../kit/number.ts'
import { useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { DatasetDetail, DayCondition } from './shapes.ts'
import type { Receipt } from '../../kit/shapes.ts'
import type { VNode } from '../../kit/html.ts'

const REVISIONS = 200

/** When its days were written, and when its pipelines changed. */
export function ChangesTab ({ dataset }: { readonly dataset: DatasetDetail }): VNode {
  const { lineage } = dataset
  const days = useConditions(dataset)
  const allowed = may('platform:read')
  const revisions = useResource<{ revisions: readonly Receipt[] }>(allowed ? `/v1/revisions?limit=${REVISIONS}` : undefined)
  const touching = (revisions.data?.revisions ?? []).filter(({ changes }) => changes.some(({ pipeline }) => lineage.pipelines.includes(pipeline)))
  return html`
    <${Section} title="Days that were written to the warehouse" note="the newest first"><${Loaded} of=${days}>${({ days: found }: { days: readonly DayCondition[] }) => html`<${Written} days=${found.filter(one => one.last_modified_at !== null)} />`}</${Loaded}></${Section}>
    ${allowed
      ? html`<${Section} title="Its pipelines" note="reloads that changed them"><${Loaded} of=${revisions}>${() => html`<${Reloads} receipts=${touching} pipelines=${lineage.pipelines} />`}</${Loaded}></${Section}>`
      : html`<p class="faint small">Changes of its pipelines are shown with the scope platform:read.</p>`}`
}

function Written ({ days }: { readonly days: readonly DayCondition[] }): VNode {
  return html`<${Table} label="Days that were written" sort="-at" rows=${days} keyOf=${({ day }: DayCondition) => day} empty=${{ title: 'No day was handed over yet', text: 'A day moves to the warehouse some days after it has ended, once both sides hold the same rows.' }} columns=${[
    { id: 'day', title: 'Day', value: ({ day }: DayCondition) => day, cell: ({ day }: DayCondition) => html`<strong>${day}</strong>` },
    { id: 'at', title: 'Written', value: (one: DayCondition) => one.last_modified_at, cell: (one: DayCondition) => html`<${Time} at=${one.last_modified_at} as="both" />` },
    { id: 'rows', title: 'Rows', right: true, value: ({ rows }: DayCondition) => rows, cell: ({ rows }: DayCondition) => count(rows) },
    { id: 'condition', title: 'Condition', grow: true, cell: ({ condition }: DayCondition) => html`<${Mark} state=${condition} />` }
  ]} />`
}

function Reloads ({ receipts, pipelines }: { readonly receipts: readonly Receipt[], readonly pipelines: readonly string[] }): VNode {
  return html`<${Table} label="Changes of its pipelines" rows=${receipts} keyOf=${({ revision }: Receipt) => String(revision)} empty=${{ title: 'No change yet' }} columns=${[
    { id: 'time', title: 'When', value: ({ time }: Receipt) => time, cell: ({ time }: Receipt) => html`<${Time} at=${time} as="both" />` },
    { id: 'outcome', title: 'Outcome', value: ({ outcome }: Receipt) => outcome, cell: ({ outcome }: Receipt) => html`<${Mark} state=${outcome} />` },
    { id: 'what', title: 'What', grow: true, cell: ({ changes, reason }: Receipt) => `${changes.filter(({ pipeline }) => pipelines.includes(pipeline)).map(({ pipeline, change }) => `${pipeline} ${change}`).join(', ')}${reason === '' ? '' : `: ${reason}`}` }
  ]} />`
}
