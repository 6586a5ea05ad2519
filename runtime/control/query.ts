import { PlatformError } from '../errors.ts'
import { ask, EngineRefusal } from '../clickhouse/ask.ts'
import { boundaryOf } from '../data/pin.ts'
import { pinComment } from '../warehouse/boundary.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

const SECONDS_MAX = 30
const FORMAT = /^[A-Za-z0-9]{1,64}$/

export function queryRoutes (app: FastifyInstance, platform: Platform, { queriesMax }: { readonly queriesMax: number }): void {
  let running = 0

  app.post<{ Body: string, Querystring: { format: string, server: 'streaming' | 'warehouse' } }>('/v1/query', {
    config: { access: 'sql:write' },
    schema: {
      summary: 'One SQL statement to ClickHouse, for the admin: it is not limited to reading',
      description: `The body is the SQL as text/plain. The answer is streamed in the format asked for and ends after ${SECONDS_MAX} s. The query keeps to one boundary between warehouse and streaming database for all of its life; the header Twolane-Boundary says which.`,
      tags: ['query'],
      consumes: ['text/plain'],
      body: { type: 'string', minLength: 1 },
      querystring: { type: 'object', additionalProperties: false, properties: { format: { type: 'string', pattern: FORMAT.source, default: 'JSONEachRow' }, server: { type: 'string', enum: ['streaming', 'warehouse'], default: 'streaming', description: 'Which ClickHouse is asked, where the warehouse has one of its own' } } },
      response: { 200: { description: 'The rows in that format', content: { '*/*': { schema: { type: 'string' } } } } }
    }
  }, async (request, reply) => {
    const address = request.query.server === 'warehouse' ? platform.warehouse : platform.clickhouse
    if (address === undefined) throw new PlatformError('ENGINE_UNAVAILABLE', 'There is no ClickHouse')
    const settings = { default_format: request.query.format, max_execution_time: String(SECONDS_MAX), output_format_json_quote_64bit_integers: '1', output_format_pretty_color: '0' }
    if (running >= queriesMax) throw new PlatformError('TOO_MANY_REQUESTS', `${queriesMax} queries run already`, { remedy: 'Try again when one has ended.' })
    running++
    // Nobody reads on: the rest of the rows need not come.
    const left = new AbortController()
    reply.raw.once('close', () => {
      running--
      left.abort()
    })
    const seq = await boundaryOf({ warehouse: platform.warehouse, clickhouse: address }, left.signal)
    const pinned = seq === undefined ? settings : { ...settings, log_comment: pinComment(seq) }
    const answer = await ask(address, { sql: request.body, settings: pinned, signal: left.signal })
      .catch((error: unknown) => { throw error instanceof EngineRefusal ? new PlatformError('QUERY_REFUSED', error.message) : error })
    if (seq !== undefined) void reply.header('twolane-boundary', seq)
    return reply.type(answer.contentType).send(answer.body)
  })
}
