import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { wasmMemory } from 'parquet-wasm/node'
import t from 'tap'
import lake from '../../../plugins/outputs/lake/index.ts'
import { ParquetWriter } from '../../../runtime/lake/parquet.ts'
import { rawArrow } from '../../../runtime/arrow.ts'
import { Batch, fromRows } from '../../../runtime/batch.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { openLocal } from '../../../runtime/lake/local-file.ts'
import { openLakeTable } from '../../../runtime/lake/table.ts'
import { openObjects } from '../../../runtime/objects/open.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext, fakeTopic } from '../../conform/context.ts'
import { conformOutput } from '../../conform/output.ts'
import { startTestEngine } from '../../runtime/clickhouse/engine.ts'
import type { Row } from '../../../runtime/plugin.ts'

const topic = fakeTopic('quotes', ['symbol', 'price'])
const compressors = { ZSTD: (input: Uint8Array): Uint8Array => zstdDecompressSync(input) }
const noon = Date.UTC(2024, 0, 2, 12)

function at (rows: readonly Row[], offset: number, time = noon, partition = 0): Batch {
  return new Batch(topic, rows.length, fromRows(topic, rows).columns, { position: { partition, offset, time }, bytes: rows.length * 100 })
}

function bufferOf (path: string): ArrayBuffer {
  const bytes = readFileSync(path)
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
}

function read (path: string): Promise<Array<Record<string, unknown>>> {
  return parquetReadObjects({ file: bufferOf(path), compressors })
}

function files (folder: string): string[] {
  const root = join(folder, 'lake', 'quotes')
  if (!existsSync(root)) return []
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.parquet')).sort()
}

const range = (from: number, to: number): string => `quotes-0-${String(from).padStart(20, '0')}-${String(to).padStart(20, '0')}`

/** The file of a range: what follows in its name is of its content. */
function pathOf (day: string, from: number, to: number): string {
  const [name = '', ...others] = readdirSync(day).filter(name => name.startsWith(range(from, to)))
  if (others.length > 0) throw new Error(`${name} and ${others}`)
  return join(day, name)
}

await t.test('as an output', t => conformOutput(t, {
  plugin: lake,
  module: new URL('../../../plugins/outputs/lake/index.ts', import.meta.url).href,
  destination: (_, dataFolder) => {
    const root = join(dataFolder, 'lake', 'rows')
    return {
      config: {},
      async rows () {
        const paths = existsSync(root) ? readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(path => path.endsWith('.parquet')) : []
        const found: Array<Record<string, unknown>> = []
        for (const path of paths) found.push(...await read(join(root, path)))
        return found.sort((a, b) => Number(a['_offset']) - Number(b['_offset'])).map(row => Number(row['n']))
      },
      break: () => {
        // A folder of days cannot be made: a flush fails when its file is complete.
        const day = join(root, 'date=2024-01-02')
        renameSync(root, `${root}.kept`)
        writeFileSync(root, '')
        return () => {
          unlinkSync(root)
          renameSync(`${root}.kept`, root)
          mkdirSync(day, { recursive: true })
        }
      }
    }
  },
  broken: t => ({ config: { folder: join(t.testdir({ taken: 'a file' }), 'taken') }, says: /cannot be written.*another path/ })
}))

await t.test('a row is kept as the source gave it, with its place in the topic', async t => {
  const dataFolder = t.testdir()
  const sink = await lake.open(configure(lake, {}), fakeContext({ topic, dataFolder }))
  await sink.write(at([
    { symbol: 'AAPL', price: 'C190.10' },
    { symbol: 'Łódź 株 🚀', price: 190.1, extra: { venue: 'X', n: [1, null] } },
    { symbol: null, price: { bid: 1 } },
    { symbol: true, price: '' },
    { price: '9007199254740993' }
  ], 40))
  await sink.flush({ partition: 0, from: 40, to: 45 })
  await sink.close()

  const [path = '', ...others] = files(dataFolder)
  t.strictSame(others, [])
  t.ok(new RegExp(`^date=2024-01-02/${range(40, 45)}-[0-9a-f]{12}\\.parquet$`).test(path), path)
  const rows = await read(join(dataFolder, 'lake/quotes', path))
  const wanted = [
    ['AAPL', 'C190.10', null],
    ['Łódź 株 🚀', '190.1', '{"venue":"X","n":[1,null]}'],
    [null, '{"bid":1}', null],
    ['true', '', null],
    [null, '9007199254740993', null]
  ]
  t.strictSame(rows.map(row => Object.values(row)), wanted.map((row, i) => [...row, 'quotes', 0, BigInt(40 + i), new Date(noon)]))
  t.strictSame(Object.keys(rows[0] ?? {}), ['symbol', 'price', 'extra', '_topic', '_partition', '_offset', '_ingest_time'])
})

await t.test('a flush that spans midnight makes a file a day, and together they cover the range', async t => {
  const dataFolder = t.testdir()
  const sink = await lake.open(configure(lake, { folder: 'deep/lake' }), fakeContext({ topic, dataFolder: join(dataFolder, 'a') }))
  await sink.write(at([{ symbol: 'A' }, { symbol: 'B' }], 10, Date.UTC(2024, 0, 2, 23, 59, 59, 999)))
  await sink.write(at([{ symbol: 'C' }], 12, Date.UTC(2024, 0, 3)))
  await sink.write(at([{ symbol: 'D' }], 13, Date.UTC(2024, 0, 3)))
  await sink.flush({ partition: 0, from: 10, to: 14 })
  await sink.close()
  const root = join(dataFolder, 'a/deep/lake/quotes')
  t.strictSame((await read(pathOf(join(root, 'date=2024-01-02'), 10, 12))).map(row => row['symbol']), ['A', 'B'])
  t.strictSame((await read(pathOf(join(root, 'date=2024-01-03'), 12, 14))).map(row => row['symbol']), ['C', 'D'])
})

await t.test('a range that is written again replaces itself, byte for byte', async t => {
  const dataFolder = t.testdir()
  const once = async (): Promise<Buffer> => {
    const sink = await lake.open(configure(lake, {}), fakeContext({ topic, dataFolder }))
    await sink.write(at([{ symbol: 'A' }], 0))
    await sink.write(at([{ symbol: 'B' }], 1))
    await sink.flush({ partition: 0, from: 0, to: 2 })
    await sink.close()
    return readFileSync(pathOf(join(dataFolder, 'lake/quotes/date=2024-01-02'), 0, 2))
  }
  const first = await once()
  t.ok(first.equals(await once()))
  t.equal(files(dataFolder).length, 1)
})

await t.test('a flush that was committed before is left out, and what one left that ended before its commit is replaced', async t => {
  const dataFolder = t.testdir()
  const manifest = join(dataFolder, 'lake/quotes/_manifest')
  const day = join(dataFolder, 'lake/quotes/date=2024-01-02')
  const flush = async (time = noon): Promise<void> => {
    const sink = await lake.open(configure(lake, {}), fakeContext({ topic, dataFolder }))
    await sink.write(at([{ symbol: 'A' }, { symbol: 'B' }], 0, time))
    await sink.flush({ partition: 0, from: 0, to: 2 })
    await sink.close()
  }
  const path = (): string => pathOf(day, 0, 2)
  const age = (ms: number): void => utimesSync(path(), new Date(Date.now() - ms), new Date(Date.now() - ms))
  await flush()
  age(3_600_000)
  const { mtimeMs } = statSync(path())
  await flush()
  t.equal(statSync(path()).mtimeMs, mtimeMs, 'the file is the one of the first flush')
  t.strictSame(readdirSync(manifest), ['000000000001.json'])

  // As a process leaves it that is killed between the file and its commit, where an older version knew of other files.
  const forget = async (): Promise<void> => {
    rmSync(manifest, { recursive: true })
    const table = openLakeTable(await openObjects({ address: 'lake', dataFolder, owner: 'test.', store: { endpoint: null, region: null, pathStyle: null, accessKey: null, secretKey: null, requestMs: 1000 } }), 'quotes')
    const ingest = { from: noon, to: noon }
    await table.commit({ add: [{ name: 'quotes/x', rows: 1, bytes: 1, sha256: 'x', partition: 9, from: 0, to: 1, ingest, event: ingest, days: {}, schema: '' }] })
  }
  await forget()
  age(3_600_000)
  await flush()
  t.equal(readdirSync(day).length, 1)
  t.ok(statSync(path()).mtimeMs > mtimeMs, 'it was written again')

  await forget()
  age(20 * 3_600_000)
  await flush()
  const [left = '', ...others] = readdirSync(day)
  t.strictSame(others, [])
  t.match(left, /^quotes-0-0{20}-0{19}2-[0-9a-f]{12}-\w+\.parquet$/, 'the compaction may be about to remove an old one, so it is not taken over')

  await t.rejects(flush(noon + 86_400_000), { code: 'LAKE_CONFLICT', retryable: false, remedy: /made anew/ }, 'rows of a topic that was made anew')
  t.strictSame((await read(join(day, left))).map(row => row['symbol']), ['A', 'B'])
})

await t.test('where an owner wakes up behind another one, and both write a range at once, each row is there once, and no file but those of the manifest', async t => {
  const dataFolder = t.testdir()
  for (let round = 0; round < 10; round++) {
    const from = round * 4
    const rows = [{ symbol: 'A' }, { symbol: 'B' }, { symbol: 'C' }, { symbol: 'D' }]
    const owners = await Promise.all([1, 2, 4].map(async size => {
      // What is written beside the rows differs, as after a change of the pipeline.
      const sink = await lake.open(configure(lake, {}), fakeContext({ topic, dataFolder, step: `outputs.${size}` }))
      for (let i = 0; i < rows.length; i += size) await sink.write(at(rows.slice(i, i + size), from + i, noon + i % size))
      return sink
    }))
    await Promise.all(owners.map(sink => sink.flush({ partition: 0, from, to: from + 4 })))
    await Promise.all(owners.map(sink => sink.close()))
  }
  const objects = await openObjects({ address: 'lake', dataFolder, owner: 'test.', store: { endpoint: null, region: null, pathStyle: null, accessKey: null, secretKey: null, requestMs: 1000 } })
  const { files: listed } = await openLakeTable(objects, 'quotes').read()
  t.strictSame(listed.map(({ name }) => name).sort(), files(dataFolder).map(name => `quotes/${name}`))
  for (const file of listed) await (await openLocal(objects, file)).close()
  t.equal(listed.reduce((sum, { rows }) => sum + rows, 0), 40)
})

await t.test('rows come in groups, so that memory does not grow with the file or with the number of files', async t => {
  const dataFolder = t.testdir()
  const sink = await lake.open(configure(lake, {}), fakeContext({ topic, dataFolder }))
  const rows = Array.from({ length: 20_000 }, (_, i) => ({ symbol: 'AAPL', price: String(i * 7919 % 1000003) }))
  const columns = fromRows(topic, rows).columns
  const write = async (from: number, batches: number): Promise<void> => {
    for (let i = 0; i < batches; i++) {
      await sink.write(new Batch(topic, rows.length, columns, { position: { partition: 0, offset: from + i * rows.length, time: noon }, bytes: rows.length * 50 }))
    }
    await sink.flush({ partition: 0, from, to: from + batches * rows.length })
  }
  await write(0, 10)
  const { row_groups: groups } = parquetMetadata(bufferOf(pathOf(join(dataFolder, 'lake/quotes/date=2024-01-02'), 0, 200_000)))
  t.ok(groups.length > 2, 'several row groups')
  t.ok(groups.every(group => Number(group.num_rows) <= 65_536))

  const before = wasmMemory().buffer.byteLength
  const small = fromRows(topic, rows.slice(0, 1000)).columns
  for (let from = 200_000; from < 250_000; from += 1000) {
    await sink.write(new Batch(topic, 1000, small, { position: { partition: 0, offset: from, time: noon } }))
    await sink.flush({ partition: 0, from, to: from + 1000 })
  }
  t.equal(wasmMemory().buffer.byteLength, before)
  await sink.close()
})

await t.test('nothing shows before the flush, and what was not flushed is removed', async t => {
  const dataFolder = t.testdir()
  const sink = await lake.open(configure(lake, {}), fakeContext({ topic, dataFolder }))
  const rows = Array.from({ length: 70_000 }, () => ({ symbol: 'A' }))
  await sink.write(at(rows, 0))
  t.strictSame(files(dataFolder), [])
  await sink.close()
  t.strictSame(files(dataFolder), [])
  t.strictSame(readdirSync(join(dataFolder, 'lake/_tmp')), [])
})

await t.test('a flush without rows makes no file', async t => {
  const dataFolder = t.testdir()
  const sink = await lake.open(configure(lake, {}), fakeContext({ topic, dataFolder }))
  await sink.write(at([], 0))
  await sink.flush({ partition: 0, from: 0, to: 9 })
  await sink.close()
  t.strictSame(files(dataFolder), [])
})

await t.test('what a killed writer of the same step left is removed, and no other file', async t => {
  const dataFolder = t.testdir()
  const folder = join(dataFolder, 'lake', '_tmp')
  mkdirSync(folder, { recursive: true })
  const gone = spawn(process.execPath, ['-e', ''])
  await once(gone, 'exit')
  const host = hostname().replaceAll(/[^\w.-]/g, '_')
  const put = (file: string, ageMs = 0): void => {
    writeFileSync(join(folder, file), '')
    utimesSync(join(folder, file), new Date(Date.now() - ageMs), new Date(Date.now() - ageMs))
  }
  put(`p.outputs.lake.${host}.${gone.pid}.a.parquet`)
  put(`p.outputs.lake.${host}.${process.pid}.before-this-process.parquet`, 86_400_000)
  put(`p.outputs.lake.${host}.1.abandoned.parquet`, 7_200_000)
  put(`p.outputs.lake.${host}.${process.pid}.live.parquet`)
  put(`p.outputs.lake.${host}.1.live.parquet`)
  put(`other.outputs.lake.${host}.${gone.pid}.b.parquet`)
  const sink = await lake.open(configure(lake, {}), fakeContext({ topic, dataFolder, pipeline: 'p', step: 'outputs.lake' }))
  await sink.close()
  t.strictSame(readdirSync(folder).sort(), [
    `other.outputs.lake.${host}.${gone.pid}.b.parquet`,
    `p.outputs.lake.${host}.1.live.parquet`,
    `p.outputs.lake.${host}.${process.pid}.live.parquet`
  ].sort())
})

await t.test('a failure is clear, and no later flush passes over it', async t => {
  const dataFolder = t.testdir({ lake: {} })
  const sink = await lake.open(configure(lake, {}), fakeContext({ topic, dataFolder }))
  await sink.write(at([{ symbol: 'A' }], 0))
  writeFileSync(join(dataFolder, 'lake/quotes'), 'a file where a folder belongs')
  await t.rejects(sink.flush({ partition: 0, from: 0, to: 1 }), { code: 'DESTINATION_UNAVAILABLE', retryable: true })
  await t.rejects(sink.write(at([{ symbol: 'B' }], 1)), PlatformError)
  await t.rejects(sink.flush({ partition: 0, from: 1, to: 2 }), PlatformError)
  await sink.close()
  t.strictSame(readdirSync(join(dataFolder, 'lake/_tmp')), [])

  await t.rejects(lake.open(configure(lake, {}), fakeContext({ topic, dataFolder })), { code: 'DESTINATION_UNAVAILABLE', retryable: true })
  await t.rejects(lake.open(configure(lake, { folder: 'quotes/below' }), fakeContext({ topic, dataFolder: join(dataFolder, 'lake') })), { code: 'DESTINATION_UNAVAILABLE' })
  await t.rejects(lake.probe?.(configure(lake, { folder: 'quotes' }), fakeContext({ topic, dataFolder: join(dataFolder, 'lake') })) ?? Promise.resolve(), { code: 'DESTINATION_UNAVAILABLE' })
})

await t.test('a full disk ends the write that waits', { skip: existsSync('/dev/full') ? false : 'there is no /dev/full here' }, async t => {
  const writer = new ParquetWriter('/dev/full', { rowsMax: 1000, bytesMax: 2 ** 20 }, {})
  const ipc = rawArrow([at(Array.from({ length: 5000 }, (_, i) => ({ symbol: String(i) })), 0)])
  await t.rejects(async () => {
    for (let i = 0; i < 20; i++) await writer.write(ipc)
    await writer.finish()
  }, { code: 'ENOSPC' })
})

await t.test('a temporary folder that vanishes ends the write that waits', async t => {
  const dataFolder = t.testdir()
  const context = fakeContext({ topic, dataFolder })
  const sink = await lake.open(configure(lake, {}), context)
  rmSync(join(dataFolder, 'lake/_tmp'), { recursive: true })
  const rows = Array.from({ length: 70_000 }, () => ({ symbol: 'A' }))
  await t.rejects(async () => {
    await sink.write(at(rows, 0))
    await sink.write(at(rows, 70_000))
    await sink.flush({ partition: 0, from: 0, to: 140_000 })
  }, { code: 'DESTINATION_UNAVAILABLE' })
  await sink.close()
})

await t.test('a field with the name of a column that the lake adds is refused at open', async t => {
  const context = fakeContext({ topic: fakeTopic('quotes', ['_offset']), dataFolder: t.testdir() })
  await t.rejects(lake.open(configure(lake, {}), context), { code: 'CONFIG_INVALID', where: 'schemas/quotes.yaml' })
})

await t.test('a field that readers would hide is warned about', async t => {
  const context = fakeContext({ topic: fakeTopic('bars', ['date']), dataFolder: t.testdir() })
  await (await lake.open(configure(lake, {}), context)).close()
  t.match(context.logs, [{ level: 'warn', message: /a field "date"/ }])
})

const engineIsHere = await import('chdb').then(() => true, () => false)

await t.test('ClickHouse reads the files, with types, nulls and times as they are', { skip: engineIsHere ? false : 'chdb is not installed' }, async t => {
  const dataFolder = t.testdir()
  const sink = await lake.open(configure(lake, {}), fakeContext({ topic, dataFolder }))
  await sink.write(at([{ symbol: 'AAPL', price: 1 }, { symbol: 'ü', extra: { x: 1 } }], 7, noon + 123))
  await sink.flush({ partition: 0, from: 7, to: 9 })
  await sink.write(at([{ symbol: 'MSFT' }], 9, noon + 86_400_000))
  await sink.flush({ partition: 0, from: 9, to: 10 })
  await sink.close()
  const { client, stop } = await startTestEngine()
  try {
    const answer = await client.query({
      query: `SELECT symbol, price, extra, _topic, _partition, toString(_offset), _ingest_time, date, toTypeName(_offset), toTypeName(_ingest_time), toTypeName(price)
        FROM file('${join(dataFolder, 'lake/quotes/*/*.parquet')}') ORDER BY _offset`,
      format: 'JSONCompactEachRow'
    })
    const types = ['Int64', "DateTime64(3, 'UTC')", 'Nullable(String)']
    t.strictSame(await answer.json(), [
      ['AAPL', '1', null, 'quotes', 0, '7', '2024-01-02 12:00:00.123', '2024-01-02', ...types],
      ['ü', null, '{"x":1}', 'quotes', 0, '8', '2024-01-02 12:00:00.123', '2024-01-02', ...types],
      ['MSFT', null, null, 'quotes', 0, '9', '2024-01-03 12:00:00.000', '2024-01-03', ...types]
    ])
  } finally {
    await stop()
  }
})
