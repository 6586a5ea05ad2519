import { join } from 'node:path'
import { PlatformError } from '../errors.ts'
import { checkDefinition, mergeYaml, restoreSecrets } from './definition.ts'
import { combine } from './combined.ts'
import { everywhere } from '../peers.ts'
import { lags, lagsOf } from './lag.ts'
import { changeFile, fileOf, textOf } from './pipeline-files.ts'
import { redact } from '../pipeline.ts'
import { configInvalid } from '../problems.ts'
import { checkPolicy, pluginRefusal } from '../setup/policy.ts'
import { stepsOf } from '../setup/step-name.ts'
import { readYaml } from '../yaml.ts'
import { principalOf } from './guard.ts'
import { answerReceipt } from './problem.ts'
import { receiptSchema } from './reload.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Json } from '../plugin.ts'
import type { CombinedStatus } from './combined.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Platform } from '../platform.ts'

interface ById { readonly Params: { readonly id: string } }

const status = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    state: { type: 'string', enum: ['starting', 'running', 'backing_off', 'stopping', 'ended', 'paused', 'scheduled', 'disabled', 'broken'] },
    healthy: { type: 'boolean' },
    reasons: { type: 'array', items: { type: 'string' } },
    revision: { type: 'string' },
    topic: { type: 'string' },
    restarts: { type: 'integer', description: 'After failures, since the platform started' },
    since: { type: 'integer', description: 'When the state changed, ms since 1970, UTC' },
    runtimes: { type: 'array', description: 'Where several runtimes share it: how each one has it', items: { type: 'object', properties: { runtime: { type: 'string' }, state: { type: 'string' }, healthy: { type: 'boolean' } } } },
    steps: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          step: { type: 'string' },
          ok: { type: 'boolean' },
          state: { type: 'string' },
          reason: { type: 'string' },
          rows_per_second: { type: 'number', description: 'Over the last ten seconds' },
          lag_rows: { type: 'integer', description: 'Of an output: rows in the topic that it has not committed' },
          lag_seconds: { type: 'number', description: 'Of an output: how long the oldest of them waits' }
        }
      }
    }
  }
}
const detail = { type: 'object', additionalProperties: true, properties: { ...status.properties, file: { type: 'string' }, text: { type: 'string', description: 'The file; secrets are ***' } } }
const fileProblem = { type: 'object', additionalProperties: true, properties: { file: { type: 'string' }, message: { type: 'string' } } }
const params = { type: 'object', properties: { id: { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]{0,63}$' } } }
const yamlTypes = ['application/yaml', 'text/yaml', 'application/json']

const removalSchema = {
  ...receiptSchema,
  properties: {
    ...receiptSchema.properties,
    undelivered: {
      type: 'array',
      description: 'Outputs that have not taken all rows of the topic, say because their destination did not answer: the topic keeps the rows as long as its retention says, and a pipeline of the same id takes them',
      items: { type: 'object', properties: { step: { type: 'string' }, rows: { type: 'integer' } } }
    }
  }
}

export function pipelineRoutes (app: FastifyInstance, platform: Platform): void {
  const { supervisor, root, store } = platform

  app.get('/v1/pipelines', {
    config: { access: 'platform:read' },
    schema: { summary: 'All pipelines and how they are', tags: ['pipelines'], response: { 200: { type: 'object', properties: { pipelines: { type: 'array', items: status }, problems: { type: 'array', items: fileProblem } } } } }
  }, async () => ({ pipelines: await measured(platform), problems: supervisor.files.problems }))

  app.get<ById>('/v1/pipelines/:id', {
    config: { access: 'platform:read' },
    schema: { summary: 'One pipeline: how it is, its file, and its resolved definition, with secrets as ***', tags: ['pipelines'], params, response: { 200: detail } }
  }, async request => {
    const { id } = request.params
    const pipeline = supervisor.files.pipelines.get(id)
    const status = await statusOf(platform, id)
    if (pipeline === undefined) return { ...status, file: fileOf(id) }
    const { text, file, ...resolved } = redact(pipeline)
    return { ...status, file, text, definition: readYaml(file, text).value, resolved }
  })

  app.put<ById & { Body: string | Readonly<Record<string, Json>> }>('/v1/pipelines/:id', {
    config: { access: 'pipelines:write', action: 'pipeline.set' },
    schema: {
      summary: 'Writes the file of a pipeline and reloads it; what was there before is put back when the new one is refused',
      description: 'The body is the YAML text (application/yaml), or the definition as JSON: then the file keeps its comments. A secret that is sent back as *** stays as it is.',
      tags: ['pipelines'],
      params,
      body: { description: 'YAML text, or the same as JSON' },
      consumes: yamlTypes,
      response: { 200: receiptSchema }
    }
  }, async (request, reply) => {
    const { params: { id }, body } = request
    if (typeof body !== 'string') checkDefinition(body)
    const change = (before: string | undefined): string => {
      const text = restoreSecrets(fileOf(id), before, typeof body === 'string' ? body : mergeYaml(before, body))
      // What is no YAML is refused before it is written.
      readYaml(fileOf(id), text)
      return text
    }
    await checkAllowed(platform, request, { id, change })
    return answerReceipt(platform, reply, await changeFile(platform, { root, id, change }))
  })

  app.delete<ById>('/v1/pipelines/:id', {
    config: { access: 'pipelines:write', action: 'pipeline.remove' },
    schema: { summary: 'Stops a pipeline and removes its file; its topic and what it has written stay', tags: ['pipelines'], params, response: { 200: removalSchema } }
  }, async (request, reply) => {
    const { id } = request.params
    if (await textOf(join(root, fileOf(id))) === undefined) throw unknown(id)
    const pipeline = supervisor.definitions().find(one => one.id === id) ?? supervisor.files.pipelines.get(id)
    const receipt = await changeFile(platform, { root, id, change: () => undefined })
    if (receipt.outcome !== 'applied' && receipt.outcome !== 'unchanged') return answerReceipt(platform, reply, receipt)
    store.setPaused(id, false)
    return reply.send({ ...receipt, undelivered: await undelivered(platform, pipeline) })
  })

  actionRoutes(app, platform)
}

function actionRoutes (app: FastifyInstance, platform: Platform): void {
  const actions = {
    pause: 'Stops a pipeline until it is resumed, also over restarts of the platform',
    resume: 'Lets a paused pipeline run again',
    restart: 'Stops a pipeline and starts it anew'
  } as const
  for (const action of ['pause', 'resume', 'restart'] as const) {
    app.post<ById>(`/v1/pipelines/:id/${action}`, { config: { access: 'pipelines:write', action: `pipeline.${action}` }, schema: { summary: actions[action], tags: ['pipelines'], params, response: { 200: status } } }, async request => {
      await everywhere(platform, { verb: action, pipeline: request.params.id })
      return statusOf(platform, request.params.id)
    })
  }
}

/** Throws NOT_FOUND. */
async function statusOf (platform: Platform, id: string): Promise<CombinedStatus> {
  const found = (await measured(platform)).find(one => one.id === id)
  if (found === undefined) throw unknown(id)
  return found
}

/** Throws where a pipeline names what whoever writes it may not use: a plugin is code that runs. */
async function checkAllowed (platform: Platform, request: FastifyRequest, { id, change }: { readonly id: string, readonly change: (before: string | undefined) => string }): Promise<void> {
  const [path, principal] = [fileOf(id), principalOf(request)]
  const before = await textOf(join(platform.root, path))
  const after = change(before)
  const refusal = stepsOf(readYaml(path, after).value).map(({ plugin }) => pluginRefusal(principal, plugin)).find(text => text !== undefined)
  if (refusal !== undefined) throw new PlatformError('SCOPE_MISSING', refusal, { remedy: 'Ask an admin for a role that allows it.' })
  const problems = await checkPolicy(platform, principal, [{ path, kind: 'pipeline', before, after }])
  if (problems.length > 0) throw configInvalid(problems)
}

/** All pipelines, with how far their outputs are behind; without that where the broker does not answer. */
export async function measured (platform: Platform): Promise<CombinedStatus[]> {
  const [members, all] = await Promise.all([platform.fleet.members(), lags(platform).catch(() => [])])
  return combine(members).map(status => ({
    ...status,
    steps: status.steps.map(step => {
      const lag = all.find(one => one.pipeline === status.id && one.step === step.step)
      return { ...step, ...(lag !== undefined && { lag_rows: lag.rows, lag_seconds: lag.seconds }) }
    })
  }))
}

/** What a pipeline that is gone has left in its topic; nothing is said where the broker does not answer. */
async function undelivered ({ broker }: Platform, pipeline: Pipeline | undefined): Promise<ReadonlyArray<{ readonly step: string, readonly rows: number }>> {
  if (pipeline === undefined) return []
  const topic = await broker.inspect(pipeline.topic).catch(() => undefined)
  return lagsOf(pipeline, topic).filter(({ rows }) => rows > 0).map(({ step, rows }) => ({ step, rows }))
}

function unknown (id: string): PlatformError {
  return new PlatformError('NOT_FOUND', `There is no pipeline "${id}"`)
}
