import { execFile } from 'node:child_process'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { main } from '../../../runtime/cli/main.ts'
import { listPlugins } from '../../../runtime/loader.ts'
import { capture } from './capture.ts'

const project = join(import.meta.dirname, '../../..')

await t.test('a new plugin can be used at once, and its test passes', async t => {
  const root = t.testdir({
    'package.json': '{"type":"module"}',
    runtime: t.fixture('symlink', join(project, 'runtime')),
    test: { conform: t.fixture('symlink', join(project, 'test/conform')) }
  })
  const { terminal } = capture(root)
  const kinds = ['input', 'transform', 'output']
  for (const kind of kinds) {
    t.equal(await main(['new', kind, 'my-own'], terminal), 0)
    t.match(await readFile(join(root, `plugins/${kind}s/my-own/README.md`), 'utf8'), /^# my-own\n/)
  }
  // A test that fails ends with another code than 0, and that rejects.
  await Promise.all(kinds.map(async kind => {
    const { stdout } = await promisify(execFile)(process.execPath, [join(root, `test/plugins/${kind}s/my-own.test.ts`)], { maxBuffer: 2 ** 24, timeout: 100_000 })
    t.match(stdout, /\n1\.\.\d+\n/, kind)
  }))
  t.match(await listPlugins(root), kinds.map(kind => ({ kind, name: 'my-own', problem: undefined })))
  t.equal(await main(['new', 'input', 'my-own'], terminal), 1, 'nothing is written over')
})

await t.test('wrong arguments are refused and nothing is written', async t => {
  const root = t.testdir({})
  for (const args of [[], ['inptu', 'x'], ['input'], ['input', '../x'], ['input', 'X'], ['input', 'a/b'], ['input', '-x'], ['input', 'a', 'b'], ['output', 'flush'], ['input', 'rename'], ['input', 'a'.repeat(65)]]) {
    const { terminal, complaints } = capture(root)
    t.equal(await main(['new', ...args], terminal), 2, args.join(' '))
    t.match(complaints.at(-1), args[1] === '-x' ? /Usage/ : /^Usage: twolane new input\|transform\|output <name>$/)
  }
  await t.rejects(access(join(root, 'plugins')))
})
