// What happens to a real Kafka happens under the whole platform: each row is in ClickHouse exactly once afterwards.

import t from 'tap'
import { noOwnKafka, startKafka } from './server.ts'
import { allOnce, arrived, ROWS, says, setUp } from './trades.ts'
import type { KafkaServer } from './server.ts'

const skip = noOwnKafka()
const kafka = (skip === false ? await startKafka({ folder: t.testdir(), own: true }) : undefined) as KafkaServer
t.teardown(() => kafka?.kill())

await t.test('a platform that starts without its Kafka says so, and works when Kafka is up', { skip }, async t => {
  const { start } = setUp(t, kafka)
  await kafka.stop()
  const platform = await start()
  const reasons = await says(platform, /Kafka/)
  t.match(reasons, /Check that Kafka runs/)
  await kafka.start()
  await allOnce(t, platform)
})

await t.test('Kafka is killed under load and comes back, later it stands still: health says so, and every row is in ClickHouse once', { skip }, async t => {
  const { start } = setUp(t, kafka)
  const platform = await start()
  await arrived(platform, ROWS / 6)
  await kafka.kill()
  await says(platform, /ECONNREFUSED/)
  await kafka.start()
  await arrived(platform, ROWS / 2)
  kafka.pause()
  try {
    await says(platform, /timed out/)
  } finally {
    kafka.resume()
  }
  await allOnce(t, platform)
})
