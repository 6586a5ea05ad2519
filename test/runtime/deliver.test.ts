import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openEmbedded } from '../../runtime/broker/embedded.ts'
import { fakeContext, until } from '../conform/context.ts'
import { assign, range } from '../conform/broker.ts'
import { chainOf, committedIn, Destination, Fault, fill, live, liveUntil, memoryFolder, rejectedIn, topic } from './destination.ts'
import type { Batch } from '../../runtime/batch.ts'
import type { Settlement } from '../../runtime/deliver.ts'
import type { Mapping, Range } from '../../runtime/plugin.ts'
import type { Life, MappingContext } from './destination.ts'

const ROWS = 49
const MORE = 60

// The last portion of the first life is refused as a whole; in the next life it would be a larger one.
const rejectedByMapping = (offset: number): boolean => offset % 10 === 3 || (offset >= 42 && offset < ROWS)
const takenOut = (offset: number): boolean => offset % 10 === 6
const refused = (offset: number): boolean => offset % 10 === 8

/** Counts the rows that it has seen, rejects some and takes some out. */
function counting ({ state, reject }: MappingContext): Mapping {
  let seen = (state ?? 0) as number
  return {
    map (batch) {
      const kept: number[] = []
      const counts: number[] = []
      for (let i = 0; i < batch.length; i++) {
        seen++
        const offset = batch.offsetAt(i)
        if (rejectedByMapping(offset)) reject(i, 'no')
        else if (!takenOut(offset)) {
          kept.push(i)
          counts.push(seen)
        }
      }
      const left = batch.select(Int32Array.from(kept))
      return left.with({ ...left.columns, seen: { kind: 'values', values: counts } })
    },
    snapshot: () => seen
  }
}

const delivered = range(0, MORE).filter(offset => !rejectedByMapping(offset) && !takenOut(offset) && !refused(offset))
const rejected = [
  ...range(0, MORE).filter(rejectedByMapping).map(offset => ({ offset, step: 'transforms.test' })),
  ...range(0, MORE).filter(offset => !rejectedByMapping(offset) && !takenOut(offset) && refused(offset)).map(offset => ({ offset, step: 'outputs.test' }))
].sort((a, b) => a.offset - b.offset)

/** Lives that crash at `steps`, one after the other, then one that ends well; more rows come after the first crash. */
async function crashAt (folder: string, destination: Destination, steps: readonly number[]): Promise<boolean> {
  await fill(folder, 0, ROWS)
  const life: Life = { folder, destination, mapping: counting, refuses: refused }
  let crashed = false
  for (const [i, step] of steps.entries()) {
    const fault = new Fault(step)
    await liveUntil(ROWS, { ...life, fault }).catch((error: Error) => { if (error.message !== 'crash') throw error })
    crashed = fault.crashed
    if (i === 0) await fill(folder, ROWS, MORE)
  }
  await liveUntil(MORE, life)
  return crashed
}

async function checkRejects (folder: string): Promise<string> {
  const found = (await rejectedIn(folder)).sort((a, b) => a.offset - b.offset)
  return JSON.stringify(found) === JSON.stringify(rejected) ? '' : `rejects: ${JSON.stringify(found)}`
}

for (const guarantee of ['exactly once', 'idempotent'] as const) {
  await t.test(`after a crash at any step every row is there once: ${guarantee}`, async t => {
    const places = memoryFolder(t)
    let step = 0
    for (let crashed = true; crashed;) {
      step++
      const folder = `${places}/${step}`
      const destination = new Destination(guarantee)
      crashed = await crashAt(folder, destination, [step])
      if (JSON.stringify(destination.offsets) !== JSON.stringify(delivered)) t.strictSame(destination.offsets, delivered, `rows after a crash at step ${step}`)
      if (!destination.landed.every(({ offset, values }) => values['seen'] === offset + 1)) t.fail(`the transform did not resume after a crash at step ${step}`)
      const wrong = await checkRejects(folder)
      if (wrong !== '') t.fail(`step ${step}: ${wrong}`)
    }
    t.ok(step > 25, `${step} steps`)
  })
}

await t.test('after a crash at any step at most one range is repeated: at least once', async t => {
  const places = memoryFolder(t)
  let step = 0
  for (let crashed = true; crashed;) {
    step++
    const folder = `${places}/${step}`
    const destination = new Destination('at least once')
    crashed = await crashAt(folder, destination, [step])
    const twice = [...new Set(destination.offsets.filter((offset, i, all) => offset === all[i - 1]))]
    if (JSON.stringify([...new Set(destination.offsets)]) !== JSON.stringify(delivered)) t.strictSame(destination.offsets, delivered, `rows after a crash at step ${step}`)
    const repeated = destination.flushed.filter(({ from, to }) => twice.some(offset => offset >= from && offset < to))
    if (new Set(repeated.map(({ from }) => from)).size > 1) t.fail(`step ${step} repeats rows of more than one range: ${twice.join(' ')}`)
    const wrong = await checkRejects(folder)
    if (wrong !== '') t.fail(`step ${step}: ${wrong}`)
  }
  t.ok(step > 25, `${step} steps`)
})

await t.test('after crashes in the recovery of a crash every row is there once', async t => {
  const places = memoryFolder(t)
  for (const first of [3, 6, 9, 10, 12, 13]) {
    for (const second of [1, 2, 3, 4, 5, 6, 7]) {
      const folder = `${places}/${first}-${second}`
      const destination = new Destination('exactly once')
      await crashAt(folder, destination, [first, second, second])
      if (JSON.stringify(destination.offsets) !== JSON.stringify(delivered)) t.strictSame(destination.offsets, delivered, `rows after crashes at step ${first} and ${second}`)
      const wrong = await checkRejects(folder)
      if (wrong !== '') t.fail(`steps ${first}, ${second}: ${wrong}`)
    }
  }
  t.pass('42 times three crashes')
})

await t.test('invariant 2: an offset is committed only after flush resolved for all rows below it', async t => {
  const folder = t.testdir()
  await fill(folder, 0, 50)
  const destination = new Destination('exactly once')
  const seen: boolean[] = []
  await liveUntil(50, {
    folder,
    destination,
    with: ({ assignment }) => ({
      assignment: {
        ...methods(assignment),
        commit: async (offset, state) => {
          seen.push(destination.flushed.some(({ to }) => to === offset))
          await assignment.commit(offset, state)
        }
      }
    })
  })
  t.ok(seen.length > 1)
  t.notOk(seen.includes(false))
})

function methods<T extends object> (assignment: T): T {
  // A faulty assignment is a plain object.
  return { ...assignment }
}

await t.test('rows are delivered again after a failed flush, and none is lost', async t => {
  const folder = t.testdir()
  await fill(folder, 0, 50)
  const destination = new Destination('exactly once')
  let fails = true
  const life: Life = {
    folder,
    destination,
    with: ({ sink }) => ({
      sink: {
        ...sink,
        flush: async range => {
          if (fails && range.from > 0) throw new Error('the destination is down')
          await sink.flush(range)
        }
      }
    })
  }
  await t.rejects(liveUntil(50, life), { message: 'the destination is down' })
  t.equal(await committedIn(folder), destination.flushed.at(-1)?.to, 'what was flushed is committed')
  fails = false
  await liveUntil(50, life)
  t.strictSame(destination.offsets, range(0, 50))
})

await t.test('the rows of an unfinished range are made by the revision that began it', async t => {
  const folder = t.testdir()
  await fill(folder, 0, 50)
  const destination = new Destination('exactly once')
  const stamping = ({ revision }: MappingContext): Mapping => ({ map: batch => batch.with({ ...batch.columns, revision: { kind: 'values', values: new Array(batch.length).fill(revision) } }) })
  const flushing = new Fault(7)
  await t.rejects(liveUntil(50, { folder, destination, mapping: stamping, fault: flushing, revision: 'old' }), { message: 'crash' })
  const began = await intentIn(folder)
  t.equal(began?.revision, 'old')
  await liveUntil(50, { folder, destination, mapping: stamping, revision: 'new' })
  const made = new Map(destination.landed.map(({ offset, values }) => [offset, values['revision']]))
  for (const offset of range(0, 50)) if (made.get(offset) !== (offset < (began as Range & { revision: string }).to ? 'old' : 'new')) t.fail(`row ${offset} was made by ${String(made.get(offset))}`)
  t.strictSame(destination.offsets, range(0, 50))
})

async function intentIn (folder: string): Promise<{ readonly from: number, readonly to: number, readonly revision: string } | undefined> {
  const broker = openEmbedded({ folder })
  const [assignment] = await assign(await broker.consumer(topic, 'group'))
  await broker.close()
  return assignment?.committed.intent
}

await t.test('other rows than before the interruption are said so', async t => {
  const folder = t.testdir()
  await fill(folder, 0, 20)
  const destination = new Destination('exactly once')
  const context = fakeContext()
  const upper = (revision: string) => (): Mapping => ({ map: batch => batch.with({ n: batch.columns['n'] as never, text: { kind: 'values', values: new Array(batch.length).fill(revision) } }) })
  await t.rejects(liveUntil(20, { folder, destination, mapping: upper('a'), fault: new Fault(3) }), { message: 'crash' })
  await liveUntil(20, { folder, destination, mapping: upper('b'), context })
  t.match(context.logs.find(({ level }) => level === 'warn'), { message: /other rows/, fields: { revision: 'r1' } })
})

await t.test('a portion ends at its rows, at its bytes, or when its time is over', async t => {
  const rangesOf = async (flush: Life['flush']): Promise<Settlement[]> => {
    const folder = t.testdir()
    await fill(folder, 0, 210)
    const done: Settlement[] = []
    await liveUntil(210, { folder, destination: new Destination('idempotent'), flush: { ms: 60_000, ...flush }, onSettle: event => { if (event.phase === 'done') done.push(event) } })
    return done
  }
  for (const { range } of await rangesOf({ rows: 30 })) t.ok(range.to - range.from >= 30 && range.to - range.from < 37, 'rows')
  const bytes = (await rangesOf({ rows: 7 }))[0]?.bytes as number
  for (const { range } of await rangesOf({ rows: 1_000_000, bytes: 3 * bytes })) t.ok(range.to - range.from >= 21 && range.to - range.from <= 28, 'bytes')

  const folder = t.testdir()
  await fill(folder, 0, 7)
  const began = performance.now()
  await liveUntil(7, { folder, destination: new Destination('idempotent'), flush: { rows: 1_000_000, ms: 80 } })
  t.ok(performance.now() - began >= 80, 'few rows wait for others, but not for ever')
})

await t.test('while a portion settles the next one is gathered, and never more than one', async t => {
  const folder = t.testdir()
  await fill(folder, 0, 500)
  const destination = new Destination('exactly once')
  const { promise: free, resolve: release } = Promise.withResolvers<void>()
  const stop = new AbortController()
  let readTo = 0
  let flushes = 0
  const living = live({
    folder,
    destination,
    flush: { rows: 50 },
    onSettle: event => { if (event.phase === 'done' && event.range.to >= 500) stop.abort() },
    with: ({ sink, assignment }) => ({
      sink: {
        ...sink,
        flush: async range => {
          flushes++
          await free
          await sink.flush(range)
        }
      },
      assignment: {
        ...assignment,
        read: async (offset, limits) => {
          const found = await assignment.read(offset, limits)
          readTo = Math.max(readTo, found.next)
          return found
        }
      }
    })
  }, stop.signal)
  await until(() => flushes === 1 && readTo > 56, 'the next portion is gathered')
  await sleep(50)
  t.equal(flushes, 1)
  t.ok(readTo <= 112, `${readTo} rows were read`)
  release()
  await living
  t.strictSame(destination.offsets, range(0, 500))
})

await t.test('a transform that throws is named, and what settles meanwhile ends first', async t => {
  const folder = t.testdir()
  await fill(folder, 0, 100)
  const destination = new Destination('exactly once')
  let settled = false
  const throwing = (): Mapping => ({
    map (batch: Batch) {
      if (batch.offsetAt(0) > 30) throw new Error('no such instrument')
      return batch
    }
  })
  const living = live({
    folder,
    destination,
    mapping: throwing,
    with: ({ sink }) => ({
      sink: {
        ...sink,
        flush: async range => {
          await sleep(200)
          await sink.flush(range)
          settled = true
        }
      }
    })
  }, new AbortController().signal)
  await t.rejects(living, { code: 'PLUGIN_FAILED', where: 'transforms.test', message: /offset 35 on failed: no such instrument/ })
  t.ok(settled, 'a write that is on its way would land behind the back of the next attempt')
  t.equal(await committedIn(folder), destination.flushed.at(-1)?.to)
})

await t.test('what was gathered when it stops still settles', async t => {
  const folder = t.testdir()
  await fill(folder, 0, 30)
  const destination = new Destination('at least once')
  const stop = new AbortController()
  const living = live({
    folder,
    destination,
    flush: { rows: 1_000_000, ms: 60_000 },
    with: ({ assignment }) => ({
      assignment: {
        ...assignment,
        wait: async (offset, ms, signal) => {
          stop.abort()
          await assignment.wait(offset, ms, signal)
        }
      }
    })
  }, stop.signal)
  await living
  t.equal(await committedIn(folder), 30)
  t.strictSame(destination.offsets, range(0, 30))
})

await t.test('a delivery whose partition another one has commits nothing', async t => {
  const folder = t.testdir()
  await fill(folder, 0, 30)
  const destination = new Destination('at least once')
  const other = openEmbedded({ folder })
  t.teardown(() => other.close())
  const living = liveUntil(30, {
    folder,
    destination,
    with: ({ sink }) => ({
      sink: {
        ...sink,
        flush: async range => {
          await assign(await other.consumer(topic, 'group'))
          await sink.flush(range)
        }
      }
    })
  })
  await t.rejects(living, { code: 'BROKER_FENCED' })
  t.equal(await committedIn(folder), 0)
})

await t.test('rows that retention took are said so, and what is left of an unfinished range is not doubled', async t => {
  const folder = t.testdir()
  await fill(folder, 0, 14)
  await sleep(20)
  const now = Date.now()
  await fill(folder, 14, 40)
  const destination = new Destination('exactly once')
  // Everything has landed, only the commit is missing.
  await t.rejects(liveUntil(40, { folder, destination, flush: { rows: 40, ms: 60_000 }, fault: new Fault(17) }), { message: 'crash' })
  t.strictSame(destination.offsets, range(0, 40))
  const broker = openEmbedded({ folder })
  t.equal(await broker.trim({ ...topic, retention: { ms: 1, bytes: Infinity, beyondOutputs: true } }, { now: now + 1, groups: [] }), 14)
  await broker.close()
  await fill(folder, 40, 50)
  const context = fakeContext()
  await liveUntil(50, { folder, destination, context })
  t.strictSame(destination.offsets, range(0, 50))
  t.match(context.logs.find(({ level }) => level === 'error'), { message: /Retention/, fields: { from: 0, to: 14, rowsLost: 14 } })
})

await t.test('an output that promises exactly once and cannot read back is refused', async t => {
  const folder = t.testdir()
  await fill(folder, 0, 10)
  const destination = new Destination('exactly once')
  await t.rejects(liveUntil(10, { folder, destination, fault: new Fault(3) }), { message: 'crash' })
  const living = liveUntil(10, { folder, destination, with: ({ sink: { landed: _, ...sink } }) => ({ sink }) })
  await t.rejects(living, { code: 'PLUGIN_INVALID', message: /landed/ })
})

await t.test('a destination that says it holds rows and does not is not believed after a recovery', async t => {
  const folder = t.testdir()
  await fill(folder, 0, 10)
  const destination = new Destination('exactly once')
  await t.rejects(liveUntil(10, { folder, destination, fault: new Fault(3) }), { message: 'crash' })
  const living = liveUntil(10, { folder, destination, with: ({ sink }) => ({ sink: { ...sink, flush: async () => {} } }) })
  await t.rejects(living, { code: 'DESTINATION_UNAVAILABLE', message: /10 of 10 rows/ })
  t.equal(await committedIn(folder), 0)
  await liveUntil(10, { folder, destination })
  t.strictSame(destination.offsets, range(0, 10))
})

await t.test('a damaged batch stops the delivery with an error that says where', async t => {
  const folder = t.testdir()
  await fill(folder, 0, 30)
  const { DatabaseSync } = await import('node:sqlite')
  const database = new DatabaseSync(`${folder}/rows.db`)
  database.exec('update log set body = cast(zeroblob(length(body)) as blob) where base = 14')
  database.close()
  const destination = new Destination('exactly once')
  await t.rejects(liveUntil(30, { folder, destination }), { code: 'BROKER_FRAME_CORRUPT', where: /rows\.db offset 14/ })
  t.notOk(destination.offsets.some(offset => offset >= 14))
})

await t.test('a chain without transforms lets batches through as they are', async t => {
  const { chain } = chainOf(undefined, undefined, 'r1')
  const batch = {} as Batch
  t.equal(chain.map(batch), batch)
  t.equal(chain.snapshot(), undefined)
})
