import { Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { html } from '../../kit/html.ts'
import { href } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { VNode } from '../../kit/html.ts'

interface ColumnForm { readonly name: string, readonly type: string, readonly unit?: string | null, readonly description?: string }
interface DatasetForm { readonly dataset: string, readonly columns?: readonly ColumnForm[] }
interface Row extends ColumnForm { readonly dataset: string }

/** What each field of each dataset means, from its contract. */
export function Fields (): VNode {
  const datasets = useResource<{ datasets: readonly DatasetForm[] }>(may('data:read') ? '/v1/datasets' : undefined)
  if (!may('data:read')) return html`<${Empty} title="Needs the scope data:read">The fields of a dataset are shown to those to whom it is granted.</${Empty}>`
  return html`<${Section} title="Fields of all datasets" note="from their schemas"><${Loaded} of=${datasets}>${({ datasets: found }: { datasets: readonly DatasetForm[] }) => html`<${Table} label="Fields" name="fields" rows=${found.flatMap(({ dataset, columns = [] }) => columns.map((column): Row => ({ ...column, dataset })))} keyOf=${({ dataset, name }: Row) => `${dataset} ${name}`} empty=${{ title: 'No dataset is granted to you' }} columns=${[
    { id: 'name', title: 'Field', value: ({ name }: Row) => name, cell: ({ name }: Row) => html`<code>${name}</code>` },
    { id: 'dataset', title: 'Dataset', value: ({ dataset }: Row) => dataset, cell: ({ dataset }: Row) => html`<a href=${href(['data', dataset])}>${dataset}</a>` },
    { id: 'type', title: 'Type', wide: true, value: ({ type }: Row) => type, cell: ({ type }: Row) => html`<code>${type}</code>` },
    { id: 'unit', title: 'Unit', wide: true, value: ({ unit }: Row) => unit },
    { id: 'description', title: 'Meaning', grow: true, value: ({ description }: Row) => description }
  ]} />`}</${Loaded}></${Section}>`
}
