// Counters that never go backwards. Each life of a pipeline's thread counts from 0; what earlier lives counted is kept here
// and added, so that a restart, a reload or a pause leaves no dent in a graph and loses no increase.

import { AggregatorRegistry } from 'prom-client'
import type { MetricObject } from 'prom-client'
import type { MetricObjectWithValues } from './row-rate.ts'

export class MetricTotals {
  readonly #past = new Map<string, MetricObject[]>()

  /** The last report of a life that has ended. Gauges say how things are and end with it. */
  add (pipeline: string, metrics: readonly MetricObject[]): void {
    const counted = metrics.filter(({ type }) => `${type}` === 'counter' || `${type}` === 'histogram')
    this.#past.set(pipeline, sum([this.#past.get(pipeline) ?? [], counted]))
  }

  /** The metrics of the lives now, with what earlier lives counted added. */
  with (metrics: ReadonlyArray<readonly MetricObject[]>): MetricObjectWithValues[] {
    return sum([...metrics, ...this.#past.values()])
  }

  /** The pipeline was removed: its series end. */
  forget (pipeline: string): void {
    this.#past.delete(pipeline)
  }
}

/** By name and labels. */
function sum (registries: ReadonlyArray<readonly MetricObject[]>): MetricObjectWithValues[] {
  return AggregatorRegistry.aggregate(registries as unknown as MetricObject[]).getMetricsAsArray() as unknown as MetricObjectWithValues[]
}
