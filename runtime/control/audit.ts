import { Readable } from 'node:stream'
import { text, textOrNull } from './access-forms.ts'
import type { FastifyInstance } from 'fastify'
import type { AuditQuery } from '../access/audit.ts'
import type { Platform } from '../platform.ts'

const ROWS_MAX = 1000
const time = { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}(?:T\\d{2}:\\d{2}(?::\\d{2}(?:\\.\\d{1,3})?)?Z?)?$', description: 'ISO 8601, UTC' }
const outcome = { type: 'string', enum: ['ok', 'refused', 'failed'] }
const entry = {
  type: 'object',
  properties: {
    seq: { type: 'integer' },
    at: text,
    user: textOrNull,
    token: textOrNull,
    address: textOrNull,
    action: text,
    target: text,
    outcome,
    detail: { type: 'object', additionalProperties: true },
    hash: { type: 'string', description: 'Over the entry and the hash of the one before it' }
  }
}

export function auditRoutes (app: FastifyInstance, { access: { audit } }: Platform): void {
  app.get<{ Querystring: AuditQuery }>('/v1/audit', {
    config: { access: 'audit:read' },
    schema: {
      summary: 'Who changed what, who was let in and who was refused, newest first',
      tags: ['access'],
      querystring: {
        type: 'object',
        additionalProperties: false,
        properties: {
          from: time,
          to: { ...time, description: 'Exclusive' },
          user: { type: 'string', maxLength: 100 },
          action: { type: 'string', maxLength: 200, description: 'How it begins, such as token' },
          outcome,
          limit: { type: 'integer', minimum: 1, maximum: ROWS_MAX, default: 100 },
          before: { type: 'integer', minimum: 1, description: 'As next of the answer before' }
        }
      },
      response: { 200: { type: 'object', properties: { entries: { type: 'array', items: entry }, next: { description: 'null: there are no more', type: ['integer', 'null'] } } } }
    }
  }, async request => audit.read(request.query))

  app.get('/v1/audit/export', {
    config: { access: 'audit:read', audit: true },
    schema: { summary: 'All entries, oldest first, one a line; npx twolane audit verify checks such a file', tags: ['access'], response: { 200: { description: 'Entries', content: { 'application/x-ndjson': { schema: { type: 'string' } } } } } }
  }, async (_request, reply) => reply
    .type('application/x-ndjson')
    .header('content-disposition', 'attachment; filename="audit.ndjson"')
    .send(Readable.from(lines())))

  app.get('/v1/audit/verify', {
    config: { access: 'audit:read' },
    schema: {
      summary: 'Whether the chain of hashes is whole',
      tags: ['access'],
      response: { 200: { type: 'object', properties: { ok: { type: 'boolean' }, entries: { type: 'integer' }, broken_at: { description: 'seq of the first entry that does not fit', type: ['integer', 'null'] }, last_hash: { type: 'string', description: 'Of the newest entry: noted elsewhere it shows later that none was cut off' } } } }
    }
  }, async () => audit.verify())

  async function * lines (): AsyncGenerator<string, void, void> {
    for await (const one of audit.entries()) yield `${JSON.stringify(one)}\n`
  }
}
