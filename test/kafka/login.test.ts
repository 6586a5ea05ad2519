// TLS and logins: the right ones work; each wrong one says what is wrong and what to do.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openKafka } from '../../runtime/broker/kafka/kafka.ts'
import { kafkaDefaults } from '../../runtime/broker/kafka/options.ts'
import { PlatformError } from '../../runtime/errors.ts'
import { makeProject, startPlatform } from '../system/project.ts'
import { eventually } from '../waiting.ts'
import { makeAuthority } from './certificates.ts'
import { noOwnKafka, startKafka } from './server.ts'
import type { KafkaConfig, KafkaLogin } from '../../runtime/broker/kafka/options.ts'
import type { Certificate } from './certificates.ts'
import type { KafkaChanges, KafkaServer } from './server.ts'

const skip = noOwnKafka()
const folder = t.testdir()
mkdirSync(join(folder, 'tls'))
const authority = makeAuthority(join(folder, 'tls'), 'authority')
const stranger = makeAuthority(join(folder, 'tls'), 'stranger')
const good = authority.issue('server', 30)
const client = authority.issue('client', 30)
const users = [{ name: 'alice', password: 'wonder' }]
const listeners = [
  { name: 'tls', certificate: good },
  { name: 'expired', certificate: authority.issue('expired', -1) },
  { name: 'mutual', certificate: good, clientAuthority: authority.certificate },
  { name: 'login', sasl: true },
  { name: 'both', certificate: good, sasl: true }
]
const kafka = skip === false ? await startKafka({ folder, users, listeners }) : undefined
t.teardown(() => kafka?.kill())
const alice = (mechanism: KafkaLogin['mechanism'], password = 'wonder'): KafkaLogin => ({ mechanism, username: 'alice', password })
const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const

async function topicsBy (listener: string, config: Partial<KafkaConfig>): Promise<string[]> {
  const broker = openKafka({ ...kafkaDefaults, brokers: [listener === 'plain' ? (kafka as KafkaServer).brokers : (kafka as KafkaServer).address(listener)], ...config })
  return await broker.topics().finally(() => broker.close())
}

const ca = authority.certificate
const right: ReadonlyArray<readonly [what: string, listener: string, config: Partial<KafkaConfig>]> = [
  ['an authority that is given', 'tls', { ssl: { ca } }],
  ['a certificate of the client', 'mutual', { ssl: { ca, cert: client.certificate, key: client.key } }],
  ...mechanisms.map(mechanism => [`a login with ${mechanism}`, 'login', { sasl: alice(mechanism) }] as const),
  ...mechanisms.map(mechanism => [`TLS and a login with ${mechanism}`, 'both', { ssl: { ca }, sasl: alice(mechanism) }] as const)
]
for (const [what, listener, config] of right) {
  await t.test(`${what} opens the connection`, { skip }, async t => {
    t.same(await topicsBy(listener, config), [])
  })
}

const password = /user|password/
const wrong: ReadonlyArray<readonly [what: string, listener: string, config: Partial<KafkaConfig>, code: string, text: RegExp, remedy: RegExp]> = [
  ...mechanisms.map(mechanism => [`a wrong password with ${mechanism}`, 'login', { sasl: alice(mechanism, 'guessed') }, 'BROKER_REFUSED', password, /kafka_password/] as const),
  ['an unknown user', 'login', { sasl: { mechanism: 'plain', username: 'bob', password: 'wonder' } }, 'BROKER_REFUSED', password, /kafka_user/],
  ['no login where one is needed', 'login', {}, 'BROKER_UNAVAILABLE', /log in|login/, /kafka_sasl/],
  ['a login where none is known', 'plain', { sasl: alice('plain') }, 'BROKER_REFUSED', /log in|login/, /kafka_sasl/],
  ['an authority that is not known', 'tls', { ssl: true }, 'BROKER_REFUSED', /authority that is not trusted/, /kafka_ca_file/],
  ['another authority', 'tls', { ssl: { ca: stranger.certificate } }, 'BROKER_REFUSED', /authority that is not trusted/, /kafka_ca_file/],
  ['an expired certificate', 'expired', { ssl: { ca } }, 'BROKER_REFUSED', /expired/, /Renew/],
  ['no certificate of the client where one is needed', 'mutual', { ssl: { ca } }, 'BROKER_REFUSED', /certificate/, /kafka_certificate_file/],
  ['a plain connection to a port with TLS', 'tls', {}, 'BROKER_UNAVAILABLE', /TLS/, /kafka_tls/],
  ['TLS to a plain port', 'plain', { ssl: { ca } }, 'BROKER_UNAVAILABLE', /TLS/, /kafka_tls/]
]
// Beside each other: where it may pass, it is tried again for a while.
const errors = skip === false ? wrong.map(([, listener, config]) => topicsBy(listener, config).then(() => undefined, (error: unknown) => error)) : []
for (const [i, [what, , , code, text, remedy]] of wrong.entries()) {
  await t.test(`${what} is told with what to do`, { skip }, async t => {
    const error = await errors[i]
    if (!(error instanceof PlatformError)) return t.fail(`it is ${String(error)}`)
    t.equal(error.code, code)
    t.match(error.message, text)
    t.match(error.remedy, remedy)
    t.notMatch(error.message + String(error.remedy), /wonder|guessed/, 'no password is shown')
  })
}

const schema = `
key: [n]
event_time: t
fields:
  n: { type: int64, required: true, description: Number of the row }
  t: { type: timestamp(ms), required: true, description: Time of the row, cast: { unit: ms } }
`
const pipeline = `
input:
  generate: { rate: 1000, count: 100, fields: { n: { counter: 1 }, t: { counter: 1704205800000 } } }
topic: numbers
transforms: [mapping: numbers]
outputs: [streaming-database: {}]
`

await t.test('a platform that Kafka does not let in says why, shows no password, and works once it is let in', { skip }, async t => {
  const server = kafka as KafkaServer
  const both = (certificate: Certificate, password: string): KafkaChanges => ({
    listeners: listeners.map(listener => listener.name === 'both' ? { ...listener, certificate } : listener), users: [{ name: 'alice', password }]
  })
  await server.stop()
  await server.start(both(authority.issue('old', -1), 'another-one'))
  const project = makeProject(t.testdir(), { 'schemas/numbers.yaml': schema, 'pipelines/numbers.yaml': pipeline })
  writeFileSync(join(project.folder, 'ca.pem'), ca)
  const platform = await startPlatform(project, {
    TWOLANE_BROKER: `kafka://${server.address('both')}`, TWOLANE_KAFKA_CA_FILE: 'ca.pem', TWOLANE_KAFKA_SASL: 'plain', TWOLANE_KAFKA_USER: 'alice', TWOLANE_KAFKA_PASSWORD: 'open-sesame'
  })
  t.teardown(() => platform.kill())
  const says = (pattern: RegExp): Promise<true> => eventually(`health says ${pattern}`, async () => {
    const { status, body } = await platform.api('GET', '/readyz')
    return (status === 503 && pattern.test(JSON.stringify(body))) || undefined
  })
  await says(/the certificate of the broker has expired/)
  await server.stop()
  await server.start(both(good, 'another-one'))
  await says(/does not accept the user or the password/)
  await server.stop()
  await server.start(both(good, 'open-sesame'))
  await eventually('all rows are in the database', async () => {
    const [found] = await platform.query<{ rows: string }>('select count() as rows from streaming.numbers').catch(() => [])
    return found?.rows === '100' || undefined
  })
  t.equal(await platform.stop(), 0)
  t.notMatch(platform.output(), /sesame/)
})
