// The thread that takes a day from the lake through the transforms, into a scratch table.

import { encodeArrow } from '../arrow.ts'
import { connectClickHouse } from '../clickhouse/client.ts'
import { columnsOf, fieldsOf } from '../clickhouse/ddl.ts'
import { PlatformError } from '../errors.ts'
import { openLake } from '../lake/lakes.ts'
import { readLake } from '../lake/read.ts'
import { serveSide } from '../side-worker.ts'
import { loadTransforms, openChain, topicNamed } from '../steps.ts'
import type { Batch } from '../batch.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { LakeConfig } from '../lake/lakes.ts'
import type { LakeFile } from '../lake/manifest.ts'
import type { SideWork } from '../side-worker.ts'

/** Rows of one insert. */
const INSERT_ROWS = 100_000

export interface FillRequest {
  /** Of the ClickHouse that has the scratch table. */
  readonly address: string
  readonly scratch: TableName
  /** Schema of the rows behind the transforms. */
  readonly schema: string
  readonly lake: LakeConfig
  readonly files: readonly LakeFile[]
  readonly day: string
  /** By partition: rows from the one offset on and below the other. */
  readonly from: ReadonlyMap<number, number>
  readonly to: ReadonlyMap<number, number>
}

export interface Filled {
  /** Of the lake. */
  readonly rows: number
  /** Refused by a transform. */
  readonly refused: number
}

await serveSide(fill)

async function fill ({ address, scratch, schema: schemaName, lake, files, day, from, to }: FillRequest, { arounds, signal, progress }: SideWork): Promise<Filled> {
  const [around] = arounds
  if (around === undefined) throw new PlatformError('NOT_FOUND', 'The pipeline is not there any more')
  const topic = topicNamed(around.schemas, around.pipeline.topic)
  const schema = topicNamed(around.schemas, schemaName)
  const client = await connectClickHouse(address, { signal })
  const objects = await openLake(lake, { dataFolder: around.dataFolder, owner: `parity-${around.pipeline.id}-` })
  const { chain, rejects } = await openChain(around, await loadTransforms(around), { signal, output: '' })
  let [rows, refused, waiting, inserts] = [0, 0, 0, 0]
  let batches: Batch[] = []
  const flush = async (): Promise<void> => {
    if (waiting > 0) await client.insertArrow(scratch, columnsOf(schema), encodeArrow(batches, fieldsOf(schema), { topic: topic.name }), { queryId: `twolane:parity:${scratch.table}:${inserts++}`, partitionsMax: 100, signal })
    batches = []
    waiting = 0
  }
  try {
    for await (const batch of readLake(objects, { files }, { topic, days: [day], fromOffsets: from, toOffsets: to, exactTimes: true, signal })) {
      const mapped = chain.map(batch)
      refused += rejects.length
      rejects.take()
      rows += batch.length
      if (mapped.length > 0) batches.push(mapped)
      waiting += mapped.length
      if (waiting >= INSERT_ROWS) await flush()
      progress({ rows })
    }
    await flush()
    return { rows, refused }
  } finally {
    objects.close()
    await client.close()
  }
}
