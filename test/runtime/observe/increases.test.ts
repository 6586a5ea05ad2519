import t from 'tap'
import { Increases, KEEP_MS } from '../../../runtime/observe/increases.ts'
import { quantile } from '../../../runtime/observe/quantile.ts'
import { slotFor } from '../../../runtime/observe/series.ts'
import type { MetricObjectWithValues } from '../../../runtime/row-rate.ts'

const metric = (type: string, value: number, labels: Record<string, string> = { pipeline: 'trades', step: 'input.ib' }): MetricObjectWithValues => ({ name: 'm', type, help: '', aggregator: 'sum', values: [{ value, labels }] }) as unknown as MetricObjectWithValues
const latency = (counts: readonly number[], sum: number): MetricObjectWithValues => ({
  name: 'latency',
  type: 'histogram',
  help: '',
  aggregator: 'sum',
  values: [
    ...[0.1, 1, Infinity].map((le, i) => ({ metricName: 'latency_bucket', labels: { le: String(le === Infinity ? '+Inf' : le), pipeline: 'p', step: 's' }, value: counts[i] ?? 0 })),
    { metricName: 'latency_sum', labels: { pipeline: 'p', step: 's' }, value: sum },
    { metricName: 'latency_count', labels: { pipeline: 'p', step: 's' }, value: counts[2] ?? 0 }
  ]
}) as unknown as MetricObjectWithValues

await t.test('a counter is kept with what it has grown, also over a restart of its process', async t => {
  const increases = new Increases()
  t.match(increases.rows([metric('counter', 5)], 0), [{ kind: 'metric', pipeline: 'trades', step: 'input.ib', name: 'm', value: 5, fields: { kind: 'counter', increase: 5 } }])
  t.match(increases.rows([metric('counter', 12)], 10_000), [{ value: 12, fields: { increase: 7 } }])
  t.match(increases.rows([metric('counter', 3)], 20_000), [{ value: 3, fields: { increase: 3 } }], 'it began anew')
})

await t.test('what does not change is said once a minute', async t => {
  const increases = new Increases()
  t.equal(increases.rows([metric('gauge', 1)], 0).length, 1)
  t.equal(increases.rows([metric('gauge', 1)], KEEP_MS - 1).length, 0)
  t.equal(increases.rows([metric('gauge', 1)], KEEP_MS).length, 1)
  t.equal(increases.rows([metric('gauge', 2)], KEEP_MS + 1).length, 1)
  t.equal(increases.rows([metric('gauge', NaN)], KEEP_MS + 2).length, 0, 'what is no number is no measurement')
})

await t.test('a series that ended is forgotten', async t => {
  const increases = new Increases()
  increases.rows([metric('counter', 5)], 0)
  increases.rows([], 2 * 3_600_000)
  t.match(increases.rows([metric('counter', 6)], 3 * 3_600_000), [{ fields: { increase: 6 } }])
})

await t.test('a histogram is one row with the increase of each bucket', async t => {
  const increases = new Increases()
  t.match(increases.rows([latency([1, 3, 4], 9)], 0), [{ name: 'latency', value: 9, fields: { kind: 'histogram', increase: 4, bounds: [0.1, 1], counts: [1, 2, 1] } }])
  t.match(increases.rows([latency([1, 5, 6], 10)], 10_000), [{ value: 1, fields: { increase: 2, counts: [0, 2, 0] } }])
})

await t.test('a percentile lies within its bucket', async t => {
  t.equal(quantile(0.5, [1, 2, 4], [0, 10, 0, 0]), 1.5)
  t.equal(quantile(0.99, [1, 2, 4], [0, 0, 0, 3]), 4, 'above the last bound there is only that bound')
  t.equal(quantile(0.5, [1, 2, 4], [0, 0, 0, 0]), undefined)
  t.equal(quantile(1, [1, 2, 4], [1, 0, 1, 0]), 4)
})

await t.test('a slot is as long as it must be, and one that people read', async t => {
  t.equal(slotFor(3_600_000, 300), 20_000)
  t.equal(slotFor(1000, 300), 10_000, 'never shorter than the measurements')
  for (const [days, points] of [[1, 300], [30, 300], [30, 1], [400, 10]] as const) t.ok(days * 86_400_000 / slotFor(days * 86_400_000, points) <= points)
})
