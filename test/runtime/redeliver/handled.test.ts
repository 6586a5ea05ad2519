import t from 'tap'
import { Handled } from '../../../runtime/redeliver/handled.ts'

await t.test('a set of offsets survives being saved, whatever the order in which they came', async t => {
  let seed = 7
  const random = (n: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return seed % n
  }
  for (let round = 0; round < 50; round++) {
    const handled = new Handled()
    const expected = new Set<number>()
    for (let i = 0; i < 300; i++) {
      const offset = 1000 + random(400)
      handled.add([offset])
      expected.add(offset)
    }
    const saved = Handled.of(JSON.parse(JSON.stringify(handled.toJson())) as number[])
    for (let offset = 990; offset < 1410; offset++) if (saved.has(offset) !== expected.has(offset)) t.fail(`round ${round}: ${offset}`)
    if (saved.size !== expected.size) t.fail(`round ${round}: ${saved.size} of ${expected.size}`)
  }
  t.strictSame(new Handled().toJson(), [])
  t.equal(Handled.of(undefined).has(0), false)
})

await t.test('neighbours become one range, and what the topic has lost is forgotten', async t => {
  const handled = new Handled()
  handled.add([5, 7, 6, 3, 20])
  t.strictSame(handled.toJson(), [3, 1, 1, 3, 12, 1])
  const other = new Handled()
  other.add([4, 8])
  handled.addAll(other)
  t.strictSame(handled.toJson(), [3, 6, 11, 1])
  handled.dropBelow(9)
  t.strictSame([handled.has(8), handled.has(20), handled.size], [false, true, 1])
})

await t.test('a set that is too scattered is refused', async t => {
  const handled = new Handled()
  t.throws(() => handled.add(Array.from({ length: 50_001 }, (_, i) => 2 * i)), { code: 'REQUEST_REFUSED', message: /more than 50000 places/ })
})
