// How long a partition waits for its next owner, with two processes in a group: after one left, and after one was killed.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { openBroker } from '../../runtime/broker/open.ts'
import { readTopic } from '../../runtime/schema-file.ts'
import { median } from './measure.ts'
import { quotesSchema } from './quotes.ts'
import type { ChildProcess } from 'node:child_process'
import type { Broker } from '../../runtime/broker/broker.ts'
import type { KafkaConfig } from '../../runtime/broker/kafka/options.ts'

const PARTITIONS = 4
const ROUNDS = 3
const topic = readTopic('schemas/rebalance.yaml', `${quotesSchema}partitions: ${PARTITIONS}\n`)

if (process.argv[2] === 'member') await member(JSON.parse(process.argv[3] as string) as KafkaConfig)

export async function measureRebalance (kafka: KafkaConfig): Promise<void> {
  const broker = await openBroker({ dataFolder: '', kafka })
  await (await broker.producer(topic, 'bench')).close()
  const leave = new AbortController()
  const { owned, left } = watch(broker, leave.signal)
  for (const [what, leave] of [
    ['after one left', (child: ChildProcess) => { child.send('leave') }],
    [`after one was killed, its session ends in ${kafka.sessionTimeoutMs / 1000} s`, (child: ChildProcess) => { child.kill('SIGKILL') }]
  ] as const) {
    const times: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      await until(() => owned.size === PARTITIONS)
      const child = fork(import.meta.filename, ['member', JSON.stringify(kafka)])
      await until(() => owned.size < PARTITIONS)
      await once(child, 'message')
      const began = performance.now()
      leave(child)
      await until(() => owned.size === PARTITIONS)
      times.push(performance.now() - began)
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    console.log(`${PARTITIONS} partitions belong to the other process ${what}: ${(median(times) / 1000).toFixed(1)} s`)
  }
  leave.abort()
  await left
  await broker.close()
}

/** The partitions of this process, until `leave`. */
function watch (broker: Broker, leave: AbortSignal): { readonly owned: ReadonlySet<number>, readonly left: Promise<void> } {
  const owned = new Set<number>()
  const work = async (): Promise<void> => {
    const consumer = await broker.consumer(topic, 'rebalance')
    for await (const assignment of consumer.assignments(leave)) {
      const { partition, signal } = assignment
      owned.add(partition)
      signal.addEventListener('abort', () => {
        owned.delete(partition)
        assignment.release()
      })
    }
    await consumer.close()
  }
  return { owned, left: work() }
}

async function member (kafka: KafkaConfig): Promise<void> {
  const broker = await openBroker({ dataFolder: '', kafka })
  const leave = new AbortController()
  const { owned, left } = watch(broker, leave.signal)
  await until(() => owned.size === PARTITIONS / 2)
  process.send?.('ready')
  await once(process, 'message')
  leave.abort()
  await left
  await broker.close()
  process.exit()
}

async function until (condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 5))
}
