// Metrics as rows of the topic `_platform`. A counter is kept with what it has grown since the row before, so that a rate
// is a plain sum: over restarts, over several runtimes, and whatever time is asked for. A histogram becomes one row with
// the increase of each bucket. What has not changed is said once a minute only.

import type { Row } from '../batch.ts'
import type { MetricObjectWithValues } from '../row-rate.ts'

/** How long a series may be silent while nothing changes. Readers take a longer gap for no measurement. */
export const KEEP_MS = 60_000
/** A series that was not there for so long is forgotten, such as those of a run that was the only one of its name. */
const FORGET_MS = 3_600_000
/** Of one runtime; further ones are not kept. */
const SERIES_MAX = 20_000

interface Last {
  readonly value: number
  readonly said: number
  readonly seen: number
}
interface Histogram { readonly labels: Readonly<Record<string, string>>, readonly bounds: number[], readonly counts: number[], count: number, sum: number }

export class Increases {
  readonly #last = new Map<string, Last>()

  /** Rows without `time` and `runtime`. `now`: ms since 1970. */
  rows (metrics: readonly MetricObjectWithValues[], now: number): Row[] {
    for (const [key, { seen }] of this.#last) if (now - seen > FORGET_MS) this.#last.delete(key)
    return metrics.flatMap(metric => `${metric.type}` === 'histogram' ? this.#histogram(metric, now) : this.#plain(metric, now))
  }

  #plain ({ name, type, values }: MetricObjectWithValues, now: number): Row[] {
    const kind = `${type}` === 'counter' ? 'counter' : 'gauge'
    return values.flatMap(({ value, labels }) => {
      if (!Number.isFinite(value)) return []
      const { changed, increase } = this.#step(keyOf(name, labels), value, now)
      if (!changed) return []
      return [rowOf(name, labels, value, kind === 'counter' ? { kind, increase } : { kind })]
    })
  }

  #histogram ({ name, values }: MetricObjectWithValues, now: number): Row[] {
    const rows: Row[] = []
    for (const { labels, bounds, counts, count, sum } of histogramsOf(name, values)) {
      const key = keyOf(name, labels)
      const { changed, increase } = this.#step(key, count, now)
      // The buckets hold what is below their bound: what is between two of them is the difference.
      const grown = counts.map((below, i) => this.#step(`${key}\n${i}`, below, now).increase)
      const sumGrown = this.#step(`${key}\nsum`, sum, now).increase
      const each = grown.map((below, i) => Math.max(0, below - (grown[i - 1] ?? 0)))
      if (changed) rows.push(rowOf(name, labels, sumGrown, { kind: 'histogram', increase, bounds, counts: [...each, Math.max(0, increase - (grown.at(-1) ?? 0))] }))
    }
    return rows
  }

  #step (key: string, value: number, now: number): { readonly changed: boolean, readonly increase: number } {
    const last = this.#last.get(key)
    if (last === undefined && this.#last.size >= SERIES_MAX) return { changed: false, increase: 0 }
    // One that goes back has begun anew.
    const increase = last === undefined || value < last.value ? value : value - last.value
    const changed = last === undefined || value !== last.value || now - last.said >= KEEP_MS
    this.#last.set(key, { value, said: changed ? now : last.said, seen: now })
    return { changed, increase }
  }
}

function histogramsOf (name: string, values: MetricObjectWithValues['values']): Histogram[] {
  const found = new Map<string, Histogram>()
  for (const { value, labels: { le, ...labels }, metricName } of values) {
    const key = keyOf(name, labels)
    const histogram = found.get(key) ?? { labels, bounds: [], counts: [], count: 0, sum: 0 }
    found.set(key, histogram)
    if (metricName === `${name}_sum`) histogram.sum = value
    else if (metricName === `${name}_count`) histogram.count = value
    else if (le !== undefined && Number.isFinite(Number(le))) {
      histogram.bounds.push(Number(le))
      histogram.counts.push(value)
    }
  }
  return [...found.values()]
}

function rowOf (name: string, labels: Readonly<Record<string, string>>, value: number, fields: object): Row {
  return { kind: 'metric', level: '', pipeline: labels['pipeline'] ?? '', step: labels['step'] ?? '', name, value, fields }
}

function keyOf (name: string, labels: Readonly<Record<string, string>>): string {
  return `${name}\n${labels['pipeline'] ?? ''}\n${labels['step'] ?? ''}`
}
