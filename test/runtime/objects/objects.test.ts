// What a folder and a store both promise, on both.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openObjects, parseBucket } from '../../../runtime/objects/open.ts'
import { accessKey, s3Missing, S3Server, secretKey } from '../../s3/server.ts'
import type { Test } from 'tap'
import type { ObjectEntry, Objects } from '../../../runtime/objects/objects.ts'
import type { StoreOptions } from '../../../runtime/objects/open.ts'

t.setTimeout(900_000)

const none: StoreOptions = { endpoint: null, region: null, pathStyle: null, accessKey: null, secretKey: null, requestMs: 20_000 }

/** Opens the same place again at each call. */
type Open = (owner?: string) => Promise<Objects>

interface Stage {
  readonly open: Open
  /** Makes many empty objects below `many/`, behind the back of `Objects`. */
  readonly fill: (names: readonly string[]) => void
}

const claims: Record<string, (t: Test, stage: Stage) => Promise<void>> = {
  'a file gets its name, and replaces what stood there': async (t, { open }) => {
    const objects = await opened(open)
    for (const content of ['first', 'second']) {
      const file = objects.scratchFile()
      writeFileSync(file, content)
      await objects.put('quotes/date=2024-01-02/a b+ü.parquet', file)
    }
    t.equal(text(await objects.read('quotes/date=2024-01-02/a b+ü.parquet')), 'second')
    t.strictSame(await all(objects, ''), [{ name: 'quotes/date=2024-01-02/a b+ü.parquet', bytes: 6 }])
    t.strictSame(readdirSync(objects.scratch), [], 'nothing is left aside')
    objects.close()
  },

  'a part of an object is read, also at and beyond its end': async (t, { open }) => {
    const objects = await opened(open)
    await objects.putIfAbsent('a', Buffer.from('0123456789'))
    t.equal(text(await objects.read('a', { from: 2, to: 5 })), '234')
    t.equal(text(await objects.read('a', { from: 8, to: 99 })), '89')
    t.equal(text(await objects.read('a', { from: 10, to: 12 })), '')
    t.equal(text(await objects.read('a', { from: 3, to: 3 })), '')
    t.equal(await objects.read('b'), undefined)
    t.equal(await objects.read('b', { from: 0, to: 1 }), undefined)
    objects.close()
  },

  'of two that take a name, exactly one wins, a hundred times': async (t, { open }) => {
    const racers = await Promise.all([opened(open, 'one.'), opened(open, 'two.')])
    for (let i = 0; i < 100; i++) {
      const name = `_manifest/${String(i).padStart(12, '0')}.json`
      const won = await Promise.all(racers.map((objects, racer) => objects.putIfAbsent(name, Buffer.from(`racer ${racer}`))))
      const winner = won.indexOf(true)
      if (won.filter(Boolean).length !== 1) t.fail(`${won.filter(Boolean).length} winners`)
      if (text(await racers[0]?.read(name)) !== `racer ${winner}`) t.fail('another content than the winner\'s')
    }
    for (const objects of racers) {
      t.strictSame(readdirSync(objects.scratch), [])
      objects.close()
    }
  },

  'names are listed by prefix, in order, page by page': async (t, { open, fill }) => {
    const objects = await opened(open)
    const many = Array.from({ length: 2_345 }, (_, i) => `many/${String(i).padStart(5, '0')}`)
    fill(many)
    for (const name of ['m', 'many-b', 'many.c/x', 'x/y']) await objects.putIfAbsent(name, Buffer.from(name))
    const names = async (prefix: string): Promise<string[]> => (await all(objects, prefix)).map(({ name }) => name)
    t.strictSame(await names('many/'), many)
    t.strictSame(await names('many/0000'), many.slice(0, 10))
    t.strictSame(await names('many'), ['many-b', 'many.c/x', ...many])
    t.strictSame(await names(''), ['m', 'many-b', 'many.c/x', ...many, 'x/y'])
    t.strictSame(await names('nothing/here'), [])
    objects.close()
  },

  'what is deleted is gone, and deleting nothing is harmless': async (t, { open }) => {
    const objects = await opened(open)
    await objects.putIfAbsent('a', Buffer.from('1'))
    await objects.delete('a')
    await objects.delete('a')
    t.equal(await objects.read('a'), undefined)
    t.ok(await objects.putIfAbsent('a', Buffer.from('2')))
    objects.close()
  },

  'a file that is given up leaves nothing': async (t, { open }) => {
    const objects = await opened(open)
    const file = objects.scratchFile()
    writeFileSync(file, 'x')
    await objects.discard(file)
    await objects.discard(file)
    t.strictSame(readdirSync(objects.scratch), [])
    t.strictSame(await all(objects, ''), [])
    objects.close()
  }
}

await t.test('in a folder', async t => {
  for (const [claim, check] of Object.entries(claims)) {
    await t.test(claim, async t => {
      const dataFolder = t.testdir()
      await check(t, {
        open: (owner = 'test.') => openObjects({ address: 'lake', dataFolder, owner, store: none }),
        fill: names => fill(join(dataFolder, 'lake'), names)
      })
    })
  }
})

await t.test('in a store', { skip: s3Missing }, async t => {
  const dataFolder = t.testdir()
  const buckets = Object.keys(claims).map((_, i) => `bucket-${i}`)
  const server = await S3Server.start(join(dataFolder, 's3'), ...buckets)
  t.teardown(() => server.kill())
  for (const [i, [claim, check]] of Object.entries(claims).entries()) {
    await t.test(claim, t => check(t, {
      open: (owner = 'test.') => openObjects({
        address: `s3://bucket-${i}/deep/prefix`, dataFolder, owner, store: { ...none, endpoint: server.endpoint, accessKey, secretKey }
      }),
      fill: names => fill(join(server.bucketFolder(`bucket-${i}`), 'deep/prefix'), names)
    }))
  }
})

await t.test('an address that names no place is refused with what to write', async t => {
  const dataFolder = t.testdir()
  const open = (address: string, store: Partial<StoreOptions> = {}): Promise<Objects> => openObjects({ address, dataFolder, owner: '', store: { ...none, ...store } })
  const refused: ReadonlyArray<readonly [string, Partial<StoreOptions>, RegExp]> = [
    ['s3://', {}, /does not name a bucket/],
    ['s3:bucket', {}, /does not name a bucket/],
    ['s3://Bucket/x', {}, /does not name a bucket/],
    ['S3://bucket', {}, /does not name a bucket/],
    ['s3://key:secret@bucket/x', {}, /does not name a bucket/],
    ['s3://bucket/a/../b', {}, /"\.\."/],
    ['gs://bucket', {}, /neither a folder nor/],
    ['https://host/bucket', {}, /neither a folder nor/],
    ['lake', { endpoint: 'https://host' }, /is local/],
    ['lake', { pathStyle: false }, /is local/],
    ['s3://bucket', { endpoint: 'host:9000' }, /not an http/],
    ['s3://bucket', { secretKey: 'x' }, /without an access key/],
    ['s3://bucket', { accessKey: 'x' }, /without a secret key/]
  ]
  for (const [address, store, message] of refused) await t.rejects(open(address, store), { code: 'CONFIG_INVALID', message }, address)
  t.strictSame(parseBucket('s3://bucket'), { bucket: 'bucket', prefix: '' })
  t.strictSame(parseBucket('s3://my.bucket-1//a//b/'), { bucket: 'my.bucket-1', prefix: 'a/b/' })
})

async function opened (open: Open, owner?: string): Promise<Objects> {
  const objects = await open(owner)
  await objects.check()
  return objects
}

async function all (objects: Objects, prefix: string): Promise<Array<Omit<ObjectEntry, 'modifiedAt'>>> {
  const found: Array<Omit<ObjectEntry, 'modifiedAt'>> = []
  for await (const { name, bytes, modifiedAt } of objects.list(prefix)) {
    // Within what two clocks may differ by.
    if (Math.abs(modifiedAt - Date.now()) > 3_600_000) throw new Error(`${name} was written at ${modifiedAt}`)
    found.push({ name, bytes })
  }
  return found
}

function text (content: Uint8Array | undefined): string {
  return content === undefined ? 'nothing' : Buffer.from(content).toString()
}

function fill (folder: string, names: readonly string[]): void {
  for (const name of names) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), '')
  }
}
