import { Icon } from '../../parts/icon.ts'
import { Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { classes, html } from '../../kit/html.ts'
import { href } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { VNode } from '../../kit/html.ts'

const EVERY_MS = 5000

interface Step { readonly step: string, readonly title: string, readonly done: boolean, readonly where: string }

const why: Readonly<Record<string, string>> = {
  admin: 'People sign in with a user of their own, so that the audit log can say who did what.',
  source: 'A source gives rows to a topic, which keeps them until everybody has taken them.',
  rows: 'A pipeline shows the rows that go through it as they come.',
  destination: 'A destination stores rows for queries, or hands them to other systems.',
  backup: 'A backup has the rows, the settings and the users, and is checked by bringing it back.',
  alert: 'Otherwise the page is the only one who knows.'
}

/** The first steps with a platform. What is done is told from what there is. */
export function Guide (): VNode {
  const guide = useResource<{ steps: readonly Step[] }>('/v1/guide', { every: EVERY_MS })
  return html`<${Loaded} of=${guide} lines=${6}>${({ steps }: { steps: readonly Step[] }) => {
    const done = steps.filter(step => step.done).length
    const next = steps.find(step => !step.done)
    return html`<${Section} title=${next === undefined ? 'All first steps are done' : `${done} of ${steps.length} first steps are done`} note=${next === undefined ? undefined : 'they tick themselves off'}>
      <ol class="guide">${steps.map(one => html`<li class=${classes(one.done && 'done', one === next && 'next')} aria-current=${one === next ? 'step' : undefined}>
        <span class="guide-mark">${one.done ? html`<${Icon} name="check" />` : steps.indexOf(one) + 1}</span>
        <div><strong>${one.title}</strong><span class="hidden">${one.done ? ', done' : ', not done yet'}</span><p class="faint">${why[one.step]}</p></div>
        <a class=${classes('button', one === next && 'primary')} href=${one.where} aria-label=${`${one.done ? 'Look at' : 'Go to'}: ${one.title}`}>${one.done ? 'Look' : 'Go'}</a>
      </li>`)}</ol>
    </${Section}>
    <${Section} title="The project as files"><p>Everything that is set up here is written to files with comments kept, so that git stays the truth. <a href=${href(['setup', 'files'])}>Files</a> shows them, plans a change with its effects, and applies it all or not at all. Deploy as you like: the <a href=${href(['setup', 'files'])}>export</a> is the same files as one archive.</p></${Section}>`
  }}</${Loaded}>`
}
