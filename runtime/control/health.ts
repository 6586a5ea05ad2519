import { isLoopback } from './guard.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

const part = { type: 'object', properties: { name: { type: 'string' }, reasons: { type: 'array', items: { type: 'string' } } } }
const ready = {
  type: 'object',
  properties: {
    ready: { type: 'boolean' },
    pipelines: { type: 'integer', description: 'All that there are' },
    failing: { type: 'array', description: 'Shown to this machine, and with the token', items: part }
  }
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
    const shown = isLoopback(request.ip) || request.principal !== undefined
    return reply.code(failing.length === 0 ? 200 : 503).send({ ready: failing.length === 0, pipelines: platform.supervisor.status().length, ...(shown && { failing }) })
  })
}
