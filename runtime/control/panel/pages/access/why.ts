// Why can I, why can I not: the same rights that decide, in words.

import { scopes } from './shapes.ts'
import { Labelled } from '../../parts/form.ts'
import { Icon } from '../../parts/icon.ts'
import { Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { Typed } from '../../parts/typed.ts'
import { addressOf } from '../../kit/api.ts'
import { html, useId } from '../../kit/html.ts'
import { route, setQuery } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import { may, owner } from '../../kit/session.ts'
import type { Dataset, Token, User } from './shapes.ts'
import type { Control } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'

interface Explained { readonly allowed: boolean, readonly because: readonly string[], readonly missing: readonly string[], readonly remedy: string }

export function Why (): VNode {
  const { user, token, scope, dataset } = route.value.query
  const mayAsk = may('access:read')
  const users = useResource<{ users: readonly User[] }>(mayAsk ? '/v1/users' : undefined)
  const tokens = useResource<{ tokens: readonly Token[] }>('/v1/tokens')
  const datasets = useResource<{ datasets: readonly Dataset[] }>(may('data:read') ? '/v1/datasets' : undefined)
  const list = useId()
  const answer = useResource<Explained>(addressOf('/v1/access/explain', { user, token, scope, dataset }))
  const valueOf = (event: Event): string => (event.target as HTMLInputElement).value
  const who = token !== undefined ? `The token ${tokens.data?.tokens.find(({ id }) => id === token)?.title ?? token}` : user ?? 'You'
  return html`<${Section} title="Ask" note=${mayAsk ? undefined : 'about yourself; about others needs the scope access:read'}>
    <div class="filters">
      ${mayAsk && html`<${Labelled} label="Who">${(control: Control) => html`<select ...${control} onChange=${(event: Event) => setQuery({ user: valueOf(event), token: undefined })}><option value="" selected=${user === undefined}>I (${owner.value?.user})</option>${(users.data?.users ?? []).map(one => html`<option value=${one.user} selected=${one.user === user}>${one.user}</option>`)}</select>`}</${Labelled}>`}
      <${Labelled} label="With the token">${(control: Control) => html`<select ...${control} onChange=${(event: Event) => setQuery({ token: valueOf(event) })}><option value="" selected=${token === undefined}>logged in</option>${(tokens.data?.tokens ?? []).filter(one => user === undefined || one.user === user).map(({ id, title, user: owner }) => html`<option value=${id} selected=${id === token}>${title} (${owner})</option>`)}</select>`}</${Labelled}>
      <${Labelled} label="May do">${(control: Control) => html`<select ...${control} onChange=${(event: Event) => setQuery({ scope: valueOf(event) })}><option value="" selected=${scope === undefined}>anything</option>${Object.keys(scopes).map(name => html`<option value=${name} selected=${name === scope}>${name}</option>`)}</select>`}</${Labelled}>
      <${Labelled} label="With the dataset">${(control: Control) => html`<${Typed} ...${control} list=${list} autocomplete="off" spellcheck=${false} placeholder="any" value=${dataset ?? ''} onChange=${(dataset: string) => setQuery({ dataset })} />`}</${Labelled}>
      <datalist id=${list}>${(datasets.data?.datasets ?? []).map(one => html`<option value=${one.dataset} />`)}</datalist>
    </div>
    ${scope !== undefined && html`<p class="faint small"><code>${scope}</code>: ${scopes[scope as keyof typeof scopes]}</p>`}
    <div aria-live="polite">${answer.problem?.status === 404
      ? html`<${Empty} title="Nobody is known under this name">${answer.problem.detail}</${Empty}>`
      : html`<${Loaded} of=${answer}>${(found: Explained) => html`<${Answer} who=${who} asks=${scope !== undefined || dataset !== undefined} found=${found} />`}</${Loaded}>`}</div>
  </${Section}>`
}

function Answer ({ who, asks, found: { allowed, because, missing, remedy } }: { readonly who: string, readonly asks: boolean, readonly found: Explained }): VNode {
  const you = who === 'You'
  return html`<div class="verdict ${allowed ? 'ok' : 'bad'}"><${Icon} name=${allowed ? 'ok' : 'bad'} size=${20} /><div>
    <p class="verdict-sentence">${!asks && allowed ? `What ${you ? 'you' : who} may do` : allowed ? `Yes, ${you ? 'you may' : `${who} may`}` : `No, ${you ? 'you may not' : `${who} may not`}`}</p>
    ${because.length > 0 && html`<ul class="plain">${because.map(text => html`<li><${Icon} name="check" size=${14} /> ${text}.</li>`)}</ul>`}
    ${missing.length > 0 && html`<ul class="plain">${missing.map(text => html`<li><${Icon} name="lock" size=${14} /> ${text}.</li>`)}</ul>`}
    ${remedy !== '' && html`<p><strong>What helps:</strong> ${remedy}</p>`}
  </div></div>`
}
