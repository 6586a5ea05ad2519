// What a writer that takes over finds at a Kafka that has just begun anew.

import t from 'tap'
import { Cluster } from '../../../runtime/broker/kafka/cluster.ts'
import { openKafka } from '../../../runtime/broker/kafka/kafka.ts'
import { kafkaDefaults } from '../../../runtime/broker/kafka/options.ts'
import { openProducer } from '../../../runtime/broker/kafka/producer.ts'
import { StateStore } from '../../../runtime/broker/kafka/state.ts'
import { topicName } from '../../../runtime/broker/kafka/topics.ts'
import { makeTopic, numbersOf, range, rowsOf } from '../../conform/broker.ts'
import { noOwnKafka, startKafka } from '../../kafka/server.ts'
import type { Broker } from '../../../runtime/broker/broker.ts'
import type { KafkaConfig } from '../../../runtime/broker/kafka/options.ts'
import type { Address, KafkaNode, OwnRequest, Peer } from '../../../runtime/broker/kafka/wire.ts'
import type { Topic } from '../../../runtime/schema.ts'

/** Takes, for the first fetches of the state, an early record for the last one. */
class JustBegun extends Cluster {
  #fetches = 0

  override async leader (topic: string, partition: number): Promise<Peer> {
    const peer = await super.leader(topic, partition)
    const send = async <T>(request: OwnRequest<T>): Promise<T> => {
      const answer = await peer.send(request)
      return request.name === 'Fetch' && this.#fetches++ < 5 ? { ...answer, end: 0, stable: 0, bytes: Buffer.alloc(0) } : answer
    }
    return topic.endsWith('twolane.state') ? { send } as Peer : peer
  }
}

/** The same, with other methods. */
function instead<T extends object> (what: T, methods: Partial<T>): T {
  return new Proxy(what, {
    get (_, name) {
      const own = Reflect.get(methods, name) as unknown ?? Reflect.get(what, name, what)
      return typeof own === 'function' ? own.bind(what) as unknown : own
    }
  })
}

/** Finishes transactions, and tells it to another topic only. */
class Forgetful extends Cluster {
  readonly #elsewhere: string
  readonly #committed: boolean

  constructor (config: KafkaConfig, elsewhere: string, committed: boolean) {
    super(config)
    this.#elsewhere = elsewhere
    this.#committed = committed
  }

  override peer (address: Address): Peer {
    const peer = super.peer(address)
    const node = async (): Promise<KafkaNode> => {
      const node = await peer.node()
      return instead(node, {
        addPartitionsToTxn: request => node.addPartitionsToTxn({ ...request, topics: [{ topic: this.#elsewhere, partitions: [0] }] }),
        endTxn: request => node.endTxn({ ...request, transactionResult: this.#committed })
      })
    }
    return instead(peer, { node })
  }
}

await t.test('a producer that takes over', { skip: noOwnKafka() }, async t => {
  // So that a transaction can leave out places that it has written to, as a Kafka does that begins anew in the middle of it.
  const kafka = await startKafka({ folder: t.testdir(), own: true, properties: { 'transaction.partition.verification.enable': 'false' } })
  t.teardown(() => kafka.kill())
  const config = { ...kafkaDefaults, brokers: kafka.brokers.split(',') }
  const broker = openKafka(config)
  t.teardown(() => broker.close())

  await t.test('finds what was saved, also where Kafka takes an early record for the last one at first', async t => {
    const topic = makeTopic(2)
    await (await broker.producer(topic, 'writer')).append([rowsOf(topic, 0, 10, 10)], { checkpoint: 1 })
    const cluster = new JustBegun(config)
    t.teardown(() => cluster.close())
    t.equal((await openProducer(cluster, new StateStore(cluster), topic, 'writer')).checkpoint, 1)
  })

  for (const committed of [true, false]) {
    await t.test(`${committed ? 'keeps what was committed' : 'drops what was aborted'} where Kafka has not told the partitions`, async t => {
      const topic = makeTopic(2)
      const elsewhere = makeTopic()
      await (await broker.producer(elsewhere, 'other')).close()
      await (await broker.producer(topic, 'writer')).append([rowsOf(topic, 0, 10, 10)], { checkpoint: 1 })
      const forgetful = new Forgetful(config, topicName(config, elsewhere.name), committed)
      t.teardown(() => forgetful.close())
      await (await openProducer(forgetful, new StateStore(forgetful), topic, 'writer')).append([rowsOf(topic, 10, 20, 10)], { checkpoint: 2 })
      t.strictSame(await rowsIn(broker, topic), range(0, 10), 'nobody sees the rows')

      const next = await broker.producer(topic, 'writer')
      t.equal(next.checkpoint, committed ? 2 : 1)
      t.strictSame(await rowsIn(broker, topic), range(0, committed ? 20 : 10))
      await next.append([rowsOf(topic, 20, 30, 10)], { checkpoint: 3 })
      t.strictSame(await rowsIn(broker, topic), [...range(0, committed ? 20 : 10), ...range(20, 30)])
      t.equal((await broker.producer(topic, 'writer')).checkpoint, 3)
    })
  }
})

async function rowsIn (broker: Broker, topic: Topic): Promise<number[]> {
  const reader = await broker.reader(topic)
  const rows: number[] = []
  try {
    for (let partition = 0; partition < reader.partitions; partition++) {
      let { first: offset } = await reader.bounds(partition)
      while (true) {
        const { batches, next } = await reader.read(partition, offset, { rows: 1_000_000, bytes: Infinity })
        rows.push(...numbersOf(batches))
        if (next === offset) break
        offset = next
      }
    }
  } finally {
    await reader.close()
  }
  return rows.sort((a, b) => a - b)
}
