// A lake in the hands of a test: rows go in through the output, and come out through the reader.

import { openObjects } from '../../../runtime/objects/open.ts'
import { readLake } from '../../../runtime/lake/read.ts'
import { openLakeTable } from '../../../runtime/lake/table.ts'
import lake from '../../../plugins/outputs/lake/index.ts'
import { Batch, fromRows } from '../../../runtime/batch.ts'
import { field, plainCast } from '../../../runtime/schema.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext, fakeTopic } from '../../conform/context.ts'
import type { Json, Row, Sink, Topic } from '../../../runtime/plugin.ts'
import type { Objects } from '../../../runtime/objects/objects.ts'
import type { LakeReading } from '../../../runtime/lake/read.ts'

export const dayMs = 86_400_000
export const noon = Date.UTC(2024, 0, 2, 12)
export const noStore = { endpoint: null, region: null, pathStyle: null, accessKey: null, secretKey: null, requestMs: 20_000 }

/** Trades with a number and a time. */
export const trades: Topic = {
  ...fakeTopic('trades', [
    field('n', { kind: 'int64' }), field('t', { kind: 'timestamp', unit: 'ns' }, { required: true, mandatory: true, cast: { ...plainCast, unit: 'ms' } }), 'note'
  ]),
  eventTime: 't'
}

export function batchOf (rows: readonly Row[], offset: number, { time = noon, partition = 0, topic = trades }: { readonly time?: number, readonly partition?: number, readonly topic?: Topic } = {}): Batch {
  return new Batch(topic, rows.length, fromRows(topic, rows).columns, { position: { partition, offset, time }, bytes: rows.length * 50 })
}

/** Rows whose number is their offset; each is a second later than the one before. */
export function numbered (from: number, to: number, begins = noon): Row[] {
  return Array.from({ length: to - from }, (_, i) => ({ n: from + i, t: begins + (from + i) * 1000, note: `row ${from + i}` }))
}

export async function openFolder (dataFolder: string, owner = 'test.'): Promise<Objects> {
  const objects = await openObjects({ address: 'lake', dataFolder, owner, store: noStore })
  await objects.check()
  return objects
}

export function openSink (dataFolder: string, { topic = trades, config = {} }: { readonly topic?: Topic, readonly config?: Readonly<Record<string, Json>> } = {}): Promise<Sink> {
  return lake.open(configure(lake, config), fakeContext({ topic, dataFolder, pipeline: 'p', step: 'outputs.lake' }))
}

/** One flush for each part of [from, to). */
export async function fill (dataFolder: string, ...parts: ReadonlyArray<readonly [from: number, to: number, time?: number]>): Promise<void> {
  const sink = await openSink(dataFolder)
  for (const [from, to, time = noon] of parts) {
    await sink.write(batchOf(numbered(from, to), from, { time }))
    await sink.flush({ partition: 0, from, to })
  }
  await sink.close()
}

/** `partition:offset` of what a reader sees, in its order. */
export async function offsetsIn (objects: Objects, reading: Partial<LakeReading> = {}, topic: Topic = trades): Promise<string[]> {
  const found: string[] = []
  const snapshot = await openLakeTable(objects, topic.name).read()
  for await (const batch of readLake(objects, snapshot, { topic, ...reading })) {
    for (let i = 0; i < batch.length; i++) found.push(`${batch.position.partition}:${batch.offsetAt(i)}`)
  }
  return found
}

export function offsets (from: number, to: number, partition = 0): string[] {
  return Array.from({ length: to - from }, (_, i) => `${partition}:${from + i}`)
}
