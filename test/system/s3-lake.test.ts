import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { parquetReadObjects } from 'hyparquet'
import t from 'tap'
import { openObjects } from '../../runtime/objects/open.ts'
import { Network } from '../s3/network.ts'
import { accessKey, s3Missing, S3Server, secretKey } from '../s3/server.ts'
import { makeProject, startPlatform } from './project.ts'
import { eventually } from '../waiting.ts'

t.setTimeout(900_000)

const ROWS = 60_000

const schema = `
key: [symbol]
event_time: t
fields:
  n: { type: int64, required: true, description: Number of the row }
  t: { type: timestamp(ms), required: true, description: Time of the row, cast: { unit: ms } }
  symbol: { type: string, required: true, description: Instrument, low_cardinality: true }
`
const pipeline = `
input:
  generate:
    rate: 30000
    count: ${ROWS}
    fields:
      n: { counter: 1 }
      t: { counter: 1704205800000 }
      symbol: { choice: [AAPL, MSFT, NVDA] }
topic: trades
outputs:
  - lake:
      folder: s3://trades-lake/raw
      endpoint: \${S3_ENDPOINT}
      access_key: \${S3_KEY}
      secret_key: \${S3_SECRET}
    flush: { rows: 20000, ms: 300, megabytes: 8 }
`

await t.test('a lake in a store that is away at the start and breaks under load says so in health, and ends with every row once', { skip: s3Missing }, async t => {
  const folder = t.testdir()
  const project = makeProject(join(folder, 'project'), { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': pipeline })
  const server = await S3Server.start(join(folder, 's3'), 'trades-lake')
  t.teardown(() => server.kill())
  const network = new Network(server.endpoint)
  const endpoint = await network.listen()
  t.teardown(() => network.close())
  await server.kill()

  const platform = await startPlatform(project, { S3_ENDPOINT: endpoint, S3_KEY: accessKey, S3_SECRET: secretKey })
  t.teardown(() => platform.kill())
  const unready = (): Promise<string> => eventually('health names the store', async () => {
    const { status, body } = await platform.api('GET', '/readyz')
    const text = JSON.stringify(body)
    return status === 503 && /outputs\.lake is backing_off: s3:\/\/trades-lake\/raw.*cannot be reached.*Check `endpoint`/.test(text) ? text : undefined
  })
  const committed = async (): Promise<number> => {
    const { body } = await platform.api<{ topics: Array<{ name: string, groups: Array<{ offset: number }> }> }>('GET', '/v1/topics')
    return body.topics.find(({ name }) => name === 'trades')?.groups[0]?.offset ?? 0
  }
  t.notMatch(await unready(), secretKey)

  // One file lands and is committed; the connections of all others are cut on the way.
  let files = 0
  network.fate = ({ method, url }) => method === 'PUT' && !url.includes('/_manifest/') && files++ > 0 ? 'cut' : 'pass'
  await server.restart()
  await eventually('some rows are in the store', async () => await committed() > 0 ? true : undefined)
  await unready()
  t.ok(await committed() < ROWS)
  network.fate = () => 'pass'
  await eventually('all rows are in the store', async () => await committed() === ROWS ? true : undefined)
  await eventually('all is well', async () => (await platform.api('GET', '/readyz')).status === 200 ? true : undefined)
  t.notMatch(platform.output(), secretKey, 'the secret is in no log')
  t.equal(await platform.stop(), 0)

  const objects = await openObjects({
    address: 's3://trades-lake/raw', dataFolder: folder, owner: 'test.', store: { endpoint: server.endpoint, region: null, pathStyle: null, accessKey, secretKey, requestMs: 20_000 }
  })
  const found: number[] = []
  for await (const { name } of objects.list('trades/date=')) {
    const bytes = await objects.read(name) as Uint8Array
    const rows = await parquetReadObjects({ file: new Uint8Array(bytes).buffer, compressors: { ZSTD: (input: Uint8Array) => zstdDecompressSync(input) } })
    for (const row of rows) found.push(Number(row['n']))
  }
  objects.close()
  t.strictSame(found.sort((a, b) => a - b), Array.from({ length: ROWS }, (_, i) => i + 1))
})
