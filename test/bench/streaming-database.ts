// Typed batches into the streaming database, embedded: how fast rows land in flushes of several sizes, all durable.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import plugin from '../../plugins/outputs/streaming-database/index.ts'
import { startEmbedded } from '../../runtime/clickhouse/embedded.ts'
import { Batch } from '../../runtime/batch.ts'
import type { Column } from '../../runtime/batch.ts'
import { field } from '../../runtime/schema.ts'
import type { Topic } from '../../runtime/schema.ts'
import { configure } from '../conform/configure.ts'
import { fakeContext, fakeTopic } from '../conform/context.ts'

const rows = 1_000_000
const batchRows = 1000
const symbols = Array.from({ length: 50 }, (_, i) => `SYM${i}`)
const numeric = ['last', 'bid', 'ask', 'bid_size', 'ask_size', 'volume']

const topic: Topic = {
  ...fakeTopic('quotes', [
    field('symbol', { kind: 'string' }, { mandatory: true, lowCardinality: true }),
    field('event_time', { kind: 'timestamp', unit: 'ms' }, { mandatory: true }),
    ...numeric.map(name => field(name, { kind: 'float64' })),
    field('exchange', { kind: 'string' }, { lowCardinality: true }),
    field('source', { kind: 'string' }, { lowCardinality: true })
  ]),
  key: ['symbol'],
  eventTime: 'event_time'
}

function batchAt (offset: number): Batch {
  const type = (name: string) => topic.fields.find(own => own.name === name)!.type
  const dictionary = (name: string, values: string[]): Column => ({ kind: 'dictionary', type: type(name), values, codes: new Uint8Array(batchRows).map((_, i) => (offset + i * 7) % values.length) })
  const columns: Record<string, Column> = {
    symbol: dictionary('symbol', symbols),
    exchange: dictionary('exchange', ['NASDAQ', 'NYSE']),
    source: dictionary('source', ['bench']),
    event_time: { kind: 'numbers', type: type('event_time'), numbers: Float64Array.from({ length: batchRows }, (_, i) => Date.UTC(2024, 0, 2) + offset + i) }
  }
  for (const name of numeric) {
    columns[name] = {
      kind: 'numbers', type: type(name), valid: new Uint8Array(batchRows).map((_, i) => i % 9 === 0 ? 0 : 1), numbers: Float64Array.from({ length: batchRows }, (_, i) => 100 + ((offset + i * 31) % 977) / 8)
    }
  }
  return new Batch(topic, batchRows, columns, { position: { partition: 0, offset, time: Date.UTC(2024, 0, 2) } })
}

const folder = mkdtempSync(join(tmpdir(), 'twolane-bench-'))
const engine = await startEmbedded({ folder, log: { info () {}, warn () {}, error () {} } })
try {
  const batches = Array.from({ length: rows / batchRows }, (_, i) => batchAt(i * batchRows))
  for (const flushRows of [10_000, 50_000, 100_000, 200_000]) {
    const sink = await plugin.open(configure(plugin, { database: `flush_${flushRows}`, models: 'none' }), fakeContext({ topic, services: { clickhouse: engine.url } }))
    // As in a running pipeline: every insert asks whether its owner is the newest one.
    await sink.own?.({ partition: 0, epoch: 1 })
    const began = performance.now()
    for (let from = 0; from < rows; from += flushRows) {
      for (const batch of batches.slice(from / batchRows, (from + flushRows) / batchRows)) await sink.write(batch)
      await sink.flush({ partition: 0, from, to: from + flushRows })
    }
    const seconds = (performance.now() - began) / 1000
    console.log(`streaming database, ${flushRows} rows a flush: ${(rows / seconds / 1e6).toFixed(2)} M rows/s, ${(seconds * 1000 / (rows / flushRows)).toFixed(0)} ms a flush`)
    await sink.close()
  }
} finally {
  await engine.close()
  rmSync(folder, { recursive: true })
}
