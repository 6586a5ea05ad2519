// For people without a login. Item 43: nothing of a cause goes out, and no name that a schema does not say is public.

import { badgeOf, publicStatus } from '../health/public-status.ts'
import { LOOK_MS } from '../health/health.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'
import type { PublicStatus } from '../health/public-status.ts'

const INCIDENTS_SHOWN = 20
/** Whoever asks, a look is made no more often than it is anyway. */
const AGE_MS_MAX = 2 * LOOK_MS

const state = { type: 'string', enum: ['ok', 'degraded', 'down'] }
const moment = { type: ['string', 'null'] }
const share = { type: ['number', 'null'], description: '0 to 1; null: nobody has looked' }
const status = {
  type: 'object',
  properties: {
    state,
    sentence: { type: 'string' },
    at: { type: 'string', description: 'When it was looked, ISO 8601, UTC' },
    parts: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' }, state } } },
    datasets: { type: 'array', description: 'Those whose schemas say that they are public', items: { type: 'object', properties: { dataset: { type: 'string' }, state: { type: 'string' }, seconds: { type: ['integer', 'null'] } } } },
    canary: { type: 'object', properties: { state: { type: 'string' }, at: moment, seconds: { type: ['integer', 'null'] }, stopped_at: { type: ['string', 'null'], description: 'The first hop that the newest row has not reached in time: connector, topic, streaming database, data, warehouse or lake' } } },
    incidents: { type: 'array', description: 'Newest first', items: { type: 'object', properties: { part: { type: 'string' }, state, since: moment, until: moment } } },
    uptime: { type: 'object', description: 'The share of time in which the platform was not down', properties: { day: share, month: share } }
  }
}

export function statusRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/v1/status', {
    config: { access: 'anyone' },
    schema: { summary: 'Whether the platform works, for people without a login', tags: ['health'], response: { 200: status } }
  }, async () => statusOf(platform))

  app.get('/v1/status.svg', {
    config: { access: 'anyone' },
    schema: { summary: 'The same as a badge', tags: ['health'], response: { 200: { description: 'A picture', content: { 'image/svg+xml': { schema: { type: 'string' } } } } } }
  }, async (_request, reply) => reply.type('image/svg+xml').header('cache-control', 'no-cache').header('cross-origin-resource-policy', 'cross-origin').send(badgeOf((await statusOf(platform)).state)))
}

async function statusOf ({ watch: { health } }: Platform): Promise<PublicStatus> {
  const verdict = await health.verdict(AGE_MS_MAX)
  return publicStatus(verdict, health.record.incidents(INCIDENTS_SHOWN), days => health.record.uptime(days, Date.now()))
}
