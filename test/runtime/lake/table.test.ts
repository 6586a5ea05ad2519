import { readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openObjects } from '../../../runtime/objects/open.ts'
import { FULL_EVERY, commitName } from '../../../runtime/lake/commit.ts'
import { openLakeTable } from '../../../runtime/lake/table.ts'
import { accessKey, s3Missing, S3Server, secretKey } from '../../s3/server.ts'
import { memoryFolder } from '../destination.ts'
import type { Test } from 'tap'
import type { Objects } from '../../../runtime/objects/objects.ts'
import type { LakeFile } from '../../../runtime/lake/manifest.ts'

t.setTimeout(300_000)

const hour = 3_600_000
const noon = Date.UTC(2024, 0, 2, 12)
const nowhere = { endpoint: null, region: null, pathStyle: null, accessKey: null, secretKey: null, requestMs: 20_000 }

function file (from: number, to: number, more: Partial<LakeFile> = {}): LakeFile {
  const ingest = { from: noon + from, to: noon + to - 1 }
  return { name: `quotes/date=2024-01-02/quotes-${more.partition ?? 0}-${from}-${to}`, rows: to - from, bytes: 100, sha256: 'ab', partition: 0, from, to, ingest, event: ingest, days: { '2024-01-02': to - from }, schema: 'x', ...more }
}

async function folder (dataFolder: string): Promise<Objects> {
  const objects = await openObjects({ address: 'lake', dataFolder, owner: 'test.', store: nowhere })
  await objects.check()
  return objects
}

const ranges = (files: readonly LakeFile[]): string[] => files.map(({ partition, from, to }) => `${partition}:${from}-${to}`)

/** Two writers with tables of their own; each makes the same files of a partition of its own, and both the shared ones. */
async function race (t: Test, objects: Objects, commits: number): Promise<void> {
  const writers = [0, 1].map(partition => ({ partition, table: openLakeTable(objects, 'quotes') }))
  await Promise.all(writers.map(async ({ partition, table }) => {
    for (let i = 0; i < commits; i++) {
      await table.commit({ add: [file(i * 10, i * 10 + 10, { partition })] })
      // Both tell of the same rows: one of them gets them in.
      await table.commit({ add: [file(i * 10, i * 10 + 10, { partition: 2 })] })
    }
  }))
  const { seq, files } = await openLakeTable(objects, 'quotes').read()
  t.equal(seq, commits * 3, 'each commit has a number of its own, and no repetition has one')
  t.strictSame(ranges(files), [0, 1, 2].flatMap(p => Array.from({ length: commits }, (_, i) => `${p}:${i * 10}-${i * 10 + 10}`)), 'each row once')
}

await t.test('of two writers that race 100 times exactly one gets each number, and no row is there twice', async t => {
  await race(t, await folder(memoryFolder(t)), 100)
})

await t.test('so it is in a store', { skip: s3Missing }, async t => {
  const dataFolder = t.testdir()
  const server = await S3Server.start(join(dataFolder, 's3'), 'bucket')
  t.teardown(() => server.kill())
  const objects = await openObjects({ address: 's3://bucket/lake', dataFolder, owner: 'test.', store: { ...nowhere, endpoint: server.endpoint, accessKey, secretKey } })
  t.teardown(() => objects.close())
  await objects.check()
  await race(t, objects, 25)
})

await t.test('a commit that is repeated adds nothing, also when its rows lie in a larger file by now', async t => {
  const table = openLakeTable(await folder(t.testdir()), 'quotes')
  await table.commit({ add: [file(0, 10), file(10, 20)] })
  t.equal((await table.commit({ add: [file(0, 10), file(10, 20)] })).seq, 1)
  const swap = { add: [file(0, 20)], remove: [file(0, 10).name, file(10, 20).name] }
  t.strictSame(ranges((await table.commit(swap)).files), ['0:0-20'])
  t.equal((await table.commit(swap)).seq, 2, 'a swap, too')
  t.strictSame((await table.read()).removed.map(({ name }) => name), swap.remove, 'what was removed is remembered until its bytes are gone')
  t.equal((await table.commit({ add: [file(10, 20)] })).seq, 2)
  t.strictSame(ranges((await table.commit({ add: [file(10, 20), file(20, 30)] })).files), ['0:0-20', '0:20-30'])
  t.strictSame((await table.commit({ forget: swap.remove })).removed, [])
})

await t.test('what does not fit the list is refused, and changes nothing', async t => {
  const table = openLakeTable(await folder(t.testdir()), 'quotes')
  await table.commit({ add: [file(0, 10), file(20, 30)] })
  const refused = { code: 'LAKE_CONFLICT' }
  await t.rejects(table.commit({ add: [file(5, 15)] }), { ...refused, message: /holds offsets that .* holds, too/, remedy: /another folder/ })
  await t.rejects(table.commit({ add: [file(0, 30)] }), refused)
  await t.rejects(table.commit({ add: [file(0, 10, { ingest: { from: noon + hour, to: noon + 2 * hour } })] }), refused, 'the rows of a topic that was made anew')
  await t.rejects(table.commit({ remove: ['quotes/other'] }), { ...refused, message: /not in the list/ })
  await t.rejects(table.commit({ add: [file(0, 10)], remove: [file(20, 30).name] }), refused)
  for (const odd of [file(40, 40), file(40, 50, { rows: 11 }), file(40, 50, { name: 'other/x' })]) await t.rejects(table.commit({ add: [odd] }), refused)
  t.equal((await table.read()).seq, 1)
})

await t.test('a table that read before sees what others commit, and old commits go', async t => {
  const objects = await folder(memoryFolder(t))
  let now = Date.now() - 100 * hour
  const clock = (): number => now
  const [writer, reader] = [openLakeTable(objects, 'quotes', clock), openLakeTable(objects, 'quotes', clock)]
  const manifest = join(objects.address, 'quotes/_manifest')
  let largest = 0
  for (let i = 0; i < 4 * FULL_EVERY + 3; i++) {
    await writer.commit({ add: [file(i * 10, i * 10 + 10)] })
    // As if it had been made at that time.
    const path = join(objects.address, commitName('quotes', i + 1))
    utimesSync(path, new Date(now), new Date(now))
    now += hour
    largest = Math.max(largest, readdirSync(manifest).length)
    if (i % 40 === 0) t.equal((await reader.read()).files.length, i + 1)
  }
  t.ok(largest < 3 * FULL_EVERY, `${largest} commits at most`)
  t.equal((await openLakeTable(objects, 'quotes', clock).read()).files.length, 4 * FULL_EVERY + 3)
})

await t.test('a writer that slept while its place was cleared away does not commit into the past', async t => {
  const objects = await folder(t.testdir())
  let now = Date.now()
  const [sleeper, other] = [openLakeTable(objects, 'quotes', () => now), openLakeTable(objects, 'quotes')]
  for (let i = 0; i < 5; i++) await sleeper.commit({ add: [file(i * 10, i * 10 + 10)] })
  const gate = Promise.withResolvers<undefined>()
  const asleep = Promise.withResolvers<undefined>()
  const sleepy = new Proxy(objects, {
    get: (target, name) => name !== 'putIfAbsent'
      ? (target[name as keyof Objects] as () => unknown).bind?.(target) ?? target[name as keyof Objects]
      : async (...given: Parameters<Objects['putIfAbsent']>) => {
        asleep.resolve(undefined)
        await gate.promise
        return target.putIfAbsent(...given)
      }
  })
  const late = openLakeTable(sleepy, 'quotes', () => now)
  const committed = late.commit({ add: [file(10_000, 10_010)] })
  await asleep.promise
  for (let i = 5; i < 2 * FULL_EVERY; i++) await other.commit({ add: [file(i * 10, i * 10 + 10)] })
  for (let seq = 1; seq < 2 * FULL_EVERY; seq++) await objects.delete(commitName('quotes', seq))
  now += 30 * hour
  gate.resolve(undefined)
  await committed
  const { seq, files } = await openLakeTable(objects, 'quotes').read()
  t.equal(seq, 2 * FULL_EVERY + 1)
  t.equal(files.length, 2 * FULL_EVERY + 1)
})

await t.test('a damaged list is an error that names the file, never a shorter list', async t => {
  const dataFolder = t.testdir()
  const objects = await folder(join(dataFolder, 'one'))
  const table = openLakeTable(objects, 'quotes')
  for (let i = 0; i < FULL_EVERY + 6; i++) await table.commit({ add: [file(i * 10, i * 10 + 10)] })
  const read = async (): Promise<unknown> => openLakeTable(objects, 'quotes').read()
  for (const seq of [FULL_EVERY, FULL_EVERY + 3, FULL_EVERY + 6]) {
    const path = join(objects.address, commitName('quotes', seq))
    const good = readFileSync(path)
    const harm = async (content: Uint8Array | undefined, says: string): Promise<void> => {
      if (content === undefined) rmSync(path)
      else writeFileSync(path, content)
      await t.rejects(read(), { code: 'LAKE_DAMAGED', where: path, retryable: false }, `${seq} ${says}`)
      writeFileSync(path, good)
    }
    await harm(good.subarray(0, good.length - 10), 'cut off')
    await harm(Buffer.alloc(0), 'empty')
    const flipped = Buffer.from(good)
    flipped[good.length >> 1] = (flipped[good.length >> 1] as number) ^ 1
    await harm(flipped, 'with a bit that flipped')
    await harm(readFileSync(join(objects.address, commitName('quotes', seq - 1))), 'another commit in its place')
    // Without the last one the list is that of a moment ago, and nobody can tell.
    if (seq !== FULL_EVERY + 6) await harm(undefined, 'missing')
  }
  await t.resolves(read())
  // A list of another lake.
  const path = join(objects.address, commitName('quotes', FULL_EVERY + 3))
  const elsewhere = await folder(join(dataFolder, 'two'))
  const other = openLakeTable(elsewhere, 'quotes')
  for (let i = 0; i < FULL_EVERY + 3; i++) await other.commit({ add: [file(i * 10, i * 10 + 10)] })
  renameSync(path, `${path}.kept`)
  writeFileSync(path, readFileSync(join(elsewhere.address, commitName('quotes', FULL_EVERY + 3))))
  await t.rejects(read(), { code: 'LAKE_DAMAGED', message: /does not belong/ })
})
