// SQL that reads, for those who may: one statement, guarded and limited to what is granted (runtime/sql).

import { PlatformError } from '../errors.ts'
import { formats, runSql } from '../sql/run.ts'
import { lanes } from '../sql/rewrite.ts'
import { principalOf } from './guard.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'
import type { LaneName } from '../sql/rewrite.ts'

/** Statements a minute from one address. */
const PER_MINUTE = 600

interface Query {
  readonly format: string
  readonly database: LaneName
  readonly [param: `param_${string}`]: string
}

const querystring = {
  type: 'object',
  additionalProperties: false,
  patternProperties: { '^param_[A-Za-z_][A-Za-z0-9_]{0,63}$': { type: 'string', description: 'Value of {name:Type} in the statement' } },
  properties: {
    format: { type: 'string', enum: [...formats], default: 'JSONEachRow', description: 'Of the answer, where the statement has no FORMAT' },
    database: { type: 'string', enum: [...lanes], default: 'data', description: 'Where a name without a database is looked for: all rows, the recent ones, or those of the warehouse' }
  }
}

export function sqlRoutes (app: FastifyInstance, platform: Platform): void {
  app.post<{ Body: string, Querystring: Query }>('/v1/sql', {
    config: { access: 'sql:read', asks: true, audit: true, perMinute: PER_MINUTE },
    schema: {
      summary: 'One SQL statement that reads the datasets that are granted',
      description: 'The body is the SQL as text/plain: SELECT, DESCRIBE, SHOW DATABASES or SHOW TABLES. A dataset is called quotes or data.quotes, realtime.quotes or history.quotes; of each the granted columns and rows are there, and nothing else. The answer is streamed. The statement keeps to one boundary between warehouse and streaming database; the header X-Data-Boundary says which.',
      tags: ['query'],
      consumes: ['text/plain'],
      body: { type: 'string', minLength: 1 },
      querystring,
      response: { 200: { description: 'The rows in that format', content: { '*/*': { schema: { type: 'string' } } } } }
    }
  }, async (request, reply) => {
    const { format, database, ...params } = request.query
    const left = new AbortController()
    reply.raw.once('close', () => left.abort())
    const principal = principalOf(request)
    const answer = await runSql(platform, {
      sql: request.body,
      principal,
      lane: database,
      format,
      params: Object.fromEntries(Object.entries(params).map(([name, value]) => [name.slice('param_'.length), value])),
      settings: { output_format_json_quote_64bit_integers: '1', output_format_json_quote_denormals: '1' },
      encodings: request.headers['accept-encoding'],
      signal: left.signal
    })
    if (!principal.isValid()) {
      left.abort()
      throw new PlatformError('UNAUTHORIZED', 'The token or the session has ended')
    }
    if (answer.seq !== undefined) void reply.header('x-data-boundary', answer.seq)
    if (answer.encoding !== undefined) void reply.header('content-encoding', answer.encoding)
    return reply.type(answer.contentType).send(answer.body)
  })
}
