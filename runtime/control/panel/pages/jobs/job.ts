import { startRun } from './actions.ts'
import { Days } from './days.ts'
import { RunList } from './run-list.ts'
import { ScheduleWords } from './schedule-words.ts'
import { Icon } from '../../parts/icon.ts'
import { Mark } from '../../parts/mark.ts'
import { Facts, Page, Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { Tabs, tabOf } from '../../parts/tabs.ts'
import { Time } from '../../parts/time.ts'
import { act } from '../../parts/toast.ts'
import { post } from '../../kit/api.ts'
import { html } from '../../kit/html.ts'
import { plural, seconds } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { VNode } from '../../kit/html.ts'
import type { Job } from '../../kit/shapes.ts'

const EVERY_MS = 3000
const catchUp: Readonly<Record<string, string>> = { none: 'missed runs are left out', once: 'missed runs are caught up by one', each: 'each missed run is caught up' }

export function JobPage ({ id }: { readonly id: string }): VNode {
  const job = useResource<Job>(`/v1/jobs/${encodeURIComponent(id)}`, { every: EVERY_MS })
  const tabs = [{ id: 'runs', title: 'Runs' }, ...job.data?.kind === 'pipeline' ? [{ id: 'days', title: 'Days and backfill' }] : [], { id: 'about', title: 'About' }]
  const tab = tabOf(tabs)
  const { data } = job
  return html`<${Page} name=${id} crumbs=${[{ title: 'Jobs', path: ['jobs'] }]} note=${data?.description} mark=${data !== undefined && html`<${JobMark} job=${data} />`} actions=${data !== undefined && html`<${Actions} job=${data} />`}>
    <${Loaded} of=${job} lines=${8}>${(found: Job) => html`
      <p><${ScheduleWords} job=${found} />${found.next.length > 0 && html`<span class="faint">: next ${found.next.map((at, i) => html`${i > 0 && ', '}<${Time} at=${at} as="clock" />`)}</span>`}</p>
      <${Tabs} tabs=${tabs} label=${`Facets of ${id}`} />
      ${tab === 'runs' && html`<${RunList} id=${id} />`}
      ${tab === 'days' && html`<${Days} id=${id} />`}
      ${tab === 'about' && html`<${About} job=${found} />`}`}</${Loaded}>
  </${Page}>`
}

function JobMark ({ job: { running, paused, healthy, last } }: { readonly job: Job }): VNode {
  if (running !== undefined) return html`<${Mark} level="busy" word="running" />`
  if (paused) return html`<${Mark} state="paused" />`
  return last === undefined ? html`<${Mark} level="idle" word="never ran" />` : html`<${Mark} level=${healthy ? 'ok' : 'bad'} word=${`last run ${last.state}`} />`
}

function Actions ({ job: { id, paused, running, schedule, needs } }: { readonly job: Job }): VNode {
  if (!may('jobs:run')) return html`<span class="faint small"><${Icon} name="lock" size=${12} /> Runs need the scope jobs:run</span>`
  const toggle = (): Promise<boolean> => act(async () => {
    await post(`/v1/jobs/${id}/${paused ? 'resume' : 'pause'}`)
    await refresh('/v1/jobs')
  }, paused ? `${id} follows its schedule again.` : `The schedule of ${id} is paused.`)
  return html`${(paused || schedule !== 'manual') && html`<button type="button" onClick=${toggle}><${Icon} name=${paused ? 'play' : 'pause'} />${paused ? 'Resume' : 'Pause'}</button>`}
    ${needs.length > 0
      ? html`<span class="faint small">A run needs ${needs.join(' and ')}: <code>npx twolane ${id}</code></span>`
      : html`<button type="button" class="primary" disabled=${running !== undefined} onClick=${() => startRun(id)}><${Icon} name="play" />Run now</button>`}`
}

function About ({ job }: { readonly job: Job }): VNode {
  return html`<${Section} title="About"><${Facts} facts=${[
    ['Schedule', html`<code>${job.schedule}</code>`], ['Time zone', job.zone], ['When it was off', catchUp[job.catch_up] ?? job.catch_up],
    ['After a failure', job.retries === 0 ? 'it is not tried again' : `tried again ${plural(job.retries, 'time')}`], ['A run ends after', seconds(job.timeout_seconds)],
    ...(job.kind === 'pipeline' ? [['Defined by', html`<a href=${href(['pipelines', job.id])}>the pipeline ${job.id}</a>`] as const] : [['Comes with', 'the platform'] as const])
  ]} /></${Section}>`
}
