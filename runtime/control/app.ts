// The admin endpoint: JSON over HTTP, errors as RFC 9457 problems, a bearer token for everything but health, and an
// OpenAPI document that is generated from the same schemas that check the requests.

import swagger from '@fastify/swagger'
import fastify from 'fastify'
import { describe, PlatformError } from '../errors.ts'
import { healthRoutes } from './health.ts'
import { metricsRoutes } from './metrics.ts'
import { pipelineRoutes } from './pipelines.ts'
import { pluginRoutes } from './plugins.ts'
import { queryRoutes } from './query.ts'
import { reloadRoutes } from './reload.ts'
import { topicRoutes } from './topics.ts'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Platform } from '../platform.ts'

const BODY_BYTES_MAX = 2 ** 20
const REQUEST_MS_MAX = 60_000

/** Routes that need no token. */
const open = new Set(['/healthz', '/readyz', '/openapi.json'])

export async function makeApp (platform: Platform): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    routerOptions: { maxParamLength: 200 },
    forceCloseConnections: true,
    genReqId: () => crypto.randomUUID()
  })
  // A body of YAML is the text of a pipeline file.
  app.addContentTypeParser(['application/yaml', 'text/yaml', 'text/plain'], { parseAs: 'string' }, (_request, body, done) => done(null, body))

  app.setErrorHandler((error: FastifyError | PlatformError, request, reply) => answerProblem(platform, error, request, reply))
  app.setNotFoundHandler((request, reply) => problem(reply, { status: 404, code: 'NOT_FOUND', title: 'Not found', detail: `There is no ${request.method} ${request.url.split('?')[0]}`, instance: request.id }))
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff').header('cache-control', 'no-store')
    if (!open.has(request.routeOptions.url ?? '')) authorize(platform, request, reply)
  })

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Twolane', description: 'The admin endpoint of the platform', version: platform.version },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }]
    }
  })
  await app.register(async routes => {
    healthRoutes(routes, platform)
    metricsRoutes(routes, platform)
    pipelineRoutes(routes, platform)
    reloadRoutes(routes, platform)
    pluginRoutes(routes, platform)
    topicRoutes(routes, platform)
    queryRoutes(routes, platform)
  })
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  await app.ready()
  return app
}

function authorize (platform: Platform, request: FastifyRequest, reply: FastifyReply): void {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ')
  if (scheme?.toLowerCase() === 'bearer' && token !== undefined && platform.isAdminToken(token)) return
  void reply.header('www-authenticate', 'Bearer realm="twolane"')
  throw new PlatformError('UNAUTHORIZED', 'This needs the admin token', { remedy: 'Send it as "Authorization: Bearer …". It was shown at the first start; TWOLANE_ADMIN_TOKEN sets another one.' })
}

interface Problem { readonly status: number, readonly code: string, readonly title: string, readonly detail: string, readonly instance: string, readonly [more: string]: unknown }

function answerProblem (platform: Platform, error: FastifyError | PlatformError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const instance = request.id
  if (error instanceof PlatformError) {
    const { code, status, message, where, remedy, problems } = error
    return problem(reply, { status, code, title: titleOf(code), detail: message, instance, ...(where !== undefined && { where }), ...(remedy !== undefined && { remedy }), ...(problems !== undefined && { problems }) })
  }
  if (error.validation !== undefined) {
    const errors = error.validation.map(({ instancePath, message }) => ({ param: `${error.validationContext ?? ''}${instancePath}`, message }))
    return problem(reply, { status: 422, code: 'REQUEST_INVALID', title: 'Request invalid', detail: error.message, instance, errors })
  }
  const status = error.statusCode ?? 500
  if (status >= 500) platform.log.error({ method: request.method, url: request.url, reason: describe(error) }, 'A request failed')
  return problem(reply, { status, code: status >= 500 ? 'INTERNAL' : 'REQUEST_INVALID', title: titleOf(status >= 500 ? 'INTERNAL' : 'REQUEST_INVALID'), detail: status >= 500 ? 'Something went wrong inside; the log has it under this instance.' : error.message, instance })
}

function problem (reply: FastifyReply, body: Problem): FastifyReply {
  return reply.code(body.status).type('application/problem+json').send({ type: 'about:blank', ...body })
}

/** `RELOAD_BUSY` as `Reload busy`. */
function titleOf (code: string): string {
  return code.charAt(0) + code.slice(1).toLowerCase().replaceAll('_', ' ')
}
