import { levelOf, Mark, words } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { Time } from '../../parts/time.ts'
import { html } from '../../kit/html.ts'
import { useResource } from '../../kit/resource.ts'
import type { VNode } from '../../kit/html.ts'
import type { Receipt } from '../../kit/shapes.ts'

const EVERY_MS = 15_000
const SHOWN = 8

/** What was changed lately: the receipts of reloads. */
export function Changes (): VNode {
  const revisions = useResource<{ revisions: readonly Receipt[] }>(`/v1/revisions?limit=${SHOWN}`, { every: EVERY_MS })
  return html`<${Section} title="Recent changes">
    <${Loaded} of=${revisions}>${({ revisions: found }: { revisions: readonly Receipt[] }) => found.length === 0
      ? html`<${Empty} title="Nothing was changed yet">Every change of the files is a revision with a receipt here.</${Empty}>`
      : html`<ul class="strip changes">${found.map(receipt => html`<li>
          <${Mark} state=${receipt.outcome} level=${levelOf(receipt.outcome)} quiet />
          <span class="ellipsis" title=${receipt.reason}>${describe(receipt)}</span>
          <span class="faint small right"><${Time} at=${receipt.time} /></span>
        </li>`)}</ul>`}</${Loaded}>
  </${Section}>`
}

function describe ({ changes, reason }: Receipt): string {
  if (reason !== '') return reason
  const named = changes.map(change => [change['action'] ?? change['kind'] ?? change['change'], change['pipeline'] ?? change['id'] ?? change['name'] ?? change['file']].filter(one => one !== undefined).join(' '))
  return named.length === 0 ? 'no difference' : words(named.join(', '))
}
