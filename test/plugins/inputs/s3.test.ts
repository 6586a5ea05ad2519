// The input s3 against a real S3-compatible server, directly and through a network that fails.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import t from 'tap'
import s3 from '../../../plugins/inputs/s3/index.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext } from '../../conform/context.ts'
import { conformInput } from '../../conform/input.ts'
import { Network } from '../../s3/network.ts'
import { accessKey, s3Missing, S3Server, secretKey } from '../../s3/server.ts'
import { nothing, numbersIn, runOnce, upTo } from './file-driver.ts'
import type { Json } from '../../../runtime/plugin.ts'

t.setTimeout(900_000)

const lines = (from: number, to: number): string => Array.from({ length: to - from }, (_, i) => `{"n":${from + i}}\n`).join('')

/** Fewer rows for as many bytes. */
const wide = (from: number, to: number): string => Array.from({ length: to - from }, (_, i) => `{"n":${from + i},"t":"${'x'.repeat(200)}"}\n`).join('')

let buckets = 0
const server = s3Missing === false ? await S3Server.start(join(t.testdir(), 's3')) : undefined
const client = new S3Client({ endpoint: server?.endpoint ?? 'http://127.0.0.1:9', region: 'us-east-1', forcePathStyle: true, credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } })
t.teardown(async () => {
  client.destroy()
  await server?.kill()
})

await t.test('conforms', { skip: s3Missing }, async t => {
  await conformInput(t, {
    plugin: s3,
    replays: true,
    async source () {
      const { bucket, given } = made()
      let objects = 0
      const next = (content: string): Promise<void> => put(bucket, `${String(objects++).padStart(6, '0')}.ndjson`, content)
      return {
        config: { ...given, path: `s3://${bucket}/*.ndjson`, follow: true, poll_ms: 10, batch_rows: 2 },
        produce: (from, to) => next(lines(from, to)),
        async malformed () {
          await next('{"n":\n[1]\n')
          return 2
        }
      }
    },
    silent: async () => {
      const { bucket, given } = made()
      return { config: { ...given, path: `s3://${bucket}/*.csv`, follow: true, poll_ms: 10 }, produce () {} }
    },
    broken: async () => ({ config: { ...made().given, path: 's3://no-such-bucket/*.csv' }, says: /no such bucket/ })
  })
})

await t.test('objects are taken once, by key, in every format, page by page, also when runs die', { skip: s3Missing }, async t => {
  const { bucket, given } = made()
  // More than a page of a listing has.
  for (let i = 0; i < 1100; i += 50) await Promise.all(Array.from({ length: 50 }, (_, j) => put(bucket, `a/${String(i + j).padStart(4, '0')}.csv`, `n\n${i + j}\n`)))
  await put(bucket, 'b/é €.ndjson.gz', gzipSync(lines(1100, 1150)))
  await put(bucket, 'c/x/y.json', JSON.stringify({ rows: upTo(50).map(n => ({ n: n + 1150 })) }))
  await put(bucket, 'c/x/y.txt', 'none of it')
  await put(bucket, 'c/folder/', Buffer.alloc(0))
  const durable = nothing()
  const config = { ...given, path: `s3://${bucket}/**/*.{csv,ndjson.gz,json}`, rows_at: '/rows', batch_rows: 40, file_field: 'object' }
  for (const chunks of [5, 10, 14, Infinity, Infinity]) await runOnce(s3, config, durable, { chunks })
  t.strictSame(numbersIn(durable), upTo(1200))
  t.match(durable.rows[1100], { object: `s3://${bucket}/b/é €.ndjson.gz` })
  await put(bucket, 'a/0000.csv', 'n\n0\n')
  await put(bucket, 'b/é €.ndjson.gz', gzipSync(lines(1100, 1150) + lines(1200, 1210)))
  await runOnce(s3, config, durable)
  t.strictSame(numbersIn(durable), upTo(1210), 'the same content has the same ETag, and what has grown is gone on with')
})

await t.test('requests that fail or break off are made again', { skip: s3Missing }, async t => {
  const network = new Network(endpointOf())
  const { bucket, given } = made(await network.listen())
  t.teardown(() => network.close())
  await put(bucket, 'a.ndjson', wide(0, 50_000))
  let count = 0
  network.fate = () => {
    count++
    return count % 3 === 1 ? 'busy' : count % 3 === 2 ? 'lost' : 'pass'
  }
  const durable = nothing()
  await runOnce(s3, { ...given, path: `s3://${bucket}/*`, batch_rows: 10_000 }, durable)
  t.ok(numbersIn(durable).every((n, i) => n === i))
  t.equal(durable.rows.length, 50_000)
  t.ok(network.seen.filter(({ url }) => url.includes('a.ndjson')).length > 4, 'in parts')
})

await t.test('an object that changes or goes while it is read is named, and the next run goes on as it is then', { skip: s3Missing }, async t => {
  const { bucket, given } = made()
  const config = { ...given, path: `s3://${bucket}/*.ndjson` }
  await put(bucket, 'a.ndjson', wide(0, 50_000))
  await put(bucket, 'b.ndjson', lines(1_000_000, 1_000_002))
  const durable = nothing()
  await t.rejects(runOnce(s3, config, durable, { onChunk: ({ appends }) => appends === 1 ? put(bucket, 'a.ndjson', wide(0, 50_001)) : undefined }), { code: 'FILE_REFUSED', message: /a\.ndjson has changed while it was read/ })
  t.ok(durable.rows.length > 0 && durable.rows.length < 50_000)
  await runOnce(s3, config, durable)
  t.ok(numbersIn(durable).every((n, i) => i > 50_000 || n === i), 'none doubled, none lost')
  t.equal(durable.rows.length, 50_003)
  await put(bucket, 'c.ndjson', wide(0, 50_000))
  await t.rejects(runOnce(s3, config, durable, { onChunk: () => remove(bucket, 'c.ndjson') }), { code: 'FILE_REFUSED', message: /c\.ndjson is gone since it was found/ })
  await t.resolves(runOnce(s3, config, durable))
})

await t.test('what cannot work is told', { skip: s3Missing }, async t => {
  const { bucket, given } = made()
  const probe = (more: Record<string, Json>): Promise<void> => s3.probe?.(configure(s3, { ...given, ...more }), fakeContext()) as Promise<void>
  await t.resolves(probe({ path: `s3://${bucket}/*` }))
  await t.rejects(probe({ path: `s3://${bucket}/one.csv` }), { code: 'SOURCE_REFUSED' })
  await t.rejects(probe({ path: `s3://${bucket}/*`, secret_key: 'wrong' }), { code: 'SOURCE_REFUSED', message: /secret key does not belong/ })
  await t.rejects(probe({ path: `s3://${bucket}/*`, endpoint: 'http://127.0.0.1:9' }), { code: 'SOURCE_UNAVAILABLE', message: /cannot be reached/ })
  for (const path of [`s3://${bucket}`, `s3://${bucket}/`, `s3://${bucket}/folder/`, '/a/path', 's3://B/x', `s3://${bucket}/[x`]) await t.rejects(probe({ path }), { code: 'CONFIG_INVALID', where: 'input.s3.path' })
})

function made (endpoint = endpointOf()): { readonly bucket: string, readonly given: Record<string, Json> } {
  const bucket = `bucket-${buckets++}`
  mkdirSync((server as S3Server).bucketFolder(bucket), { recursive: true })
  return { bucket, given: { endpoint, access_key: accessKey, secret_key: secretKey } }
}

function endpointOf (): string {
  return (server as S3Server).endpoint
}

async function put (Bucket: string, Key: string, Body: string | Buffer): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket, Key, Body }))
}

async function remove (Bucket: string, Key: string): Promise<void> {
  await client.send(new DeleteObjectCommand({ Bucket, Key }))
}
