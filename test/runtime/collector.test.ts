import { getEventListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { cell } from '../../runtime/batch.ts'
import { Collector } from '../../runtime/collector.ts'
import { range } from '../conform/broker.ts'
import { fakeTopic } from '../conform/context.ts'
import type { Batch, Column } from '../../runtime/batch.ts'

const topic = fakeTopic('rows', ['n'])
const numbersOf = (batch: Batch): number[] => [...batch.rows()].map(row => row['n'] as number)

function collect (limits: Partial<ConstructorParameters<typeof Collector>[1]> = {}): { collector: Collector, batches: AsyncGenerator<Batch, void, void>, stop: AbortController } {
  const stop = new AbortController()
  const collector = new Collector(topic, { rows: 10, ms: 20, pending: 100, ...limits })
  return { collector, stop, batches: collector.batches(stop.signal) }
}

async function next (batches: AsyncGenerator<Batch, void, void>): Promise<number[] | undefined> {
  const { value, done } = await batches.next()
  return done === true ? undefined : numbersOf(value)
}

await t.test('batches end at their rows, or when a row has waited long enough', async t => {
  const { collector, batches } = collect()
  for (const n of range(0, 25)) collector.push({ n })
  t.strictSame([await next(batches), await next(batches), await next(batches)], [range(0, 10), range(10, 20), range(20, 25)])
  setTimeout(() => collector.push({ n: 25 }), 5)
  const began = performance.now()
  t.strictSame(await next(batches), [25])
  t.ok(performance.now() - began >= 20, 'it waits for others')
})

await t.test('a batch that is full does not wait', async t => {
  const { collector, batches } = collect({ ms: 60_000 })
  const first = next(batches)
  await sleep(5)
  for (const n of range(0, 10)) collector.push({ n })
  t.strictSame(await first, range(0, 10))
})

await t.test('lane invariant 4: what is too much is refused and counted, and what was taken is delivered', async t => {
  const { collector, batches } = collect({ pending: 15 })
  t.strictSame(range(0, 20).map(n => collector.push({ n })).filter(taken => !taken).length, 5)
  t.equal(collector.dropped, 5)
  t.equal(collector.pending, 15)
  collector.end()
  t.strictSame([await next(batches), await next(batches), await next(batches)], [range(0, 10), range(10, 15), undefined])
})

await t.test('what waits is bounded by its size, too, but a single row is taken', async t => {
  const { collector, batches } = collect({ pendingBytes: 100 })
  t.ok(collector.push({ n: 0 }, 500))
  t.notOk(collector.push({ n: 1 }, 1))
  t.strictSame(await next(batches), [0])
  t.ok(collector.push({ n: 2 }, 60))
  t.ok(collector.push({ n: 3 }, 40))
  t.notOk(collector.push({ n: 4 }, 1))
  t.equal(collector.dropped, 2)
})

await t.test('a stop gives what is left and then ends, however fast the feed still is', async t => {
  const { collector, batches, stop } = collect()
  const feed = setInterval(() => { for (let i = 0; i < 50; i++) collector.push({ n: i }) }, 1)
  t.teardown(() => clearInterval(feed))
  await next(batches)
  stop.abort()
  let left = 0
  for await (const batch of batches) left += batch.length
  t.ok(left <= 100, `${left} rows were left`)
  t.equal(getEventListeners(stop.signal, 'abort').length, 0, 'no listener stays')
})

await t.test('a feed that breaks gives what is left and then throws the first reason', async t => {
  const { collector, batches } = collect()
  collector.push({ n: 1 })
  collector.fail(new Error('first'))
  collector.fail(new Error('second'))
  t.strictSame(await next(batches), [1])
  await t.rejects(next(batches), { message: 'first' })
})

await t.test('one that was stopped before it began ends at once', async t => {
  const collector = new Collector(topic)
  t.equal(await next(collector.batches(AbortSignal.abort())), undefined)
})

await t.test('rows that each bring names of their own end their batch early', async t => {
  const { collector, batches } = collect({ rows: 1000, pending: 1000 })
  for (const n of range(0, 600)) collector.push(Object.fromEntries([['n', n], ...range(0, 10).map(j => [`id_${n}_${j}`, j])]))
  collector.end()
  const rows: number[] = []
  for await (const batch of batches) {
    t.ok(Object.keys(batch.columns).length * batch.length <= 2_000_000, 'the cells are few')
    rows.push(...range(0, batch.length).map(i => cell(batch.columns['n'] as Column, i) as number))
  }
  t.strictSame(rows, range(0, 600))
})

await t.test('a mark gives a batch although no row waits', async t => {
  const { collector, batches } = collect()
  setTimeout(() => collector.mark(), 5)
  t.strictSame(await next(batches), [])
})
