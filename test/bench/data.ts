// The data API against the same statement straight on the engine: requests a second and the slowest hundredth of last
// rows and bars, and a million rows in each format with the memory of the platform's process.
//
//   node test/bench/data.ts [seconds a figure] [rows in millions]

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectClickHouse } from '../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../runtime/clickhouse/embedded.ts'
import { makeProject, startPlatform } from '../system/project.ts'
import { eventually } from '../waiting.ts'

const [seconds, millions] = [Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 1)]
const folder = mkdtempSync(join(tmpdir(), 'twolane-data-'))
const engine = await startEmbedded({ folder: join(folder, 'engine'), log: { info () {}, warn () {}, error () {} } })
const project = makeProject(join(folder, 'project'), {
  'schemas/trades.yaml': 'key: [symbol]\nevent_time: at\nfields:\n  symbol: { type: string, required: true, low_cardinality: true }\n  at: { type: timestamp(ms), required: true }\n  price: { type: \'decimal(18, 8)\' }\n  size: { type: int64 }\n  venue: { type: string, low_cardinality: true }\n',
  'pipelines/trades.yaml': 'topic: trades\ntransforms: [mapping: trades]\noutputs: [streaming-database: {}]\n'
})
const platform = await startPlatform(project, { TWOLANE_CLICKHOUSE: engine.url, TWOLANE_ADMIN_TOKEN: 'a-token-for-tests-only' })
const headers = { authorization: 'Bearer a-token-for-tests-only' }
const client = await connectClickHouse(engine.url)
try {
  await eventually('the view is there', async () => (await client.rows('SELECT 1 FROM system.tables WHERE database = \'data\' AND name = \'trades\'')).length === 1 ? true : undefined)
  await client.command(`INSERT INTO streaming.trades (symbol, at, price, size, venue, _topic, _partition, _offset, _ingest_time)
    SELECT concat('S', toString(number % 50)), toStartOfHour(now()) - INTERVAL 6 HOUR + INTERVAL number * 20 MILLISECOND, toDecimal64(100 + number % 1000 / 100, 8), number % 900, 'X', 'trades', 0, number, now64(3) FROM numbers(${millions * 1e6}) SETTINGS max_partitions_per_insert_block = 0`)
  for (const [what, path, sql] of [
    ['latest, 3 symbols', '/v1/latest/trades.json?symbols=S1,S2,S3', 'SELECT * FROM data.trades WHERE symbol IN (\'S1\', \'S2\', \'S3\') ORDER BY at DESC LIMIT 1 BY symbol FORMAT JSONEachRow'],
    ['bars of 5 minutes, 1 symbol', '/v1/bars/trades.json?symbols=S1&every=5m', 'SELECT toStartOfInterval(at, INTERVAL 5 MINUTE) AS t, argMin(price, at), max(price), min(price), argMax(price, at), sum(size) FROM data.trades WHERE symbol = \'S1\' GROUP BY t ORDER BY t FORMAT JSONEachRow']
  ] as const) {
    console.log(`${what}: ${await rate(() => drain(platform.url + path))} · straight ${await rate(() => client.rows(sql.replace(' FORMAT JSONEachRow', '')).then(() => 0))}`)
  }
  for (const [format, name] of [['ndjson', 'JSONEachRow'], ['csv', 'CSVWithNames'], ['arrow', 'ArrowStream'], ['parquet', 'Parquet']] as const) {
    const before = memory()
    const through = await timed(() => drain(`${platform.url}/v1/data/trades.${format}`))
    const used = memory() - before
    const straight = await timed(async () => {
      const { stream } = await client.client.exec({ query: `SELECT symbol, at, price, size, venue, extra FROM data.trades ORDER BY at, symbol, _topic, _partition, _offset FORMAT ${name}`, clickhouse_settings: { wait_end_of_query: 0, max_threads: 2 } })
      let bytes = 0
      for await (const piece of stream) bytes += (piece as Buffer).length
      return bytes
    })
    console.log(`${millions} M rows as ${format}: ${through} · straight ${straight} · the platform grew by ${Math.max(0, used)} MiB`)
  }
} finally {
  await client.close()
  await platform.stop()
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
}

/** Bytes of an answer that is read to its end. */
async function drain (url: string): Promise<number> {
  const [answer] = await once(get(url, { headers }), 'response') as [IncomingMessage]
  let bytes = 0
  for await (const piece of answer) bytes += (piece as Buffer).length
  if (answer.statusCode !== 200) throw new Error(`${url}: ${answer.statusCode}`)
  return bytes
}

/** Two at a time, as many as one token may. */
async function rate (ask: () => Promise<number>): Promise<string> {
  const times: number[] = []
  const end = performance.now() + seconds * 1000
  await Promise.all([0, 1].map(async () => {
    while (performance.now() < end) {
      const at = performance.now()
      await ask()
      times.push(performance.now() - at)
    }
  }))
  times.sort((a, b) => a - b)
  return `${(times.length / seconds).toFixed(0)} requests/s, p99 ${(times[Math.floor(times.length * 0.99)] ?? 0).toFixed(0)} ms`
}

async function timed (work: () => Promise<number>): Promise<string> {
  const at = performance.now()
  const bytes = await work()
  const took = (performance.now() - at) / 1000
  return `${(bytes / 1e6 / took).toFixed(0)} MB/s (${(bytes / 1e6).toFixed(0)} MB in ${took.toFixed(1)} s)`
}

/** Of the platform's process, in MiB, as Linux tells it. */
function memory (): number {
  return Number(/VmRSS:\s+(\d+)/.exec(process.getBuiltinModule('node:fs').readFileSync(`/proc/${platform.process.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024 | 0
}
