import { appendFile, mkdir, open, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import fc from '../../properties.ts'
import file from '../../../plugins/inputs/file/index.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext, until } from '../../conform/context.ts'
import { conformInput } from '../../conform/input.ts'
import type { Test } from 'tap'
import type { ValuesColumn } from '../../../runtime/batch.ts'
import type { Json, Row } from '../../../runtime/plugin.ts'
import type { FakeContext } from '../../conform/context.ts'

type Given = Record<string, Json>
let files = 0

for (const format of ['ndjson', 'csv'] as const) {
  await t.test(`${format} conforms`, async t => {
    const rows = (from: number, to: number): string => Array.from({ length: to - from }, (_, i) => format === 'csv' ? `${from + i},é\n` : `{"n":${from + i},"e":"é"}\n`).join('')
    await conformInput(t, {
      plugin: file,
      replays: true,
      async source (t) {
        const path = await made(t, format, format === 'csv' ? 'n,e\n' : '')
        return {
          config: { path, follow: true, poll_ms: 10, batch_rows: 2 },
          produce: (from, to) => appendFile(path, rows(from, to)),
          async malformed () {
            await appendFile(path, format === 'csv' ? '1,"2" 3\n1\n' : '{"n":\n[1]\n')
            return 2
          }
        }
      },
      silent: async t => ({ config: { path: join(t.testdir(), 'none.csv'), follow: true, poll_ms: 10 }, produce () {} }),
      broken: async t => ({ config: { path: join(t.testdir(), `none.${format}`) }, says: /none\.\w+ does not exist.*follow: true/ })
    })
  })
}

await t.test('NDJSON: all fields arrive as they are, in columns that grow', async t => {
  const { rows, rejected } = await readAll(t, 'ndjson', '{"a":1,"b":"x"}\r\n\n{"b":null,"c":[1,{"d":2}]}\n{"a":9007199254740993,"b":"\\ud83d\\ude00","__proto__":5,"constructor":6}\n')
  t.strictSame(rejected, [])
  t.match(rows.slice(0, 2), [{ a: 1, b: 'x', c: null }, { a: null, b: null, c: [1, { d: 2 }] }])
  t.ok(Object.hasOwn(rows[0] as Row, 'constructor'), 'an absent field is null, whatever its name')
  t.match(rows[2], { a: '9007199254740993', b: '😀', constructor: 6 })
})

await t.test('NDJSON: a column may be named __proto__', async t => {
  const path = await made(t, 'ndjson', '{"__proto__":5}\n')
  const context = fakeContext()
  for await (const { batch } of file.read(configure(file, { path }), context)) t.strictSame(Object.values(batch.columns)[0], { kind: 'values', values: [5] })
})

await t.test('NDJSON: what is no row is rejected with its line, and the neighbours arrive', async t => {
  const bad = ['{"n":1', '5', 'null', '[{"n":1}]', '"x"', '{"n":1}{"n":2}', '{"n":1e999}', '{"n":"\\ud800"}', `{"n":${'['.repeat(200)}${']'.repeat(200)}}`, '\u0000', '{"n":12345678901234567,12345678901234567:1}', 'NaN']
  const lines = bad.flatMap((line, i) => [`{"n":${i}}`, line])
  const { rows, rejected, context } = await readAll(t, 'ndjson', `${lines.join('\n')}\n`)
  t.strictSame(rows.map(row => row['n']), bad.map((_, i) => i))
  t.strictSame(rejected.map(({ row }) => (row as Row)['text']), bad)
  t.strictSame(rejected.map(({ row }) => (row as Row)['line']), bad.map((_, i) => 2 * i + 2))
  for (const { reason } of rejected) t.match(reason, /^The line is no JSON object: /)
  t.equal(context.counts['rows_malformed'], bad.length)
})

await t.test('a row that fails leaves nothing behind in the columns', async t => {
  const deep = `${'['.repeat(200)}${']'.repeat(200)}`
  const { rows } = await readAll(t, 'ndjson', `{"n":1}\n{"n":2,"x":1,"y":${deep}}\n{"n":3}\n{"n":4,"y":5}\n`)
  t.strictSame(rows, [{ n: 1, x: null, y: null }, { n: 3, x: null, y: null }, { n: 4, x: null, y: 5 }])
})

await t.test('NDJSON: rows that each bring names of their own end their batch early, and the next one goes on at the next row', async t => {
  const numbers = Array.from({ length: 600 }, (_, n) => n)
  const path = await made(t, 'ndjson', numbers.map(n => `${JSON.stringify(Object.fromEntries([['n', n], ...numbers.slice(0, 10).map(j => [`id_${n}_${j}`, j])]))}\n`).join(''))
  const seen: unknown[] = []
  let checkpoint: Json | undefined
  // Each batch by a reading of its own, from the checkpoint of the one before.
  while (seen.length < numbers.length) {
    const reading = file.read(configure(file, { path }), fakeContext({ checkpoint }))
    const { value } = await reading.next()
    await reading.return()
    if (value === undefined) break
    const columns = Object.values(value.batch.columns) as ValuesColumn[]
    t.ok(columns.length * value.batch.length < 2_100_000, 'the cells are few')
    t.ok(columns.every(({ values }) => values.length === value.batch.length), 'the columns are of one length')
    seen.push(...(value.batch.columns['n'] as ValuesColumn).values)
    checkpoint = value.checkpoint
  }
  t.strictSame(seen, numbers)
})

await t.test('bytes that are no UTF-8 cost their line only', async t => {
  for (const format of ['ndjson', 'csv'] as const) {
    const row = (n: number): string => format === 'csv' ? `${n}\n` : `{"n":${n}}\n`
    const parts = [format === 'csv' ? 'n\n' : '', row(0), Buffer.from([0x22, 0xff, 0xe9, 0x0a]), row(1), 'é', Buffer.from([0xc3, 0x0a]), row(2), row(3), Buffer.from([0x80])]
    const { rows, rejected } = await readAll(t, format, Buffer.concat(parts.map(part => Buffer.from(part))))
    t.strictSame(rows.map(row => Number(row['n'])), [0, 1, 2, 3])
    t.equal(rejected.length, 3)
    for (const { reason } of rejected) t.match(reason, /not UTF-8/)
  }
})

await t.test('a file of one encoding after the other is rejected line by line', async t => {
  const { rows, rejected } = await readAll(t, 'csv', Buffer.concat([Buffer.from('n\n'), Buffer.from('caf\xe9\n'.repeat(5000), 'latin1'), Buffer.from('1\n')]), { batch_rows: 100 })
  t.equal(rows.length, 1)
  t.equal(rejected.length, 5000)
})

await t.test('files that are no UTF-8 text are named', async t => {
  for (const [bytes, name] of [[Buffer.from('\ufeff{"n":1}\n', 'utf16le'), /UTF-16/], [Buffer.from([0x1f, 0x8b, 8, 0]), /gzip/], [Buffer.from('PAR1xxxx'), /Parquet/]] as const) {
    await t.rejects(readAll(t, 'ndjson', bytes), { code: 'CONFIG_INVALID', message: name })
  }
})

await t.test('a byte order mark is passed over', async t => {
  t.strictSame((await readAll(t, 'ndjson', '\ufeff{"n":1}\n')).rows, [{ n: 1 }])
  t.strictSame((await readAll(t, 'csv', '\ufeffn\n1\n')).rows, [{ n: '1' }])
})

await t.test('an empty file has no rows', async t => {
  for (const text of ['', '\n', '\r\n\r\n']) for (const format of ['ndjson', 'csv'] as const) t.strictSame((await readAll(t, format, text)).rows, [])
  t.strictSame((await readAll(t, 'csv', 'n,m\n')).rows, [])
  t.strictSame((await readAll(t, 'csv', 'n,m')).rows, [])
})

await t.test('a line up to the limit arrives, one byte more is rejected, and memory stays where it was', async t => {
  for (const format of ['ndjson', 'csv'] as const) {
    const line = (bytes: number): string => format === 'csv' ? 'x'.repeat(bytes) : `{"n":"${'x'.repeat(bytes - 8)}"}`
    const { rows, rejected } = await readAll(t, format, [...format === 'csv' ? ['n'] : [], line(1000), line(1001), line(999), ''].join('\n'), { line_bytes_max: 1000 })
    t.equal(rows.length, 2)
    t.equal(rejected.length, 1)
    t.match(rejected[0]?.reason, /1001 bytes, more than line_bytes_max \(1000\)/)
  }
  const path = await made(t, 'ndjson', '{"n":1}\n')
  const chunk = Buffer.alloc(4 * 2 ** 20, 'y')
  for (let i = 0; i < 16; i++) await appendFile(path, chunk)
  await appendFile(path, '\n{"n":2}\n')
  const context = fakeContext()
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  const rows: Row[] = []
  for await (const { batch } of file.read(configure(file, { path, line_bytes_max: 2 ** 20 }), context)) {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    rows.push(...batch.rows())
  }
  t.strictSame(rows, [{ n: 1 }, { n: 2 }])
  t.match(context.rejected, [{ reason: /67108864 bytes/, row: { line: 2 } }])
  t.ok(most < 24 * 2 ** 20, `${most} bytes of buffers`)
  t.ok(String((context.rejected[0]?.row as Row)['text']).length <= 100_000)
})

await t.test('a row of 10 MB arrives', async t => {
  const text = 'é'.repeat(5 * 2 ** 20)
  const { rows } = await readAll(t, 'ndjson', `{"n":1}\n${JSON.stringify({ n: 2, text })}\n{"n":3}\n`)
  t.same(rows.map(row => row['n']), [1, 2, 3])
  t.ok(rows[1]?.['text'] === text)
  const csv = await readAll(t, 'csv', `n,text\n1,a\n2,"${'line\n'.repeat(2 ** 20)}"\n3,b\n`)
  t.same(csv.rows.map(row => row['n']), ['1', '2', '3'])
  t.equal((csv.rows[1]?.['text'] as string).length, 5 * 2 ** 20)
})

await t.test('CSV: values stay text, quotes hold delimiters and line ends', async t => {
  const { rows, rejected } = await readAll(t, 'csv', 'a,b\r\n1,\r\n"x,""y""","1\r\n2"\r\n"",z\r\n\r\n007,1e5\r\n')
  t.strictSame(rejected, [])
  t.strictSame(rows, [{ a: '1', b: '' }, { a: 'x,"y"', b: '1\r\n2' }, { a: '', b: 'z' }, { a: '007', b: '1e5' }])
})

await t.test('CSV: bad records are rejected alone', async t => {
  const text = 'a,b\n1,2\n3\n4,5,6\n"7"x,8\n9,1"0\n11,12\n"13,14\n15,"16"\n17,18\n'
  const { rows, rejected } = await readAll(t, 'csv', text)
  t.strictSame(rows.map(row => row['a']), ['1', '11', '15', '17'])
  t.strictSame(rejected.map(({ row }) => (row as Row)['text']), ['3', '4,5,6', '"7"x,8', '9,1"0', '"13,14'])
  t.strictSame(rejected.map(({ row }) => (row as Row)['line']), [3, 4, 5, 6, 8])
})

await t.test('CSV: a quote that never closes costs its line only', async t => {
  const { rows, rejected } = await readAll(t, 'csv', `a,b\n1,"2\n${'3,4\n'.repeat(300)}`, { batch_rows: 50, line_bytes_max: 200 })
  t.equal(rows.length, 300)
  t.match(rejected, [{ reason: /quote is opened and not closed/, row: { text: '1,"2', line: 2 } }])
})

await t.test('CSV: names, delimiter and quote may be given', async t => {
  t.strictSame((await readAll(t, 'csv', '1;2\n', { header: ['a', '__x'], delimiter: ';' })).rows, [{ a: '1', __x: '2' }])
  t.strictSame((await readAll(t, 'csv', 'old,names\n1,2\n', { header: ['a', 'b'], skip_lines: 1 })).rows, [{ a: '1', b: '2' }])
  t.strictSame((await readAll(t, 'csv', "a||b\n'1||2'||3\n", { delimiter: '||', quote: "'" })).rows, [{ a: '1||2', b: '3' }])
  t.strictSame((await readAll(t, 'csv', 'a,b\n"1,2"\n', { quote: '' })).rows, [{ a: '"1', b: '2"' }])
  const path = await made(t, 'tsv', 'a\tb\n1,1\t2\n')
  t.strictSame(await read(path), [{ a: '1,1', b: '2' }])
})

await t.test('CSV: any table written by the rules is read as it was', async t => {
  const value = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r\n', ' ', 'é', '😀') })
  const table = fc.integer({ min: 1, max: 4 }).chain(width => fc.array(fc.array(value, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 8 }))
  await fc.assert(fc.asyncProperty(table, fc.boolean(), fc.constantFrom('\n', '\r\n'), fc.integer({ min: 1, max: 5 }), async (rows, all, lineEnd, batchRows) => {
    const quoted = (text: string): string => all || text === '' || /["\n\r,]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
    const header = (rows[0] as string[]).map((_, i) => `c${i}`)
    const text = [header, ...rows].map(row => row.map(quoted).join(',')).join(lineEnd)
    const { rows: back, rejected } = await readAll(t, 'csv', text, { batch_rows: batchRows })
    t.strictSame(rejected, [])
    t.strictSame(back.map(row => Object.values(row)), rows)
  }), { numRuns: 60 })
})

await t.test('CSV: columns without a name, or two of one name, are refused', async t => {
  await t.rejects(readAll(t, 'csv', 'a,,b\n1,2,3\n'), { code: 'CONFIG_INVALID', message: /Column 2 has no name/ })
  await t.rejects(readAll(t, 'csv', 'a,a\n1,2\n'), { code: 'CONFIG_INVALID', message: /Two columns/ })
})

await t.test('a configuration that cannot work is refused', async t => {
  await t.rejects(read(join(t.testdir(), 'x.bin')), { code: 'CONFIG_INVALID', message: /ending/ })
  await t.rejects(read(t.testdir(), { format: 'csv' }), { code: 'CONFIG_INVALID', message: /no regular file/ })
  await t.rejects(read('x.csv', { delimiter: '"' }), { code: 'CONFIG_INVALID' })
})

await t.test('a reading stops after any batch and goes on at that row, whatever the file holds', async t => {
  const lines = Array.from({ length: 60 }, (_, i) => i % 7 === 3 ? `no row ${i}` : i % 11 === 5 ? `{"n":"${'é'.repeat(90)}"}` : `{"n":${i},"t":"é"}`)
  const path = await made(t, 'ndjson', Buffer.concat([Buffer.from(`${lines.join('\n')}\n`), Buffer.from([0xff, 0x0a]), Buffer.from('{"n":99}')]))
  const given = { path, batch_rows: 4, line_bytes_max: 120 }
  const whole = fakeContext()
  const expected: Row[] = []
  for await (const { batch } of file.read(configure(file, given), whole)) expected.push(...batch.rows())
  const rows: Row[] = []
  const rejected: unknown[] = []
  let checkpoint: Json | undefined
  for (let chunks = 0; ; chunks++) {
    const context = fakeContext({ checkpoint })
    const generator = file.read(configure(file, given), context)
    const { value, done } = await generator.next()
    await generator.return()
    if (done === true) break
    rows.push(...value.batch.rows())
    rejected.push(...context.rejected)
    checkpoint = JSON.parse(JSON.stringify(value.checkpoint)) as Json
    if (chunks > 100) throw new Error('it does not end')
  }
  t.strictSame(rows.map(({ n }) => n), expected.map(({ n }) => n))
  t.strictSame(rejected, whole.rejected)
  t.equal(rejected.length, 14)
})

await t.test('a followed file is waited for, and rows come when their line is complete', async t => {
  const path = join(t.testdir(), 'late.ndjson')
  const reading = follow(path)
  await until(() => reading.context.healths.some(({ state }) => state === 'waiting_for_file'), 'it waits')
  await writeFile(path, '{"n":0}\n{"n":')
  await until(() => reading.rows.length === 1, 'the first row')
  await sleep(40)
  await appendFile(path, '1}\n')
  await until(() => reading.rows.length === 2, 'the second row')
  await reading.stop()
  t.same(reading.rows, [{ n: 0 }, { n: 1 }])
  t.strictSame(reading.context.rejected, [])
})

await t.test('a followed file may be rotated by renaming, without a gap', async t => {
  const path = await made(t, 'ndjson', '{"n":0}\n')
  const writer = await open(path, 'a')
  const reading = follow(path)
  await until(() => reading.rows.length === 1, 'the first row')
  await rename(path, `${path}.1`)
  await writer.write('{"n":1}\n')
  await until(() => reading.rows.length === 2, 'a row behind the renaming')
  await writer.write('{"n":2}')
  await writer.close()
  await writeFile(path, '{"n":3}\n')
  await until(() => reading.rows.length === 4, 'rows of the new file')
  await reading.stop()
  t.same(reading.rows.map(row => row['n']), [0, 1, 2, 3])
})

await t.test('a followed file may be cut off and written again', async t => {
  const path = await made(t, 'ndjson', '{"n":0}\n{"n":1}\n')
  const reading = follow(path)
  await until(() => reading.rows.length === 2, 'the first rows')
  await truncate(path, 0)
  await appendFile(path, '{"n":2}\n')
  await until(() => reading.rows.length === 3, 'a row of the shorter file')
  await writeFile(path, '{"n":3}\n{"n":4}\n{"n":5}\n')
  await until(() => reading.rows.length === 6, 'rows of the longer file')
  await reading.stop()
  t.same(reading.rows.map(row => row['n']), [0, 1, 2, 3, 4, 5])
})

await t.test('a file that was rotated while nobody read is read to its end first', async t => {
  const path = await made(t, 'csv', 'n\n0\n1\n')
  const first = follow(path)
  await until(() => first.rows.length === 2, 'the first rows')
  await first.stop()
  await appendFile(path, '2\n')
  await rename(path, `${path}.1`)
  await writeFile(`${path}.2`, 'n\n7\n')
  await utimes(`${path}.2`, 1, 1)
  await writeFile(path, 'n\n3\n')
  const second = follow(path, first.checkpoint())
  await until(() => second.rows.length === 2, 'the rest and the new file')
  await second.stop()
  t.same(second.rows.map(row => row['n']), ['2', '3'])
  await rm(`${path}.1`)
  const third = follow(path, first.checkpoint())
  await until(() => third.rows.length === 1, 'the new file')
  await third.stop()
  t.match(third.context.logs, [{ level: 'warn' }])
  t.equal(third.context.counts['files_missed'], 1, 'what the old file still held is not known')
})

await t.test('files that were rotated while nobody read are read in the order of their writing', async t => {
  const path = await made(t, 'ndjson', '{"n":0}\n')
  const first = follow(path)
  await until(() => first.rows.length === 1, 'the first row')
  await first.stop()
  const now = Date.now() / 1000
  // The newest number is the oldest file; others in the folder are older, or no rotated files.
  await rename(path, `${path}.3`)
  await appendFile(`${path}.3`, '{"n":1}\n')
  for (const [name, n, age] of [['.2', 2, 30], ['.1', 3, 20], ['.4', 9, 50], ['.bak', 9, 10], ['2', 9, 10]] as const) {
    await writeFile(`${path}${name}`, `{"n":${n}}\n`)
    await utimes(`${path}${name}`, now - age, now - age)
  }
  await utimes(`${path}.3`, now - 40, now - 40)
  await writeFile(path, '{"n":4}\n')
  const second = follow(path, first.checkpoint())
  await until(() => second.rows.length === 4, 'the rest, the files between, and the new one')
  await second.stop()
  t.same(second.rows.map(row => row['n']), [1, 2, 3, 4])
  t.equal(second.context.counts['files_missed'], undefined)
  t.same(second.context.logs.filter(({ level }) => level === 'warn'), [])
})

await t.test('a rotated file that cannot be placed is warned of and counted', async t => {
  const path = await made(t, 'ndjson', '{"n":0}\n')
  const first = follow(path)
  await until(() => first.rows.length === 1, 'the first row')
  await first.stop()
  await rename(path, `${path}.3`)
  for (const [name, age] of [['.3.gz', 40], ['.2.gz', 30], ['.1', 40]] as const) {
    await writeFile(`${path}${name}`, 'x')
    await utimes(`${path}${name}`, 1e9 - age, 1e9 - age)
  }
  await utimes(`${path}.3`, 1e9 - 40, 1e9 - 40)
  await writeFile(path, '{"n":1}\n')
  const second = follow(path, first.checkpoint())
  await until(() => second.rows.length === 1, 'the new file')
  await second.stop()
  t.same(second.rows, [{ n: 1 }])
  t.equal(second.context.counts['files_missed'], 2, 'one compressed, one of the same moment')
  t.match(second.context.logs, [{ level: 'warn', fields: { missed: `${path}.1` } }, { level: 'warn', fields: { missed: `${path}.2.gz` } }])
})

await t.test('another file under the same path is read from its beginning', async t => {
  const path = await made(t, 'ndjson', '{"n":0}\n')
  const context = fakeContext()
  let checkpoint: Json | undefined
  for await (const chunk of file.read(configure(file, { path }), context)) checkpoint = chunk.checkpoint
  t.same(await read(path, {}, checkpoint), [], 'nothing new')
  await appendFile(path, '{"n":1}\n')
  t.same(await read(path, {}, checkpoint), [{ n: 1 }])
  await writeFile(path, '{"n":8}\n{"n":9}\n')
  t.same(await read(path, {}, checkpoint), [{ n: 8 }, { n: 9 }])
})

await t.test('the connection test tells whether the file can be read', async t => {
  const path = await made(t, 'csv', 'a\n')
  await t.resolves(file.probe?.(configure(file, { path }), fakeContext()) as Promise<void>)
  await t.rejects(file.probe?.(configure(file, { path: `${path}.csv` }), fakeContext()) as Promise<void>, { code: 'SOURCE_UNAVAILABLE' })
  await t.resolves(file.probe?.(configure(file, { path: `${path}.csv`, follow: true }), fakeContext()) as Promise<void>)
})

async function made (t: Test, ending: string, content: string | Buffer): Promise<string> {
  const folder = t.testdirName
  await mkdir(folder, { recursive: true })
  const path = join(folder, `${files++}.${ending}`)
  await writeFile(path, content)
  t.teardown(() => rm(path, { force: true }))
  return path
}

async function readAll (t: Test, ending: string, content: string | Buffer, given: Given = {}): Promise<{ rows: Row[], rejected: FakeContext['rejected'], context: FakeContext }> {
  const context = fakeContext()
  const rows: Row[] = []
  const config = configure(file, { path: await made(t, ending, content), ...given })
  for await (const { batch } of file.read(config, context)) rows.push(...batch.rows())
  return { rows, rejected: context.rejected, context }
}

async function read (path: string, given: Given = {}, checkpoint?: Json): Promise<Row[]> {
  const rows: Row[] = []
  for await (const { batch } of file.read(configure(file, { path, ...given }), fakeContext({ checkpoint }))) rows.push(...batch.rows())
  return rows
}

/** A reading in the background. */
function follow (path: string, checkpoint?: Json): { rows: Row[], context: FakeContext, checkpoint (): Json | undefined, stop (): Promise<void> } {
  const context = fakeContext({ checkpoint })
  const rows: Row[] = []
  let last = checkpoint
  const work = (async () => {
    for await (const chunk of file.read(configure(file, { path, follow: true, poll_ms: 10 }), context)) {
      rows.push(...chunk.batch.rows())
      last = chunk.checkpoint
    }
  })()
  return {
    rows,
    context,
    checkpoint: () => last,
    async stop () {
      context.stop()
      await work
    }
  }
}
