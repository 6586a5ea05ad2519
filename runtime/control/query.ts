import { request as httpRequest } from 'undici'
import { PlatformError } from '../errors.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

const SECONDS_MAX = 30
const FORMAT = /^[A-Za-z0-9]{1,64}$/

export function queryRoutes (app: FastifyInstance, platform: Platform, { queriesMax }: { readonly queriesMax: number }): void {
  let running = 0

  app.post<{ Body: string, Querystring: { format: string } }>('/v1/query', {
    schema: {
      summary: 'One SQL statement to ClickHouse, for the admin: it is not limited to reading',
      description: `The body is the SQL as text/plain. The answer is streamed in the format asked for and ends after ${SECONDS_MAX} s.`,
      tags: ['query'],
      consumes: ['text/plain'],
      body: { type: 'string', minLength: 1 },
      querystring: { type: 'object', additionalProperties: false, properties: { format: { type: 'string', pattern: FORMAT.source, default: 'JSONEachRow' } } },
      response: { 200: { description: 'The rows in that format', content: { 'application/octet-stream': { schema: { type: 'string' } } } } }
    }
  }, async (request, reply) => {
    const { clickhouse } = platform
    if (clickhouse === undefined) throw new PlatformError('ENGINE_UNAVAILABLE', 'There is no ClickHouse')
    const url = new URL(clickhouse)
    const { username, password } = url
    url.username = url.password = ''
    const settings = { default_format: request.query.format, max_execution_time: String(SECONDS_MAX), output_format_json_quote_64bit_integers: '1', output_format_pretty_color: '0' }
    for (const [name, value] of Object.entries(settings)) url.searchParams.set(name, value)
    if (running >= queriesMax) throw new PlatformError('TOO_MANY_REQUESTS', `${queriesMax} queries run already`, { remedy: 'Try again when one has ended.' })
    running++
    // Nobody reads on: the rest of the rows need not come.
    const left = new AbortController()
    reply.raw.once('close', () => {
      running--
      left.abort()
    })
    const answer = await httpRequest(url, {
      method: 'POST',
      signal: left.signal,
      body: request.body,
      headers: { authorization: `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}` }
    }).catch((cause: unknown) => { throw new PlatformError('ENGINE_UNAVAILABLE', 'ClickHouse does not answer', { cause }) })
    if (answer.statusCode !== 200) throw new PlatformError('QUERY_REFUSED', (await answer.body.text()).trim())
    return reply.type(String(answer.headers['content-type'] ?? 'text/plain')).send(answer.body)
  })
}
