// The catalogue: which datasets there are, how fresh and how complete each one is, and whose it is.

import { DatasetPage } from './data/dataset.ts'
import { Page } from '../parts/page.ts'
import { Labelled } from '../parts/form.ts'
import { Loaded } from '../parts/problem.ts'
import { Mark } from '../parts/mark.ts'
import { Table } from '../parts/table.ts'
import { Time } from '../parts/time.ts'
import { html } from '../kit/html.ts'
import { count, plural } from '../kit/number.ts'
import { href, setQuery } from '../kit/route.ts'
import { useResource } from '../kit/resource.ts'
import type { Control } from '../parts/form.ts'
import type { PageComponent } from '../pages.ts'
import type { VNode } from '../kit/html.ts'
import type { Dataset } from './data/shapes.ts'

const EVERY_MS = 10_000

const Data: PageComponent = ({ path: [name], query }) => name === undefined ? html`<${Catalogue} words=${query['q'] ?? ''} />` : html`<${DatasetPage} key=${name} name=${name} />`
export default Data

function Catalogue ({ words }: { readonly words: string }): VNode {
  const all = useResource<{ datasets: readonly Dataset[] }>('/v1/datasets', { every: EVERY_MS })
  const datasets = all.data?.datasets ?? []
  const found = datasets.filter(one => holds(one, words))
  return html`<${Page} name="Data" note=${all.data === undefined ? undefined : `${plural(datasets.length, 'dataset')} that you may read`} actions=${html`<a class="button" href=${href(['explore'])}>Explore</a>`}>
    <${Loaded} of=${all} lines=${6}>${() => html`
      <div class="filters find-dataset"><${Labelled} label="Search names, titles, owners and fields">${(control: Control) => html`<input ...${control} type="search" autocomplete="off" spellcheck=${false} value=${words} onInput=${(event: Event) => setQuery({ q: (event.target as HTMLInputElement).value })} />`}</${Labelled}></div>
      <p class="hidden" role="status">${plural(found.length, 'dataset')} found</p>
      <div class="section"><${List} datasets=${found} searched=${words !== ''} /></div>`}</${Loaded}>
  </${Page}>`
}

/** Of the canary: it is watched by the platform itself, and nobody looks for it here. */
function isOfPlatform ({ owner }: Dataset): boolean {
  return owner === 'platform'
}

function List ({ datasets, searched }: { readonly datasets: readonly Dataset[], readonly searched: boolean }): VNode {
  return html`<${Table} label="Datasets" name="datasets" rows=${datasets.toSorted((a, b) => Number(isOfPlatform(a)) - Number(isOfPlatform(b)))} keyOf=${({ dataset }: Dataset) => dataset}
    empty=${searched ? { title: 'No dataset is called so', text: 'The search looks at names, titles, owners and fields.' } : { title: 'No dataset that you may read', text: 'A dataset is there as soon as a pipeline stores a topic in the streaming database or the warehouse. If there should be one, ask for a grant: the page Access says who gives it.' }}
    columns=${[
      { id: 'dataset', title: 'Dataset', value: ({ dataset }: Dataset) => dataset, cell: (one: Dataset) => html`<a href=${href(['data', one.dataset])}>${one.dataset}</a>${isOfPlatform(one) && html` <span class="tag">platform</span>`}` },
      { id: 'state', title: 'State', value: ({ freshness }: Dataset) => freshness.state, cell: ({ freshness }: Dataset) => html`<${Mark} state=${freshness.state} />` },
      { id: 'newest', title: 'Newest row', value: ({ freshness }: Dataset) => freshness.last_event_at, cell: ({ freshness }: Dataset) => html`<${Time} at=${freshness.last_event_at} />` },
      { id: 'rows', title: 'Rows', right: true, value: ({ rows }: Dataset) => rows, cell: ({ rows }: Dataset) => count(rows) },
      { id: 'fields', title: 'Fields', right: true, wide: true, value: ({ columns }: Dataset) => columns.length },
      { id: 'owner', title: 'Owner', wide: true, value: ({ owner }: Dataset) => owner },
      { id: 'title', title: 'About', wide: true, grow: true, cell: ({ title }: Dataset) => html`<span class="faint">${title}</span>` }
    ]} />`
}

function holds ({ dataset, title, owner, columns }: Dataset, words: string): boolean {
  const text = [dataset, title, owner, ...columns.map(({ name }) => name)].join(' ').toLowerCase()
  return words.toLowerCase().split(/\s+/).every(word => text.includes(word))
}
