/* eslint no-template-curly-in-string: "off" -- variables stand in the YAML */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import { main } from '../../../runtime/cli/main.ts'
import { capture } from './capture.ts'

const contract = pathToFileURL(join(import.meta.dirname, '../../../runtime/plugin.ts')).href
const sink = `import { defineOutput } from '${contract}'
export default defineOutput({ description: 'Keeps rows', shorthand: 'path', guarantee: 'idempotent',
  options: {
    path: { type: 'string', description: 'Where | to write', examples: ['a.txt'] },
    rows: { type: 'integer', description: 'Rows of a file.', default: 5, minimum: 1, maximum: 9 },
    mode: { type: 'string', enum: ['a', 'b'], description: 'How', default: null },
    token: { type: 'string', description: 'Token', default: null, writeOnly: true },
    names: { type: 'array', items: { type: 'string' }, description: 'Names', default: [] }
  },
  async open () { return { async write () {}, async flush () {}, async close () {} } } })`

async function project (t: Test, files: Record<string, string> = {}): Promise<string> {
  const root = t.testdir({})
  const all = {
    'plugins/outputs/sink/index.ts': sink,
    'plugins/outputs/sink/README.md': '# sink\n<!-- options -->\nold\n<!-- /options -->\nend\n',
    'plugins/README.md': '<!-- plugins --><!-- /plugins -->',
    'config/README.md': '<!-- options -->\n<!-- /options -->',
    'schemas/quotes.yaml': 'fields: { symbol: { type: string } }',
    'pipelines/good.yaml': 'topic: quotes\noutputs: [{ sink: a }]',
    ...files
  }
  for (const [file, text] of Object.entries(all)) {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), text)
  }
  return root
}

await t.test('help names the commands that there are, and what is no command is answered with a guess', async t => {
  const { terminal, lines, complaints } = capture(t.testdir({}))
  for (const args of [[], ['help'], ['--help'], ['lint', '--help'], ['test', '-h']]) t.equal(await main(args, terminal), 0)
  t.match(lines.join('\n'), /^ {2}lint +check/m)
  t.match(lines.join('\n'), /^ {2}twolane lint \[files\]$/m)
  t.equal(await main(['lnit'], terminal), 2)
  t.equal(await main(['../../x'], terminal), 2)
  t.equal(await main(['lint', '--all'], terminal), 2)
  t.match(complaints[0], 'There is no command "lnit"; did you mean "lint"?')
  t.match(complaints[1], /^There is no command "\.\.\/\.\.\/x"; allowed: /)
  t.equal(complaints.at(-1), 'Usage: twolane lint [files]')
})

await t.test('lint prints each problem once and says how many there are', async t => {
  const root = await project(t)
  const good = capture(root)
  t.equal(await main(['lint'], good.terminal), 0)
  t.strictSame(good.lines, ['2 files checked, no problems'])

  await writeFile(join(root, 'schemas/bad.yaml'), 'feilds: {}')
  await writeFile(join(root, 'pipelines/bad.yaml'), 'topic: quotes\noutputs:\n  - sink: { path: "${HOME_OF_ROWS}", rows: 0 }')
  await writeFile(join(root, 'pipelines/good.test.yaml'), 'tests: [{ name: x }]')
  await writeFile(join(root, 'config/platform.yaml'), 'port: high')
  const bad = capture(root)
  t.equal(await main(['lint'], bad.terminal), 1)
  t.strictSame(bad.lines, [
    'config/platform.yaml:1:1 port: must be a whole number, not a text',
    'schemas/bad.yaml:1:1 fields: is missing (the fields of a row, in the order of the destination table)',
    'schemas/bad.yaml:1:1 feilds: unknown key; did you mean "fields"?',
    'pipelines/bad.yaml:3:13 outputs[0].sink.path: the variable HOME_OF_ROWS is not set; set it in the environment, or give a default: ${HOME_OF_ROWS:default}',
    'pipelines/good.test.yaml:1:9 tests[0]: has either input or rows_file'
  ])
  t.strictSame(bad.complaints, ['6 files checked, 5 problems'])

  await writeFile(join(root, 'config/alerts.yaml'), 'rules: [{ name: x, to: [nobody] }]')
  const alerts = capture(root)
  t.equal(await main(['lint', 'config/alerts.yaml'], alerts.terminal), 1)
  t.strictSame(alerts.lines, ['config/alerts.yaml:1:25 rules[0].to[0]: there is no destination "nobody"'])

  const one = capture(root, { HOME_OF_ROWS: 'x' }, join(root, 'pipelines'))
  t.equal(await main(['lint', 'bad.yaml', '../schemas/quotes.yaml'], one.terminal), 1)
  t.strictSame(one.lines, ['pipelines/bad.yaml:3:38 outputs[0].sink.rows: must be at least 1'])
  t.equal(await main(['lint', 'good.yaml'], capture(root, {}, join(root, 'pipelines')).terminal), 0)
  t.equal(await main(['lint', 'missing.yaml'], one.terminal), 2)
})

await t.test('docs fills the tables, and --check only tells', async t => {
  const root = await project(t)
  const check = async (): Promise<number> => main(['docs', '--check'], capture(root).terminal)
  t.equal(await check(), 1)
  t.match(await readFile(join(root, 'plugins/outputs/sink/README.md'), 'utf8'), /old/, 'nothing is written')
  t.equal(await main(['docs'], capture(root).terminal), 0)
  t.equal(await check(), 0)
  t.equal(await readFile(join(root, 'plugins/outputs/sink/README.md'), 'utf8'), `# sink
<!-- options -->
| option | type | default | meaning |
|---|---|---|---|
| \`path\` | text | **required** | Where \\| to write. Such as \`a.txt\`. |
| \`rows\` | whole number, 1 to 9 | \`5\` | Rows of a file. |
| \`mode\` | \`a\`, \`b\` |  | How. |
| \`token\` | text |  | Token. Secret: never shown. |
| \`names\` | list of texts | \`[]\` | Names. |

\`sink: x\` is short for \`sink: { path: x }\`.
<!-- /options -->
end
`)
  t.match(await readFile(join(root, 'plugins/README.md'), 'utf8'), '| [sink](outputs/sink/README.md) | Keeps rows | idempotent |')
  t.match(await readFile(join(root, 'config/README.md'), 'utf8'), '| `port` | `TWOLANE_PORT` | `8080` |')
  await writeFile(join(root, 'plugins/outputs/sink/README.md'), 'no marks')
  const { terminal, lines } = capture(root)
  t.equal(await main(['docs'], terminal), 1)
  t.equal(lines[0], 'plugins/outputs/sink/README.md has no <!-- options --> and <!-- /options -->')
})

await t.test('schema writes the schemas, and --check only tells', async t => {
  const root = await project(t)
  t.equal(await main(['schema', '--check'], capture(root).terminal), 1)
  t.equal(await main(['schema'], capture(root).terminal), 0)
  t.equal(await main(['schema', '--check'], capture(root).terminal), 0)
  t.match(JSON.parse(await readFile(join(root, 'config/pipeline.schema.json'), 'utf8')), { title: 'Pipeline', required: ['topic'] })
})

const feed = `import { defineInput } from '${contract}'
export default defineInput({ description: 'A feed', options: { host: { type: 'string', description: 'Host' } }, names: { s: 'symbol' }, async * read () {} })`
const positive = `import { defineTransform, cell } from '${contract}'
export default defineTransform({ description: 'Positive', options: {}, open (_, context) {
  return { map (batch) {
    const kept = []
    for (let i = 0; i < batch.length; i++) {
      const value = batch.columns.last === undefined ? null : cell(batch.columns.last, i)
      if (value < 0) context.reject(i, 'last is negative at ' + new Date(context.clock.now()).toISOString())
      else kept.push(i)
    }
    return batch.select(Int32Array.from(kept))
  } }
} })`
const pipeline = `input:
  feed: { host: '\${HOST}' }
  rename: { "31": last }
topic: quotes
transforms: [positive]
outputs: [{ sink: a }, { sink: b, name: copy }]`

await t.test('tests of a pipeline pass, or say what differs', async t => {
  const root = await project(t, {
    'plugins/inputs/feed/index.ts': feed,
    'plugins/transforms/positive/index.ts': positive,
    'schemas/quotes.yaml': 'fields: { symbol: { type: string }, last: { type: float64 }, venue: { type: string, required: true } }',
    'pipelines/quotes.yaml': pipeline,
    'pipelines/rows.ndjson': '{"s":"MSFT","31":2}\n\n{"s":"NVDA","31":3}\n',
    'pipelines/quotes.test.yaml': `tests:
  - name: names of the source become those of the schema
    now: 2026-01-02T00:00:00Z
    environment: { HOST: x }
    input: [{ s: AAPL, "31": 1, other: 5 }, { s: AAPL, "31": -1 }]
    outputs:
      sink: [{ symbol: AAPL, last: 1, venue: not present in source system, extra: { other: 5 } }]
      copy: [{ symbol: AAPL }]
    rejected: [{ reason: /^last is negative at 2026-01-02T00:00:00.000Z$/, step: transforms.positive, row: { last: -1 } }]
  - name: rows come from a file
    environment: { HOST: x }
    rows_file: rows.ndjson
    outputs: { sink: [{ symbol: MSFT }, { symbol: NVDA }] }
`
  })
  const good = capture(root, { HOST: 'of this machine' })
  t.equal(await main(['test'], good.terminal), 0)
  t.strictSame(good.lines, ['ok    quotes: names of the source become those of the schema', 'ok    quotes: rows come from a file', '2 passed, 0 failed'])

  await writeFile(join(root, 'pipelines/quotes.test.yaml'), `tests:
  - name: differences
    environment: { HOST: x }
    input: [{ s: AAPL, "31": 1 }, { s: MSFT, "31": -1 }, { s: NVDA, "31": 2 }]
    outputs:
      sink: [{ symbol: AAPL, last: 2, bid: 5 }]
      copi: []
    exact: true
    rejected: [{ reason: zero, step: input.feed, row: { last: 0 } }, { reason: more }]
  - name: nothing was to be refused
    environment: { HOST: x }
    input: [{ s: MSFT, "31": -1 }]
    outputs: { sink: [{ symbol: MSFT }] }
  - name: a variable
    input: []
`)
  const bad = capture(root, { HOST: 'of this machine' })
  t.equal(await main(['test', 'quotes'], bad.terminal), 1)
  t.strictSame(bad.lines, [
    'FAIL  quotes: differences',
    '        outputs.sink: 1 row expected, 2 came',
    '        outputs.sink: row 0 last: expected 2, got 1',
    '        outputs.sink: row 0 bid: expected 5, got no such field',
    '        outputs.sink: row 0 venue: nothing expected, got "not present in source system"',
    '        outputs.sink: row 1 was not expected: {"last":2,"symbol":"NVDA","venue":"not present in source system"}',
    '        the pipeline has no output "copi"; did you mean "copy"?',
    '        rejected: 2 rows expected, 1 came',
    '        rejected: row 0 reason: expected zero, got "last is negative at 2026-01-01T00:00:00.000Z"',
    '        rejected: row 0 step: expected input.feed, got transforms.positive',
    '        rejected: row 0 last: expected 0, got -1',
    '        rejected: row 1 is missing: more',
    'FAIL  quotes: nothing was to be refused',
    '        outputs.sink: 1 row expected, 0 came',
    '        outputs.sink: row 0 is missing: {"symbol":"MSFT"}',
    '        rejected: 0 rows expected, 1 came',
    '        rejected: not expected: transforms.positive refused {"last":-1,"symbol":"MSFT","venue":"not present in source system"}: last is negative at 2026-01-01T00:00:00.000Z',
    'FAIL  quotes: a variable',
    '        pipelines/quotes.yaml:2:11 input.feed.host: the variable HOST is not set; set it in the environment, or give a default: ${HOST:default}',
    '        a test sees the variables under its environment: and no others',
    '0 passed, 3 failed'
  ])
  t.equal(await main(['test', 'good'], bad.terminal), 2)
})

await t.test('a file of tests that is wrong is said to be', async t => {
  const root = await project(t, {
    'pipelines/good.test.yaml': `tests:
  - { name: a, now: noon, input: [] }
  - { name: a, input: [], rows_file: x.ndjson, outputs: { sink: {} } }
`
  })
  const bad = capture(root)
  t.equal(await main(['test'], bad.terminal), 1)
  t.strictSame(bad.lines, ['FAIL  pipelines/good.test.yaml', '        pipelines/good.test.yaml:3:59 tests[1].outputs.sink: must be a list, not a map of keys', '0 passed, 1 failed'])
  await writeFile(join(root, 'pipelines/good.test.yaml'), `tests:
  - { name: a, now: noon, input: [], rejected: [{ reason: /(/ }] }
  - { name: a, rows_file: no.ndjson }
  - { name: b }
  - { name: c, rows_file: bad.ndjson }
`)
  await writeFile(join(root, 'pipelines/bad.ndjson'), '{}\n[1]\n')
  await writeFile(join(root, 'pipelines/lost.test.yaml'), 'tests: [{ name: a, input: [] }]')
  const worse = capture(root)
  t.equal(await main(['test'], worse.terminal), 1)
  t.match(worse.lines, [
    'FAIL  pipelines/good.test.yaml',
    '        pipelines/good.test.yaml:2:16 tests[0].now: must be a time such as 2026-01-02T14:30:00Z',
    /2:51 tests\[0\]\.rejected\[0\]\.reason: Invalid regular expression/,
    '        pipelines/good.test.yaml:3:7 tests[1].name: another test is called "a", too',
    /3:16 tests\[1\]\.rows_file: cannot be read: ENOENT/,
    '        pipelines/good.test.yaml:4:5 tests[2]: has either input or rows_file',
    '        pipelines/good.test.yaml:5:16 tests[3].rows_file: line 2: is no object',
    'FAIL  pipelines/lost.test.yaml',
    '        pipelines/lost.test.yaml:1:1: there is no pipeline "lost" for these tests',
    '0 passed, 2 failed'
  ])
})
