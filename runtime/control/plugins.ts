import { optionsSchema } from '../plugin-config.ts'
import { readPlugins } from '../files.ts'
import { pluginRefusal } from '../setup/policy.ts'
import { usedPlugins } from '../setup/used-plugins.ts'
import { principalOf } from './guard.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

export function pluginRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/v1/plugins', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'Plugins with their options, of which forms are made: those of the plugins folder, and npm packages that pipelines use',
      description: '`options` has each option by name; `schema` is the same as one JSON Schema, in which `writeOnly` marks secrets. `allowed`: whether the roles of who asks allow it in pipelines.',
      tags: ['plugins'],
      response: { 200: { type: 'object', properties: { plugins: { type: 'array', items: { type: 'object', additionalProperties: true } } } } }
    }
  }, async request => {
    const principal = principalOf(request)
    const plugins = await readPlugins(platform.root, [...platform.supervisor.files.pipelines.values()].flatMap(usedPlugins))
    return { plugins: plugins.map(plugin => ({ ...plugin, title: titleOf(plugin.name), schema: optionsSchema(plugin.options), allowed: pluginRefusal(principal, plugin.name) === undefined })) }
  })
}

const capitals: Readonly<Record<string, string>> = { http: 'HTTP', s3: 'S3', sql: 'SQL', websocket: 'WebSocket' }

/** `streaming-database` as `Streaming database`. */
function titleOf (name: string): string {
  // A name of its own is written as its owner writes it.
  if (name.startsWith('interactive-brokers')) return name.replace('interactive-brokers', 'Interactive Brokers').replaceAll('-', ' ')
  const words = name.replace(/^@/, '').split(/[-_/]/)
  return words.map((word, i) => capitals[word] ?? (i === 0 ? word.charAt(0).toUpperCase() + word.slice(1) : word)).join(' ')
}
