import { join } from 'node:path'
import { openEmbedded } from './embedded.ts'
import type { Broker } from './broker.ts'
import type { KafkaConfig } from './kafka/options.ts'

export interface BrokerOptions {
  readonly dataFolder: string
  /** Undefined: the embedded broker. */
  readonly kafka: KafkaConfig | undefined
}

/** The broker that the configuration names. Kafka's client is loaded only where it is used. */
export async function openBroker ({ dataFolder, kafka }: BrokerOptions): Promise<Broker> {
  if (kafka === undefined) return openEmbedded({ folder: join(dataFolder, 'topics') })
  const { openKafka } = await import('./kafka/kafka.ts')
  return openKafka(kafka)
}
