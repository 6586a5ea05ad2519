// How the platform reaches an Apache Kafka, and how it uses it.

export interface KafkaConfig {
  /** `host:port` of some brokers; the others are learned from them. */
  readonly brokers: readonly string[]
  /** TLS: true with the authorities that the runtime trusts, or with those given here as PEM texts. Without: no encryption. */
  readonly ssl?: boolean | KafkaTls
  readonly sasl?: KafkaLogin
  /** Of topics that the platform makes. */
  readonly replicationFactor: number
  /** Of what the platform writes, and of all that its topics hold. */
  readonly compression: 'none' | 'gzip' | 'zstd'
  /** Before the name of every topic, group and transaction, so that several platforms can share a cluster. */
  readonly prefix: string
  /** A member of a group that was silent for so long is taken for dead, and its partitions go to the others. */
  readonly sessionTimeoutMs: number
}

export interface KafkaTls {
  /** Authorities to trust. */
  readonly ca?: string
  /** The client's own certificate and key, where the brokers ask for one. */
  readonly cert?: string
  readonly key?: string
}

export interface KafkaLogin {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

export const kafkaDefaults = {
  replicationFactor: 1,
  compression: 'zstd',
  prefix: '',
  sessionTimeoutMs: 10_000
} as const satisfies Partial<KafkaConfig>
