// Serves the web page. It is bundled at the first request and kept in memory; where that fails, the page says why and the
// rest of the platform runs on.

import { describe, PlatformError } from '../errors.ts'
import { bundlePanel } from './panel-bundle.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Platform } from '../platform.ts'
import type { Asset, PanelFiles } from './panel-bundle.ts'

/** A broken bundle is not tried again for so long, so that requests cannot keep the machine busy. */
const RETRY_MS = 5000

/** Scripts and styles of the platform only, none in the page itself; nobody may frame it. */
const policy = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:", "font-src 'self'",
  "manifest-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"
].join('; ')

/** The web page at `/`, the public one at `/status`, and what they load. */
export function panelRoutes (app: FastifyInstance, platform: Platform): void {
  const files = makeLoader(platform)

  for (const [url, page] of [['/', 'panel'], ['/status', 'status']] as const) {
    app.get(url, { config: { access: 'anyone' }, schema: { hide: true, querystring: { type: 'object' } } }, async (request, reply) => {
      void reply.header('content-security-policy', policy)
      return send(request, reply, (await files())[page], 'no-cache')
    })
  }

  app.get<{ Params: { name: string } }>('/assets/:name', {
    config: { access: 'anyone' },
    schema: { hide: true, params: { type: 'object', properties: { name: { type: 'string', pattern: '^[A-Za-z0-9_-]+\\.(?:js|css)$' } } } }
  }, async (request, reply) => {
    const asset = (await files()).assets.get(request.params.name)
    if (asset === undefined) throw new PlatformError('NOT_FOUND', 'The page has no such file', { remedy: 'Load the page again: it was changed meanwhile.' })
    return send(request, reply, asset, 'public, max-age=31536000, immutable')
  })
}

/** Bundles once for all who ask. */
function makeLoader (platform: Platform): () => Promise<PanelFiles> {
  let files: Promise<PanelFiles> | undefined
  return () => {
    files ??= bundlePanel().catch((cause: unknown) => {
      platform.log.error({ reason: describe(cause) }, 'The web page could not be bundled')
      setTimeout(() => { files = undefined }, RETRY_MS).unref()
      throw new PlatformError('PANEL_UNAVAILABLE', 'The web page could not be bundled; the log says why', { cause, remedy: 'Install the packages again with npm ci. The API and the command line work meanwhile.' })
    })
    return files
  }
}

function send ({ headers }: FastifyRequest, reply: FastifyReply, asset: Asset, caching: string): FastifyReply {
  void reply.headers({ 'cache-control': caching, etag: asset.etag, vary: 'accept-encoding' })
  if (headers['if-none-match']?.split(',').some(tag => tag.trim().replace(/^W\//, '') === asset.etag)) return reply.code(304).send()
  const accepted = new Set(headers['accept-encoding']?.split(',').map(one => one.split(';')[0]?.trim()))
  void reply.type(asset.type)
  if (accepted.has('br')) return reply.header('content-encoding', 'br').send(asset.brotli)
  if (accepted.has('gzip')) return reply.header('content-encoding', 'gzip').send(asset.gzip)
  return reply.send(asset.plain)
}
