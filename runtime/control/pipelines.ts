import { PlatformError } from '../errors.ts'
import { changeFile, mergeYaml, pipelineFile, textOf } from './pipeline-files.ts'
import { redact } from '../pipeline.ts'
import { receiptSchema } from './reload.ts'
import type { FastifyInstance } from 'fastify'
import type { Json } from '../plugin.ts'
import type { PipelineStatus } from '../managed.ts'
import type { Platform } from '../platform.ts'

interface ById { readonly Params: { readonly id: string } }

const status = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    state: { type: 'string' },
    healthy: { type: 'boolean' },
    reasons: { type: 'array', items: { type: 'string' } },
    revision: { type: 'string' },
    topic: { type: 'string' },
    restarts: { type: 'integer' },
    since: { type: 'integer' },
    steps: { type: 'array', items: { type: 'object', additionalProperties: true } }
  }
}
const params = { type: 'object', properties: { id: { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]{0,63}$' } } }

export function pipelineRoutes (app: FastifyInstance, platform: Platform): void {
  const { supervisor, root } = platform

  app.get('/v1/pipelines', {
    schema: { summary: 'All pipelines and how they are', tags: ['pipelines'], response: { 200: { type: 'object', properties: { pipelines: { type: 'array', items: status }, problems: { type: 'array', items: { type: 'object', additionalProperties: true } } } } } }
  }, async () => ({ pipelines: supervisor.status(), problems: supervisor.files.problems }))

  app.get<ById>('/v1/pipelines/:id', {
    schema: { summary: 'One pipeline: how it is, its definition with secrets as ***, and its file', tags: ['pipelines'], params, response: { 200: { type: 'object', additionalProperties: true } } }
  }, async request => {
    const { id } = request.params
    const pipeline = supervisor.files.pipelines.get(id)
    if (pipeline === undefined) throw unknown(id)
    return { ...statusOf(id), definition: redact(pipeline) }
  })

  app.put<ById & { Body: string | Record<string, Json> }>('/v1/pipelines/:id', {
    schema: {
      summary: 'Writes the file of a pipeline and reloads; what was there before is put back when the new one is refused',
      description: 'The body is the YAML text (application/yaml), or the definition as JSON: then the file keeps its comments.',
      tags: ['pipelines'],
      params,
      consumes: ['application/yaml', 'application/json'],
      response: { 200: receiptSchema, 422: receiptSchema }
    }
  }, async (request, reply) => {
    const { id } = request.params
    const file = pipelineFile(root, id)
    const body = request.body
    const text = typeof body === 'string' ? body : mergeYaml(await textOf(file), body)
    const receipt = await changeFile(supervisor, file, text)
    return reply.code(receipt.outcome === 'applied' || receipt.outcome === 'unchanged' ? 200 : 422).send(receipt)
  })

  app.delete<ById>('/v1/pipelines/:id', {
    schema: { summary: 'Stops a pipeline and removes its file; its topic and what it has written stay', tags: ['pipelines'], params, response: { 200: receiptSchema, 422: receiptSchema } }
  }, async (request, reply) => {
    const file = pipelineFile(root, request.params.id)
    if (await textOf(file) === undefined) throw unknown(request.params.id)
    const receipt = await changeFile(supervisor, file, undefined)
    return reply.code(receipt.outcome === 'applied' || receipt.outcome === 'unchanged' ? 200 : 422).send(receipt)
  })

  const actions = {
    pause: 'Stops a pipeline until it is resumed, also over restarts of the platform',
    resume: 'Lets a paused pipeline run again',
    restart: 'Stops a pipeline and starts it anew'
  } as const
  for (const action of ['pause', 'resume', 'restart'] as const) {
    app.post<ById>(`/v1/pipelines/:id/${action}`, { schema: { summary: actions[action], tags: ['pipelines'], params, response: { 200: status } } }, async request => {
      await supervisor[action](request.params.id)
      return statusOf(request.params.id)
    })
  }

  function statusOf (id: string): PipelineStatus {
    const found = supervisor.status().find(one => one.id === id)
    if (found !== undefined) return found
    const pipeline = supervisor.files.pipelines.get(id)
    if (pipeline === undefined) throw unknown(id)
    return { id, state: 'disabled', healthy: true, reasons: [], revision: pipeline.revision, topic: pipeline.topic, steps: [], restarts: 0, since: 0 }
  }
}

function unknown (id: string): PlatformError {
  return new PlatformError('NOT_FOUND', `There is no pipeline "${id}"`)
}
