import { queryOf } from './question.ts'
import { CopyButton } from '../../parts/menu.ts'
import { Confirm } from '../../parts/dialog.ts'
import { Icon } from '../../parts/icon.ts'
import { Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { act } from '../../parts/toast.ts'
import { remove } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { href } from '../../kit/route.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may, owner } from '../../kit/session.ts'
import type { VNode } from '../../kit/html.ts'

interface Saved { readonly slug: string, readonly title: string, readonly owner: string, readonly shared: boolean, readonly changed_at: string, readonly spec: Readonly<Record<string, unknown>> }

/** Questions with an address of their own: whose they are, and what they ask. */
export function SavedList (): VNode {
  const saved = useResource<{ queries: readonly Saved[] }>('/v1/queries')
  const [asks, setAsks] = useState<Saved>()
  const own = owner.value?.user
  return html`<${Section} title="Saved queries" note="own ones, and those that others share">
    <${Loaded} of=${saved}>${({ queries }: { queries: readonly Saved[] }) => html`<${Table} label="Saved queries" name="saved" rows=${queries} keyOf=${({ slug }: Saved) => slug}
      empty=${{ title: 'Nothing is saved yet', text: 'Build a question, and choose Copy as, Saved endpoint. It gets an address that programs can read.' }} columns=${[
        { id: 'slug', title: 'Name', value: ({ slug }: Saved) => slug, cell: ({ slug, spec }: Saved) => html`<a href=${href(['explore'], { ...queryOf(spec), run: 1 })}>${slug}</a>` },
        { id: 'title', title: 'Title', grow: true, wide: true, value: ({ title }: Saved) => title },
        { id: 'asks', title: 'Asks', wide: true, cell: ({ spec }: Saved) => `${String(spec['kind'])} of ${String(spec['dataset'])}` },
        { id: 'owner', title: 'Owner', wide: true, value: ({ owner }: Saved) => owner, cell: ({ owner, shared }: Saved) => html`${owner} ${shared && html`<span class="tag">shared</span>`}` },
        { id: 'changed', title: 'Changed', wide: true, value: (one: Saved) => one.changed_at, cell: (one: Saved) => html`<${Time} at=${one.changed_at} />` },
        { id: 'do', title: '', cell: (one: Saved) => html`<span class="buttons"><${CopyButton} text=${`${location.origin}/v1/q/${one.slug}.csv`} what=${`the address of ${one.slug}`} />${one.owner === own && may('queries:write') && html`<button type="button" class="icon-only" aria-label=${`Delete ${one.slug}`} title=${`Delete ${one.slug}`} onClick=${() => setAsks(one)}><${Icon} name="trash" size=${14} /></button>`}</span>` }
      ]} />`}</${Loaded}>
    ${asks !== undefined && html`<${Confirm} title=${`Delete ${asks.slug}?`} button="Delete" danger onConfirm=${() => act(async () => { await remove(`/v1/queries/${asks.slug}`); await refresh('/v1/queries') }, `${asks.slug} is gone.`)} onClose=${() => setAsks(undefined)}><p>Programs that read <code>/v1/q/${asks.slug}</code> will find nothing there.</p></${Confirm}>`}
  </${Section}>`
}
