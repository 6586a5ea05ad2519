// The lake in a store: what every output has to hold.

import { mkdirSync } from 'node:fs'
import { zstdDecompressSync } from 'node:zlib'
import { join } from 'node:path'
import { parquetReadObjects } from 'hyparquet'
import t from 'tap'
import lake from '../../../../plugins/outputs/lake/index.ts'
import { openObjects } from '../../../../runtime/objects/open.ts'
import { conformOutput } from '../../../conform/output.ts'
import { Network } from '../../../s3/network.ts'
import { accessKey, s3Missing, S3Server, secretKey } from '../../../s3/server.ts'
import type { Objects } from '../../../../runtime/objects/objects.ts'

t.setTimeout(900_000)

const compressors = { ZSTD: (input: Uint8Array): Uint8Array => zstdDecompressSync(input) }

function storeAt (endpoint: string, address: string, dataFolder: string): Promise<Objects> {
  return openObjects({ address, dataFolder, owner: 'reader.', store: { endpoint, region: null, pathStyle: null, accessKey, secretKey, requestMs: 20_000 } })
}

/** `n` of every row, by offset. */
async function rowsIn (objects: Objects): Promise<number[]> {
  const found: Array<Record<string, unknown>> = []
  for await (const { name } of objects.list('')) {
    if (!name.endsWith('.parquet')) continue
    const bytes = await objects.read(name) as Uint8Array
    found.push(...await parquetReadObjects({ file: new Uint8Array(bytes).buffer, compressors }))
  }
  return found.sort((a, b) => Number(a['_offset']) - Number(b['_offset'])).map(row => Number(row['n']))
}

let bucketsMade = 0

await t.test('as an output', { skip: s3Missing }, async t => {
  const server = await S3Server.start(join(t.testdir(), 's3'))
  t.teardown(() => server.kill())
  await conformOutput(t, {
    plugin: lake,
    module: new URL('../../../../plugins/outputs/lake/index.ts', import.meta.url).href,
    async destination (_, dataFolder) {
      const bucket = `bucket-${++bucketsMade}`
      mkdirSync(server.bucketFolder(bucket))
      const network = new Network(server.endpoint)
      const endpoint = await network.listen()
      const address = `s3://${bucket}/lake`
      return {
        config: { folder: address, endpoint, access_key: accessKey, secret_key: secretKey, timeout_seconds: 3 },
        async rows () {
          const objects = await storeAt(server.endpoint, address, dataFolder)
          try {
            return await rowsIn(objects)
          } finally {
            objects.close()
          }
        },
        break () {
          network.fate = () => 'cut'
          return () => { network.fate = () => 'pass' }
        },
        hang () {
          network.fate = () => 'hang'
          return () => { network.fate = () => 'pass' }
        },
        close: () => network.close()
      }
    },
    broken: () => ({
      config: { folder: 's3://no-such-bucket/lake', endpoint: server.endpoint, access_key: accessKey, secret_key: secretKey },
      says: /no such bucket.*Make it/
    })
  })
})
