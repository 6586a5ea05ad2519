import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fromRows } from '../../../runtime/batch.ts'
import { main } from '../../../runtime/cli/main.ts'
import { platformTopic } from '../../../runtime/platform-topic.ts'
import { until } from '../../conform/context.ts'
import { root } from '../../system/project.ts'
import { eventually } from '../../waiting.ts'
import { capture } from '../cli/capture.ts'
import { files, job, write } from '../jobs/ledger.ts'
import { openEndpoint, token } from './endpoint.ts'
import type { Row } from '../../../runtime/batch.ts'

interface Line { readonly id: string, readonly message: string, readonly part: string, readonly level: string }
interface Page { readonly lines: readonly Line[], readonly next: string | null }

const HOUR = 3_600_000

await t.test('logs, metrics, jobs and costs over the admin endpoint and the command line', async t => {
  const { ask, platform, app, project } = await openEndpoint(t, { ...files, 'config/cost.yaml': readFileSync(join(root, 'config', 'cost.yaml'), 'utf8'), 'pipelines/one.yaml': job('one', '{ every: 6h }') }, { env: { TWOLANE_CLICKHOUSE: 'embedded' } })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const producer = await platform.broker.producer(platformTopic, 'test')
  t.teardown(() => producer.close())
  const append = (rows: readonly Row[]): Promise<void> => producer.append([fromRows(platformTopic, rows)])
  const cli = async (...args: string[]): Promise<{ code: number, lines: string[], complaints: string[] }> => {
    const { terminal, lines, complaints } = capture(project.folder, { TWOLANE_ADMIN_TOKEN: token, TWOLANE_URL: url })
    return { code: await main(args, terminal), lines, complaints }
  }
  const get = async <T>(path: string): Promise<T> => (await ask('GET', path)).json<T>()

  // On an hour of its own, so that what the platform says itself is not in it.
  const noon = Math.floor(Date.now() / HOUR) * HOUR - 12 * HOUR
  const span = `from=${noon}&to=${noon + HOUR}`
  const log = (i: number, more: Row = {}): Row => ({ time: noon + 1000 + Math.floor(i / 10), kind: 'log', level: 'info', runtime: 'r', pipeline: 'quotes', step: 'outputs.lake', name: `Line ${i}`, value: null, fields: { price: `p${i}` }, ...more })
  const grown = (at: number, step: string, increase: number): Row => ({ time: noon + at, kind: 'metric', level: '', runtime: 'r', pipeline: 'quotes', step, name: 'twolane_rows_total', value: 0, fields: { kind: 'counter', increase } })
  await append([
    ...Array.from({ length: 250 }, (_, i) => log(i)),
    log(1000, { level: 'error', name: 'The disk is full', fields: { reason: "It's 100 % \\ full" }, pipeline: '', step: '' }),
    log(1001, { level: 'warn', name: 'Slow' }),
    ...[0, 10_000, 20_000, 90_000].map(at => grown(at, 'input.ib', 500)),
    grown(0, 'outputs.lake', 100),
    { ...grown(5000, 'outputs.lake', 0), name: 'twolane_lag_rows', value: 7, fields: { kind: 'gauge' } },
    { ...grown(5000, 'outputs.lake', 0), name: 'twolane_latency_seconds', value: 3, fields: { kind: 'histogram', increase: 4, bounds: [0.1, 1, 2], counts: [0, 4, 0, 0] } }
  ])
  await until(async () => (await get<Page>(`/v1/logs?${span}&q=Slow`)).lines.length === 1, 'it is stored')

  await t.test('the log is searched by part, step, level, words and time', async t => {
    const found = async (query: string): Promise<string[]> => (await get<Page>(`/v1/logs?${span}&${query}`)).lines.map(({ message }) => message)
    t.strictSame(await found('level=warn'), ['Slow', 'The disk is full'])
    t.strictSame(await found('part=platform'), ['The disk is full'])
    t.strictSame(await found(`q=${encodeURIComponent('DISK 100')}`), ['The disk is full'], 'words of the message and the fields')
    t.strictSame(await found(`q=${encodeURIComponent("it's \\")}`), ['The disk is full'], 'whatever their signs')
    t.strictSame(await found(`q=${encodeURIComponent("') OR 1=1 --")}`), [])
    t.strictSame(await found('q=p249&step=outputs.lake&part=quotes'), ['Line 249'])
    t.strictSame(await found('part=nobody'), [])
    t.equal((await get<Page>(`/v1/logs?from=${noon - 1}&to=${noon}`)).lines.length, 0)
  })

  await t.test('pages leave no line out and show none twice, also where many lines have one time', async t => {
    const seen: string[] = []
    let next: string | null = ''
    while (next !== null) {
      const page: Page = await get<Page>(`/v1/logs?${span}&part=quotes&level=info&limit=60${next === '' ? '' : `&before=${next}`}`)
      // What comes meanwhile moves nothing.
      if (next === '') await append([log(900)])
      seen.push(...page.lines.map(({ message }) => message))
      next = page.next
    }
    t.strictSame(seen.filter(message => message !== 'Slow'), Array.from({ length: 250 }, (_, i) => `Line ${249 - i}`))
  })

  await t.test('what cannot be asked for is refused with a reason', async t => {
    for (const query of ['level=loud', 'limit=0', 'limit=5000', 'before=x', 'other=1', `q=${'a+'.repeat(20)}`, 'from=yesterday', 'from=2024-01-02&to=2024-01-01', 'last=6h&from=1', 'last=soon']) {
      const answer = await ask('GET', `/v1/logs?${query}`)
      t.ok([400, 422].includes(answer.statusCode), query)
      t.match(answer.json(), { code: 'REQUEST_INVALID', detail: /./ })
    }
    t.match((await ask('GET', `/v1/series?${span}&name=twolane_lag_rows&stat=p99`)).json(), { code: 'REQUEST_INVALID', detail: /is a gauge and has no p99/, remedy: /max, mean/ })
    t.equal((await ask('GET', `/v1/series?${span}&name=a'b`)).statusCode, 422)
    for (const path of ['/v1/logs', '/v1/logs/follow', '/v1/series?name=a', '/v1/costs', '/v1/jobs/one/days']) t.equal((await ask('GET', path, { headers: { authorization: '' } })).statusCode, 401, path)
  })

  await t.test('a metric is one value a slot for every part that has it', async t => {
    const rate = await get<{ series: Array<{ labels: object, points: number[][] }>, unit: string, slot_ms: number, truncated: boolean }>(`/v1/series?${span}&name=twolane_rows_total&points=360`)
    t.match(rate, { unit: 'rows a second', slot_ms: 10_000, kind: 'counter', stat: 'rate', truncated: false })
    t.strictSame(rate.series[0], { labels: { part: 'quotes', step: 'input.ib' }, points: [0, 10_000, 20_000].map(at => [noon + at, 50]).concat([30, 40, 50, 60, 70, 80].map(at => [noon + at * 1000, 0]), [[noon + 90_000, 50]]) })
    t.strictSame(rate.series[1]?.points, [[noon, 10]])
    t.match(await get(`/v1/series?${span}&name=twolane_rows_total&points=1&stat=sum&step=input.ib`), { series: [{ points: [[noon, 2000]] }], slot_ms: HOUR })
    t.match(await get(`/v1/series?${span}&name=twolane_lag_rows&part=quotes`), { series: [{ points: [[Number, 7]] }], unit: 'rows' })
    t.match(await get(`/v1/series?${span}&name=twolane_latency_seconds&stat=p50`), { series: [{ points: [[Number, 0.55]] }], unit: 'seconds' })
    t.match(await get(`/v1/series?${span}&name=twolane_latency_seconds&stat=mean`), { series: [{ points: [[Number, 0.75]] }] })
    t.match(await get(`/v1/series?${span}&name=nothing`), { series: [], kind: null })
    t.match(await get(`/v1/series/names?${span}`), { names: [{ name: 'twolane_lag_rows', kind: 'gauge' }, { name: 'twolane_latency_seconds' }, { name: 'twolane_rows_total', parts: ['quotes'], stats: ['rate', 'sum'] }] })
  })

  await t.test('what the platform measures itself arrives under the names of /metrics', async t => {
    const { names } = await eventually('it has measured', async () => {
      const found = await get<{ names: Array<{ name: string }> }>('/v1/series/names?last=1h')
      return found.names.length > 0 ? found : undefined
    })
    const { body } = await ask('GET', '/metrics')
    for (const { name } of names) t.match(body, new RegExp(`^# TYPE ${name} `, 'm'))
    t.ok(['twolane_process_cpu_seconds_total', 'twolane_engine_cpu_seconds_total', 'twolane_engine_resident_memory_bytes'].every(name => names.some(one => one.name === name)))
  })

  await t.test('the log is followed as events, from the last lines on, until the client goes', async t => {
    const gone = new AbortController()
    const answer = await fetch(`${url}/v1/logs/follow?lines=1&part=quotes&level=warn`, { headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' }, signal: gone.signal })
    t.match(answer.headers.get('content-type'), /^text\/event-stream/)
    let text = ''
    const reading = (async () => { for await (const chunk of answer.body ?? []) text += Buffer.from(chunk).toString() })().catch(() => 'gone')
    await until(() => text.includes('"Slow"'), 'the last line comes first')
    await append([log(2000, { level: 'info', name: 'Not this' }), log(2001, { level: 'error', name: 'A new one' })])
    await until(() => text.includes('"A new one"'), 'the new one comes')
    t.notMatch(text, /Not this/)
    t.match(text, /event: line\nid: \d+-\d+\ndata: \{"id":/)
    gone.abort()
    t.equal(await reading, 'gone')
    const seen = /id: (\d+-\d+)\ndata: [^\n]*"Slow"/.exec(text)?.[1] ?? ''
    const back = new AbortController()
    const resumed = await fetch(`${url}/v1/logs/follow?part=quotes&level=warn`, { headers: { authorization: `Bearer ${token}`, 'last-event-id': seen }, signal: back.signal })
    let rest = ''
    for await (const chunk of resumed.body ?? []) {
      rest += Buffer.from(chunk).toString()
      if (rest.includes('"A new one"')) break
    }
    back.abort()
    t.notMatch(rest, /Slow/, 'it goes on where the connection broke')
    const { code, lines } = await cli('logs', 'new', 'one', '--part', 'quotes', '--limit', '5')
    t.equal(code, 0)
    await eventually('the command finds it once it is stored', async () => (await cli('logs', 'a', 'new', '--from', String(noon), '--to', String(noon + HOUR))).lines.find(line => / error quotes outputs\.lake: A new one \{"price":"p2001"\}/.test(line)))
    t.ok(lines.length <= 1)
  })

  await t.test('no more follow than may', async t => {
    const leave = new AbortController()
    const follow = (): Promise<Response> => fetch(`${url}/v1/logs/follow?lines=0`, { headers: { authorization: `Bearer ${token}` }, signal: leave.signal })
    const answers = await Promise.all(Array.from({ length: 21 }, follow))
    t.strictSame(answers.map(({ status }) => status).sort().slice(-2), [200, 429])
    leave.abort()
    await eventually('their places are free again', async () => {
      const again = new AbortController()
      const { status } = await fetch(`${url}/v1/logs/follow?lines=0`, { headers: { authorization: `Bearer ${token}` }, signal: again.signal })
      again.abort()
      return status === 200 || undefined
    })
  })

  await t.test('jobs are paused one by one and all together, and shown so', async t => {
    const paused = async (id: string): Promise<boolean> => (await get<{ paused: boolean }>(`/v1/jobs/${id}`)).paused
    for (const id of ['one', 'quality']) {
      t.match((await ask('POST', `/v1/jobs/${id}/pause`)).json(), { id, paused: true, next: [] })
      t.equal(await paused(id), true)
    }
    t.equal(platform.store.paused().has('quality'), true, 'over restarts')
    t.match((await ask('POST', '/v1/jobs/one/resume')).json(), { paused: false, next: { length: 3 }, words: 'Every 6 hours', zone: 'UTC' })
    t.match(await cli('job', 'pause', '--all'), { code: 0, lines: ['All jobs are paused'] })
    t.match(await get('/v1/jobs'), { paused: true })
    t.equal(await paused('one'), true)
    t.match((await cli('job', 'list')).lines[0], /All jobs are paused/)
    t.match(await cli('job', 'resume', '--all'), { code: 0, lines: ['All jobs are resumed'] })
    t.equal(await paused('one'), false)
    t.equal(await paused('quality'), true, 'what was paused by itself stays so')
    t.match(await cli('job', 'resume', 'quality'), { code: 0, lines: ['quality is resumed'] })
    t.match((await ask('POST', '/v1/jobs/nobody/pause')).json(), { status: 404 })
    t.equal((await cli('job', 'pause')).code, 2)
  })

  await t.test('a run is followed to its end and done again, and its days are shown', async t => {
    write(project.folder, '50')
    const started = await ask('POST', '/v1/jobs/one/runs', { payload: { from: noon, to: noon + HOUR } })
    const { id } = started.json<{ id: string }>()
    const text = await (await fetch(`${url}/v1/jobs/one/runs/${id}/log`, { headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' } })).text()
    t.match(text, /event: line\ndata: \{"time":\d+,"level":"info","message":"Reading the ledger"/)
    t.match(text, /event: end\n/)
    t.match(await get(`/v1/jobs/one/runs/${id}`), { state: 'succeeded', rows: 50 })
    t.match((await ask('GET', '/v1/jobs/one/runs/nothing/log')).statusCode, 404)
    const again = await ask('POST', `/v1/jobs/one/runs/${id}/retry`)
    t.match(again, { statusCode: 202 })
    const record = again.json<{ id: string }>()
    t.match(record, { from: noon, to: noon + HOUR, kind: 'manual', started_by: new RegExp(`again ${id}`) })
    t.match((await ask('POST', `/v1/jobs/one/runs/${record.id}/retry`)).json(), { code: 'JOB_RUNNING' })
    await eventually('it has ended', async () => (await get<{ ended: number }>(`/v1/jobs/one/runs/${record.id}`)).ended > 0 || undefined)
    t.match((await cli('job', 'log', 'one', id)).lines.join('\n'), /info +Reading the ledger/)
    const day = new Date(noon).toISOString().slice(0, 10)
    t.match(await get(`/v1/jobs/one/days?from=${day}`), { days: [{ day, run: record.id, state: /missing|done/ }] })
    t.match((await cli('job', 'days', 'one', '--from', day)).lines.join('\n'), /\d{4}-\d\d-\d\d .*[■·]/)
    t.match((await ask('GET', '/v1/jobs/one/days?from=1990-01-01')).json(), { code: 'REQUEST_INVALID', detail: /800/ })
  })

  await t.test('costs are told against the budget, by part and dataset, and who was sent how much', async t => {
    interface Report { so_far: number, forecast: number, parts: Array<{ part: string, unallocated: boolean, amount: number }>, datasets: Array<{ dataset: string }> }
    // What takes place counts from the look at which it was seen.
    await platform.costs.sample()
    const costs = await eventually('what was sent is counted', async () => {
      await platform.costs.sample()
      const found = await get<Report & { tokens: Array<{ name: string, sent_bytes: number }> }>('/v1/costs')
      return found.tokens.length > 0 ? found : undefined
    })
    t.match(costs, { currency: 'USD', budget: 200, month: /^\d{4}-\d\d$/, over_budget: false, prices_of: '2025', provider: /Amazon/, tokens: [{ name: 'user admin', sent_bytes: Number }], what_if: { length: 9 } })
    const parts = new Set(costs.parts.map(({ part }) => part))
    for (const part of ['machine, idle', 'clickhouse', 'control panel', 'pipeline one', 'topics, disk', 'logs and metrics, disk']) t.ok(parts.has(part), part)
    t.ok(costs.datasets.some(({ dataset }) => dataset === 'one'))
    t.ok(Math.abs(costs.so_far - costs.parts.reduce((sum, { amount }) => sum + amount, 0)) < 1e-9)
    t.ok(costs.forecast > costs.so_far)
    t.ok((platform.costs.price({ cpuSeconds: 1, bytesSent: 1e6 }) ?? 0) > 0)
    const { code, lines } = await cli('costs')
    t.equal(code, 0)
    t.match(lines.join('\n'), /USD so far[^]*expected at its end, of 200\.00[^]*machine, idle/)
    project.write('config/cost.yaml', 'currency: USD\n')
    t.match((await ask('GET', '/v1/costs')).json(), { status: 422, code: 'CONFIG_INVALID', problems: [{ file: 'config/cost.yaml', line: 1 }] })
  })
})
