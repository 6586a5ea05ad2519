// A stream of several days is handed over day by day in a real platform that is killed all the time, while a reader
// checks that both databases together hold every row exactly once.

import { join } from 'node:path'
import t from 'tap'
import { makeProject, startPlatform } from './project.ts'
import { eventually } from '../waiting.ts'
import type { RunningPlatform } from './project.ts'

const DAY = 86_400_000
const first = Date.UTC(2024, 2, 1)
const days = 5
const rowsADay = 400
const kills = 3

const schema = `
key: [symbol]
event_time: t
fields:
  n: { type: int64, required: true, description: Number of the row }
  t: { type: timestamp(ms), required: true, description: Time of the row, cast: { unit: ms } }
  symbol: { type: string, required: true, description: Instrument, low_cardinality: true }
`
const pipeline = `
input:
  file: { path: rows.ndjson }
topic: trades
transforms:
  - mapping: trades
outputs:
  - streaming-database: {}
  - lake: {}
    flush: { rows: 500, ms: 100 }
`

/** Each tenth row happened a day or two earlier than it came; a row in 97 is refused by the mapping. */
function lines (): { readonly text: string, readonly rows: number } {
  let rows = 0
  const all = Array.from({ length: days * rowsADay }, (_, n) => {
    const day = Math.floor(n / rowsADay)
    const late = n % 10 === 0 ? Math.min(day, 1 + n % 2) : 0
    if (n % 97 !== 0) rows++
    return JSON.stringify({ n: n % 97 === 0 ? 'none' : n, t: first + (day - late) * DAY + (n % rowsADay) * 1000, symbol: `S${n % 5}` })
  })
  return { text: `${all.join('\n')}\n`, rows }
}

interface Count { readonly rows: string, readonly positions: string }

/** Both sides in one statement, which the platform pins. */
const count = 'SELECT count() AS rows, uniqExact(n) AS positions FROM (SELECT n FROM history.trades UNION ALL SELECT n FROM realtime.trades)'

async function startRun (platform: RunningPlatform, today: number): Promise<string> {
  return eventually('the handoff can be started', async () => {
    const { status, body } = await platform.api<{ id: string }>('POST', '/v1/jobs/handoff/runs', { type: 'application/json', text: JSON.stringify({ from: first, to: first + today * DAY + 1, params: { grace_seconds: 0 } }) })
    return status === 202 ? body.id : undefined
  })
}

await t.test('days are handed over while everything is killed, and each row is visible once', async t => {
  const { text, rows } = lines()
  const project = makeProject(join(t.testdir(), 'project'), { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': pipeline, 'rows.ndjson': text, 'config/platform.yaml': 'realtime_period: 1d\n' })
  let platform = await startPlatform(project)
  t.teardown(() => platform.kill())
  await eventually('all rows are stored', async () => {
    const [found] = await platform.query<Count>('SELECT count() AS rows FROM streaming.trades').catch(() => [])
    return Number(found?.rows) === rows ? true : undefined
  })

  const wrong: Count[] = []
  let reads = 0
  for (let kill = 0; kill < kills; kill++) {
    await startRun(platform, 2 + kill)
    const end = performance.now() + 150 + 300 * kill
    while (performance.now() < end) {
      const [found] = await platform.query<Count>(count)
      if (Number(found?.rows) !== rows || Number(found?.positions) !== rows) wrong.push(found as Count)
      reads++
    }
    await platform.kill()
    platform = await startPlatform(project)
  }
  t.strictSame(wrong, [], `${reads} reads saw each row once`)
  t.ok(reads > kills)

  const boundary = await eventually('all days are handed over and cleaned up', async () => {
    const run = await startRun(platform, days + 3)
    await eventually('the run ends', async () => {
      const { body } = await platform.api<{ state: string }>('GET', `/v1/jobs/handoff/runs/${run}`)
      return ['queued', 'running'].includes(body.state) ? undefined : body
    })
    const { body } = await platform.api<{ days: Array<{ day: string, rows: number, cleaned_at: number | null, lake: { compared: boolean } }>, waiting: unknown[] }>('GET', '/v1/boundary')
    return body.days.length === days && body.days.every(day => day.cleaned_at !== null) ? body : undefined
  })
  t.strictSame(boundary.waiting, [])
  t.equal(boundary.days.reduce((sum, day) => sum + day.rows, 0), rows)
  t.ok(boundary.days.every(({ lake }) => lake.compared), 'the lake was asked')
  t.match(await platform.query<Count>(count), [{ rows: String(rows), positions: String(rows) }])
  t.strictSame(await platform.query('SELECT count() AS n FROM streaming.trades'), [{ n: '0' }])
  t.strictSame(await platform.query('SELECT count() AS n FROM warehouse.trades'), [{ n: String(rows) }])

  const answer = await fetch(`${platform.url}/v1/query`, { method: 'POST', headers: { authorization: 'Bearer a-token-for-tests-only', 'content-type': 'text/plain' }, body: 'SELECT getSetting(\'log_comment\') AS pin' })
  const seq = answer.headers.get('twolane-boundary')
  t.match(await answer.text(), `twolane boundary=${seq} `)
  t.equal((await platform.api('GET', '/v1/boundary/nothing')).status, 404)
  t.match((await platform.api('GET', `/v1/boundary/trades/${boundary.days[0]?.day}`)).body, { topic: 'trades', versions: [{ source_rows: boundary.days[0]?.rows }] })
})
