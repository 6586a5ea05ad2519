import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import t from 'tap'
import file from '../../../plugins/inputs/file/index.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext } from '../../conform/context.ts'
import { nothing, numbersIn, run, runOnce, upTo } from './file-driver.ts'
import type { Row } from '../../../runtime/plugin.ts'

const lines = (from: number, to: number): string => Array.from({ length: to - from }, (_, i) => `{"n":${from + i}}\n`).join('')
const csv = (from: number, to: number): string => `n,t\n${Array.from({ length: to - from }, (_, i) => `${from + i},é\n`).join('')}`
const array = (from: number, to: number): string => JSON.stringify(Array.from({ length: to - from }, (_, i) => ({ n: from + i, t: 'a"]}\\,' })), null, 1)

const damaged: ReadonlyArray<readonly [string, () => Buffer | string, RegExp, (() => Buffer | string)?]> = [
  ['cut.ndjson.gz', () => gzipSync(lines(2, 20_000)).subarray(0, 30_000), /cut\.ndjson\.gz is damaged: its gzip data.*byte \d+.*ends in the middle/, () => gzipSync(lines(2, 20_000))],
  ['cut.csv.zst', () => zstdCompressSync(csv(2, 20_000)).subarray(0, -5), /zstd data.*ends in the middle/, () => zstdCompressSync(csv(2, 20_000))],
  ['member.ndjson.gz', () => Buffer.concat([gzipSync(lines(2, 100)), Buffer.alloc(1), gzipSync(lines(100, 20_000)).subarray(1)]), /other bytes behind its end/, () => gzipSync(lines(2, 20_000))],
  ['flipped.ndjson.gz', () => flipped(gzipSync(lines(2, 20_000)), 35_000), /gzip data/, () => gzipSync(lines(2, 20_000))],
  ['checksum.csv.zst', () => flipped(checkedZstd(csv(2, 20_000)), -1), /zstd data/, () => checkedZstd(csv(2, 20_000))],
  ['behind.ndjson.zst', () => Buffer.concat([zstdCompressSync(lines(2, 20_000)), Buffer.from('junk')]), /other bytes behind its end/, () => zstdCompressSync(lines(2, 20_000))],
  ['cut.json', () => array(2, 20_000).slice(0, -20), /no JSON document.*ends in the middle, at byte \d+/, () => array(2, 20_000)],
  ['two.json', () => `${array(2, 4)}[]`, /something behind the end/],
  ['comma.json', () => '[{"n":2}{"n":3}]', /no comma between two rows/],
  ['utf16.csv', () => Buffer.from('\ufeffn\n1\n', 'utf16le'), /UTF-16/],
  ['parquet.csv', () => 'PAR1xxxxxxxxPAR1', /footer|damaged/],
  ['double.csv', () => 'n,n\n1,2\n', /Two columns have the name "n"/],
  ['short.parquet', () => 'PAR1', /no whole Parquet file: it has 4 bytes/],
  ['page.parquet', () => '<html><body>Not found</body></html>', /does not begin with PAR1/],
  ['no-ending', () => 'x', /ending of .*no-ending does not say/]
]

await t.test('a bad file stops the run with its name and place, and the next run goes on there once it is whole', async t => {
  for (const [name, content, says, repaired] of damaged) {
    const folder = t.testdir({ '0.ndjson': lines(0, 2), [`1-${name}`]: content(), '2.ndjson': lines(20_000, 20_002) })
    const given = { path: join(folder, '*') }
    const durable = nothing()
    for (let i = 0; i < 2; i++) await t.rejects(runOnce(file, given, durable), { code: 'FILE_REFUSED', message: says, remedy: /bad_file: skip/ }, name)
    const before = durable.rows.length
    t.ok(before >= 2, 'the rows before it are kept')
    if (/\.(?:gz|zst)$/.test(name)) t.equal(before, 2, `nothing is taken of ${name}`)
    if (repaired === undefined) continue
    await writeFile(join(folder, `1-${name}`), repaired())
    await runOnce(file, given, durable)
    t.strictSame(numbersIn(durable), upTo(20_002), name)
    t.ok(before < 20_000, name)
  }
})

await t.test('verify: false takes the rows before the place where a compressed file breaks off, and goes on there', async t => {
  const whole = gzipSync(lines(2, 20_000))
  const folder = t.testdir({ '0.ndjson': lines(0, 2), '1.ndjson.gz': whole.subarray(0, 30_000), '2.ndjson': lines(20_000, 20_002) })
  const given = { path: join(folder, '*'), verify: false }
  const durable = nothing()
  for (let i = 0; i < 2; i++) await t.rejects(runOnce(file, given, durable), { code: 'FILE_REFUSED', message: /ends in the middle.*taken up to line/ })
  const before = durable.rows.length
  t.ok(before > 2 && before < 20_000, `${before} rows`)
  // Now it is verified, and nothing more is taken; what was taken is not forgotten when it is passed over.
  const skipping = { path: given.path, bad_file: 'skip' }
  await runOnce(file, skipping, durable)
  t.equal(durable.rows.length, before + 2, 'nothing but the file behind it')
  await writeFile(join(folder, '1.ndjson.gz'), whole)
  await runOnce(file, skipping, durable)
  t.strictSame(numbersIn(durable).sort((a, b) => a - b), upTo(20_002))
})

await t.test('bytes flipped anywhere in a gzip file: nothing is taken of it, and each row once when it is repaired', async t => {
  // Stored, not deflated: a flipped bit makes another digit, and only the checksum at the end tells.
  const whole = gzipSync(lines(0, 20_000), { level: 0 })
  for (const place of [0.1, 0.5, 0.9]) {
    const bad = Buffer.from(whole)
    const at = bad.indexOf('0}', Math.floor(place * bad.length))
    bad[at] = 0x31
    const folder = t.testdir({ 'a.ndjson.gz': bad })
    const given = { path: join(folder, '*'), batch_rows: 1000 }
    const durable = nothing()
    await t.rejects(runOnce(file, given, durable), { code: 'FILE_REFUSED', message: /gzip data.*incorrect data check.*Nothing was taken of it/ })
    t.strictSame(durable.rows, [])
    await runOnce(file, { ...given, bad_file: 'skip' }, durable)
    t.strictSame(durable.rows, [])
    t.match(durable.rejected, [{ row: { file: join(folder, 'a.ndjson.gz') }, reason: /incorrect data check/ }])
    await writeFile(join(folder, 'a.ndjson.gz'), whole)
    const context = await runOnce(file, given, durable, { chunks: 3 })
    t.match(context.healths.map(({ state }) => state), ['reading', 'verifying', 'reading'])
    t.equal(durable.rows.length, 3000)
    const resumed = await runOnce(file, given, durable)
    t.strictSame(numbersIn(durable), upTo(20_000))
    t.notOk(resumed.healths.some(({ state }) => state === 'verifying'), 'a run that goes on does not verify again')
  }
})

await t.test('a stop ends the verification of a file, of which nothing is taken then', async t => {
  const folder = t.testdir({ 'a.ndjson.gz': gzipSync(lines(0, 200_000)) })
  const context = fakeContext({ run })
  const reading = file.read(configure(file, { path: join(folder, '*') }), { ...context, health: ({ state }) => { if (state === 'verifying') context.stop() } })
  const chunks = []
  for await (const chunk of reading) chunks.push(chunk)
  t.strictSame(chunks, [])
})

await t.test('bad_file: skip rejects the file with the reason and takes the others', async t => {
  const entries = Object.fromEntries(damaged.map(([name, content]) => [`1-${name}`, content()]))
  const folder = t.testdir({ ...entries, '0.ndjson': lines(0, 2), '2.ndjson': lines(20_000, 20_002) })
  const durable = nothing()
  const context = await runOnce(file, { path: join(folder, '*'), bad_file: 'skip' }, durable)
  t.equal(context.counts['files_skipped'], damaged.length)
  for (const [name, , says] of damaged) t.ok(durable.rejected.some(({ row, reason }) => String((row as Row)['file']).endsWith(`1-${name}`) && says.test(reason)), name)
  t.strictSame(numbersIn(durable).slice(-2), [20_000, 20_001])
  const rows = durable.rows.length
  await runOnce(file, { path: join(folder, '*'), bad_file: 'skip' }, durable)
  t.equal(durable.rows.length, rows, 'it is not tried again while it is the same')
})

/** `at`: from the end where it is negative. */
function flipped (bytes: Buffer, at: number): Buffer {
  return Buffer.from(bytes.with(at, (bytes.at(at) as number) ^ 0xff))
}

function checkedZstd (text: string): Buffer {
  return zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })
}
