import { Icon } from '../../parts/icon.ts'
import { Section } from '../../parts/page.ts'
import { html } from '../../kit/html.ts'
import { href } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { DatasetDetail } from './shapes.ts'
import type { IconName } from '../../parts/icon.ts'
import type { VNode } from '../../kit/html.ts'

interface Saved { readonly slug: string, readonly title: string, readonly spec: { readonly dataset: string, readonly right?: string } }
interface Node { readonly name: string, readonly kind: string, readonly icon: IconName, readonly to?: string, readonly here?: boolean }

/** One step up and one step down: where the rows come from, and who reads them. */
export function Lineage ({ dataset: { dataset, topic, lineage: { inputs, pipelines, outputs, models } } }: { readonly dataset: DatasetDetail }): VNode {
  const saved = useResource<{ queries: readonly Saved[] }>('/v1/queries')
  const readers = (saved.data?.queries ?? []).filter(({ spec }) => spec.dataset === dataset || spec.right === dataset)
  const columns: ReadonlyArray<readonly [title: string, nodes: readonly Node[]]> = [
    ['Comes from', inputs.map(name => ({ name, kind: 'input', icon: 'link' }))],
    ['Through', [
      ...pipelines.map((name): Node => ({ name, kind: 'pipeline', icon: 'pipelines', to: href(['pipelines', name]) })),
      ...topic.split(', ').map((name): Node => ({ name, kind: 'topic', icon: 'logs' }))
    ]],
    ['This dataset', [{ name: dataset, kind: 'dataset', icon: 'data', here: true }]],
    ['Stored in', outputs.map(name => ({ name, kind: 'output', icon: 'data' }))],
    ['Read by', [
      ...models.map((name): Node => ({ name, kind: 'model', icon: 'explore', to: href(['data', name]) })),
      ...readers.map(({ slug }): Node => ({ name: slug, kind: 'saved query', icon: 'explore', to: href(['explore'], { tab: 'saved' }) }))
    ]]
  ]
  return html`<${Section} title="Lineage" note="one step up, one step down"><ol class="lineage">${columns.map(([title, nodes], i) => html`<li>
    <h3>${title}</h3>
    ${nodes.length === 0 ? html`<p class="faint small">${i === 4 ? 'No saved query and no model' : 'None'}</p>` : html`<ul>${nodes.map(node => html`<li><${NodeCard} node=${node} /></li>`)}</ul>`}
  </li>`)}</ol></${Section}>`
}

function NodeCard ({ node: { name, kind, icon, to, here = false } }: { readonly node: Node }): VNode {
  const inner = html`<${Icon} name=${icon} size=${14} /><span><strong>${name}</strong><span class="faint small">${kind}</span></span>`
  return to === undefined ? html`<div class=${here ? 'node here' : 'node'}>${inner}</div>` : html`<a class="node" href=${to}>${inner}</a>`
}
