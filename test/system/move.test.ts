// An embedded installation moves to a real Kafka, a second engine as the server, and a real S3-compatible store.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { fromRows } from '../../runtime/batch.ts'
import { openEmbedded } from '../../runtime/broker/embedded.ts'
import { openKafka } from '../../runtime/broker/kafka/kafka.ts'
import { kafkaDefaults } from '../../runtime/broker/kafka/options.ts'
import { main } from '../../runtime/cli/main.ts'
import { connectClickHouse } from '../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../runtime/clickhouse/embedded.ts'
import { ensureTable } from '../../runtime/clickhouse/migrate.ts'
import { readFiles } from '../../runtime/files.ts'
import { checkMoved } from '../../runtime/move/marks.ts'
import { checkTargetTables, findTables, moveTable } from '../../runtime/move/tables.ts'
import { rejectedTopic } from '../../runtime/schema.ts'
import { noKafka, startKafka } from '../kafka/server.ts'
import { capture } from '../runtime/cli/capture.ts'
import { accessKey, s3Missing, S3Server, secretKey } from '../s3/server.ts'
import { makeProject, root, startPlatform } from './project.ts'
import { eventually } from '../waiting.ts'
import type { Broker } from '../../runtime/broker/broker.ts'
import type { ClickHouse } from '../../runtime/clickhouse/client.ts'
import type { SourceTable } from '../../runtime/move/tables.ts'
import type { Topic } from '../../runtime/schema.ts'
import type { Project } from './project.ts'

const ROWS = 25_000
const schema = `
key: [symbol]
event_time: t
partitions: 2
fields:
  n: { type: int64, required: true, description: Number of the row }
  t: { type: timestamp(ms), required: true, description: Time of the row, cast: { unit: ms } }
  symbol: { type: string, required: true, description: Instrument, low_cardinality: true }
  price: { type: float64, description: Price }
`
const fields = `
    fields:
      n: { counter: 1 }
      t: { counter: 1704205790000 }
      symbol: { choice: [AAPL, MSFT, NVDA] }
      price: { choice: [1.5, 2.5, 3.5, none] }
`
const files = {
  'schemas/trades.yaml': schema,
  'pipelines/trades.yaml': `
input:
  generate:
    rate: 2500
    count: ${ROWS}
${fields}
topic: trades
transforms: [mapping: trades]
outputs:
  - streaming-database: {}
    flush: { rows: 1000, ms: 100, megabytes: 8 }
  - lake: {}
    flush: { rows: 3000, ms: 300, megabytes: 8 }
`,
  'pipelines/late.yaml': `
topic: trades
transforms: [mapping: trades]
outputs:
  - streaming-database: { table: late }
    flush: { rows: 1000, ms: 100, megabytes: 8 }
`
}

const log = { info () {}, warn () {}, error () {} }

await t.test('an installation moves', { skip: noKafka() }, async t => {
  const folder = t.testdir()
  const kafka = await startKafka({ folder: join(folder, 'kafka') })
  t.teardown(() => kafka.kill())
  mkdirSync(join(folder, 'server'))
  const server = await startEmbedded({ folder: join(folder, 'server'), memoryBytesMax: 2 ** 30, log })
  t.teardown(() => server.close())
  const target = await connectClickHouse(server.url)
  t.teardown(() => target.close())
  const to = ['move', '--to', `kafka://${kafka.brokers}`]
  const openTarget = (prefix: string): Broker => {
    const broker = openKafka({ ...kafkaDefaults, brokers: kafka.brokers.split(','), prefix })
    t.teardown(() => broker.close())
    return broker
  }

  await t.test('under load, killed on the way and run again: every row is exactly once at the target, and all goes on where it was', async t => {
    const project = makeProject(join(folder, 'loaded'), files)
    await runEmbedded(project)
    const args = [...to, '--clickhouse', server.url]
    const env = { TWOLANE_KAFKA_PREFIX: 'loaded.' }
    for (const lines of [9, 12]) await killAt(project, args, env, lines)
    const { terminal, lines, complaints } = capture(project.folder, { ...process.env, ...env })
    t.equal(await main(args, terminal), 0, complaints.join('\n'))
    t.match(lines.join('\n'), /trades\/0 +[\d,]+ +\w+ +yes[^]*trades\/1 +[\d,]+ +\w+ +yes[^]*streaming\.trades +[\d,]+ +\w+ +yes[^]*TWOLANE_BROKER=kafka:/)
    t.notMatch(lines.join('\n'), new URL(server.url).password)
    t.equal(await main(args, terminal), 0, 'a second time there is nothing to do')
    await t.rejects(startPlatform(project), /moved to kafka:.*set TWOLANE_BROKER.*moved\.json/s, 'the embedded broker does not start on it any more')
    t.throws(() => checkMoved({ dataFolder: project.data, kafka: { ...kafkaDefaults, brokers: [], prefix: 'loaded.' }, clickhouse: 'embedded' }), /tables of this data folder were moved/)
    t.throws(() => checkMoved({ dataFolder: project.data, kafka: { ...kafkaDefaults, brokers: [] }, clickhouse: 'embedded' }), /moved to names that begin with "loaded\."/)

    const before = await stored(target, 'trades')
    const late = await stored(target, 'late')
    t.ok(late.rows < before.rows, 'one output is behind')
    const platform = await startPlatform(project, { ...env, TWOLANE_BROKER: `kafka://${kafka.brokers}`, TWOLANE_CLICKHOUSE: server.url })
    t.teardown(() => platform.kill())
    t.equal((await platform.api('POST', '/v1/pipelines/late/resume')).status, 200, 'it is still paused')
    const broker = openTarget('loaded.')
    const refused = async (pipeline: string): Promise<number> => {
      const batches = await broker.tail(rejectedTopic('trades'), 2 * ROWS)
      return batches.flatMap(batch => [...batch.rows()]).filter(row => row['pipeline'] === pipeline && String(row['output']).endsWith('streaming-database')).length
    }
    for (const [pipeline, table] of [['trades', 'trades'], ['late', 'late']] as const) {
      await eventually(`all rows are in ${table} or refused`, async () => (await stored(target, table)).rows + await refused(pipeline) >= ROWS ? true : undefined)
      const { rows, different } = await stored(target, table)
      t.equal(rows, different, `each row of ${table} is there once`)
      t.equal(rows + await refused(pipeline), ROWS, 'and none is missing')
    }
    const [offsets] = await target.rows<{ old: string, more: string }>('SELECT countIf(_offset < pow(2, 40)) AS old, countIf(_offset >= pow(2, 40)) AS more FROM streaming.trades')
    t.equal(Number(offsets?.old), before.rows, 'rows from before keep the offsets that they had')
    t.equal(Number(offsets?.more), (await stored(target, 'trades')).rows - before.rows, 'and those that came since stand above')
    t.equal(await platform.stop(), 0)
  })

  await t.test('a dry run says what there is, and changes nothing', async t => {
    const { project } = await quiet(folder, 'dry')
    const { terminal, lines } = capture(project.folder, { TWOLANE_KAFKA_PREFIX: 'dry.' })
    t.equal(await main([...to, '--dry-run'], terminal), 0)
    t.match(lines, [/to be moved +rows +size/, /topic trades +200 /, /tables stay where they are/])
    t.notOk(existsSync(join(project.data, 'moving.json')))
    t.strictSame(await openTarget('dry.').topics(), [])
  })

  await t.test('rows in flight are not moved', async t => {
    const { project, broker, trades } = await quiet(folder, 'busy')
    const consumer = await broker.consumer(trades, 'trades.streaming-database')
    for await (const assignment of consumer.assignments(new AbortController().signal)) {
      if (assignment.partition === 1) await assignment.begin({ from: 0, to: 10, rows: 10, hash: '', revision: '' })
    }
    await broker.close()
    const { terminal, complaints } = capture(project.folder, { TWOLANE_KAFKA_PREFIX: 'busy.' })
    t.equal(await main(to, terminal), 1)
    t.match(complaints.join('\n'), /in flight at trades\.streaming-database \(partition 1 of trades\)\. Start the platform/)
  })

  await t.test('a lake moves under the names that it has, and a file that differs is found', { skip: s3Missing }, async t => {
    const store = await S3Server.start(join(folder, 's3'), 'moved-lake')
    t.teardown(() => store.kill())
    t.intercept(process, 'env', { value: { ...process.env, AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey } })
    const { project } = await quiet(folder, 'lake')
    const names = ['a', 'b'].map(name => `trades/date=2024-01-02/trades-0-${name}.parquet`)
    for (const name of names) project.write(`data/lake/${name}`, `content of ${name}`)
    const args = [...to, '--lake', 's3://moved-lake/raw', '--lake-endpoint', store.endpoint]
    const at = (name: string): string => join(store.bucketFolder('moved-lake'), 'raw', name)
    const env = { TWOLANE_KAFKA_PREFIX: 'lake.' }
    mkdirSync(dirname(at(names[1] as string)), { recursive: true })
    writeFileSync(at(names[1] as string), `Content of ${names[1]}`)
    const first = capture(project.folder, env)
    t.equal(await main(args, first.terminal), 1)
    t.match(first.complaints.join('\n'), /Another file has the name trades\/date=2024-01-02\/trades-0-b\.parquet already/)
    rmSync(at(names[1] as string))
    const second = capture(project.folder, env)
    t.equal(await main(to, capture(project.folder, env).terminal), 0, 'the topics alone')
    t.equal(await main(args, second.terminal), 0, `the lake follows ${second.complaints.join('\n')}`)
    for (const name of names) t.equal(readFileSync(at(name), 'utf8'), readFileSync(join(project.data, 'lake', name), 'utf8'))
    const third = capture(project.folder, env)
    t.equal(await main(args, third.terminal), 0)
    t.match(third.lines, [/was moved to kafka:/, 'There is nothing left to do.'])
    t.match(second.lines.join('\n'), /lake \S+\/data\/lake +2 +\w+ +yes[^]*folder: s3:\/\/moved-lake\/raw/)
  })

  await t.test('a table of the target that is not what it has to be is found, and copied again', async t => {
    const engine = await startEmbedded({ folder: join(folder, 'source'), memoryBytesMax: 2 ** 30, log })
    t.teardown(() => engine.close())
    const source = await connectClickHouse(engine.url)
    t.teardown(() => source.close())
    const { project } = await quiet(folder, 'tables')
    const { schemas, pipelines } = await readFiles(project.folder)
    const trades = schemas.get('trades') as Topic
    await ensureTable(source, trades, { database: 'tampered', table: 'trades' })
    await source.command(`INSERT INTO tampered.trades SELECT number, toDateTime64('2024-01-01', 3, 'UTC') + number, ['A', 'B'][number % 2 + 1], if(number % 3 = 0, NULL, number / 7),
      NULL, 'trades', number % 2, intDiv(number, 2), now64(3) FROM numbers(200000)`)
    await source.command('ALTER TABLE tampered.trades ADD COLUMN left_the_schema Nullable(Int32) DEFAULT 7')
    const { tables: [table] } = await findTables(source, pipelines.values(), schemas)
    const lines: string[] = []
    const progress = { say () {}, rows: (what: string, rows: number) => { lines.push(`${what} ${rows}`) } }
    const first = await moveTable(source, target, table as SourceTable, progress)
    t.match(first, { what: 'tampered.trades', rows: 200_000 })
    t.strictSame(await moveTable(source, target, table as SourceTable, progress), first)
    t.equal(lines.length, 3, 'what is there is not copied again')
    await target.command('ALTER TABLE tampered.trades UPDATE price = price + 1 WHERE n = 100000 SETTINGS mutations_sync = 1')
    t.strictSame(await moveTable(source, target, table as SourceTable, progress), first)
    t.strictSame(lines.slice(3), ['tampered.trades 86400'], 'but the day that differs is')
    await target.command('INSERT INTO tampered.trades SELECT * REPLACE (toDateTime64(0, 3, \'UTC\') AS t) FROM tampered.trades LIMIT 1')
    await t.rejects(moveTable(source, target, table as SourceTable, progress), { code: 'MOVE_UNVERIFIED', message: /1 rows where 0 belong in partition/ })
    await t.rejects(checkTargetTables(target, [table as SourceTable], new Set()), { code: 'MOVE_REFUSED', message: /tampered\.trades holds 200001 rows/ })
  })

  await t.test('what an unfinished move has missed is taken along by the next attempt', async t => {
    const { project, broker, trades } = await quiet(folder, 'resumed')
    await commitAll(broker, trades, 'trades.streaming-database')
    await broker.close()
    const env = { TWOLANE_KAFKA_PREFIX: 'resumed.' }
    t.equal(await main([...to, '--lake', 's3://bucket/prefix', '--lake-endpoint', 'http://127.0.0.1:1'], capture(project.folder, env).terminal), 1)

    const later = Date.now() + 2 * trades.retention.ms
    const again = openEmbedded({ folder: join(project.data, 'topics'), now: () => later })
    const producer = await again.producer(trades, 'trades')
    await producer.append([fromRows(trades, Array.from({ length: 50 }, (_, n) => ({ n: 200 + n, t: n, symbol: `S${n % 7}` })))], { checkpoint: { n: 250 } })
    t.equal(await again.trim(trades, { now: later, groups: ['trades.streaming-database'] }), 200, 'the first rows are gone meanwhile')
    await again.close()
    const { terminal, lines, complaints } = capture(project.folder, env)
    t.equal(await main(to, terminal), 0, complaints.join('\n'))
    t.match(lines.join('\n'), /All is there, and was compared/)

    const target = openTarget('resumed.')
    t.strictSame((await target.producer(trades, 'trades')).checkpoint, { n: 250 })
    const consumer = await target.consumer(trades, 'trades.streaming-database')
    const left: number[] = []
    const stop = new AbortController()
    let partitions = 0
    for await (const assignment of consumer.assignments(stop.signal)) {
      const { next } = await assignment.bounds()
      for (let offset = assignment.committed.offset; offset < next;) {
        const found = await assignment.read(offset, { rows: 1000, bytes: Infinity })
        left.push(...found.batches.flatMap(batch => [...batch.rows()].map(row => row['n'] as number)))
        offset = found.next
      }
      if (++partitions === 2) stop.abort()
    }
    await consumer.close()
    t.strictSame(left.sort((a, b) => a - b), Array.from({ length: 50 }, (_, n) => 200 + n), 'the group goes on where it was')
  })

  await t.test('a target with rows of others is refused, also when they come while the move is unfinished', async t => {
    const { project, trades } = await quiet(folder, 'taken')
    const other = await openTarget('taken.').producer(trades, 'other')
    await other.append([fromRows(trades, [{ n: 1, t: 1, symbol: 'X' }])])
    const { terminal, complaints } = capture(project.folder, { TWOLANE_KAFKA_PREFIX: 'taken.' })
    t.equal(await main(to, terminal), 1)
    t.match(complaints.join('\n'), /The topic trades has, or had, rows in Kafka that this move has not brought.*TWOLANE_KAFKA_PREFIX/)

    const mixed = await quiet(folder, 'mixed')
    const env = { TWOLANE_KAFKA_PREFIX: 'mixed.' }
    // What comes last cannot be done, so the topics are there and the move is not finished.
    t.equal(await main([...to, '--lake', 's3://bucket/prefix', '--lake-endpoint', 'http://127.0.0.1:1'], capture(mixed.project.folder, env).terminal), 1)
    const between = await openTarget('mixed.').producer(mixed.trades, 'other')
    await between.append([fromRows(mixed.trades, [{ n: 1, t: 1, symbol: 'X' }])])
    const again = capture(mixed.project.folder, env)
    t.equal(await main(to, again.terminal), 1)
    t.match(again.complaints.join('\n'), /The topic trades\/\d has \d+ rows with the hash \w+ in Kafka, and \d+ with \w+ here/)
    t.notOk(existsSync(join(mixed.project.data, 'moved.json')))
  })
})

/** Runs the platform until there are rows, one output is behind, and stops it in order. */
async function runEmbedded (project: Project): Promise<void> {
  const platform = await startPlatform(project)
  const rows = async (table: string): Promise<number> => Number((await platform.query<{ rows: string }>(`SELECT count() AS rows FROM streaming.${table}`).catch(() => [])).at(0)?.rows ?? 0)
  try {
    await eventually('rows are stored', async () => await rows('late') > 500 ? true : undefined)
    await platform.api('POST', '/v1/pipelines/late/pause')
    const late = await rows('late')
    await eventually('more rows are stored', async () => await rows('trades') > late + 3000 ? true : undefined)
    if (await platform.stop() !== 0) throw new Error(platform.output())
  } finally {
    await platform.kill()
  }
}

/** Begins the move, and kills it when it has said so many lines. */
async function killAt (project: Project, args: readonly string[], env: Readonly<Record<string, string>>, lines: number): Promise<void> {
  const child = spawn(process.execPath, [join(root, 'runtime/cli/main.ts'), ...args], { cwd: project.folder, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(child, 'exit')
  let said = 0
  child.stdout.on('data', (text: Buffer) => {
    said += String(text).split('\n').length - 1
    if (said >= lines) child.kill('SIGKILL')
  })
  await ended
}

async function commitAll (broker: Broker, topic: Topic, group: string): Promise<void> {
  const consumer = await broker.consumer(topic, group)
  for await (const assignment of consumer.assignments(new AbortController().signal)) await assignment.commit((await assignment.bounds()).next, undefined)
  await consumer.close()
}

/** A project whose topic has some rows, without a platform that runs. */
async function quiet (folder: string, name: string): Promise<{ readonly project: Project, readonly broker: Broker, readonly trades: Topic }> {
  const project = makeProject(join(folder, name), files)
  const { schemas } = await readFiles(project.folder)
  const trades = schemas.get('trades') as Topic
  const broker = openEmbedded({ folder: join(project.data, 'topics') })
  const producer = await broker.producer(trades, 'trades')
  await producer.append([fromRows(trades, Array.from({ length: 200 }, (_, n) => ({ n, t: n, symbol: `S${n % 7}` })))], { checkpoint: { n: 200 } })
  return { project, broker, trades }
}

async function stored (client: ClickHouse, table: string): Promise<{ readonly rows: number, readonly different: number }> {
  const [found] = await client.rows<{ rows: string, different: string }>(`SELECT count() AS rows, uniqExact(n) AS different FROM streaming.${table}`)
  return { rows: Number(found?.rows), different: Number(found?.different) }
}
