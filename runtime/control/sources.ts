// Sources and destinations, told from the pipelines: no list of their own that could say something else.

import { redact } from '../pipeline.ts'
import { datasetsOf } from '../warehouse/datasets.ts'
import { measured } from './pipelines.ts'
import type { FastifyInstance } from 'fastify'
import type { CombinedStatus } from './combined.ts'
import type { Pipeline, Step } from '../pipeline.ts'
import type { Platform } from '../platform.ts'

const properties = {
  pipeline: { type: 'string' },
  step: { type: 'string', description: 'Such as input.http or outputs.lake' },
  name: { type: 'string', description: 'What a change calls it' },
  plugin: { type: 'string' },
  options: { type: 'object', additionalProperties: true, description: 'With secrets as ***' },
  state: { type: 'string' },
  ok: { type: 'boolean' },
  reason: { type: 'string' },
  topic: { type: 'string' },
  rows_per_second: { type: 'number' }
} as const

export function sourceRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/v1/sources', {
    config: { access: 'platform:read' },
    schema: { summary: 'Where rows come from, and how that is', tags: ['setup'], response: { 200: { type: 'array', items: { type: 'object', properties } } } }
  }, async () => {
    const statuses = await measured(platform)
    return pipelinesOf(platform).flatMap(pipeline => pipeline.input === undefined ? [] : [entry(pipeline, pipeline.input, statuses)])
  })

  app.get('/v1/destinations', {
    config: { access: 'platform:read' },
    schema: { summary: 'Where rows go, and how that is', tags: ['setup'], response: { 200: { type: 'array', items: { type: 'object', properties: { ...properties, dataset: { type: 'string', description: 'The dataset that it fills; left out: none' }, lag_rows: { type: 'integer' }, lag_seconds: { type: 'number' } } } } } }
  }, async () => {
    const statuses = await measured(platform)
    const { files, schemas } = platform.supervisor
    const datasets = [...datasetsOf(files.pipelines.values(), schemas).values()]
    return pipelinesOf(platform).flatMap(pipeline => pipeline.outputs.map(output => {
      const dataset = datasets.find(({ feeds }) => [...feeds.values()].some(feed => feed.pipeline === pipeline.id && feed.step === output.name))
      return { ...entry(pipeline, output, statuses), ...(dataset !== undefined && { dataset: dataset.name }) }
    }))
  })
}

function pipelinesOf ({ supervisor }: Platform): Array<ReturnType<typeof redact>> {
  return [...supervisor.files.pipelines.values()].map(redact)
}

function entry ({ id, topic, enabled }: Pick<Pipeline, 'id' | 'topic' | 'enabled'>, { name: step, plugin, config }: Step, statuses: readonly CombinedStatus[]): object {
  const status = statuses.find(one => one.id === id)
  const own = status?.steps.find(one => one.step === step)
  return { pipeline: id, step, name: step.slice(step.indexOf('.') + 1), plugin, options: config, state: own?.state ?? status?.state ?? (enabled ? 'starting' : 'disabled'), ok: own?.ok ?? status?.healthy ?? true, topic, rows_per_second: 0, ...own }
}
