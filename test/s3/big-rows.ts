// Rows whose file is larger than a part, and a program that begins to write them and is killed on the way.

import { createHash } from 'node:crypto'
import lake from '../../plugins/outputs/lake/index.ts'
import { Batch, fromRows } from '../../runtime/batch.ts'
import { configure } from '../conform/configure.ts'
import { fakeContext, fakeTopic } from '../conform/context.ts'
import type { Json, Sink } from '../../runtime/plugin.ts'

export const topic = fakeTopic('big', ['n', 'text'])
export const range = { partition: 0, from: 0, to: 120 }
/** Without the hash of its bytes, which another release of the encoder changes. */
export const objectName = `big/date=2024-01-02/big-0-${'0'.repeat(20)}-${'0'.repeat(17)}120.parquet`

/** 24 MiB that no encoder makes smaller than 12; the same ones each time. */
export function bigBatch (): Batch {
  const rows = Array.from({ length: range.to }, (_, n) => ({ n: String(n), text: noise(n) }))
  return new Batch(topic, rows.length, fromRows(topic, rows).columns, { position: { partition: 0, offset: 0, time: Date.UTC(2024, 0, 2, 12) }, bytes: 24 * 2 ** 20 })
}

function noise (n: number): string {
  return createHash('shake256', { outputLength: 102_400 }).update(String(n)).digest('hex')
}

export async function openBig (config: Readonly<Record<string, Json>>, dataFolder: string): Promise<Sink> {
  return lake.open(configure(lake, config), fakeContext({ topic, dataFolder, step: 'outputs.lake' }))
}

if (import.meta.main) {
  const [config, dataFolder] = process.argv.slice(2) as [string, string]
  const sink = await openBig(JSON.parse(config) as Record<string, Json>, dataFolder)
  await sink.write(bigBatch())
  await sink.flush(range)
  await sink.close()
}
