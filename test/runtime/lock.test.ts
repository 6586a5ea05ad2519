import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { lockFolder } from '../../runtime/lock.ts'
import { Store } from '../../runtime/store.ts'
import { until } from '../conform/context.ts'
import type { ChildProcess } from 'node:child_process'

const lockModule = join(import.meta.dirname, '../../runtime/lock.ts')
const program = `
const { lockFolder } = await import(process.argv[1])
try {
  lockFolder(process.argv[2])
  console.log('locked')
  setInterval(() => {}, 1000)
} catch (error) {
  console.log(error.code, error.message)
}`

/** A process that locks the folder and keeps it, and what it says. */
function lockElsewhere (folder: string): { readonly process: ChildProcess, said (): string } {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, lockModule, folder], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } })
  let said = ''
  child.stdout.on('data', (text: Buffer) => { said += String(text) })
  return { process: child, said: () => said }
}

await t.test('what it makes is nobody else\'s: rows, and hashes of passwords', t => {
  const base = t.testdir()
  const folder = join(base, 'new', 'data')
  lockFolder(folder).release()
  const modeOf = (path: string): number => statSync(path).mode & 0o777
  t.equal(modeOf(folder), 0o700)
  chmodSync(folder, 0o755)
  writeFileSync(join(folder, 'control.db'), '', { mode: 0o644 })
  const store = new Store(folder)
  t.strictSame(readdirSync(folder).filter(name => name.startsWith('control.db')).map(name => modeOf(join(folder, name))), [0o600, 0o600, 0o600])
  store.close()
  t.end()
})

await t.test('a second process gets DATA_FOLDER_IN_USE at once, naming the owner', async t => {
  const folder = t.testdir()
  const lock = lockFolder(folder)
  const other = lockElsewhere(folder)
  await once(other.process, 'close')
  t.equal(other.said().trim(), `DATA_FOLDER_IN_USE Another process (${process.pid}) works with the data folder`)
  lock.release()
})

await t.test('one process cannot lock a folder twice, and can again once it is released', async t => {
  const folder = join(t.testdir(), 'made', 'on the way')
  const lock = lockFolder(folder)
  t.throws(() => lockFolder(folder), { code: 'DATA_FOLDER_IN_USE', where: folder, remedy: /TWOLANE_DATA/ })
  lock.release()
  lockFolder(folder).release()
})

await t.test('a process that is killed frees the folder', async t => {
  const folder = t.testdir()
  const other = lockElsewhere(folder)
  await until(() => other.said() !== '', 'it is locked')
  t.equal(other.said().trim(), 'locked')
  t.throws(() => lockFolder(folder), { code: 'DATA_FOLDER_IN_USE', message: new RegExp(`\\(${other.process.pid}\\)`) })
  const ended = once(other.process, 'close')
  other.process.kill('SIGKILL')
  await ended
  lockFolder(folder).release()
})

await t.test('a folder that cannot be made is said so at once', async t => {
  // /proc takes no folders, whoever asks.
  t.throws(() => lockFolder('/proc/twolane/data'), { code: 'CONFIG_INVALID', message: /cannot be used/, remedy: /TWOLANE_DATA/ })
})

await t.test('a damaged control.db is named, with what to do', async t => {
  const folder = t.testdir({ 'control.db': 'no database at all, but long enough to be looked at'.repeat(100) })
  t.throws(() => new Store(folder), { code: 'CONFIG_INVALID', where: join(folder, 'control.db'), remedy: /npx twolane restore/ })
})
