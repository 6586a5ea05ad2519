import t from 'tap'
import { Ajv } from 'ajv'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipelineJsonSchema, platformJsonSchema, topicJsonSchema } from '../../runtime/editor-schema.ts'
import { main } from '../../runtime/cli/main.ts'
import { filesOf } from '../../runtime/schema-file.ts'
import { readYaml } from '../../runtime/yaml.ts'
import { capture } from './cli/capture.ts'

const root = join(import.meta.dirname, '../..')
const ajv = new Ajv({ allErrors: true, strict: false })

await t.test('the files in config/ are current: npx twolane schema', async t => {
  const { terminal, lines } = capture(root)
  t.equal(await main(['schema', '--check'], terminal), 0, lines.join('\n'))
})

await t.test('the tables in the READMEs are current: npx twolane docs', async t => {
  const { terminal, lines } = capture(root)
  t.equal(await main(['docs', '--check'], terminal), 0, lines.join('\n'))
})

await t.test('an editor takes what the runtime takes, variables included', async t => {
  const validate = ajv.compile(await pipelineJsonSchema(root))
  const good = [
    'input: { generate: { rate: 5 } }\ntopic: quotes',
    'input: generate\ntopic: quotes\nenabled: false\nlimits: { heap_megabytes: 64 }',
    'input: { generate: { rate: "$' + '{RATE:5}" }, rename: { a: b } }\ntopic: quotes',
    'topic: quotes\ntransforms: [mapping, { mapping: bars }, { mapping: { schema: quotes }, name: x }]\noutputs: [{ lake: {} }, { file: rows.ndjson, name: copy, flush: { rows: 5 } }]',
    'topic: quotes\noutputs:\n  - "@desk/sink": { anything: 1 }\n  - twolane-redis:'
  ]
  for (const text of good) t.ok(validate(readYaml('f', text).value), `${text}\n${ajv.errorsText(validate.errors)}`)
  const bad = ['topic: 5', 'input: { generat: {} }\ntopic: quotes', 'input: { generate: { rat: 5 } }\ntopic: quotes', 'topic: quotes\noutputs: { lake: {} }', 'topic: quotes\noutputs: [{ file: rows.ndjson, nam: copy }]', 'topic: quotes\nx: 1']
  for (const text of bad) t.notOk(validate(readYaml('f', text).value), text)
})

await t.test('an editor takes the files of the project', async t => {
  const schemas = [['schemas', topicJsonSchema()], ['pipelines', await pipelineJsonSchema(root)]] as const
  for (const [folder, schema] of schemas) {
    const validate = ajv.compile(schema)
    for (const file of (await filesOf(join(root, folder))).filter(file => !file.endsWith('.test.yaml'))) {
      const { value } = readYaml(file, await readFile(join(root, folder, file), 'utf8'))
      t.ok(validate(value), `${file}: ${ajv.errorsText(validate.errors)}`)
    }
  }
  const { value } = readYaml('platform.yaml', await readFile(join(root, 'config/platform.yaml'), 'utf8'))
  t.ok(ajv.validate(platformJsonSchema(), value), ajv.errorsText())
})
