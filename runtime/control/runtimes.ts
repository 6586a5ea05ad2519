import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

const runtime = {
  type: 'object',
  properties: {
    runtime: { type: 'string', description: 'Its name' },
    role: { type: 'string', enum: ['any', 'worker'] },
    control: { type: 'boolean', description: 'Whether it is the control side' },
    url: { type: 'string' },
    version: { type: 'string' },
    since: { type: 'integer', description: 'When it started, ms since 1970, UTC' },
    silent_seconds: { type: 'number', description: 'Since it was last heard of; gone after 10' },
    clickhouse: { type: 'string' },
    same_files: { type: 'boolean', description: 'Whether it runs the files of the control side' },
    pipelines: { type: 'integer' },
    failing: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' }, reasons: { type: 'array', items: { type: 'string' } } } } }
  }
}

export function runtimeRoutes (app: FastifyInstance, { fleet }: Platform): void {
  app.get('/v1/runtimes', {
    config: { access: 'platform:read' },
    schema: { summary: 'The processes that share the work, and which of them is the control side', tags: ['runtimes'], response: { 200: { type: 'object', properties: { runtimes: { type: 'array', items: runtime } } } } }
  }, async () => {
    const members = await fleet.members()
    const { digest } = members.find(({ control }) => control) ?? members[0] ?? {}
    return {
      runtimes: members.map(({ silentMs, pipelines, digest: own, ...member }) => ({ ...member, pipelines: pipelines.length, silent_seconds: silentMs / 1000, same_files: own === digest }))
    }
  })
}
