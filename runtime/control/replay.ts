import { REPLAY, replayParams } from '../replay/task.ts'
import { askedBy } from './jobs.ts'
import { runForm, showRun } from './job-form.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'
import type { Json } from '../plugin.ts'

export function replayRoutes (app: FastifyInstance, platform: Platform): void {
  app.post<{ Body: Readonly<Record<string, Json>> }>('/v1/replays', {
    config: { access: 'jobs:run', action: 'replay.run' },
    schema: {
      summary: 'Replays a topic into another one, as a run of the job `replay`',
      description: 'Rows come in the order of their event times. GET /v1/jobs/replay/runs/{run} shows the run, and …/cancel ends it.',
      tags: ['jobs'],
      body: {
        type: 'object',
        additionalProperties: false,
        required: ['topic', 'into'],
        properties: {
          topic: { type: 'string', description: 'Whose rows' },
          into: { type: 'string', description: 'The topic that takes them; it has a schema' },
          from: { type: ['string', 'null'], description: 'First event time, UTC, such as 2024-01-02 or 2024-01-02T14:30:00Z; the oldest where it is left out' },
          to: { type: ['string', 'null'], description: 'Event time before which it ends; likewise' },
          speed: { type: 'string', default: 'max', description: '10x: ten times as fast as it was; max: without waiting' },
          source: { type: ['string', 'null'], enum: ['lake', 'topic', null], description: 'Where the rows are read; the lake where there is one' }
        }
      },
      response: { 202: runForm }
    }
  }, async (request, reply) => {
    const params = { ...replayParams(request.body, platform.supervisor) }
    return reply.code(202).send(showRun(platform.jobs.start(REPLAY, { params, startedBy: askedBy(request) })))
  })
}
