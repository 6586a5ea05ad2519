import { join } from 'node:path'
import t from 'tap'
import { noKafka, startKafka } from '../kafka/server.ts'
import { makeProject, startPlatform } from './project.ts'
import { eventually } from '../waiting.ts'
import type { RunningPlatform } from './project.ts'

const ROWS = 3000
const files = {
  'schemas/rows.yaml': `
key: [symbol]
event_time: t
fields:
  n: { type: int64, required: true, description: Number of the row }
  t: { type: timestamp(ms), required: true, description: Time of the row, cast: { unit: ms } }
  symbol: { type: string, required: true, description: Instrument }
`,
  'pipelines/rows.yaml': `
input:
  generate: { rate: 3000, count: ${ROWS}, fields: { n: { counter: 0 }, t: { counter: 1704205800000 }, symbol: { choice: [AAPL, MSFT] } } }
topic: rows
transforms: [mapping: rows]
outputs:
  - streaming-database: {}
  - lake: {}
`
}

await t.test('an embedded platform is switched to Kafka and back by one variable, and no row takes the place of another one', { skip: noKafka() }, async t => {
  const folder = t.testdir({ project: {} })
  const kafka = await startKafka({ folder: join(folder, 'kafka') })
  t.teardown(() => kafka.kill())
  const project = makeProject(join(folder, 'project'), files)
  const onKafka = { TWOLANE_BROKER: `kafka://${kafka.brokers}`, TWOLANE_KAFKA_PREFIX: 'switch.' }
  const run = async (env: Readonly<Record<string, string>>, rows: number): Promise<void> => {
    const platform = await startPlatform(project, env)
    t.teardown(() => platform.kill())
    await eventually(`${rows} rows`, async () => (await count(platform)).rows === rows ? true : undefined)
    t.same(await count(platform), { rows, different: rows }, `${rows} rows, each with a place of its own`)
    t.equal(await platform.stop(), 0)
  }
  await run({}, ROWS)
  await run(onKafka, 2 * ROWS)
  // Nothing new: the embedded topic knows that its input has ended.
  await run({}, 2 * ROWS)
})

async function count (platform: RunningPlatform): Promise<{ readonly rows: number, readonly different: number }> {
  const [found] = await platform.query<{ rows: string, different: string }>('select count() as rows, uniqExact(_partition, _offset) as different from streaming.rows')
  return { rows: Number(found?.rows), different: Number(found?.different) }
}
