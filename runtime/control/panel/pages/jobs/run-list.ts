import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { complain } from '../../parts/toast.ts'
import { utc } from '../../kit/clock.ts'
import { get } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { count, percent, seconds } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { VNode } from '../../kit/html.ts'
import type { Run } from '../../kit/shapes.ts'

const EVERY_MS = 3000
const PAGE_RUNS = 50

/** Runs of a job, newest first. */
export function RunList ({ id }: { readonly id: string }): VNode {
  const path = `/v1/jobs/${encodeURIComponent(id)}/runs?limit=${PAGE_RUNS}`
  const runs = useResource<{ runs: readonly Run[] }>(path, { every: EVERY_MS })
  const [older, setOlder] = useState<readonly Run[]>([])
  const [ended, setEnded] = useState(false)
  const onOlder = async (last: Run): Promise<void> => {
    try {
      const page = await get<{ runs: readonly Run[] }>(path, { query: { before: last.id } })
      setOlder([...older, ...page.runs])
      setEnded(page.runs.length < PAGE_RUNS)
    } catch (error) {
      complain(error)
    }
  }
  return html`<${Section} title="Runs" note="newest first"><${Loaded} of=${runs}>${({ runs: newest }: { runs: readonly Run[] }) => {
    const known = new Set(newest.map(({ id }) => id))
    const all = [...newest, ...older.filter(({ id }) => !known.has(id))]
    return html`<${Table} label="Runs" rows=${all} keyOf=${({ id }: Run) => id} empty=${{ title: 'It never ran', text: 'Its schedule starts it, or Run now.' }} columns=${columns} />
      ${newest.length === PAGE_RUNS && !ended && html`<div class="buttons padded"><button type="button" onClick=${() => onOlder(all.at(-1) as Run)}>Older runs</button></div>`}`
  }}</${Loaded}></${Section}>`
}

const columns = [
  { id: 'state', title: 'State', value: ({ state }: Run) => state, cell: (run: Run) => html`<a href=${href(['jobs', run.job, 'runs', run.id])}><${Mark} state=${run.state} ...${run.state === 'running' ? { level: 'busy', word: run.share === undefined ? 'running' : `running, ${percent(run.share)}` } : {}} /></a>` },
  { id: 'asked', title: 'Asked for', value: ({ queued }: Run) => queued, cell: ({ queued }: Run) => html`<${Time} at=${queued} as="both" />` },
  { id: 'took', title: 'Took', right: true, value: took, cell: (run: Run) => seconds(took(run)) },
  { id: 'interval', title: 'Interval of data', wide: true, value: ({ to }: Run) => to, cell: ({ from, to }: Run) => html`<span class="faint small">${from === 0 ? 'the beginning' : utc(from, { precise: false })} – ${utc(to, { precise: false })}</span>` },
  { id: 'rows', title: 'Rows', right: true, value: ({ rows }: Run) => rows, cell: ({ rows }: Run) => count(rows) },
  { id: 'rejected', title: 'Rejected', right: true, wide: true, value: ({ rejected }: Run) => rejected, cell: ({ rejected }: Run) => count(rejected) },
  { id: 'by', title: 'Started by', wide: true, value: ({ started_by: by }: Run) => by, cell: ({ kind, started_by: by }: Run) => html`${by}${kind === 'backfill' && html` <span class="tag">backfill</span>`}` },
  { id: 'error', title: 'Why', grow: true, wide: true, cell: ({ error }: Run) => html`<span class="over-text">${error}</span>` }
]

/** Seconds; undefined: it has not begun. */
function took ({ started, ended }: Run): number | undefined {
  return started === 0 ? undefined : ((ended === 0 ? Date.now() : ended) - started) / 1000
}
