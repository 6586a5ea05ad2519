import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import lake from '../../../plugins/inputs/lake/index.ts'
import { connect } from '../../../runtime/connector.ts'
import { compactLake } from '../../../runtime/lake/compaction.ts'
import { lakeOptions } from '../../../runtime/lake/lakes.ts'
import { openLakeTable } from '../../../runtime/lake/table.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext, fakeTopic } from '../../conform/context.ts'
import { batchOf, dayMs, fill, noon, numbered, openFolder, openSink, trades } from '../../runtime/lake/rows.ts'
import { accessKey, s3Missing, S3Server, secretKey } from '../../s3/server.ts'
import type { Json, Row, Run } from '../../../runtime/plugin.ts'
import type { FakeContext, FakeOptions } from '../../conform/context.ts'

const target = { ...fakeTopic('again', ['n', 't', 'note']), eventTime: '' }
const run = (kind: Run['kind'], from = 0, to = Date.now()): Run => ({ id: 'r1', from, to, kind })

interface Read { readonly rows: Row[], readonly checkpoint: Json | undefined, readonly context: FakeContext }

/** `chunks`: after so many the runtime is killed. */
async function read (dataFolder: string, given: Readonly<Record<string, Json>> = {}, { chunks = Infinity, ...options }: FakeOptions & { readonly chunks?: number } = {}): Promise<Read> {
  const context = fakeContext({ topic: target, topics: [trades], dataFolder, run: run('manual'), ...options })
  const rows: Row[] = []
  let { checkpoint } = context
  let left = chunks
  for await (const chunk of lake.read(configure(lake, { topic: 'trades', ...given }), context)) {
    if (left-- <= 0) break
    rows.push(...chunk.batch.rows())
    checkpoint = chunk.checkpoint
  }
  return { rows, checkpoint, context }
}

const numbers = ({ rows }: Read): number[] => rows.map(row => Number(row['n']))
const upTo = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

await t.test('a run gives the rows as they came, and the next one what is new', async t => {
  const dataFolder = t.testdir()
  await fill(dataFolder, [0, 10], [10, 20])
  const first = await read(dataFolder)
  t.strictSame(numbers(first), upTo(0, 20))
  t.strictSame(Object.keys(first.rows[0] ?? {}), ['n', 't', 'note'], 'the position is no field')
  t.strictSame(first.rows[3], { n: '3', t: String(noon + 3000), note: 'row 3' })
  const { checkpoint } = first
  t.strictSame(numbers(await read(dataFolder, {}, { checkpoint })), [])
  await fill(dataFolder, [20, 25])
  const second = await read(dataFolder, {}, { checkpoint })
  t.strictSame(numbers(second), upTo(20, 25))
  t.strictSame(numbers(await read(dataFolder, {}, { checkpoint: second.checkpoint })), [])
  t.strictSame(numbers(await read(dataFolder, {}, { checkpoint: { topic: 'other', seq: 9, next: { 0: 100 } } })), upTo(0, 25), 'the offsets of another topic say nothing')
})

await t.test('a run that was killed goes on where it was, also when the files were merged meanwhile', async t => {
  const dataFolder = t.testdir()
  await fill(dataFolder, ...upTo(0, 10).map(i => [i * 100, i * 100 + 100] as const))
  const part = await read(dataFolder, {}, { chunks: 4 })
  t.strictSame(numbers(part), upTo(0, 400))
  const quiet = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }
  await compactLake({ pipeline: 'p', step: 'outputs.lake', topic: 'trades', config: configure({ options: lakeOptions }, {}) }, { dataFolder, schemas: () => new Map([['trades', trades]]) }, { before: Date.now() }, { signal: new AbortController().signal, log: quiet, progress: () => {} })
  t.equal((await openLakeTable(await openFolder(dataFolder), 'trades').read()).files.length, 1)
  t.strictSame(numbers(await read(dataFolder, {}, { checkpoint: part.checkpoint })), upTo(400, 1000))
})

await t.test('an interval is that of the options, of a backfill, or both', async t => {
  const dataFolder = t.testdir()
  const sink = await openSink(dataFolder)
  await sink.write(batchOf([...upTo(0, 6).map(n => ({ n, t: noon + n * dayMs })), { n: 6, t: 'never' }], 0))
  await sink.flush({ partition: 0, from: 0, to: 7 })
  await sink.close()
  t.strictSame(numbers(await read(dataFolder)), upTo(0, 7))
  t.strictSame(numbers(await read(dataFolder, { from: '2024-01-03', to: '2024-01-05T12:00Z' })), [1, 2])
  t.strictSame(numbers(await read(dataFolder, {}, { run: run('backfill', noon + dayMs, noon + 3 * dayMs) })), [1, 2])
  t.strictSame(numbers(await read(dataFolder, { from: '2024-01-04' }, { run: run('backfill', noon, noon + 4 * dayMs) })), [2, 3])
  const passed = await read(dataFolder, { to: '2024-01-03' })
  t.strictSame(numbers(passed), [0])
  t.strictSame(numbers(await read(dataFolder, { to: '2024-01-03' }, { checkpoint: passed.checkpoint })), [], 'what was not wanted is not looked at again')
  t.strictSame(numbers(await read(dataFolder, {}, { topics: [] })), upTo(0, 7), 'without a schema all of it can be read')
  await t.rejects(read(dataFolder, { from: '2024-01-03' }, { topics: [] }), /no schema trades/)
  await t.rejects(read(dataFolder, { from: '2024-13-03' }), { code: 'CONFIG_INVALID', message: /2024-13-03 is no time/ })
})

await t.test('what the schema did not know finds its place', async t => {
  const dataFolder = t.testdir()
  const sink = await openSink(dataFolder)
  const wide = Array.from({ length: 3 }, (_, i) => ({ n: 10 + i, extra: Object.fromEntries(upTo(0, 900_000 / (i + 1)).slice(0, 1500).map(j => [`f${i}_${j}`, j])) }))
  await sink.write(batchOf([{ n: 0, extra: { venue: 'X', note: 'another one', __proto__x: 1 } }, { n: 1, note: 'own' }, { n: 2, extra: { size: 12345678901234567890n.toString(), more: [1] } }, ...wide], 0))
  await sink.flush({ partition: 0, from: 0, to: 6 })
  await sink.close()
  const { rows } = await read(dataFolder)
  const filled = rows.slice(0, 3).map(row => Object.fromEntries(Object.entries(row).filter(([name, value]) => value !== null && !name.startsWith('f'))))
  t.strictSame(JSON.parse(JSON.stringify(filled)), [
    { n: '0', venue: 'X', __proto__x: 1, extra: { note: 'another one' } },
    { n: '1', note: 'own' },
    { n: '2', size: '12345678901234567890', more: [1] }
  ])
  t.equal(rows.length, 6)
  const known = { ...fakeTopic('again', ['n', 'venue']), eventTime: '' }
  const context = fakeContext({ topic: known, topics: [trades], dataFolder })
  for await (const { batch } of lake.read(configure(lake, { topic: 'trades' }), context)) {
    if (batch.length === 0) continue
    t.match(connect(known)(batch).row(0), { n: '0', venue: 'X', extra: { extra: { note: 'another one' } } })
    break
  }
})

await t.test('it stops soon, and refuses what cannot be meant', async t => {
  const dataFolder = t.testdir()
  await fill(dataFolder, [0, 10], [10, 20])
  const context = fakeContext({ topic: target, topics: [trades], dataFolder })
  const rows: Row[] = []
  for await (const { batch } of lake.read(configure(lake, { topic: 'trades' }), context)) {
    rows.push(...batch.rows())
    context.stop()
  }
  t.equal(rows.length, 10)
  await t.rejects(read(dataFolder, {}, { topic: trades }), { code: 'CONFIG_INVALID', message: /in|again/ })
  const nothing = await read(dataFolder, { topic: 'quotes' })
  t.strictSame(nothing.rows, [])
  t.match(nothing.context.logs, [{ level: 'warn', message: 'The lake holds nothing of the topic' }])
  await t.rejects(lake.probe?.(configure(lake, { topic: 'quotes' }), context) ?? Promise.resolve(), { code: 'SOURCE_UNAVAILABLE' })
  await t.resolves(lake.probe?.(configure(lake, { topic: 'trades' }), context) ?? Promise.reject(new Error('no probe')))
  const [day = ''] = readdirSync(join(dataFolder, 'lake/trades/date=2024-01-02'))
  const path = join(dataFolder, 'lake/trades/date=2024-01-02', day)
  writeFileSync(path, readFileSync(path).fill(0, 4, 8))
  await t.rejects(read(dataFolder), { code: 'LAKE_DAMAGED', where: path })
})

await t.test('a lake in a store is read through one copy at a time', { skip: s3Missing }, async t => {
  const dataFolder = t.testdir()
  const server = await S3Server.start(join(dataFolder, 's3'), 'bucket')
  t.teardown(() => server.kill())
  const config = { folder: 's3://bucket/lake', endpoint: server.endpoint, access_key: accessKey, secret_key: secretKey }
  const sink = await openSink(dataFolder, { config })
  for (const from of [0, 10]) {
    await sink.write(batchOf(numbered(from, from + 10), from))
    await sink.flush({ partition: 0, from, to: from + 10 })
  }
  await sink.close()
  mkdirSync(join(dataFolder, 'uploads'), { recursive: true })
  const most: number[] = []
  const context = fakeContext({ topic: target, topics: [trades], dataFolder })
  const rows: Row[] = []
  for await (const { batch } of lake.read(configure(lake, { topic: 'trades', ...config }), context)) {
    rows.push(...batch.rows())
    most.push(readdirSync(join(dataFolder, 'uploads')).length)
  }
  t.strictSame(rows.map(row => Number(row['n'])), upTo(0, 20))
  t.ok(most.every(files => files <= 1))
  t.strictSame(readdirSync(join(dataFolder, 'uploads')), [])
})
