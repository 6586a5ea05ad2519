/**
 * The embedded ClickHouse's own process: the chDB engine behind ClickHouse's HTTP interface.
 * `embedded.ts` forks it and sends it one `start`; it answers `up` or `failed`. It ends when it is told `close`,
 * or at once when its parent is gone, for the engine is safe against both.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Answer } from './server/answer.ts'
import { Engine, EngineMissing } from './server/engine.ts'
import { fromEngine } from './server/errors.ts'
import { Queries } from './server/queries.ts'
import type { Limits } from './server/queries.ts'
import { anonymous, authenticate } from './server/request.ts'
import type { Credentials } from './server/request.ts'
import { Spool } from './server/spool.ts'

/** What the parent sends. */
export type Order =
  | { readonly type: 'start', readonly options: StartOptions }
  | { readonly type: 'ask' }
  | { readonly type: 'close' }

export interface StartOptions {
  readonly folder: string
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly credentials?: Credentials
  readonly engineArgs: readonly string[]
  readonly limits: Limits
  /** How much memory-backed space there must be for bodies to be spooled there. */
  readonly spoolRoomBytes: number
}

/** What the parent hears. `answer`: to `ask`, by the engine itself; `missing`: chdb is not there; `in-use`: another process has the folder; `port`: the port is taken. */
export type Report = StartReport | { readonly type: 'answer' }
export type StartReport =
  | { readonly type: 'up', readonly port: number, readonly version: string }
  | { readonly type: 'failed', readonly reason: 'missing' | 'in-use' | 'port' | 'other', readonly message: string }

interface Running {
  readonly engine: Engine
  readonly queries: Queries
  readonly spool: Spool
  readonly server: Server
}

const closeMs = 7000
/** As a server's http_max_uri_size: an INSERT names all columns of its table in the URL. */
const uriBytesMax = 1024 * 1024
let running: Running | undefined

process.on('message', (order: Order) => {
  if (order.type === 'start') void start(order.options)
  else if (order.type === 'ask') void answerAsk()
  else void close()
})
// Ctrl-C and service managers signal the whole group: the platform drains first and then closes this process itself.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {})
// Without a parent nobody would ever end this process, and the folder would stay locked.
process.on('disconnect', () => { process.kill(process.pid, 'SIGKILL') })

async function start (options: StartOptions): Promise<void> {
  let spool: Spool | undefined
  try {
    const engine = await Engine.open({ folder: options.folder, args: options.engineArgs })
    // The engine's lock is held from here on, so whatever lies in the spool is left over from a crash.
    const pipes = options.limits.readsMax + options.limits.abandonedMax
    spool = await Spool.open(options.folder, { roomBytes: options.spoolRoomBytes, pipes })
    const queries = new Queries(engine, spool, options.limits)
    const server = createServer({ keepAliveTimeout: 30_000, requestTimeout: 300_000, maxHeaderSize: uriBytesMax }, (message, response) => {
      void answer(message, response, engine, queries, options.credentials)
    })
    server.maxConnections = 512
    await listen(server, options)
    running = { engine, queries, spool, server }
    report({ type: 'up', port: (server.address() as AddressInfo).port, version: engine.version })
  } catch (error) {
    spool?.close()
    report(failure(error))
  }
}

/** Only by a query is it known that the engine works; an error of it, such as too little memory, is an answer as well. */
async function answerAsk (): Promise<void> {
  await running?.engine.ask('SELECT 1').catch(() => { /* It said something. */ })
  report({ type: 'answer' })
}

async function answer (message: IncomingMessage, response: ServerResponse, engine: Engine, queries: Queries, credentials: Credentials | undefined): Promise<void> {
  const url = URL.parse(message.url ?? '/', 'http://localhost')
  if (url === null) {
    response.writeHead(400).end('Bad URL\n')
    return
  }
  if (url.pathname === '/ping' || url.pathname === '/replicas_status' || (url.pathname === '/' && url.search === '' && message.method !== 'POST')) {
    response.writeHead(200, { 'Content-Type': 'text/html; charset=UTF-8' }).end('Ok.\n')
    return
  }
  if (url.pathname !== '/' || !['GET', 'HEAD', 'POST'].includes(message.method ?? '')) {
    message.resume()
    response.writeHead(url.pathname === '/' ? 405 : 404, { 'Content-Type': 'text/plain; charset=UTF-8' }).end(`There is no handle ${message.method} ${url.pathname}\n\nUse / or /ping for health checks.\nSend queries from your program with POST method or GET /?query=...\n`)
    return
  }
  try {
    authenticate(message, url, credentials)
  } catch (error) {
    message.resume()
    const nobody = anonymous(message, url)
    new Answer(message, response, engine).fail(fromEngine(error), nobody ? { status: 401, headers: { 'WWW-Authenticate': 'Basic realm="ClickHouse server HTTP API"' } } : {})
    return
  }
  await queries.handle(message, response, url)
}

function listen (server: Server, { host, port }: StartOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function failure (error: unknown): StartReport {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof EngineMissing) return { type: 'failed', reason: 'missing', message }
  if (['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES', 'ENOTFOUND'].includes((error as NodeJS.ErrnoException).code ?? '')) return { type: 'failed', reason: 'port', message }
  const inUse = fromEngine(error).code === 76
  return { type: 'failed', reason: inUse ? 'in-use' : 'other', message }
}

/** Takes no more queries, waits for those that run, closes the engine. What takes longer is cut off: the engine is safe against that. */
async function close (): Promise<void> {
  const until = Date.now() + closeMs
  if (running !== undefined) {
    const { server, queries, engine, spool } = running
    server.close()
    server.closeIdleConnections()
    while (queries.running > 0 && Date.now() < until) await new Promise(resolve => setTimeout(resolve, 10))
    queries.close()
    if (queries.running > 0) process.kill(process.pid, 'SIGKILL')
    engine.close()
    spool.close()
  }
  process.exit(0)
}

function report (message: Report): void {
  process.send?.(message)
}
