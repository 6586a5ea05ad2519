import { grantWords } from './filter-words.ts'
import { Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { html } from '../../kit/html.ts'
import { href } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { Grant, Token } from './shapes.ts'
import type { VNode } from '../../kit/html.ts'

interface Row { readonly user: string, readonly token: string | null, readonly scopes: readonly string[], readonly datasets: ReadonlyArray<Grant & { readonly through: string }> }

/** Scopes with which somebody can harm others. */
const strong = new Set(['access:write', 'sql:write', 'pipelines:write', 'backup:write'])

/** Who may do what now, a row for each user and each token: to be gone through from time to time. */
export function Review (): VNode {
  const review = useResource<{ rows: readonly Row[] }>('/v1/access/review')
  const tokens = useResource<{ tokens: readonly Token[] }>('/v1/tokens')
  const titleOf = (id: string): string => tokens.data?.tokens.find(one => one.id === id)?.title ?? id.slice(0, 8)
  return html`<${Loaded} of=${review} lines=${6}>${({ rows }: { rows: readonly Row[] }) => html`<${Section} title="Who may do what now" note="through roles, teams and grants, a row for each user and token">
    <${Table} label="Access review" name="review" rows=${rows} keyOf=${({ user, token }: Row) => `${user} ${token}`} empty=${{ title: 'There is no user yet' }}
      detail=${({ scopes, datasets }: Row) => html`<p>Scopes: ${scopes.length === 0 ? 'none' : scopes.join(', ')}.</p><ul>${datasets.map(grant => html`<li>${grantWords(grant)} <span class="faint">through ${grant.through}</span></li>`)}</ul>`} columns=${[
        { id: 'user', title: 'Who', value: ({ user }: Row) => user, cell: ({ user, token }: Row) => token === null ? html`<a href=${href(['access', 'users', user])}>${user}</a>` : html`<span class="faint">${user},</span> token ${titleOf(token)}` },
        { id: 'strong', title: 'May change', value: ({ scopes }: Row) => scopes.filter(scope => strong.has(scope)).length, cell: ({ scopes }: Row) => scopes.some(scope => strong.has(scope)) ? scopes.filter(scope => strong.has(scope)).map(scope => html`<span class="tag">${scope}</span> `) : html`<span class="faint">nothing of others</span>` },
        { id: 'scopes', title: 'Scopes', right: true, wide: true, value: ({ scopes }: Row) => scopes.length },
        { id: 'datasets', title: 'Sees', grow: true, wide: true, cell: ({ datasets }: Row) => datasets.length === 0 ? html`<span class="faint">no dataset</span>` : [...new Set(datasets.map(grantWords))].join('; ') }
      ]} />
  </${Section}>`}</${Loaded}>`
}
