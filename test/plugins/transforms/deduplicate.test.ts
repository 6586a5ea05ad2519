import t from 'tap'
import deduplicate from '../../../plugins/transforms/deduplicate/index.ts'
import { Batch, fromRows } from '../../../runtime/batch.ts'
import { NOT_PRESENT, field } from '../../../runtime/schema.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext, fakeTopic } from '../../conform/context.ts'
import { conformTransform } from '../../conform/transform.ts'
import type { Column } from '../../../runtime/batch.ts'
import type { FakeContext } from '../../conform/context.ts'
import type { Json, Mapping, Row } from '../../../runtime/plugin.ts'

const topic = { ...fakeTopic('trades', ['symbol', 'sequence', field('time', { kind: 'timestamp', unit: 'ns' })]), eventTime: 'time' }

function open (given: Readonly<Record<string, Json>>, checkpoint?: Json, context: FakeContext = fakeContext({ topic, checkpoint })): Mapping {
  return deduplicate.open(configure(deduplicate, given), context) as Mapping
}

function at (rows: readonly Row[], offset = 0, time = 0): Batch {
  return new Batch(topic, rows.length, fromRows(topic, rows).columns, { position: { partition: 0, offset, time } })
}

function timed (seconds: readonly number[], symbols: readonly string[] = seconds.map(() => 'A')): Batch {
  const time: Column = { kind: 'numbers', type: { kind: 'timestamp', unit: 'ns' }, numbers: BigInt64Array.from(seconds, second => BigInt(second) * 1_000_000_000n) }
  return new Batch(topic, seconds.length, { symbol: { kind: 'values', values: symbols }, time })
}

/** Offsets of the rows that stay. */
function kept (mapping: Mapping, batch: Batch): number[] {
  const mapped = mapping.map(batch)
  return Array.from({ length: mapped.length }, (_, i) => mapped.offsetAt(i))
}

await t.test('as a transform', t => conformTransform(t, {
  plugin: deduplicate,
  topic,
  config: { keys: ['symbol', 'sequence'], window_rows: 60, window_seconds: 100 },
  batches: () => [0, 40, 80].map((offset, round) => at(Array.from({ length: 40 }, (_, i) => ({
    symbol: ['AAPL', 'MSFT', 'a symbol whose name is much longer than others'][i % 3], sequence: i % 7 === 0 ? NOT_PRESENT : (i % 20) + round * 5
  })), offset, round * 30_000)),
  broken: { config: { keys: ['symbol', 'id'] }, says: /no field "id".*symbol, sequence/ },
  stateBytesMax: 4000
}))

await t.test('a repeated row is taken out, within a batch and across batches', async t => {
  const context = fakeContext({ topic })
  const mapping = open({ keys: ['symbol', 'sequence'] }, undefined, context)
  t.strictSame(kept(mapping, at([{ symbol: 'A', sequence: 1 }, { symbol: 'A', sequence: 2 }, { symbol: 'A', sequence: 1 }, { symbol: 'B', sequence: 1 }])), [0, 1, 3])
  t.strictSame(kept(mapping, at([{ symbol: 'B', sequence: '1' }, { symbol: 'B', sequence: 2 }], 4)), [5])
  t.equal(context.counts['rows_duplicate'], 2)
})

await t.test('values are told apart although they look alike side by side', async t => {
  const mapping = open({ keys: ['symbol', 'sequence'] })
  const rows = [{ symbol: 'a,b', sequence: 'c' }, { symbol: 'a', sequence: 'b,c' }, { symbol: '"a', sequence: 'b' }, { symbol: '', sequence: 'x' }, { symbol: 'x', sequence: '' }]
  t.strictSame(kept(mapping, at(rows)), [0, 1, 2, 3, 4])
  t.strictSame(kept(mapping, at(rows, 5)), [])
})

await t.test('a row without a value in a key stays: nobody knows whether it repeats another one', async t => {
  const mapping = open({ keys: ['symbol', 'sequence'] })
  const rows = [{ symbol: 'A', sequence: null }, { symbol: 'A', sequence: NOT_PRESENT }, { symbol: 'A' }]
  t.strictSame(kept(mapping, at([...rows, ...rows])), [0, 1, 2, 3, 4, 5])
  t.strictSame(kept(mapping, at([{ symbol: 'A' }, { symbol: 'A' }])), [0, 1], 'a column that no row has')
  const valid = new Batch(topic, 2, { symbol: { kind: 'values', values: ['A', 'A'] }, sequence: { kind: 'numbers', numbers: Float64Array.of(1, 1), valid: Uint8Array.of(0, 0) } })
  t.strictSame(kept(mapping, valid), [0, 1])
})

await t.test('the oldest rows are forgotten when there are more than the window holds', async t => {
  const mapping = open({ keys: ['symbol'], window_rows: 3 })
  t.strictSame(kept(mapping, at(['A', 'B', 'C', 'A', 'D', 'A', 'B'].map(symbol => ({ symbol })))), [0, 1, 2, 4, 5, 6])
})

await t.test('rows are forgotten after the window of event time, which a repetition does not prolong', async t => {
  const mapping = open({ keys: ['symbol'], window_seconds: 60 })
  t.strictSame(kept(mapping, timed([0, 50, 60, 61, 100, 122])), [0, 3, 5])
  t.strictSame(kept(mapping, timed([90, 500, 10], ['A', 'B', 'A'])), [1, 2], 'a late row is compared by its own time')
})

await t.test('before a mapping the time is the one at which rows reached the topic', async t => {
  const mapping = open({ keys: ['symbol'], window_seconds: 60 })
  const row = [{ symbol: 'A', time: '2024-01-02' }]
  t.strictSame(kept(mapping, at(row, 0, 1000)), [0])
  t.strictSame(kept(mapping, at(row, 1, 61_000)), [])
  t.strictSame(kept(mapping, at(row, 2, 61_001)), [2])
})

await t.test('what is remembered survives a restart, and a smaller window forgets', async t => {
  const first = open({ keys: ['symbol'], window_rows: 10 })
  first.map(at(['A', 'B', 'C', 'a name of more than twenty-four letters'].map(symbol => ({ symbol }))))
  const state = JSON.parse(JSON.stringify(first.snapshot?.())) as Json
  const again = at(['C', 'a name of more than twenty-four letters', 'A'].map(symbol => ({ symbol })))
  t.strictSame(kept(open({ keys: ['symbol'], window_rows: 10 }, state), again), [])
  t.strictSame(kept(open({ keys: ['symbol'], window_rows: 2 }, state), again), [2])
  t.strictSame(kept(open({ keys: ['symbol', 'sequence'] }, state), at([{ symbol: 'A', sequence: 1 }])), [0], 'other keys begin anew')
})

await t.test('the state of a full window has a bounded size', async t => {
  const mapping = open({ keys: ['symbol'], window_rows: 1000 })
  for (let from = 0; from < 20_000; from += 1000) {
    mapping.map(at(Array.from({ length: 1000 }, (_, i) => ({ symbol: `a symbol with a very long name indeed ${from + i}` })), from))
  }
  t.ok(JSON.stringify(mapping.snapshot?.()).length < 1000 * 25)
})
