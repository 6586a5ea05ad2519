// Tries the connection of a source or destination before it is saved.

import { SAMPLE_ROWS_MAX, checkConnection } from '../setup/connection-check.ts'
import { note } from './audited.ts'
import { principalOf } from './guard.ts'
import type { FastifyInstance } from 'fastify'
import type { CheckRequest } from '../setup/connection-check.ts'
import type { Platform } from '../platform.ts'

const id = { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]{0,63}$' }

export function checkRoutes (app: FastifyInstance, platform: Platform): void {
  app.post<{ Body: CheckRequest }>('/v1/check', {
    config: { access: 'pipelines:write' },
    schema: {
      summary: 'Connects to a source or destination with options that are not saved yet',
      description: 'A source gives its first rows, and is not told that they were taken; to a destination nothing is written. It ends after 30 seconds. Addresses that are not on the public internet are refused unless connect_allow names them.',
      tags: ['setup'],
      consumes: ['application/json'],
      body: {
        type: 'object',
        additionalProperties: false,
        required: ['kind', 'plugin', 'options'],
        properties: {
          kind: { type: 'string', enum: ['input', 'output'] },
          plugin: { type: 'string', pattern: '^[a-z0-9@][a-z0-9@/._-]{0,213}$' },
          options: { type: 'object', additionalProperties: true },
          topic: { type: 'string', maxLength: 64, description: 'The schema that the rows are for, where there is one' },
          saved: { type: 'object', additionalProperties: false, required: ['pipeline', 'step'], description: 'The step whose secrets *** stands for', properties: { pipeline: id, step: { type: 'string', maxLength: 100 } } },
          rows: { type: 'integer', minimum: 1, maximum: SAMPLE_ROWS_MAX, default: 20 }
        }
      },
      response: {
        200: {
          type: 'object',
          properties: {
            ok: { type: 'boolean' },
            steps: { type: 'array', items: { type: 'object', properties: { name: { type: 'string', enum: ['options', 'resolve', 'connect', 'log in', 'first rows'] }, ok: { type: 'boolean' }, ms: { type: 'integer' }, detail: { type: 'string' } } } },
            sample: { type: 'array', description: 'Rows under the names of the source', items: { type: 'object', additionalProperties: true } }
          }
        }
      }
    }
  }, async request => {
    const result = await checkConnection(platform, principalOf(request), request.body)
    note(request, { action: 'connection.check', target: `${request.body.kind} ${request.body.plugin}`, detail: { ok: result.ok } })
    return result
  })
}
