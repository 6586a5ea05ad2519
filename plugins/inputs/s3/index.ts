// Rows out of the objects of an S3-compatible bucket, each one taken once (runtime/intake).

import { defineInput } from '../../../runtime/plugin.ts'
import { takeOptions, takeSettings, textOptions } from '../../../runtime/intake/settings.ts'
import { takeFiles } from '../../../runtime/intake/take.ts'
import { checkStore } from '../../../runtime/objects/open.ts'
import type { Config } from '../../../runtime/plugin.ts'
import type { BucketShelf } from './bucket.ts'

const options = {
  path: { type: 'string', description: 'Which objects: s3:// with the bucket and a glob for the keys: * ? [a-z] {a,b}, and ** for folders in folders.', examples: ['s3://exports/trades/**/*.csv.gz'] },
  endpoint: { type: 'string', default: null, description: 'Address of a store other than AWS.', examples: ['https://minio.internal:9000'] },
  region: { type: 'string', default: null, description: 'Region of the bucket; as the AWS environment says where it is left out, and `us-east-1` with an endpoint.' },
  path_style: { type: 'boolean', default: null, description: 'Puts the bucket into the path instead of the host name; on with an endpoint, off without one.' },
  access_key: { type: 'string', default: null, description: 'Access key; the usual AWS chain (environment, profile, role) where it is left out.', writeOnly: true },
  secret_key: { type: 'string', default: null, description: 'Secret of the access key.', writeOnly: true },
  timeout_seconds: { type: 'number', default: 60, description: 'Time that the store may take for one request, in seconds; a part of an object has 4 MiB.', minimum: 0.1 },
  format: { type: 'string', description: 'ndjson: one JSON object a line; json: one document with an array of objects; csv; parquet; auto: by the ending of the key.', enum: ['auto', 'ndjson', 'csv', 'json', 'parquet'], default: 'auto' },
  follow: { type: 'boolean', description: 'Look for more objects again and again; false: end when all are taken. A run of a job always ends.', default: false },
  ...textOptions,
  ...takeOptions,
  poll_ms: { type: 'integer', description: 'How often a followed bucket is listed, in milliseconds.', default: 30_000, minimum: 10, maximum: 3_600_000 }
} as const

export default defineInput({
  description: 'Rows of CSV, NDJSON, JSON and Parquet objects in an S3 bucket, each taken once',
  options,
  shorthand: 'path',
  bounded: true,

  async * read (config, context) {
    const settings = takeSettings(config, 'input.s3')
    yield * takeFiles(await open(config, context.signal), settings, context)
  },

  async probe (config, context) {
    takeSettings(config, 'input.s3')
    const shelf = await open(config, context.signal)
    try {
      await shelf.check()
    } finally {
      shelf.close()
    }
  }
})

async function open (config: Config<typeof options>, signal: AbortSignal): Promise<BucketShelf> {
  const { path, endpoint, region, path_style: pathStyle, access_key: accessKey, secret_key: secretKey, timeout_seconds: seconds } = config
  const store = { endpoint, region, pathStyle, accessKey, secretKey, requestMs: seconds * 1000 }
  checkStore(store)
  // The client of S3 is loaded where it is used.
  const { BucketShelf } = await import('./bucket.ts')
  return new BucketShelf(path, store, signal)
}
