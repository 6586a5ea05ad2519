import { AggregatorRegistry, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { FastifyInstance } from 'fastify'
import type { MetricObject } from 'prom-client'
import type { Platform } from '../platform.ts'

export function metricsRoutes (app: FastifyInstance, platform: Platform): void {
  const own = new Registry()
  collectDefaultMetrics({ register: own, prefix: 'twolane_' })
  const up = new Gauge({ name: 'twolane_pipeline_healthy', help: '1: the pipeline and all its steps are healthy', labelNames: ['pipeline'], registers: [own] })
  const restarts = new Gauge({ name: 'twolane_pipeline_restarts', help: 'Times that the pipeline was started again since it was loaded', labelNames: ['pipeline'], registers: [own] })
  const dropped = new Gauge({ name: 'twolane_platform_rows_dropped', help: 'Log and metric rows that the topic _platform did not take', registers: [own] })

  app.get('/metrics', {
    schema: { summary: 'All metrics in the Prometheus text format', tags: ['health'], response: { 200: { type: 'string' } } }
  }, async (_request, reply) => {
    up.reset()
    restarts.reset()
    for (const { id, healthy, restarts: times } of platform.supervisor.status()) {
      up.set({ pipeline: id }, healthy ? 1 : 0)
      restarts.set({ pipeline: id }, times)
    }
    dropped.set(platform.rowsDropped)
    const all = AggregatorRegistry.aggregate([...platform.supervisor.metrics(), await own.getMetricsAsJSON() as MetricObject[]])
    return reply.type(all.contentType).send(await all.metrics())
  })
}
