import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import plugin from '../../../../plugins/outputs/streaming-database/index.ts'
import { connectClickHouse } from '../../../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../../../runtime/clickhouse/embedded.ts'
import { PlatformError } from '../../../../runtime/errors.ts'
import { field } from '../../../../runtime/schema.ts'
import type { OutputPlugin, Sink, Topic } from '../../../../runtime/plugin.ts'
import { configure } from '../../../conform/configure.ts'
import { fakeContext, until } from '../../../conform/context.ts'
import { deliverRows, taken } from '../../../conform/delivery.ts'
import type { Ledger } from '../../../conform/delivery.ts'
import { Proxy } from './proxy.ts'
import * as source from './rows.ts'

const engine = await startEmbedded({ folder: t.testdir(), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())
const client = await connectClickHouse(engine.url)
t.teardown(() => client.close())

let owners = 0

async function open (database: string, { topic = source.topic, url = engine.url, seconds = 60 }: { topic?: Topic, url?: string, seconds?: number } = {}) {
  const context = fakeContext({ topic, services: { clickhouse: url } })
  const sink = await plugin.open(configure(plugin, { database, models: 'none', timeout_seconds: seconds }), context)
  await sink.own?.({ partition: 0, epoch: ++owners })
  return { sink, context }
}

async function offsets (database: string): Promise<number[]> {
  const rows = await client.rows<{ _offset: string }>(`SELECT _offset FROM ${database}.rows ORDER BY _offset`)
  return rows.map(({ _offset }) => Number(_offset))
}

async function write (sink: Sink, from: number, to: number): Promise<void> {
  await sink.write(source.batchOf(from, to))
  await sink.flush({ partition: 0, from, to })
}

// The suite drives any output; the options of this one are settled in `open`.
const driven = plugin as unknown as OutputPlugin

const upTo = (to: number): number[] => Array.from({ length: to }, (_, i) => i)

await t.test('no row is lost or doubled when the engine is killed in the middle of inserts', async t => {
  const ledger: Ledger = { committed: 0, intent: undefined }
  const to = 6000
  let kills = 0
  while (ledger.committed < to) {
    const kill = new AbortController()
    try {
      const { sink } = await open('killed')
      try {
        await deliverRows({
          plugin: driven,
          sink,
          source,
          ledger,
          to,
          portionRows: 1000,
          batchRows: 250,
          at (phase) {
            if (phase !== 'written' || kills === 3) return
            // Somewhere in the insert that follows: a later one each time.
            setTimeout(() => {
              if (engine.pid !== undefined && !kill.signal.aborted) process.kill(engine.pid, 'SIGKILL')
            }, 3 + 8 * kills)
            kills++
          }
        })
      } finally {
        kill.abort()
        await sink.close()
      }
    } catch (error) {
      if (!(error instanceof PlatformError) || !error.retryable) throw error
      await sleep(50)
    }
  }
  t.equal(kills, 3)
  t.strictSame(await offsets('killed'), upTo(to).filter(offset => !taken(offset)))
})

await t.test('what landed of an interrupted insert is told, and only the rest is sent', async t => {
  const { sink } = await open('partial')
  await write(sink, 0, 300)
  // As if the engine had died between the parts of the three days.
  await client.command('ALTER TABLE partial.rows DROP PARTITION \'2024-01-03\'')
  const landed = await sink.landed?.({ partition: 0, from: 0, to: 300 }) ?? new Float64Array()
  t.strictSame([...landed], upTo(300).filter(offset => offset % 3 !== 1))
  t.strictSame([...await sink.landed?.({ partition: 1, from: 0, to: 300 }) ?? []], [], 'of this partition only')
  await sink.write(source.batchOf(0, 300).select(Int32Array.from(upTo(300).filter(offset => offset % 3 === 1))))
  await sink.flush({ partition: 0, from: 0, to: 300 })
  t.strictSame(await offsets('partial'), upTo(300))
  await sink.close()
})

await t.test('an answer that is lost after the rows have landed doubles nothing', async t => {
  const proxy = new Proxy(engine.url)
  const { sink } = await open('deaf', { url: await proxy.listen() })
  proxy.set('deaf')
  const ledger: Ledger = { committed: 0, intent: undefined }
  await t.rejects(deliverRows({ plugin: driven, sink, source, ledger, to: 50 }), { code: 'DESTINATION_UNAVAILABLE' })
  t.strictSame(ledger.intent, { partition: 0, from: 0, to: 50 })
  proxy.set('pass')
  await deliverRows({ plugin: driven, sink, source, ledger, to: 100, portionRows: 50 })
  t.strictSame(await offsets('deaf'), upTo(100).filter(offset => !taken(offset)))
  await sink.close()
  await proxy.close()
})

await t.test('the read-back waits for an earlier insert of the same writer and for no other', async t => {
  const { sink, context } = await open('quiet')
  const other = await open('quiet')
  await write(other.sink, 0, 10)
  const name = `twolane:${context.pipeline}:${context.step}:rows:0:left-over`
  const slow = client.client.command({
    query: 'INSERT INTO quiet.rows (symbol, at, n, _topic, _partition, _offset) SELECT \'A\', \'2024-01-02 00:00:00\', number, \'rows\', 0, 100 + number + sleepEachRow(0.05) FROM numbers(100) SETTINGS max_block_size = 1',
    query_id: name
  }).then(() => 'ended', (error: unknown) => String(error))
  await until(async () => (await client.rows('SELECT 1 FROM system.processes WHERE query_id = {name:String} OR Settings[\'log_comment\'] = {name:String}', { query_params: { name } })).length > 0, 'the insert runs')
  t.strictSame([...await sink.landed?.({ partition: 1, from: 0, to: 300 }) ?? []], [], 'another partition is not in the way')
  t.equal((await client.rows('SELECT 1 FROM system.processes WHERE query_id = {name:String} OR Settings[\'log_comment\'] = {name:String}', { query_params: { name } })).length, 1)
  const landed = await sink.landed?.({ partition: 0, from: 0, to: 300 }) ?? []
  t.match(await slow, /cancelled|ended/i)
  const { n } = (await client.rows<{ n: string }>('SELECT count() AS n FROM quiet.rows'))[0]!
  t.equal(landed.length, Number(n), 'nothing came after the read-back')
  await sink.close()
  await other.sink.close()
})

await t.test('a row that the engine refuses is rejected with its reason, and all others are stored', async t => {
  const { sink, context } = await open('poison')
  await client.command('ALTER TABLE poison.rows ADD CONSTRAINT no_unlucky CHECK n != 1234')
  let inserts = 0
  context.metrics.observe = name => { if (name === 'insert_seconds') inserts++ }
  await sink.write(source.batchOf(0, 1000))
  await sink.write(source.batchOf(1000, 2000))
  await sink.flush({ partition: 0, from: 0, to: 2000 })
  t.strictSame(await offsets('poison'), upTo(2000).filter(offset => offset !== 1234))
  t.equal(context.rejected.length, 1)
  t.equal(context.rejected[0]?.row, 234)
  t.match(context.rejected[0]?.reason, /^ClickHouse refuses the row: .*no_unlucky.*1234/)
  t.ok(inserts <= 11, `${inserts} inserts were taken`)
  await sink.close()
})

await t.test('a flush in which most rows are refused stops the output instead of emptying the topic', async t => {
  const { sink, context } = await open('venom')
  await client.command('ALTER TABLE venom.rows ADD CONSTRAINT nothing CHECK n < 0')
  await sink.write(source.batchOf(0, 50))
  await t.rejects(sink.flush({ partition: 0, from: 0, to: 50 }), { code: 'DESTINATION_REFUSED', message: /more than 30 rows/ })
  t.equal(context.rejected.length, 30)
  t.strictSame(await offsets('venom'), [])
  await sink.close()
})

await t.test('the table follows the schema while the output runs, and a breaking change stops it', async t => {
  const { sink } = await open('stale')
  await write(sink, 0, 10)
  await client.command('ALTER TABLE stale.rows DROP COLUMN price')
  await write(sink, 10, 20)
  await client.command('DROP TABLE stale.rows SYNC')
  await write(sink, 20, 30)
  t.strictSame(await offsets('stale'), upTo(30).slice(20))
  await client.command('ALTER TABLE stale.rows DROP COLUMN n')
  await client.command('ALTER TABLE stale.rows MODIFY COLUMN price Nullable(String)')
  await t.rejects(write(sink, 30, 40), { code: 'SCHEMA_BREAKING', message: /column price is Nullable\(String\), the schema says Nullable\(Decimal\(18, 8\)\)/ })
  await sink.close()
})

await t.test('columns that cannot be inserted, and those with a default, are no matter of ours (Vector: arrow_schema_excludes_non_insertable_columns)', async t => {
  const first = await open('derived')
  await client.command(`ALTER TABLE derived.rows ADD COLUMN twice Nullable(Int64) MATERIALIZED n * 2, ADD COLUMN thrice Nullable(Int64) ALIAS n * 3,
    ADD COLUMN seen DateTime DEFAULT toDateTime('2024-05-06 07:08:09', 'UTC'), ADD COLUMN given String EPHEMERAL`)
  await write(first.sink, 0, 2)
  await first.sink.close()
  const second = await open('derived')
  await write(second.sink, 2, 3)
  await second.sink.close()
  t.strictSame(second.context.logs.filter(({ level }) => level === 'info'), [], 'the table is left as it is')
  t.strictSame(await client.rows('SELECT n, twice, thrice, toUnixTimestamp(seen) AS seen FROM derived.rows ORDER BY n'), [0, 1, 2].map(n => ({ n: String(n), twice: String(2 * n), thrice: String(3 * n), seen: 1714979289 })))
})

await t.test('a new field becomes a column at the next start, and old rows have null', async t => {
  const first = await open('grown')
  await write(first.sink, 0, 3)
  await first.sink.close()
  const [symbol, at, ...rest] = source.topic.fields
  const topic = { ...source.topic, fields: [symbol!, at!, field('venue', { kind: 'string' }, { lowCardinality: true }), ...rest] }
  const second = await open('grown', { topic })
  t.match(second.context.logs[0], { level: 'info', fields: { statements: [/ADD COLUMN IF NOT EXISTS `venue`/] } })
  await write(second.sink, 3, 4)
  await second.sink.close()
  t.strictSame(await client.rows('SELECT n, venue FROM grown.rows ORDER BY n'), [0, 1, 2, 3].map(n => ({ n: String(n), venue: null })))
  const changed = { ...topic, fields: topic.fields.map(own => own.name === 'n' ? { ...own, type: { kind: 'string' } as const } : own) }
  await t.rejects(open('grown', { topic: changed }), { code: 'SCHEMA_BREAKING', where: 'schemas/rows.yaml' })
})

await t.test('a flush of very many days is inserted in several steps, each row once', async t => {
  const { sink } = await open('days')
  const batch = source.batchOf(0, 150)
  const at = Float64Array.from({ length: 150 }, (_, i) => Date.UTC(2020, 0, 1) + i * 86_400_000)
  await sink.write(batch.with({ ...batch.columns, at: { kind: 'numbers', numbers: at, type: { kind: 'timestamp', unit: 'ms' } } }))
  await sink.flush({ partition: 0, from: 0, to: 150 })
  t.strictSame(await offsets('days'), upTo(150))
  await sink.close()
})
