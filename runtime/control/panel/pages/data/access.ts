import { Icon } from '../../parts/icon.ts'
import { Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { html } from '../../kit/html.ts'
import { useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { VNode } from '../../kit/html.ts'

interface Explained { readonly allowed: boolean, readonly because: readonly string[], readonly missing: readonly string[], readonly remedy: string }
interface Granted { readonly dataset: string, readonly columns: readonly string[] | null, readonly where: unknown, readonly through: string }
interface Reader { readonly user: string, readonly token: string | null, readonly datasets: readonly Granted[] }
interface ReaderRow extends Granted { readonly user: string, readonly token: string | null }

/** Why whoever looks may read it, and who else may. */
export function AccessTab ({ name }: { readonly name: string }): VNode {
  const own = useResource<Explained>(`/v1/access/explain?dataset=${encodeURIComponent(name)}`)
  const allowed = may('access:read')
  const review = useResource<{ rows: readonly Reader[] }>(allowed ? '/v1/access/review' : undefined)
  return html`
    <${Section} title="You"><${Loaded} of=${own} lines=${2}>${({ because, missing, remedy }: Explained) => html`
      <ul class="plain">${because.map(text => html`<li><${Icon} name="ok" size=${14} /> ${text}</li>`)}${missing.map(text => html`<li><${Icon} name="lock" size=${14} /> ${text}</li>`)}</ul>
      ${remedy !== '' && html`<p class="faint">${remedy}</p>`}`}</${Loaded}></${Section}>
    ${allowed
      ? html`<${Section} title="Who may read it" note="users, and tokens that are more narrow than their user"><${Loaded} of=${review}>${({ rows }: { rows: readonly Reader[] }) => html`<${Readers} rows=${rows.flatMap(({ user, token, datasets }) => datasets.filter(({ dataset }) => dataset === name).map(one => ({ ...one, user, token })))} />`}</${Loaded}></${Section}>`
      : html`<p class="faint small"><${Icon} name="lock" size=${12} /> Who else may read it is shown with the scope access:read</p>`}`
}

function Readers ({ rows }: { readonly rows: readonly ReaderRow[] }): VNode {
  return html`<${Table} label="Who may read it" rows=${rows} keyOf=${({ user, token, through }: ReaderRow) => `${user} ${token ?? ''} ${through}`} empty=${{ title: 'No user and no token', text: 'Only the admin token reads it now.' }} columns=${[
    { id: 'user', title: 'User', value: ({ user }: ReaderRow) => user, cell: ({ user }: ReaderRow) => html`<strong>${user}</strong>` },
    { id: 'token', title: 'Token', value: ({ token }: ReaderRow) => token, cell: ({ token }: ReaderRow) => token === null ? '–' : html`<code>${token}</code>` },
    { id: 'columns', title: 'Fields', cell: ({ columns }: ReaderRow) => columns === null ? 'all' : columns.join(', ') },
    { id: 'where', title: 'Rows', wide: true, cell: ({ where }: ReaderRow) => where === null || where === undefined ? 'all' : html`<code>${JSON.stringify(where)}</code>` },
    { id: 'through', title: 'Through', wide: true, grow: true, cell: ({ through }: ReaderRow) => html`<span class="faint">${through}</span>` }
  ]} />`
}
