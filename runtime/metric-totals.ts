// Counters that never go backwards. Each life of a pipeline's thread counts from 0; what earlier lives counted is kept here
// and added, so that a restart, a reload or a pause leaves no dent in a graph and loses no increase.

import { AggregatorRegistry } from 'prom-client'
import type { MetricObject } from 'prom-client'

export class MetricTotals {
  readonly #past = new Map<string, MetricObject[]>()

  /** The last report of a life that has ended. Gauges say how things are and end with it. */
  add (pipeline: string, metrics: readonly MetricObject[]): void {
    const counted = metrics.filter(({ type }) => `${type}` === 'counter' || `${type}` === 'histogram')
    this.#past.set(pipeline, AggregatorRegistry.aggregate([...this.of(pipeline), counted]).getMetricsAsArray() as MetricObject[])
  }

  /** What earlier lives counted: a registry to add to that of the life now. */
  of (pipeline: string): MetricObject[][] {
    const past = this.#past.get(pipeline)
    return past === undefined ? [] : [past]
  }

  all (): MetricObject[][] {
    return [...this.#past.values()]
  }

  /** The pipeline was removed: its series end. */
  forget (pipeline: string): void {
    this.#past.delete(pipeline)
  }
}
