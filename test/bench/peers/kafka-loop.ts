// Kafka ▶ cast ▶ drop with kafkajs, as somebody would write it: batches as they come, a row at a time.
//   node test/bench/peers/kafka-loop.ts <brokers> <topic> <group> <rows>

import { Kafka, logLevel } from 'kafkajs'
import { castRow } from './cast-row.ts'
import type { TextRow } from './cast-row.ts'

const [brokers = '', topic = '', groupId = '', rows = ''] = process.argv.slice(2)
const consumer = new Kafka({ brokers: [brokers], logLevel: logLevel.ERROR }).consumer({ groupId, maxBytesPerPartition: 4 * 2 ** 20 })
const { promise: done, resolve } = Promise.withResolvers<void>()
let taken = 0
let volume = 0
await consumer.connect()
await consumer.subscribe({ topic, fromBeginning: true })
await consumer.run({
  eachBatch: async ({ batch }) => {
    for (const { value } of batch.messages) volume += castRow(JSON.parse(String(value)) as TextRow).volume
    taken += batch.messages.length
    if (taken >= Number(rows)) resolve()
  }
})
await done
await consumer.disconnect()
if (!Number.isSafeInteger(volume)) throw new Error('The casts made no integers')
process.exit()
