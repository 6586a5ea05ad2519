import t from 'tap'
import { main } from '../../../runtime/cli/main.ts'
import { qualityTask } from '../../../runtime/quality/task.ts'
import { calendarsOf } from '../../../runtime/quality/calendars.ts'
import { qualityTable } from '../../../runtime/quality/results.ts'
import { dayOf } from '../../../runtime/quality/windows.ts'
import { fakeContext } from '../../conform/context.ts'
import { capture } from '../cli/capture.ts'
import { openEndpoint, token } from '../control/endpoint.ts'
import { openGround, topicWith } from './ground.ts'
import type { TaskContext } from '../../../runtime/jobs/task.ts'
import type { Pipeline } from '../../../runtime/pipeline.ts'
import type { Json } from '../../../runtime/plugin.ts'
import type { LogLine } from '../../conform/context.ts'

const ground = await openGround(t)
// Results of long ago are forgotten, so it is the last session that has ended.
const calendar = await calendarsOf(process.cwd())('XNYS')
const session = calendar.sessions(dayOf(Date.now() - 12 * 86_400_000), dayOf(Date.now())).findLast(({ closeMs }) => closeMs < Date.now() - 86_400_000)
if (session === undefined) throw new Error('New York has not traded for days')
const start = session.openMs + 90 * 60_000
const day = dayOf(start)

const schema = topicWith(`
  - { name: fresh, metric: freshness, warn: { mustBeLessThan: 1m }, error: { mustBeLessThan: 10m }, during: XNYS }
  - { name: jumps, metric: priceJumps, field: price, arguments: { changePercent: 10 }, warn: { mustBe: 0 } }
  - { name: gaps, metric: sequenceGaps, field: seq, error: { mustBe: 0 } }`)
const table = await ground.store(schema, [{ price: '1', seq: 1 }, { price: '5', seq: 3 }].map((row, i) => ({ symbol: 'A', time: start + i * 1000, ...row })))

/** A pipeline as the task sees it. */
function pipelineOf (config: Readonly<Record<string, Json>>, plugin = 'streaming-database'): Pipeline {
  return { topic: schema.name, enabled: true, outputs: [{ plugin, config: { schema: null, url: null, ...config } }] } as unknown as Pipeline
}

interface Ran {
  readonly logs: readonly LogLine[]
  readonly rows: number
}

async function run (now: number, { params = {}, pipelines = [pipelineOf({ ...table })], warehouse = ground.url }: { readonly params?: Readonly<Record<string, Json>>, readonly pipelines?: readonly Pipeline[], readonly warehouse?: string } = {}): Promise<Ran> {
  const task = qualityTask({ root: process.cwd(), clickhouse: ground.url, warehouse, pipelines: () => pipelines, schemas: () => new Map([[schema.name, schema]]) })
  const { log, logs, signal } = fakeContext()
  let rows = 0
  const context: TaskContext = { run: { id: `run-${now}`, from: now - 300_000, to: now, kind: 'scheduled' }, params, signal, log, progress: done => { rows += done.rows ?? 0 } }
  await task.run(context)
  return { logs, rows }
}

const said = ({ logs }: Ran): unknown[] => logs.map(({ level, fields, message }) => [level, fields['rule'], message])

await t.test('a level that changes is logged once, as loud as it is bad, and its end as well', async t => {
  t.same(said(await run(start + 90_000)), [['warn', 'fresh', 'A quality rule gives a warning'], ['warn', 'jumps', 'A quality rule gives a warning']])
  t.same(said(await run(start + 91_000)), [])
  t.same(said(await run(start + 20 * 60_000)), [['error', 'fresh', 'A quality rule is broken'], ['info', 'jumps', 'A quality rule holds again']])
  t.same(said(await run(session.closeMs)), [['info', 'fresh', 'A quality rule holds again']])
})

await t.test('a day is checked when it is asked for', async t => {
  const found = await run(Date.now(), { params: { day, topic: 'trades' } })
  t.equal(found.rows, 2)
  t.same(said(found), [['warn', 'jumps', 'A quality rule gives a warning'], ['error', 'gaps', 'A quality rule is broken']])
  t.match(found.logs[1]?.fields, { topic: 'trades', dataset: `streaming.${table.table}`, value: 1, threshold: 'must be 0', reason: 'gaps: sequenceGaps of seq is 1 and must be 0' })
  for (const [params, message] of [[{ day: 'today' }, /day such as/], [{ topic: 'trade' }, /did you mean "trades"/], [{ days: day }, /did you mean "day"/]] as const) await t.rejects(run(start, { params }), { message })
})

await t.test('a table that cannot be checked does not hide the others, and one that is not there is no failure', async t => {
  const broken = pipelineOf({ ...table, url: 'http://127.0.0.1:9' })
  const absent = pipelineOf({ database: 'streaming', table: 'nothing_yet' })
  await t.rejects(run(start + 90_000, { pipelines: [broken, absent, pipelineOf({ ...table })] }), { code: 'DESTINATION_UNAVAILABLE' })
  const [row] = await ground.client.rows<{ n: string }>(`SELECT count() AS n FROM warehouse.${qualityTable.table} WHERE dataset = 'streaming.${table.table}'`)
  t.ok(Number(row?.n) > 8)
  t.equal((await run(start, { pipelines: [absent] })).rows, 0)
})

await t.test('what was loaded into the warehouse directly is checked by the day only', async t => {
  await ground.client.command('CREATE DATABASE IF NOT EXISTS warehouse')
  await ground.client.command(`CREATE TABLE warehouse.loaded ENGINE = MergeTree ORDER BY time AS SELECT *, toUInt32(_offset) AS _version FROM streaming.${table.table}`)
  const pipelines = [pipelineOf({ table: 'loaded' }, 'warehouse')]
  t.equal((await run(start, { pipelines })).rows, 0)
  // The second row is one of a handoff, so the first one stands alone.
  const found = await run(start, { pipelines, params: { day } })
  t.same([found.rows, said(found)], [2, []])
})

await t.test('results have a table that forgets, and survive what is in them', async t => {
  const [row] = await ground.client.rows<{ engine: string }>('SELECT engine_full AS engine FROM system.tables WHERE database = \'warehouse\' AND name = \'_quality\'')
  t.match(row?.engine, /TTL toDateTime\(at\) \+ toIntervalDay\(400\)/)
})

await t.test('the admin endpoint and the command line show what was found', async t => {
  const text = `key: [symbol]
event_time: time
fields: { symbol: { type: string }, time: { type: timestamp(ms) }, price: { type: float64 }, seq: { type: int64 } }
quality:
  - { name: jumps, metric: priceJumps, field: price, arguments: { changePercent: 10 }, warn: { mustBe: 0 } }
  - { name: gaps, metric: sequenceGaps, field: seq, error: { mustBe: 0 }, description: "Nothing is missing" }
  - { name: new_one, metric: nullValues, field: seq, error: { mustBe: 0 }, action: reject }
`
  const endpoint = await openEndpoint(t, { 'schemas/trades.yaml': text }, { env: { TWOLANE_CLICKHOUSE: ground.url } })
  const report = (await endpoint.ask('GET', '/v1/quality')).json<{ level: string, rules: Array<{ rule: string, results: Array<{ scope: string, level: string }> }> }>()
  t.equal(report.level, 'error')
  t.match(report.rules, [
    { topic: 'trades', rule: 'jumps', warn: 'must be 0', error: null, rejects: false },
    { rule: 'gaps', description: 'Nothing is missing', results: [{ scope: 'day', level: 'error', value: 1, examples: [{ missing: '1' }] }] },
    { rule: 'new_one', results: [], rejects: true }
  ])
  const { days } = (await endpoint.ask('GET', '/v1/quality?days=90')).json<{ days: Array<{ topic: string, day: string, level: string, rules: string[] }> }>()
  t.match(days.find(one => one.day === day), { topic: 'trades', day, level: 'error' })
  t.ok(days.find(one => one.day === day)?.rules.includes('gaps'))
  t.equal(report.rules.length > 0 && 'days' in report, false, 'days are told where they are asked for')
  const list = async (query: string): Promise<unknown[]> => (await endpoint.ask('GET', `/v1/quality/trades?${query}`)).json<{ results: Array<{ rule: string, level: string, scope: string }> }>().results
  t.match(await list('level=error&rule=gaps'), [{ rule: 'gaps', level: 'error', value: 1, from: Date.parse(`${day}T00:00:00Z`) }])
  t.equal((await list('rows=2')).length, 2)
  t.same(await list('from=2130-01-01&to=2130-01-02'), [])
  t.equal((await list(`from=${day}&to=${new Date(start + 91_001).toISOString()}&rule=fresh`)).length, 3)
  for (const [url, status] of [['/v1/quality/nothing', 404], ['/v1/quality?topic=nothing', 404], ['/v1/quality/trades?from=2024-13-01', 400], ['/v1/quality/trades?level=bad', 422], ['/v1/quality/trades?rows=5000', 422], ['/v1/quality?days=0', 422], ['/v1/quality?days=1000', 422]] as const) t.equal((await endpoint.ask('GET', url)).statusCode, status, url)

  await endpoint.app.listen({ port: 0 })
  const { port } = endpoint.app.server.address() as { port: number }
  const { terminal, lines } = capture(endpoint.project.folder, { TWOLANE_URL: `http://127.0.0.1:${port}`, TWOLANE_ADMIN_TOKEN: token })
  t.equal(await main(['quality', 'trades'], terminal), 1)
  const output = lines.join('\n')
  t.match(output, /TOPIC +RULE +LEVEL +VALUE +MUST BE +OF +CHECKED/)
  t.match(output, /trades +gaps +error +1 +error 0 +\d{4}-\d\d-\d\d +/)
  t.match(output, /trades +new_one +not checked +error 0, rejects rows/)
  t.match(output, /gaps: sequenceGaps of seq is 1 and must be 0\n {2}\{"symbol":"A","after":"1","before":"3","missing":"1"\}/)
})
