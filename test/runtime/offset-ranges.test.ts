import t from 'tap'
import { OffsetRanges } from '../../runtime/offset-ranges.ts'

await t.test('a set of offsets survives being saved, whatever the order in which they came', async t => {
  let seed = 7
  const random = (n: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return seed % n
  }
  for (let round = 0; round < 50; round++) {
    const set = new OffsetRanges()
    const expected = new Set<number>()
    for (let i = 0; i < 300; i++) {
      const offset = 1000 + random(400)
      set.add(offset)
      expected.add(offset)
    }
    const saved = OffsetRanges.of(JSON.parse(JSON.stringify(set.toJson())) as number[])
    for (let offset = 990; offset < 1410; offset++) if (saved.has(offset) !== expected.has(offset)) t.fail(`round ${round}: ${offset}`)
    if (saved.size !== expected.size) t.fail(`round ${round}: ${saved.size} of ${expected.size}`)
  }
  t.strictSame(new OffsetRanges().toJson(), [])
  t.equal(OffsetRanges.of(undefined).has(0), false)
})

await t.test('neighbours become one range, and what lies below is forgotten', async t => {
  const set = new OffsetRanges()
  for (const offset of [5, 7, 6, 3, 20]) set.add(offset)
  t.strictSame(set.toJson(), [3, 1, 1, 3, 12, 1])
  t.strictSame([set.endOf(5), set.endOf(4), set.ranges], [8, 4, 3])
  const other = new OffsetRanges()
  other.add(4)
  other.add(8)
  set.addAll(other)
  t.strictSame(set.toJson(), [3, 6, 11, 1])
  set.dropBelow(9)
  t.strictSame([set.has(8), set.has(20), set.size], [false, true, 1])
})
