import { appendFile, mkdir, rename, rm, symlink, truncate, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import t from 'tap'
import file from '../../../plugins/inputs/file/index.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext } from '../../conform/context.ts'
import { conformInput } from '../../conform/input.ts'
import { memoryFolder } from '../../runtime/destination.ts'
import { nothing, numbersIn, run, runOnce, upTo } from './file-driver.ts'
import type { Test } from 'tap'
import type { Json, Row } from '../../../runtime/plugin.ts'
import type { Durable } from './file-driver.ts'

type Given = Record<string, Json>

const lines = (from: number, to: number): string => Array.from({ length: to - from }, (_, i) => `{"n":${from + i}}\n`).join('')
const csv = (from: number, to: number): string => `n,t\n${Array.from({ length: to - from }, (_, i) => `${from + i},é\n`).join('')}`
const array = (from: number, to: number): string => JSON.stringify(Array.from({ length: to - from }, (_, i) => ({ n: from + i, t: 'a"]}\\,' })), null, 1)

await t.test('a followed glob conforms', async t => {
  await conformInput(t, {
    plugin: file,
    replays: true,
    async source (t) {
      const folder = t.testdir()
      let files = 0
      // Files come whole: written under a name that does not match, then renamed.
      const put = async (content: string): Promise<void> => {
        const name = String(files++).padStart(6, '0')
        await writeFile(join(folder, `${name}.part`), content)
        await rename(join(folder, `${name}.part`), join(folder, `${name}.ndjson`))
      }
      return {
        config: { path: join(folder, '*.ndjson'), follow: true, poll_ms: 10, batch_rows: 2 },
        produce: (from, to) => put(lines(from, to)),
        async malformed () {
          await put('{"n":\n[1]\n')
          return 2
        }
      }
    },
    silent: async t => ({ config: { path: join(t.testdir(), '*.csv'), follow: true, poll_ms: 10 }, produce () {} }),
    broken: async t => ({ config: { path: join(t.testdir(), 'none', '*.csv') }, says: /folder .*none.* does not exist/ })
  })
})

await t.test('a run takes every file that matches once, by name, and ends; the next one takes what is new', async t => {
  const folder = t.testdir({ 'b.ndjson': lines(2, 4), 'a.csv': csv(0, 2), 'c.json': array(4, 6), 'd.txt': 'no row', '.hidden.csv': csv(9, 10), deeper: { 'e.ndjson.gz': gzipSync(lines(6, 8)) } })
  const durable = nothing()
  const given = { path: join(folder, '**/*.{csv,json,ndjson,ndjson.gz}'), file_field: 'source_file' }
  await runOnce(file, given, durable)
  t.strictSame(numbersIn(durable), upTo(8))
  t.match(durable.rows[0], { n: '0', t: 'é', source_file: join(folder, 'a.csv') })
  t.match(durable.rows[6], { n: 6, source_file: join(folder, 'deeper/e.ndjson.gz') })
  await runOnce(file, given, durable)
  t.equal(durable.rows.length, 8, 'nothing is taken twice')
  await writeFile(join(folder, 'aa.csv'), csv(8, 9))
  await runOnce(file, given, durable)
  t.strictSame(numbersIn(durable), upTo(9), 'also a name in between')
})

const contents: ReadonlyArray<readonly [string, (from: number, to: number) => string | Buffer]> = [
  ['csv', csv], ['ndjson', lines], ['json', array],
  ['csv.gz', (from, to) => gzipSync(csv(from, to))],
  ['ndjson.gz', (from, to) => Buffer.concat([gzipSync(lines(from, from + 7)), gzipSync(lines(from + 7, to))])],
  ['ndjson.zst', (from, to) => Buffer.concat([zstdCompressSync(lines(from, from + 7)), zstdCompressSync(lines(from + 7, to))])],
  ['json.zst', (from, to) => zstdCompressSync(array(from, to))]
]

await t.test('a run that dies anywhere is gone on with in the middle of the file, and no row is lost or doubled', async t => {
  for (const [ending, content] of contents) {
    const folder = t.testdir({ [`a.${ending}`]: content(0, 20), [`b.${ending}`]: content(20, 33), [`c.${ending}`]: content(33, 50) })
    const durable = nothing()
    let runs = 0
    for (let chunks = 1; durable.rows.length < 50 && runs < 60; chunks = chunks % 4 + 1, runs++) {
      await runOnce(file, { path: join(folder, '*'), batch_rows: 3 }, durable, { chunks })
    }
    await runOnce(file, { path: join(folder, '*'), batch_rows: 3 }, durable)
    t.strictSame(numbersIn(durable), upTo(50), ending)
    t.ok(runs > 5, `${ending}: ${runs} runs`)
  }
})

await t.test('a file that has grown is gone on with where it ended, in every format', async t => {
  for (const [ending, content] of contents) {
    const folder = t.testdir({ [`a.${ending}`]: content(0, 10) })
    const durable = nothing()
    const given = { path: join(folder, '*'), batch_rows: 4 }
    await runOnce(file, given, durable)
    await writeFile(join(folder, `a.${ending}`), content(0, 25))
    await runOnce(file, given, durable)
    await runOnce(file, given, durable)
    t.strictSame(numbersIn(durable), upTo(25), ending)
  }
})

await t.test('a file that was only touched is not taken again, and one with another beginning as a whole', async t => {
  const folder = t.testdir({ 'a.csv': csv(0, 3) })
  const path = join(folder, 'a.csv')
  const durable = nothing()
  await runOnce(file, { path }, durable)
  await utimes(path, 1, 1)
  await runOnce(file, { path }, durable)
  t.strictSame(numbersIn(durable), [0, 1, 2])
  await writeFile(path, csv(7, 10))
  const context = await runOnce(file, { path }, durable)
  t.strictSame(numbersIn(durable), [0, 1, 2, 7, 8, 9])
  t.match(context.logs, [{ message: /changed, and is taken again as a whole/ }])
})

await t.test('changed: ignore takes nothing more of a changed file, and error ends the run', async t => {
  const folder = t.testdir({ 'a.csv': csv(0, 3), 'b.csv': csv(3, 5) })
  const durable = nothing()
  const path = join(folder, '*.csv')
  await runOnce(file, { path }, durable)
  await appendFile(join(folder, 'a.csv'), '9,x\n')
  await runOnce(file, { path, changed: 'ignore' }, durable)
  t.strictSame(numbersIn(durable), upTo(5))
  await t.rejects(runOnce(file, { path, changed: 'error' }, durable), { code: 'FILE_REFUSED', message: /a\.csv was taken, and has changed since/ })
})

await t.test('a last line that was no whole one costs that line only', async t => {
  const folder = t.testdir({ 'a.ndjson': '{"n":0}\n{"n":1}' })
  const durable = nothing()
  const given = { path: join(folder, 'a.ndjson') }
  await runOnce(file, given, durable)
  await appendFile(join(folder, 'a.ndjson'), '\n{"n":2}\n{"n":3}')
  await runOnce(file, given, durable)
  t.strictSame(numbersIn(durable), upTo(4), 'the line end came later')
  await appendFile(join(folder, 'a.ndjson'), '44}\n{"n":4}\n')
  await runOnce(file, given, durable)
  t.strictSame(numbersIn(durable), upTo(5))
  t.match(durable.rejected, [{ row: { line: 4, text: '44}' }, reason: /goes on behind a part of it/ }])
})

await t.test('a line that is being written while the file is read is taken when it is complete', async t => {
  const folder = t.testdir({ 'a.ndjson': lines(0, 4) + '{"n":4' })
  const durable = nothing()
  const path = join(folder, 'a.ndjson')
  await runOnce(file, { path, batch_rows: 2 }, durable, { onChunk: async ({ appends }) => { if (appends === 1) await appendFile(path, '}\n{"n":5}\n') } })
  await runOnce(file, { path }, durable)
  t.strictSame(numbersIn(durable), upTo(6))
  t.strictSame(durable.rejected, [])
})

await t.test('bad rows are rejected alone, in every format', async t => {
  const folder = t.testdir({
    'a.csv': 'n,t\n0,a\n1\n2,b\nx,y,z\n3,c\n',
    'b.ndjson': '{"n":4}\nnope\n{"n":5}\n',
    'c.json': '[{"n":6}, 7, {"n":1e999}, {"n":7} , {"n" 8}, [], {"n":8}]'
  })
  const durable = nothing()
  const context = await runOnce(file, { path: join(folder, '*') }, durable)
  t.strictSame(numbersIn(durable), [0, 2, 3, 4, 5, 6, 7, 8])
  t.strictSame(durable.rejected.map(({ row }) => (row as Row)['text']), ['1', 'x,y,z', 'nope', '7', '{"n":1e999}', '{"n" 8}', '[]'])
  t.equal(context.counts['rows_malformed'], 7)
})

await t.test('JSON: the array is found by its place, numbers keep their digits, and the rest may be anything', async t => {
  const folder = t.testdir({ 'a.json': '\ufeff{"meta":{"data":[1,{"x":"]}"}],"n":1.5e3},"a/b":[0,{"data":[{"n":9007199254740993,"p":0.10000000000000000001}, {"n":1}\n] , "more":[[]]}],"z":"\\"}"}\n' })
  const durable = nothing()
  await runOnce(file, { path: join(folder, '*.json'), rows_at: '/a~1b/1/data' }, durable)
  t.strictSame(durable.rows, [{ n: '9007199254740993', p: '0.10000000000000000001' }, { n: 1, p: null }])
  await t.rejects(runOnce(file, { path: join(folder, '*.json'), rows_at: '/meta/rows' }, nothing()), { message: /no member "rows", at byte \d+/ })
  await t.rejects(runOnce(file, { path: join(folder, '*.json'), rows_at: '/meta/n' }, nothing()), { message: /no array at \/meta\/n/ })
  await t.rejects(runOnce(file, { path: join(folder, '*.json'), rows_at: 'meta' }, nothing()), { code: 'CONFIG_INVALID' })
})

await t.test('a file that is gone, or becomes shorter while it is read, is named', async t => {
  const folder = t.testdir({ 'a.ndjson': lines(0, 200_000), 'b.ndjson': lines(200_000, 200_003) })
  const given = { path: join(folder, '*.ndjson') }
  const durable = nothing()
  await t.rejects(runOnce(file, given, durable, { onChunk: ({ appends }) => appends === 1 ? truncate(join(folder, 'a.ndjson'), 100_000) : undefined }), { code: 'FILE_REFUSED', message: /a\.ndjson became shorter while it was read/ })
  const taken = durable.rows.length
  await unlink(join(folder, 'a.ndjson'))
  const context = await runOnce(file, given, durable)
  t.match(context.logs, [{ level: 'warn', message: /gone before it was read to its end/ }])
  t.strictSame(numbersIn(durable), [...upTo(taken), 200_000, 200_001, 200_002])
  // It comes back: what was taken of it is still known.
  await writeFile(join(folder, 'a.ndjson'), lines(0, 200_000))
  await runOnce(file, given, durable)
  t.strictSame(numbersIn(durable).sort((a, b) => a - b), upTo(200_003))
})

await t.test('names of any letters, empty files, folders and links are no trouble', async t => {
  const names = ['a b', 'ü€😀', 'per%20cent', '[x]', 'new\nline', "quote'", '{a,b}', 'back\\slash', '-dash', '..two']
  const folder = t.testdir({ 'empty.csv': '', 'empty.json': '', 'empty.parquet': '', 'a-folder.csv': { 'x.csv': csv(90, 91) } })
  for (const [i, name] of names.entries()) await writeFile(join(folder, `${name}.csv`), csv(i, i + 1))
  await mkdir(join(folder, 'elsewhere'))
  await writeFile(join(folder, 'elsewhere/f.dat'), csv(names.length, names.length + 1))
  await symlink(join(folder, 'elsewhere/f.dat'), join(folder, 'link.csv'))
  await symlink(folder, join(folder, 'circle.csv'))
  await symlink(join(folder, 'nowhere'), join(folder, 'broken.csv'))
  const durable = nothing()
  await runOnce(file, { path: join(folder, '*.{csv,json,parquet}') }, durable)
  // A name that begins with a dot is hidden.
  t.strictSame(numbersIn(durable).sort((a, b) => a - b), upTo(names.length + 1).filter(n => n !== 9))
  for (const [i, name] of names.entries()) {
    const one = nothing()
    await runOnce(file, { path: join(folder, `${name}.csv`) }, one)
    t.strictSame(numbersIn(one), [i], `a path may be ${JSON.stringify(name)}`)
  }
})

await t.test('what cannot work is told', async t => {
  const folder = t.testdir({ 'a.csv': csv(0, 1), 'b.csv': csv(1, 2) })
  await t.rejects(runOnce(file, { path: folder }, nothing()), { code: 'CONFIG_INVALID', message: /no regular file/, remedy: /folder\/\*\.csv/ })
  await t.rejects(runOnce(file, { path: join(folder, 'x.csv') }, nothing()), { code: 'SOURCE_UNAVAILABLE', message: /does not exist/ })
  await t.rejects(runOnce(file, { path: join(folder, '[.csv') }, nothing()), { code: 'CONFIG_INVALID', message: /bracket \[ is not closed/ })
  await t.rejects(runOnce(file, { path: join(folder, '*.csv'), files_max: 1 }, nothing()), { code: 'CONFIG_INVALID', message: /More than 1 files match/ })
  await t.rejects(runOnce(file, { path: join(folder, '*.csv'), file_field: 't' }, nothing()), { message: /has a field t of its own/ })
  const none = await runOnce(file, { path: join(folder, '*.parquet') }, nothing())
  t.match(none.logs, [{ level: 'warn', message: 'No file matches' }])
  const followed: Durable = { ...nothing(), checkpoint: { inode: '1', offset: 3 } }
  await t.rejects(runOnce(file, { path: join(folder, '*.csv') }, followed), { code: 'CONFIG_INVALID', message: /has followed one file/ })
  const taken = nothing()
  await runOnce(file, { path: join(folder, 'a.csv') }, taken)
  await t.rejects(runOnce(file, { path: join(folder, 'a.csv') }, taken, { run: null }), { code: 'CONFIG_INVALID', message: /has taken whole files/ })
})

await t.test('a file that was written to just now is left for later where settle_seconds says so', async t => {
  const folder = t.testdir({ 'a.csv': csv(0, 2), 'b.csv': csv(2, 4) })
  // The clock of a test stands still, in 2024.
  await utimes(join(folder, 'a.csv'), 1e9, 1e9)
  const durable = nothing()
  await runOnce(file, { path: join(folder, '*.csv'), settle_seconds: 60 }, durable)
  t.strictSame(numbersIn(durable), [0, 1])
})

await t.test('5,000 small files are taken in few appends, once, with small checkpoints, also when runs die', async t => {
  const folder = memoryFolder(t)
  const count = 5000
  await Promise.all(Array.from({ length: count }, (_, i) => writeFile(join(folder, `${String(i).padStart(5, '0')}.ndjson`), lines(2 * i, 2 * i + 2))))
  const durable = nothing()
  const given = { path: join(folder, '*.ndjson'), batch_rows: 1500 }
  for (const chunks of [4, Infinity]) await runOnce(file, given, durable, { chunks })
  t.strictSame(numbersIn(durable), upTo(2 * count))
  t.ok(durable.appends < 40, `${durable.appends} appends`)
  t.ok(durable.checkpointMax < 30_000, `${durable.checkpointMax} characters`)
  t.ok(durable.producers.size > 0, 'the others are in pages')
  // One page that a crash left behind, which no checkpoint counts, changes nothing.
  durable.producers.set('test.files.0.1', { id: 'other', files: '' })
  await rm(join(folder, '00000.ndjson'))
  await writeFile(join(folder, '00001.ndjson'), lines(2, 5))
  await runOnce(file, given, durable)
  t.strictSame(numbersIn(durable).slice(2 * count), [4])
})

await t.test('a backfill begins with nothing and leaves what other runs have taken alone', async t => {
  const folder = t.testdir()
  await Promise.all(Array.from({ length: 600 }, (_, i) => writeFile(join(folder, `${String(i).padStart(3, '0')}.csv`), csv(i, i + 1))))
  const given = { path: join(folder, '*.csv') }
  const durable = nothing()
  await runOnce(file, given, durable)
  const backfill: Durable = { ...nothing(), producers: durable.producers }
  await runOnce(file, given, backfill, { run: { ...run, id: 'run-2', kind: 'backfill' } })
  t.strictSame(numbersIn(backfill), upTo(600))
  await runOnce(file, given, durable)
  t.strictSame(numbersIn(durable), upTo(600))
})

await t.test('files that are gone are forgotten where more than files_max were seen', async t => {
  const folder = t.testdir()
  const durable = nothing()
  const given = { path: join(folder, '*.csv'), files_max: 3 }
  for (let i = 0; i < 6; i++) {
    await writeFile(join(folder, `${i}.csv`), csv(i, i + 1))
    await runOnce(file, given, durable)
    await rm(join(folder, `${i - 2}.csv`), { force: true })
  }
  t.strictSame(numbersIn(durable), upTo(6))
  await writeFile(join(folder, '5.csv'), csv(5, 7))
  await runOnce(file, given, durable)
  t.strictSame(numbersIn(durable), upTo(7), 'those that are there are not')
})

await t.test('the connection test looks for the folder', async t => {
  const folder = t.testdir({ 'a.csv': csv(0, 1) })
  await t.resolves(probe(t, { path: join(folder, '*.csv') }))
  await t.rejects(probe(t, { path: join(folder, 'none/*.csv') }), { code: 'SOURCE_UNAVAILABLE' })
})

async function probe (_: Test, given: Given): Promise<void> {
  await file.probe?.(configure(file, given), fakeContext())
}
