import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { until } from '../../conform/context.ts'
import { openEndpoint } from '../control/endpoint.ts'
import type { Endpoint } from '../control/endpoint.ts'
import type { Report } from '../../../runtime/redeliver/report.ts'
import type { RejectedList } from '../../../runtime/redeliver/thread.ts'

const ROWS = 300
/** Every third one has a letter before its price. */
const isMarked = (n: number): boolean => n % 3 === 1
/** These have no price at all. */
const isBroken = (n: number): boolean => n === 9 || n === 18

const schema = (prefixes: string): string => `key: [symbol]
event_time: time
fields:
  n: { type: int64, required: true }
  symbol: { type: string, required: true }
  time: { type: timestamp(ms), required: true, cast: { unit: ms } }
  price: { type: 'decimal(18, 4)', required: true, cast: { prefixes: [${prefixes}] } }
`
const pipeline = `input: { file: { path: rows.ndjson } }
topic: trades
transforms: [mapping]
outputs:
  - streaming-database: { models: none }
  - file: out.ndjson
`
const day = Date.UTC(2024, 0, 2)
const row = (n: number): string => JSON.stringify({ n, symbol: `S${n % 5}`, time: day + n, price: isBroken(n) ? 'none' : isMarked(n) ? `C${n}.5` : `${n}.5` })

const endpoint = await openEndpoint(t, {
  'schemas/trades.yaml': schema(''),
  'pipelines/trades.yaml': pipeline,
  'rows.ndjson': `${Array.from({ length: ROWS }, (_, n) => row(n)).join('\n')}\n{"n": 1, \n`
}, { env: { TWOLANE_CLICKHOUSE: 'embedded' } })

interface Stored { readonly n: number, readonly offset: number, readonly price: number, readonly count: number }

async function stored ({ ask }: Endpoint): Promise<Stored[]> {
  const { body } = await ask('POST', '/v1/query', { headers: { 'content-type': 'text/plain' }, payload: 'SELECT toInt32(n) AS n, toInt32(_offset) AS offset, toFloat64(any(price)) AS price, toInt32(count()) AS count FROM streaming.trades GROUP BY n, _offset ORDER BY n' })
  return body.split('\n').filter(line => line.startsWith('{')).map(line => JSON.parse(line) as Stored)
}

async function redeliver (query = ''): Promise<Report> {
  const answer = await endpoint.ask('POST', `/v1/topics/trades/redeliver${query}`)
  if (answer.statusCode !== 200) throw new Error(answer.body)
  return answer.json<Report>()
}

async function rejected (query = ''): Promise<RejectedList> {
  const answer = await endpoint.ask('GET', `/v1/topics/trades/rejected${query}`)
  if (answer.statusCode !== 200) throw new Error(answer.body)
  return answer.json<RejectedList>()
}

const marked = Array.from({ length: ROWS }, (_, n) => n).filter(n => isMarked(n) && !isBroken(n))
const refusedFirst = marked.length + 2

await t.test('refused rows are listed by reason, with their places', async t => {
  await until(async () => (await rejected()).count === 2 * refusedFirst + 1, 'both outputs have refused their rows')
  const { groups, rows, more } = await rejected('?limit=3&step=mapping')
  t.equal(more, false)
  t.equal(rows.length, 3)
  t.strictSame(groups.map(({ rows }) => rows), [2 * refusedFirst], 'values do not make groups of their own')
  t.match(rows[0], { step: 'transforms.mapping', partition: 0, offset: 1, reason: /C1\.5/, row: { n: 1 } })
  t.equal((await rejected('?reason=none')).count, 4)
  t.equal((await endpoint.ask('GET', '/v1/topics/nothing/rejected')).statusCode, 404)
})

await t.test('what is still refused stays where it is', async t => {
  const report = await redeliver()
  t.match(report, { rows: 2 * refusedFirst + 1, delivered: 0, present: 0, appended: 0, next: null })
  t.equal(report.refused.find(({ step }) => step === 'transforms.mapping')?.rows, refusedFirst)
  t.match(report.kept, [{ why: /no field of the topic|malformed/, rows: 1 }, { why: /outputs.file of trades takes no rows of earlier offsets/, rows: refusedFirst }])
  t.equal((await rejected()).count, 2 * refusedFirst + 1)
})

await t.test('a corrected mapping delivers them once, where they were', async t => {
  endpoint.project.write('schemas/trades.yaml', schema('C'))
  const receipt = await endpoint.ask('POST', '/v1/reload')
  t.match(receipt.json(), { outcome: 'applied' })
  t.match(await redeliver('?dry_run=true'), { delivered: marked.length, next: null })
  t.equal((await stored(endpoint)).length, ROWS - refusedFirst, 'a dry run writes nothing')

  const report = await redeliver('?reason=C1')
  t.ok(report.delivered > 0 && report.delivered < marked.length, 'a selection')
  const rest = await redeliver()
  t.equal(report.delivered + rest.delivered, marked.length)
  t.match(rest.refused, [{ step: 'transforms.mapping', rows: 2, first: { partition: 0, offset: 9 } }])
  const rows = await stored(endpoint)
  t.strictSame(rows.map(({ n }) => n), Array.from({ length: ROWS }, (_, n) => n).filter(n => !isBroken(n)))
  for (const { n, offset, price, count } of rows) if (n !== offset || price !== n + 0.5 || count !== 1) t.fail(`row ${n}: ${offset}, ${price}, ${count}`)
  t.match(await redeliver(), { delivered: 0, present: 0 })
  t.equal((await rejected()).count, refusedFirst + 2 + 1, 'they are not listed any more')
})

await t.test('the pipeline runs on beside it, and the output that cannot take them was left alone', async t => {
  const out = readFileSync(join(endpoint.project.data, 'out.ndjson'), 'utf8').trim().split('\n')
  t.equal(out.length, ROWS - refusedFirst)
  t.match((await endpoint.ask('GET', '/v1/pipelines/trades')).json(), { healthy: true, restarts: 0 })
})
