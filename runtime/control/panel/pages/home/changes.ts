import { useHealth } from './verdict.ts'
import { Mark, words } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { Time } from '../../parts/time.ts'
import { html } from '../../kit/html.ts'
import { useResource } from '../../kit/resource.ts'
import type { VNode } from '../../kit/html.ts'
import type { Receipt } from '../../kit/shapes.ts'

const EVERY_MS = 15_000
const SHOWN = 8

/** What was changed since whoever looks did so the last time; where there is nothing, the last reloads. */
export function Changes (): VNode {
  const { data } = useHealth()
  if (data === undefined || data.changes.length === 0) return html`<${Reloads} />`
  return html`<${Section} title="Since you last looked" note=${html`what changed from <${Time} at=${data.since} as="clock" /> on`}><ul class="strip changes">${data.changes.slice(0, SHOWN).map(({ at, kind, who, what }) => html`<li>
    <span class="tag">${words(kind)}</span>
    <span class="ellipsis" title=${what}>${what}</span>
    <span class="faint small right">${who} <${Time} at=${at} /></span>
  </li>`)}</ul></${Section}>`
}

function Reloads (): VNode {
  const revisions = useResource<{ revisions: readonly Receipt[] }>(`/v1/revisions?limit=${SHOWN}`, { every: EVERY_MS })
  return html`<${Section} title="Recent changes">
    <${Loaded} of=${revisions}>${({ revisions: found }: { revisions: readonly Receipt[] }) => found.length === 0
      ? html`<${Empty} title="Nothing was changed yet">Every change of the files is a revision, with its receipt here.</${Empty}>`
      : html`<ul class="strip changes">${found.map(receipt => html`<li>
          <${Mark} state=${receipt.outcome} quiet />
          <span class="ellipsis" title=${receipt.reason}>${describe(receipt)}</span>
          <span class="faint small right"><${Time} at=${receipt.time} /></span>
        </li>`)}</ul>`}</${Loaded}>
  </${Section}>`
}

function describe ({ changes, reason }: Receipt): string {
  if (reason !== '') return reason
  const named = changes.map(({ pipeline, change }) => `${change} ${pipeline}`)
  return named.length === 0 ? 'no difference' : words(named.join(', '))
}
