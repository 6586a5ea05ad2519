// Rows of a topic in the embedded engine, made the way that the streaming lane makes them.

import type { Test } from 'tap'
import mapping from '../../../plugins/transforms/mapping/index.ts'
import { encodeArrow } from '../../../runtime/arrow.ts'
import { Batch, fromRows } from '../../../runtime/batch.ts'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { columnsOf, fieldsOf } from '../../../runtime/clickhouse/ddl.ts'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { ensureTable } from '../../../runtime/clickhouse/migrate.ts'
import { readTopic } from '../../../runtime/schema-file.ts'
import { fakeContext } from '../../conform/context.ts'
import type { ClickHouse } from '../../../runtime/clickhouse/client.ts'
import type { TableName } from '../../../runtime/clickhouse/sql.ts'
import type { Row, Topic } from '../../../runtime/plugin.ts'

export interface Ground {
  readonly url: string
  readonly client: ClickHouse
  /** The rows in a table of their own, as the mapping casts them; without the rules of the schema. */
  store (topic: Topic, rows: readonly Row[]): Promise<TableName>
}

export async function openGround (t: Test): Promise<Ground> {
  const engine = await startEmbedded({ folder: t.testdir(), log: { info () {}, warn () {}, error () {} }, memoryBytesMax: 2 ** 30 })
  const client = await connectClickHouse(engine.url)
  t.teardown(async () => {
    await client.close()
    await engine.close()
  })
  let tables = 0
  return {
    url: engine.url,
    client,
    async store (topic, rows) {
      const table = { database: 'streaming', table: `${topic.name}_${tables++}` }
      await ensureTable(client, topic, table)
      if (rows.length > 0) await client.insertArrow(table, columnsOf(topic), encodeArrow([await typed(topic, rows)], fieldsOf(topic), { topic: topic.name }), { queryId: crypto.randomUUID(), partitionsMax: 100 })
      return table
    }
  }
}

async function typed (topic: Topic, rows: readonly Row[]): Promise<Batch> {
  const plain = { ...topic, quality: undefined }
  const step = await mapping.open({ schema: null }, fakeContext({ topic: plain }))
  const { columns, length } = fromRows(plain, rows)
  const batch = step.map(new Batch(plain, length, columns, { position: { partition: 0, offset: 0, time: 0 } }))
  if (batch.length !== rows.length) throw new Error(`${rows.length - batch.length} rows were refused by the cast`)
  return batch
}

/** A schema of prices with the given rules, as they stand in the file. */
export function topicWith (rules: string, name = 'trades'): Topic {
  return readTopic(`schemas/${name}.yaml`, `
key: [symbol]
event_time: time
fields:
  symbol: { type: string, low_cardinality: true }
  time: { type: timestamp(ms), cast: { unit: ms } }
  price: { type: 'decimal(38, 8)' }
  bid: { type: float64 }
  ask: { type: float64 }
  seq: { type: int64 }
  number: { type: uint64 }
  venue: { type: string }
  tags: { type: list(string) }
  extra_text: { type: json }
quality:
${rules}
`)
}
