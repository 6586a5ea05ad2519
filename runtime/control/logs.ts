import { followLogs } from '../observe/log-follow.ts'
import { logLevelsShown, searchLogs } from '../observe/log-search.ts'
import { acceptsEvents, eventStreamResponse, Places, sendEvents } from './event-stream.ts'
import { spanOf, spanParameters } from './moment.ts'
import type { FastifyInstance } from 'fastify'
import type { LogQuery } from '../observe/log-search.ts'
import type { Platform } from '../platform.ts'
import type { Followed } from './event-stream.ts'

const DAY_MS = 86_400_000
/** Who follows the log at a time; each one reads the topic. */
const FOLLOWERS_MAX = 20

const line = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    at: { type: 'string', format: 'date-time' },
    level: { type: 'string' },
    runtime: { type: 'string', description: 'Process that said it' },
    part: { type: 'string', description: 'Pipeline; empty: the platform itself' },
    step: { type: 'string' },
    message: { type: 'string' },
    fields: { type: 'object', additionalProperties: true }
  }
}
const filters = {
  part: { type: 'string', maxLength: 100, description: 'A pipeline; platform: the platform itself' },
  step: { type: 'string', maxLength: 200, description: 'Such as outputs.lake' },
  level: { type: 'string', enum: [...logLevelsShown], description: 'The least important one' },
  q: { type: 'string', maxLength: 500, description: 'Words that all stand in the message or its fields, whatever their case' }
}

export function logRoutes (app: FastifyInstance, platform: Platform): void {
  const places = new Places(FOLLOWERS_MAX)

  app.get<{ Querystring: LogQuery & { from?: string, to?: string, last?: string, limit: number, before?: string } }>('/v1/logs', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'Lines of the log of every part, newest first',
      description: 'They are kept for 30 days, and are here a few seconds after they were said. The next page begins at `before`, which is the `next` of this one.',
      tags: ['logs'],
      querystring: {
        type: 'object',
        additionalProperties: false,
        properties: { ...filters, ...spanParameters, limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 }, before: { type: 'string', maxLength: 40, pattern: '^\\d+-\\d+$', description: 'Lines before that one, by id' } }
      },
      response: { 200: { type: 'object', properties: { lines: { type: 'array', items: line }, next: { type: ['string', 'null'], description: 'null: there are no more' } } } }
    }
  }, async ({ query: { from, to, last, ...query } }) => searchLogs(platform.observe.reader, { ...query, ...spanOf({ from, to, last }, 30 * DAY_MS) }))

  app.get<{ Querystring: LogQuery & { lines: number } }>('/v1/logs/follow', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'Lines of the log as they come, after the last ones there are',
      description: `Events named line, with a heartbeat every ten seconds; JSON lines where the request does not accept text/event-stream. With Last-Event-ID it goes on behind that line. ${FOLLOWERS_MAX} may follow at a time.`,
      tags: ['logs'],
      querystring: { type: 'object', additionalProperties: false, properties: { ...filters, lines: { type: 'integer', minimum: 0, maximum: 1000, default: 20, description: 'How many of the last ones come first' } } },
      response: { 200: eventStreamResponse }
    }
  }, (request, reply) => {
    const { lines, ...query } = request.query
    // What a browser sends when it connects again.
    const after = request.headers['last-event-id']
    return sendEvents(request, reply, places, async function * (signal): AsyncGenerator<Followed> {
      for await (const line of followLogs(platform.broker, { ...query, last: lines, after: typeof after === 'string' ? after : undefined, signal })) yield { event: 'line', id: line.id, value: line }
    }, acceptsEvents(request))
  })
}
