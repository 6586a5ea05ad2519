import t from 'tap'
import lake from '../../../plugins/outputs/lake/index.ts'
import plugin from '../../../plugins/inputs/replay/index.ts'
import { Batch, fromRows } from '../../../runtime/batch.ts'
import { openEmbedded } from '../../../runtime/broker/embedded.ts'
import { field, plainCast } from '../../../runtime/schema.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext, fakeTopic, until } from '../../conform/context.ts'
import type { Broker } from '../../../runtime/broker/broker.ts'
import type { Chunk, Json, Row, Topic } from '../../../runtime/plugin.ts'
import type { FakeContext } from '../../conform/context.ts'
import type { Test } from 'tap'

const begin = Date.UTC(2024, 0, 2, 14, 30)
const fields = [field('n', { kind: 'int64' }), field('symbol', { kind: 'string' }), field('time', { kind: 'timestamp', unit: 'ms' }, { mandatory: true, cast: { ...plainCast, unit: 'ms' } })]
const source: Topic = { ...fakeTopic('ticks', fields), key: ['symbol'], eventTime: 'time', partitions: 3 }
const target: Topic = { ...source, name: 'again' }

type Tick = Readonly<Record<'n' | 'time', number> & Record<'symbol', string>>

/** Row n happened n ms after the begin, and arrived as much as `disorder` ms too early or too late. */
function ticks (count: number, disorder = 0): Tick[] {
  let seed = 11
  const random = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31
  const rows = Array.from({ length: count }, (_, n) => ({ n, symbol: `S${n % 7}`, time: begin + n, arrives: n + random() * disorder }))
  return rows.sort((a, b) => a.arrives - b.arrives).map(({ arrives: _, ...row }) => row)
}

async function brokerWith (t: Test, rows: readonly Row[]): Promise<Broker> {
  const broker = openEmbedded({ folder: t.testdir() })
  t.teardown(() => broker.close())
  const producer = await broker.producer(source, 'writer')
  for (let from = 0; from < rows.length; from += 500) await producer.append([fromRows(source, rows.slice(from, from + 500))])
  return broker
}

interface Asked { readonly checkpoint?: Json | undefined, readonly dataFolder?: string, readonly broker?: Broker | undefined, readonly config?: Record<string, Json>, readonly run?: string }

function open ({ checkpoint, dataFolder = '', broker, config = {}, run = 'r1' }: Asked): { readonly context: FakeContext, readonly chunks: AsyncGenerator<Chunk, void, void> } {
  const saved = checkpoint === undefined ? undefined : JSON.parse(JSON.stringify(checkpoint)) as Json
  const context = fakeContext({
    topic: target,
    topics: [source],
    checkpoint: saved,
    dataFolder,
    run: { id: run, kind: 'manual', from: 0, to: 0 },
    services: broker === undefined ? {} : { reader: topic => broker.reader(topic) }
  })
  return { context, chunks: plugin.read(configure(plugin, { topic: 'ticks', source: broker === undefined ? 'lake' : 'topic', ...config }), context) }
}

async function all (asked: Asked): Promise<{ readonly rows: Row[], readonly context: FakeContext }> {
  const { context, chunks } = open(asked)
  const rows: Row[] = []
  for await (const { batch } of chunks) rows.push(...batch.rows())
  return { rows, context }
}

const numbersOf = (rows: readonly Row[]): number[] => rows.map(({ n }) => Number(n))
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

await t.test('rows of several partitions come in the order of their event times, none lost and none twice', async t => {
  const broker = await brokerWith(t, ticks(30_000, 900))
  const { rows, context } = await all({ broker })
  t.strictSame(numbersOf(rows), upTo(30_000))
  t.equal(context.counts['rows_late'], undefined)
  t.match(context.healths.at(-1), { ok: true, state: 'replaying', reason: /It is 2024-01-02T14:3/ })
})

await t.test('an interval holds what happened in it', async t => {
  const broker = await brokerWith(t, [...ticks(3000, 50), { n: -1, symbol: 'S0', time: 'yesterday' }])
  const { rows } = await all({ broker, config: { from: new Date(begin + 1000).toISOString(), to: new Date(begin + 1500).toISOString() } })
  t.strictSame(numbersOf(rows), upTo(1500).slice(1000))
  t.equal((await all({ broker })).rows.length, 3001, 'without one, a row without a time comes, too')
})

await t.test('a row that is older than the window can wait for comes late, and is counted', async t => {
  const rows = ticks(45_000)
  const [first] = rows.splice(0, 1) as [Tick]
  const broker = await brokerWith(t, [...rows, first])
  const replayed = await all({ broker })
  t.equal(replayed.context.counts['rows_late'], 1)
  t.strictSame(numbersOf(replayed.rows).sort((a, b) => a - b), upTo(45_000))
})

await t.test('a replay that is killed again and again loses no row and repeats none', async t => {
  const broker = await brokerWith(t, ticks(12_000, 3000))
  const seen: number[] = []
  let checkpoint: Json | undefined
  let lives = 0
  for (let ended = false; !ended; lives++) {
    const { chunks } = open({ broker, checkpoint, config: { batch_rows: 700 } })
    let left = 1 + lives % 3
    ended = true
    for await (const chunk of chunks) {
      // The chunk that was on its way when it was killed is not durable.
      if (left-- === 0) {
        ended = false
        break
      }
      seen.push(...numbersOf([...chunk.batch.rows()]))
      checkpoint = chunk.checkpoint
    }
  }
  t.ok(lives > 6, `${lives} lives`)
  t.equal(seen.length, 12_000)
  t.strictSame(seen, upTo(12_000), 'in order over all lives')
})

await t.test('what comes while it runs is not part of it, and another run begins anew', async t => {
  const broker = await brokerWith(t, ticks(2000))
  const { chunks } = open({ broker })
  const first = (await chunks.next()).value as Chunk
  await chunks.return()
  await (await broker.producer(source, 'writer')).append([fromRows(source, [{ n: 2000, symbol: 'S1', time: begin }])])
  t.strictSame(numbersOf((await all({ broker, checkpoint: first.checkpoint })).rows), upTo(2000).slice(1000))
  t.equal((await all({ broker, checkpoint: first.checkpoint, run: 'r2' })).rows.length, 2001)
})

/** What the lake output makes of the rows: a file each flush. */
async function fillLake (dataFolder: string, flushes: ReadonlyArray<readonly Row[]>): Promise<void> {
  const topic = { ...source, partitions: 1 }
  const sink = await lake.open(configure(lake, {}), fakeContext({ topic, dataFolder }))
  let offset = 0
  for (const rows of flushes) {
    const batch = fromRows(topic, rows)
    await sink.write(new Batch(topic, rows.length, batch.columns, { position: { partition: 0, offset, time: begin } }))
    await sink.flush({ partition: 0, from: offset, to: offset + rows.length })
    offset += rows.length
  }
  await sink.close()
}

await t.test('a lake is replayed in order, also where old days were loaded after new ones', async t => {
  const dataFolder = t.testdir()
  const rows = ticks(3000, 30).map(row => ({ ...row, extra: { venue: `V${row.n}` } }))
  await fillLake(dataFolder, [rows.slice(2000, 2500), rows.slice(2500), rows.slice(0, 1000), rows.slice(1000, 2000)])
  const replayed = await all({ dataFolder })
  t.strictSame(numbersOf(replayed.rows), upTo(3000))
  t.match(replayed.rows[17], { venue: 'V17' }, 'what the schema did not know is a field again')

  let checkpoint: Json | undefined
  const seen: number[] = []
  for (let lives = 0; seen.length < 3000 && lives < 20; lives++) {
    const { value } = await (async () => {
      const { chunks } = open({ dataFolder, checkpoint, config: { batch_rows: 400 } })
      const chunk = await chunks.next()
      await chunks.return()
      return chunk
    })()
    checkpoint = (value as Chunk).checkpoint
    seen.push(...numbersOf([...(value as Chunk).batch.rows()]))
  }
  t.strictSame(seen, upTo(3000))
})

await t.test('time goes at the speed that was asked for, and stops at the signal', async t => {
  const broker = await brokerWith(t, upTo(4).map(n => ({ n, symbol: 'S1', time: begin + n * 1000 })))
  const { context, chunks } = open({ broker, config: { speed: '10x' } })
  const seen: number[] = []
  const reading = (async () => { for await (const { batch } of chunks) seen.push(...numbersOf([...batch.rows()])) })()
  await until(() => seen.length === 1, 'the first row begins the clock')
  context.advance(99)
  t.strictSame(seen, [0])
  context.advance(1)
  await until(() => seen.length === 2, 'a second later in a tenth of it')
  context.advance(100)
  await until(() => seen.length === 3, 'and so on')
  context.stop()
  await reading
  t.strictSame(seen, [0, 1, 2])
})

await t.test('what cannot be replayed is said', async t => {
  const broker = await brokerWith(t, ticks(1))
  await t.rejects(all({ broker, config: { topic: 'again' } }), { code: 'CONFIG_INVALID', message: /into again itself/ })
  await t.rejects(all({ broker, config: { from: '2024-02-01', to: '2024-01-01' } }), { code: 'CONFIG_INVALID', message: /no time between/ })
  await t.rejects(all({ broker, config: { speed: '0x' } }), { code: 'CONFIG_INVALID', message: /is no speed/ })
  await t.rejects(all({ dataFolder: t.testdir() }), { code: 'SOURCE_UNAVAILABLE', message: /has no rows of ticks/ })
  const stopped = open({ broker })
  stopped.context.stop()
  t.equal((await stopped.chunks.next()).done, true)
})
