import t from 'tap'
import { conformTransform } from '../../../../test/conform/transform.ts'
import { configure } from '../../../../test/conform/configure.ts'
import { fakeContext, fakeTopic } from '../../../../test/conform/context.ts'
import { Batch, fromRows } from '../../../batch.ts'
import plugin from './index.ts'
import type { Row } from '../../../plugin.ts'

const topic = fakeTopic('quotes', ['symbol', 'price'])
const rows = [{ symbol: 'AAPL', price: 1 }, { symbol: 'MSFT' }, { symbol: 'NVDA', price: 3 }]

function batchAt (offset: number, rows: readonly Row[]): Batch {
  return new Batch(topic, rows.length, fromRows(topic, rows).columns, { position: { partition: 0, offset, time: 0 } })
}

await t.test('it conforms', async t => {
  await conformTransform(t, {
    plugin,
    topic,
    config: { field: 'price' },
    batches: () => [batchAt(0, rows), batchAt(3, rows), batchAt(6, rows)],
    bad: () => ({ batch: batchAt(0, rows), indexes: [1] })
  })
})

await t.test('a refused row says why, and a missing field is an empty one', async t => {
  const context = fakeContext({ topic })
  const mapping = await plugin.open(configure(plugin, { field: 'price' }), context)
  t.equal(mapping.map(batchAt(0, [{ symbol: 'AAPL' }])).length, 0)
  t.match(context.rejected, [{ row: 0, reason: 'price is empty' }])
})
