import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import file from '../../../plugins/outputs/file/index.ts'
import { Batch, fromRows } from '../../../runtime/batch.ts'
import { field } from '../../../runtime/schema.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext, fakeTopic } from '../../conform/context.ts'
import { conformOutput } from '../../conform/output.ts'
import type { Json, Row, Sink } from '../../../runtime/plugin.ts'

const topic = fakeTopic('quotes', ['symbol', 'price'])

function at (rows: readonly Row[], offset: number, partition = 0): Batch {
  return new Batch(topic, rows.length, fromRows(topic, rows).columns, { position: { partition, offset, time: 0 } })
}

function open (dataFolder: string, given: Readonly<Record<string, Json>>, more = {}): Promise<Sink> {
  return file.open(configure(file, given), fakeContext({ topic, dataFolder, ...more }))
}

async function put (dataFolder: string, given: Readonly<Record<string, Json>>, rows: readonly Row[], offset = 0): Promise<void> {
  const sink = await open(dataFolder, given)
  try {
    await sink.write(at(rows, offset))
    await sink.flush({ partition: 0, from: offset, to: offset + rows.length })
  } finally {
    await sink.close()
  }
}

await t.test('as an output', t => conformOutput(t, {
  plugin: file,
  module: new URL('../../../plugins/outputs/file/index.ts', import.meta.url).href,
  destination: (_, dataFolder) => {
    const path = join(dataFolder, 'out')
    return {
      config: { path: 'out' },
      rows: () => existsSync(path) ? Array.from(readFileSync(path, 'utf8').matchAll(/^\{"n":"(\d+)"/gm), match => Number(match[1])) : [],
      break: () => {
        // The record cannot be replaced: a flush fails when its lines are on the disk already.
        mkdirSync(`${path}.landed.tmp`)
        return () => rmdirSync(`${path}.landed.tmp`)
      }
    }
  },
  broken: t => ({ config: { path: join(t.testdir({ taken: 'a file' }), 'taken', 'out.ndjson') }, says: /cannot be written.*another path/ })
}))

await t.test('NDJSON holds a row a line, as the transforms left it', async t => {
  const folder = t.testdir()
  await put(folder, { path: 'deep/er/out.ndjson' }, [{ symbol: 'AAPL', price: 190.1 }, { symbol: 'a "quoted"\nline', extra: { x: [1] } }])
  t.equal(readFileSync(join(folder, 'deep/er/out.ndjson'), 'utf8'), [
    '{"symbol":"AAPL","price":190.1,"extra":null}',
    '{"symbol":"a \\"quoted\\"\\nline","price":null,"extra":{"x":[1]}}',
    ''
  ].join('\n'))
})

await t.test('CSV has one header, whatever the batches hold', async t => {
  const folder = t.testdir()
  await put(folder, { path: 'out.csv' }, [{ price: '1,5' }], 0)
  await put(folder, { path: 'out.csv' }, [{ symbol: 'B', extra: { x: 1 } }, { symbol: '', price: 2 }], 1)
  t.equal(readFileSync(join(folder, 'out.csv'), 'utf8'), 'symbol,price,extra\n,"1,5",\nB,,"{""x"":1}"\n"",2,\n')
})

await t.test('columns are those that are asked for, in that order', async t => {
  const folder = t.testdir()
  const rows = [{ symbol: 'A', price: 1 }]
  await put(folder, { path: 'a.csv', columns: ['price', 'other', 'symbol'] }, rows)
  await put(folder, { path: 'a.txt', columns: ['price', 'other', 'symbol'] }, rows)
  t.equal(readFileSync(join(folder, 'a.csv'), 'utf8'), 'price,other,symbol\n1,,A\n')
  t.equal(readFileSync(join(folder, 'a.txt'), 'utf8'), '{"price":1,"symbol":"A"}\n')
})

await t.test('lines are not put under a header that does not fit them', async t => {
  const folder = t.testdir()
  await put(folder, { path: 'out.csv', columns: ['symbol'] }, [{ symbol: 'A' }])
  await t.rejects(put(folder, { path: 'out.csv' }, [{ symbol: 'B' }], 1), { code: 'CONFIG_INVALID', message: /other columns \(symbol\)/ })
})

await t.test('what stood in the file before stays', async t => {
  const folder = t.testdir({ 'out.ndjson': '{"mine":1}\n' })
  const sink = await open(folder, { path: 'out.ndjson' })
  await sink.write(at([{ symbol: 'A' }], 0))
  await sink.close()
  await put(folder, { path: 'out.ndjson' }, [{ symbol: 'B' }])
  t.equal(readFileSync(join(folder, 'out.ndjson'), 'utf8'), '{"mine":1}\n{"symbol":"B"}\n')
})

await t.test('the torn end of a flush is cut off', async t => {
  const folder = t.testdir()
  await put(folder, { path: 'out.ndjson' }, [{ symbol: 'A' }])
  appendFileSync(join(folder, 'out.ndjson'), '{"symbol":"to')
  await put(folder, { path: 'out.ndjson' }, [{ symbol: 'B' }], 1)
  t.equal(readFileSync(join(folder, 'out.ndjson'), 'utf8'), '{"symbol":"A"}\n{"symbol":"B"}\n')
})

await t.test('a file that was taken away is begun again', async t => {
  const folder = t.testdir()
  await put(folder, { path: 'out.csv' }, [{ symbol: 'A' }])
  renameSync(join(folder, 'out.csv'), join(folder, 'yesterday.csv'))
  await put(folder, { path: 'out.csv' }, [{ symbol: 'B' }], 1)
  t.equal(readFileSync(join(folder, 'out.csv'), 'utf8'), 'symbol,price,extra\nB,,\n')
})

await t.test('a large file is put away under the offset of its end', async t => {
  const folder = t.testdir()
  const given = { path: 'out.csv', rotate_megabytes: 0.001 }
  const rows = Array.from({ length: 100 }, (_, i) => ({ symbol: `symbol ${i}`, price: i }))
  const sink = await open(folder, given)
  for (const from of [0, 100, 200]) {
    await sink.write(at(rows, from))
    await sink.flush({ partition: 0, from, to: from + 100 })
  }
  t.strictSame([...await sink.landed?.({ partition: 0, from: 200, to: 201 }) ?? []], [200])
  await sink.close()
  await put(folder, given, [{ symbol: 'last' }], 300)
  const end = (offset: number): string => `out-${String(offset).padStart(20, '0')}.csv`
  t.strictSame(readdirSync(folder).sort(), [end(100), end(200), end(300), 'out.csv', 'out.csv.landed'].sort())
  t.equal(readFileSync(join(folder, 'out.csv'), 'utf8'), 'symbol,price,extra\nlast,,\n')
  t.match(readFileSync(join(folder, end(200)), 'utf8'), /^symbol,price,extra\nsymbol 0,0,\n/)
})

await t.test('a file that was put away is begun again for good: a crash before the next flush tears no line', async t => {
  const folder = t.testdir()
  const path = join(folder, 'out.ndjson')
  await put(folder, { path: 'out.ndjson' }, [{ symbol: 'A' }])
  renameSync(path, join(folder, 'yesterday.ndjson'))
  const sink = await open(folder, { path: 'out.ndjson' })
  t.strictSame([...await sink.landed?.({ partition: 0, from: 0, to: 1 }) ?? []], [0])
  await sink.write(at([{ symbol: 'B' }, { symbol: 'C' }], 1))
  // As a killed process leaves it: the sink is closed only after what it left has been taken up.
  await put(folder, { path: 'out.ndjson' }, [{ symbol: 'B' }, { symbol: 'C' }], 1)
  t.equal(readFileSync(path, 'utf8'), '{"symbol":"B"}\n{"symbol":"C"}\n')
  await sink.close()
})

await t.test('what has landed of another topic says nothing about this one', async t => {
  const folder = t.testdir()
  const range = { partition: 0, from: 0, to: 1 }
  await put(folder, { path: 'out.ndjson' }, [{ symbol: 'A' }])
  appendFileSync(join(folder, 'out.ndjson'), '{"symbol":"to')
  const sink = await open(folder, { path: 'out.ndjson' }, { topic: { ...topic, name: 'bars' } })
  t.strictSame([...await sink.landed?.(range) ?? []], [])
  await sink.write(at([{ symbol: 'B' }], 0))
  await sink.flush(range)
  t.strictSame([...await sink.landed?.(range) ?? []], [0])
  await sink.close()
  t.equal(readFileSync(join(folder, 'out.ndjson'), 'utf8'), '{"symbol":"A"}\n{"symbol":"B"}\n')
})

await t.test('each partition of a topic has a file of its own', async t => {
  const folder = t.testdir()
  const context = fakeContext({ topic: { ...topic, partitions: 2 }, dataFolder: folder })
  for (const partition of [0, 1]) {
    const sink = await file.open(configure(file, { path: 'out.ndjson' }), context)
    await sink.write(at([{ symbol: `P${partition}` }], 0, partition))
    await sink.flush({ partition, from: 0, to: 1 })
    await sink.close()
  }
  t.equal(readFileSync(join(folder, 'out-0.ndjson'), 'utf8'), '{"symbol":"P0"}\n')
  t.equal(readFileSync(join(folder, 'out-1.ndjson'), 'utf8'), '{"symbol":"P1"}\n')
})

await t.test('a file has one writer', async t => {
  const folder = t.testdir()
  await put(folder, { path: 'out.ndjson' }, [{ symbol: 'A' }])
  const sink = await open(folder, { path: 'out.ndjson' }, { pipeline: 'other' })
  await t.rejects(sink.write(at([{ symbol: 'B' }], 0)), { code: 'CONFIG_INVALID', message: /written by test test/ })
  await t.rejects(sink.flush({ partition: 0, from: 0, to: 1 }), { code: 'CONFIG_INVALID' }, 'no later call passes over it')
  await sink.close()
})

await t.test('a damaged record is not guessed at', async t => {
  const folder = t.testdir({ 'out.ndjson.landed': '{"bytes":' })
  await t.rejects(put(folder, { path: 'out.ndjson' }, [{ symbol: 'A' }]), { code: 'CONFIG_INVALID', where: join(folder, 'out.ndjson.landed') })
})

await t.test('memory and disk hold what was written, and no more', async t => {
  const folder = t.testdir()
  const wide = fakeTopic('quotes', [field('symbol', { kind: 'string' })])
  const sink = await file.open(configure(file, { path: 'out.ndjson' }), fakeContext({ topic: wide, dataFolder: folder }))
  await sink.write(at(Array.from({ length: 1000 }, () => ({ symbol: 'x'.repeat(1000) })), 0))
  t.ok(statSync(join(folder, 'out.ndjson')).size > 1_000_000, 'a write goes to the file, not to memory')
  await sink.close()
  t.equal(statSync(join(folder, 'out.ndjson')).size, 0)
})
