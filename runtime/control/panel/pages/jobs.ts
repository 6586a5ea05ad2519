// Jobs: what is due when, what ran, and what can be done about it.

import { JobPage } from './jobs/job.ts'
import { RunPage } from './jobs/run.ts'
import { ScheduleWords } from './jobs/schedule-words.ts'
import { startRun } from './jobs/actions.ts'
import { Confirm } from '../parts/dialog.ts'
import { Icon } from '../parts/icon.ts'
import { Mark } from '../parts/mark.ts'
import { Page, Section } from '../parts/page.ts'
import { Loaded } from '../parts/problem.ts'
import { Table } from '../parts/table.ts'
import { Time } from '../parts/time.ts'
import { act } from '../parts/toast.ts'
import { post } from '../kit/api.ts'
import { html, useState } from '../kit/html.ts'
import { count, percent, plural } from '../kit/number.ts'
import { href } from '../kit/route.ts'
import { refresh, useResource } from '../kit/resource.ts'
import { may } from '../kit/session.ts'
import type { PageComponent } from '../pages.ts'
import type { VNode } from '../kit/html.ts'
import type { Job } from '../kit/shapes.ts'

const EVERY_MS = 3000

interface All { readonly paused: boolean, readonly jobs: readonly Job[] }

const Jobs: PageComponent = ({ path: [id, , run] }) => {
  if (id === undefined) return html`<${Overview} />`
  return run === undefined ? html`<${JobPage} key=${id} id=${id} />` : html`<${RunPage} key=${`${id} ${run}`} id=${id} run=${run} />`
}
export default Jobs

function Overview (): VNode {
  const all = useResource<All>('/v1/jobs', { every: EVERY_MS })
  const running = all.data?.jobs.filter(job => job.running !== undefined).length ?? 0
  return html`<${Page} name="Jobs" note=${all.data === undefined ? undefined : `${plural(all.data.jobs.length, 'job')}, ${running === 0 ? 'none runs' : `${running} running`}`} actions=${all.data !== undefined && may('jobs:run') && html`<${PauseAll} paused=${all.data.paused} />`}>
    <${Loaded} of=${all} lines=${8}>${({ paused, jobs }: All) => html`
      ${paused && html`<p class="notice"><${Icon} name="off" /> All schedules are paused. Runs that are started by hand still begin.</p>`}
      <${Section} title="Schedules and last runs"><${List} jobs=${jobs} /></${Section}>`}</${Loaded}>
  </${Page}>`
}

function PauseAll ({ paused }: { readonly paused: boolean }): VNode {
  const [asks, setAsks] = useState(false)
  const run = (verb: string, done: string): Promise<boolean> => act(async () => {
    await post(`/v1/jobs/${verb}`)
    await refresh('/v1/jobs')
  }, done)
  if (paused) return html`<button type="button" class="primary" onClick=${() => run('resume', 'Schedules go on.')}><${Icon} name="play" />Resume all</button>`
  return html`<button type="button" onClick=${() => setAsks(true)}><${Icon} name="pause" />Pause all</button>
    ${asks && html`<${Confirm} title="Pause all jobs?" button="Pause all" onConfirm=${() => run('pause', 'All schedules are paused.')} onClose=${() => setAsks(false)}><p>No schedule begins a run until they are resumed, also over restarts. Runs that are under way go on to their end.</p></${Confirm}>`}`
}

function List ({ jobs }: { readonly jobs: readonly Job[] }): VNode {
  // People come for their own; those of the platform stand below.
  const own = [...jobs].sort((a, b) => a.kind.localeCompare(b.kind))
  return html`<${Table} label="Jobs" name="jobs" rows=${own} keyOf=${({ id }: Job) => id} columns=${[
    { id: 'id', title: 'Job', value: ({ id }: Job) => id, cell: ({ id, kind, description }: Job) => html`<a href=${href(['jobs', id])} title=${description}>${id}</a>${kind === 'task' && html` <span class="tag">platform</span>`}` },
    { id: 'state', title: 'Last run', value: (job: Job) => job.running?.state ?? job.last?.state, cell: (job: Job) => html`<${LastRun} job=${job} />` },
    { id: 'schedule', title: 'Schedule', grow: true, wide: true, value: ({ words }: Job) => words, cell: (job: Job) => html`<${ScheduleWords} job=${job} />` },
    { id: 'next', title: 'Next', value: ({ next }: Job) => next[0], cell: ({ next, paused }: Job) => paused ? html`<${Mark} state="paused" quiet />` : next[0] === undefined ? html`<span class="faint">by hand</span>` : html`<${Time} at=${next[0]} />` },
    { id: 'rows', title: 'Rows', right: true, wide: true, value: ({ last }: Job) => last?.rows, cell: ({ last }: Job) => count(last?.rows) },
    { id: 'do', title: '', cell: (job: Job) => may('jobs:run') && job.needs.length === 0 && html`<button type="button" class="small" disabled=${job.running !== undefined} aria-label=${`Run ${job.id} now`} onClick=${() => startRun(job.id)}><${Icon} name="play" size=${12} />Run</button>` }
  ]} />`
}

function LastRun ({ job: { id, running, last } }: { readonly job: Job }): VNode {
  if (running !== undefined) return html`<a href=${href(['jobs', id, 'runs', running.id])}><${Mark} state="running" level="busy" word=${running.share === undefined ? 'running' : `running, ${percent(running.share)}`} /></a>`
  if (last === undefined) return html`<span class="faint">never ran</span>`
  return html`<a href=${href(['jobs', id, 'runs', last.id])} title=${last.error}><${Mark} state=${last.state} /></a> <span class="faint small"><${Time} at=${last.ended} /></span>`
}
