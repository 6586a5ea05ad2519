import t from 'tap'
import { openEmbedded } from '../../runtime/broker/embedded.ts'
import { ingest, openIngest } from '../../runtime/ingest.ts'
import { defineInput, fromRows } from '../../runtime/plugin.ts'
import { Rejects } from '../../runtime/rejects.ts'
import { field, NOT_PRESENT, rejectedTopic } from '../../runtime/schema.ts'
import { assign, range, readAll } from '../conform/broker.ts'
import { fakeContext, fakeTopic } from '../conform/context.ts'
import { memoryFolder } from './destination.ts'
import type { Broker } from '../../runtime/broker/broker.ts'
import type { Ingest } from '../../runtime/ingest.ts'
import type { Chunk, Context, Row, Topic } from '../../runtime/plugin.ts'

const topic = fakeTopic('rows', [field('n', { kind: 'int64' }, { required: true }), field('symbol', { kind: 'string' }, { required: true, aliases: ['sym'] })])

type Read = (context: Context) => AsyncGenerator<Chunk, void, void>

/** One life of an input on a folder. */
async function live (folder: string, read: Read, { rename = {}, names = {}, wrap = (broker: Broker) => broker, topics = [] as Topic[] } = {}): Promise<void> {
  const real = openEmbedded({ folder })
  const broker = wrap(real)
  const rejects = new Rejects('rows', 'test', { now: () => 0 })
  const settings: Ingest = {
    plugin: defineInput({ description: 'A test', options: {}, names, read: (_, context) => read(context) }), config: {}, rename, producer: 'test', topic, rejects
  }
  try {
    const writers = await openIngest(settings, broker)
    const context = fakeContext({ topic, topics, checkpoint: writers.main.checkpoint })
    try {
      await ingest(settings, writers, { ...context, reject: (row, reason) => rejects.add({ row: row as Row, reason, step: 'input.test', partition: -1, offset: -1 }) })
    } finally {
      await writers.close()
    }
  } finally {
    await real.close()
  }
}

async function rowsIn (folder: string, of: Topic = topic): Promise<Row[]> {
  const broker = openEmbedded({ folder })
  const rows: Row[] = []
  for (const assignment of await assign(await broker.consumer(of, 'test'), of.partitions)) rows.push(...(await readAll(assignment)).batches.flatMap(batch => [...batch.rows()]))
  await broker.close()
  return rows
}

/** Goes on behind its checkpoint; every tenth row is bad. */
async function * counting ({ checkpoint, topic, reject }: Context): AsyncGenerator<Chunk, void, void> {
  for (let next = (checkpoint ?? 0) as number; next < 60; next += 6) {
    const numbers = range(next, next + 6)
    for (const n of numbers) if (n % 10 === 9) reject({ n }, 'bad')
    yield { batch: fromRows(topic, numbers.filter(n => n % 10 !== 9).map(n => ({ n, symbol: 'A' }))), checkpoint: next + 6 }
  }
}

await t.test('invariants 1 and 5: after a failed append at any point no row is lost or doubled, and none is rejected without a trace', async t => {
  const places = memoryFolder(t)
  for (let step = 1, failed = true; failed; step++) {
    const folder = `${places}/${step}`
    failed = false
    let appends = 0
    const wrap = (broker: Broker): Broker => ({
      ...broker,
      producer: async (topic, name) => {
        const producer = await broker.producer(topic, name)
        return {
          get checkpoint () { return producer.checkpoint },
          append: async (batches, options) => {
            // Odd steps fail before the append, even ones behind it: the answer is lost.
            if (++appends === Math.ceil(step / 2) && step % 2 === 1) failed = true
            if (failed) throw new Error('the disk is gone')
            await producer.append(batches, options)
            if (appends === step / 2) failed = true
            if (failed) throw new Error('the disk is gone')
          },
          close: () => producer.close()
        }
      }
    })
    await live(folder, counting, { wrap }).catch((error: Error) => { if (error.message !== 'the disk is gone') throw error })
    await live(folder, counting)
    const rows = (await rowsIn(folder)).map(({ n }) => n)
    const expected = range(0, 60).filter(n => n % 10 !== 9)
    if (JSON.stringify(rows) !== JSON.stringify(expected)) t.strictSame(rows, expected, `step ${step}`)
    const rejected = (await rowsIn(folder, rejectedTopic('rows'))).map(({ row }) => (row as { n: number }).n)
    if (JSON.stringify(rejected) !== JSON.stringify([9, 19, 29, 39, 49, 59])) t.fail(`step ${step}: ${rejected.join()} were rejected`)
    if (step > 60) t.fail('it never ends')
  }
  t.pass('every append failed once before and once behind')
})

await t.test('an input is resumed only when its rows are durable, and closed when they are not', async t => {
  const folder = memoryFolder(t)
  const seen: string[] = []
  async function * read ({ topic }: Context): AsyncGenerator<Chunk, void, void> {
    try {
      yield { batch: fromRows(topic, [{ n: 1, symbol: 'A' }]), checkpoint: 1 }
      seen.push(`durable: ${(await rowsIn(folder)).length}`)
      yield { batch: fromRows(topic, [{ n: 2, symbol: 'A' }]), checkpoint: 2 }
      seen.push('never')
    } finally {
      seen.push('closed')
    }
  }
  let appends = 0
  const wrap = (broker: Broker): Broker => ({
    ...broker,
    producer: async (topic, name) => {
      const producer = await broker.producer(topic, name)
      return {
        checkpoint: undefined,
        close: () => producer.close(),
        append: async (batches, options) => {
          if (++appends === 2) throw new Error('no')
          await producer.append(batches, options)
        }
      }
    }
  })
  await t.rejects(live(folder, read, { wrap }), { message: 'no' })
  t.strictSame(seen, ['durable: 1', 'closed'])
})

await t.test('lane invariant 1: all fields are selected and renamed, what is missing is filled, what is unknown is kept', async t => {
  const folder = memoryFolder(t)
  await live(folder, async function * ({ topic }) {
    yield { batch: fromRows(topic, [{ 31: 1.5, sym: 'A', venue: 'X' }, { 31: '1e5', venue: null }, { sym: 'B', deep: { a: [1] } }]) }
  }, { names: { 31: 'symbol' }, rename: { 31: 'n' } })
  t.strictSame(await rowsIn(folder), [
    { n: 1.5, symbol: 'A', extra: { venue: 'X' } },
    { n: '1e5', symbol: NOT_PRESENT, extra: null },
    { n: NOT_PRESENT, symbol: 'B', extra: { deep: { a: [1] } } }
  ])
})

await t.test('lane invariant 2: a batch that does not fit its topic is refused as a whole, and its checkpoint with it', async t => {
  const folder = memoryFolder(t)
  let attempts = 0
  const read = async function * ({ topic, checkpoint }: Context): AsyncGenerator<Chunk, void, void> {
    attempts++
    t.equal(checkpoint, undefined)
    const batch = fromRows(topic, [{ n: 1, symbol: 'A' }, { n: 2, symbol: 'B' }])
    yield { batch: batch.with({ ...batch.columns, n: { kind: 'values', values: [1] } }), checkpoint: 2 }
  }
  for (let i = 0; i < 2; i++) await t.rejects(live(folder, read), { code: 'ROW_INVALID', message: /field n has 1 values for 2 rows/ })
  t.equal(attempts, 2)
  t.strictSame(await rowsIn(folder), [])
})

await t.test('an empty batch moves the checkpoint and carries rejects', async t => {
  const folder = memoryFolder(t)
  await live(folder, async function * ({ topic, reject }) {
    reject({ n: 'x' }, 'bad')
    yield { batch: fromRows(topic, []), checkpoint: { at: 5 } }
  })
  await live(folder, async function * ({ checkpoint }) { t.strictSame(checkpoint, { at: 5 }) })
  t.strictSame(await rowsIn(folder), [])
  t.match(await rowsIn(folder, rejectedTopic('rows')), [{ row: { n: 'x' }, reason: 'bad', step: 'input.test', partition: -1, offset: -1 }])
})

await t.test('rows rejected behind the last batch are not forgotten when the input ends', async t => {
  const folder = memoryFolder(t)
  await live(folder, async function * ({ topic, reject }) {
    yield { batch: fromRows(topic, [{ n: 1, symbol: 'A' }]) }
    reject({ n: 'x' }, 'bad')
  })
  t.equal((await rowsIn(folder, rejectedTopic('rows'))).length, 1)
})

await t.test('rows rejected before a failure are not forgotten either', async t => {
  const folder = memoryFolder(t)
  await t.rejects(live(folder, async function * ({ topic, reject }) {
    yield { batch: fromRows(topic, [{ n: 1, symbol: 'A' }]) }
    reject({ n: 'x' }, 'bad')
    throw new Error('the connection is lost')
  }), { message: 'the connection is lost' })
  t.equal((await rowsIn(folder, rejectedTopic('rows'))).length, 1)
})

await t.test('an input may fill several topics; its checkpoint is kept with its own one', async t => {
  const folder = memoryFolder(t)
  const other = fakeTopic('other', ['n'])
  await live(folder, async function * ({ topic, topicNamed }) {
    yield { batch: fromRows(topicNamed('other'), [{ n: 7 }]), checkpoint: 'a' }
    yield { batch: fromRows(topic, [{ n: 1, symbol: 'A' }]) }
  }, { topics: [other] })
  t.strictSame((await rowsIn(folder, other)).map(({ n }) => n), [7])
  await live(folder, async function * ({ checkpoint }) { t.equal(checkpoint, 'a') })
})

await t.test('rows that a retry refuses again for the same checkpoint are rejected once', async t => {
  const folder = t.testdir()
  async function * refusing ({ reject }: Context): AsyncGenerator<Chunk, void, void> {
    reject({ n: 1 }, 'bad')
    yield { batch: fromRows(topic, [{ n: 2, symbol: 'A' }]), checkpoint: 2 }
  }
  const failing = (broker: Broker): Broker => ({
    ...broker,
    async producer (of, name) {
      const producer = await broker.producer(of, name)
      if (of.name !== 'rows') return producer
      return { checkpoint: producer.checkpoint, append: () => Promise.reject(new Error('full')), close: () => producer.close() }
    }
  })
  for (let life = 0; life < 3; life++) await t.rejects(live(folder, refusing, { wrap: failing }), { message: 'full' })
  await live(folder, refusing)
  t.equal((await rowsIn(folder, rejectedTopic('rows'))).length, 1)
  t.equal((await rowsIn(folder)).length, 1)
})

await t.test('a refused row is rejected once, whatever chunks the source gives after appends that failed', async t => {
  const places = memoryFolder(t)
  // All bad rows are alike, as lines of a file may be: each one counts.
  const inChunks = (size: number, end: number): Read => async function * ({ checkpoint, topic, reject }) {
    for (let next = (checkpoint ?? 0) as number; next < end; next += size) {
      const numbers = range(next, Math.min(end, next + size))
      for (const n of numbers) if (n % 3 === 2) reject({ bad: true }, 'bad')
      yield { batch: fromRows(topic, numbers.filter(n => n % 3 !== 2).map(n => ({ n, symbol: 'A' }))), checkpoint: Math.min(end, next + size) }
    }
  }
  /** The main append of that number fails. */
  const failing = (at: number) => (broker: Broker): Broker => ({
    ...broker,
    async producer (of, name) {
      const producer = await broker.producer(of, name)
      if (of.name !== 'rows') return producer
      let appends = 0
      return { checkpoint: producer.checkpoint, append: (...given) => ++appends === at ? Promise.reject(new Error('full')) : producer.append(...given), close: () => producer.close() }
    }
  })
  const sizes = [1, 4, 7, 12]
  for (const first of sizes) {
    for (const second of sizes) {
      for (const at of [1, 2]) {
        const folder = `${places}/${first}-${second}-${at}`
        const where = `chunks of ${first}, then of ${second}, append ${at}`
        await live(folder, inChunks(first, 16), { wrap: failing(1) }).catch(() => {})
        await live(folder, inChunks(second, 20), { wrap: failing(at) }).catch(() => {})
        await live(folder, inChunks(5, 24))
        const [rows, rejected] = [await rowsIn(folder), await rowsIn(folder, rejectedTopic('rows'))]
        if (rows.length !== 16 || rejected.length !== 8) t.fail(`${where}: ${rows.length} of 16 rows, ${rejected.length} of 8 rejected`)
      }
    }
  }
  t.pass('all of them')
})

await t.test('a source without checkpoints may send a row again that was refused before', async t => {
  const folder = t.testdir()
  for (let life = 0; life < 2; life++) {
    await live(folder, async function * ({ topic, reject }) {
      reject({ n: 'x' }, 'bad')
      yield { batch: fromRows(topic, [{ n: life, symbol: 'A' }]) }
    })
  }
  t.equal((await rowsIn(folder, rejectedTopic('rows'))).length, 2)
})

await t.test('an input that is stopped while it opens, and wakes up behind another owner, rejects no row again', async t => {
  const refusing = (end: number): Read => async function * ({ checkpoint, topic, reject }) {
    for (let next = (checkpoint ?? 0) as number; next < end; next++) {
      reject({ n: next }, 'bad')
      yield { batch: fromRows(topic, [{ n: next, symbol: 'A' }]), checkpoint: next + 1 }
    }
  }
  for (const stopAt of [1, 2]) {
    const folder = t.testdir()
    await live(folder, refusing(1))
    let opened = 0
    const stopping = (broker: Broker): Broker => ({
      ...broker,
      async producer (of, name) {
        // Another process takes its place meanwhile.
        if (++opened === stopAt) await live(folder, refusing(3))
        return broker.producer(of, name)
      }
    })
    await live(folder, refusing(3), { wrap: stopping }).catch((error: unknown) => t.match(error, { code: 'BROKER_FENCED' }))
    await live(folder, refusing(3))
    t.equal((await rowsIn(folder, rejectedTopic('rows'))).length, 3, `stopped before writer ${stopAt} is opened`)
    t.equal((await rowsIn(folder)).length, 3)
  }
})

await t.test('an input that was stopped before its first refused row, and wakes up behind another owner, rejects no row again', async t => {
  const folder = t.testdir()
  async function * refusing ({ checkpoint, topic, reject }: Context): AsyncGenerator<Chunk, void, void> {
    if (checkpoint !== undefined) return
    reject({ n: 1 }, 'bad')
    yield { batch: fromRows(topic, [{ n: 2, symbol: 'A' }]), checkpoint: 2 }
  }
  const stopped = live(folder, async function * (context) {
    // Another process has taken its place meanwhile, from the same checkpoint.
    await live(folder, refusing)
    yield * refusing(context)
  })
  await t.rejects(stopped, { code: 'BROKER_FENCED' })
  await live(folder, refusing)
  t.equal((await rowsIn(folder, rejectedTopic('rows'))).length, 1)
  t.equal((await rowsIn(folder)).length, 1)
})
