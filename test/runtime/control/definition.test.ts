/* eslint no-template-curly-in-string: "off" -- variables stand in the YAML */
import t from 'tap'
import { checkDefinition, mergeYaml, restoreSecrets } from '../../../runtime/control/definition.ts'

const old = `# what it is for
input:
  feed:
    # the source
    url: 'https://host' # quoted
    token: "s3cret\\tx"
    list: [a, b] # two
topic: trades
outputs:
  # first
  - file: { path: out }
  - sink:
      password: |
        two
        lines
`

await t.test('comments, quotes and order stay with what has not changed', async t => {
  const definition = { topic: 'trades', input: { feed: { url: 'https://host', token: 's3cret\tx', list: ['a', 'c'] } }, outputs: [{ file: { path: 'new' } }, { sink: { password: 'two\nlines\n' } }] }
  t.equal(mergeYaml(old, definition), old.replace('[a, b]', '[ a, c ]').replace('path: out', 'path: new'))
  t.equal(mergeYaml('topic: a   # odd  spaces', { topic: 'a' }), 'topic: a   # odd  spaces', 'what says the same is not touched at all')
  t.equal(mergeYaml(old, { topic: 'trades' }), 'topic: trades\n', 'a comment goes with what it stands above')
  t.match(mergeYaml(`topic: a\ndescription: ${'long '.repeat(50)}`, { topic: 'b', description: 'long '.repeat(50).trim() }), `description: ${'long '.repeat(50).trim()}\n`, 'lines are not folded')
  t.match(mergeYaml(old, { ...definition, limits: { heap_megabytes: 64 } }), /\nlimits:\n {2}heap_megabytes: 64\n/)
  t.match(mergeYaml(old, { ...definition, outputs: [{ file: { path: 'a' } }] }), /# what it is for/)
  t.equal(mergeYaml(undefined, { topic: 'x' }), 'topic: x\n')
  t.equal(mergeYaml('topic: [', { topic: 'x' }), 'topic: x\n', 'a text that is broken is replaced')
  t.equal(mergeYaml('- a', { topic: 'x' }), 'topic: x\n')
})

await t.test('a secret that comes back as *** is the one that stands there', async t => {
  const shown = old.replace('"s3cret\\tx"', "'***'").replace('|\n        two\n        lines\n', "'***'\n").replace('path: out', 'path: new')
  const restored = restoreSecrets('pipelines/x.yaml', old, shown)
  t.match(restored, /token: "s3cret\\tx"\n/)
  t.match(restored, /password: "two\\nlines\\n"\n/)
  t.match(restored, /path: new/)
  const where = (text: string, before?: string): string => {
    try {
      return restoreSecrets('pipelines/x.yaml', before, text)
    } catch (error) {
      return (error as Error).message
    }
  }
  t.match(where('topic: a\ninput: { feed: { token: "***" } }'), /^pipelines\/x\.yaml:2:\d+ input\.feed\.token: \*\*\* stands for a secret, and the file has none/)
  t.match(where(shown.replace('feed:', 'other:'), old), /input\.other\.token/, 'another step gets none of it')
  t.match(where('outputs:\n  - sink: { password: "***" }', old), /sink: \{ password: "two\\nlines\\n" \}/, 'a step is told by its name, wherever it stands in the list')
  t.match(where('outputs:\n  - sink: { password: "***" }\n    name: other', old), /outputs\[0\]\.sink\.password/)
  t.equal(where('topic: [***'), 'topic: [***', 'what cannot be read is refused elsewhere')
  t.equal(where('topic: x # ***'), 'topic: x # ***')
  t.equal(where('description: a *** b'), 'description: a *** b')
  t.equal(restoreSecrets('f', 'a: { b: "${X}-y" }', "a: { b: '***' }"), 'a: { b: "${X}-y" }')
})

await t.test('what would not survive the way into a file is refused', async t => {
  const nested = (depth: number): unknown => depth === 0 ? 1 : { a: nested(depth - 1) }
  checkDefinition(nested(49))
  for (const value of [nested(50), [], null, 'x', 1, undefined, { a: 2 ** 53 }, { a: [-(2 ** 60)] }]) t.throws(() => checkDefinition(value), { code: 'CONFIG_INVALID' })
  checkDefinition({ a: 1.5, b: 2 ** 53 - 1, c: [null, true] })
})
