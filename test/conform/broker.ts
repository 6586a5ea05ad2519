// What every broker has to hold. A broker's test gives a subject: how to open it, again and again, on the same place.
//
// Offsets of a partition grow from row to row, but need not follow each other without a gap: a broker may use some for
// itself. So the suite goes on behind the last row that it has seen, as the loops do.

import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fromRows } from '../../runtime/batch.ts'
import { field, NOT_PRESENT } from '../../runtime/schema.ts'
import { fakeTopic, until } from './context.ts'
import type { Test } from 'tap'
import type { Batch } from '../../runtime/batch.ts'
import type { Assignment, Broker, Consumer, Producer } from '../../runtime/broker/broker.ts'
import type { Topic } from '../../runtime/schema.ts'

export interface BrokerSubject {
  /** A place of its own for one claim. */
  place (t: Test): Promise<Place> | Place
}

export interface Place {
  /** The broker on that place; opened more than once, as by several threads and after a restart. */
  open (): Promise<Broker> | Broker
}

/** What a claim works with: it opens, and closes all that it opened. */
export interface Bench {
  readonly broker: Broker
  /** Another one on the same place. */
  again (): Promise<Broker>
}

const all = { rows: 1_000_000, bytes: Infinity }
const never = new AbortController().signal

export async function conformBroker (t: Test, subject: BrokerSubject): Promise<void> {
  for (const [claim, check] of Object.entries(claims)) {
    await t.test(claim, async t => {
      const place = await subject.place(t)
      const opened: Broker[] = []
      const again = async (): Promise<Broker> => {
        const broker = await place.open()
        opened.push(broker)
        return broker
      }
      try {
        await check(t, { broker: await again(), again })
      } finally {
        for (const broker of opened.reverse()) await broker.close()
      }
    })
  }
}

/** A topic of its own with the fields `n` and `symbol`, which is its key. */
export function makeTopic (partitions = 1, more: Partial<Topic> = {}): Topic {
  return { ...fakeTopic(`conform-${randomUUID().slice(0, 8)}`, [field('n', { kind: 'int64' }), field('symbol', { kind: 'string' })]), partitions, key: ['symbol'], ...more }
}

/** Rows numbered [from, to), of as many instruments as `symbols` says. */
export function rowsOf (topic: Topic, from: number, to: number, symbols = 1): Batch {
  return fromRows(topic, Array.from({ length: to - from }, (_, i) => ({ n: from + i, symbol: `S${(from + i) % symbols}` })))
}

/** The assignments of a consumer, by partition, once it has all of them. */
export async function assign (consumer: Consumer, partitions = 1): Promise<Assignment[]> {
  const coming = consumer.assignments(never)
  const found: Assignment[] = []
  while (found.length < partitions) {
    const { value, done } = await coming.next()
    if (done === true) throw new Error(`${found.length} of ${partitions} partitions were assigned`)
    found.push(value)
  }
  return found.sort((a, b) => a.partition - b.partition)
}

async function assignOne (broker: Broker, topic: Topic, group: string): Promise<Assignment> {
  const [assignment] = await assign(await broker.consumer(topic, group))
  return assignment as Assignment
}

/** All rows from `offset` on. */
export async function readAll (assignment: Assignment, offset = assignment.committed.offset): Promise<{ readonly batches: Batch[], readonly rows: number[], readonly next: number }> {
  const batches: Batch[] = []
  let next = offset
  while (true) {
    const found = await assignment.read(next, all)
    if (found.next === next) return { batches, rows: numbersOf(batches), next }
    batches.push(...found.batches)
    next = found.next
  }
}

export function numbersOf (batches: readonly Batch[]): number[] {
  return batches.flatMap(batch => [...batch.rows()].map(row => row['n'] as number))
}

function offsetsOf (batches: readonly Batch[]): number[] {
  return batches.flatMap(batch => Array.from({ length: batch.length }, (_, i) => batch.offsetAt(i)))
}

export function range (from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

async function appendEach (producer: Producer, topic: Topic, sizes: readonly number[]): Promise<void> {
  let from = 0
  for (const size of sizes) {
    await producer.append([rowsOf(topic, from, from + size)])
    from += size
  }
}

const claims: Record<string, (t: Test, bench: Bench) => Promise<void>> = {
  'what was appended is read back, in order, with growing offsets and the time of the append': async (t, { broker }) => {
    const topic = makeTopic()
    const from = Date.now()
    const producer = await broker.producer(topic, 'writer')
    await producer.append([rowsOf(topic, 0, 3), rowsOf(topic, 3, 10)])
    await producer.append([rowsOf(topic, 10, 11)])
    const { batches, rows } = await readAll(await assignOne(broker, topic, 'readers'))
    t.strictSame(rows, range(0, 11))
    const offsets = offsetsOf(batches)
    t.ok(offsets.every((offset, i) => i === 0 || offset > (offsets[i - 1] as number)), 'offsets grow')
    t.ok(batches.every(({ position }) => position.partition === 0 && position.time >= from - 1000 && position.time <= Date.now() + 1000), 'position')
    t.ok(batches.every(batch => batch.topic.name === topic.name && batch.bytes > 0), 'topic and size')
  },

  'values of every JSON type come back as they were': async (t, { broker }) => {
    const topic = fakeTopic(`conform-${randomUUID().slice(0, 8)}`, ['value'])
    const values = ['', 'text', 'ü 株 🐙', '\ud800', 'a\u0000b', 0, -0, 1.5, -1e-300, 2 ** 53, true, false, null, [], [1, [2, null]], {}, { a: { b: 'c' } }, NOT_PRESENT]
    const producer = await broker.producer(topic, 'writer')
    await producer.append([fromRows(topic, values.map(value => ({ value })))])
    for (const value of values) await producer.append([fromRows(topic, [{ value }, { value }])])
    const { batches } = await readAll(await assignOne(broker, topic, 'readers'))
    const found = batches.flatMap(batch => [...batch.rows()].map(row => row['value']))
    t.strictSame(found, [...values, ...values.flatMap(value => [value, value])])
    t.ok(Object.is(found[values.indexOf(-0) + 1], -0) || Object.is(found[6], -0), 'minus zero')
  },

  'rows with the same key go to the same partition and keep their order': async (t, { broker }) => {
    const topic = makeTopic(4)
    const producer = await broker.producer(topic, 'writer')
    for (let from = 0; from < 1000; from += 100) await producer.append([rowsOf(topic, from, from + 100, 20)])
    const partitionOf = new Map<string, number>()
    const seen: number[] = []
    const wrong: unknown[] = []
    for (const assignment of await assign(await broker.consumer(topic, 'readers'), 4)) {
      const { batches } = await readAll(assignment)
      const last = new Map<string, number>()
      for (const row of batches.flatMap(batch => [...batch.rows()])) {
        const [symbol, n] = [row['symbol'] as string, row['n'] as number]
        if ((last.get(symbol) ?? -1) >= n || (partitionOf.get(symbol) ?? assignment.partition) !== assignment.partition) wrong.push(row)
        partitionOf.set(symbol, assignment.partition)
        last.set(symbol, n)
        seen.push(n)
      }
    }
    t.strictSame(wrong, [], 'one partition and the right order for each key')
    t.strictSame(seen.sort((a, b) => a - b), range(0, 1000))
    t.ok(new Set(partitionOf.values()).size > 1, 'more than one partition is used')
  },

  'an empty append, and a batch without rows, change nothing': async (t, { broker }) => {
    const topic = makeTopic()
    const producer = await broker.producer(topic, 'writer')
    await producer.append([])
    await producer.append([rowsOf(topic, 0, 0)])
    await producer.append([rowsOf(topic, 0, 0), rowsOf(topic, 0, 2), rowsOf(topic, 2, 2)])
    t.strictSame((await readAll(await assignOne(broker, topic, 'readers'))).rows, [0, 1])
  },

  'rows and checkpoint are there together, also for another broker on the same place': async (t, { broker, again }) => {
    const topic = makeTopic()
    const producer = await broker.producer(topic, 'writer')
    t.equal(producer.checkpoint, undefined, 'none so far')
    await producer.append([rowsOf(topic, 0, 5)], { checkpoint: { next: 5 } })
    t.strictSame(producer.checkpoint, { next: 5 })
    await producer.append([rowsOf(topic, 5, 7)])
    await producer.append([], { checkpoint: [7] })
    await producer.close()
    const other = await again()
    t.strictSame((await other.producer(topic, 'writer')).checkpoint, [7], 'checkpoint')
    t.equal((await other.producer(topic, 'another')).checkpoint, undefined, 'each writer has its own')
    t.strictSame((await readAll(await assignOne(other, topic, 'readers'))).rows, range(0, 7))
  },

  'an append that does not fit the topic leaves neither rows nor a checkpoint': async (t, { broker }) => {
    const topic = makeTopic()
    const required = { ...topic, fields: topic.fields.map(known => ({ ...known, required: true })) }
    const producer = await broker.producer(required, 'writer')
    await t.rejects(producer.append([rowsOf(required, 0, 2), fromRows(required, [{ n: 2 }])], { checkpoint: 3 }), { code: 'ROW_INVALID' })
    await t.rejects(producer.append([fromRows(required, [{ n: 2, symbol: 'A', other: 1 }])], { checkpoint: 3 }), { code: 'ROW_INVALID' })
    t.equal(producer.checkpoint, undefined)
    t.strictSame((await readAll(await assignOne(broker, required, 'readers'))).rows, [])
  },

  'a second producer of one name takes over and goes on at the checkpoint; the first one is fenced': async (t, { broker, again }) => {
    const topic = makeTopic()
    const first = await broker.producer(topic, 'writer')
    await first.append([rowsOf(topic, 0, 3)], { checkpoint: 3 })
    const second = await (await again()).producer(topic, 'writer')
    t.equal(second.checkpoint, 3)
    await t.rejects(first.append([rowsOf(topic, 90, 95)], { checkpoint: 95 }), { code: 'BROKER_FENCED' })
    await second.append([rowsOf(topic, 3, 5)], { checkpoint: 5 })
    await t.rejects(first.append([rowsOf(topic, 90, 95)]), { code: 'BROKER_FENCED' })
    t.strictSame((await readAll(await assignOne(broker, topic, 'readers'))).rows, range(0, 5))
  },

  'an append that is repeated with its sequence does nothing, also after reopening': async (t, { broker, again }) => {
    const topic = makeTopic()
    const producer = await broker.producer(topic, 'writer')
    await producer.append([rowsOf(topic, 0, 2)], { sequence: 2 })
    await producer.append([rowsOf(topic, 0, 2)], { sequence: 2 })
    await producer.append([rowsOf(topic, 0, 1)], { sequence: 1 })
    await producer.append([rowsOf(topic, 2, 4)], { sequence: 10 })
    const other = await (await again()).producer(topic, 'writer')
    await other.append([rowsOf(topic, 2, 4)], { sequence: 10 })
    await other.append([rowsOf(topic, 4, 5)], { sequence: 11 })
    t.strictSame((await readAll(await assignOne(broker, topic, 'readers'))).rows, range(0, 5))
  },

  'each group keeps its own offset and state, and finds them again': async (t, { broker, again }) => {
    const topic = makeTopic()
    await (await broker.producer(topic, 'writer')).append([rowsOf(topic, 0, 10)])
    const fast = await broker.consumer(topic, 'fast')
    const slow = await broker.consumer(topic, 'slow')
    const [ofFast] = await assign(fast) as [Assignment]
    const [ofSlow] = await assign(slow) as [Assignment]
    const { batches, next } = await readAll(ofFast)
    const third = offsetsOf(batches)[3] as number
    await ofFast.commit(next, { window: [1, 2] })
    await ofSlow.commit(third, undefined)
    await Promise.all([fast.close(), slow.close()])
    const other = await again()
    const fastAgain = await assignOne(other, topic, 'fast')
    t.strictSame({ ...fastAgain.committed }, { offset: next, state: { window: [1, 2] }, intent: undefined })
    t.strictSame((await readAll(fastAgain)).rows, [], 'nothing left')
    t.strictSame((await readAll(await assignOne(other, topic, 'slow'))).rows, range(3, 10))
  },

  'a new group starts at the earliest row (Benthos: can send and receive data isolated)': async (t, { broker }) => {
    const topic = makeTopic()
    const empty = await assignOne(broker, topic, 'before')
    const producer = await broker.producer(topic, 'writer')
    await appendEach(producer, topic, [3, 4])
    t.strictSame((await readAll(await assignOne(broker, topic, 'after'))).rows, range(0, 7))
    t.strictSame((await readAll(empty)).rows, range(0, 7), 'a group that was there before the first row')
  },

  'a read keeps to its limits, and gives at least one batch': async (t, { broker }) => {
    const topic = makeTopic()
    await appendEach(await broker.producer(topic, 'writer'), topic, [10, 10, 10, 10])
    const assignment = await assignOne(broker, topic, 'readers')
    const { offset } = assignment.committed
    const { batches: some } = await assignment.read(offset, { rows: 25, bytes: Infinity })
    const rows = numbersOf(some)
    t.ok(rows.length >= 10 && rows.length <= 25, `${rows.length} rows`)
    t.strictSame(rows, range(0, rows.length))
    t.ok(numbersOf((await assignment.read(offset, { rows: 1, bytes: Infinity })).batches).length > 0, 'one batch, however few rows are wanted')
    t.ok(numbersOf((await assignment.read(offset, { rows: 1000, bytes: 1 })).batches).length > 0, 'one batch, however few bytes are wanted')
    t.ok(numbersOf((await assignment.read(offset, { rows: 1000, bytes: 1 })).batches).length < 40, 'but not all')
  },

  'a read begins and ends at any offset': async (t, { broker }) => {
    const topic = makeTopic()
    await appendEach(await broker.producer(topic, 'writer'), topic, [10, 1, 9])
    const assignment = await assignOne(broker, topic, 'readers')
    const offsets = offsetsOf((await readAll(assignment)).batches)
    for (const [from, to] of [[0, 20], [3, 7], [3, 10], [9, 11], [10, 11], [5, 15], [19, 20]] as const) {
      const found: Batch[] = []
      let next = offsets[from] as number
      const end = (offsets[to - 1] as number) + 1
      while (next < end) {
        const some = await assignment.read(next, { ...all, to: end })
        found.push(...some.batches)
        t.ok(some.next > next && some.next <= end, 'it goes on, and not beyond the end')
        next = some.next
      }
      t.strictSame(numbersOf(found), range(from, to), `${from} to ${to}`)
      t.strictSame(offsetsOf(found), offsets.slice(from, to), 'with the offsets they had')
    }
    const { next } = await assignment.bounds()
    t.strictSame(await assignment.read(next, all), { batches: [], refused: [], next }, 'nothing at the end')
  },

  'a wait ends when rows are appended, when they are there, after its time, and at the signal': async (t, { broker, again }) => {
    const topic = makeTopic()
    const assignment = await assignOne(broker, topic, 'readers')
    const producer = await (await again()).producer(topic, 'writer')
    const { offset } = assignment.committed
    let woken = false
    const waiting = assignment.wait(offset, 60_000, never).then(() => { woken = true })
    await sleep(50)
    t.notOk(woken, 'it waits')
    await producer.append([rowsOf(topic, 0, 1)])
    await until(() => woken, 'the wait ends')
    await waiting
    await assignment.wait(offset, 60_000, never)
    const { next } = await readAll(assignment)
    await assignment.wait(next, 20, never)
    const stop = new AbortController()
    const stopped = assignment.wait(next, 60_000, stop.signal)
    stop.abort()
    await stopped
    await assignment.wait(next, 60_000, AbortSignal.abort())
    t.pass('all of them ended')
  },

  'an intent survives reopening, its rows come again, and a commit clears it (Benthos: respects checkpointed offsets)': async (t, { broker, again }) => {
    const topic = makeTopic()
    await (await broker.producer(topic, 'writer')).append([rowsOf(topic, 0, 10)])
    const consumer = await broker.consumer(topic, 'readers')
    const [first] = await assign(consumer) as [Assignment]
    const { offset } = first.committed
    const { next } = await readAll(first)
    const intent = { from: offset, to: next, rows: 10, hash: 'abc', revision: 'r1' }
    await first.begin(intent)
    await consumer.close()

    const other = await again()
    const reopened = await other.consumer(topic, 'readers')
    const [second] = await assign(reopened) as [Assignment]
    t.strictSame({ ...second.committed }, { offset, state: undefined, intent })
    t.strictSame((await readAll(second)).rows, range(0, 10), 'in order')
    t.ok(second.epoch > first.epoch, 'the epoch grows with each owner')
    await second.commit(next, 1)
    await reopened.close()
    t.strictSame({ ...(await assignOne(await again(), topic, 'readers')).committed }, { offset: next, state: 1, intent: undefined })
  },

  'offsets only grow': async (t, { broker, again }) => {
    const topic = makeTopic()
    await (await broker.producer(topic, 'writer')).append([rowsOf(topic, 0, 10)])
    const consumer = await broker.consumer(topic, 'readers')
    const [assignment] = await assign(consumer) as [Assignment]
    const { next } = await readAll(assignment)
    await assignment.commit(next, undefined)
    await assignment.commit(next - 5, undefined)
    await consumer.close()
    t.equal((await assignOne(await again(), topic, 'readers')).committed.offset, next)
  },

  'a member whose partition another one has can neither begin nor commit': async (t, { broker, again }) => {
    const topic = makeTopic()
    await (await broker.producer(topic, 'writer')).append([rowsOf(topic, 0, 10)])
    const consumer = await broker.consumer(topic, 'readers')
    const [old] = await assign(consumer) as [Assignment]
    const { next } = await readAll(old)
    await consumer.close()
    t.ok(old.signal.aborted, 'it is told')
    const assignment = await assignOne(await again(), topic, 'readers')
    await t.rejects(old.commit(next, undefined), { code: 'BROKER_FENCED' })
    await t.rejects(old.begin({ from: 0, to: next, rows: 10, hash: '', revision: '' }), { code: 'BROKER_FENCED' })
    await assignment.commit(next, 'new')
    t.equal((await broker.inspect(topic.name))?.groups.find(({ group }) => group === 'readers')?.offset, next)
  },

  'bounds, lag and tail tell what a topic holds': async (t, { broker, again }) => {
    const topic = makeTopic()
    t.equal(await broker.inspect(topic.name), undefined, 'no such topic yet')
    t.strictSame(await broker.tail(topic, 5), [])
    t.notOk((await broker.topics()).includes(topic.name))
    const producer = await broker.producer(topic, 'writer')
    t.ok((await broker.topics()).includes(topic.name))
    await appendEach(producer, topic, [3, 3, 4])
    const assignment = await assignOne(broker, topic, 'readers')
    const { batches, next } = await readAll(assignment)
    await assignment.commit(offsetsOf(batches)[5] as number, undefined)
    await sleep(20)

    const other = await again()
    const behindState = await other.inspect(topic.name)
    const bounds = await assignment.bounds()
    t.equal(bounds.first, offsetsOf(batches)[0])
    t.ok(bounds.next >= next)
    t.match(behindState, { name: topic.name, partitions: [{ partition: 0, ...bounds }], groups: [{ group: 'readers', partition: 0, offset: offsetsOf(batches)[5] }] })
    t.ok((behindState?.groups[0]?.lagMs ?? 0) > 0, 'rows wait')
    t.ok((behindState?.bytes ?? 0) > 0, 'size')
    t.ok(Math.abs((behindState?.partitions[0]?.time ?? 0) - Date.now()) < 60_000, 'time of the newest batch')

    await assignment.commit(next, undefined)
    t.equal((await other.inspect(topic.name))?.groups[0]?.lagMs, 0, 'none waits')
    t.strictSame(numbersOf(await other.tail(topic, 5)), range(5, 10), 'the last rows')
    t.strictSame(numbersOf(await other.tail(topic, 100)), range(0, 10), 'or all there are')
  },

  'the tail of several partitions is the newest rows, oldest first': async (t, { broker }) => {
    const topic = makeTopic(4)
    const producer = await broker.producer(topic, 'writer')
    for (let n = 0; n < 40; n++) {
      await producer.append([rowsOf(topic, n, n + 1, 8)])
      if (n === 29) await sleep(5)
    }
    t.strictSame(numbersOf(await broker.tail(topic, 10)), range(30, 40))
  },

  'a follower gets the last rows, then those that come, each once': async (t, { broker, again }) => {
    const topic = makeTopic(2)
    const producer = await broker.producer(topic, 'writer')
    for (let n = 0; n < 10; n++) await producer.append([rowsOf(topic, n, n + 1, 4)])
    const stop = new AbortController()
    const seen: number[] = []
    const following = (async () => {
      for await (const batch of (await again()).follow(topic, { rows: 4, signal: stop.signal })) seen.push(...numbersOf([batch]))
    })()
    await until(() => seen.length === 4, 'the rows that are there')
    for (let from = 10; from < 100; from += 10) await producer.append([rowsOf(topic, from, from + 10, 4)])
    await until(() => seen.length >= 94, 'the rows that come')
    stop.abort()
    await following
    t.strictSame(seen.sort((a, b) => a - b), range(6, 100))
  },

  'a reader gets the rows from any offset on, and no group hears of it': async (t, { broker, again }) => {
    const topic = makeTopic(2)
    const other = await again()
    const early = await other.reader(topic)
    t.equal(early.partitions, 2, 'a topic that is not there yet is made')
    const producer = await broker.producer(topic, 'writer')
    for (let n = 0; n < 40; n += 10) await producer.append([rowsOf(topic, n, n + 10, 4)])
    const seen: number[] = []
    for (let partition = 0; partition < early.partitions; partition++) {
      const { first, next } = await early.bounds(partition)
      const numbers: number[] = []
      for (let offset = first; offset < next;) {
        const found = await early.read(partition, offset, { rows: 3, bytes: Infinity, to: next })
        if (found.next === offset) break
        offset = found.next
        numbers.push(...numbersOf(found.batches))
      }
      t.strictSame(numbersOf((await early.read(partition, first, all)).batches), numbers, 'as often as it likes')
      seen.push(...numbers)
    }
    t.strictSame(seen.sort((a, b) => a - b), range(0, 40))
    t.strictSame((await broker.inspect(topic.name))?.groups, [])
    await early.close()
  },
  'a lease is held until its signal': async (t, { broker }) => {
    const lease = await broker.lease(`conform-${randomUUID().slice(0, 8)}`)
    const stop = new AbortController()
    let times = 0
    for await (const lost of lease.held(stop.signal)) {
      times++
      t.notOk(lost.aborted, 'it is held')
      stop.abort()
      t.ok(lost.aborted, 'and given back')
    }
    t.equal(times, 1)
    for await (const held of lease.held(AbortSignal.abort())) times += Number(!held.aborted)
    t.equal(times, 1, 'nothing is held after the signal')
  },

  'retention removes what is too old, and no younger row': async (t, { broker }) => {
    const topic = makeTopic(1, { retention: { ms: 60_000, bytes: Infinity, beyondOutputs: false } })
    await appendEach(await broker.producer(topic, 'writer'), topic, [10, 10])
    t.equal(await broker.trim(topic, { now: Date.now() + 30_000, groups: [] }), 0, 'young rows stay')
    t.ok(await broker.trim(topic, { now: Date.now() + 70_000, groups: [] }) >= 20)
    const assignment = await assignOne(broker, topic, 'readers')
    const { first, next } = await assignment.bounds()
    t.equal(first, next, 'it is empty')
    await (await broker.producer(topic, 'writer')).append([rowsOf(topic, 20, 25)])
    t.strictSame((await readAll(assignment)).rows, range(20, 25), 'offsets go on')
    t.ok((await assignment.bounds()).next > next)
  },

  'retention removes no row that a group still needs, unless the topic says so': async (t, { broker }) => {
    const topic = makeTopic(1, { retention: { ms: 1, bytes: 1, beyondOutputs: false } })
    await appendEach(await broker.producer(topic, 'writer'), topic, [10, 10, 10])
    const assignment = await assignOne(broker, topic, 'readers')
    const offsets = offsetsOf((await readAll(assignment)).batches)
    const later = { now: Date.now() + 60_000, groups: ['readers'] }
    t.equal(await broker.trim(topic, later), 0, 'nothing was committed')
    t.equal(await broker.trim(topic, { ...later, groups: ['readers', 'not started yet'] }), 0)
    await assignment.commit(offsets[15] as number, undefined)
    t.equal(await broker.trim(topic, { ...later, groups: ['readers', 'not started yet'] }), 0, 'a group that has not read yet needs all')
    const removed = await broker.trim(topic, later)
    const { first } = await assignment.bounds()
    t.equal(removed, first - (offsets[0] as number), 'it tells how many offsets are gone')
    t.ok(removed >= 10 && first <= (offsets[15] as number), `${removed} are gone`)
    t.strictSame(numbersOf((await assignment.read(offsets[15] as number, all)).batches).slice(0, 5), range(15, 20), 'the next row is there')

    const beyond = { ...topic, retention: { ...topic.retention, beyondOutputs: true } }
    t.equal(await broker.trim(beyond, later), (await assignment.bounds()).first - first)
    const late = await assignOne(broker, topic, 'late')
    t.strictSame((await readAll(late)).rows, [], 'all are gone')
    await t.rejects(late.read(offsets[15] as number, all), { code: 'BROKER_OFFSET_LOST' }, 'who asks for them is told that they are lost')
  },

  'a topic that is too large loses its oldest rows, and no more than it has to': async (t, { broker }) => {
    const topic = makeTopic()
    const producer = await broker.producer(topic, 'writer')
    for (let from = 0; from < 30_000; from += 1000) await producer.append([fromRows(topic, range(from, from + 1000).map(n => ({ n, symbol: `${n} ${randomUUID()}` })))])
    const bytes = (await broker.inspect(topic.name))?.bytes as number
    const limited = { ...topic, retention: { ms: 86_400_000, bytes: bytes / 2, beyondOutputs: false } }
    t.ok(await broker.trim(limited, { now: Date.now(), groups: [] }) > 0)
    const left = (await readAll(await assignOne(broker, topic, 'readers'))).rows
    t.equal(left.at(-1), 29_999, 'the newest rows stay')
    t.strictSame(left, range(left[0] as number, 30_000), 'without a gap')
    t.ok(left.length < 20_000 && left.length > 8000, `${left.length} of 30000 rows stay of half the bytes`)
    t.equal(await broker.trim(limited, { now: Date.now(), groups: [] }), 0, 'it is small enough')
  },

  'offsets that a topic does not hold are refused': async (t, { broker }) => {
    const topic = makeTopic()
    await (await broker.producer(topic, 'writer')).append([rowsOf(topic, 0, 10)])
    const assignment = await assignOne(broker, topic, 'readers')
    const { next } = await assignment.bounds()
    await t.rejects(assignment.read(next + 100, all), { code: 'BROKER_OFFSET_LOST' })
  }
}
