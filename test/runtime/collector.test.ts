import t from 'tap'
import { Collector } from '../../runtime/collector.ts'
import { fakeTopic } from '../conform/context.ts'

const limits = { rows: 3, ms: 5, pending: 6, pendingBytes: 100 }

async function drain (collector: Collector): Promise<number[][]> {
  const batches: number[][] = []
  collector.end()
  for await (const batch of collector.batches(new AbortController().signal)) batches.push([...batch.rows()].map(row => row['n'] as number))
  return batches
}

await t.test('rows come out in their order, in batches of at most the limit', async t => {
  const collector = new Collector(fakeTopic(), limits)
  for (const n of [1, 2, 3, 4]) collector.push({ n })
  t.same(await drain(collector), [[1, 2, 3], [4]])
})

await t.test('a row beyond the limit of rows is refused and counted, and the others arrive', async t => {
  const collector = new Collector(fakeTopic(), limits)
  const taken = [1, 2, 3, 4, 5, 6, 7, 8].map(n => collector.push({ n }))
  t.same(taken, [true, true, true, true, true, true, false, false])
  t.equal(collector.dropped, 2)
  t.same(await drain(collector), [[1, 2, 3], [4, 5, 6]])
})

await t.test('rows that are too large together are refused, a single one of any size is taken', async t => {
  const collector = new Collector(fakeTopic(), limits)
  t.ok(collector.push({ n: 1 }, 1000), 'alone')
  t.notOk(collector.push({ n: 2 }, 1))
  t.same(await drain(collector), [[1]])
})

await t.test('room comes back when a batch is taken', async t => {
  const collector = new Collector(fakeTopic(), limits)
  const batches = collector.batches(new AbortController().signal)
  collector.push({ n: 1 }, 90)
  t.notOk(collector.push({ n: 2 }, 20))
  await batches.next()
  t.ok(collector.push({ n: 3 }, 20))
  await batches.return()
})

await t.test('a feed that broke gives what is left, then its error', async t => {
  const collector = new Collector(fakeTopic(), limits)
  collector.push({ n: 1 })
  collector.fail(new Error('cut'))
  const batches = collector.batches(new AbortController().signal)
  t.equal((await batches.next()).value?.length, 1)
  await t.rejects(batches.next(), { message: 'cut' })
})

await t.test('a stop ends it, rows that wait included', async t => {
  const stop = new AbortController()
  const collector = new Collector(fakeTopic(), { ...limits, ms: 60_000 })
  const batches = collector.batches(stop.signal)
  const first = batches.next()
  collector.push({ n: 1 })
  stop.abort()
  t.equal((await first).value?.length, 1)
  t.equal((await batches.next()).done, true)
})
