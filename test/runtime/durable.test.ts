import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeFolder, moveFile, storageError, writeDurably } from '../../runtime/durable.ts'
import { PlatformError } from '../../runtime/errors.ts'

await t.test('a state file is replaced as a whole', async t => {
  const folder = t.testdir()
  const path = join(folder, 'state.json')
  await writeDurably(path, 'old')
  await writeDurably(path, Buffer.from('new'))
  t.equal(readFileSync(path, 'utf8'), 'new')
  t.strictSame(readdirSync(folder), ['state.json'])

  mkdirSync(`${path}.tmp`)
  await t.rejects(writeDurably(path, 'never'), { code: 'EISDIR' })
  t.equal(readFileSync(path, 'utf8'), 'new')
})

await t.test('folders are made with those above them, and making them again is nothing', async t => {
  const path = join(t.testdir(), 'a', 'b', 'c')
  await makeFolder(path)
  await makeFolder(path)
  await makeFolder(join(path, 'd'))
  t.ok(statSync(join(path, 'd')).isDirectory())
})

await t.test('a file that is moved replaces the one at its place', async t => {
  const folder = t.testdir({ a: 'new', b: 'old' })
  await moveFile(join(folder, 'a'), join(folder, 'b'))
  t.equal(readFileSync(join(folder, 'b'), 'utf8'), 'new')
})

await t.test('a failed file operation says what to do', async t => {
  const { code, remedy } = storageError(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' }), '/lake')
  t.equal(code, 'DISK_FULL')
  t.match(remedy, /Free disk space/)
  writeFileSync(join(t.testdir(), 'file'), '')
  const failed = await makeFolder(join(t.testdirName, 'file', 'below')).catch((error: unknown) => storageError(error, '/lake'))
  t.match(failed, { code: 'DESTINATION_UNAVAILABLE', retryable: true, remedy: /another path/ })
  t.equal(storageError(new TypeError('a slip'), '/lake').code, 'PLUGIN_FAILED', 'a programming error is no storage error')
  const own = new PlatformError('CONFIG_INVALID', 'x')
  t.equal(storageError(own, '/lake'), own)
})
