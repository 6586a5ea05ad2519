// Quality: what the rules found by day, what they are, and the rows that were refused.

import { HeatMap } from './quality/heat-map.ts'
import { Results } from './quality/results.ts'
import { Rules } from './quality/rules.ts'
import { Rejected } from './pipelines/rejected.ts'
import { Labelled } from '../parts/form.ts'
import { Mark } from '../parts/mark.ts'
import { Page, Section } from '../parts/page.ts'
import { Empty, Loaded } from '../parts/problem.ts'
import { Tabs, tabOf } from '../parts/tabs.ts'
import { html } from '../kit/html.ts'
import { plural } from '../kit/number.ts'
import { href, setQuery } from '../kit/route.ts'
import { useResource } from '../kit/resource.ts'
import type { PageComponent } from '../pages.ts'
import type { QualityReport } from './quality/shapes.ts'
import type { Control } from '../parts/form.ts'
import type { VNode } from '../kit/html.ts'
import type { PipelineStatus } from '../kit/shapes.ts'

const EVERY_MS = 10_000
const DAYS = 30
const words = { ok: 'all rules hold', warn: 'some rules warn', error: 'some rules fail' }
const tabs = [{ id: 'days', title: 'By day' }, { id: 'rules', title: 'Rules' }, { id: 'results', title: 'Results' }, { id: 'rejected', title: 'Rejected rows' }]

const Quality: PageComponent = ({ query }) => {
  const quality = useResource<QualityReport>(`/v1/quality?days=${DAYS}`, { every: EVERY_MS })
  const tab = tabOf(tabs)
  const { data } = quality
  return html`<${Page} name="Quality" mark=${data !== undefined && data.rules.length > 0 && html`<${Mark} level=${data.level === 'error' ? 'bad' : data.level} word=${words[data.level]} />`} note=${data && `${plural(data.rules.length, 'rule')} of ${plural(new Set(data.rules.map(({ topic }) => topic)).size, 'dataset')}`}>
    <${Tabs} tabs=${tabs} label="Parts of quality" />
    ${tab === 'rejected'
      ? html`<${RejectedRows} topic=${query['topic']} />`
      : html`<${Loaded} of=${quality} lines=${8}>${(found: QualityReport) => found.rules.length === 0
          ? html`<${Section} title="No rule yet"><${Empty} title="No schema has rules">Write <code>quality</code> into a schema in <a href=${href(['setup', 'files'])}>Files</a>: what must hold of its fields, when it warns, and when rows are refused.</${Empty}></${Section}>`
          : tab === 'rules' ? html`<${Rules} rules=${found.rules} />` : tab === 'results' ? html`<${Results} rules=${found.rules} query=${query} />` : html`<${HeatMap} report=${found} days=${DAYS} />`}</${Loaded}>`}
  </${Page}>`
}
export default Quality

function RejectedRows ({ topic }: { readonly topic: string | undefined }): VNode {
  const pipelines = useResource<{ pipelines: readonly PipelineStatus[] }>('/v1/pipelines')
  return html`<${Loaded} of=${pipelines}>${({ pipelines: all }: { pipelines: readonly PipelineStatus[] }) => {
    const topics = [...new Set(all.map(one => one.topic))].sort()
    const chosen = topic ?? topics[0]
    if (chosen === undefined) return html`<${Section} title="Rejected rows"><${Empty} title="There is no pipeline yet" /></${Section}>`
    return html`
      <div class="filters"><${Labelled} label="Topic">${(control: Control) => html`<select ...${control} onChange=${(event: Event) => setQuery({ topic: (event.target as HTMLInputElement).value })}>${topics.map(one => html`<option value=${one} selected=${one === chosen}>${one}</option>`)}</select>`}</${Labelled}></div>
      <${Rejected} key=${chosen} topic=${chosen} />`
  }}</${Loaded}>`
}
