import t from 'tap'
import mapping from '../../../../plugins/transforms/mapping/index.ts'
import plugin from '../../../../plugins/outputs/streaming-database/index.ts'
import { Batch, fromRows } from '../../../../runtime/batch.ts'
import type { Column, Row } from '../../../../runtime/batch.ts'
import { connectClickHouse } from '../../../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../../../runtime/clickhouse/embedded.ts'
import { field, plainCast } from '../../../../runtime/schema.ts'
import type { Field, Topic, Type } from '../../../../runtime/schema.ts'
import { configure } from '../../../conform/configure.ts'
import { fakeContext, fakeTopic } from '../../../conform/context.ts'
import fc from '../../../properties.ts'
import { castTexts, judged, textsOf } from './oracle.ts'
import type { FakeContext } from '../../../conform/context.ts'

const engine = await startEmbedded({ folder: t.testdir(), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())
const client = await connectClickHouse(engine.url)
t.teardown(() => client.close())

let owners = 0

async function store (topic: Topic, batch: Batch): Promise<FakeContext> {
  const context = fakeContext({ topic, services: { clickhouse: engine.url } })
  const sink = await plugin.open(configure(plugin, { models: 'none' }), context)
  try {
    await sink.own?.({ partition: batch.position.partition, epoch: ++owners })
    await sink.write(batch)
    await sink.flush({ partition: batch.position.partition, from: batch.position.offset, to: batch.position.offset + batch.length })
  } finally {
    await sink.close()
  }
  return context
}

async function mapped (topic: Topic, rows: readonly Row[]): Promise<Batch> {
  const context = fakeContext({ topic })
  const step = await mapping.open(configure(mapping, {}), context)
  const batch = step.map(fromRows(topic, rows))
  if (context.rejected.length > 0) throw new Error(context.rejected[0]?.reason)
  return batch
}

/** Values that go through the mapping as text and have to come out of the engine as this text. */
const cases: ReadonlyArray<readonly [string, Type, ReadonlyArray<readonly [unknown, unknown]>, Partial<Field>?]> = [
  ['int8', { kind: 'int8' }, [['-128', -128], ['127', 127], [null, null]]],
  ['int16', { kind: 'int16' }, [['-32768', -32768], ['32767', 32767]]],
  ['int32', { kind: 'int32' }, [['-2147483648', -2147483648], ['2147483647', 2147483647]]],
  ['int64', { kind: 'int64' }, [['-9223372036854775808', '-9223372036854775808'], ['9223372036854775807', '9223372036854775807'], ['9007199254740993', '9007199254740993'], [null, null]]],
  ['uint8', { kind: 'uint8' }, [['0', 0], ['255', 255]]],
  ['uint16', { kind: 'uint16' }, [['65535', 65535]]],
  ['uint32', { kind: 'uint32' }, [['4294967295', 4294967295]]],
  ['uint64', { kind: 'uint64' }, [['18446744073709551615', '18446744073709551615'], ['9007199254740993', '9007199254740993']]],
  ['float64', { kind: 'float64' }, [['0.1', 0.1], ['1.7976931348623157e308', 1.7976931348623157e308], ['5e-324', 5e-324], [null, null]]],
  ['float32', { kind: 'float32' }, [['0.5', 0.5], ['-16777216', -16777216]]],
  ['bool', { kind: 'bool' }, [['true', true], ['false', false], [null, null]]],
  ['date', { kind: 'date' }, [['1900-01-01', '1900-01-01'], ['2024-02-29', '2024-02-29'], ['2299-12-31', '2299-12-31'], [null, null]]],
  ['decimal18', { kind: 'decimal', precision: 18, scale: 8 }, [['9999999999.99999999', '9999999999.99999999'], ['-0.00000001', '-0.00000001'], [null, null]]],
  ['decimal38', { kind: 'decimal', precision: 38, scale: 18 }, [['-99999999999999999999.999999999999999999', '-99999999999999999999.999999999999999999'], ['1', '1']]],
  ['seconds', { kind: 'timestamp', unit: 's' }, [['1900-01-01T00:00:00Z', '1900-01-01 00:00:00'], ['2299-12-31T23:59:59Z', '2299-12-31 23:59:59'], [null, null]]],
  ['millis', { kind: 'timestamp', unit: 'ms' }, [['1969-12-31T23:59:59.999Z', '1969-12-31 23:59:59.999']]],
  ['micros', { kind: 'timestamp', unit: 'us' }, [['2024-03-10T07:00:00.000001Z', '2024-03-10 07:00:00.000001']]],
  ['nanos', { kind: 'timestamp', unit: 'ns' }, [['2262-04-11T23:47:16.854775807Z', '2262-04-11 23:47:16.854775807'], ['2024-01-02T00:00:00.000000001Z', '2024-01-02 00:00:00.000000001']]],
  ['text', { kind: 'string' }, [['', ''], ['üß🙂\u0000‮\'"\\\n\t', 'üß🙂\u0000‮\'"\\\n\t'], [null, null]]],
  ['few', { kind: 'string' }, [['AAPL', 'AAPL'], ['', ''], [null, null], ['AAPL', 'AAPL']], { lowCardinality: true }],
  ['side', { kind: 'enum', values: ['buy', 'sell'] }, [['sell', 'sell'], ['buy', 'buy'], [null, null]]],
  ['levels', { kind: 'list', of: { kind: 'float64' } }, [[[1.5, 2], [1.5, 2]], [[], []], [null, []]]],
  ['names', { kind: 'list', of: { kind: 'string' } }, [[['a', 'ü'], ['a', 'ü']]]],
  ['any', { kind: 'json' }, [[{ a: [1, null] }, '{"a":[1,null]}'], [null, null]]]
]

await t.test('every type comes back exactly, at its edges and as null', async t => {
  const rows = Math.max(...cases.map(([, , values]) => values.length))
  const topic: Topic = {
    ...fakeTopic('types', [
      field('key', { kind: 'string' }, { mandatory: true }),
      field('at', { kind: 'timestamp', unit: 'ms' }, { mandatory: true, cast: { ...plainCast, unit: 'ms' } }),
      ...cases.map(([name, type, , more]) => field(name, type, more))
    ]),
    key: ['key'],
    eventTime: 'at'
  }
  const raw = Array.from({ length: rows }, (_, i) => ({
    key: `k${i}`, at: Date.UTC(2024, 0, 2), unknown: i, ...Object.fromEntries(cases.map(([name, , values]) => [name, values[i % values.length]?.[0]]))
  }))
  const batch = await mapped(topic, raw.map(({ unknown, ...row }) => ({ ...row, extra: { unknown } })))
  await store(topic, batch)
  const found = await client.rows<Record<string, unknown>>('SELECT * FROM streaming.types ORDER BY _offset')
  t.equal(found.length, rows)
  for (const [name, , values] of cases) t.strictSame(found.map(row => row[name]), raw.map((_, i) => values[i % values.length]?.[1]), name)
  t.strictSame(found.map(row => row['extra']), raw.map((_, i) => `{"unknown":${i}}`))
  t.strictSame(found[0]?.['_ingest_time'], '1970-01-01 00:00:00.000')
})

await t.test('what is accepted the engine reads as the same value, and what is refused it would have refused, cut or wrapped', async t => {
  const rows = Number(process.env['TWOLANE_FUZZ_RUNS'] ?? 400)
  const samples = judged.map(({ name, type }) => ({ name, texts: fc.sample(textsOf(type), rows) }))
  const cast = new Map(samples.map(({ name, texts }, i) => [name, castTexts(judged[i]?.type as Type, texts)]))
  const texts = (values: readonly string[]): Column => ({ kind: 'values', type: { kind: 'string' }, values })
  const topic = fakeTopic('oracle', judged.flatMap(({ name, type }) => [field(name, type), field(`${name}_raw`, { kind: 'string' }), field(`${name}_cell`, { kind: 'string' })]))
  const columns = samples.flatMap(({ name, texts: raw }) => {
    const { column, cells } = cast.get(name) as ReturnType<typeof castTexts>
    return [[name, column], [`${name}_raw`, texts(raw)], [`${name}_cell`, texts(cells.map(cell => cell ?? ''))]] as const
  })
  await store(topic, new Batch(topic, rows, Object.fromEntries(columns)))
  for (const [i, { name, type, parse, equal }] of judged.entries()) {
    const { cells } = cast.get(name) as ReturnType<typeof castTexts>
    const raw = samples[i]?.texts as string[]
    const again = castTexts(type, cells.map(cell => cell ?? '')).cells
    const found = await client.rows<{ stored: string, raw: string | null, cell: string | null }>(`SELECT toString(${name}) AS stored, toString(${parse(`assumeNotNull(${name}_raw)`)}) AS raw, toString(${parse(`assumeNotNull(${name}_cell)`)}) AS cell FROM streaming.oracle ORDER BY _offset`)
    const wrong = found.flatMap((row, j) => {
      const [text, cell] = [raw[j] as string, cells[j]]
      if (cell === undefined) return row.raw !== null && equal(row.raw, text) ? [`${name}: ${JSON.stringify(text)} is refused, and the engine reads ${row.raw}`] : []
      if (again[j] !== cell) return [`${name}: ${JSON.stringify(text)} becomes ${cell}, and that becomes ${String(again[j])}`]
      return row.stored !== row.cell ? [`${name}: ${JSON.stringify(text)} becomes ${cell}, is stored as ${row.stored}, and the engine reads ${String(row.cell)}`] : []
    })
    t.strictSame(wrong.slice(0, 5), [], `${name}: ${cells.filter(cell => cell !== undefined).length} of ${rows} are accepted`)
  }
})

await t.test('a query by time finds every row, however far from today, and each day is a partition', async t => {
  const days = ['1900-01-01', '1965-01-02', '1969-12-31', '2024-01-02', '2149-06-07', '2200-01-02', '2299-12-31']
  const topic: Topic = { ...fakeTopic('ages', [field('at', { kind: 'timestamp', unit: 'ms' }, { mandatory: true })]), eventTime: 'at' }
  await store(topic, await mapped(topic, days.map(day => ({ at: `${day}T12:00:00Z` }))))
  for (const day of days) {
    const where = [`at >= '${day} 00:00:00' AND at <= '${day} 23:59:59'`, `toDate32(at) = '${day}'`]
    for (const condition of where) t.strictSame(await client.rows(`SELECT toString(toDate32(at)) AS day FROM streaming.ages WHERE ${condition}`), [{ day }], condition)
  }
  t.strictSame(await client.rows('SELECT count() AS rows FROM streaming.ages WHERE at < \'1970-01-01\''), [{ rows: '3' }])
  const parts = await client.rows<{ partition: string }>('SELECT DISTINCT partition FROM system.parts WHERE database = \'streaming\' AND table = \'ages\' AND active ORDER BY partition')
  t.strictSame(parts.map(({ partition }) => partition), days)
  await t.resolves(store(topic, await mapped(topic, [])), 'the table fits its schema at the next start')
})

await t.test('doubles keep every bit: both zeros, subnormals, infinities, not a number', async t => {
  const values = [0, -0, 5e-324, -2.2250738585072009e-308, Infinity, -Infinity, NaN, Math.PI]
  const topic = fakeTopic('doubles', [field('x', { kind: 'float64' })])
  const column: Column = { kind: 'numbers', type: { kind: 'float64' }, numbers: Float64Array.from(values) }
  await store(topic, new Batch(topic, values.length, { x: column }))
  const found = await client.rows<{ bits: string }>('SELECT reinterpretAsUInt64(assumeNotNull(x)) AS bits FROM streaming.doubles ORDER BY _offset')
  t.strictSame(found.map(({ bits }) => bits), [...new BigUint64Array(Float64Array.from(values).buffer)].map(String))
})

await t.test('a batch without a field stores null, and one without a key is refused', async t => {
  const topic = { ...fakeTopic('gaps', [field('k', { kind: 'string' }, { mandatory: true }), field('x', { kind: 'int32' })]), key: ['k'] }
  const k: Column = { kind: 'values', type: { kind: 'string' }, values: ['a'] }
  await store(topic, new Batch(topic, 1, { k }))
  t.strictSame(await client.rows('SELECT k, x FROM streaming.gaps'), [{ k: 'a', x: null }])
  const context = await store(topic, new Batch(topic, 1, { x: { kind: 'numbers', type: { kind: 'int32' }, numbers: Int32Array.of(1) } }, { position: { partition: 0, offset: 1, time: 0 } }))
  t.match(context.rejected[0]?.reason, /ClickHouse refuses the row.*NULL/)
})

await t.test('rows without types, or of another schema, are refused with what to do', async t => {
  const topic = fakeTopic('raw', ['a'])
  await t.rejects(store(topic, fromRows(topic, [{ a: 'x' }])), { code: 'CONFIG_INVALID', remedy: /transforms: \[mapping: raw\]/ })
  await t.rejects(store(topic, fromRows(fakeTopic('other', ['a']), [{ a: 'x' }])), { code: 'CONFIG_INVALID', remedy: /schema: other/ })
})

await t.test('a mapping to another schema goes into that schema\'s table', async t => {
  const [topic, schema] = [fakeTopic('source', ['a']), fakeTopic('target', [field('b', { kind: 'int32' })])]
  const context = fakeContext({ topic, topics: [schema], services: { clickhouse: engine.url } })
  const sink = await plugin.open(configure(plugin, { schema: 'target', models: 'none' }), context)
  await sink.write(new Batch(schema, 1, { b: { kind: 'numbers', type: { kind: 'int32' }, numbers: Int32Array.of(7) } }, { position: { partition: 3, offset: 9, time: 0 } }))
  await sink.flush({ partition: 3, from: 9, to: 10 })
  t.strictSame([...await sink.landed?.({ partition: 3, from: 0, to: 100 }) ?? []], [9])
  await sink.close()
  t.strictSame(await client.rows('SELECT b, _topic, _partition, _offset FROM streaming.target'), [{ b: 7, _topic: 'source', _partition: 3, _offset: '9' }])
})

await t.test('an output without any ClickHouse says so', async t => {
  await t.rejects(plugin.open(configure(plugin, {}), fakeContext()), { code: 'ENGINE_MISSING' })
})

await t.test('the connection test answers', async t => {
  await t.resolves(plugin.probe?.(configure(plugin, {}), fakeContext({ services: { clickhouse: engine.url } })) ?? Promise.reject(new Error('no probe')))
  await t.rejects(plugin.probe?.(configure(plugin, { url: engine.url.replace(/:[^:]*@/, ':wrong@') }), fakeContext()) ?? Promise.resolve(), { code: 'DESTINATION_REFUSED', message: /Authentication failed|password/ })
})
