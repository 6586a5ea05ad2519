import t from 'tap'
import output from '../../../plugins/outputs/topic/index.ts'
import { fit } from '../../../plugins/outputs/topic/fit.ts'
import { openEmbedded } from '../../../runtime/broker/embedded.ts'
import { Batch, fromRows } from '../../../runtime/batch.ts'
import { NOT_PRESENT, field } from '../../../runtime/schema.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext, fakeTopic } from '../../conform/context.ts'
import { conformOutput } from '../../conform/output.ts'
import { batchOf, services, target, topic } from './topic-rows.ts'
import type { Row } from '../../../runtime/plugin.ts'

async function held (folder: string): Promise<Row[]> {
  const broker = openEmbedded({ folder })
  try {
    return (await broker.tail(target, 1_000_000)).flatMap(batch => [...batch.rows()])
  } finally {
    await broker.close()
  }
}

await t.test('as an output', t => conformOutput(t, {
  plugin: output,
  module: new URL('../../../plugins/outputs/topic/index.ts', import.meta.url).href,
  source: new URL('topic-rows.ts', import.meta.url).href,
  destination: (_, dataFolder) => ({
    config: { topic: 'target' },
    rows: async () => (await held(dataFolder)).map(row => Number(row['number']))
  }),
  broken: () => ({ config: { topic: 'rows' }, says: /own rows for ever/ })
}))

await t.test('rows have the names of the topic they go to', async t => {
  const dataFolder = t.testdir()
  const opened = await services(dataFolder)
  const sink = await output.open({ topic: 'target' }, fakeContext({ topic, topics: [target], dataFolder, services: opened.services }))
  await sink.write(batchOf(5, 6))
  await sink.flush({ partition: 0, from: 5, to: 6 })
  await sink.close()
  await opened.close()
  t.strictSame(await held(dataFolder), [{ number: '5', venue: NOT_PRESENT, extra: { text: 'row 5: "ü", 株\n' } }].map(row => ({ ...row })))
})

await t.test('what has landed of another topic says nothing about this one', async t => {
  const dataFolder = t.testdir()
  const opened = await services(dataFolder)
  const range = { partition: 0, from: 5, to: 6 }
  const landed: number[][] = []
  for (const source of [topic, { ...topic, name: 'others' }]) {
    const sink = await output.open({ topic: 'target' }, fakeContext({ topic: source, topics: [target], dataFolder, services: opened.services }))
    landed.push([...await sink.landed?.(range) ?? []])
    await sink.write(batchOf(5, 6))
    await sink.flush(range)
    landed.push([...await sink.landed?.(range) ?? []])
    await sink.close()
  }
  await opened.close()
  t.strictSame(landed, [[], [5], [], [5]])
  t.equal((await held(dataFolder)).length, 2)
})

await t.test('what was extra before stays so, beside what is extra now', async t => {
  const map = fit(target)
  const extras = (rows: readonly Row[]): unknown[] => Array.from(map(fromRows(topic, rows)).rows(), row => row['extra'] === undefined || row['extra'] === null ? null : { ...row['extra'] })
  t.strictSame(extras([{ n: 1, extra: { a: 1 } }, { n: 2, extra: null }]), [{ a: 1 }, null])
  t.strictSame(extras([{ n: 1, text: 'x', extra: { a: 1 } }, { n: 2, text: 'y', extra: null }, { n: 3, extra: [1] }]), [{ a: 1, text: 'x' }, { text: 'y' }, { extra: [1] }])
  const own = fakeTopic('own', ['n', 'extra'])
  t.strictSame([...fit(own)(fromRows(topic, [{ n: 1, extra: { a: 1 } }])).rows()].map(row => row['extra']), [{ a: 1 }])
})

await t.test('typed values go as text that loses nothing', async t => {
  const dataFolder = t.testdir()
  const typed = fakeTopic('typed', [field('price', { kind: 'decimal', precision: 18, scale: 4 }), field('time', { kind: 'timestamp', unit: 'ns' }), field('id', { kind: 'int64' })])
  const wide = { ...typed, name: 'target' }
  const opened = await services(dataFolder)
  const sink = await output.open({ topic: 'target' }, fakeContext({ topic: typed, topics: [wide], dataFolder, services: opened.services }))
  await sink.write(new Batch(typed, 1, {
    price: { kind: 'decimal', type: { kind: 'decimal', precision: 18, scale: 4 }, words: BigUint64Array.of(1901000n, 0n) },
    time: { kind: 'numbers', type: { kind: 'timestamp', unit: 'ns' }, numbers: BigInt64Array.of(1_700_000_000_123_456_789n) },
    id: { kind: 'numbers', type: { kind: 'int64' }, numbers: BigInt64Array.of(9_007_199_254_740_993n) }
  }))
  await sink.flush({ partition: 0, from: 0, to: 1 })
  await sink.close()
  await opened.close()
  t.strictSame((await held(dataFolder)).map(row => ({ ...row })), [{ price: '190.1000', time: '2023-11-14T22:13:20.123456789Z', id: '9007199254740993' }])
})

await t.test('without a broker it says so', async t => {
  await t.rejects(output.open(configure(output, { topic: 'target' }), fakeContext({ topic, topics: [target] })), { code: 'CONFIG_INVALID', message: /no broker/ })
})
