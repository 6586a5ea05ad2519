import { guideSteps } from '../setup/guide.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

export function guideRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/v1/guide', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'The first steps with a new platform, and which are done',
      tags: ['setup'],
      response: { 200: { type: 'object', properties: { steps: { type: 'array', items: { type: 'object', properties: { step: { type: 'string' }, title: { type: 'string' }, done: { type: 'boolean' }, where: { type: 'string', description: 'Place in the web page' } } } } } } }
    }
  }, async () => ({ steps: await guideSteps(platform) }))
}
