// What the topic mapping costs: quotes of ten fields from raw columns to typed ones, on one core.
//   node test/bench/mapping.ts [rows]
// The middle one of five rounds each. `as the topic holds them`: written to a frame of the broker and read again. With
// rules: those of the schema that look at one row, the prices as float64 and as decimals.

import mapping from '../../plugins/transforms/mapping/index.ts'
import { Batch } from '../../runtime/batch.ts'
import { field, plainCast } from '../../runtime/schema.ts'
import { fakeContext, fakeTopic } from '../conform/context.ts'
import { quote } from './quotes.ts'
import { topicWith } from '../runtime/quality/ground.ts'
import { throughTopic } from '../runtime/cast/shapes.ts'
import type { Column } from '../../runtime/batch.ts'
import type { CastRule, Field, Topic } from '../../runtime/schema.ts'

const rows = Number(process.argv[2] ?? 1_000_000)
const rounds = 5
const cast = (rule: Partial<CastRule>): { readonly cast: CastRule } => ({ cast: { ...plainCast, ...rule } })
const price = cast({ prefixes: ['C', 'H'] })
const topic = fakeTopic('quotes', [
  field('symbol', { kind: 'string' }, { mandatory: true, lowCardinality: true }),
  field('event_time', { kind: 'timestamp', unit: 'ms' }, { mandatory: true, ...cast({ unit: 'ms' }) }),
  field('last', { kind: 'float64' }, price),
  field('bid', { kind: 'float64' }, price),
  field('ask', { kind: 'float64' }, price),
  field('bid_size', { kind: 'float64' }),
  field('ask_size', { kind: 'float64' }),
  field('volume', { kind: 'float64' }, cast({ suffixes: { K: 1e3, M: 1e6, B: 1e9 } })),
  field('exchange', { kind: 'string' }, { lowCardinality: true }),
  field('source', { kind: 'string' }, { lowCardinality: true })
])
const numeric = ['event_time', 'last', 'bid', 'ask', 'bid_size', 'ask_size', 'volume']

type Shape = (name: string, texts: readonly string[]) => Column

const shapes: Readonly<Record<string, Shape>> = {
  text: (_, texts) => textColumn(texts),
  dictionary: (_, texts) => dictionaryColumn(texts) ?? textColumn(texts),
  numbers: (name, texts) => numeric.includes(name)
    ? { kind: 'numbers', numbers: Float64Array.from(texts, text => Number(text.replace(/[A-Z]/, ''))) }
    : dictionaryColumn(texts) ?? textColumn(texts),
  values: (_, values) => ({ kind: 'values', values })
}

function batches (size: number, shape: Shape): Batch[] {
  return Array.from({ length: Math.ceil(rows / size) }, (_, b) => {
    const length = Math.min(size, rows - b * size)
    const quotes = Array.from({ length }, (_, i) => quote(b * size + i))
    const columns = Object.fromEntries(topic.fields.map(({ name }) => [name, shape(name, quotes.map(quote => quote[name] as string))]))
    return new Batch(topic, length, columns, { position: { partition: 0, offset: b * size, time: 0 } })
  })
}

function textColumn (texts: readonly string[]): Column {
  const offsets = new Int32Array(texts.length + 1)
  texts.forEach((text, i) => { offsets[i + 1] = (offsets[i] as number) + Buffer.byteLength(text) })
  return { kind: 'text', offsets, bytes: Buffer.from(texts.join('')) }
}

function dictionaryColumn (texts: readonly string[]): Column | undefined {
  const values = [...new Set(texts)]
  if (values.length === texts.length) return undefined
  const codes = new Map(values.map((value, code) => [value, code]))
  const code = (text: string): number => codes.get(text) as number
  return { kind: 'dictionary', values, codes: values.length <= 256 ? Uint8Array.from(texts, code) : Uint16Array.from(texts, code) }
}

async function measure (name: string, input: readonly Batch[], as: Topic = topic): Promise<void> {
  const { map } = await open(as)
  for (const batch of input.slice(0, Math.ceil(input.length / 4))) map(batch)
  const results = Array.from({ length: rounds }, () => {
    const cpu = process.cpuUsage()
    const start = performance.now()
    let mapped = 0
    for (const batch of input) mapped += map(batch).length
    const seconds = (performance.now() - start) / 1000
    if (mapped !== rows) throw new Error(`${rows - mapped} rows were refused`)
    const { user, system } = process.cpuUsage(cpu)
    return { seconds, cpu: (user + system) / 1e6 }
  }).sort((a, b) => a.seconds - b.seconds)
  const { seconds, cpu } = results[Math.floor(rounds / 2)] as { seconds: number, cpu: number }
  const perMillion = (cpu / rows * 1e6).toFixed(2)
  console.log(`${name.padEnd(48)}${(rows / seconds / 1e6).toFixed(2)} M rows/s   ${perMillion} CPU-seconds a million rows`)
}

async function open (topic: Topic): Promise<{ map (batch: Batch): Batch }> {
  const step = await mapping.open({ schema: null }, fakeContext({ topic }))
  return { map: batch => step.map(batch) }
}

for (const size of [1000, 10_000]) {
  for (const [name, shape] of Object.entries(shapes)) await measure(`${name}, ${size} rows a batch`, batches(size, shape))
  const held = batches(size, shapes['values'] as Shape).map(throughTopic)
  await measure(`as the topic holds them, ${size} rows a batch`, held)
}

/** Four rules, which every row keeps. */
const { quality } = topicWith(`
  - { metric: invalidValues, field: price, arguments: { exclusiveMinimum: 0, maximum: 1000000 }, action: reject }
  - { metric: invalidValues, field: ask, arguments: { minimum: bid }, severity: warning, mustBe: 0 }
  - { metric: nullValues, field: bid, mustBe: 0 }
  - { metric: missingValues, field: symbol, mustBe: 0 }`)
const rules = (quality ?? []).map(rule => rule.name === 'invalid_values_price' ? { ...rule, field: 'last' } : rule) as NonNullable<Topic['quality']>
const asDecimal = (one: Field): Field => ['last', 'bid', 'ask'].includes(one.name) ? { ...one, type: { kind: 'decimal', precision: 18, scale: 8 } } : one
const decimals = { ...topic, fields: topic.fields.map(asDecimal) }

const held = batches(10_000, shapes['values'] as Shape).map(throughTopic)
for (const [kind, as] of [['float64', topic], ['decimal', decimals]] as const) {
  await measure(`prices as ${kind}, without rules`, held, as)
  await measure(`prices as ${kind}, with ${rules.length} rules`, held, { ...as, quality: rules })
}
