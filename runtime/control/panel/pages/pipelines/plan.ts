// Where everything stands on the map. Our graph has fixed stages, so each stage is a column, and a pipeline is a row:
//
//   source ─▶ topic ─▶ processor ─▶ destinations ─▶ dataset
//
// Pipelines of one topic stand below each other and share its node. Streams are the upper lane, jobs the lower one.

import { levelOf } from '../../parts/mark.ts'
import { count, plural, rate, seconds } from '../../kit/number.ts'
import type { Level } from '../../parts/mark.ts'
import type { PipelineDetail, PipelineStatus, Step, StepStatus, TopicState } from '../../kit/shapes.ts'

export interface MapNode {
  readonly id: string
  readonly kind: 'source' | 'topic' | 'processor' | 'destination' | 'dataset'
  readonly title: string
  /** Below the title, such as rate and lag. */
  readonly note: string
  readonly level: Level
  /** The state in words, for those who do not see the colour. */
  readonly state: string
  readonly path: readonly string[]
  readonly query: Readonly<Record<string, string>>
  readonly x: number
  readonly y: number
}

export interface MapEdge {
  readonly from: MapNode
  readonly to: MapNode
  /** Rows a second; 0: nothing moves. */
  readonly rate: number
}

export interface Lane {
  readonly title: string
  readonly nodes: readonly MapNode[]
  readonly edges: readonly MapEdge[]
  readonly height: number
}

export const NODE_WIDTH = 184
export const NODE_HEIGHT = 46
const COLUMN_GAP = 52
const ROW_GAP = 10
const GROUP_GAP = 12
export const columns = ['Source', 'Topic', 'Processor', 'Destination', 'Read as'] as const
export const MAP_WIDTH = columns.length * NODE_WIDTH + (columns.length - 1) * COLUMN_GAP

export function columnAt (column: number): number {
  return column * (NODE_WIDTH + COLUMN_GAP)
}

/** Outputs whose rows can be asked for under the name of the dataset. */
const stored = new Set(['streaming-database', 'warehouse'])

export function drawPlan (pipelines: readonly PipelineStatus[], details: ReadonlyMap<string, PipelineDetail>, topics: readonly TopicState[]): Lane[] {
  const isJob = ({ id, state }: PipelineStatus): boolean => state === 'scheduled' || details.get(id)?.resolved?.schedule !== undefined
  const known = pipelines.filter(({ id }) => details.get(id)?.resolved !== undefined)
  return ([['Streaming lane', known.filter(one => !isJob(one))], ['Batch lane', known.filter(isJob)]] as const)
    .filter(([, members]) => members.length > 0)
    .map(([title, members]) => ({ title, ...laneOf(members, details, topics) }))
}

function laneOf (members: readonly PipelineStatus[], details: ReadonlyMap<string, PipelineDetail>, topics: readonly TopicState[]): Omit<Lane, 'title'> {
  const nodes: MapNode[] = []
  const edges: MapEdge[] = []
  let y = 0
  for (const [topic, sharing] of Map.groupBy(members, one => one.topic)) {
    const top = y
    const rows = sharing.map(one => {
      const drawn = pipelineNodes(one, details.get(one.id) as PipelineDetail, y)
      y += drawn.height
      return drawn
    })
    const topicNode = topicNodeOf(topic, sharing, topics, middle(top, y - ROW_GAP))
    nodes.push(topicNode)
    for (const { source, processor, destinations, dataset, inputRate } of rows) {
      nodes.push(...[source, processor, ...destinations.map(({ node }) => node), dataset].filter(node => node !== undefined))
      if (source !== undefined) edges.push({ from: source, to: topicNode, rate: inputRate })
      const after = processor ?? topicNode
      const outRate = Math.max(0, ...destinations.map(one => one.rate))
      if (processor !== undefined) edges.push({ from: topicNode, to: processor, rate: outRate })
      for (const one of destinations) {
        edges.push({ from: after, to: one.node, rate: one.rate })
        if (dataset !== undefined && one.stored) edges.push({ from: one.node, to: dataset, rate: one.rate })
      }
    }
    y += GROUP_GAP
  }
  return { nodes, edges, height: Math.max(NODE_HEIGHT, y - ROW_GAP - GROUP_GAP) }
}

interface Drawn {
  readonly source: MapNode | undefined
  readonly processor: MapNode | undefined
  readonly destinations: ReadonlyArray<{ readonly node: MapNode, readonly rate: number, readonly stored: boolean }>
  readonly dataset: MapNode | undefined
  readonly inputRate: number
  readonly height: number
}

function pipelineNodes (status: PipelineStatus, { resolved }: PipelineDetail, top: number): Drawn {
  const { id } = status
  const { input, transforms = [], outputs = [] } = resolved ?? {}
  const statusOf = (step: Step): StepStatus | undefined => status.steps.find(one => one.step === step.name)
  const height = Math.max(1, outputs.length) * (NODE_HEIGHT + ROW_GAP)
  const y = middle(top, top + height - ROW_GAP)
  const place = { path: ['pipelines', id], query: {} }
  const inputStatus = input === undefined ? undefined : statusOf(input)
  const readable = outputs.some(({ plugin }) => stored.has(plugin))
  return {
    height,
    inputRate: inputStatus?.rows_per_second ?? 0,
    source: input === undefined ? undefined : { id: `${id} source`, kind: 'source', title: input.plugin, ...stateOf(status, inputStatus), note: noteOf(status, inputStatus), ...place, x: columnAt(0), y },
    processor: transforms.length === 0 ? undefined : { id: `${id} processor`, kind: 'processor', title: transforms.map(({ plugin }) => plugin).join(', '), level: status.healthy ? levelOf(status.state) : 'bad', state: status.state, note: id, ...place, query: { tab: 'file' }, x: columnAt(2), y },
    destinations: outputs.map((output, i) => {
      const step = statusOf(output)
      const node: MapNode = { id: `${id} ${output.name}`, kind: 'destination', title: output.plugin === 'topic' ? `topic ${String(output.config['topic'] ?? '')}` : output.plugin, ...stateOf(status, step), note: noteOf(status, step), ...place, x: columnAt(3), y: top + i * (NODE_HEIGHT + ROW_GAP) }
      return { node, rate: step?.rows_per_second ?? 0, stored: stored.has(output.plugin) }
    }),
    dataset: readable ? { id: `${id} dataset`, kind: 'dataset', title: datasetOf(status, outputs), level: 'idle', state: 'API and SQL', note: 'API, SQL', path: ['data', datasetOf(status, outputs)], query: {}, x: columnAt(4), y } : undefined
  }
}

function datasetOf ({ topic }: PipelineStatus, outputs: readonly Step[]): string {
  const table = outputs.find(({ plugin }) => stored.has(plugin))?.config['table']
  return typeof table === 'string' ? table : topic
}

function topicNodeOf (topic: string, sharing: readonly PipelineStatus[], topics: readonly TopicState[], y: number): MapNode {
  const found = topics.find(({ name }) => name === topic)
  const rejected = rowsIn(topics.find(({ name }) => name === `${topic}.rejected`))
  const first = sharing[0] as PipelineStatus
  return {
    id: `topic ${topic}`,
    kind: 'topic',
    title: topic,
    level: rejected > 0 ? 'warn' : 'ok',
    state: rejected > 0 ? 'has rejected rows' : 'durable',
    note: [plural(rowsIn(found), 'row'), ...rejected > 0 ? [`${count(rejected)} rejected`] : []].join(' · '),
    path: ['pipelines', first.id],
    query: { tab: rejected > 0 ? 'rejected' : 'rows' },
    x: columnAt(1),
    y
  }
}

function rowsIn (topic: TopicState | undefined): number {
  return (topic?.partitions ?? []).reduce((sum, { first, next }) => sum + next - first, 0)
}

function stateOf (status: PipelineStatus, step: StepStatus | undefined): Pick<MapNode, 'level' | 'state'> {
  if (step === undefined) return { level: status.healthy ? levelOf(status.state) : 'bad', state: status.state }
  return { level: step.ok ? levelOf(step.state) : 'bad', state: step.reason !== undefined && step.reason !== '' ? `${step.state}: ${step.reason}` : step.state }
}

function noteOf (status: PipelineStatus, step: StepStatus | undefined): string {
  if (step === undefined) return status.state.replaceAll('_', ' ')
  const behind = step.lag_seconds === undefined ? [] : [step.lag_seconds < 0.05 ? 'no lag' : `${seconds(step.lag_seconds)} lag`]
  return [rate(step.rows_per_second ?? 0), ...behind].join(' · ')
}

/** Top of a node that stands in the middle of a span. */
function middle (top: number, bottom: number): number {
  return top + (bottom - top - NODE_HEIGHT) / 2
}
