/* eslint no-template-curly-in-string: "off" -- variables stand in the YAML */
import t from 'tap'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { stringify } from 'yaml'
import fc from '../properties.ts'
import type { Test } from 'tap'
import { PlatformError } from '../../runtime/errors.ts'
import { readPipeline, readPipelines, redact } from '../../runtime/pipeline.ts'
import type { Pipeline } from '../../runtime/pipeline.ts'
import { readSchemas, readTopic } from '../../runtime/schema-file.ts'

const contract = pathToFileURL(join(import.meta.dirname, '../../runtime/plugin.ts')).href
const feed = `import { defineInput } from '${contract}'
export default defineInput({ description: 'A feed', shorthand: 'host',
  options: {
    host: { type: 'string', description: 'Where the source is' },
    port: { type: 'integer', description: 'Port', default: 4001 },
    password: { type: 'string', description: 'Password', default: null, writeOnly: true },
    headers: { type: 'object', description: 'Headers', default: {}, additionalProperties: { type: 'string' } }
  },
  async * read () {} })`
const mapping = `import { defineTransform } from '${contract}'
export default defineTransform({ description: 'Maps', shorthand: 'schema', options: { schema: { type: 'string', description: 'Schema', default: null } }, open: () => ({ map: batch => batch }) })`
const sink = `import { defineOutput } from '${contract}'
export default defineOutput({ description: 'A sink', options: { path: { type: 'string', description: 'File' }, keys: { type: 'array', description: 'Keys', default: null, writeOnly: true } }, guarantee: 'idempotent', flush: { ms: 5000 },
  async open () { return { async write () {}, async flush () {}, async close () {} } } })`

async function write (root: string, files: Record<string, string>): Promise<void> {
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), text)
  }
}

async function project (t: Test, files: Record<string, string> = {}): Promise<string> {
  const root = t.testdir({})
  await write(root, {
    'package.json': '{"type":"module"}',
    'plugins/inputs/feed/index.ts': feed,
    'plugins/transforms/mapping/index.ts': mapping,
    'plugins/outputs/sink/index.ts': sink,
    'plugins/outputs/broken/index.ts': 'export default 1',
    'schemas/quotes.yaml': 'fields: { symbol: { type: string }, last: { type: float64 } }',
    'schemas/bars.yaml': 'fields: { open: { type: float64 } }',
    ...files
  })
  return root
}

const env = { HOST: 'gateway.internal', TOKEN: 'canary-8f3a', PORT: '7777', TOPIC: 'canary-topic' }

async function read (root: string, text: string, file = 'pipelines/quotes.yaml'): Promise<Pipeline> {
  return readPipeline({ root, file, text, env, schemas: await readSchemas(join(root, 'schemas')) })
}

async function linesOf (root: string, text: string, file?: string): Promise<string[]> {
  return read(root, text, file).then(() => [], (error: unknown) => {
    if (error instanceof PlatformError && error.code === 'CONFIG_INVALID') return error.message.split('\n')
    throw error
  })
}

await t.test('a pipeline file becomes plain data with everything filled in', async t => {
  const root = await project(t)
  const text = `# yaml-language-server: $schema=../config/pipeline.schema.json
description: Quotes of the desk
input:
  feed: { host: '\${HOST}', port: '\${PORT}' }
  rename: { "31": last }
topic: quotes
transforms:
  - mapping: quotes
  - { mapping: { schema: bars }, name: again }
outputs:
  - sink: { path: a }
  - sink: { path: b }
    name: copy
    flush: { rows: 50, megabytes: 1 }
limits: { heap_megabytes: 512 }
`
  const pipeline = await read(root, text)
  t.match(pipeline, {
    id: 'quotes',
    file: 'pipelines/quotes.yaml',
    text,
    description: 'Quotes of the desk',
    enabled: true,
    topic: 'quotes',
    input: { name: 'input.feed', plugin: 'feed', config: { host: 'gateway.internal', port: 7777, password: null, headers: {} }, rename: { 31: 'last' } },
    transforms: [{ name: 'transforms.mapping', plugin: 'mapping', config: { schema: 'quotes' } }, { name: 'transforms.again', config: { schema: 'bars' } }],
    outputs: [
      { name: 'outputs.sink', plugin: 'sink', config: { path: 'a', keys: null }, flush: { rows: 100_000, ms: 5000, bytes: 64 * 2 ** 20 } },
      { name: 'outputs.copy', config: { path: 'b' }, flush: { rows: 50, ms: 5000, bytes: 2 ** 20 } }
    ],
    heapMegabytes: 512,
    revision: /^[0-9a-f]{16}$/
  })
  t.strictSame(structuredClone(pipeline), pipeline)
})

await t.test('the short forms mean the same as the long ones', async t => {
  const root = await project(t)
  const long = await read(root, 'input: { feed: { host: x } }\ntopic: quotes\ntransforms: [{ mapping: {} }]\noutputs: [{ sink: { path: a } }]')
  const short = await read(root, 'input: { feed: x }\ntopic: quotes\ntransforms: [mapping]\noutputs:\n  - sink:\n      path: a')
  t.equal(short.revision, long.revision)
})

await t.test('an input alone and outputs alone are pipelines', async t => {
  const root = await project(t)
  t.match(await read(root, 'input: { feed: x }\ntopic: quotes\nenabled: false'), { outputs: [], enabled: false, heapMegabytes: 256 })
  t.equal((await read(root, 'topic: quotes\noutputs: [{ sink: { path: a } }]')).input, undefined)
})

await t.test('every mistake in a pipeline has its line', async t => {
  const root = await project(t)
  const at = 'pipelines/quotes.yaml:'
  const table: Array<[string, string[]]> = [
    ['', ['1:1: must be a map of keys, not empty']],
    ['topic: quotes', ['1:1: has neither an input nor outputs: there is nothing to do']],
    ['topic: quotes\noutputs: []', ['1:1: has neither an input nor outputs: there is nothing to do']],
    ['input: { feed: x }', ['1:1 topic: is missing (where the rows are kept)']],
    ['input: { feed: x }\ntopics: quotes', ['1:1 topic: is missing (where the rows are kept)', '2:1 topics: unknown key; did you mean "topic"?']],
    ['input: { feed: x }\ntopic: quots', ['2:1 topic: there is no schema "quots", or it has problems of its own; did you mean "quotes"?']],
    ['input: { feed: x }\ntopic: quotes\ntransforms: [mapping]', ['3:1 transforms: there are no outputs that would get the transformed rows']],
    ['input: { fed: x }\ntopic: quotes', ['1:10 input.fed: there is no input "fed"; did you mean "feed"?']],
    ['input: { sink: x }\ntopic: quotes', ['1:10 input.sink: "sink" is an output, not an input']],
    ['input: { feed: { hst: x, prt: 1 } }\ntopic: quotes', [
      '1:10 input.feed.host: is missing (where the source is)',
      '1:18 input.feed.hst: unknown key; did you mean "host"?',
      '1:26 input.feed.prt: unknown key; did you mean "port"?'
    ]],
    ['input:\n  feed: x\n  renme: { a: last }\ntopic: quotes', ['3:3 input.renme: unknown key; did you mean "rename"?']],
    ['input:\n  feed:\n  host: x\ntopic: quotes', [
      '2:3 input.feed.host: is missing (where the source is)',
      '3:3 input.host: unknown key; beside "feed" only rename may stand; is it an option that is not indented, or an item without its dash?'
    ]],
    ['input:\n  feed: x\n  rename: { "31": lst, b: symbol, c: open }\ntopic: quotes', ['3:13 input.rename["31"]: the schema of quotes has no field "lst"; did you mean "last"?']],
    ['input:\n  feed: x\n  rename: [last]\ntopic: quotes', ['3:3 input.rename: must be a map of keys, not a list']],
    ['input: {}\ntopic: quotes', ['1:1 input: names no input; its name is the key that holds its options']],
    ['input: [feed]\ntopic: quotes', ['1:1 input: must be a map of keys or a text, not a list']],
    ['topic: quotes\noutputs: { sink: { path: a } }', ['2:1 outputs: must be a list, not a map of keys']],
    ['topic: quotes\noutputs:\n  - sink: { path: a }\n  - sink: { path: b }', ['4:5 outputs[1].name: "sink" is already the name of outputs[0]; give one of them another with the key name']],
    ['topic: quotes\noutputs:\n  - sink: { path: a }\n    name: Copy', ['4:5 outputs[0].name: must match ^[a-z0-9][a-z0-9_-]{0,63}$ (The step\'s name; the plugin\'s where it is left out. Unique in its list)']],
    ['topic: quotes\noutputs:\n  - sink: { pth: a }\n    flush: { rows: 0, secs: 1, ms: fast }', [
      '3:5 outputs[0].sink.path: is missing (file)',
      '3:13 outputs[0].sink.pth: unknown key; did you mean "path"?',
      '4:14 outputs[0].flush.rows: must be at least 1',
      '4:23 outputs[0].flush.secs: unknown key; allowed: megabytes, ms, rows',
      '4:32 outputs[0].flush.ms: must be a whole number, not a text'
    ]],
    ['topic: quotes\noutputs:\n  - sink: { path: a }\n  - ../../etc\n  - broken: {}', [
      '4:5 outputs[1]: the plugin "../../etc" cannot be used: "../../etc" is no name of a plugin: small letters, digits and @ / . _ - are allowed',
      '5:5 outputs[2].broken: the plugin "broken" cannot be used: plugins/outputs/broken/index.ts: has no default export that is an object. A plugin is the default export of its module: export default defineOutput({ … }).'
    ]],
    ['topic: quotes\ntransforms: [{ mapping: qotes }]\noutputs: [{ sink: { path: a } }]', ['2:16 transforms[0].mapping: there is no schema "qotes", or it has problems of its own; did you mean "quotes"?']],
    ['topic: quotes\ntransforms: [{ mapping: { schema: nope } }]\noutputs: [{ sink: { path: a } }]', ['2:27 transforms[0].mapping.schema: there is no schema "nope", or it has problems of its own; allowed: bars, quotes']],
    ['topic: quotes\nlimits: { heap_megabytes: 8 }\noutputs: [{ sink: { path: a } }]', ['2:11 limits.heap_megabytes: must be at least 32']],
    ['topic: quotes\nenabled: yes\noutputs: [{ sink: { path: a } }]', ['2:1 enabled: must be true or false, not a text']],
    ['topic: quotes\noutputs: [{ sink: { path: "${NOPE}" } }]', ['2:21 outputs[0].sink.path: the variable NOPE is not set; set it in the environment, or give a default: ${NOPE:default}']]
  ]
  for (const [text, lines] of table) t.strictSame(await linesOf(root, text), lines.map(line => at + line), text)
})

await t.test('the name of the file is the id, and checked', async t => {
  const root = await project(t)
  const text = 'input: { feed: x }\ntopic: quotes'
  for (const id of ['a', '9', 'a-b_c', 'a'.repeat(64)]) t.equal((await read(root, text, `pipelines/${id}.yaml`)).id, id)
  for (const id of ['A', '-a', 'a.b', 'a b', '_a', 'é', 'a'.repeat(65)]) {
    t.match((await linesOf(root, text, `pipelines/${id}.yaml`))[0], /:1:1: a pipeline's id \(the file's name\) has small letters/, id)
  }
})

await t.test('no secret is in an error or in the public form', async t => {
  const root = await project(t)
  const canary = /canary|gateway\.internal|hunter2|p1p2p3|7777/
  const faults = [
    'input: { feed: x }\ntopic: ${TOPIC}',
    'input: ${TOKEN}\ntopic: quotes',
    'topic: quotes\noutputs: ["${TOKEN}"]',
    'input: { feed: { host: [ "${TOKEN}" ], port: "${TOKEN}" } }\ntopic: quotes',
    'input: { feed: { host: x, password: [hunter2] } }\ntopic: quotes',
    'input:\n  feed: x\n  rename: { a: "${TOKEN}" }\ntopic: quotes',
    'topic: quotes\ntransforms: [{ mapping: "${TOKEN}" }]\noutputs: [{ sink: { path: a } }]',
    'topic: quotes\noutputs: [{ sink: { path: a }, name: "${TOKEN} x" }]',
    'topic: quotes\nenabled: ${TOKEN}\nlimits: ${TOKEN}\ndescription: [ "${TOKEN}" ]',
    'input: { feed: { host: x, password: "hunter2 ${NOPE}" } }\ntopic: quotes'
  ]
  for (const text of faults) {
    const lines = await linesOf(root, text)
    t.ok(lines.length > 0, text)
    t.notMatch(lines.join('\n'), canary, text)
  }

  const text = `input:
  feed:
    host: \${HOST}
    port: \${PORT}
    password: &p 'hunter2'
    headers: { authorization: 'Bearer \${TOKEN}', accept: json }
topic: quotes
outputs:
  - sink: { path: a, keys: [p1p2p3, [x]] }
  - sink:
      path: b
      keys:
        - p1p2p3
    name: copy
  - sink: { path: "b\${NOPE:!}" }
    name: third
`
  const pipeline = await read(root, text)
  t.strictSame(pipeline.secrets.toSorted(), ['7777', 'canary-8f3a', 'gateway.internal', 'hunter2', 'p1p2p3'])
  const shown = redact(pipeline)
  t.notMatch(JSON.stringify(shown), canary)
  t.strictSame(shown.input?.config, { host: '***', port: '***', password: '***', headers: { authorization: '***', accept: 'json' } })
  t.strictSame(shown.outputs.map(({ config }) => config), [{ path: 'a', keys: '***' }, { path: 'b', keys: '***' }, { path: 'b!', keys: null }])
  t.equal(shown.text, text.replace("&p 'hunter2'", "&p '***'").replace('[p1p2p3, [x]]', "'***'").replace('- p1p2p3\n', "'***'\n"))
  t.equal(pipeline.input?.config['password'], 'hunter2', 'the pipeline itself is untouched')
})

await t.test('the revision follows what a pipeline does', async t => {
  const root = await project(t)
  const text = 'input: { feed: "${HOST}" }\ntopic: quotes\ntransforms: [{ mapping: quotes }]\noutputs: [{ sink: { path: a } }]'
  const revision = async (text: string, file?: string): Promise<string> => (await read(root, text, file)).revision
  const first = await revision(text)
  t.equal(await revision(`# comment\n${text}\n`), first)
  for (const [from, to] of [['path: a', 'path: b'], ['mapping: quotes', 'mapping: bars'], ['topic: quotes', 'topic: bars']] as const) t.not(await revision(text.replace(from, to)), first, to)
  await write(root, { 'schemas/quotes.yaml': 'fields: { symbol: { type: string }, last: { type: float32 } }' })
  const second = await revision(text)
  t.not(second, first, 'a schema changed')
  await write(root, { 'plugins/outputs/sink/index.ts': `${sink}\n// changed` })
  t.not(await revision(text), second, "a plugin's code changed")
})

await t.test('whether runs read their interval is the word of the input for its configuration', async t => {
  const root = await project(t, { 'plugins/inputs/dated/index.ts': feed.replace("description: 'A feed',", "description: 'Days', interval: ({ host }) => host.includes('{from}'),") })
  const inputOf = async (input: string): Promise<Pipeline['input']> => (await read(root, `input: ${input}\ntopic: quotes`)).input
  t.equal((await inputOf('{ dated: "x/{from}" }'))?.readsInterval, true)
  t.equal((await inputOf('{ dated: x }'))?.readsInterval, undefined)
  t.equal((await inputOf('{ feed: "x/{from}" }'))?.readsInterval, undefined, 'nobody says so')
  await write(root, { 'plugins/inputs/odd/index.ts': feed.replace("description: 'A feed',", "description: 'Odd', interval: true,") })
  t.match(await linesOf(root, 'input: { odd: x }\ntopic: quotes'), [/interval is no function/])
})

await t.test('one bad file never hides the others', async t => {
  const good = 'topic: quotes\noutputs: [{ sink: { path: a } }]'
  const root = await project(t, {
    'schemas/broken.yaml': 'fields: 5',
    'pipelines/good.yaml': good,
    'pipelines/bad.yaml': 'topic: [',
    'pipelines/uses-broken.yaml': good.replace('quotes', 'broken'),
    'pipelines/UPPER.yaml': good,
    'pipelines/other.yml': good,
    'pipelines/good.test.yaml': 'tests: nonsense',
    'pipelines/.hidden.yaml': '[',
    'pipelines/README.md': ''
  })
  await mkdir(join(root, 'pipelines/folder.yaml'))
  const { pipelines, schemas, problems } = await readPipelines(root, {})
  t.strictSame([...pipelines.keys()], ['good'])
  t.strictSame([...schemas.keys()], ['bars', 'quotes'])
  t.strictSame(problems.map(({ file }) => file), ['schemas/broken.yaml', 'pipelines/UPPER.yaml', 'pipelines/bad.yaml', 'pipelines/folder.yaml', 'pipelines/other.yml', 'pipelines/uses-broken.yaml'])
  for (const { file, error } of problems) t.match(error, { code: 'CONFIG_INVALID', message: file })
  t.strictSame(await readPipelines(t.testdir({}), {}), { pipelines: new Map(), schemas: new Map(), problems: [] })
})

await t.test('two outputs that fill one destination are a problem of the second one', async t => {
  const outputs = join(import.meta.dirname, '../../plugins/outputs')
  const real = Object.fromEntries(['file', 'lake', 'streaming-database'].map(name => [`plugins/outputs/${name}/index.ts`, `export { default } from '${pathToFileURL(join(outputs, name, 'index.ts')).href}'`]))
  const root = await project(t, {
    ...real,
    'config/platform.yaml': 'data_folder: state\n',
    'pipelines/a.yaml': 'topic: quotes\noutputs:\n  - streaming-database: {}\n  - lake: {}\n  - file: out.ndjson\n  - sink: { path: a }\n',
    'pipelines/b-other-topic.yaml': 'topic: bars\noutputs:\n  - streaming-database: { table: quotes }\n  - lake: {}\n  - file: bars.ndjson\n  - sink: { path: a }\n',
    'pipelines/c-other-place.yaml': 'topic: quotes\noutputs:\n  - streaming-database: { database: other }\n  - streaming-database: { table: copy }\n    name: copy\n  - streaming-database: { url: "http://u:hunter2@127.0.0.1:1" }\n    name: far\n  - lake: lake2\n',
    'pipelines/d-off.yaml': 'topic: quotes\nenabled: false\noutputs: [lake: {}]\n',
    'pipelines/e.yaml': 'topic: quotes\noutputs:\n  - streaming-database: { schema: quotes, table: quotes }\n  - lake: ./lake/\n  - file: ${HERE}/state/out.ndjson\n  - lake: lake3\n    name: more\n',
    'pipelines/f.yaml': 'topic: quotes\noutputs:\n  - lake: lake3\n  - lake: lake3\n    name: twice\n',
    'pipelines/g.yaml': 'topic: quotes\noutputs:\n  - streaming-database: { url: "http://u:hunter2@127.0.0.1:1" }\n'
  })
  const { pipelines, problems } = await readPipelines(root, { HERE: root })
  t.strictSame([...pipelines.keys()], ['a', 'b-other-topic', 'c-other-place', 'd-off'])
  const says = (other: string): string => `writes to the same destination as ${other}: every row would be there twice`
  t.strictSame(problems.map(({ error }) => [error.code, error.message.split('\n')]), [
    ['CONFIG_INVALID', [
      `pipelines/e.yaml:3:5 outputs[0].streaming-database: ${says('outputs.streaming-database of pipelines/a.yaml')}`,
      `pipelines/e.yaml:4:5 outputs[1].lake: ${says('outputs.lake of pipelines/a.yaml')}`,
      `pipelines/e.yaml:5:5 outputs[2].file: ${says('outputs.file of pipelines/a.yaml')}`
    ]],
    ['CONFIG_INVALID', [`pipelines/f.yaml:4:5 outputs[1].lake: ${says('outputs.lake of pipelines/f.yaml')}`]],
    ['CONFIG_INVALID', [`pipelines/g.yaml:3:5 outputs[0].streaming-database: ${says('outputs.far of pipelines/c-other-place.yaml')}`]]
  ])
})

await t.test('a topic goes one way into the views over warehouse and streaming database', async t => {
  const outputs = join(import.meta.dirname, '../../plugins/outputs')
  const real = Object.fromEntries(['warehouse', 'streaming-database'].map(name => [`plugins/outputs/${name}/index.ts`, `export { default } from '${pathToFileURL(join(outputs, name, 'index.ts')).href}'`]))
  const root = await project(t, {
    ...real,
    'pipelines/a.yaml': 'topic: quotes\noutputs:\n  - streaming-database: {}\n',
    'pipelines/b.yaml': 'topic: quotes\noutputs:\n  - warehouse: {}\n',
    'pipelines/c-other-table.yaml': 'topic: quotes\noutputs:\n  - warehouse: { table: history }\n',
    'pipelines/d-other-topic.yaml': 'topic: bars\noutputs:\n  - warehouse: { table: quotes }\n'
  })
  const { pipelines, problems } = await readPipelines(root, {})
  t.strictSame([...pipelines.keys()], ['a', 'c-other-table', 'd-other-topic'])
  t.match(problems.map(({ error }) => error.message), ['pipelines/b.yaml:3:5 outputs[0].warehouse: stores the rows under the same name as outputs.streaming-database of pipelines/a.yaml, so the view'])
})

await t.test('no file, however odd, ends in anything but a CONFIG_INVALID', async t => {
  const root = await project(t)
  const schemas = await readSchemas(join(root, 'schemas'))
  const word = fc.constantFrom('topic', 'input', 'outputs', 'transforms', 'name', 'flush', 'rename', 'limits', 'feed', 'sink', 'mapping', 'quotes', 'path', 'schema', 'rows', 'host', 'heap_megabytes', 'fields', 'type', 'key', 'event_time', 'cast', 'suffixes', 'aliases', 'toString', 'hasOwnProperty', '', '${HOST}', '$')
  const value = fc.letrec<{ value: unknown, map: unknown, list: unknown }>(tie => ({
    value: fc.oneof({ depthSize: 'small', maxDepth: 5 }, word, fc.constantFrom(null, true, 0, -1, 5, 1e300), tie('map'), tie('list')),
    map: fc.dictionary(word, tie('value'), { maxKeys: 4 }),
    list: fc.array(tie('value'), { maxLength: 3 })
  })).value
  const start = fc.record({ topic: fc.constantFrom('quotes', 'none'), input: value, transforms: value, outputs: value, fields: value, rest: value }, { requiredKeys: [] })
  await fc.assert(fc.asyncProperty(fc.oneof(value, start), async value => {
    const text = stringify(value)
    for (const work of [() => readPipeline({ root, file: 'pipelines/a.yaml', text, env, schemas }), async () => readTopic('schemas/a.yaml', text)]) {
      await work().catch((error: unknown) => {
        if (!(error instanceof PlatformError) || error.code !== 'CONFIG_INVALID' || error.problems === undefined) throw error
      })
    }
  }), { numRuns: 500 })
  t.pass()
})
