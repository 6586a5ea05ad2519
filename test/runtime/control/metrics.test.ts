import t from 'tap'
import { MetricTotals } from '../../../runtime/metric-totals.ts'
import { RowRate } from '../../../runtime/row-rate.ts'
import { eventually } from '../../waiting.ts'
import { startEndpoint, pipeline, schema } from './endpoint.ts'
import type { MetricObject } from 'prom-client'

/** Series of the Prometheus text format. A line that is none fails. */
function parse (text: string): Map<string, number> {
  const series = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || /^# (?:HELP|TYPE) [a-z_:][a-z0-9_:]* \S/i.test(line)) continue
    const [, name, value] = /^([a-zA-Z_:][\w:]*(?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})?) (\S+)$/.exec(line) ?? []
    if (name === undefined || value === undefined) throw new Error(`This is no line of metrics: ${line}`)
    if (series.has(name)) throw new Error(`Twice: ${name}`)
    series.set(name, Number(value.replace('Inf', 'Infinity')))
  }
  return series
}

const crashing = `export default { kind: 'output', description: 'Ends its thread', options: {}, guarantee: 'at least once', async open (config, { checkpoint }) {
  let rows = 0
  return { async write (batch) { rows += batch.length; if (rows > 300) setTimeout(() => process.exit(3), 1500) }, async flush () {}, async close () {} } } }`

await t.test('metrics by pipeline and step that go on over restarts', async t => {
  const { ask } = await startEndpoint(t, {
    'schemas/trades.yaml': schema,
    'pipelines/trades.yaml': pipeline,
    'pipelines/rests.yaml': 'topic: trades\noutputs: [{ file: { path: rests.ndjson } }]',
    'pipelines/crashing.yaml': 'topic: trades\noutputs: [{ crash: {} }]',
    'plugins/outputs/crash/index.js': crashing
  })
  const read = async (): Promise<Map<string, number>> => {
    const answer = await ask('GET', '/metrics')
    t.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/)
    return parse(answer.body)
  }
  const rows = (step: string): string => `twolane_rows_total{pipeline="trades",step="${step}"}`
  t.ok([...(await read()).keys()].some(name => name.startsWith('twolane_pipeline_healthy')), 'there from the start')
  t.equal((await ask('POST', '/v1/pipelines/rests/pause')).statusCode, 200)

  const first = await eventually('rows are counted, and the lag of a pipeline that rests is seen', async () => {
    const series = await read()
    const rests = series.get('twolane_lag_rows{pipeline="rests",step="outputs.file"}') ?? 0
    return rests > 0 && (series.get(rows('outputs.file')) ?? 0) > 400 ? series : undefined
  })
  const step = '{pipeline="trades",step="outputs.file"}'
  for (const name of ['rows_total', 'bytes_total', 'batches_total', 'latency_seconds_count', 'latency_seconds_sum']) t.ok((first.get(`twolane_${name}${step}`) ?? 0) > 0, name)
  for (const name of ['rejected_rows_total', 'step_failures_total', 'lag_rows', 'lag_seconds']) t.type(first.get(`twolane_${name}${step}`), 'number', name)
  t.equal(first.get('twolane_latency_seconds_bucket{le="+Inf",pipeline="trades",step="outputs.file"}'), first.get(`twolane_latency_seconds_count${step}`))
  t.equal(first.get('twolane_pipeline_healthy{pipeline="rests",state="paused"}'), 1)

  for (const action of ['restart', 'pause', 'resume']) {
    const before = await read()
    t.equal((await ask('POST', `/v1/pipelines/trades/${action}`)).statusCode, 200)
    const after = await read()
    for (const [name, value] of before) {
      if (name.includes('pipeline=') && /_(?:total|count|bucket)\b/.test(name)) t.ok((after.get(name) ?? -1) >= value, `${name} after ${action}: ${value} to ${after.get(name)}`)
    }
  }
  const { topics } = (await ask('GET', '/v1/topics')).json<{ topics: Array<{ name: string, partitions: Array<{ next: number }> }> }>()
  const { partitions } = topics.find(({ name }) => name === 'trades') ?? { partitions: [] }
  await eventually('every row is counted once, over all lives', async () => (await read()).get(rows('input.generate')) as number >= (partitions[0]?.next ?? Infinity) || undefined)

  const crashed = '{pipeline="crashing"}'
  const later = await eventually('it was started again', async () => {
    const series = await read()
    return (series.get(`twolane_pipeline_restarts_total${crashed}`) ?? 0) > 0 ? series : undefined
  })
  t.match([...later.keys()].filter(name => name.startsWith('twolane_rows_total') && name.includes('crashing')).length, 1)
  t.ok((await ask('GET', '/v1/pipelines/crashing')).json<{ restarts: number }>().restarts > 0)
})

await t.test('counters of earlier lives are added, gauges are not', async t => {
  const metric = (name: string, type: string, value: number, step = 'a'): MetricObject => ({ name, type, help: name, aggregator: 'sum', values: [{ value, labels: { step } }] }) as unknown as MetricObject
  const totals = new MetricTotals()
  const value = (metrics: MetricObject[], name: string, step = 'a'): number | undefined => {
    const found = totals.with([metrics]).find(one => one.name === name)
    return found?.values.find(({ labels }) => labels['step'] === step)?.value
  }
  t.equal(value([metric('rows', 'counter', 5)], 'rows'), 5)
  totals.add('p', [metric('rows', 'counter', 5), metric('lag', 'gauge', 7)])
  totals.add('p', [metric('rows', 'counter', 2), metric('rows', 'counter', 1, 'b')])
  t.equal(value([], 'rows'), 7)
  t.equal(value([metric('rows', 'counter', 3), metric('lag', 'gauge', 1)], 'rows'), 10)
  t.equal(value([metric('lag', 'gauge', 1)], 'lag'), 1)
  t.equal(value([], 'rows', 'b'), 1)
  totals.forget('p')
  t.equal(value([], 'rows'), undefined)
})

await t.test('a rate is that of the last ten seconds', async t => {
  const rate = new RowRate()
  const metrics = (value: number): MetricObject[] => [{ name: 'twolane_rows_total', values: [{ value, labels: { step: 'a' } }] } as unknown as MetricObject]
  t.equal(rate.of('a'), 0)
  rate.take(0, metrics(100))
  t.equal(rate.of('a'), 0)
  rate.take(1000, metrics(300))
  t.equal(rate.of('a'), 200)
  t.equal(rate.of('b'), 0)
  rate.take(20_000, metrics(300))
  rate.take(22_000, metrics(320))
  t.equal(rate.of('a'), 10)
})
