import t from 'tap'
import { fromRows } from '../../runtime/batch.ts'
import { offsetSet, offsetsOf } from '../../runtime/offsets.ts'
import { fakeTopic } from '../conform/context.ts'
import { batchOf } from '../conform/rows.ts'

await t.test('a set holds the offsets of its batches, however they are read back', async t => {
  const sparse = batchOf(105, 120).select(Int32Array.of(0, 3, 14))
  const set = offsetSet({ from: 100, to: 121 }, [batchOf(101, 103), sparse])
  t.strictSame([...offsetsOf(set, { from: 100, to: 121 })], [101, 102, 105, 108, 119])
  t.strictSame([...offsetsOf(set, { from: 102, to: 108 })], [102, 105])
  t.strictSame([...offsetsOf(set, { from: 0, to: 1000 })], [101, 102, 105, 108, 119])
  t.strictSame([...offsetsOf(set, { from: 121, to: 200 })], [])
  t.strictSame([...offsetsOf(undefined, { from: 0, to: 9 })], [])
})

await t.test('a full range needs no bits, a sparse one a bit an offset', async t => {
  t.strictSame(offsetSet({ from: 10, to: 30 }, [batchOf(10, 25), batchOf(25, 30)]), { from: 10, to: 30 })
  t.strictSame([...offsetsOf({ from: 10, to: 13 }, { from: 0, to: 12 })], [10, 11])
  const { bits = '' } = offsetSet({ from: 0, to: 100_000 }, [batchOf(5, 6)])
  t.ok(bits.length < 17_000)
  t.strictSame(offsetSet({ from: 0, to: 8 }, [fromRows(fakeTopic(), [])]), { from: 0, to: 8, bits: 'AA==' })
})
