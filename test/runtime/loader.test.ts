import t from 'tap'
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Test } from 'tap'
import type { PlatformError } from '../../runtime/errors.ts'
import { checkConfig, listPlugins, loadPlugin } from '../../runtime/loader.ts'
import type { PluginKind } from '../../runtime/loader.ts'
import { readYaml } from '../../runtime/yaml.ts'

const contract = pathToFileURL(join(import.meta.dirname, '../../runtime/plugin.ts')).href
const output = (more = ''): string => `import { defineOutput } from '${contract}'
export default defineOutput({ description: 'A test', options: {}, guarantee: 'at least once', async open () { return { async write () {}, async flush () {}, async close () {} } } ${more} })`

async function project (t: Test, files: Record<string, string>): Promise<string> {
  const root = t.testdir({ 'package.json': '{"type":"module"}' })
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), text)
  }
  return root
}

async function errorOf (work: Promise<unknown>): Promise<PlatformError> {
  return work.then(() => { throw new Error('it must throw') }, (error: PlatformError) => error)
}

await t.test('a plugin is a folder with index.ts or index.js', async t => {
  const root = await project(t, { 'plugins/outputs/one/index.ts': output(), 'plugins/outputs/two/index.js': output(), 'plugins/outputs/none/README.md': '' })
  for (const name of ['one', 'two']) {
    const { plugin, kind, file, hash } = await loadPlugin(root, 'output', name)
    t.match({ name: plugin.description, kind, hash }, { name: 'A test', kind: 'output', hash: /^[0-9a-f]{16}$/ })
    t.match(file, new RegExp(`plugins/outputs/${name}/index\\.[tj]s$`))
  }
  t.equal((await errorOf(loadPlugin(root, 'output', 'none'))).code, 'NOT_FOUND')
})

await t.test('a plugin may be an npm package, scoped or not', async t => {
  const root = await project(t, {
    'node_modules/twolane-redis/package.json': '{"name":"twolane-redis","version":"1.0.0","type":"module","main":"lib/main.js"}',
    'node_modules/twolane-redis/lib/main.js': output(),
    'node_modules/@desk/sink/package.json': '{"name":"@desk/sink","version":"1.0.0","type":"module","exports":{".":{"types":"./x.d.ts","import":"./sink.js"}}}',
    'node_modules/@desk/sink/sink.js': output(),
    'node_modules/plain/package.json': '{"name":"plain","type":"module"}',
    'node_modules/plain/index.js': output(),
    'node_modules/escapes/package.json': '{"name":"escapes","main":"../plain/index.js"}',
    'node_modules/empty/package.json': '{"name":"empty","exports":{"./sub":"./x.js"}}'
  })
  for (const name of ['twolane-redis', '@desk/sink', 'plain']) t.equal((await loadPlugin(root, 'output', name)).plugin.description, 'A test', name)
  t.match((await errorOf(loadPlugin(root, 'output', 'escapes'))), { code: 'PLUGIN_INVALID', message: 'the package "escapes" has no file "../plain/index.js"' })
  t.match((await errorOf(loadPlugin(root, 'output', 'empty'))), { code: 'PLUGIN_INVALID', message: 'the package "empty" has no file "index.js"' })

  const before = (await loadPlugin(root, 'output', 'twolane-redis')).hash
  const manifest = join(root, 'node_modules/twolane-redis/package.json')
  await writeFile(manifest, (await readFile(manifest, 'utf8')).replace('1.0.0', '1.0.1'))
  t.not((await loadPlugin(root, 'output', 'twolane-redis')).hash, before, 'another version is another hash')
})

await t.test('the hash covers all source files, and a changed plugin is loaded anew', async t => {
  const root = await project(t, {
    'plugins/outputs/one/index.ts': output().replace("'A test'", 'text').replace('\n', "\nimport { text } from './text.ts'\n"),
    'plugins/outputs/one/text.ts': "export const text = 'first'",
    'plugins/outputs/one/README.md': 'x'
  })
  const first = await loadPlugin(root, 'output', 'one')
  await writeFile(join(root, 'plugins/outputs/one/README.md'), 'changed')
  t.equal((await loadPlugin(root, 'output', 'one')).hash, first.hash, 'a README is no code')
  await writeFile(join(root, 'plugins/outputs/one/text.ts'), "export const text = 'second'")
  const second = await loadPlugin(root, 'output', 'one')
  t.not(second.hash, first.hash)
  t.strictSame([first.plugin.description, second.plugin.description], ['first', 'second'], 'modules beside index.ts are new, too')
})

await t.test('the hash covers files behind symbolic links, as a mounted ConfigMap has them (Benthos: TestReaderFileWatchingSymlinkReplace)', async t => {
  const root = await project(t, { 'plugins/outputs/one/..v1/index.ts': output(), 'plugins/outputs/one/..v2/index.ts': output().replace('A test', 'Another one') })
  const folder = join(root, 'plugins/outputs/one')
  await symlink('..v1', join(folder, '..data'))
  await symlink('..data/index.ts', join(folder, 'index.ts'))
  await symlink('nowhere.ts', join(folder, 'gone.ts'))
  const first = await loadPlugin(root, 'output', 'one')
  await symlink('..v2', join(folder, '..next'))
  await rename(join(folder, '..next'), join(folder, '..data'))
  t.not((await loadPlugin(root, 'output', 'one')).hash, first.hash)
})

await t.test('a name is a name, not a path', async t => {
  const root = await project(t, { 'plugins/outputs/one/index.ts': output(), 'secret/index.js': output() })
  const names = ['../../secret', '..', '.', './one', 'one/..', '/etc/passwd', 'one/../../../secret', 'a//b', 'One', '', 'one\0', 'one\n', '%2e%2e/secret', '..%5csecret', 'file:///etc', '-one', '@', '@/x', '@a/..', 'a'.repeat(300), 'ｏne', '__proto__']
  for (const name of names) {
    const { code } = await errorOf(loadPlugin(root, 'output', name))
    t.ok(code === 'PLUGIN_INVALID' || code === 'NOT_FOUND', JSON.stringify(name))
  }
})

await t.test('an unknown name is answered with what was probably meant', async t => {
  const root = await project(t, { 'plugins/outputs/streaming-database/index.ts': output(), 'plugins/outputs/lake/index.ts': output(), 'plugins/inputs/generate/index.ts': '' })
  const table: Array<[PluginKind, string, string]> = [
    ['output', 'streaming-databse', 'there is no output "streaming-databse"; did you mean "streaming-database"?'],
    ['output', 'kafka-thing', 'there is no output "kafka-thing"; allowed: lake, streaming-database'],
    ['output', 'generate', '"generate" is an input, not an output'],
    ['transform', 'lake', '"lake" is an output, not a transform'],
    ['transform', 'mapping', 'there is no transform "mapping"'],
    ['output', '@desk/missing', 'there is no output "@desk/missing"; allowed: lake, streaming-database']
  ]
  for (const [kind, name, message] of table) t.match(await errorOf(loadPlugin(root, kind, name)), { code: 'NOT_FOUND', message }, name)
})

await t.test('a plugin of the wrong shape is refused with all that is wrong', async t => {
  const table: Array<[string, string | RegExp]> = [
    ['export const x = 1', 'has no default export that is an object'],
    ['export default 5', 'has no default export that is an object'],
    ["export default { kind: 'input' }", 'is of the kind "input", but stands where an output does'],
    ['export default {}', 'is of no kind, but stands where an output does'],
    ["export default { kind: 'output' }", 'has no description; has no function open(); guarantee must be one of "exactly once", "idempotent", "at least once"; has no options; write {} for none'],
    [output(", probe: 'x'"), 'probe is no function'],
    [output(", target: 'x'"), 'target is no function'],
    [output(", guarantee: 'once'"), /^guarantee must be one of/],
    [output(", shorthand: 'pth', options: { path: { type: 'string', description: 'x' } }"), 'shorthand "pth" is no option; did you mean "path"?'],
    [output(", options: { A: { type: 'string', description: 'x' } }"), 'options.A: a name has small letters, digits and _'],
    [output(", options: { a: { type: 'text' }, b: 5 }"), 'options.a.type must be one of string, number, integer, boolean, array, object; options.a.description is missing; options.b: must be an object with type and description'],
    [output(", options: { a: { type: 'integer', description: 'x', default: 'y' } }"), 'options.a.default must be integer'],
    [output(", options: { a: { type: 'integer', description: 'x', default: null } }").replace('null', 'null, minimum: 3'), ''],
    [output(", options: { a: { type: 'string', description: 'x', pattern: '(' } }"), /^options\.a: Invalid regular expression/],
    ["import './missing.ts'", /^cannot be imported: Cannot find module/],
    ['throw new Error("boom")', /^cannot be imported: boom/],
    ['export default {', /^cannot be imported: .*(?:Unexpected|Expected)/],
    ['enum A { B }\nexport default A', /^cannot be imported: .*enum/]
  ]
  for (const [i, [text, message]] of table.entries()) {
    const root = await project(t, { [`plugins/outputs/p${i}/index.ts`]: text })
    const found = await loadPlugin(root, 'output', `p${i}`).then(() => undefined, (error: PlatformError) => error)
    if (message === '') t.equal(found, undefined, text)
    else {
      t.match(found, { code: 'PLUGIN_INVALID', message }, text)
      t.equal(found?.where, `plugins/outputs/p${i}/index.ts`)
      t.notMatch(found?.message, /\n/, 'one line')
    }
  }
})

await t.test('the list shows broken plugins, too', async t => {
  const root = await project(t, { 'plugins/outputs/b/index.ts': output(), 'plugins/outputs/a/index.ts': 'export default 1', 'plugins/outputs/c/notes.txt': '' })
  t.match(await listPlugins(root), [
    { kind: 'output', name: 'a', description: '', problem: /^plugins\/outputs\/a\/index.ts: has no default export/ },
    { kind: 'output', name: 'b', description: 'A test', options: {}, guarantee: 'at least once', problem: undefined }
  ])
  t.strictSame(await listPlugins(t.testdir({})), [])
})

await t.test('every plugin of the project can be loaded', async t => {
  const plugins = await listPlugins(join(import.meta.dirname, '../..'))
  t.ok(plugins.length > 0)
  for (const { kind, name, problem } of plugins) t.equal(problem, undefined, `${kind} ${name}`)
})

await t.test('a configuration gets its defaults, its shorthand written out, and its mistakes told', async t => {
  const plugin = {
    shorthand: 'path',
    options: {
      path: { type: 'string', description: 'Where to write: a file.' },
      rows: { type: 'integer', description: 'Rows', default: 5 },
      rate: { type: 'number', description: 'Rate', default: null, minimum: 1 },
      mode: { type: 'string', description: 'Mode', enum: ['a', 'b'], default: null },
      names: { type: 'array', items: { type: 'string' }, description: 'Names', default: [] }
    }
  } as const
  const config = (text: string): unknown => {
    const yaml = readYaml('f.yaml', `file:\n${text}`)
    return checkConfig(plugin, (yaml.value as { file: never }).file, yaml, ['file'])
  }
  const lines = (text: string): string[] => {
    try {
      config(text)
    } catch (error) {
      return (error as Error).message.split('\n')
    }
    return []
  }
  const defaults = { path: 'x', rows: 5, rate: null, mode: null, names: [] }
  t.strictSame(config('  x'), defaults)
  t.strictSame(config('  path: x'), defaults)
  t.strictSame(config('  { path: x, mode: ~, rate: 2, names: [a] }'), { ...defaults, rate: 2, names: ['a'] })
  t.strictSame(lines('  5'), ['f.yaml:1:1 file: must be a text, not a number'])
  t.strictSame(lines('  [x]'), ['f.yaml:1:1 file: must be a text, not a list'])
  t.strictSame(lines(''), ['f.yaml:1:1 file.path: is missing (where to write)'])
  t.strictSame(lines('  pth: x\n  rate: 0\n  mode: c\n  names: [1]'), [
    'f.yaml:1:1 file.path: is missing (where to write)',
    'f.yaml:2:3 file.pth: unknown key; did you mean "path"?',
    'f.yaml:3:3 file.rate: must be at least 1',
    'f.yaml:4:3 file.mode: "c" is not allowed; allowed: a, b',
    'f.yaml:5:11 file.names[0]: must be a text, not a number'
  ])
})
