import { Agent, request as httpRequest } from 'undici'
import { parseAddress, readTls } from '../clickhouse/address.ts'
import { neverSent } from '../clickhouse/answers.ts'
import { PlatformError } from '../errors.ts'
import { boundaryTable, pinComment } from '../warehouse/boundary.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import type { FastifyInstance } from 'fastify'
import type { Dispatcher } from 'undici'
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
      response: { 200: { description: 'The rows in that format', content: { 'application/octet-stream': { schema: { type: 'string' } } } } }
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
    const seq = await boundaryOf([platform.warehouse, address], left.signal)
    const pinned = seq === undefined ? settings : { ...settings, log_comment: pinComment(seq) }
    const answer = await ask(address, pinned, { body: request.body, signal: left.signal })
      .catch((cause: unknown) => { throw new PlatformError('ENGINE_UNAVAILABLE', 'ClickHouse does not answer', { cause }) })
    if (answer.statusCode !== 200) throw new PlatformError('QUERY_REFUSED', (await answer.body.text()).trim())
    if (seq !== undefined) void reply.header('twolane-boundary', seq)
    return reply.type(String(answer.headers['content-type'] ?? 'text/plain')).send(answer.body)
  })
}

/**
 * The newest boundary of the warehouse, or where it does not answer, of the copy. undefined: there is none, because nothing was
 * ever stored.
 */
async function boundaryOf (addresses: ReadonlyArray<string | undefined>, signal: AbortSignal): Promise<number | undefined> {
  for (const address of new Set(addresses)) {
    if (address === undefined) continue
    try {
      const answer = await ask(address, { max_execution_time: String(SECONDS_MAX) }, { body: `SELECT max(seq) FROM ${quoteTable(boundaryTable)} FORMAT TabSeparated`, signal })
      const text = (await answer.body.text()).trim()
      if (answer.statusCode === 200) return Number(text)
    } catch {
      // The query itself tells what is wrong with the server.
    }
  }
  return undefined
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
