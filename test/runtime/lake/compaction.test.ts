import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { wasmMemory } from 'parquet-wasm/node'
import t from 'tap'
import { compactLake, lakeCompaction } from '../../../runtime/lake/compaction.ts'
import { lakeOptions } from '../../../runtime/lake/lakes.ts'
import { readLake } from '../../../runtime/lake/read.ts'
import { KEEP_MS, openLakeTable } from '../../../runtime/lake/table.ts'
import { configure } from '../../conform/configure.ts'
import { until } from '../../conform/context.ts'
import { accessKey, s3Missing, S3Server, secretKey } from '../../s3/server.ts'
import { batchOf, dayMs, fill, noon, numbered, offsets, offsetsIn, openFolder, openSink, trades } from './rows.ts'
import { openLake } from '../../../runtime/lake/lakes.ts'
import type { CompactionOptions } from '../../../runtime/lake/compaction.ts'
import type { Json, Topic } from '../../../runtime/plugin.ts'
import type { Pipeline } from '../../../runtime/pipeline.ts'

t.setTimeout(300_000)

const later = { before: Date.now() }
const quiet = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }

function compact (dataFolder: string, options: Partial<CompactionOptions> = {}, { topic = trades, signal = new AbortController().signal, config = {} }: { topic?: Topic, signal?: AbortSignal, config?: Readonly<Record<string, Json>> } = {}): Promise<void> {
  const lake = { pipeline: 'p', step: 'outputs.lake', topic: topic.name, config: configure({ options: lakeOptions }, config) }
  return compactLake(lake, { dataFolder, schemas: () => new Map([[topic.name, topic]]) }, { ...later, ...options }, { signal, log: quiet, progress: () => {} })
}

function filesOn (dataFolder: string): string[] {
  return readdirSync(join(dataFolder, 'lake/trades'), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.parquet')).sort()
}

/** Rows of twenty flushes over two days of ingest time. */
async function twenty (dataFolder: string): Promise<void> {
  await fill(dataFolder, ...Array.from({ length: 20 }, (_, i) => [i * 100, i * 100 + 100, noon + (i < 10 ? 0 : dayMs) + i] as const))
}

await t.test('small files become one a day, with the same rows in the same order and all that is known of them', async t => {
  const dataFolder = t.testdir()
  await twenty(dataFolder)
  const objects = await openFolder(dataFolder)
  const table = openLakeTable(objects, 'trades')
  const before = await table.read()
  const rows = async (): Promise<unknown[]> => {
    const found: unknown[] = []
    for await (const batch of readLake(objects, await table.read(), { topic: trades, exactTimes: true })) for (const [i, row] of [...batch.rows()].entries()) found.push([batch.offsetAt(i), batch.position.time, row])
    return found
  }
  const wanted = await rows()
  await compact(dataFolder)
  const after = await table.read()
  t.strictSame(after.files.map(({ rows, from, to, ingest, event, days, schema, rule }) => ({ rows, from, to, ingest, event, days, schema, rule })), [0, 1].map(day => ({
    rows: 1000,
    from: day * 1000,
    to: day * 1000 + 1000,
    ingest: { from: noon + day * (dayMs + 10), to: noon + day * (dayMs + 10) + 9 },
    event: { from: noon + day * 1_000_000, to: noon + day * 1_000_000 + 999_000 },
    days: { '2024-01-02': 1000 },
    schema: trades.hash,
    rule: before.files[0]?.rule
  })))
  t.strictSame(await rows(), wanted)
  t.ok(after.files.every(({ name, bytes }) => statSync(join(objects.address, name)).size === bytes))
  t.equal(after.removed.length, 20)
  const { seq } = after
  await compact(dataFolder)
  t.equal((await table.read()).seq, seq, 'there is nothing left to do')
  t.strictSame(readdirSync(objects.scratch), [])
})

await t.test('a reader that began before goes on, and replaced files go a day later', async t => {
  const dataFolder = t.testdir()
  await twenty(dataFolder)
  const objects = await openFolder(dataFolder)
  const reading = readLake(objects, await openLakeTable(objects, 'trades').read(), { topic: trades })
  const found: number[] = []
  const take = (batch: { length: number, offsetAt: (i: number) => number }): void => { for (let i = 0; i < batch.length; i++) found.push(batch.offsetAt(i)) }
  const first = await reading.next()
  if (first.done !== true) take(first.value)
  await compact(dataFolder)
  for await (const batch of reading) take(batch)
  t.strictSame(found, Array.from({ length: 2000 }, (_, i) => i))
  t.equal(filesOn(dataFolder).length, 22)
  await compact(dataFolder, { now: () => Date.now() + KEEP_MS - 60_000 })
  t.equal(filesOn(dataFolder).length, 22, 'not before')
  await compact(dataFolder, { now: () => Date.now() + KEEP_MS + 60_000 })
  t.equal(filesOn(dataFolder).length, 2)
  t.strictSame((await openLakeTable(objects, 'trades').read()).removed, [])
  t.strictSame(await offsetsIn(objects), offsets(0, 2000))
})

await t.test('what is young, large, apart, or made by another schema stays as it is', async t => {
  const dataFolder = t.testdir()
  await fill(dataFolder, [0, 100, noon], [100, 200, noon + 1], [300, 400, noon + 2], [400, 1500, noon + 3], [1500, 1600, noon + 4], [1600, 1700, noon + dayMs], [1700, 1800, noon + dayMs + 1])
  const other = await openSink(dataFolder, { topic: { ...trades, hash: 'other' } })
  await other.write(batchOf(numbered(1800, 1900), 1800, { time: noon + dayMs + 2 }))
  await other.flush({ partition: 0, from: 1800, to: 1900 })
  await other.close()
  const ranges = async (options: Partial<CompactionOptions>): Promise<string[]> => {
    await compact(dataFolder, options)
    return (await openLakeTable(await openFolder(dataFolder), 'trades').read()).files.map(({ from, to }) => `${from}-${to}`)
  }
  t.strictSame(await ranges({ before: noon + dayMs, targetRows: 2000 }), ['0-200', '300-400', '400-1500', '1500-1600', '1600-1700', '1700-1800', '1800-1900'])
  t.strictSame(await ranges({ targetRows: 250 }), ['0-200', '300-400', '400-1500', '1500-1600', '1600-1800', '1800-1900'])
  t.strictSame(await ranges({}), ['0-200', '300-1600', '1600-1800', '1800-1900'])
})

await t.test('a damaged file stops its merge and changes nothing, and one that is cancelled leaves nothing behind', async t => {
  const dataFolder = t.testdir()
  await twenty(dataFolder)
  const objects = await openFolder(dataFolder)
  const { files: [, , file] } = await openLakeTable(objects, 'trades').read()
  const path = join(objects.address, file?.name ?? '')
  const good = readFileSync(path)
  writeFileSync(path, good.subarray(0, good.length - 1))
  await t.rejects(compact(dataFolder), { code: 'LAKE_DAMAGED', where: path })
  writeFileSync(path, good)
  const controller = new AbortController()
  controller.abort()
  await t.rejects(compact(dataFolder, {}, { signal: controller.signal }), { name: 'AbortError' })
  t.equal((await openLakeTable(objects, 'trades').read()).seq, 20)
  t.strictSame(readdirSync(objects.scratch), [])
  t.equal(filesOn(dataFolder).length, 20)
})

await t.test('what nobody has committed goes after a day', async t => {
  const dataFolder = t.testdir()
  await fill(dataFolder, [0, 10])
  const folder = join(dataFolder, 'lake/trades/date=2024-01-02')
  const old = new Date(Date.now() - KEEP_MS - 60_000)
  for (const [name, at] of [['old.parquet', old], ['young.parquet', new Date()]] as const) {
    writeFileSync(join(folder, name), 'x')
    utimesSync(join(folder, name), at, at)
  }
  utimesSync(join(folder, filesOn(dataFolder).find(name => name.includes('trades-0'))?.slice('date=2024-01-02/'.length) ?? ''), old, old)
  await compact(dataFolder)
  t.strictSame(filesOn(dataFolder).map(name => name.replace(/.*\//, '').slice(0, 8)), ['trades-0', 'young.pa'])
})

await t.test('a lake without a manifest gets one at once, and the compaction looks at its rows', async t => {
  const dataFolder = t.testdir()
  await twenty(dataFolder)
  const objects = await openFolder(dataFolder)
  rmSync(join(objects.address, 'trades/_manifest'), { recursive: true })
  await (await openSink(dataFolder)).close()
  const table = openLakeTable(objects, 'trades')
  const taken = await table.read()
  t.equal(taken.seq, 1)
  t.strictSame(taken.files.map(({ from, to, rows, unread }) => [from, to, rows, unread]), Array.from({ length: 20 }, (_, i) => [i * 100, i * 100 + 100, 100, true]))
  t.strictSame(await offsetsIn(objects, { from: noon + 150_000, to: noon + 160_000 }), offsets(150, 160), 'its rows can be chosen all the same')
  // A flush that was in flight when the older version ended.
  await fill(dataFolder, [1900, 2000, noon + dayMs + 19], [2000, 2100, noon + dayMs + 20])
  t.equal((await table.read()).files.length, 21)
  await compact(dataFolder)
  const { files } = await table.read()
  t.strictSame(files.map(({ rows, unread, days, event }) => ({ rows, unread, days, event })), [
    { rows: 1000, unread: undefined, days: { '2024-01-02': 1000 }, event: { from: noon, to: noon + 999_000 } },
    { rows: 1100, unread: undefined, days: { '2024-01-02': 1100 }, event: { from: noon + 1_000_000, to: noon + 2_099_000 } }
  ])
  t.ok(files.every(({ sha256 }) => sha256.length === 64))
  t.strictSame(await offsetsIn(objects), offsets(0, 2100))
})

await t.test('files of which two hold the same rows, or one is damaged, get no manifest until someone looks', async t => {
  const dataFolder = t.testdir()
  await twenty(dataFolder)
  const folder = join(dataFolder, 'lake/trades')
  rmSync(join(folder, '_manifest'), { recursive: true })
  const day = join(folder, 'date=2024-01-02')
  const [name = ''] = readdirSync(day)
  const doubled = join(day, name.replace('0100-', '0150-'))
  cpSync(join(day, name), doubled)
  await t.rejects(openSink(dataFolder), { code: 'LAKE_CONFLICT', message: /holds offsets that/ })
  writeFileSync(doubled, 'PAR1 something else')
  await t.rejects(openSink(dataFolder), { code: 'LAKE_DAMAGED', where: doubled })
  rmSync(doubled)
  // Its footer is whole, and its rows are not.
  const path = join(day, name)
  const harmed = readFileSync(path)
  harmed.fill(0xff, 10, 200)
  writeFileSync(path, harmed)
  await (await openSink(dataFolder)).close()
  await t.rejects(compact(dataFolder))
  await fill(dataFolder, [2000, 2100, noon + 2 * dayMs])
  t.strictSame(await offsetsIn(await openFolder(dataFolder), { fromOffsets: new Map([[0, 100]]) }), offsets(100, 2100), 'all the others can be read and written')
})

await t.test('a corrected rule of the event time is applied to what the manifest knows', async t => {
  const dataFolder = t.testdir()
  await twenty(dataFolder)
  await compact(dataFolder)
  const corrected: Topic = { ...trades, fields: trades.fields.map(each => each.name === 't' ? { ...each, cast: { ...each.cast, unit: 'us' } } : each), hash: 'corrected' }
  await compact(dataFolder, {}, { topic: corrected })
  const { files } = await openLakeTable(await openFolder(dataFolder), 'trades').read()
  t.strictSame(files.map(({ days, schema }) => ({ days, schema })), [{ days: { '1970-01-20': 1000 }, schema: trades.hash }, { days: { '1970-01-20': 1000 }, schema: trades.hash }])
})

await t.test('memory does not grow with the files that are merged', async t => {
  const dataFolder = t.testdir()
  const sink = await openSink(dataFolder)
  const rows = numbered(0, 20_000)
  const flush = async (from: number, to: number): Promise<void> => {
    for (let at = from; at < to; at += 20_000) {
      await sink.write(batchOf(rows, at))
      await sink.flush({ partition: 0, from: at, to: at + 20_000 })
    }
  }
  await flush(0, 200_000)
  await compact(dataFolder)
  const before = wasmMemory().buffer.byteLength
  await flush(200_000, 600_000)
  await compact(dataFolder)
  t.equal((await openLakeTable(await openFolder(dataFolder), 'trades').read()).files.length, 1)
  t.ok(wasmMemory().buffer.byteLength <= before + 24 * 2 ** 20, `${before} bytes became ${wasmMemory().buffer.byteLength}`)
  await sink.close()
})

await t.test('as a job it takes a topic and an age, tells what it did, and one lake does not hold up another', async t => {
  const dataFolder = t.testdir()
  await twenty(dataFolder)
  const config = configure({ options: lakeOptions }, {})
  const pipelines = ['quotes', 'trades'].map(topic => ({ id: topic, topic, outputs: [{ name: 'outputs.lake', plugin: 'lake', config }] })) as unknown as Pipeline[]
  const task = lakeCompaction({ pipelines: () => pipelines, schemas: () => new Map([['trades', trades]]), dataFolder })
  const done = { rows: 0, share: 0 }
  const run = (params: Readonly<Record<string, Json>>, to = Date.now()): Promise<void> => task.run({
    run: { id: 'r', from: 0, to, kind: 'manual' }, params, signal: new AbortController().signal, log: quiet, progress: ({ rows = 0, share = done.share }) => { done.rows += rows; done.share = share ?? 0 }
  })
  await t.rejects(run({ topics: 'x' }), { code: 'REQUEST_INVALID', message: /topics/ })
  await t.rejects(run({ min_age_minutes: 'x' }), { code: 'REQUEST_INVALID' })
  await t.rejects(run({ topic: 'other' }), { code: 'NOT_FOUND' })
  await run({ topic: 'trades' }, noon + 60_000)
  t.equal(done.rows, 0, 'they are too young')
  const manifest = join(dataFolder, 'lake/quotes')
  writeFileSync(manifest, 'a file where a folder belongs')
  await t.rejects(run({ min_age_minutes: 5 }), { message: /^quotes: / })
  t.equal(done.rows, 2000, 'all rows of the other one')
  rmSync(manifest)
  await run({})
  t.equal(done.share, 1)
})

await t.test('writers and compactions that are killed at any moment leave each row once', async t => {
  const dataFolder = t.testdir()
  await fill(dataFolder, [0, 100])
  const start = async (what: string): Promise<ReturnType<typeof spawn>> => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'killed.ts'), what, dataFolder], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    await once(child.stdout, 'data')
    return child
  }
  const objects = await openFolder(dataFolder)
  let seen = 0
  for (let i = 0; i < 4; i++) {
    const children = await Promise.all([start('write'), start('compact')])
    // Readers meanwhile see what there was at least, and nothing twice. Every second writer gets to a flush before its end.
    const before = seen
    let looks = 0
    await until(async () => {
      const found = await offsetsIn(objects)
      t.strictSame(found, offsets(0, found.length))
      t.ok(found.length >= seen)
      seen = found.length
      return looks++ >= i % 3 && (i % 2 === 0 || seen > before)
    }, 'readers have looked')
    await Promise.all(children.map(async child => {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }))
    const found = await offsetsIn(objects)
    t.strictSame(found, offsets(0, found.length), `each row once after kill ${i}`)
  }
  t.ok(seen > 100)
  await compact(dataFolder)
  await compact(dataFolder, { now: () => Date.now() + KEEP_MS + 60_000 })
  t.strictSame(filesOn(dataFolder).length, (await openLakeTable(objects, 'trades').read()).files.length, 'what the killed ones left is gone a day later')
  t.strictSame(readdirSync(objects.scratch).filter(name => name.startsWith('compaction.')), [])
})

await t.test('in a store it is the same', { skip: s3Missing }, async t => {
  const dataFolder = t.testdir()
  const server = await S3Server.start(join(dataFolder, 's3'), 'bucket')
  t.teardown(() => server.kill())
  const config = { folder: 's3://bucket/lake', endpoint: server.endpoint, access_key: accessKey, secret_key: secretKey }
  const sink = await openSink(dataFolder, { config })
  for (let from = 0; from < 500; from += 100) {
    await sink.write(batchOf(numbered(from, from + 100), from))
    await sink.flush({ partition: 0, from, to: from + 100 })
  }
  await sink.close()
  const objects = await openLake(configure({ options: lakeOptions }, config), { dataFolder, owner: 'test.' })
  t.teardown(() => objects.close())
  await compact(dataFolder, {}, { config })
  t.equal((await openLakeTable(objects, 'trades').read()).files.length, 1)
  t.strictSame(await offsetsIn(objects), offsets(0, 500))
  const day = join(server.bucketFolder('bucket'), 'lake/trades/date=2024-01-02')
  t.equal(readdirSync(day).length, 6)
  await compact(dataFolder, { now: () => Date.now() + KEEP_MS + 60_000 }, { config })
  const [left = ''] = readdirSync(day)
  t.equal(readdirSync(day).length, 1)
  t.strictSame(readdirSync(objects.scratch), [])
  const good = readFileSync(join(day, left))
  writeFileSync(join(day, left), good.subarray(0, 1000))
  await t.rejects(offsetsIn(objects), /Checksum mismatch/, 'the store keeps a checksum, too')
  renameSync(join(day, left), join(day, `${left}.away`))
  await t.rejects(offsetsIn(objects), { code: 'LAKE_DAMAGED', message: /missing/ })
  t.strictSame(readdirSync(objects.scratch), [])
})
