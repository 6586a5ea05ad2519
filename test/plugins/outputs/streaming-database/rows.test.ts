import t from 'tap'
import { insertAround } from '../../../../plugins/outputs/streaming-database/bisect.ts'
import { Rows } from '../../../../plugins/outputs/streaming-database/rows.ts'
import { Batch } from '../../../../runtime/batch.ts'
import { PlatformError } from '../../../../runtime/errors.ts'
import { field } from '../../../../runtime/schema.ts'
import type { TimeUnit } from '../../../../runtime/schema.ts'
import { fakeTopic } from '../../../conform/context.ts'

const topic = fakeTopic('quotes', [field('at', { kind: 'timestamp', unit: 'ms' })])
const dayMs = 86_400_000

/** Batches of those lengths whose rows are one day apart. */
function batchesOf (...lengths: number[]): Batch[] {
  let offset = 100
  return lengths.map(length => {
    const numbers = Float64Array.from({ length }, (_, i) => (offset - 100 + i) * dayMs + 5)
    const batch = new Batch(topic, length, { at: { kind: 'numbers', type: { kind: 'timestamp', unit: 'ms' }, numbers } }, { position: { partition: 0, offset, time: 0 } })
    offset += length
    return batch
  })
}

function offsets (rows: Rows): number[] {
  return rows.batches().flatMap(batch => Array.from({ length: batch.length }, (_, i) => batch.offsetAt(i)))
}

await t.test('a slice holds the rows of its stretch, also of a selection and across batches', async t => {
  const rows = new Rows(batchesOf(3, 1, 4))
  t.equal(rows.length, 8)
  t.strictSame(offsets(rows), [100, 101, 102, 103, 104, 105, 106, 107])
  t.strictSame(offsets(rows.slice(2, 5)), [102, 103, 104])
  t.strictSame(offsets(rows.slice(2, 7).slice(1, 3)), [103, 104])
  t.equal(rows.slice(2, 7).slice(1, 3).length, 2)
  t.strictSame(rows.slice(2, 7).origin(3).index, 1)
  t.equal(rows.slice(2, 7).origin(3).batch.offsetAt(1), 105)
})

await t.test('rows that are there already are left out', async t => {
  const rows = new Rows(batchesOf(3, 3))
  t.equal(rows.without(new Float64Array()), rows)
  t.strictSame(offsets(rows.without(Float64Array.of(100, 103, 105))), [101, 102, 104])
})

await t.test('rows of many days go in groups of few days each, and all of them go', async t => {
  const rows = new Rows(batchesOf(3, 4))
  t.strictSame(rows.byDays('at', 7).map(offsets), [[100, 101, 102, 103, 104, 105, 106]])
  t.strictSame(rows.byDays('at', 3).map(offsets), [[100, 101, 102], [103, 104, 105], [106]])
  t.strictSame(rows.byDays('', 1).map(offsets), [[100, 101, 102, 103, 104, 105, 106]])
  t.strictSame(new Rows([]).byDays('at', 3), [])
})

await t.test('few days far apart are one group, and many rows of one day too', async t => {
  const units: Array<[TimeUnit, number]> = [['s', 86_400], ['ms', 86_400e3], ['us', 86_400e6], ['ns', 86_400e9]]
  for (const [unit, perDay] of units) {
    const type = { kind: 'timestamp', unit } as const
    const of = (days: number[]): Rows => new Rows([new Batch(topic, days.length, { at: { kind: 'numbers', type, numbers: BigInt64Array.from(days, day => BigInt(day * perDay)) } })])
    t.equal(of([0, 0.1, 0.2, 0.99]).byDays('at', 2).length, 1)
    t.equal(of([0, 1000, 1000.5, 0.5]).byDays('at', 2).length, 1)
    t.equal(of([0, 1000, -1, 0.5]).byDays('at', 2).length, 2)
  }
  const date = new Batch(topic, 3, { at: { kind: 'numbers', type: { kind: 'date' }, numbers: Int32Array.of(1, 2, 9) } })
  t.equal(new Rows([date]).byDays('at', 2).length, 2)
})

const about = new PlatformError('DESTINATION_REFUSED', 'bad value')

/** Runs the search against a table that refuses the rows at those offsets. */
async function search (rows: Rows, bad: readonly number[], refusedMax = 100) {
  const stored: number[] = []
  const refused: number[] = []
  let inserts = 0
  await insertAround(rows, about, {
    refusedMax,
    isAboutRows: (error): error is PlatformError => error === about,
    async insert (part) {
      inserts++
      const given = offsets(part)
      if (given.some(offset => bad.includes(offset))) throw about
      stored.push(...given)
    },
    refuse: (batch, i) => { refused.push(batch.offsetAt(i)) }
  })
  return { stored: stored.sort((a, b) => a - b), refused, inserts }
}

await t.test('one bad row among many costs few inserts, wherever it is', async t => {
  const n = 10_000
  const rows = new Rows(batchesOf(n / 2, n / 2))
  for (const bad of [100, 101, 4321, 5099, 5100, 10_098, 10_099]) {
    const { stored, refused, inserts } = await search(rows, [bad])
    t.strictSame(refused, [bad])
    t.equal(stored.length, n - 1)
    t.ok(inserts <= Math.ceil(Math.log2(n)) + 2, `${inserts} inserts`)
  }
})

await t.test('each bad row is refused and every other one is stored once, for all patterns of eight rows', async t => {
  for (let pattern = 1; pattern < 256; pattern++) {
    const bad = Array.from({ length: 8 }, (_, i) => i).filter(i => pattern & (1 << i)).map(i => 100 + i)
    const { stored, refused } = await search(new Rows(batchesOf(5, 3)), bad)
    if (String(refused) !== String(bad) || stored.length !== 8 - bad.length || new Set(stored).size !== stored.length) t.fail(`pattern ${pattern}`)
  }
})

await t.test('a row that is taken by itself is not refused', async t => {
  t.strictSame(await search(new Rows(batchesOf(4)), []), { stored: [100, 101, 102, 103], refused: [], inserts: 3 })
  t.strictSame(await search(new Rows([]), []), { stored: [], refused: [], inserts: 0 })
})

await t.test('more bad rows than the limit end the flush, and so does an error that is not about rows', async t => {
  await t.rejects(search(new Rows(batchesOf(8)), [100, 101, 102], 2), { code: 'DESTINATION_REFUSED', message: /more than 2 rows.*bad value/ })
  const other = new PlatformError('DESTINATION_UNAVAILABLE', 'gone')
  await t.rejects(insertAround(new Rows(batchesOf(8)), about, {
    refusedMax: 2, isAboutRows: (error): error is PlatformError => error === about, insert: async () => { throw other }, refuse: () => {}
  }), other)
})
