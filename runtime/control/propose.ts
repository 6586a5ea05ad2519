// A schema is proposed from rows, or from the first rows of a source.

import { PlatformError } from '../errors.ts'
import { checkConnection } from '../setup/connection-check.ts'
import { PROPOSED_ROWS_MAX, proposeSchema } from '../setup/propose.ts'
import { principalOf } from './guard.ts'
import type { FastifyInstance } from 'fastify'
import type { CheckRequest } from '../setup/connection-check.ts'
import type { Row } from '../plugin.ts'
import type { Platform } from '../platform.ts'

interface Body {
  readonly topic: string
  readonly rows?: readonly Row[]
  readonly input?: Pick<CheckRequest, 'plugin' | 'options' | 'saved'>
}

const texts = { type: 'array', items: { type: 'string' } }

export function proposeRoutes (app: FastifyInstance, platform: Platform): void {
  app.post<{ Body: Body }>('/v1/propose', {
    config: { access: 'pipelines:write', asks: true },
    schema: {
      summary: 'Proposes the schema of a topic from rows, or from the first rows of a source',
      description: 'Nothing is written: the text goes into a change. What the rows do not tell is left as a question in it.',
      tags: ['setup'],
      consumes: ['application/json'],
      body: {
        type: 'object',
        additionalProperties: false,
        required: ['topic'],
        properties: {
          topic: { type: 'string', pattern: '^[a-z_][a-z0-9_-]{0,63}$' },
          rows: { type: 'array', minItems: 1, maxItems: PROPOSED_ROWS_MAX, items: { type: 'object', additionalProperties: true } },
          input: {
            type: 'object',
            additionalProperties: false,
            required: ['plugin', 'options'],
            properties: {
              plugin: { type: 'string', pattern: '^[a-z0-9@][a-z0-9@/._-]{0,213}$' },
              options: { type: 'object', additionalProperties: true },
              saved: { type: 'object', additionalProperties: false, required: ['pipeline', 'step'], properties: { pipeline: { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]{0,63}$' }, step: { type: 'string', maxLength: 100 } } }
            }
          }
        },
        oneOf: [{ required: ['rows'] }, { required: ['input'] }]
      },
      response: {
        200: {
          type: 'object',
          properties: {
            path: { type: 'string' },
            text: { type: 'string' },
            fields: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' }, source: { type: 'string', description: 'As the source calls it' }, type: { type: 'string' }, required: { type: 'boolean' }, unit: { type: 'string' }, examples: texts } } },
            notes: { ...texts, description: 'What somebody should look at' }
          }
        }
      }
    }
  }, async request => {
    const { topic, rows, input } = request.body
    if (rows !== undefined) return proposeSchema(topic, rows)
    const { ok, steps, sample } = await checkConnection(platform, principalOf(request), { kind: 'input', ...input as NonNullable<Body['input']>, rows: 100 })
    const last = steps.at(-1)
    const unfit = steps.find(({ name, ok }) => name === 'options' && !ok)
    if (unfit !== undefined) throw new PlatformError('REQUEST_INVALID', `The source cannot be opened: ${unfit.detail}`)
    if (!ok || sample.length === 0) throw new PlatformError('SOURCE_UNAVAILABLE', `The source gave no rows: ${steps.find(step => !step.ok)?.detail ?? last?.detail ?? 'no reason is known'}`, { remedy: 'Test the connection first, or send rows.' })
    return proposeSchema(topic, sample)
  })
}
