// The admin endpoint: JSON over HTTP, errors as RFC 9457 problems, a bearer token for everything but health, and an
// OpenAPI document that is generated from the same schemas that check the requests. One resource a file.

import { Ajv } from 'ajv'
import cookie from '@fastify/cookie'
import swagger from '@fastify/swagger'
import websocket from '@fastify/websocket'
import fastify from 'fastify'
import { auditRequests } from './audited.ts'
import { auditRoutes } from './audit.ts'
import { alertRoutes } from './alerts.ts'
import { backupRoutes } from './backups.ts'
import { boundaryRoutes } from './boundary.ts'
import { costRoutes } from './costs.ts'
import { dataRoutes } from './data.ts'
import { datasetRoutes } from './datasets.ts'
import { exportRoutes } from './exports.ts'
import { explainRoutes } from './explain.ts'
import { addHeaders, checkControl, makeGuard } from './guard.ts'
import { gatewayRoutes } from './gateway.ts'
import { healthRoutes } from './health.ts'
import { takeJson } from './json-body.ts'
import { jobRoutes } from './jobs.ts'
import { clientRoutes } from './client.ts'
import { liveRoutes } from './live.ts'
import { logRoutes } from './logs.ts'
import { liveLimits } from '../live/limits.ts'
import { loginRoutes } from './login.ts'
import { meRoutes } from './me.ts'
import { withOptionalBodies } from './optional-bodies.ts'
import { metricsRoutes } from './metrics.ts'
import { panelRoutes } from './panel.ts'
import { parityRoutes } from './parity.ts'
import { pipelineRoutes } from './pipelines.ts'
import { answerError, problemResponse, sendProblem } from './problem.ts'
import { qualityRoutes } from './quality.ts'
import { queryStoreRoutes } from './queries.ts'
import { queryRoutes } from './query.ts'
import { redeliverRoutes } from './redeliver.ts'
import { reloadRoutes } from './reload.ts'
import { replayRoutes } from './replay.ts'
import { roleRoutes } from './roles.ts'
import { RouteTable } from './route-table.ts'
import { runtimeRoutes } from './runtimes.ts'
import { setUpRoutes } from './set-up.ts'
import { sqlRoutes } from './sql.ts'
import { seriesRoutes } from './series.ts'
import { statusRoutes } from './status.ts'
import { teamRoutes } from './teams.ts'
import { tokenRoutes } from './tokens.ts'
import { countedBut, limitSockets } from './sockets.ts'
import { testRoutes } from './tests.ts'
import { topicRoutes } from './topics.ts'
import { userRoutes } from './users.ts'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Socket } from 'node:net'
import type { Rates } from './guard.ts'
import type { PlatformError } from '../errors.ts'
import type { LiveLimits } from '../live/limits.ts'
import type { Platform } from '../platform.ts'

/** How much patience and room a client gets. */
export interface ClientLimits extends Rates {
  readonly bodyBytesMax: number
  readonly headersMsMax: number
  readonly requestMsMax: number
  /** Of a connection on which nothing moves, also while it waits for an answer. */
  readonly idleMsMax: number
  readonly lookMs: number
  readonly socketsMax: number
  readonly socketsPerAddressMax: number
  readonly queriesMax: number
}

export const clientLimits: ClientLimits = { bodyBytesMax: 2 ** 20, headersMsMax: 10_000, requestMsMax: 30_000, idleMsMax: 120_000, lookMs: 1000, socketsMax: 1000, socketsPerAddressMax: 100, queriesMax: 8, requestsPerSecondMax: 200, wrongTokensPerMinuteMax: 60 }

export interface AppOptions {
  readonly limits?: ClientLimits
  /** Of live streams. */
  readonly live?: LiveLimits
  /** Filled with the routes. */
  readonly table?: RouteTable
}

export async function makeApp (platform: Platform, { limits = clientLimits, live = liveLimits, table = new RouteTable() }: AppOptions = {}): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    // Else everybody behind a proxy would be one client, whom anybody can have locked out.
    trustProxy: platform.config.trustedProxies.length === 0 ? false : [...platform.config.trustedProxies],
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestMsMax,
    connectionTimeout: limits.idleMsMax,
    ...(platform.config.tls !== undefined && { https: { ...platform.config.tls, minVersion: 'TLSv1.2' as const, headersTimeout: limits.headersMsMax, connectionsCheckingInterval: limits.lookMs, maxHeaderSize: 16_384 } }),
    http: { headersTimeout: limits.headersMsMax, connectionsCheckingInterval: limits.lookMs, maxHeaderSize: 16_384 },
    routerOptions: { maxParamLength: 200 },
    forceCloseConnections: true,
    genReqId: () => crypto.randomUUID(),
    frameworkErrors: (error, request, reply) => {
      addHeaders(platform, request, reply)
      answerError(platform, error, request, reply)
    },
    clientErrorHandler: answerBrokenRequest
  })
  app.server.maxConnections = limits.socketsMax
  limitSockets(app.server, { perAddressMax: limits.socketsPerAddressMax, isCounted: countedBut(platform.config.trustedProxies) })
  // With the schema of what is wrong, so that an error can say what would be right. A query string is text, whatever it says. In a body a null is not a false, nor a 0.
  const [text, json] = [true, false].map(coerceTypes => new Ajv({ coerceTypes, useDefaults: true, allowUnionTypes: true, verbose: true })) as [Ajv, Ajv]
  app.setValidatorCompiler(({ schema, httpPart }) => (httpPart === 'body' ? json : text).compile(schema as object))
  takeJson(app)
  // A body of YAML is the text of a pipeline file, one of plain text is SQL.
  app.addContentTypeParser(['application/yaml', 'text/yaml', 'text/plain'], { parseAs: 'string' }, (_request, body, done) => done(null, body))

  app.setErrorHandler((error: FastifyError | PlatformError, request, reply) => answerError(platform, error, request, reply))
  app.setNotFoundHandler((request, reply) => answerNotFound(platform, table, request, reply))
  app.decorateRequest('principal', undefined)
  app.decorateRequest('session', undefined)
  // First: the guard looks at the cookies.
  await app.register(cookie)
  auditRequests(app, platform)
  const guard = makeGuard(platform, limits)
  app.addHook('onRequest', async (request, reply) => {
    addHeaders(platform, request, reply)
    guard(request, reply)
    await checkControl(platform, request)
  })
  app.addHook('onRoute', route => {
    table.add(route)
    complete(route)
  })

  await app.register(websocket, { options: { maxPayload: limits.bodyBytesMax } })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Twolane', description: 'The admin endpoint of the platform', version: platform.version },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }]
    },
    transformObject: withOptionalBodies
  })
  await app.register(async routes => addRoutes(routes, platform, { limits, live }))
  app.get('/openapi.json', { config: { access: 'anyone' }, schema: { hide: true } }, async () => app.swagger())
  await app.ready()
  return app
}

/** One resource a file. */
async function addRoutes (routes: FastifyInstance, platform: Platform, { limits, live }: Required<Pick<AppOptions, 'limits' | 'live'>>): Promise<void> {
  panelRoutes(routes, platform)
  healthRoutes(routes, platform)
  statusRoutes(routes, platform)
  backupRoutes(routes, platform)
  alertRoutes(routes, platform)
  testRoutes(routes, platform)
  loginRoutes(routes, platform)
  meRoutes(routes, platform)
  userRoutes(routes, platform)
  teamRoutes(routes, platform)
  roleRoutes(routes, platform)
  tokenRoutes(routes, platform)
  explainRoutes(routes, platform)
  auditRoutes(routes, platform)
  metricsRoutes(routes, platform)
  pipelineRoutes(routes, platform)
  jobRoutes(routes, platform)
  logRoutes(routes, platform)
  costRoutes(routes, platform)
  seriesRoutes(routes, platform)
  reloadRoutes(routes, platform)
  setUpRoutes(routes, platform)
  topicRoutes(routes, platform)
  redeliverRoutes(routes, platform)
  replayRoutes(routes, platform)
  parityRoutes(routes, platform)
  runtimeRoutes(routes, platform)
  boundaryRoutes(routes, platform)
  queryRoutes(routes, platform, limits)
  qualityRoutes(routes, platform)
  dataRoutes(routes, platform)
  datasetRoutes(routes, platform)
  liveRoutes(routes, platform, live)
  clientRoutes(routes)
  queryStoreRoutes(routes, platform)
  exportRoutes(routes, platform)
  sqlRoutes(routes, platform)
  await gatewayRoutes(routes, platform)
}

/** What holds for every route: parameters that it does not know are refused, and errors look alike. */
function complete (route: RouteOptions): void {
  const schema = route.schema ?? {}
  route.schema = {
    querystring: { type: 'object', additionalProperties: false, properties: {} },
    ...(route.config?.access === 'anyone' && { security: [] }),
    ...schema,
    response: { default: problemResponse, ...schema.response as object }
  }
}

function answerNotFound (platform: Platform, table: RouteTable, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = request.url.split('?')[0] ?? ''
  const methods = table.methods(path)
  const remedy = /^\/v1\/(?:data|bars|latest|q|join)\/[^/.]+$/.test(path) ? `Say in which format: ${path}.json, .ndjson, .csv, .parquet or .arrow.` : 'GET /openapi.json lists what there is.'
  if (methods.length === 0) return sendProblem(platform, reply, { status: 404, code: 'NOT_FOUND', detail: `There is no ${path}`, remedy })
  void reply.header('allow', methods.join(', '))
  return sendProblem(platform, reply, { status: 405, code: 'METHOD_NOT_ALLOWED', detail: `${path} takes ${methods.join(', ')}, not ${request.method}` })
}

const brokenRequests: Readonly<Record<string, readonly [number, string, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'The headers are too long'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'The request took too long to arrive']
}

/** A request that is no HTTP, or that does not arrive in time, has no reply object. */
function answerBrokenRequest (error: Error & { code?: string }, socket: Socket): void {
  const [status, phrase, detail] = brokenRequests[error.code ?? ''] ?? [400, 'Bad Request', 'This is no HTTP request']
  const body = JSON.stringify({ type: 'urn:twolane:error:request-invalid', title: phrase, status, code: 'REQUEST_INVALID', detail, instance: crypto.randomUUID() })
  if (socket.writable) socket.write(`HTTP/1.1 ${status} ${phrase}\r\nconnection: close\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  socket.destroySoon()
}
