import { AccessTab } from './access.ts'
import { ApiTab } from './api.ts'
import { ChangesTab } from './changes.ts'
import { ChartTab } from './chart.ts'
import { ConditionStrip } from './condition.ts'
import { Lineage } from './lineage.ts'
import { QualityTab } from './quality.ts'
import { isOptional, typeWords } from './shapes.ts'
import { Icon } from '../../parts/icon.ts'
import { Mark } from '../../parts/mark.ts'
import { Facts, Page, Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { RowsTable } from '../../parts/rows-table.ts'
import { Table } from '../../parts/table.ts'
import { Tabs, tabOf } from '../../parts/tabs.ts'
import { Time } from '../../parts/time.ts'
import { html } from '../../kit/html.ts'
import { count, plural } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { DatasetColumn, DatasetDetail, DatasetRange } from './shapes.ts'
import type { VNode } from '../../kit/html.ts'

const EVERY_MS = 10_000
const tabs = [
  { id: 'overview', title: 'Overview' }, { id: 'fields', title: 'Fields' }, { id: 'sample', title: 'Sample' }, { id: 'chart', title: 'Chart' }, { id: 'quality', title: 'Quality' },
  { id: 'lineage', title: 'Lineage' }, { id: 'access', title: 'Access' }, { id: 'api', title: 'API' }, { id: 'changes', title: 'Changes' }
]

export function DatasetPage ({ name }: { readonly name: string }): VNode {
  const dataset = useResource<DatasetDetail>(`/v1/datasets/${encodeURIComponent(name)}`, { every: EVERY_MS })
  const { data } = dataset
  const tab = tabOf(tabs)
  return html`<${Page} name=${name} crumbs=${[{ title: 'Data', path: ['data'] }]} note=${data?.title} mark=${data !== undefined && html`<${Mark} state=${data.freshness.state} />`}
    actions=${data !== undefined && html`<a class="button primary" href=${href(['explore'], { dataset: name })}><${Icon} name="explore" />Explore</a>`}>
    <${Loaded} of=${dataset} lines=${8}>${(found: DatasetDetail) => html`
      <${Tabs} tabs=${tabs.map(one => one.id === 'fields' ? { ...one, note: found.columns.length } : one)} label=${`Facets of ${name}`} />
      ${tab === 'overview' && html`<${Overview} dataset=${found} />`}
      ${tab === 'fields' && html`<${Fields} columns=${found.columns} keys=${[...found.key, found.event_time]} />`}
      ${tab === 'sample' && html`<${Sample} dataset=${found} />`}
      ${tab === 'chart' && html`<${ChartTab} dataset=${found} />`}
      ${tab === 'quality' && html`<${QualityTab} dataset=${found} />`}
      ${tab === 'lineage' && html`<${Lineage} dataset=${found} />`}
      ${tab === 'access' && html`<${AccessTab} name=${name} />`}
      ${tab === 'api' && html`<${ApiTab} dataset=${found} />`}
      ${tab === 'changes' && html`<${ChangesTab} dataset=${found} />`}
    `}</${Loaded}>
  </${Page}>`
}

function Overview ({ dataset: whole }: { readonly dataset: DatasetDetail }): VNode {
  const { dataset, owner, topic, key, event_time: eventTime, freshness, rows, guarantee, columns } = whole
  const range = useResource<DatasetRange>(`/v1/datasets/${encodeURIComponent(dataset)}/range`)
  return html`
    <${Section} title="At a glance"><${Facts} facts=${[
      ['Newest row', html`<${Time} at=${freshness.last_event_at} as="both" />`],
      ['Arrived', html`<${Time} at=${freshness.last_ingest_at} />`],
      ['First row', html`<${Time} at=${range.data?.start} as="clock" />`],
      ['Rows', count(rows)],
      ['Fields', count(columns.length)],
      ['Owner', owner === '' ? '–' : owner],
      ['Key', key.length === 0 ? '–' : html`<code>${key.join(', ')}</code>`],
      ['Time', eventTime === '' ? '–' : html`<code>${eventTime}</code>`],
      ['Topics', html`<code>${topic}</code>`],
      ['Rows are stored', guarantee]
    ]} /></${Section}>
    <${Section} title="Complete, day by day" note="UTC"><${ConditionStrip} dataset=${whole} /></${Section}>`
}

function Fields ({ columns, keys }: { readonly columns: readonly DatasetColumn[], readonly keys: readonly string[] }): VNode {
  return html`<${Section} title="Fields" note=${`${plural(columns.length, 'field')} that you may read`}><${Table} label="Fields" name="fields" rows=${columns} keyOf=${({ name }: DatasetColumn) => name} columns=${[
    { id: 'name', title: 'Field', value: ({ name }: DatasetColumn) => name, cell: ({ name }: DatasetColumn) => html`<code>${name}</code>${keys.includes(name) && html` <span class="tag">${name === keys.at(-1) ? 'time' : 'key'}</span>`}` },
    { id: 'type', title: 'Type', value: (column: DatasetColumn) => typeWords(column), cell: (column: DatasetColumn) => html`<span title=${column.type}>${typeWords(column)}</span>` },
    { id: 'null', title: 'May be null', wide: true, value: (column: DatasetColumn) => isOptional(column) ? 'yes' : 'no' },
    { id: 'unit', title: 'Unit', value: ({ unit }: DatasetColumn) => unit === '' ? undefined : unit },
    { id: 'description', title: 'Meaning', grow: true, wide: true, cell: ({ description }: DatasetColumn) => html`<span class="faint">${description}</span>` }
  ]} /></${Section}>`
}

function Sample ({ dataset: { dataset, sample, columns } }: { readonly dataset: DatasetDetail }): VNode {
  return html`<${Section} title="Newest rows" note="as you may see them, UTC" actions=${html`<a class="button small" href=${href(['explore'], { dataset, sort: 'desc', limit: 1000, run: 1 })}>More in Explore</a>`}>
    ${sample.length === 0 ? html`<${Empty} title="No rows yet">They show here as soon as the first one is stored.</${Empty}>` : html`<${RowsTable} label=${`Newest rows of ${dataset}`} columns=${columns.filter(({ name }) => Object.hasOwn(sample[0] ?? {}, name))} rows=${sample} />`}
  </${Section}>`
}
