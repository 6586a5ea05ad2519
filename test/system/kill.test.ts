import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeProject, startPlatform } from './project.ts'
import { eventually } from '../waiting.ts'

const KILLS = 5
const ROWS = 80_000

const schema = `
key: [symbol]
event_time: t
fields:
  n: { type: int64, required: true, description: Number of the row }
  t: { type: timestamp(ms), required: true, description: Time of the row, cast: { unit: ms } }
  symbol: { type: string, required: true, description: Instrument, low_cardinality: true }
  price: { type: float64, description: Price }
`
const pipeline = `
input:
  generate:
    rate: 10000
    count: ${ROWS}
    fields:
      n: { counter: 1 }
      t: { counter: 1704205800000 }
      symbol: { choice: [AAPL, MSFT, NVDA] }
      price: { walk: 100, step: 0.01 }
topic: trades
transforms:
  - mapping: trades
outputs:
  - streaming-database: {}
  - lake: {}
    flush: { rows: 10000, ms: 500, megabytes: 8 }
  - file: { path: out.ndjson }
`
const model = `-- description: Rows by instrument
-- table: trades
SELECT symbol, count() AS rows, uniqExact(n) AS different FROM trades GROUP BY symbol
`

await t.test('after five kills during load every row is exactly once in the database, the models, the lake and the file', async t => {
  const project = makeProject(t.testdir(), { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': pipeline, 'schemas/models/trades_by_symbol.sql': model })
  for (let kill = 0; kill < KILLS; kill++) {
    const platform = await startPlatform(project)
    await new Promise(resolve => setTimeout(resolve, 300 + 250 * kill))
    await platform.kill()
  }

  const platform = await startPlatform(project)
  const sent = await eventually('all rows are in the topic and delivered', async () => {
    const { body } = await platform.api<{ topics: Array<{ name: string, partitions: Array<{ next: number }>, groups: Array<{ offset: number }> }> }>('GET', '/v1/topics')
    const topic = body.topics.find(({ name }) => name === 'trades')
    const next = topic?.partitions[0]?.next ?? 0
    return next === ROWS && topic?.groups.length === 3 && topic.groups.every(({ offset }) => offset === next) ? next : undefined
  })

  const [inDatabase] = await platform.query<{ rows: string, different: string, offsets: string }>('select count() as rows, uniqExact(n) as different, uniqExact(_offset) as offsets from streaming.trades')
  t.same(inDatabase, { rows: String(sent), different: String(sent), offsets: String(sent) }, 'database')
  const [inModel] = await platform.query<{ rows: string, different: string }>('select sum(rows) as rows, sum(different) as different from streaming.trades_by_symbol')
  t.same(inModel, { rows: String(sent), different: String(sent) }, 'model')
  const files = `${project.data}/lake/trades/*/*.parquet`
  const [inLake] = await platform.query<{ rows: string, different: string }>(`select count() as rows, uniqExact(n) as different from file('${files}', 'Parquet')`)
  t.same(inLake, { rows: String(sent), different: String(sent) }, 'lake')
  t.equal(await platform.stop(), 0, 'it stops cleanly')

  const lines = readFileSync(join(project.data, 'out.ndjson'), 'utf8').trim().split('\n')
  t.equal(lines.length, sent, 'file')
  t.equal(new Set(lines.map(line => (JSON.parse(line) as { n: number }).n)).size, sent, 'different rows in the file')
  t.same(readdirSync(join(project.data, 'lake', '_tmp')), [], 'nothing unfinished is left in the lake')
})
