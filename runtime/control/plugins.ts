import { readPlugins } from '../files.ts'
import type { FastifyInstance } from 'fastify'
import type { UsedPlugin } from '../loader.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Platform } from '../platform.ts'

export function pluginRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/v1/plugins', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'Plugins with their options as JSON Schema: those of the plugins folder, and npm packages that pipelines use',
      tags: ['plugins'],
      response: { 200: { type: 'object', properties: { plugins: { type: 'array', items: { type: 'object', additionalProperties: true } } } } }
    }
  }, async () => ({ plugins: await readPlugins(platform.root, [...platform.supervisor.files.pipelines.values()].flatMap(usedBy)) }))
}

function usedBy ({ input, transforms, outputs }: Pipeline): UsedPlugin[] {
  return [
    ...(input === undefined ? [] : [{ kind: 'input', name: input.plugin } as const]),
    ...transforms.map(({ plugin }) => ({ kind: 'transform', name: plugin } as const)),
    ...outputs.map(({ plugin }) => ({ kind: 'output', name: plugin } as const))
  ]
}
