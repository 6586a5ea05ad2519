// How fast rows go through the steps of a pipeline, from the counters that its worker reports once a second.

import type { MetricObject } from 'prom-client'

const WINDOW_MS = 10_000

interface Sample {
  readonly at: number
  readonly rows: ReadonlyMap<string, number>
}

export class RowRate {
  #samples: Sample[] = []

  /** `at` on the monotonic clock, ms. */
  take (at: number, metrics: readonly MetricObject[]): void {
    const rows = new Map<string, number>()
    for (const metric of metrics) {
      if (metric.name !== 'twolane_rows_total') continue
      for (const { labels, value } of (metric as MetricObjectWithValues).values) rows.set(labels['step'] ?? '', value)
    }
    this.#samples = [...this.#samples.filter(sample => at - sample.at <= WINDOW_MS), { at, rows }]
  }

  /** Rows per second over the last ten seconds; 0 before there are two reports. */
  of (step: string): number {
    const [first] = this.#samples
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || last.at <= first.at) return 0
    return ((last.rows.get(step) ?? 0) - (first.rows.get(step) ?? 0)) / (last.at - first.at) * 1000
  }
}

export type MetricObjectWithValues = MetricObject & {
  readonly values: ReadonlyArray<{ readonly value: number, readonly labels: Readonly<Record<string, string>>, readonly metricName?: string }>
}
