import { listPlugins } from '../loader.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

export function pluginRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/v1/plugins', {
    schema: {
      summary: 'Plugins of the plugins folder with their options as JSON Schema',
      tags: ['plugins'],
      response: { 200: { type: 'object', properties: { plugins: { type: 'array', items: { type: 'object', additionalProperties: true } } } } }
    }
  }, async () => ({ plugins: await listPlugins(platform.root) }))
}
