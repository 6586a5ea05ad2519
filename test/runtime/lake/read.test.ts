import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import mapping from '../../../plugins/transforms/mapping/index.ts'
import { EventTimes, SpanCount, dayOf } from '../../../runtime/lake/event-time.ts'
import { lakesOf } from '../../../runtime/lake/lakes.ts'
import { readLake } from '../../../runtime/lake/read.ts'
import { openLakeTable } from '../../../runtime/lake/table.ts'
import { field, plainCast } from '../../../runtime/schema.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext, fakeTopic } from '../../conform/context.ts'
import { batchOf, dayMs, fill, noon, numbered, offsets, offsetsIn, openFolder, openSink, trades } from './rows.ts'
import type { Pipeline } from '../../../runtime/pipeline.ts'
import type { Batch, Topic } from '../../../runtime/plugin.ts'

async function batchesIn (dataFolder: string, more: Parameters<typeof offsetsIn>[1] = {}, topic: Topic = trades): Promise<Batch[]> {
  const objects = await openFolder(dataFolder)
  const batches: Batch[] = []
  for await (const batch of readLake(objects, await openLakeTable(objects, topic.name).read(), { topic, ...more })) batches.push(batch)
  return batches
}

await t.test('rows come back as the source gave them, with the position they had', async t => {
  const dataFolder = t.testdir()
  const sink = await openSink(dataFolder)
  await sink.write(batchOf([{ n: 1, t: '1704205800000', note: 'a "b" ü 🚀' }, { n: '0x', t: 1704205801000 }, { t: null, note: '', extra: { venue: [1, 'X'] } }], 7))
  await sink.write(batchOf([{ n: true, t: 'never', note: null }], 12, { time: noon + 5 }))
  await sink.flush({ partition: 0, from: 5, to: 20 })
  await sink.close()
  const batches = await batchesIn(dataFolder, { exactTimes: true })
  t.strictSame(batches.flatMap(batch => [...batch.rows()].map((row, i) => [batch.offsetAt(i), batch.position.time, { ...row }])), [
    [7, noon, { n: '1', t: '1704205800000', note: 'a "b" ü 🚀', extra: null }],
    [8, noon, { n: '0x', t: '1704205801000', note: null, extra: null }],
    [9, noon, { n: null, t: null, note: '', extra: '{"venue":[1,"X"]}' }],
    [12, noon + 5, { n: 'true', t: 'never' }]
  ])
  t.equal((await batchesIn(dataFolder)).length, 1, 'one batch where the exact ingest time does not matter')
  const { files: [file] } = await openLakeTable(await openFolder(dataFolder), 'trades').read()
  t.match(file, {
    rows: 4, partition: 0, from: 5, to: 20, ingest: { from: noon, to: noon + 5 }, event: { from: 1704205800000, to: 1704205801000 }, days: { '': 2, '2024-01-02': 2 }, schema: trades.hash
  })
  t.equal(file?.bytes, readFileSync(join(dataFolder, 'lake', file?.name ?? '')).length)
})

await t.test('any mapping gives the same typed rows from the lake as from the topic', async t => {
  const dataFolder = t.testdir()
  const topic: Topic = {
    ...fakeTopic('ticks', [
      field('i', { kind: 'int64' }), field('f', { kind: 'float64' }), field('d', { kind: 'decimal', precision: 18, scale: 4 }), field('b', { kind: 'bool' }),
      field('t', { kind: 'timestamp', unit: 'us' }, { cast: { ...plainCast, unit: 'ms' } }), field('day', { kind: 'date' }), field('l', { kind: 'list', of: { kind: 'float64' } }), field('j', { kind: 'json' }), 's'
    ]),
    eventTime: 't'
  }
  const rows = Array.from({ length: 40 }, (_, i) => ({
    i: i % 3 === 0 ? i : String(i * 1e12), f: i / 7, d: i % 2 === 0 ? `${i}.25` : i + 0.5, b: i % 2 === 0, t: i % 5 === 0 ? `2024-01-02T00:00:${String(i).padStart(2, '0')}Z` : noon + i, day: '2024-01-02', l: [i, null, 0.1], j: { z: i, a: [true] }, s: i % 4 === 0 ? i : `s${i}`
  }))
  const given = batchOf(rows, 0, { topic })
  const sink = await openSink(dataFolder, { topic })
  await sink.write(given)
  await sink.flush({ partition: 0, from: 0, to: 40 })
  await sink.close()
  const typed = await mapping.open(configure(mapping, {}), fakeContext({ topic }))
  const [read] = await batchesIn(dataFolder, {}, topic)
  t.strictSame([...typed.map(read as Batch).rows()], [...typed.map(given).rows()])
})

await t.test('an interval, days and offsets choose rows, and files that cannot hold any are not opened', async t => {
  const dataFolder = t.testdir()
  const sink = await openSink(dataFolder)
  for (const [day, from] of [[0, 0], [1, 10], [3, 20]] as const) {
    await sink.write(batchOf(Array.from({ length: 10 }, (_, i) => ({ n: from + i, t: noon + day * dayMs + i * 3_600_000, note: '' })), from))
    await sink.flush({ partition: 0, from, to: from + 10 })
  }
  await sink.close()
  const objects = await openFolder(dataFolder)
  const { files } = await openLakeTable(objects, 'trades').read()
  t.strictSame(files.map(({ days }) => days), [{ '2024-01-02': 10 }, { '2024-01-03': 10 }, { '2024-01-05': 10 }])
  t.strictSame(await offsetsIn(objects, { from: noon + 8 * 3_600_000, to: noon + dayMs + 1 }), [...offsets(8, 10), '0:10'])
  t.strictSame(await offsetsIn(objects, { days: ['2024-01-05', '2024-01-02'] }), [...offsets(0, 10), ...offsets(20, 30)])
  t.strictSame(await offsetsIn(objects, { fromOffsets: new Map([[0, 8]]), toOffsets: new Map([[0, 12]]) }), offsets(8, 12))
  t.strictSame(await offsetsIn(objects, { days: [''] }), [])
  // The others are gone, and nobody misses them.
  for (const { name } of files.slice(0, 2)) rmSync(join(objects.address, name))
  t.strictSame(await offsetsIn(objects, { from: noon + 3 * dayMs }), offsets(20, 30))
  t.strictSame(await offsetsIn(objects, { days: ['2024-01-05'], fromOffsets: new Map([[0, 25]]) }), offsets(25, 30))
  await t.rejects(offsetsIn(objects, { days: ['2024-01-03'] }), { code: 'LAKE_DAMAGED', message: /missing/ })

  const corrected: Topic = { ...trades, fields: trades.fields.map(each => each.name === 't' ? { ...each, cast: { ...plainCast, unit: 's' } } : each), hash: 'corrected' }
  await t.rejects(offsetsIn(objects, { from: noon }, corrected), { code: 'LAKE_DAMAGED' }, 'under another rule of the event time the manifest says nothing')
})

await t.test('batches are bounded, whatever the file is', async t => {
  const dataFolder = t.testdir()
  const sink = await openSink(dataFolder)
  await sink.write(batchOf(numbered(0, 70_000), 0))
  await sink.write(batchOf(Array.from({ length: 40 }, (_, i) => ({ n: i, t: noon, note: 'x'.repeat(300_000) })), 70_000))
  await sink.flush({ partition: 0, from: 0, to: 70_040 })
  await sink.close()
  const batches = await batchesIn(dataFolder)
  t.ok(batches.every(({ length, bytes }) => length <= 16_384 && bytes < 5 * 2 ** 20))
  t.equal(batches.reduce((sum, { length }) => sum + length, 0), 70_040)
})

await t.test('a file that is not what was written gives none of its rows, and the error names it', async t => {
  const dataFolder = t.testdir()
  await fill(dataFolder, [0, 1000], [1000, 2000])
  const objects = await openFolder(dataFolder)
  const { files: [, second] } = await openLakeTable(objects, 'trades').read()
  const path = join(objects.address, second?.name ?? '')
  const good = readFileSync(path)
  const flipped = Buffer.from(good)
  flipped[100] = (flipped[100] as number) ^ 1
  const harms: ReadonlyArray<readonly [string, () => void]> = [
    ['a bit flipped', () => writeFileSync(path, flipped)],
    ['cut off', () => truncateSync(path, good.length - 100)],
    ['empty', () => truncateSync(path, 0)],
    ['longer', () => appendFileSync(path, 'x')],
    ['something else', () => writeFileSync(path, 'x'.repeat(good.length))],
    ['missing', () => rmSync(path)]
  ]
  for (const [what, harm] of harms) {
    writeFileSync(path, good)
    harm()
    let rows = 0
    await t.rejects(async () => {
      for await (const { length } of readLake(objects, await openLakeTable(objects, 'trades').read(), { topic: trades })) rows += length
    }, { code: 'LAKE_DAMAGED', where: path }, what)
    t.equal(rows, 1000)
  }
})

await t.test('a reader ends with its signal', async t => {
  const dataFolder = t.testdir()
  await fill(dataFolder, [0, 10], [10, 20])
  const objects = await openFolder(dataFolder)
  const controller = new AbortController()
  let rows = 0
  await t.rejects(async () => {
    for await (const { length } of readLake(objects, await openLakeTable(objects, 'trades').read(), { topic: trades, signal: controller.signal })) {
      rows += length
      controller.abort()
    }
  }, { name: 'AbortError' })
  t.equal(rows, 10)
})

await t.test('event times are exact to the millisecond, also beyond what a double holds', async t => {
  const edges = ['2024-01-02T23:59:59.999999999Z', '2024-01-03T00:00:00Z', '1969-12-31T23:59:59.999999999Z', '1970-01-01T00:00:00.000999999Z', '2262-04-11T23:47:16.854775807Z', '1900-01-01T00:00:00.000000001Z', 'no time', '2024-01-02T23:59:59.999999Z']
  const times = new EventTimes(trades).of(batchOf(edges.map(text => ({ t: text })), 0))
  t.strictSame([...times], [
    Date.UTC(2024, 0, 2, 23, 59, 59, 999), Date.UTC(2024, 0, 3), -1, 0, Date.parse('2262-04-11T23:47:16.854Z'), Date.parse('1900-01-01T00:00:00.000Z'), Number.NaN, Date.UTC(2024, 0, 2, 23, 59, 59, 999)
  ])
  t.equal(dayOf(times[0] as number), '2024-01-02')
  const count = new SpanCount()
  count.add(times)
  t.strictSame(count.span.days, { '': 1, '1900-01-01': 1, '1969-12-31': 1, '1970-01-01': 1, '2024-01-02': 2, '2024-01-03': 1, '2262-04-11': 1 })
  for (const [type, values, expected] of [
    [{ kind: 'timestamp', unit: 's' }, ['2024-01-02T00:00:01Z'], [Date.UTC(2024, 0, 2, 0, 0, 1)]],
    [{ kind: 'timestamp', unit: 'us' }, ['2024-01-02T00:00:00.001999Z', null], [Date.UTC(2024, 0, 2) + 1, Number.NaN]],
    [{ kind: 'date' }, ['2024-01-02', '1969-12-31'], [Date.UTC(2024, 0, 2), -dayMs]]
  ] as const) {
    const topic = { ...fakeTopic('x', [field('at', type)]), eventTime: 'at' }
    t.strictSame([...new EventTimes(topic).of(batchOf(values.map(at => ({ at })), 0, { topic }))], expected)
  }
  const without = fakeTopic('x', ['a'])
  t.strictSame([...new EventTimes(without).of(batchOf([{ a: 1 }], 0, { topic: without }))], [noon], 'the ingest time where the schema names none')
})

await t.test('the lakes of a topic are found by the configuration', t => {
  const output = (name: string, folder: string): object => ({ name, plugin: 'lake', config: { folder, endpoint: null } })
  const pipelines = [
    { id: 'a', topic: 'trades', outputs: [output('outputs.lake', 'lake'), { name: 'outputs.file', plugin: 'file', config: {} }] },
    { id: 'b', topic: 'trades', outputs: [output('outputs.lake', 's3://bucket/raw')] },
    { id: 'c', topic: 'quotes', outputs: [output('outputs.lake', 'lake')] }
  ] as unknown as Pipeline[]
  t.strictSame(lakesOf(pipelines, 'trades').map(({ pipeline, step, config }) => [pipeline, step, config.folder]), [['a', 'outputs.lake', 'lake'], ['b', 'outputs.lake', 's3://bucket/raw']])
  t.equal(lakesOf(pipelines).length, 3)
  t.end()
})
