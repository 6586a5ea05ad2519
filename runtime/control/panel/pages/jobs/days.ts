// The days that a job has worked through as a grid of weeks; a first and a last day chosen in it are a backfill.

import { Confirm } from '../../parts/dialog.ts'
import { Labelled } from '../../parts/form.ts'
import { Section } from '../../parts/page.ts'
import { Loaded, ProblemBox } from '../../parts/problem.ts'
import { say } from '../../parts/toast.ts'
import { post, problemOf } from '../../kit/api.ts'
import { dayLabel, utc } from '../../kit/clock.ts'
import { classes, html, useEffect, useState } from '../../kit/html.ts'
import { count, plural } from '../../kit/number.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { Control } from '../../parts/form.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'

const EVERY_MS = 5000
const DAY_MS = 86_400_000
const WEEKS = 13
const SHOWN_INTERVALS = 5

interface Day { readonly day: string, readonly state: 'done' | 'failed' | 'running' | 'missing', readonly run: string | null, readonly rows: number }
interface Plan { readonly intervals: ReadonlyArray<{ readonly from: number, readonly to: number }> }
interface Span { readonly first: string, readonly last: string }

export function Days ({ id }: { readonly id: string }): VNode {
  const days = useResource<{ days: readonly Day[] }>(`/v1/jobs/${encodeURIComponent(id)}/days?from=${startDay()}`, { every: EVERY_MS })
  const [span, setSpan] = useState<Span>()
  const [asks, setAsks] = useState(false)
  const choose = (day: string): void => {
    if (span === undefined || span.first !== span.last) setSpan({ first: day, last: day })
    else setSpan(day < span.first ? { first: day, last: span.first } : { first: span.first, last: day })
  }
  return html`<${Section} title="Days" note="the last quarter, UTC" actions=${may('jobs:run') && html`<button type="button" class="primary" disabled=${span === undefined} onClick=${() => setAsks(true)}>${span === undefined ? 'Choose days to backfill' : `Backfill ${plural(lengthOf(span), 'day')}…`}</button>`}>
    <${Loaded} of=${days}>${({ days: found }: { days: readonly Day[] }) => html`
      <div class="day-grid" role="group" aria-label="Days; choose the first and the last one of a backfill">${found.map(one => html`<${Cell} key=${one.day} day=${one} chosen=${span !== undefined && one.day >= span.first && one.day <= span.last} onChoose=${() => choose(one.day)} offset=${one === found[0] ? new Date(one.day).getUTCDay() : 0} />`)}</div>
      <p class="legend day-legend"><span><i class="done"></i>done</span><span><i class="running"></i>running</span><span><i class="failed"></i>failed</span><span><i class="missing"></i>not worked through</span></p>`}</${Loaded}>
    <div class="filters">
      <${Labelled} label="First day">${(control: Control) => html`<input ...${control} type="date" value=${span?.first ?? ''} onChange=${(event: Event) => setSpan(spanOf((event.target as HTMLInputElement).value, span?.last))} />`}</${Labelled}>
      <${Labelled} label="Last day">${(control: Control) => html`<input ...${control} type="date" value=${span?.last ?? ''} onChange=${(event: Event) => setSpan(spanOf(span?.first, (event.target as HTMLInputElement).value))} />`}</${Labelled}>
    </div>
    ${asks && span !== undefined && html`<${Backfill} id=${id} span=${span} onClose=${() => setAsks(false)} />`}
  </${Section}>`
}

function Cell ({ day: { day, state, rows }, chosen, onChoose, offset }: { readonly day: Day, readonly chosen: boolean, readonly onChoose: () => void, readonly offset: number }): VNode {
  return html`<button type="button" class=${classes('day', state, day.endsWith('-01') && 'first')} aria-pressed=${chosen} aria-label=${`${day}: ${state}, ${count(rows)} rows`} title=${`${day}: ${state}${rows > 0 ? `, ${count(rows)} rows` : ''}`} onClick=${onChoose} style=${offset > 0 ? { gridRowStart: offset + 1 } : {}}>${dayLabel(day)}</button>`
}

/** Says which runs there will be before they are queued. */
function Backfill ({ id, span, onClose }: { readonly id: string, readonly span: Span, readonly onClose: () => void }): VNode {
  const [plan, setPlan] = useState<Plan>()
  const [problem, setProblem] = useState<Problem>()
  const path = `/v1/jobs/${encodeURIComponent(id)}/backfills`
  const body = { from: span.first, to: utc(Date.parse(span.last) + DAY_MS).slice(0, 10) }
  useEffect(() => {
    post<Plan>(path, { ...body, dry_run: true }).then(setPlan, (error: unknown) => setProblem(problemOf(error)))
  }, [])
  const run = async (): Promise<void> => {
    try {
      await post(path, body)
    } catch (error) {
      setProblem(problemOf(error))
      throw error
    }
    say(`${plural(plan?.intervals.length ?? 0, 'run')} of ${id} are queued.`)
    await refresh('/v1/jobs')
  }
  return html`<${Confirm} title=${`Backfill ${id}`} button=${plan === undefined ? 'Backfill' : `Queue ${plural(plan.intervals.length, 'run')}`} disabled=${plan === undefined} onConfirm=${run} onClose=${onClose}>
    <p>From ${span.first} to ${span.last}, both included. Rows come on top of those that are there; where the schema says <code>unique</code>, readers see each one once.</p>
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    ${plan !== undefined && html`<ul class="small">${plan.intervals.slice(0, SHOWN_INTERVALS).map(({ from, to }) => html`<li>${utc(from, { precise: false })} – ${utc(to, { precise: false })}</li>`)}${plan.intervals.length > SHOWN_INTERVALS && html`<li>and ${plan.intervals.length - SHOWN_INTERVALS} more</li>`}</ul>`}
  </${Confirm}>`
}

function startDay (): string {
  return utc(Date.now() - WEEKS * 7 * DAY_MS).slice(0, 10)
}

function lengthOf ({ first, last }: Span): number {
  return Math.round((Date.parse(last) - Date.parse(first)) / DAY_MS) + 1
}

function spanOf (first: string | undefined, last: string | undefined): Span | undefined {
  const [one, other] = [first || last, last || first]
  if (one === undefined || other === undefined || one === '' || other === '') return undefined
  return one <= other ? { first: one, last: other } : { first: other, last: one }
}
