import { levelOf } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { now, relative, utc } from '../../kit/clock.ts'
import { html } from '../../kit/html.ts'
import { href } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { VNode } from '../../kit/html.ts'
import type { Job, Run } from '../../kit/shapes.ts'

const EVERY_MS = 10_000
const HOUR_MS = 3_600_000
const HOURS = 6
/** Runs of each job that are asked for. */
const RUNS = 60

/** Jobs from six hours ago to six hours from now: what ran, what runs, what comes. */
export function Timeline (): VNode {
  const jobs = useResource<{ jobs: readonly Job[] }>('/v1/jobs', { every: EVERY_MS })
  const from = now.value - HOURS * HOUR_MS
  return html`<${Section} title="Jobs" note="6 hours back, 6 ahead, UTC">
    <${Loaded} of=${jobs}>${({ jobs: found }: { jobs: readonly Job[] }) => {
      const shown = found.filter(job => job.last !== undefined || job.running !== undefined || job.next.length > 0)
      if (shown.length === 0) return html`<${Empty} title="No job has run yet">A pipeline with a schedule is a job.</${Empty}>`
      return html`<div class="timeline">
        <div class="timeline-hours" aria-hidden="true">${Array.from({ length: HOURS }, (_, i) => html`<span style=${{ left: `${place(hourAt(from, i), from)}%` }}>${utc(hourAt(from, i)).slice(11, 16)}</span>`)}</div>
        <ul>${shown.map(job => html`<${Lane} key=${job.id} job=${job} from=${from} />`)}</ul>
      </div>`
    }}</${Loaded}>
  </${Section}>`
}

/** Every second full hour. */
function hourAt (from: number, i: number): number {
  return Math.ceil(from / HOUR_MS + 2 * i) * HOUR_MS
}

function place (at: number, from: number): number {
  return Math.min(100, Math.max(0, (at - from) / (2 * HOURS * HOUR_MS) * 100))
}

function Lane ({ job, from }: { readonly job: Job, readonly from: number }): VNode {
  const { data } = useResource<{ runs: readonly Run[] }>(`/v1/jobs/${job.id}/runs?limit=${RUNS}`, { every: EVERY_MS })
  const runs = (data?.runs ?? []).filter(run => (run.ended === 0 ? now.value : run.ended) > from && run.started > 0)
  const fires = job.next.filter(at => at < from + 2 * HOURS * HOUR_MS)
  const failed = runs.filter(({ state }) => state === 'failed').length
  const next = job.next[0]
  return html`<li>
    <a href=${href(['jobs', job.id])} class="ellipsis">${job.id}</a>
    <div class="lane">
      <span class="hidden">${runs.length} runs, ${failed} failed${next === undefined ? '' : `, next ${relative(next, now.value)}`}</span>
      ${runs.map(run => {
        const left = place(run.started, from)
        const right = place(run.ended === 0 ? now.value : run.ended, from)
        return html`<span class=${`bar ${levelOf(run.state === 'running' ? 'busy' : run.state)}`} style=${{ left: `${left}%`, width: `max(4px, ${right - left}%)` }} title=${`${run.state}, ${utc(run.started)} UTC${run.error === '' ? '' : `: ${run.error}`}`}></span>`
      })}
      ${fires.map(at => html`<span class="fire" style=${{ left: `${place(at, from)}%` }} title=${`next: ${utc(at)} UTC`}></span>`)}
      <span class="now-line"></span>
    </div>
    <span class="faint small right">${job.paused ? 'paused' : next === undefined ? 'by hand' : relative(next, now.value)}</span>
  </li>`
}
