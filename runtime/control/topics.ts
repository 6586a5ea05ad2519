import { PlatformError } from '../errors.ts'
import { isRejectedTopic, rejectedTopic } from '../schema.ts'
import { runtimesTopic } from '../fleet.ts'
import { platformTopic } from '../platform-topic.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'
import type { Topic } from '../schema.ts'

const state = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    bytes: { type: 'integer' },
    partitions: { type: 'array', items: { type: 'object', additionalProperties: true } },
    groups: { type: 'array', items: { type: 'object', additionalProperties: true } }
  }
}

export function topicRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/v1/topics', {
    config: { access: 'platform:read' },
    schema: { summary: 'Topics that exist, with offsets, size, consumer groups and their lag', tags: ['topics'], response: { 200: { type: 'object', properties: { topics: { type: 'array', items: state } } } } }
  }, async () => {
    const states = await Promise.all((await platform.broker.topics()).map(name => platform.broker.inspect(name)))
    return { topics: states.filter(topic => topic !== undefined) }
  })

  app.get<{ Params: { topic: string }, Querystring: { rows: number } }>('/v1/topics/:topic/tail', {
    config: { access: 'topics:read' },
    schema: {
      summary: 'The last rows of a topic, oldest first, as the topic holds them',
      tags: ['topics'],
      params: { type: 'object', properties: { topic: { type: 'string', pattern: '^[a-z0-9_][a-z0-9_.-]{0,127}$' } } },
      querystring: { type: 'object', additionalProperties: false, properties: { rows: { type: 'integer', minimum: 1, maximum: 1000, default: 20 } } },
      response: {
        200: {
          type: 'object',
          properties: {
            rows: { type: 'array', items: { type: 'object', properties: { partition: { type: 'integer' }, offset: { type: 'integer' }, time: { type: 'integer' }, row: { type: 'object', additionalProperties: true } } } }
          }
        }
      }
    }
  }, async request => {
    const batches = await platform.broker.tail(topicOf(platform, request.params.topic), request.query.rows)
    const rows = batches.flatMap(batch => Array.from({ length: batch.length }, (_, i) => ({
      partition: batch.position.partition, offset: batch.offsetAt(i), time: batch.position.time, row: batch.row(i)
    })))
    return { rows }
  })
}

function topicOf (platform: Platform, name: string): Topic {
  const topic = platform.supervisor.schemas.get(name)
  if (topic !== undefined) return topic
  if (name === platformTopic.name) return platformTopic
  if (name === runtimesTopic.name) return runtimesTopic
  if (isRejectedTopic(name) && platform.supervisor.schemas.has(name.slice(0, name.lastIndexOf('.')))) return rejectedTopic(name.slice(0, name.lastIndexOf('.')))
  throw new PlatformError('NOT_FOUND', `There is no topic "${name}"`)
}
