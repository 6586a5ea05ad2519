import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import type { Batch } from '../../../runtime/batch.ts'
import { fromRows } from '../../../runtime/batch.ts'
import { openEmbedded } from '../../../runtime/broker/embedded.ts'
import { field } from '../../../runtime/schema.ts'
import { fakeTopic } from '../../conform/context.ts'
import type { Assignment, Broker } from '../../../runtime/broker/broker.ts'

const topic = { ...fakeTopic('rows', [field('n', { kind: 'int64' }), field('text', { kind: 'string' })]), retention: { ms: 1000, bytes: 2 ** 40, beyondOutputs: true } }
const rows = (from: number, to: number, text = ''): Batch => fromRows(topic, Array.from({ length: to - from }, (_, i) => ({ n: from + i, text })))
const everything = { rows: Infinity, bytes: Infinity }

async function assignment (broker: Broker, group: string): Promise<Assignment> {
  const consumer = await broker.consumer(topic, group)
  const { value } = await consumer.assignments(new AbortController().signal).next()
  return value as Assignment
}

const numbers = (batches: readonly Batch[]): number[] => batches.flatMap(batch => [...batch.rows()].map(row => row['n'] as number))

await t.test('a topic whose file was taken away never uses an offset again', async t => {
  const folder = t.testdir()
  const before = openEmbedded({ folder })
  await (await before.producer(topic, 'a')).append([rows(0, 10)])
  await before.close()
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, `rows.db${suffix}`), { force: true })

  const broker = openEmbedded({ folder })
  await (await broker.producer(topic, 'a')).append([rows(10, 20)])
  const read = await assignment(broker, 'g')
  t.ok(read.committed.offset > 10, 'it begins far behind the offsets of before')
  t.same(numbers((await read.read(read.committed.offset, everything)).batches), numbers([rows(10, 20)]))
  await broker.close()
})

await t.test('a clock that was ahead makes no hole in the log', async t => {
  let now = 0
  const broker = openEmbedded({ folder: t.testdir(), now: () => now })
  const producer = await broker.producer(topic, 'a')
  const appendAt = async (time: number, from: number): Promise<void> => {
    now = time
    await producer.append([rows(from, from + 10)])
  }
  await appendAt(0, 0)
  await appendAt(1_000_000, 10)
  await appendAt(100, 20)
  await appendAt(200, 30)
  await broker.trim(topic, { now: 5000, groups: [] })
  const read = await assignment(broker, 'g')
  t.same(numbers((await read.read(10, everything)).batches), numbers([rows(10, 40)]), 'only what is older than the batch that stays went')
  await broker.close()
})

await t.test('the time of a partition never goes back with the clock, over restarts, an emptied log and files of earlier versions', async t => {
  const folder = t.testdir()
  const appendAt = async (now: number, from: number, trimAt?: number): Promise<number[]> => {
    const broker = openEmbedded({ folder, now: () => now })
    await (await broker.producer(topic, 'a')).append([rows(from, from + 1)])
    const read = await assignment(broker, 'g')
    const { first } = await read.bounds()
    const times = (await read.read(first, everything)).batches.map(batch => batch.position.time)
    if (trimAt !== undefined) await broker.trim(topic, { now: trimAt, groups: [] })
    await broker.close()
    return times
  }
  t.same(await appendAt(5000, 0), [5000])
  t.same(await appendAt(2000, 1), [5000, 5000], 'set back over a restart')
  t.same(await appendAt(5001, 2, 5000 + topic.retention.ms + 1), [5000, 5000, 5001], 'it goes on when the clock has caught up')
  t.same(await appendAt(3000, 3, 10_000), [5001, 5001], 'retention took what was old by its time')
  t.same(await appendAt(3000, 4), [5001], 'the log was empty')

  const old = new DatabaseSync(join(folder, 'rows.db'))
  old.exec('alter table partitions drop column time')
  old.close()
  t.same(await appendAt(4000, 5), [5001, 5001], 'a file without the column')
})

await t.test('a large batch is stored in pieces that one read can hold, in its order', async t => {
  const broker = openEmbedded({ folder: t.testdir() })
  const producer = await broker.producer(topic, 'a')
  await producer.append([rows(0, 50_000)], { checkpoint: 'all' })
  const read = await assignment(broker, 'g')
  const { batches: first } = await read.read(0, { rows: 1, bytes: 1 })
  t.ok(first.length === 1 && (first[0] as Batch).length <= 16_384)
  t.same(numbers((await read.read(0, everything)).batches), Array.from({ length: 50_000 }, (_, i) => i))
  await broker.close()
})

await t.test('a text that repeats counts with every row that has it', async t => {
  const broker = openEmbedded({ folder: t.testdir() })
  const text = 'x'.repeat(10_000)
  await (await broker.producer(topic, 'a')).append([rows(0, 1000, text)])
  const read = await assignment(broker, 'g')
  const { batches: [batch] } = await read.read(0, everything)
  t.ok((batch as Batch).bytes > 1000 * text.length)
  await broker.close()
})
