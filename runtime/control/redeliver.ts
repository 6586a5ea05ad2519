import { PlatformError } from '../errors.ts'
import { SLICE_MS, Redeliveries } from '../redeliver/thread.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

const params = { type: 'object', properties: { topic: { type: 'string', pattern: '^[a-z0-9_][a-z0-9_.-]{0,127}$' } } }
const selection = {
  reason: { type: 'string', maxLength: 1000, description: 'A text that the reason contains' },
  step: { type: 'string', maxLength: 200, description: 'The step that refused the rows, such as transforms.mapping or mapping' }
}
const group = {
  type: 'object',
  properties: {
    step: { type: 'string' },
    reason: { type: 'string', description: 'With the values as …' },
    rows: { type: 'integer' },
    first: { type: 'object', description: 'One of them: its offset in the rejected topic, partition and offset in its own', properties: { at: { type: 'integer' }, partition: { type: 'integer' }, offset: { type: 'integer' } } }
  }
}
const report = {
  type: 'object',
  properties: {
    rows: { type: 'integer', description: 'Refused rows that were looked at' },
    delivered: { type: 'integer', description: 'Rows that an output has now; of a dry run: that it would take' },
    present: { type: 'integer', description: 'Rows that it had already' },
    filtered: { type: 'integer', description: 'Rows that a transform takes out now' },
    appended: { type: 'integer', description: 'Rows that had never reached the topic and are new rows of it now' },
    refused: { type: 'array', description: 'Refused again', items: group },
    kept: { type: 'array', description: 'What cannot be delivered, by why', items: { type: 'object', properties: { why: { type: 'string' }, rows: { type: 'integer' } } } },
    next: { type: ['integer', 'null'], description: 'Where the next request goes on; null: all was looked at' }
  }
}

interface Chosen { readonly reason?: string, readonly step?: string }

export function redeliverRoutes (app: FastifyInstance, platform: Platform): void {
  const redeliveries = new Redeliveries(platform)

  app.get<{ Params: { topic: string }, Querystring: Chosen & { limit: number } }>('/v1/topics/:topic/rejected', {
    config: { access: 'topics:read' },
    schema: {
      summary: 'Refused rows of a topic that wait, in groups, with the first of them',
      tags: ['topics'],
      params,
      querystring: { type: 'object', additionalProperties: false, properties: { ...selection, limit: { type: 'integer', minimum: 0, maximum: 1000, default: 20 } } },
      response: {
        200: {
          type: 'object',
          properties: {
            count: { type: 'integer' },
            handled: { type: 'integer', description: 'Redelivered rows that the rejected topic still has' },
            groups: { type: 'array', items: group },
            rows: {
              type: 'array',
              items: {
                type: 'object',
                properties: {
                  at: { type: 'integer', description: 'Offset in the rejected topic' },
                  pipeline: { type: 'string' },
                  step: { type: 'string' },
                  output: { type: 'string' },
                  partition: { type: 'integer', description: '-1: it never reached the topic' },
                  offset: { type: 'integer' },
                  time: { type: 'integer' },
                  reason: { type: 'string' },
                  row: { type: 'object', additionalProperties: true }
                }
              }
            },
            more: { type: 'boolean', description: 'There are too many to look at all of them' }
          }
        }
      }
    }
  }, async request => {
    if (!platform.fleet.isControl) throw new PlatformError('NOT_CONTROL', 'Only the control side knows which rows were redelivered', { remedy: 'Ask it: GET /v1/runtimes names it.' })
    const { limit, ...chosen } = request.query
    return redeliveries.list(known(platform, request.params.topic), chosen, limit)
  })

  app.post<{ Params: { topic: string }, Querystring: Chosen & { dry_run: boolean, at_least_once: boolean, from: number } }>('/v1/topics/:topic/redeliver', {
    config: { access: 'jobs:run', action: 'topic.redeliver' },
    schema: {
      summary: 'Takes refused rows through the pipelines as they are now, and delivers what passes',
      description: `Works for ${SLICE_MS / 1000} s and what is in flight then; \`next\` of the answer says where the next request goes on. Rows keep their positions; what an output has already is not sent again.`,
      tags: ['topics'],
      params,
      querystring: {
        type: 'object',
        additionalProperties: false,
        properties: {
          ...selection,
          dry_run: { type: 'boolean', default: false, description: 'Only says what would pass' },
          at_least_once: { type: 'boolean', default: false, description: 'Also to outputs that cannot tell what they hold' },
          from: { type: 'integer', minimum: 0, default: 0, description: '`next` of the answer before' }
        }
      },
      response: { 200: report }
    }
  }, async (request, reply) => {
    const { dry_run: dryRun, at_least_once: atLeastOnce, from, ...chosen } = request.query
    const left = new AbortController()
    reply.raw.once('close', () => left.abort())
    return redeliveries.run({ topic: known(platform, request.params.topic), ...chosen, dryRun, atLeastOnce, from }, left.signal)
  })
}

/** The name of a topic that has a schema. */
function known (platform: Platform, name: string): string {
  const topic = name.endsWith('.rejected') ? name.slice(0, -'.rejected'.length) : name
  if (!platform.supervisor.schemas.has(topic)) throw new PlatformError('NOT_FOUND', `There is no topic "${topic}"`)
  return topic
}
