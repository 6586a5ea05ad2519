import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { html } from '../../kit/html.ts'
import { href } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { VNode } from '../../kit/html.ts'
import type { Receipt } from '../../kit/shapes.ts'

const EVERY_MS = 10_000

type Revision = Receipt & { readonly problems?: ReadonlyArray<{ readonly file: string, readonly message: string }> }

/** What past reloads did, newest first. */
export function Revisions (): VNode {
  const revisions = useResource<{ revisions: readonly Revision[] }>('/v1/revisions', { every: EVERY_MS })
  return html`<${Loaded} of=${revisions} lines=${6}>${({ revisions: found }: { revisions: readonly Revision[] }) => html`<${Section} title="Revisions" note="each one was applied as a whole, or not at all">
    <${Table} label="Revisions" rows=${found} keyOf=${({ revision, time }: Revision) => `${revision} ${time}`} empty=${{ title: 'Nothing was changed while the platform ran', text: 'Each change of files that is applied becomes a revision.' }}
      detail=${({ reason, changes, problems = [] }: Revision) => html`${reason !== '' && html`<p>${reason}</p>`}<ul>${changes.map(({ pipeline, change }) => html`<li><a href=${href(['pipelines', pipeline])}>${pipeline}</a> ${change}</li>`)}${problems.map(({ file, message }) => html`<li><code>${file}</code> ${message}</li>`)}</ul>`} columns=${[
        { id: 'revision', title: 'Revision', right: true, value: ({ revision }: Revision) => revision },
        { id: 'outcome', title: 'Outcome', value: ({ outcome }: Revision) => outcome, cell: ({ outcome }: Revision) => html`<${Mark} state=${outcome} />` },
        { id: 'time', title: 'When', value: ({ time }: Revision) => time, cell: ({ time }: Revision) => html`<${Time} at=${time} as="both" />` },
        { id: 'changes', title: 'What changed', grow: true, cell: ({ changes, reason }: Revision) => html`<span class="faint">${changes.length > 0 ? changes.map(({ pipeline, change }) => `${pipeline} ${change}`).join(', ') : reason}</span>` },
        { id: 'ms', title: 'Took', right: true, wide: true, value: ({ ms }: Revision) => ms, cell: ({ ms }: Revision) => `${ms} ms` }
      ]} />
  </${Section}>`}</${Loaded}>`
}
