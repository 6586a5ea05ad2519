import { PARITY, parityParams } from '../parity/task.ts'
import { askedBy } from './jobs.ts'
import { runForm, showRun } from './job-form.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'
import type { Json } from '../plugin.ts'

export function parityRoutes (app: FastifyInstance, platform: Platform): void {
  app.post<{ Body: Readonly<Record<string, Json>> }>('/v1/parity', {
    config: { access: 'jobs:run', action: 'parity.run' },
    schema: {
      summary: 'Compares a day in the lake with what the databases hold of it, as a run of the job `parity`',
      description: 'The day goes from the lake through the transforms as they are now. The run fails where rows, keys, sums or the hash differ; its log has each check and the first positions.',
      tags: ['jobs'],
      body: {
        type: 'object',
        additionalProperties: false,
        required: ['topic', 'day'],
        properties: { topic: { type: 'string' }, day: { type: 'string', description: 'UTC day of the event time, such as 2024-01-02' } }
      },
      response: { 202: runForm }
    }
  }, async (request, reply) => {
    const params = parityParams(request.body, platform.supervisor)
    return reply.code(202).send(showRun(platform.jobs.start(PARITY, { params, startedBy: askedBy(request) })))
  })
}
