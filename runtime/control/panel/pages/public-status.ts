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
  readonly state: 'ok' | 'degraded' | 'down'
  readonly sentence: string
  readonly at: string
  readonly parts: ReadonlyArray<{ readonly name: string, readonly state: string }>
  readonly datasets: ReadonlyArray<{ readonly dataset: string, readonly state: string, readonly seconds: number | null }>
  readonly canary: { readonly state: string, readonly at: string | null, readonly seconds: number | null, readonly stopped_at: string | null }
  readonly incidents: ReadonlyArray<{ readonly part: string, readonly state: string, readonly since: string, readonly until: string | null }>
  readonly uptime: { readonly day: number | null, readonly month: number | null }
}

const words = { ok: 'All is well', degraded: 'Degraded', down: 'Down' } as const

export function PublicStatus (): VNode {
  const status = useResource<PublicState>('/v1/status', { every: EVERY_MS })
  useEffect(() => {
    if (status.data !== undefined) document.title = `${words[status.data.state]} · Twolane status`
  }, [status.data])
  return html`<main class="public" id="main">
    <header><a href="/" aria-label="Twolane"><${Brand} /></a><a class="button" href="/">Sign in</a></header>
    <h1>Status</h1>
    <${Loaded} of=${status}>${(found: PublicState) => html`
      <section class=${`verdict ${levelOf(found.state)}`} aria-label="Verdict"><${Icon} name=${levelOf(found.state)} size=${26} /><div>
        <p class="verdict-sentence" role="status">${found.sentence}</p>
        <p class="small">Seen <${Time} at=${found.at} as="both" />${found.canary.at !== null && html`; a canary row came through all parts <${Time} at=${found.canary.at} />`}${found.canary.stopped_at !== null && `; the newest one has not arrived at: ${found.canary.stopped_at}`}</p>
      </div></section>
      <${List} title="Parts" rows=${found.parts.map(({ name, state }) => ({ name, state, text: '' }))} />
      <${List} title="Datasets" rows=${found.datasets.map(({ dataset, state, seconds: age }) => ({ name: dataset, state, text: age === null ? '' : `newest row ${seconds(age)} old` }))} />
      ${found.incidents.length > 0 && html`<section class="section"><header><h2>Incidents</h2></header><div class="section-body"><ul class="strip">${found.incidents.map(({ part, state, since, until }) => html`<li><strong>${part}</strong><${Mark} state=${until === null ? state : 'ended'} word=${until === null ? `${state} still` : 'over'} /><span class="faint small"><${Time} at=${since} as="clock" /></span><span class="faint small right">${until === null ? '' : html`until <${Time} at=${until} as="clock" />`}</span></li>`)}</ul></div></section>`}
      <p class="faint small">Up ${share(found.uptime.day)} of the last day, ${share(found.uptime.month)} of the last month. The same as <a href="/v1/status">JSON</a> and as a <a href="/v1/status.svg">badge</a>.</p>
    `}</${Loaded}>
  </main>`
}

function share (value: number | null): string {
  return value === null ? 'an unknown share' : `${(value * 100).toFixed(2)}%`
}

function List ({ title, rows }: { readonly title: string, readonly rows: ReadonlyArray<{ readonly name: string, readonly state: string, readonly text: string }> }): VNode | null {
  if (rows.length === 0) return null
  return html`<section class="section"><header><h2>${title}</h2></header><div class="section-body"><ul class="strip">${rows.map(({ name, state, text }) => html`<li><strong>${name}</strong><${Mark} state=${state} /><span></span><span class="faint small right">${text}</span></li>`)}</ul></div></section>`
}
