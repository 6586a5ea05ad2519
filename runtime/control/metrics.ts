import { AggregatorRegistry } from 'prom-client'
import type { FastifyInstance } from 'fastify'
import type { MetricObject } from 'prom-client'
import type { Platform } from '../platform.ts'

export function metricsRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/metrics', {
    config: { access: 'platform:read' },
    schema: { summary: 'All metrics in the Prometheus text format', tags: ['health'], response: { 200: { description: 'Metrics', content: { 'text/plain': { schema: { type: 'string' } } } } } }
  }, async (_request, reply) => {
    const all = AggregatorRegistry.aggregate([await platform.observe.measured.all()] as unknown as MetricObject[])
    return reply.type(all.contentType).send(await all.metrics())
  })
}
