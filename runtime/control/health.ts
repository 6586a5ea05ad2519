import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

const part = { type: 'object', properties: { name: { type: 'string' }, reasons: { type: 'array', items: { type: 'string' } } } }

export function healthRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/healthz', {
    schema: { summary: 'Whether the process answers', tags: ['health'], security: [], response: { 200: { type: 'object', properties: { status: { type: 'string' } } } } }
  }, async () => ({ status: 'ok' }))

  const ready = { type: 'object', properties: { ready: { type: 'boolean' }, pipelines: { type: 'integer' }, failing: { type: 'array', items: part } } }
  app.get('/readyz', {
    schema: {
      summary: 'Whether every pipeline that should run is healthy, and the database is up; 503 names those that are not, and why',
      tags: ['health'],
      security: [],
      response: { 200: ready, 503: ready }
    }
  }, async (_request, reply) => {
    const failing = platform.failing()
    return reply.code(failing.length === 0 ? 200 : 503).send({ ready: failing.length === 0, pipelines: platform.supervisor.status().length, failing })
  })
}
