import t from 'tap'
import { Batch, fromRows } from '../../runtime/batch.ts'
import { Chain, without } from '../../runtime/chain.ts'
import { checksum } from '../../runtime/checksum.ts'
import { Rejects } from '../../runtime/rejects.ts'
import { fakeTopic } from '../conform/context.ts'
import { range } from '../conform/broker.ts'
import type { Mapping } from '../../runtime/plugin.ts'

const topic = fakeTopic('rows', ['n'])

function batchAt (offset: number, rows: number): Batch {
  return new Batch(topic, rows, fromRows(topic, range(offset, offset + rows).map(n => ({ n }))).columns, { position: { partition: 2, offset, time: 1 } })
}

function chainOf (mappings: Readonly<Record<string, (reject: (i: number) => void) => Mapping>>): { chain: Chain, rejects: Rejects, log: string[] } {
  const rejects = new Rejects('rows', 'test', { now: () => 5 })
  const log: string[] = []
  const links: Array<{ step: string, mapping: Mapping }> = []
  const chain = new Chain(links, rejects, { enter: step => log.push(step), leave: () => log.push('-') })
  for (const [step, mapping] of Object.entries(mappings)) links.push({ step, mapping: mapping(i => chain.reject(step, i, `${step} says no`)) })
  return { chain, rejects, log }
}

const dropFirst = (): Mapping => ({ map: batch => batch.select(Int32Array.from(range(1, batch.length))) })

await t.test('a row refused by a later transform keeps what it held in the topic, and where', async t => {
  const { chain, rejects } = chainOf({
    dropFirst,
    double: () => ({ map: batch => batch.with({ n: { kind: 'values', values: [...batch.rows()].map(({ n }) => 2 * (n as number)) } }) }),
    picky: reject => ({
      map (batch) {
        reject(1)
        return batch.select(Int32Array.of(0, 2))
      }
    })
  })
  const left = chain.map(batchAt(100, 4))
  t.strictSame([...left.rows()], [{ n: 202 }, { n: 206 }])
  t.strictSame([left.offsetAt(0), left.offsetAt(1)], [101, 103])
  t.strictSame(rejects.take().flatMap(batch => [...batch.rows()]), [{ reason: 'picky says no', row: { n: 102 }, pipeline: 'test', step: 'picky', output: '', partition: 2, offset: 102, time: 5 }])
  t.equal(rejects.length, 0, 'taken once')
})

await t.test('a transform that throws is named, and the thread is not seen in it any more', async t => {
  const { chain, log } = chainOf({ dropFirst, broken: () => ({ map () { throw new Error('no such symbol') } }) })
  t.throws(() => chain.map(batchAt(7, 3)), { code: 'PLUGIN_FAILED', where: 'broken', message: /from offset 7 on failed: no such symbol/ })
  t.strictSame(log, ['dropFirst', '-', 'broken', '-'])
  const keeping = chainOf({ window: () => ({ map: batch => batch, snapshot () { throw new Error('too large') } }) })
  t.throws(() => keeping.chain.snapshot(), { code: 'PLUGIN_FAILED', where: 'window', message: /state failed: too large/ })
  t.strictSame(keeping.log, ['window', '-'])
})

await t.test('the state of those that keep one is saved by step', async t => {
  t.equal(chainOf({ dropFirst }).chain.snapshot(), undefined)
  t.strictSame(chainOf({ dropFirst, window: () => ({ map: batch => batch, snapshot: () => [1] }) }).chain.snapshot(), { window: [1] })
})

await t.test('rows that have landed are taken out by their offsets', async t => {
  const batch = batchAt(10, 5)
  t.equal(without(batch, new Float64Array(0)), batch)
  t.strictSame([...without(batch, Float64Array.of(3, 10, 12, 99)).rows()], [{ n: 11 }, { n: 13 }, { n: 14 }])
  t.equal(without(batch, Float64Array.from(range(0, 99))).length, 0)
})

await t.test('a checksum tells rows, their order and their offsets apart', async t => {
  const sums = [
    [batchAt(0, 3)], [batchAt(1, 3)], [batchAt(0, 4)], [batchAt(0, 3), batchAt(3, 1)], [batchAt(0, 3).select(Int32Array.of(0, 2))], [batchAt(0, 3).select(Int32Array.of(0, 1))],
    [new Batch(topic, 1, { n: { kind: 'values', values: [1n, { a: 2 ** 53 }] } })], [new Batch(topic, 1, { n: { kind: 'numbers', numbers: Float64Array.of(1) } })]
  ].map(batches => checksum(batches))
  t.equal(new Set(sums).size, sums.length)
  t.equal(checksum([batchAt(0, 3)]), sums[0])
})
