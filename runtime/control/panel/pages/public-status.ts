// For people without a login: whether the platform is well, without anything that only those who are known may see.

import { Icon } from '../parts/icon.ts'
import { levelOf, Mark } from '../parts/mark.ts'
import { Loaded } from '../parts/problem.ts'
import { Time } from '../parts/time.ts'
import { Brand } from '../shell/brand.ts'
import { html, useEffect } from '../kit/html.ts'
import { seconds } from '../kit/number.ts'
import { useResource } from '../kit/resource.ts'
import type { VNode } from '../kit/html.ts'

const EVERY_MS = 10_000

interface PublicState {
  readonly state: string
  readonly sentence: string
  readonly at: string | number
  readonly parts: ReadonlyArray<{ readonly name: string, readonly state: string, readonly detail?: string }>
  readonly datasets: ReadonlyArray<{ readonly dataset: string, readonly state: string, readonly seconds: number | null }>
  readonly canary: { readonly state: string, readonly at: string | number | null, readonly seconds: number | null } | null
  readonly incidents: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly uptime: Readonly<Record<string, unknown>>
}

export function PublicStatus (): VNode {
  const status = useResource<PublicState>('/v1/status', { every: EVERY_MS })
  useEffect(() => {
    if (status.data !== undefined) document.title = `${status.data.state} · Twolane status`
  }, [status.data])
  return html`<main class="public" id="main">
    <header><a href="/" aria-label="Twolane"><${Brand} /></a><a class="button" href="/">Sign in</a></header>
    <h1>Status</h1>
    <${Loaded} of=${status}>${(found: PublicState) => html`
      <section class=${`verdict ${levelOf(found.state)}`} aria-label="Verdict"><${Icon} name=${levelOf(found.state)} size=${26} /><div>
        <p class="verdict-sentence" role="status">${found.sentence}</p>
        <p class="faint small">Seen <${Time} at=${found.at} as="both" />${found.canary?.at !== undefined && found.canary.at !== null && html`; the last canary row arrived <${Time} at=${found.canary.at} />`}</p>
      </div></section>
      <${List} title="Parts" rows=${(found.parts ?? []).map(({ name, state, detail }) => ({ name, state, text: detail ?? '' }))} />
      <${List} title="Datasets" rows=${(found.datasets ?? []).map(({ dataset, state, seconds: age }) => ({ name: dataset, state, text: age === null ? '' : `newest row ${seconds(age)} old` }))} />
      ${(found.incidents ?? []).length > 0 && html`<section class="section"><header><h2>Incidents</h2></header><ul class="strip">${found.incidents.map(incident => html`<li><${Mark} level=${incident['ended_at'] === null || incident['ended_at'] === undefined ? 'bad' : 'idle'} word=${incident['ended_at'] === null || incident['ended_at'] === undefined ? 'open' : 'over'} /><span>${String(incident['title'] ?? incident['cause'] ?? incident['sentence'] ?? '')}</span><span class="faint small right"><${Time} at=${(incident['started_at'] ?? incident['since'] ?? incident['at']) as string} as="both" /></span></li>`)}</ul></section>`}
      ${found.uptime !== undefined && html`<p class="faint small">Uptime: ${Object.entries(found.uptime).map(([name, value]) => `${name.replaceAll('_', ' ')} ${typeof value === 'number' && value <= 1 ? `${(value * 100).toFixed(2)}%` : String(value)}`).join(', ')}. As JSON: <a href="/v1/status">/v1/status</a>.</p>`}
    `}</${Loaded}>
  </main>`
}

function List ({ title, rows }: { readonly title: string, readonly rows: ReadonlyArray<{ readonly name: string, readonly state: string, readonly text: string }> }): VNode | null {
  if (rows.length === 0) return null
  return html`<section class="section"><header><h2>${title}</h2></header><ul class="strip">${rows.map(({ name, state, text }) => html`<li><strong>${name}</strong><${Mark} state=${state} /><span class="faint small right">${text}</span></li>`)}</ul></section>`
}
