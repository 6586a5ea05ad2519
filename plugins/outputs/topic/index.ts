// Rows into another topic of the broker: what one pipeline makes is the source of the next.

import { defineOutput } from '../../../runtime/plugin.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { offsetSet, offsetsOf } from '../../../runtime/offsets.ts'
import { fit } from './fit.ts'
import type { Producer } from '../../../runtime/broker/broker.ts'
import type { OffsetSet } from '../../../runtime/offsets.ts'
import type { Batch, Context, Range, Sink, Topic } from '../../../runtime/plugin.ts'

const options = {
  topic: { type: 'string', description: 'Name of the topic to fill; it has a schema of its own.', examples: ['trades-eu'] }
} as const

export default defineOutput({
  description: 'Sends rows to another topic, for other pipelines to go on with',
  options,
  shorthand: 'topic',
  guarantee: 'exactly once',
  late: true,

  async open ({ topic: name }, context) {
    const target = context.topicNamed(name)
    if (target.name === context.topic.name) {
      throw new PlatformError('CONFIG_INVALID', `The topic ${name} would be filled with its own rows for ever`, { where: context.step, remedy: 'Name another topic.' })
    }
    const { producer } = context.services
    if (producer === undefined) throw new PlatformError('CONFIG_INVALID', 'There is no broker to send rows to', { where: context.step, remedy: 'Run the pipeline under `twolane start`.' })
    return openSink(target, context, partition => producer(target, `${context.pipeline}.${context.step}.${partition}`))
  }
})

/** A producer's checkpoint. */
interface Sent extends OffsetSet {
  /** The one that the offsets belong to: those of another topic say nothing about this one. */
  readonly topic: string
}

/**
 * The rows of a flush and the record of their offsets go to the topic in one append, as a producer's checkpoint: both
 * are there or neither. Each partition has a producer of its own, because partitions move between machines one by one.
 */
function openSink (target: Topic, context: Context, openProducer: (partition: number) => Promise<Producer>): Sink {
  const toTarget = fit(target)
  const producers = new Map<number, Producer>()
  let batches: Batch[] = []

  async function open (partition: number): Promise<Producer> {
    const known = producers.get(partition)
    if (known !== undefined) return known
    const opened = await openProducer(partition)
    producers.set(partition, opened)
    return opened
  }

  async function close (): Promise<void> {
    batches = []
    for (const producer of producers.values()) await producer.close()
    producers.clear()
  }

  return {
    async write (batch) {
      if (batch.length > 0) batches.push(batch)
    },
    async flush (range) {
      if (batches.length === 0) return
      const producer = await open(range.partition)
      await producer.append(batches.map(toTarget), { checkpoint: { topic: context.topic.name, ...offsetSet(range, batches) } })
      context.metrics.count('rows_sent', batches.reduce((rows, batch) => rows + batch.length, 0))
      batches = []
    },
    async landed (range: Range) {
      // A new producer of the same name shuts out the old one, so that nothing can land behind this answer.
      await close()
      const { checkpoint } = await open(range.partition)
      const sent = checkpoint as unknown as Sent | undefined
      return offsetsOf(sent?.topic === context.topic.name ? sent : undefined, range)
    },
    close
  }
}
