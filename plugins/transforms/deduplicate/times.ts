import type { Batch, Topic } from '../../../runtime/plugin.ts'

const perMs = { s: 1000, ms: 1, us: 1e-3, ns: 1e-6 } as const

/** Milliseconds since 1970 of each row: its event time where a mapping has made it one, otherwise when it reached the topic. */
export function timesOf (batch: Batch, topic: Topic): (i: number) => number {
  const column = batch.columns[topic.eventTime]
  const { time } = batch.position
  if (column?.kind !== 'numbers' || column.type?.kind !== 'timestamp') return () => time
  const { numbers, valid } = column
  const factor = perMs[column.type.unit]
  return i => valid?.[i] === 0 ? time : Math.floor(Number(numbers[i]) * factor)
}
