import { explain, review } from '../access/explain.ts'
import { PlatformError } from '../errors.ts'
import { scopeName, text, textOrNull, texts, userName } from './access-forms.ts'
import { principalOf } from './guard.ts'
import type { FastifyInstance } from 'fastify'
import type { Question } from '../access/explain.ts'
import type { Platform } from '../platform.ts'

export function explainRoutes (app: FastifyInstance, { access }: Platform): void {
  app.get<{ Querystring: Question }>('/v1/access/explain', {
    config: { access: 'known' },
    schema: {
      summary: 'Why somebody can, or cannot; without user and token it is about whoever asks',
      tags: ['access'],
      querystring: {
        type: 'object',
        additionalProperties: false,
        properties: { user: userName, token: { type: 'string', pattern: '^[0-9a-f]{1,64}$', description: 'Its id' }, scope: scopeName, dataset: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,100}$' } }
      },
      response: { 200: { type: 'object', properties: { allowed: { type: 'boolean' }, because: texts, missing: texts, remedy: text } } }
    }
  }, async request => {
    const { user, token } = request.query
    const principal = principalOf(request)
    const isOwn = (user === undefined || user === principal.user) && (token === undefined || access.tokens.get(token)?.user === principal.user)
    if (!isOwn && !principal.scopes.has('access:read')) throw new PlatformError('SCOPE_MISSING', `What others may do needs the scope access:read, which ${principal.user} lacks`, { remedy: 'Ask about yourself, or ask an admin.' })
    return explain(access, principal, request.query)
  })

  app.get('/v1/access/review', {
    config: { access: 'access:read' },
    schema: {
      summary: 'Who may do what now: a row for each user and each token',
      tags: ['access'],
      response: {
        200: {
          type: 'object',
          properties: {
            rows: {
              type: 'array',
              items: {
                type: 'object',
                properties: {
                  user: text,
                  token: textOrNull,
                  scopes: { type: 'array', items: scopeName },
                  datasets: {
                    type: 'array',
                    items: { type: 'object', properties: { dataset: text, columns: { description: 'null: all', anyOf: [{ type: 'null' }, texts] }, where: { description: 'null: all rows' }, through: { type: 'string', description: 'Where it comes from' } } }
                  }
                }
              }
            }
          }
        }
      }
    }
  }, async () => ({ rows: review(access) }))
}
