// Live rows, as server-sent events and over WebSocket (runtime/live/README.md).

import { PlatformError } from '../errors.ts'
import { LiveHub } from '../live/hub.ts'
import { serveSocket } from '../live/socket.ts'
import { SsePipe } from '../live/sse.ts'
import { principalOf } from './guard.ts'
import type { FastifyInstance } from 'fastify'
import type { LiveLimits } from '../live/limits.ts'
import type { Platform } from '../platform.ts'

const TEXT_MAX = 100_000
const text = { type: 'string', minLength: 1, maxLength: TEXT_MAX }

interface LiveQuery {
  readonly symbols?: string
  readonly fields?: string
  readonly where?: string
  readonly start?: string
  readonly conflate?: string
}

export function liveRoutes (app: FastifyInstance, platform: Platform, limits?: LiveLimits): void {
  const hub = new LiveHub(platform, limits)
  app.addHook('onClose', () => hub.close())

  app.get<{ Params: { ds: string }, Querystring: LiveQuery, Headers: { 'last-event-id'?: string } }>('/v1/live/:ds', {
    config: { access: 'data:read' },
    schema: {
      summary: 'Rows of a dataset as they come, as server-sent events',
      description: 'Events: row (a JSON array of rows), heartbeat (every 5 s), end (with the reason). The id of an event, sent back as Last-Event-ID, goes on behind it.',
      tags: ['live'],
      params: { type: 'object', additionalProperties: false, required: ['ds'], properties: { ds: { type: 'string', pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$' } } },
      querystring: {
        type: 'object',
        additionalProperties: false,
        properties: {
          symbols: { ...text, description: 'Values of the instrument field, with commas between them' },
          fields: { ...text, description: 'Names of columns, with commas between them; all that are granted where it is left out' },
          where: { ...text, description: 'A filter as JSON, such as ["price",">",10]' },
          start: { ...text, maxLength: 64, description: 'Rows from that time on are sent first: 2024-01-02T14:30:00Z, ns since 1970, or a span back from now, such as -5m' },
          conflate: { ...text, maxLength: 16, description: 'A duration, such as 1s: the newest row of each key so often, instead of every row' }
        }
      },
      headers: { type: 'object', properties: { 'last-event-id': { type: 'string', maxLength: TEXT_MAX, description: 'Where to go on' } } },
      response: { 200: { description: 'The events', content: { 'text/event-stream': { schema: { type: 'string' } } } } }
    }
  }, async (request, reply) => {
    const { query: { symbols, fields, where, start, conflate }, params: { ds } } = request
    const ask = { dataset: ds, symbols: listOf(symbols), fields: listOf(fields), where: where === undefined ? undefined : jsonOf(where), start, conflate, resume: request.headers['last-event-id'] }
    const left = new AbortController()
    request.raw.once('close', () => left.abort())
    const subscriber = await hub.subscribe(principalOf(request), ask, () => {
      reply.hijack()
      reply.raw.writeHead(200, { ...reply.getHeaders() as Record<string, string>, 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' })
      return new SsePipe(reply.raw)
    })
    const leave = (): void => subscriber.finish(undefined)
    reply.raw.once('close', leave)
    if (reply.raw.destroyed || left.signal.aborted) leave()
    return reply
  })

  app.get('/v1/live', {
    config: { access: 'data:read' },
    websocket: true,
    schema: {
      summary: 'Rows of datasets as they come, over WebSocket',
      description: 'Send {"subscribe":{"dataset":"…","symbols":[…],"fields":[…],"where":…,"start":"…","conflate":"…","resume":"…","id":"…"}} and {"unsubscribe":"…"}; rows, heartbeats, ends and errors come with the id.',
      tags: ['live']
    }
  }, (socket, request) => {
    // A page of another site can open one with the cookies of this one: what a browser says of it is not true of a program.
    if (!isOwnPage(request.headers)) return socket.close(1008, 'A page of another site asks for this')
    serveSocket(socket, hub, principalOf(request))
  })
}

function isOwnPage ({ origin, host }: { readonly origin?: string | undefined, readonly host?: string | undefined }): boolean {
  return origin === undefined || URL.parse(origin)?.host === host
}

function listOf (text: string | undefined): string[] | undefined {
  return text?.split(',').map(one => one.trim()).filter(one => one !== '')
}

function jsonOf (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new PlatformError('REQUEST_INVALID', 'where is no JSON', { remedy: 'Write it as ["price",">",10].' })
  }
}
