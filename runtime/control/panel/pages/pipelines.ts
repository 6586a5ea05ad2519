// All pipelines: the map of the two lanes, and the same as a table.

import { PipelinePage } from './pipelines/pipeline.ts'
import { PipelineMap } from './pipelines/map.ts'
import { drawPlan } from './pipelines/plan.ts'
import { Page, Section } from '../parts/page.ts'
import { Empty, Loaded } from '../parts/problem.ts'
import { Mark } from '../parts/mark.ts'
import { Table } from '../parts/table.ts'
import { Time } from '../parts/time.ts'
import { get } from '../kit/api.ts'
import { html, useEffect, useMemo, useState } from '../kit/html.ts'
import { count, plural, rate, seconds } from '../kit/number.ts'
import { href } from '../kit/route.ts'
import { useResource } from '../kit/resource.ts'
import type { PageComponent } from '../pages.ts'
import type { VNode } from '../kit/html.ts'
import type { PipelineDetail, PipelineStatus, TopicState } from '../kit/shapes.ts'

const EVERY_MS = 2000
const TOPICS_EVERY_MS = 10_000

interface All { readonly pipelines: readonly PipelineStatus[], readonly problems: ReadonlyArray<{ readonly file: string, readonly message: string }> }

const Pipelines: PageComponent = ({ path }) => path[0] === undefined ? html`<${Overview} />` : html`<${PipelinePage} key=${path[0]} id=${path[0]} />`
export default Pipelines

function Overview (): VNode {
  const all = useResource<All>('/v1/pipelines', { every: EVERY_MS })
  const topics = useResource<{ topics: readonly TopicState[] }>('/v1/topics', { every: TOPICS_EVERY_MS })
  const pipelines = all.data?.pipelines ?? []
  const details = useDetails(pipelines)
  const lanes = useMemo(() => drawPlan(pipelines, details, topics.data?.topics ?? []), [pipelines, details, topics.data])
  const unhealthy = pipelines.filter(({ healthy }) => !healthy).length
  return html`<${Page} name="Pipelines" note=${all.data === undefined ? undefined : `${plural(pipelines.length, 'pipeline')}, ${unhealthy === 0 ? 'all healthy' : `${unhealthy} not healthy`}`}>
    <${Loaded} of=${all} lines=${8}>${({ problems }: All) => html`
      ${problems.map(({ file, message }) => html`<div class="problem" role="alert"><div><strong>${file}</strong> ${message}</div></div>`)}
      ${pipelines.length === 0 ? html`<${Empty} title="No pipeline yet">A pipeline is a file in <code>pipelines/</code>; it runs after the next reload.</${Empty}>` : html`<${PipelineMap} lanes=${lanes} />`}
      ${pipelines.length > 0 && html`<${Section} title="As a table"><${List} pipelines=${pipelines} details=${details} /></${Section}>`}
    `}</${Loaded}>
  </${Page}>`
}

/** The definitions, asked for once for each revision. */
function useDetails (pipelines: readonly PipelineStatus[]): ReadonlyMap<string, PipelineDetail> {
  const [details, setDetails] = useState<ReadonlyMap<string, PipelineDetail>>(new Map())
  const revisions = pipelines.map(({ id, revision }) => `${id} ${revision}`).join()
  useEffect(() => {
    const left = new AbortController()
    void Promise.allSettled(pipelines.map(({ id }) => get<PipelineDetail>(`/v1/pipelines/${id}`, { signal: left.signal }))).then(found => {
      if (!left.signal.aborted) setDetails(new Map(found.flatMap(one => one.status === 'fulfilled' ? [[one.value.id, one.value] as const] : [])))
    })
    return () => left.abort()
  }, [revisions])
  return details
}

function List ({ pipelines, details }: { readonly pipelines: readonly PipelineStatus[], readonly details: ReadonlyMap<string, PipelineDetail> }): VNode {
  const speed = ({ steps }: PipelineStatus): number => Math.max(0, ...steps.map(step => step.rows_per_second ?? 0))
  const lag = ({ steps }: PipelineStatus): number => Math.max(0, ...steps.map(step => step.lag_seconds ?? 0))
  return html`<${Table} label="Pipelines" name="pipelines" rows=${pipelines} keyOf=${({ id }: PipelineStatus) => id} columns=${[
    { id: 'id', title: 'Pipeline', value: ({ id }: PipelineStatus) => id, cell: ({ id }: PipelineStatus) => html`<a href=${href(['pipelines', id])}>${id}</a>` },
    { id: 'state', title: 'State', value: ({ state }: PipelineStatus) => state, cell: ({ state, healthy }: PipelineStatus) => html`<${Mark} state=${state} ...${healthy ? {} : { level: 'bad' }} />` },
    { id: 'rate', title: 'Rows', right: true, value: speed, cell: (one: PipelineStatus) => rate(speed(one)) },
    { id: 'lag', title: 'Behind', right: true, value: lag, cell: (one: PipelineStatus) => seconds(lag(one)) },
    { id: 'restarts', title: 'Restarts', right: true, wide: true, value: ({ restarts }: PipelineStatus) => restarts, cell: ({ restarts }: PipelineStatus) => count(restarts) },
    { id: 'since', title: 'Since', wide: true, value: ({ since }: PipelineStatus) => since, cell: ({ since }: PipelineStatus) => since === 0 ? '–' : html`<${Time} at=${since} />` },
    { id: 'about', title: 'About', wide: true, grow: true, cell: ({ id, reasons }: PipelineStatus) => reasons.length > 0 ? html`<span class="over-text">${reasons.join('; ')}</span>` : html`<span class="faint">${details.get(id)?.resolved?.description}</span>` }
  ]} />`
}
