// The platform's part, as a process of its own: the supervisor with one pipeline in its thread, and no web server and
// database beside it, as the others have none. It ends when every row is where it should be.
//   node test/bench/peers/runtime.ts <settings as JSON>

import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { kafkaDefaults } from '../../../runtime/broker/kafka/options.ts'
import { openBroker } from '../../../runtime/broker/open.ts'
import { Store } from '../../../runtime/store.ts'
import { Supervisor } from '../../../runtime/supervisor.ts'
import { makeProject } from '../../system/project.ts'
import { schema } from './work.ts'

export interface RuntimeSettings {
  readonly folder: string
  /** Of the pipeline: one that ran before goes on where it was. */
  readonly id: string
  /** The pipeline's file. */
  readonly pipeline: string
  readonly rows: number
  /** `host:port`: the topic lies in Kafka. */
  readonly brokers?: string
}

const LOOK_MS = 50
/** An output that takes rows and keeps none. */
const drop = `import { defineOutput } from '../../../runtime/plugin.ts'
export default defineOutput({
  description: 'Drops rows',
  options: {},
  guarantee: 'at least once',
  async open () {
    return { async write () {}, async flush () {}, async close () {} }
  }
})
`

const { folder, id, pipeline, rows, brokers } = JSON.parse(process.argv[2] as string) as RuntimeSettings
const log = { error: (fields: object, message: string) => console.error(message, fields), warn: () => {}, info: () => {}, debug: () => {} }
const project = makeProject(folder, { 'schemas/quotes.yaml': schema, [`pipelines/${id}.yaml`]: pipeline, 'plugins/outputs/drop/index.ts': drop })
const kafka = brokers === undefined ? undefined : { ...kafkaDefaults, brokers: [brokers], compression: 'none' as const }
const dataFolder = join(folder, 'data')
const store = new Store(project.data)
const supervisor = new Supervisor({ root: project.folder, dataFolder, kafka, clickhouse: undefined, logLevel: 'error', store, log, onLog: text => process.stderr.write(text) })
const broker = await openBroker({ dataFolder, kafka })
await supervisor.start()
while (true) {
  const state = await broker.inspect('quotes')
  const [partition] = state?.partitions ?? []
  const [output] = state?.groups.filter(({ group }) => group.startsWith(`${id}.`)) ?? []
  if (partition !== undefined && partition.next - partition.first >= rows && output?.offset === partition.next) break
  await sleep(LOOK_MS)
}
await supervisor.close()
await broker.close()
store.close()
process.exit()
