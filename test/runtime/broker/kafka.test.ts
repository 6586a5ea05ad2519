import t from 'tap'
import { openKafka } from '../../../runtime/broker/kafka/kafka.ts'
import { kafkaDefaults } from '../../../runtime/broker/kafka/options.ts'
import { conformBroker } from '../../conform/broker.ts'
import { noKafka, startKafka } from '../../kafka/server.ts'

const skip = noKafka()

await t.test('the broker on Apache Kafka conforms', { skip }, async t => {
  const kafka = await startKafka({ folder: t.testdir() })
  t.teardown(() => kafka.kill())
  await conformBroker(t, { place: () => ({ open: () => openKafka({ ...kafkaDefaults, brokers: kafka.brokers.split(',') }) }) })
})
