// Kafka's own programs: they fill the topic of the benchmark, and write it into a file.

import { writeFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { freePort } from '../../child.ts'
import type { Program } from './process.ts'

const LOOK_MS = 100
const java = ['-Xmx512m', '-XX:+UseSerialGC']

/** A line of a file is the value of a record; Kafka makes the topic with one partition, so that the order is the file's. */
export function fillTopic (classPath: string, brokers: string, topic: string, file: string): Program {
  const args = [...java, '-cp', classPath, 'org.apache.kafka.tools.ConsoleProducer', '--bootstrap-server', brokers, '--topic', topic, '--batch-size', '262144']
  return { command: 'sh', args: ['-c', 'file=$1; shift; exec "$@" < "$file"', 'sh', file, 'java', ...args] }
}

/** The console consumer, its output into a file. */
export function consoleConsumer (classPath: string, { brokers, topic, rows, to }: Reading): Program {
  const args = [...java, '-cp', classPath, 'org.apache.kafka.tools.consumer.ConsoleConsumer', '--bootstrap-server', brokers, '--topic', topic, '--from-beginning', '--max-messages', String(rows)]
  return { command: 'java', args, output: to }
}

export interface Reading { readonly brokers: string, readonly topic: string, readonly rows: number, readonly to: string }

/** Kafka Connect, one worker with its own FileStreamSink; it runs until the file has `bytes`. */
export async function fileStreamSink (classPath: string, folder: string, { brokers, topic, to }: Reading, bytes: number): Promise<Program> {
  const [worker, connector] = [join(folder, 'worker.properties'), join(folder, 'connector.properties')]
  const text = 'org.apache.kafka.connect.storage.StringConverter'
  writeFileSync(worker, properties({
    'bootstrap.servers': brokers,
    'key.converter': text,
    'value.converter': text,
    'offset.storage.file.filename': `${to}.offsets`,
    'offset.flush.interval.ms': '1000',
    listeners: `http://127.0.0.1:${await freePort()}`,
    'plugin.discovery': 'service_load'
  }))
  writeFileSync(connector, properties({
    name: `sink-${topic}-${Date.now()}`,
    'connector.class': 'org.apache.kafka.connect.file.FileStreamSinkConnector',
    'tasks.max': '1',
    topics: topic,
    file: to,
    'consumer.override.auto.offset.reset': 'earliest',
    'consumer.override.max.poll.records': '5000'
  }))
  return {
    command: 'java',
    args: [...java, '-cp', classPath, 'org.apache.kafka.connect.cli.ConnectStandalone', worker, connector],
    done: async () => {
      while (await stat(to).then(({ size }) => size, () => 0) < bytes) await sleep(LOOK_MS)
    }
  }
}

/** Resolves when a group has committed `rows`. */
export async function committed (brokers: string, topic: string, group: string, rows: number): Promise<void> {
  const admin = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    while (true) {
      // The group is not there at once.
      const found = await admin.fetchOffsets({ groupId: group, topics: [topic] }).catch(() => [])
      if (Number(found[0]?.partitions[0]?.offset ?? 0) >= rows) return
      await sleep(LOOK_MS)
    }
  } finally {
    await admin.disconnect()
  }
}

function properties (all: Readonly<Record<string, string>>): string {
  return Object.entries(all).map(([key, value]) => `${key}=${value}\n`).join('')
}
