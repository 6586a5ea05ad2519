import { Code } from '../../parts/code.ts'
import { Confirm } from '../../parts/dialog.ts'
import { Icon } from '../../parts/icon.ts'
import { Facts, Section } from '../../parts/page.ts'
import { Empty, Loaded, ProblemBox } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { say } from '../../parts/toast.ts'
import { addressOf, post, problemOf } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { count, plural } from '../../kit/number.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'

const EVERY_MS = 5000
const ROWS = 50

interface Group { readonly step: string, readonly reason: string, readonly rows: number }
interface RefusedRow { readonly at: number, readonly pipeline: string, readonly step: string, readonly partition: number, readonly offset: number, readonly time: number, readonly reason: string, readonly row: Readonly<Record<string, unknown>> }
interface RejectedAnswer { readonly count: number, readonly handled: number, readonly groups: readonly Group[], readonly rows: readonly RefusedRow[], readonly more: boolean }
interface Report { readonly rows: number, readonly delivered: number, readonly present: number, readonly filtered: number, readonly appended: number, readonly refused: readonly Group[], readonly kept: ReadonlyArray<{ readonly why: string, readonly rows: number }>, readonly next: number | null }

/** Rows that were refused and wait: why, which, and delivering them again. */
export function Rejected ({ topic }: { readonly topic: string }): VNode {
  const allowed = may('topics:read')
  const rejected = useResource<RejectedAnswer>(allowed ? `/v1/topics/${topic}/rejected?limit=${ROWS}` : undefined, { every: EVERY_MS })
  const [open, setOpen] = useState(false)
  if (!allowed) return html`<${Empty} title="Needs the scope topics:read">Rejected rows are as they came from the source.</${Empty}>`
  return html`<${Loaded} of=${rejected}>${(found: RejectedAnswer) => found.count === 0
    ? html`<${Empty} title="No rejected row waits">${found.handled > 0 ? `${plural(found.handled, 'row')} were rejected and have been delivered again.` : 'A row that cannot be cast, or breaks a quality rule, comes here with the reason; its neighbours go on.'}</${Empty}>`
    : html`
      <${Section} title=${`${found.more ? 'More than ' : ''}${plural(found.count, 'row waits', 'rows wait')}`} note=${found.handled > 0 ? `${plural(found.handled, 'row')} were delivered again` : undefined} actions=${may('jobs:run') && html`<button type="button" class="primary" onClick=${() => setOpen(true)}><${Icon} name="again" />Deliver again</button>`}>
        <${Table} label="Reasons" rows=${found.groups} keyOf=${({ step, reason }: Group) => `${step} ${reason}`} columns=${[
          { id: 'rows', title: 'Rows', right: true, value: ({ rows }: Group) => rows, cell: ({ rows }: Group) => count(rows) },
          { id: 'step', title: 'Step', value: ({ step }: Group) => step },
          { id: 'reason', title: 'Reason', grow: true, value: ({ reason }: Group) => reason }
        ]} />
      </${Section}>
      <${Section} title="Rows" note=${`the first ${ROWS}`}><${Table} label="Rejected rows" rows=${found.rows} keyOf=${({ at }: RefusedRow) => String(at)}
        detail=${({ row }: RefusedRow) => html`<${Code} text=${JSON.stringify(row, null, 2)} language="json" what="the row" />`} columns=${[
          { id: 'time', title: 'When', value: ({ time }: RefusedRow) => time, cell: ({ time }: RefusedRow) => html`<${Time} at=${time} as="both" />` },
          { id: 'place', title: 'Row', right: true, wide: true, cell: ({ partition, offset }: RefusedRow) => html`<code>${partition < 0 ? 'not in the topic' : `${partition}:${offset}`}</code>` },
          { id: 'reason', title: 'Reason', grow: true, value: ({ reason }: RefusedRow) => reason }
        ]} /></${Section}>
      ${open && html`<${Redeliver} topic=${topic} onClose=${() => setOpen(false)} />`}`}</${Loaded}>`
}

/** First says what would pass, then does it. The platform works in slices; the page asks until the last one. */
function Redeliver ({ topic, onClose }: { readonly topic: string, readonly onClose: () => void }): VNode {
  const [dry, setDry] = useState<Report>()
  const [problem, setProblem] = useState<Problem>()
  const run = async (dryRun: boolean): Promise<Report | undefined> => {
    setProblem(undefined)
    try {
      return await deliver(topic, dryRun)
    } catch (error) {
      setProblem(problemOf(error))
      throw error
    }
  }
  const confirm = async (): Promise<void> => {
    const report = await run(false)
    say(`${plural(report?.delivered ?? 0, 'row')} of ${topic} were delivered.`)
    await refresh('/v1/topics')
  }
  return html`<${Confirm} title=${`Deliver rejected rows of ${topic} again`} button=${dry === undefined ? 'Deliver' : `Deliver ${plural(dry.delivered, 'row')}`} onConfirm=${confirm} onClose=${onClose}>
    <p>They go through the pipelines as they are now, and what passes is stored at its original position. Nothing is stored twice.</p>
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    ${dry === undefined ? html`<button type="button" onClick=${() => { run(true).then(setDry, () => {}) }}>What would pass?</button>` : html`<${Outcome} report=${dry} />`}
  </${Confirm}>`
}

function Outcome ({ report }: { readonly report: Report }): VNode {
  return html`<${Facts} facts=${[['Looked at', count(report.rows)], ['Would be delivered', count(report.delivered + report.appended)], ['There already', count(report.present)], ['Taken out by a transform', count(report.filtered)], ['Refused again', count(report.refused.reduce((sum, { rows }) => sum + rows, 0))]]} />
    ${report.refused.map(({ reason, rows }) => html`<p class="small faint">${count(rows)}: ${reason}</p>`)}
    ${report.kept.map(({ why, rows }) => html`<p class="small faint">${count(rows)} stay: ${why}</p>`)}`
}

async function deliver (topic: string, dryRun: boolean): Promise<Report> {
  let sum: Report | undefined
  for (let from: number | null = 0; from !== null;) {
    const part: Report = await post<Report>(addressOf(`/v1/topics/${topic}/redeliver`, { dry_run: dryRun, from }))
    sum = sum === undefined
      ? part
      : { rows: sum.rows + part.rows, delivered: sum.delivered + part.delivered, present: sum.present + part.present, filtered: sum.filtered + part.filtered, appended: sum.appended + part.appended, refused: [...sum.refused, ...part.refused], kept: [...sum.kept, ...part.kept], next: part.next }
    from = part.next
  }
  return sum as Report
}
