// Numbered rows of a topic, and what a reader finds of them.

import { join } from 'node:path'
import { fromRows } from '../../../runtime/batch.ts'
import { openEmbedded } from '../../../runtime/broker/embedded.ts'
import { fakeTopic } from '../../conform/context.ts'
import type { Batch } from '../../../runtime/batch.ts'
import type { Broker, Producer } from '../../../runtime/broker/broker.ts'
import type { Found, Say } from '../operation.ts'

/** Rows of one append. */
export const APPEND_ROWS = 60
export const topic = { ...fakeTopic('rows', ['n', 'key', 'text']), key: ['key'], partitions: 2 }

export function openBroker (folder: string): Broker {
  return openEmbedded({ folder: join(folder, 'topics') })
}

/** In two batches, of two partitions. */
function batches (from: number, to: number): Batch[] {
  const rows = Array.from({ length: to - from }, (_, i) => ({ n: from + i, key: `key ${(from + i) % 5}`, text: `row ${from + i} `.repeat(40) }))
  return [fromRows(topic, rows.slice(0, 20)), fromRows(topic, rows.slice(20))]
}

/** Appends behind the checkpoint, as an input does: after a failure its writer is opened again. */
export async function appendTo (broker: Broker, to: number, say: Say): Promise<void> {
  let producer: Producer | undefined
  for (;;) {
    try {
      producer ??= await broker.producer(topic, 'sweep')
      const next = (producer.checkpoint ?? 0) as number
      if (next >= to) return
      await producer.append(batches(next, next + APPEND_ROWS), { checkpoint: next + APPEND_ROWS })
      say.ack(next + APPEND_ROWS)
    } catch (error) {
      say.failed(error)
      await producer?.close()
      producer = undefined
    }
  }
}

/** Rows of the topic against what was acknowledged, and against the checkpoint. */
export async function checkRows (broker: Broker, acknowledged: number): Promise<Found> {
  const times = new Map<number, number>()
  const reader = await broker.reader(topic)
  for (let partition = 0; partition < reader.partitions; partition++) {
    let { first: offset, next } = await reader.bounds(partition)
    while (offset < next) {
      const found = await reader.read(partition, offset, { rows: Infinity, bytes: Infinity })
      offset = found.next
      for (const batch of found.batches) for (const row of batch.rows()) times.set(Number(row['n']), (times.get(Number(row['n'])) ?? 0) + 1)
    }
  }
  const { checkpoint = 0 } = await broker.producer(topic, 'sweep')
  const missing = (to: number): number => Array.from({ length: to }, (_, n) => n).filter(n => !times.has(n)).length
  return {
    lost: missing(acknowledged),
    doubled: [...times.values()].filter(n => n > 1).length,
    half: missing(Number(checkpoint)) + [...times.keys()].filter(n => n >= Number(checkpoint)).length
  }
}
