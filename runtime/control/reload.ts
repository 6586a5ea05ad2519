import { answerReceipt } from './problem.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

const change = { type: 'object', additionalProperties: true }
const fileProblem = { type: 'object', properties: { file: { type: 'string' }, message: { type: 'string' }, problems: { type: 'array', items: { type: 'object', additionalProperties: true } } } }
export const receiptSchema = {
  type: 'object',
  description: 'What a reload did',
  properties: {
    revision: { type: 'integer' },
    time: { type: 'integer', description: 'ms since 1970, UTC' },
    outcome: { type: 'string', enum: ['unchanged', 'applied', 'rejected', 'rolled_back'] },
    reason: { type: 'string' },
    problems: { type: 'array', items: fileProblem },
    changes: { type: 'array', items: change },
    runtimes: { type: 'array', description: 'What the other runtimes did', items: { type: 'object', additionalProperties: true } },
    ms: { type: 'integer' }
  }
}

export function reloadRoutes (app: FastifyInstance, platform: Platform): void {
  app.post('/v1/plan', {
    config: { access: 'pipelines:write' },
    schema: {
      summary: 'What a reload would change now',
      tags: ['reload'],
      response: { 200: { type: 'object', properties: { hash: { type: 'string' }, changes: { type: 'array', items: change }, unchanged: { type: 'array', items: { type: 'string' } }, problems: { type: 'array', items: fileProblem } } } }
    }
  }, async () => platform.supervisor.plan())

  app.post<{ Querystring: { plan?: string } }>('/v1/reload', {
    config: { access: 'pipelines:write', action: 'reload' },
    schema: {
      summary: 'Reads the files again and applies them, all or nothing',
      description: 'Answers 200 when the files run now, 422 when they were rejected or rolled back: its member `receipt` says why, and the old pipelines run on.',
      tags: ['reload'],
      querystring: { type: 'object', additionalProperties: false, properties: { plan: { type: 'string', description: 'Hash of a plan: nothing is applied when it would do something else by now' } } },
      response: { 200: receiptSchema }
    }
  }, async (request, reply) => {
    const receipt = await platform.supervisor.reload(request.query.plan === undefined ? {} : { planHash: request.query.plan }, platform.peers)
    return answerReceipt(platform, reply, receipt)
  })

  app.get<{ Querystring: { limit: number } }>('/v1/revisions', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'Receipts of past reloads, newest first',
      tags: ['reload'],
      querystring: { type: 'object', additionalProperties: false, properties: { limit: { type: 'integer', minimum: 1, maximum: 1000, default: 50 } } },
      response: { 200: { type: 'object', properties: { revisions: { type: 'array', items: receiptSchema } } } }
    }
  }, async request => ({ revisions: platform.store.receipts(request.query.limit) }))
}
