// The server.properties of a Kafka for tests.

import { join } from 'node:path'
import type { Certificate } from './certificates.ts'

/** A listener beside the plain one. */
export interface Listener {
  readonly name: string
  /** What it shows to clients; undefined: no TLS. */
  readonly certificate?: Certificate
  /** Clients must show a certificate of this authority (PEM). */
  readonly clientAuthority?: string
  /** Clients must log in: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. */
  readonly sasl?: boolean
}

export interface User {
  readonly name: string
  readonly password: string
}

interface Server {
  readonly folder: string
  /** By listener, `plain` and `controller` among them. */
  readonly ports: ReadonlyMap<string, number>
  readonly properties?: Readonly<Record<string, string>>
  readonly listeners?: readonly Listener[]
  readonly users?: readonly User[]
}

export function kafkaProperties ({ folder, ports, properties, listeners = [], users = [] }: Server): string {
  const urls = [...ports].map(([name, port]) => `${name.toUpperCase()}://127.0.0.1:${port}`)
  const protocols = listeners.map(({ name, certificate, sasl }) => `${name.toUpperCase()}:${sasl === true ? 'SASL_' : ''}${certificate === undefined ? 'PLAINTEXT' : 'SSL'}`)
  const all: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${ports.get('controller')}`,
    listeners: urls.join(','),
    'advertised.listeners': urls.filter(url => !url.startsWith('CONTROLLER')).join(','),
    'listener.security.protocol.map': ['PLAIN:PLAINTEXT', 'CONTROLLER:PLAINTEXT', ...protocols].join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAIN',
    'log.dirs': join(folder, 'kafka'),
    // One node has one copy of all.
    'default.replication.factor': '1',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    // What makes it ready sooner.
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.num.partitions': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    // A broker that was killed may come back at once.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    ...Object.assign({}, ...listeners.map(listener => listenerProperties(listener, users))),
    ...properties
  }
  return Object.entries(all).map(([key, value]) => `${key}=${value.replaceAll('\n', '\\n')}\n`).join('')
}

function listenerProperties ({ name, certificate, clientAuthority, sasl }: Listener, users: readonly User[]): Record<string, string> {
  const prefix = `listener.name.${name.toLowerCase()}`
  return {
    ...(certificate !== undefined && {
      [`${prefix}.ssl.keystore.type`]: 'PEM',
      [`${prefix}.ssl.keystore.certificate.chain`]: certificate.certificate,
      [`${prefix}.ssl.keystore.key`]: certificate.key
    }),
    ...(clientAuthority !== undefined && {
      [`${prefix}.ssl.truststore.type`]: 'PEM',
      [`${prefix}.ssl.truststore.certificates`]: clientAuthority,
      [`${prefix}.ssl.client.auth`]: 'required'
    }),
    ...(sasl === true && {
      [`${prefix}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      [`${prefix}.plain.sasl.jaas.config`]: `org.apache.kafka.common.security.plain.PlainLoginModule required ${users.map(user => `user_${user.name}="${user.password}"`).join(' ')};`,
      [`${prefix}.scram-sha-256.sasl.jaas.config`]: 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      [`${prefix}.scram-sha-512.sasl.jaas.config`]: 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
    })
  }
}

/** Users of SCRAM are made with the storage. */
export function scramArguments (users: readonly User[]): string[] {
  return users.flatMap(({ name, password }) => ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap(mechanism => ['--add-scram', `${mechanism}=[name=${name},password=${password}]`]))
}
