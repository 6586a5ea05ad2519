import t from 'tap'
import { Rejects } from '../../runtime/rejects.ts'

const clock = { now: () => 0 }
const refusal = { reason: 'no price', step: 'transforms.mapping', partition: 0, offset: 7 }

await t.test('a refused row is kept as it was, numbers that JSON cannot hold included', async t => {
  const rejects = new Rejects('quotes', 'quotes', clock, 'outputs.lake')
  rejects.add({ ...refusal, row: { symbol: 'AAPL', price: 'x', volume: 2n ** 60n } })
  t.match(rejects.take()[0]?.row(0), { row: { symbol: 'AAPL', price: 'x', volume: 2n ** 60n }, output: 'outputs.lake', offset: 7 })
  t.equal(rejects.length, 0)
})

await t.test('of a refused row that is larger than the rejected topic takes a part is kept', async t => {
  const rejects = new Rejects('quotes', 'quotes', clock)
  rejects.add({ ...refusal, row: { symbol: 'AAPL', text: 'x'.repeat(20_000_000) } })
  const { row } = rejects.take()[0]?.row(0) as { readonly row: { readonly cut: string, readonly characters: number } }
  t.match(row.cut, /^\{"symbol":"AAPL","text":"xxx/)
  t.equal(row.cut.length, 262_144)
  t.ok(row.characters > 20_000_000)
})
