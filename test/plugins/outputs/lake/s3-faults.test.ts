// What a network, a store and a crash can do to an upload in parts.

import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3'
import t from 'tap'
import lake from '../../../../plugins/outputs/lake/index.ts'
import { openObjects } from '../../../../runtime/objects/open.ts'
import { configure } from '../../../conform/configure.ts'
import { fakeContext, until } from '../../../conform/context.ts'
import { bigBatch, objectName, openBig, range, topic } from '../../../s3/big-rows.ts'
import { Network } from '../../../s3/network.ts'
import { accessKey, s3Missing, S3Server, secretKey } from '../../../s3/server.ts'
import type { Test } from 'tap'
import type { Objects } from '../../../../runtime/objects/objects.ts'
import type { Fate, Seen } from '../../../s3/network.ts'

t.setTimeout(900_000)

interface Stage {
  readonly dataFolder: string
  readonly server: S3Server
  readonly network: Network
  /** Configuration of a lake behind the network. */
  readonly config: Readonly<Record<string, string | number>>
  /** Through the network. */
  readonly objects: Objects
  /** Past the network. */
  readonly reader: Objects
  /** Names of the objects that have unfinished uploads. */
  uploads (): Promise<string[]>
}

async function stageOf (t: Test): Promise<Stage> {
  const dataFolder = t.testdir()
  const server = await S3Server.start(join(dataFolder, 's3'), 'bucket')
  t.teardown(() => server.kill())
  const network = new Network(server.endpoint)
  const endpoint = await network.listen()
  t.teardown(() => network.close())
  const store = { region: null, pathStyle: null, accessKey, secretKey, requestMs: 20_000 }
  const address = 's3://bucket/lake'
  const objects = await openObjects({ address, dataFolder, owner: 'test.', store: { ...store, endpoint } })
  const reader = await openObjects({ address, dataFolder, owner: 'reader.', store: { ...store, endpoint: server.endpoint } })
  const client = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true, credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } })
  t.teardown(() => { for (const open of [objects, reader, client]) 'close' in open ? open.close() : open.destroy() })
  await objects.check()
  return {
    dataFolder,
    server,
    network,
    config: { folder: address, endpoint, access_key: accessKey, secret_key: secretKey },
    objects,
    reader,
    async uploads () {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: 'bucket' }))
      return Uploads.map(({ Key = '' }) => Key)
    }
  }
}

const isPart = (number: number) => ({ method, url }: Seen): boolean => method === 'PUT' && url.includes(`partNumber=${number}&`)
const isComplete = ({ method, url }: Seen): boolean => method === 'POST' && url.includes('uploadId=')
const isCreate = ({ method, url }: Seen): boolean => method === 'POST' && url.includes('uploads')

/** The first `times` requests that fit meet the fate. */
function hit (network: Network, fits: (request: Seen) => boolean, fate: Fate, times = 1): void {
  let left = times
  network.fate = request => fits(request) && left-- > 0 ? fate : 'pass'
}

function writeFile (objects: Objects, bytes: number): { readonly file: string, readonly hash: string } {
  const file = objects.scratchFile()
  const content = randomBytes(bytes)
  writeFileSync(file, content)
  return { file, hash: hashOf(content) }
}

function hashOf (content: Uint8Array | undefined): string {
  return createHash('sha256').update(content ?? '').digest('hex')
}

/** The name of a lake file, but for the hash of its bytes. */
function withoutHash (name: string): string {
  return name.replace(/-[0-9a-f]{12}\.parquet$/, '.parquet')
}

async function namesIn (objects: Objects): Promise<string[]> {
  const names: string[] = []
  for await (const { name } of objects.list('')) if (!name.includes('/_manifest/')) names.push(name)
  return names
}

await t.test('an upload', { skip: s3Missing }, async t => {
  const stage = await stageOf(t)
  const { objects, reader, network, uploads } = stage
  let number = 0

  const faults: ReadonlyArray<readonly [string, (request: Seen) => boolean, Fate]> = [
    ['a part is cut', isPart(2), 'cut'],
    ['the answer to a part is lost', isPart(1), 'lost'],
    ['the store asks for fewer requests', isPart(3), 'busy'],
    ['the answer to its begin is lost', isCreate, 'lost'],
    ['the answer to its end is lost', isComplete, 'lost'],
    ['its end is cut', isComplete, 'cut']
  ]
  for (const [what, fits, fate] of faults) {
    await t.test(`lands whole although ${what}, and shows up at its end only`, async t => {
      const { file, hash } = writeFile(objects, 20 * 2 ** 20)
      const name = `whole/${++number}`
      hit(network, fits, fate)
      const ended = new AbortController()
      const put = objects.put(name, file).finally(() => ended.abort())
      const halves: string[] = []
      while (!ended.signal.aborted) {
        const found = await reader.read(name)
        if (found !== undefined && hashOf(found) !== hash) halves.push(`${found.length} bytes`)
      }
      await put
      t.strictSame(halves, [], 'nothing but the whole')
      t.equal(hashOf(await reader.read(name)), hash)
      t.strictSame(readdirSync(objects.scratch), [])
      t.strictSame(await uploads(), [])
    })
  }

  await t.test('under a name that must be free wins once, also when its answer is lost or it met another one', async t => {
    for (const fate of ['lost', 'conflict', 'cut', 'pass'] as const) {
      const name = `manifest/${fate}`
      hit(network, ({ method }) => method === 'PUT', fate)
      t.equal(await objects.putIfAbsent(name, Buffer.from('the first')), true, fate)
      t.equal(await objects.putIfAbsent(name, Buffer.from('the second')), false)
      t.equal(String(Buffer.from(await reader.read(name) ?? '')), 'the first')
    }
    hit(network, ({ method }) => method === 'PUT', 'conflict', Infinity)
    await t.rejects(objects.putIfAbsent('manifest/never', Buffer.from('x')), { code: 'DESTINATION_UNAVAILABLE', message: /409 ConditionalRequestConflict/ })
  })

  await t.test('that fails for good leaves no object, no upload and no file', async t => {
    const { file } = writeFile(objects, 20 * 2 ** 20)
    hit(network, isPart(2), 'cut', Infinity)
    await t.rejects(objects.put('failed', file), { code: 'DESTINATION_UNAVAILABLE', retryable: true, where: 's3://bucket/lake/failed' })
    await objects.discard(file)
    t.equal(await reader.read('failed'), undefined)
    t.strictSame(await uploads(), [])
    t.strictSame(readdirSync(objects.scratch), [])
  })

  await t.test('that was ended from elsewhere says so', async t => {
    const { file } = writeFile(objects, 20 * 2 ** 20)
    const other = await openObjects({ address: 's3://bucket/lake', dataFolder: stage.dataFolder, owner: 'other.', store: { endpoint: stage.server.endpoint, region: null, pathStyle: null, accessKey, secretKey, requestMs: 20_000 } })
    t.teardown(() => other.close())
    network.fate = async (request): Promise<Fate> => {
      if (!isComplete(request)) return 'pass'
      // A note about the same object, as a writer of the same range has one.
      const note = other.scratchFile()
      writeFileSync(`${note}.upload`, readFileSync(`${file}.upload`))
      await other.discard(note)
      return 'pass'
    }
    await t.rejects(objects.put('ended', file), { code: 'DESTINATION_UNAVAILABLE', message: /ended from elsewhere/ })
    await objects.discard(file)
  })

  await t.test('holds two parts in memory, however large the file is', async t => {
    network.fate = () => 'pass'
    const file = objects.scratchFile()
    const piece = randomBytes(2 ** 20)
    for (let i = 0; i < 160; i++) appendFileSync(file, piece)
    let peak = 0
    const timer = setInterval(() => { peak = Math.max(peak, process.memoryUsage().arrayBuffers) }, 2)
    const direct = await openObjects({ address: 's3://bucket/lake', dataFolder: stage.dataFolder, owner: 'direct.', store: { endpoint: stage.server.endpoint, region: null, pathStyle: null, accessKey, secretKey, requestMs: 60_000 } })
    t.teardown(() => direct.close())
    setFlagsFromString('--expose-gc')
    ;(runInNewContext('gc') as () => void)()
    const before = process.memoryUsage().arrayBuffers
    await direct.put('large', file)
    clearInterval(timer)
    t.ok(peak - before < 48 * 2 ** 20, `${((peak - before) / 2 ** 20).toFixed(0)} MiB`)
  })
})

await t.test('a store that is killed in the middle and comes back', { skip: s3Missing }, async t => {
  const { server, network, objects, reader, config, dataFolder, uploads } = await stageOf(t)
  const sink = await openBig(config, dataFolder)
  await sink.write(bigBatch())
  let killed: Promise<void> | undefined
  network.fate = request => {
    if (isPart(2)(request)) killed ??= server.kill()
    return 'pass'
  }
  await t.rejects(sink.flush(range), { code: 'DESTINATION_UNAVAILABLE', retryable: true, message: /cannot be reached/ })
  await killed
  await sink.close()
  t.equal(readdirSync(objects.scratch).length, 1, 'only a note is left, of what to take back')
  await t.rejects(openBig(config, dataFolder), { code: 'DESTINATION_UNAVAILABLE', message: /cannot be reached/ }, 'it cannot be opened while the store is away')

  await server.restart()
  t.strictSame(await namesIn(reader), [], 'nothing is half there')
  t.strictSame((await uploads()).map(withoutHash), [`lake/${objectName}`])
  const again = await openBig(config, dataFolder)
  t.strictSame(await uploads(), [], 'what was left is taken back at the start')
  t.strictSame(readdirSync(objects.scratch), [])
  await again.write(bigBatch())
  await again.flush(range)
  await again.close()
  t.strictSame((await namesIn(reader)).map(withoutHash), [objectName])
})

await t.test('a store that falls silent in the middle holds up neither the flush nor the end for good', { skip: s3Missing }, async t => {
  const { network, objects, reader, config, dataFolder, uploads } = await stageOf(t)
  const sink = await openBig({ ...config, timeout_seconds: 2 }, dataFolder)
  await sink.write(bigBatch())
  let silent = false
  network.fate = request => {
    silent ||= isPart(2)(request)
    return silent ? 'hang' : 'pass'
  }
  await t.rejects(sink.flush(range), { code: 'DESTINATION_UNAVAILABLE', message: /did not answer in time/ })
  await sink.close()
  t.equal(readdirSync(objects.scratch).length, 1, 'a note is left')
  network.fate = () => 'pass'
  const again = await openBig(config, dataFolder)
  await again.close()
  t.strictSame(await uploads(), [])
  t.strictSame(readdirSync(objects.scratch), [])
  t.strictSame(await namesIn(reader), [])
})

await t.test('a writer that is killed in the middle leaves no object, and no upload after the next start', { skip: s3Missing }, async t => {
  const { network, objects, reader, config, dataFolder, uploads } = await stageOf(t)
  let arrived = false
  network.fate = request => {
    if (!isPart(2)(request)) return 'pass'
    arrived = true
    return 'hang'
  }
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../../s3/big-rows.ts'), JSON.stringify(config), dataFolder], { stdio: ['ignore', 'inherit', 'inherit'] })
  const ended = once(child, 'exit')
  await until(() => arrived || child.exitCode !== null, 'the second part is on its way')
  child.kill('SIGKILL')
  await ended
  network.fate = () => 'pass'
  t.strictSame(await namesIn(reader), [])
  t.strictSame((await uploads()).map(withoutHash), [`lake/${objectName}`])
  t.equal(readdirSync(objects.scratch).length, 2, 'the file and its note')

  // Another step's start does not touch it.
  const other = await lake.open(configure(lake, config), fakeContext({ topic, dataFolder, step: 'outputs.other' }))
  await other.close()
  t.equal((await uploads()).length, 1)

  const sink = await openBig(config, dataFolder)
  t.strictSame(await uploads(), [])
  t.strictSame(readdirSync(objects.scratch), [])
  await sink.write(bigBatch())
  await sink.flush(range)
  const [name = ''] = await namesIn(reader)
  const first = hashOf(await reader.read(name))
  // Invariant 3: the same range again makes the same object.
  await sink.write(bigBatch())
  await sink.flush(range)
  await sink.close()
  t.strictSame(await namesIn(reader), [name])
  t.equal(withoutHash(name), objectName)
  t.equal(hashOf(await reader.read(name)), first)
})

await t.test('a store that cannot be used says what is wrong and what to do', { skip: s3Missing }, async t => {
  const { config, dataFolder, server, network } = await stageOf(t)
  const attempt = async (given: Readonly<Record<string, string | number>>): Promise<void> => {
    const context = fakeContext({ topic, dataFolder })
    await lake.probe?.(configure(lake, { ...config, ...given }), context)
  }
  await t.rejects(attempt({ secret_key: 'wrong' }), { code: 'DESTINATION_REFUSED', where: 's3://bucket/lake', message: /secret key does not belong/, remedy: /secret_key/ })
  await t.rejects(attempt({ access_key: 'nobody' }), { code: 'DESTINATION_REFUSED', message: /does not know the access key/ })
  await t.rejects(attempt({ region: 'eu-central-1' }), { code: 'DESTINATION_REFUSED', message: /in another region/, remedy: /`region`/ })
  await t.rejects(attempt({ folder: 's3://no-such-bucket' }), { code: 'DESTINATION_REFUSED', message: /no such bucket/ })
  await t.rejects(attempt({ endpoint: 'http://127.0.0.1:1' }), { code: 'DESTINATION_UNAVAILABLE', message: /cannot be reached/, remedy: /`endpoint`/ })
  network.fate = () => 'hang'
  await t.rejects(attempt({ timeout_seconds: 0.2 }), { code: 'DESTINATION_UNAVAILABLE', message: /did not answer in time/, remedy: /timeout_seconds/ })
  network.fate = () => 'pass'

  // Credentials and region as the usual environment says them.
  const { access_key: _, secret_key: __, ...bare } = config
  const probe = (): Promise<void> => Promise.resolve(lake.probe?.(configure(lake, bare), fakeContext({ topic, dataFolder })))
  const home = join(dataFolder, 'home')
  mkdirSync(home)
  environment(t, { AWS_EC2_METADATA_DISABLED: 'true', AWS_SHARED_CREDENTIALS_FILE: join(home, 'none'), AWS_CONFIG_FILE: join(home, 'none') })
  await t.rejects(probe(), { code: 'DESTINATION_REFUSED', message: /no credentials/, remedy: /access_key/ })
  environment(t, { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey })
  await probe()
  environment(t, { AWS_REGION: 'eu-west-1' })
  await t.rejects(probe(), { code: 'DESTINATION_REFUSED', message: /in another region/ })
  await server.kill()
})

function environment (t: Test, values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) {
    const before = process.env[name]
    process.env[name] = value
    t.teardown(() => {
      if (before === undefined) Reflect.deleteProperty(process.env, name)
      else process.env[name] = before
    })
  }
}
