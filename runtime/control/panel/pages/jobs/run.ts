import { cancelRun, retryRun } from './actions.ts'
import { Lines } from '../logs/lines.ts'
import { Confirm } from '../../parts/dialog.ts'
import { Icon } from '../../parts/icon.ts'
import { Mark } from '../../parts/mark.ts'
import { Facts, Page, Section } from '../../parts/page.ts'
import { Loaded, ProblemBox } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { utc } from '../../kit/clock.ts'
import { html, useEffect, useState } from '../../kit/html.ts'
import { useFollow } from '../../kit/follow.ts'
import { bytes, count, percent, seconds } from '../../kit/number.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { LogLine } from '../logs/lines.ts'
import type { VNode } from '../../kit/html.ts'
import type { Run } from '../../kit/shapes.ts'

const EVERY_MS = 2000
const LINES_KEPT = 1000

interface Attempt { readonly started: number, readonly ended: number, readonly outcome: string, readonly error: string }
interface RunStep { readonly step: string, readonly rows: number, readonly bytes: number, readonly rejected: number }
interface RunDetail extends Run { readonly steps: readonly RunStep[], readonly attempts: readonly Attempt[] }

const isOver = ({ state }: Run): boolean => ['succeeded', 'failed', 'cancelled'].includes(state)

/** One run: how far it is, what each step did, and its log as it comes. */
export function RunPage ({ id, run }: { readonly id: string, readonly run: string }): VNode {
  const [over, setOver] = useState(false)
  const found = useResource<RunDetail>(`/v1/jobs/${encodeURIComponent(id)}/runs/${encodeURIComponent(run)}`, over ? {} : { every: EVERY_MS })
  const { data } = found
  useEffect(() => {
    if (data !== undefined) setOver(isOver(data))
  }, [data])
  return html`<${Page} name=${`Run ${run}`} crumbs=${[{ title: 'Jobs', path: ['jobs'] }, { title: id, path: ['jobs', id] }]} mark=${data !== undefined && html`<${Mark} state=${data.state} ...${data.state === 'running' ? { level: 'busy' } : {}} />`} actions=${data !== undefined && html`<${Actions} run=${data} />`}>
    <${Loaded} of=${found} lines=${8}>${(one: RunDetail) => html`
      ${one.error !== '' && html`<div class="problem" role="alert"><${Icon} name="bad" /><div><strong>${one.step === '' ? 'It failed' : `${one.step} failed`}.</strong> ${one.error}${one.retry_at > 0 && html` It is tried again <${Time} at=${one.retry_at} />.`}</div></div>`}
      ${one.share !== undefined && html`<div class="progress"><progress value=${one.share} max="1" aria-label="How much is done"></progress><span>${percent(one.share)}</span></div>`}
      <${Section} title="What it did"><${Facts} facts=${factsOf(one)} /></${Section}>
      ${one.steps.length > 0 && html`<${Section} title="Steps"><${Table} label="Steps" rows=${one.steps} keyOf=${({ step }: RunStep) => step} columns=${[
        { id: 'step', title: 'Step', cell: ({ step }: RunStep) => html`<strong>${step}</strong>`, grow: true },
        { id: 'rows', title: 'Rows', right: true, cell: ({ rows }: RunStep) => count(rows) },
        { id: 'bytes', title: 'Size', right: true, cell: (step: RunStep) => bytes(step.bytes) },
        { id: 'rejected', title: 'Rejected', right: true, cell: ({ rejected }: RunStep) => count(rejected) }
      ]} /></${Section}>`}
      ${one.attempts.length > 1 && html`<${Section} title="Attempts"><${Table} label="Attempts" rows=${one.attempts} keyOf=${({ started }: Attempt) => String(started)} columns=${[
        { id: 'outcome', title: 'Outcome', cell: ({ outcome }: Attempt) => html`<${Mark} state=${outcome === '' ? 'busy' : outcome} />` },
        { id: 'started', title: 'Began', cell: ({ started }: Attempt) => html`<${Time} at=${started} as="clock" />` },
        { id: 'error', title: 'Why', grow: true, cell: ({ error }: Attempt) => error }
      ]} /></${Section}>`}
      <${RunLog} id=${id} run=${run} />`}</${Loaded}>
  </${Page}>`
}

function factsOf (one: RunDetail): Array<readonly [string, unknown]> {
  const end = one.ended === 0 ? Date.now() : one.ended
  return [
    ['Interval of data', `${one.from === 0 ? 'the beginning' : utc(one.from, { precise: false })} – ${utc(one.to, { precise: false })}`],
    ['Started by', one.started_by], ['Asked for', html`<${Time} at=${one.queued} as="clock" />`], ['Took', one.started === 0 ? '–' : seconds((end - one.started) / 1000)],
    ['Rows', count(one.rows)], ['Rejected', count(one.rejected)], ['Attempt', count(one.attempt)]
  ]
}

function Actions ({ run }: { readonly run: RunDetail }): VNode | null {
  const [asks, setAsks] = useState(false)
  if (!may('jobs:run')) return null
  if (isOver(run)) return html`<button type="button" onClick=${() => retryRun(run)}><${Icon} name="again" />Run it again</button>`
  return html`<button type="button" class="danger" onClick=${() => setAsks(true)}><${Icon} name="stop" />Cancel</button>
    ${asks && html`<${Confirm} title="Cancel this run?" button="Cancel the run" danger onConfirm=${() => cancelRun(run)} onClose=${() => setAsks(false)}><p>It ends once what is in flight is settled; rows that it stored stay.</p></${Confirm}>`}`
}

/** The log, followed until the run is over; newest first. */
function RunLog ({ id, run }: { readonly id: string, readonly run: string }): VNode {
  const [lines, setLines] = useState<readonly LogLine[]>([])
  const { state, problem } = useFollow(`/v1/jobs/${encodeURIComponent(id)}/runs/${encodeURIComponent(run)}/log`, ({ event, data }) => {
    if (event === 'end') void refresh('/v1/jobs')
    if (event !== 'line') return
    const { time, ...line } = JSON.parse(data) as Omit<LogLine, 'id' | 'at' | 'part' | 'step'> & { time: number }
    setLines(old => [{ ...line, id: `${time} ${old.length}`, at: time, part: id, step: String(line.fields['step'] ?? '') }, ...old].slice(0, LINES_KEPT))
  })
  return html`<${Section} title="Log" note=${html`<${Mark} level=${state === 'live' ? 'ok' : state === 'failed' ? 'bad' : 'idle'} word=${state === 'live' ? 'following' : state === 'ended' ? 'complete' : state} quiet />`}>
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    <${Lines} lines=${lines} empty="Nothing was said yet, or the run is too old for its log." />
  </${Section}>`
}
