import { Agent, request as httpRequest } from 'undici'
import { parseAddress, readTls } from '../clickhouse/address.ts'
import { neverSent } from '../clickhouse/answers.ts'
import { PlatformError } from '../errors.ts'
import type { FastifyInstance } from 'fastify'
import type { Dispatcher } from 'undici'
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
    const settings = { default_format: request.query.format, max_execution_time: String(SECONDS_MAX), output_format_json_quote_64bit_integers: '1', output_format_pretty_color: '0' }
    if (running >= queriesMax) throw new PlatformError('TOO_MANY_REQUESTS', `${queriesMax} queries run already`, { remedy: 'Try again when one has ended.' })
    running++
    // Nobody reads on: the rest of the rows need not come.
    const left = new AbortController()
    reply.raw.once('close', () => {
      running--
      left.abort()
    })
    const answer = await ask(clickhouse, settings, { body: request.body, signal: left.signal })
      .catch((cause: unknown) => { throw new PlatformError('ENGINE_UNAVAILABLE', 'ClickHouse does not answer', { cause }) })
    if (answer.statusCode !== 200) throw new PlatformError('QUERY_REFUSED', (await answer.body.text()).trim())
    return reply.type(String(answer.headers['content-type'] ?? 'text/plain')).send(answer.body)
  })
}

/** Asks the first host that can be connected to; a statement is sent once. */
async function ask (clickhouse: string, settings: Readonly<Record<string, string>>, { body, signal }: { readonly body: string, readonly signal: AbortSignal }): Promise<Dispatcher.ResponseData> {
  const { urls, username, password, files } = parseAddress(clickhouse)
  const tls = await readTls(files)
  const dispatcher = Object.keys(tls).length === 0 ? undefined : new Agent({ connect: tls })
  // The answer is still to be read; an agent that is closed ends with it.
  try {
    for (const [i, base] of urls.entries()) {
      const url = new URL(base)
      for (const [name, value] of Object.entries(settings)) url.searchParams.set(name, value)
      try {
        const headers = { 'x-clickhouse-user': username === '' ? 'default' : username, 'x-clickhouse-key': password }
        return await httpRequest(url, { method: 'POST', signal, body, headers, ...(dispatcher !== undefined && { dispatcher }) })
      } catch (error) {
        if (i === urls.length - 1 || !neverSent(error)) throw error
      }
    }
    throw new PlatformError('ENGINE_UNAVAILABLE', 'There is no ClickHouse')
  } finally {
    void dispatcher?.close()
  }
}
