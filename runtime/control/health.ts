import { isLoopback, principalOf } from './guard.ts'
import { CHANGES_MAX, changesSince } from '../health/changes.ts'
import { ROWS_MAX } from '../health/canary.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Platform } from '../platform.ts'
import type { CanaryState } from '../health/canary.ts'

const text = { type: 'string' }
const texts = { type: 'array', items: text }
const moment = { type: ['string', 'null'], description: 'ISO 8601, UTC' }
const part = { type: 'object', properties: { name: text, reasons: texts } }
const ready = {
  type: 'object',
  properties: {
    ready: { type: 'boolean' },
    pipelines: { type: 'integer', description: 'All that there are' },
    failing: { type: 'array', description: 'Shown to this machine, and with the token', items: part }
  }
}
const hop = {
  type: 'object',
  properties: {
    hop: { type: 'string', description: 'connector, topic, streaming database, data (the view over both databases), warehouse or lake' },
    pipeline: text,
    step: text,
    state: { type: 'string', enum: ['ok', 'waiting', 'late'] },
    at: { ...moment, description: 'When the newest row that is there was found; null: none was' },
    ms: { type: 'integer', description: 'What that row took from the connector; looked at once a second' },
    reason: text
  }
}
const canary = {
  type: 'object',
  properties: {
    state: { type: 'string', enum: ['ok', 'late', 'absent', 'waiting'] },
    at: { ...moment, description: 'When the newest row was made that was found everywhere' },
    hops: { type: 'array', items: hop }
  }
}
const action = { type: 'object', properties: { title: text, method: text, path: text } }
const problem = {
  type: 'object',
  properties: {
    id: { type: 'string', description: 'The same as long as it is the same fault' },
    cause: { type: 'string', description: 'One sentence' },
    part: text,
    severity: { type: 'string', enum: ['error', 'warning', 'notice'] },
    since: moment,
    hides: { type: 'array', description: 'What follows from it', items: { type: 'object', properties: { part: text, cause: text } } },
    touches: { type: 'object', description: 'Whom it concerns', properties: { datasets: texts, queries: texts, users: texts } },
    remedy: text,
    actions: { type: 'array', description: 'Two at most', items: action }
  }
}
const dataset = {
  type: 'object',
  properties: {
    dataset: text,
    topic: { type: 'string', description: 'That its rows come from' },
    title: text,
    state: { type: 'string', enum: ['fresh', 'behind', 'stale', 'closed', 'quiet', 'unknown'] },
    seconds: { type: ['number', 'null'], description: 'Age of the newest row' },
    reason: text
  }
}
const verdict = {
  type: 'object',
  properties: {
    at: moment,
    state: { type: 'string', enum: ['ok', 'degraded', 'down'] },
    sentence: text,
    evidence: { type: 'array', items: { type: 'object', properties: { what: text, ok: { type: 'boolean' }, detail: text } } },
    canary,
    datasets: { type: 'array', items: dataset },
    problems: { type: 'array', description: 'Root causes, the worst first', items: problem },
    since: { ...moment, description: 'When you looked the last time' },
    changes: { type: 'array', description: `What has changed since, newest first, ${CHANGES_MAX} at most`, items: { type: 'object', properties: { at: moment, kind: text, who: text, what: text } } }
  }
}
const canaryRow = {
  type: 'object',
  properties: { sent_at: moment, offset: { type: 'integer' }, hops: { type: 'array', items: { type: 'object', properties: { hop: text, at: moment, ms: { type: 'integer' } } } } }
}

export function healthRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/healthz', {
    config: { access: 'anyone' },
    schema: { summary: 'Whether the process answers', tags: ['health'], response: { 200: { type: 'object', properties: { status: { type: 'string' } } } } }
  }, async () => ({ status: 'ok' }))

  app.get('/readyz', {
    config: { access: 'anyone' },
    schema: {
      summary: 'Whether every pipeline that should run is healthy, and the database is up; 503 names those that are not, and why',
      tags: ['health'],
      response: { 200: ready, 503: ready }
    }
  }, async (request, reply) => {
    const failing = platform.failing()
    const shown = isLocal(request) || request.principal !== undefined
    return reply.code(failing.length === 0 ? 200 : 503).send({ ready: failing.length === 0, pipelines: platform.supervisor.status().length, ...(shown && { failing }) })
  })

  app.get('/v1/health', {
    config: { access: 'platform:read' },
    schema: { summary: 'How the platform is: a sentence, the evidence for it, and what is wrong by root cause', tags: ['health'], response: { 200: verdict } }
  }, async request => {
    const { health } = platform.watch
    const { at, problems, canary, datasets, ...said } = await health.verdict()
    const { user: who } = principalOf(request)
    const since = health.lookOf(who)
    // What somebody did themselves is no news to them.
    const audit = platform.watch.auditSince(since).filter(({ user }) => user !== who)
    return {
      ...said,
      at: momentOf(at),
      canary: canaryAnswer(canary),
      datasets: datasets.map(({ seconds, ...one }) => ({ ...one, seconds: seconds ?? null })),
      problems: problems.map(({ datasets, ...one }) => ({ ...one, since: momentOf(health.since(one, at)), touches: platform.watch.touches(datasets) })),
      since: momentOf(since),
      changes: changesSince(since, platform.store.receipts(CHANGES_MAX), audit).map(({ at, ...change }) => ({ at: momentOf(at), ...change }))
    }
  })

  app.get<{ Querystring: { rows: number } }>('/v1/canary', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'The row that is sent through all parts each minute, and what each hop took',
      tags: ['health'],
      querystring: { type: 'object', additionalProperties: false, properties: { rows: { type: 'integer', minimum: 1, maximum: ROWS_MAX, default: 60 } } },
      response: { 200: { type: 'object', properties: { last: canary, history: { type: 'array', description: 'Newest first', items: canaryRow } } } }
    }
  }, async ({ query: { rows } }) => ({
    last: canaryAnswer(platform.watch.health.canary.state),
    history: platform.watch.health.canary.history(rows).map(({ sentAt, offset, hops }) => ({ sent_at: momentOf(sentAt), offset, hops: hops.map(({ at, ...hop }) => ({ ...hop, at: momentOf(at) })) }))
  }))
}

/** A proxy on this machine brings people from elsewhere. */
function isLocal ({ ip, headers }: FastifyRequest): boolean {
  return isLoopback(ip) && headers['x-forwarded-for'] === undefined && headers['forwarded'] === undefined
}

function canaryAnswer ({ at, hops, ...canary }: CanaryState) {
  return { ...canary, at: momentOf(at), hops: hops.map(({ at, ...hop }) => ({ ...hop, at: momentOf(at) })) }
}

function momentOf (ms: number): string | null {
  return ms === 0 ? null : new Date(ms).toISOString()
}
