import { collectDefaultMetrics, Counter, Gauge, Registry, AggregatorRegistry } from 'prom-client'
import { lags } from './lag.ts'
import type { FastifyInstance } from 'fastify'
import type { MetricObject } from 'prom-client'
import type { Platform } from '../platform.ts'

/** Measured here for every output, so that a pipeline whose thread is gone is not shown as it was. */
const measuredHere = new Set(['twolane_lag_rows', 'twolane_lag_seconds'])

export function metricsRoutes (app: FastifyInstance, platform: Platform): void {
  const own = new Registry()
  collectDefaultMetrics({ register: own, prefix: 'twolane_' })
  const registers = [own]
  const up = new Gauge({ name: 'twolane_pipeline_healthy', help: '1: the pipeline and all its steps are healthy', labelNames: ['pipeline', 'state'], registers })
  const restarts = new Counter({ name: 'twolane_pipeline_restarts_total', help: 'Times that the pipeline failed as a whole and was started again', labelNames: ['pipeline'], registers })
  const lagRows = new Gauge({ name: 'twolane_lag_rows', help: 'Rows in the topic that an output has not committed', labelNames: ['pipeline', 'step'], registers })
  const lagSeconds = new Gauge({ name: 'twolane_lag_seconds', help: 'Age of the oldest of these rows, seconds', labelNames: ['pipeline', 'step'], registers })
  const dropped = new Gauge({ name: 'twolane_platform_rows_dropped', help: 'Log and metric rows that the topic _platform did not take', registers })

  app.get('/metrics', {
    config: { access: 'platform:read' },
    schema: { summary: 'All metrics in the Prometheus text format', tags: ['health'], response: { 200: { description: 'Metrics', content: { 'text/plain': { schema: { type: 'string' } } } } } }
  }, async (_request, reply) => {
    for (const metric of [up, restarts, lagRows, lagSeconds]) metric.reset()
    for (const { id, healthy, state, restarts: times } of platform.supervisor.status()) {
      up.set({ pipeline: id, state }, healthy ? 1 : 0)
      restarts.inc({ pipeline: id }, times)
    }
    for (const { pipeline, step, rows, seconds } of await lags(platform)) {
      lagRows.set({ pipeline, step }, rows)
      lagSeconds.set({ pipeline, step }, seconds)
    }
    dropped.set(platform.rowsDropped)
    const pipelines = platform.supervisor.metrics().filter(({ name }) => !measuredHere.has(name))
    const all = AggregatorRegistry.aggregate([pipelines, await own.getMetricsAsJSON()] as unknown as MetricObject[])
    return reply.type(all.contentType).send(await all.metrics())
  })
}
