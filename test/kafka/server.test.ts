import { execFileSync } from 'node:child_process'
import { connect as connectTls } from 'node:tls'
import { Kafka, logLevel } from 'kafkajs'
import t from 'tap'
import { makeAuthority } from './certificates.ts'
import { noOwnKafka, startKafka } from './server.ts'

await t.test('a Kafka for tests comes back on its data after a kill, pauses, and shows TLS and SASL', { skip: noOwnKafka() }, async t => {
  const folder = t.testdir()
  const authority = makeAuthority(`${folder}/tls`, 'authority')
  const users = [{ name: 'alice', password: 'wonder' }]
  const kafka = await startKafka({
    folder, users, listeners: [{ name: 'tls', certificate: authority.issue('server', 30) }, { name: 'login', sasl: true }, { name: 'old', certificate: authority.issue('old', -1), sasl: true }]
  })
  t.teardown(() => kafka.kill())

  const plain = new Kafka({ brokers: [kafka.brokers], logLevel: logLevel.NOTHING })
  const producer = plain.producer()
  await producer.connect()
  await producer.send({ topic: 'kept', messages: [{ value: 'one' }] })
  await producer.disconnect()
  await kafka.kill()
  t.equal(kafka.pid, undefined)
  await kafka.start()
  const admin = plain.admin()
  await admin.connect()
  t.equal((await admin.fetchTopicOffsets('kept'))[0]?.high, '1', 'the record is still there')
  await admin.disconnect()

  for (const [listener, ssl, sasl] of [
    ['tls', { ca: authority.certificate }, undefined],
    ['login', false, { mechanism: 'plain', username: 'alice', password: 'wonder' }],
    ['login', false, { mechanism: 'scram-sha-256', username: 'alice', password: 'wonder' }],
    ['login', false, { mechanism: 'scram-sha-512', username: 'alice', password: 'wonder' }]
  ] as const) {
    const client = new Kafka({ brokers: [kafka.address(listener)], ssl, ...(sasl !== undefined && { sasl: sasl as never }), logLevel: logLevel.NOTHING }).admin()
    await client.connect()
    t.same(await client.listTopics(), ['kept'], `${listener} ${sasl?.mechanism ?? ''}`)
    await client.disconnect()
  }
  const [host, port] = kafka.address('old').split(':')
  const { promise, resolve } = Promise.withResolvers<string>()
  connectTls({ host: host as string, port: Number(port), ca: authority.certificate }).on('error', error => resolve((error as NodeJS.ErrnoException).code ?? ''))
  t.equal(await promise, 'CERT_HAS_EXPIRED')

  kafka.pause()
  t.match(execFileSync('ps', ['-o', 'stat=', '-p', String(kafka.pid)], { encoding: 'utf8' }), /^T/)
  kafka.resume()
  await kafka.stop()
})
