import { chosen, resultsOf } from '../health/test-task.ts'
import { principalOf } from './guard.ts'
import { runForm, showRun } from './job-form.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

const test = {
  type: 'object',
  properties: {
    test: { type: 'string' },
    title: { type: 'string' },
    state: { type: 'string', enum: ['ok', 'failed', 'skipped'] },
    ms: { type: 'integer' },
    detail: { type: 'string' },
    at: { type: ['string', 'null'], description: 'ISO 8601, UTC; null: it has not run yet' }
  }
}

export function testRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/v1/tests', {
    config: { access: 'platform:read' },
    schema: { summary: 'The tests of the platform, with the newest result of each', tags: ['health'], response: { 200: { type: 'object', properties: { tests: { type: 'array', items: test } } } } }
  }, async () => ({ tests: resultsOf(platform).all.map(({ at, ...one }) => ({ ...one, at: at === 0 ? null : new Date(at).toISOString() })) }))

  app.post<{ Body: { only?: string[] } | null }>('/v1/tests/run', {
    config: { access: 'jobs:run', action: 'tests.run' },
    schema: {
      summary: 'Runs the tests of the platform, or some of them',
      description: 'It is a run of the job tests; the quick ones run after each reload as well.',
      tags: ['health'],
      body: { type: ['object', 'null'], additionalProperties: false, properties: { only: { type: 'array', minItems: 1, maxItems: 20, items: { type: 'string', pattern: '^[a-z-]{1,40}$' } } } },
      response: { 202: runForm }
    }
  }, async (request, reply) => {
    const only = request.body?.only?.join(',')
    chosen(only)
    return reply.code(202).send(showRun(platform.jobs.start('tests', { startedBy: principalOf(request).user, ...(only !== undefined && { params: { only } }) })))
  })
}
