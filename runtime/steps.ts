// Opens the steps of a pipeline: plugins with their configuration, and the context that each one gets.

import { loadPlugin } from './loader.ts'
import { Chain, rowAtOffset } from './chain.ts'
import { PlatformError } from './errors.ts'
import { masker } from './mask.ts'
import { Rejects } from './rejects.ts'
import type { Batch, Row } from './batch.ts'
import type { Broker } from './broker/broker.ts'
import { call } from './watched.ts'
import type { Link } from './chain.ts'
import type { PluginKind } from './loader.ts'
import type { OpenChain } from './deliver.ts'
import type { PipelineMetrics } from './metrics.ts'
import type { Pipeline, Step } from './pipeline.ts'
import type { Clock, Context, Health, InputPlugin, Json, Logger, OutputPlugin, Plugin, Run, TransformPlugin } from './plugin.ts'
import type { Limits } from './limits.ts'
import type { Topic } from './schema.ts'
import type { Watch } from './watched.ts'

/** What all steps of a pipeline share. */
export interface Surroundings {
  readonly root: string
  readonly dataFolder: string
  readonly pipeline: Pipeline
  readonly schemas: ReadonlyMap<string, Topic>
  readonly clickhouse: string | undefined
  readonly warehouse: string | undefined
  /** undefined: the pipeline is no job. */
  readonly run?: Run | undefined
  readonly broker: Broker
  readonly clock: Clock
  readonly metrics: PipelineMetrics
  readonly watch: Watch
  readonly limits: Limits
  /** Finds a plugin; undefined: among those of the project (loader.ts). */
  readonly find?: (kind: PluginKind, name: string) => Promise<Plugin>
  log (step: string): Logger
  health (step: string, health: Health): void
}

export interface LoadedStep<P extends Plugin> {
  readonly step: Step
  readonly plugin: P
}

type Finding = Pick<Surroundings, 'root' | 'find'>

export async function loadInput ({ pipeline, ...finding }: Finding & Pick<Surroundings, 'pipeline'>): Promise<LoadedStep<InputPlugin> | undefined> {
  if (pipeline.input === undefined) return undefined
  return { step: pipeline.input, plugin: await find(finding, 'input', pipeline.input) as InputPlugin }
}

export async function loadTransforms ({ pipeline, ...finding }: Finding & Pick<Surroundings, 'pipeline'>): Promise<Array<LoadedStep<TransformPlugin>>> {
  return Promise.all(pipeline.transforms.map(async step => ({ step, plugin: await find(finding, 'transform', step) as TransformPlugin })))
}

export async function loadOutput (finding: Finding, step: Step): Promise<OutputPlugin> {
  return await find(finding, 'output', step) as OutputPlugin
}

async function find ({ root, find }: Finding, kind: PluginKind, { plugin: name }: Step): Promise<Plugin> {
  return find === undefined ? (await loadPlugin(root, kind, name)).plugin : find(kind, name)
}

export function topicNamed (schemas: ReadonlyMap<string, Topic>, name: string): Topic {
  const topic = schemas.get(name)
  if (topic === undefined) throw new PlatformError('CONFIG_INVALID', `There is no topic "${name}"`, { remedy: `Add schemas/${name}.yaml.` })
  return topic
}

interface ContextParts {
  readonly step: string
  readonly topic: Topic
  readonly signal: AbortSignal
  readonly checkpoint: Json | undefined
  reject (row: Row | number, reason: string, batch?: Batch): void
}

export function makeContext (around: Surroundings, { step, topic, signal, checkpoint, reject }: ContextParts): Context {
  const { pipeline, schemas, clickhouse, warehouse, broker, clock, metrics, dataFolder } = around
  const mask = masker(pipeline.secrets)
  return {
    pipeline: pipeline.id,
    step,
    log: around.log(step),
    metrics: metrics.of(pipeline.id, step),
    clock,
    signal,
    checkpoint,
    run: around.run,
    topic,
    topicNamed: name => topicNamed(schemas, name),
    services: {
      ...(clickhouse !== undefined && { clickhouse }),
      ...(warehouse !== undefined && { warehouse }),
      producer: (topic, name) => broker.producer(topic, name),
      reader: topic => broker.reader(topic)
    },
    root: around.root,
    dataFolder,
    // A destination may repeat what it was sent, and the reason is kept for long.
    reject: (row, reason, batch) => reject(row, mask(reason), batch),
    health: health => around.health(step, health)
  }
}

export interface ChainParts {
  /** As it was committed; undefined: from the beginning. */
  readonly state?: Json | undefined
  readonly signal: AbortSignal
  /** The output that gets the rows. */
  readonly output: string
}

/** Opens the transforms of a pipeline in a committed state. */
export async function openChain (around: Surroundings, transforms: ReadonlyArray<LoadedStep<TransformPlugin>>, { state, signal, output }: ChainParts): Promise<OpenChain> {
  const { pipeline, schemas, clock, watch, limits } = around
  const rejects = new Rejects(pipeline.topic, pipeline.id, clock, output)
  const states = (state ?? {}) as Readonly<Record<string, Json>>
  const topic = topicNamed(schemas, pipeline.topic)
  const links: Link[] = []
  const chain = new Chain(links, rejects, watch)
  for (const { step, plugin } of transforms) {
    const context = makeContext(around, {
      step: step.name,
      topic,
      signal,
      checkpoint: states[step.name],
      reject: (row, reason) => { if (typeof row === 'number') chain.reject(step.name, row, reason) }
    })
    const mapping = await call({ step: step.name, watch, work: () => plugin.open(step.config, context), limit: { to: 'open', msMax: limits.openMsMax } })
    links.push({ step: step.name, mapping })
  }
  return { chain, rejects }
}

/** What an output's `context.reject` does. */
export function rejectFromOutput (rejects: Rejects, step: string): ContextParts['reject'] {
  return (row, reason, batch) => {
    const offset = typeof row === 'number' ? batch?.offsetAt(row) ?? -1 : -1
    const values = typeof row === 'number' ? batch === undefined ? {} : rowAtOffset(batch, offset) : row
    rejects.add({ row: values, reason, step, partition: batch?.position.partition ?? -1, offset })
  }
}
