import t from 'tap'
import { readFiles } from '../../runtime/files.ts'
import { makeProject } from '../system/project.ts'
import { numbered, schema } from './shop.ts'

const plugin = "export default { kind: 'output', description: 'A test', guarantee: 'at least once', options: {}, async open () { return { async write () {}, async flush () {}, async close () {} } } }\n"

const bad: Readonly<Record<string, { readonly code: string, readonly says: RegExp }>> = {
  throws: { code: "throw new Error('boom')\n", says: /cannot be imported: boom/ },
  exits: { code: 'process.exit(3)\n', says: /cannot be imported: it calls process\.exit\(3\)/ },
  ends: { code: 'process.reallyExit(3)\n', says: /cannot be imported: it ends its thread with code 3 when it is imported/ },
  waits: { code: 'await new Promise(() => {})\n', says: /cannot be imported: it (never ends|takes more than 5 s) when it is imported/ },
  spins: { code: 'for (let i = 0; ; i++) i %= 7\n', says: /cannot be imported: it takes more than 5 s when it is imported/ },
  syntax: { code: 'const = 3\n', says: /cannot be imported: .*index\.ts:1/ },
  missing: { code: "import './nowhere.ts'\n", says: /cannot be imported: .*nowhere\.ts/ }
}

await t.test('a plugin that fails, ends or blocks its thread when it is imported is a problem of its pipelines only', async t => {
  const files: Record<string, string> = { 'schemas/calm.yaml': schema, 'pipelines/calm.yaml': numbered('calm') }
  for (const [name, { code }] of Object.entries(bad)) {
    files[`plugins/outputs/${name}/index.ts`] = code + plugin
    files[`pipelines/${name}.yaml`] = `topic: calm\noutputs: [{ ${name}: {} }]\n`
  }
  const { pipelines, problems } = await readFiles(makeProject(t.testdir(), files).folder, 5000)
  t.strictSame([...pipelines.keys()], ['calm'])
  for (const [name, { says }] of Object.entries(bad)) t.match(problems.find(({ file }) => file === `pipelines/${name}.yaml`)?.message, says, name)
})

await t.test('what a plugin throws later does not disturb the reading', async t => {
  const files = {
    'schemas/calm.yaml': schema,
    'plugins/outputs/later/index.ts': `setTimeout(() => { throw new Error('later') }, 0)\nsetImmediate(() => process.exit(1))\nvoid Promise.reject(new Error('rejected'))\n${plugin}`,
    'pipelines/later.yaml': 'topic: calm\noutputs: [{ later: {} }]\n',
    'pipelines/calm.yaml': numbered('calm')
  }
  const { pipelines, problems } = await readFiles(makeProject(t.testdir(), files).folder)
  t.strictSame([...pipelines.keys()].sort(), ['calm', 'later'])
  t.strictSame(problems, [])
})
