import { createServer } from 'node:http'
import { once } from 'node:events'
import { PlatformError } from '../../../runtime/errors.ts'
import { formatOf, rowsOf, TooManyRows } from './body.ts'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Context, Row } from '../../../runtime/plugin.ts'
import type { Authenticator } from './authenticate.ts'
import type { BodyFormat } from './body.ts'
import type { Inbox, Post } from './inbox.ts'
import type { HttpServerConfig } from './options.ts'

interface Parts { readonly inbox: Inbox, readonly authenticate: Authenticator }

/** What a sender is told instead of 200. */
class Refusal extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor (status: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail)
    this.status = status
    this.headers = headers
  }
}

const busy = (): Refusal => new Refusal(503, 'More is posted than can be taken. Send it again later.', { 'retry-after': '1' })
const stopping = (): Refusal => new Refusal(503, 'The input is stopping. Send it again later.', { 'retry-after': '5', connection: 'close' })
const notDurable = (): Refusal => new Refusal(503, 'The rows could not be made durable. Send them again.', { 'retry-after': '1' })

// Answers that are on their way get this long when the input stops.
const closeMs = 500

/** Takes posts until it is closed; `close` is called when no post waits any longer, or refuses those that do. */
export async function listen (config: HttpServerConfig, parts: Parts, context: Context): Promise<{ close (): Promise<void> }> {
  const { host, port, path } = config
  const requestTimeout = Math.max(config.request_ms, config.headers_ms)
  const open = new Set<ServerResponse>()
  let closing = false
  const server = createServer({
    headersTimeout: config.headers_ms, requestTimeout, connectionsCheckingInterval: Math.min(1000, config.headers_ms), keepAliveTimeout: 5000, noDelay: true
  }, (request, response) => {
    open.add(response)
    response.once('close', () => open.delete(response))
    receive(request, response, config, parts, () => closing || context.signal.aborted).catch(error => refuse(response, error))
  })
  server.maxConnections = config.connections_max
  server.on('drop', () => context.metrics.count('connections_dropped'))
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    throw new PlatformError('SOURCE_UNAVAILABLE', `${host}:${port} cannot be listened on: ${(error as Error).message}.`, { where: 'input.http-server.port', remedy: 'Choose another port, or stop what uses this one.', cause: error })
  }
  context.log.info({ host, port: (server.address() as AddressInfo).port, path }, 'Listening for posts')
  return {
    async close () {
      closing = true
      parts.inbox.clear()
      // What is still being received was not taken.
      for (const response of open) refuse(response, stopping())
      await closeServer(server)
    }
  }
}

async function closeServer (server: Server): Promise<void> {
  const closed = new Promise(resolve => server.close(resolve))
  const timer = setTimeout(() => server.closeAllConnections(), closeMs)
  await closed
  clearTimeout(timer)
}

/** One request, from its headers until its answer. Throws a Refusal where there is nothing to wait for. */
async function receive (request: IncomingMessage, response: ServerResponse, config: HttpServerConfig, { inbox, authenticate }: Parts, isStopping: () => boolean): Promise<void> {
  // A sender that breaks off: there is nobody to answer.
  request.on('error', () => {})
  response.on('error', () => {})
  const format = checkHeaders(request, config, authenticate)
  if (isStopping()) throw stopping()
  const held = { bytes: 0 }
  response.once('close', () => { inbox.bytes -= held.bytes })
  const body = await bodyOf(request, config.body_bytes_max, bytes => {
    if (inbox.isFull(0, bytes)) throw busy()
    held.bytes += bytes
    inbox.bytes += bytes
  })
  const forged = authenticate.signature(request.headers, body)
  if (forged !== undefined) throw new Refusal(401, forged)
  if (isStopping()) throw stopping()
  const rows = parse(body, format, config.rows_max)
  if (rows.length === 0) return accept(response, 0)
  if (inbox.isFull(rows.length, 0)) throw busy()
  const post: Post = { rows, bytes: body.length, settle: durable => durable ? accept(response, rows.length) : refuse(response, isStopping() ? stopping() : notDurable()) }
  response.once('close', () => inbox.remove(post))
  inbox.add(post)
}

function checkHeaders ({ url = '', method, headers }: IncomingMessage, { path, body_bytes_max: bytesMax }: HttpServerConfig, authenticate: Authenticator): BodyFormat {
  if (url.split('?')[0] !== path) throw new Refusal(404, `Posts are taken at ${path}.`)
  const unknown = authenticate.token(headers)
  if (unknown !== undefined) throw new Refusal(401, unknown, { 'www-authenticate': 'Bearer' })
  if (method !== 'POST') throw new Refusal(405, 'Only POST is taken.', { allow: 'POST' })
  const { 'content-encoding': encoding = 'identity', 'content-type': type, 'content-length': length = '0' } = headers
  if (encoding !== 'identity') throw new Refusal(415, `The content encoding ${encoding} is not taken. Send the body uncompressed.`)
  const format = formatOf(type)
  if (format === undefined) throw new Refusal(415, `The content type ${type ?? '(none)'} is not taken. Send application/json or application/x-ndjson in UTF-8.`)
  if (Number(length) > bytesMax) throw tooLarge(bytesMax)
  return format
}

function bodyOf (request: IncomingMessage, bytesMax: number, hold: (bytes: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      try {
        bytes += chunk.length
        if (bytes > bytesMax) throw tooLarge(bytesMax)
        hold(chunk.length)
        chunks.push(chunk)
      } catch (error) {
        request.removeAllListeners('data')
        chunks.length = 0
        reject(error)
      }
    })
    request.once('end', () => resolve(Buffer.concat(chunks, bytes)))
    request.once('close', () => reject(new Refusal(400, 'The request was broken off.')))
  })
}

function tooLarge (bytesMax: number): Refusal {
  return new Refusal(413, `The body has more than ${bytesMax} bytes. Send fewer rows at once.`)
}

function parse (body: Buffer, format: BodyFormat, rowsMax: number): Row[] {
  try {
    return rowsOf(body, format, rowsMax)
  } catch (error) {
    throw new Refusal(error instanceof TooManyRows ? 413 : 400, (error as Error).message)
  }
}

function accept (response: ServerResponse, rows: number): void {
  answer(response, 200, { rows }, { 'content-type': 'application/json' })
}

function refuse (response: ServerResponse, error: unknown): void {
  const { status, message: detail, headers } = error instanceof Refusal ? error : new Refusal(500, 'The request could not be handled.')
  answer(response, status, { status, detail }, { 'content-type': 'application/problem+json', ...headers })
  drain(response)
}

function answer (response: ServerResponse, status: number, body: object, headers: Readonly<Record<string, string>>): void {
  // Answered before, or nobody is there any longer.
  if (response.headersSent || response.destroyed) return
  const text = JSON.stringify(body)
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(text) }).end(text)
}

// What a refused sender may still send before its connection is cut: it cannot read the answer while it is sending.
const drainBytesMax = 64 * 2 ** 20

function drain ({ req: request }: ServerResponse): void {
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > drainBytesMax) request.destroy()
  })
}
