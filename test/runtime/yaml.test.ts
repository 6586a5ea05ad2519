/* eslint no-template-curly-in-string: "off" -- variables stand in the YAML */
import t from 'tap'
import { PlatformError } from '../../runtime/errors.ts'
import { checkYaml, readYaml } from '../../runtime/yaml.ts'
import fc from '../properties.ts'

/** Lines of the CONFIG_INVALID that `work` throws. */
function linesOf (work: () => unknown): string[] {
  try {
    work()
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'CONFIG_INVALID') return error.message.split('\n')
    throw error
  }
  return []
}

const read = (text: string): string[] => linesOf(() => readYaml('f.yaml', text))

await t.test('values are those of the YAML 1.2 core schema', async t => {
  const table: Array<[string, unknown]> = [
    ['', null],
    ['# nothing\n', null],
    ['a: yes', { a: 'yes' }],
    ['a: on', { a: 'on' }],
    ['a: true', { a: true }],
    ['a: ~', { a: null }],
    ['a:', { a: null }],
    ['a: 010', { a: 10 }],
    ['a: 0x1F', { a: 31 }],
    ['a: 1e3', { a: 1000 }],
    ['a: -0.5', { a: -0.5 }],
    ['a: C193.18', { a: 'C193.18' }],
    ['a: 12:30:45', { a: '12:30:45' }],
    ['a: 2026-01-02T00:00:00Z', { a: '2026-01-02T00:00:00Z' }],
    ['a: "9007199254740993"', { a: '9007199254740993' }],
    ['a: 9007199254740991', { a: 9007199254740991 }],
    ['%YAML 1.1\n---\na: no', { a: 'no' }],
    ['a: !!str 5', { a: '5' }],
    ['31: last\n010: x\nnull: y\ntrue: z\n1.0: w', { 31: 'last', '010': 'x', null: 'y', true: 'z', '1.0': 'w' }],
    ['a: &list [1, 2]\nb: *list', { a: [1, 2], b: [1, 2] }],
    ['a: |\n  one\n  two\nb: >\n  three\n  four', { a: 'one\ntwo\n', b: 'three four\n' }],
    ['a: 1\r\nb: 2\r\n', { a: 1, b: 2 }],
    ['\uFEFFa: 1', { a: 1 }],
    ["a: '" + '['.repeat(200) + "'", { a: '['.repeat(200) }]
  ]
  for (const [text, value] of table) t.same(readYaml('f.yaml', text).value, value, JSON.stringify(text))
})

await t.test('an alias is a copy, so that nothing is shared', async t => {
  const value = readYaml('f.yaml', 'a: &x {n: 1}\nb: *x').value as Record<string, object>
  t.not(value['a'], value['b'])
})

await t.test('what can surprise is refused, with the place', async t => {
  const table: Array<[string, string[]]> = [
    ['a: !foo 1', ['f.yaml:1:4: unknown tag; quote a text that begins with !']],
    ['a: !!binary aGVsbG8=', ['f.yaml:1:4: unknown tag; quote a text that begins with !']],
    ['a: !!js/function x', ['f.yaml:1:4: unknown tag; quote a text that begins with !']],
    ['x:\n  - 9007199254740993', ['f.yaml:2:5 x[0]: an integer beyond 2^53 loses digits; quote it']],
    ['x: -9007199254740993', ['f.yaml:1:4 x: an integer beyond 2^53 loses digits; quote it']],
    ['x: .inf', ['f.yaml:1:4 x: infinity and NaN are not allowed; quote a text']],
    ['x: .nan', ['f.yaml:1:4 x: infinity and NaN are not allowed; quote a text']],
    ['a: &b {x: 1}\nc:\n  <<: *b', ['f.yaml:3:3 c: merge keys (<<) are not supported; write the keys out']],
    ['a:\n  __proto__: {polluted: 1}', ['f.yaml:2:3 a: the key "__proto__" is not allowed']],
    ['a: {constructor: {prototype: 1}}', ['f.yaml:1:5 a: the key "constructor" is not allowed']],
    ['"prototype": 1', ['f.yaml:1:1: the key "prototype" is not allowed']],
    ['a: 1\nb: 2\na: 3\nb: 4', ['f.yaml:3:1 a: stands twice', 'f.yaml:4:1 b: stands twice']],
    ['31: 1\n"31": 2', ['f.yaml:2:1 ["31"]: stands twice']],
    ['? [a]\n: 1', ['f.yaml:1:3: a key must be a text']],
    ['? {a: 1}\n: 1', ['f.yaml:1:3: a key must be a text']],
    [': 1', ['f.yaml:1:1: a key must be a text']],
    ['a: *b', ['f.yaml:1:4 a: no anchor "b" stands before this alias; quote a text that begins with *']],
    ['a: &a [*a]', ['f.yaml:1:8 a[0]: the alias "a" stands inside its own anchor']],
    ['a: 1\n---\nb: 2', ['f.yaml:2:1: a second document begins here; a file holds one']],
    ['a:\n\tb: 1', ['f.yaml:2:1: indented with a tab; use spaces']],
    ['a: b: c', ['f.yaml:1:4: this cannot stand here; quote a text that holds ": "']],
    ['a: [1, 2\nb: 3', ['f.yaml:2:1: wrong indentation, or a bracket that is not closed']],
    ['a: "x', ['f.yaml:1:6: a closing quote, bracket, colon or comma, or a space after one, is missing']],
    ['a: "C:\\data"', ['f.yaml:1:7: unknown escape in a text in double quotes; write \\\\ for a backslash, or use single quotes']],
    ['a: @x', ['f.yaml:1:4: a plain text cannot begin with this character; quote it']],
    ['a: {b: ${X}}', ['f.yaml:1:9: this cannot stand here; inside { } and [ ] a variable needs quotes']]
  ]
  for (const [text, lines] of table) t.strictSame(read(text), lines, JSON.stringify(text))
  t.notOk('polluted' in {}, 'no prototype was touched')
})

await t.test('limits hold, and the parser stays quick at them', async t => {
  const aliases = `a: &a 1\nb: [${'*a, '.repeat(51)}]`
  const bomb = ['a0: &a0 [x, x]', ...Array.from({ length: 24 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`)].join('\n')
  const table: Array<[string, string, RegExp]> = [
    ['size', `a: ${'x'.repeat(2 ** 20)}`, /^f.yaml:1:1: the file is larger than 1 MiB$/],
    ['size in bytes', `a: ${'é'.repeat(2 ** 19)}`, /larger than 1 MiB/],
    ['brackets', '['.repeat(500_000), /nested more than 50 levels deep/],
    ['brackets with text', '[a, '.repeat(200_000), /nested more than 50 levels deep/],
    ['dashes', '- '.repeat(5000), /nested more than 50 levels deep/],
    ['dashes, many', '- '.repeat(500_000), /more than 250000 words and signs/],
    ['indentation', Array.from({ length: 200 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), /nested more than 50 levels deep/],
    ['keys', Array.from({ length: 90_000 }, (_, i) => `k${i}: 1`).join('\n'), /more than 250000 words and signs/],
    ['aliases', aliases, /b\[50\]: more than 50 aliases/],
    ['a bomb of aliases', bomb, /more than 50 aliases/],
    ['values by way of aliases', `a: &a [${'1, '.repeat(3000)}]\nb: [${'*a, '.repeat(40)}]`, /more than 100000 values/]
  ]
  for (const [name, text, line] of table) t.match(read(text)[0], line, name)
  t.equal(read(`a: [${Array(51).join('[')}${Array(51).join(']')}]`).length, 1, '51 levels')
  t.strictSame(read(`a: ${'['.repeat(49)}${']'.repeat(49)}`), [], '50 levels')
  t.strictSame(read(`a: &a 1\nb: [${'*a, '.repeat(50)}]`), [], '50 aliases')
})

await t.test('a place is file, line, column and path', async t => {
  const yaml = readYaml('pipelines/quotes.yaml', `
topic: quotes
outputs:
  - streaming-database: {}
  - lake:
      folder: x
      "a b": [1, {c: 2}]
  - &f { file: { path: out } }
  - *f
`)
  const table: Array<[Array<string | number>, string]> = [
    [[], 'pipelines/quotes.yaml:2:1'],
    [['topic'], 'pipelines/quotes.yaml:2:1 topic'],
    [['outputs', 0], 'pipelines/quotes.yaml:4:5 outputs[0]'],
    [['outputs', 1, 'lake', 'folder'], 'pipelines/quotes.yaml:6:7 outputs[1].lake.folder'],
    [['outputs', 1, 'lake', 'a b', 1, 'c'], 'pipelines/quotes.yaml:7:19 outputs[1].lake["a b"][1].c'],
    [['outputs', 1, 'lake', 'missing'], 'pipelines/quotes.yaml:5:5 outputs[1].lake.missing'],
    [['outputs', 9, 'x'], 'pipelines/quotes.yaml:3:1 outputs[9].x'],
    [['outputs', 3, 'file', 'path'], 'pipelines/quotes.yaml:8:18 outputs[3].file.path']
  ]
  for (const [path, place] of table) t.equal(yaml.where(path), place)
})

await t.test('the source of a value is the text that stands there', async t => {
  const text = '\uFEFFa: "x y"\nb:\n  c: ${N}\nd: |\n  one\n'
  const yaml = readYaml('f.yaml', text)
  for (const [path, source] of [[['a'], '"x y"'], [['b', 'c'], '${'.concat('N}')], [['d'], '|\n  one\n']] as const) {
    const { from, text: found } = yaml.source(path) ?? { from: 0, text: '' }
    t.equal(found, source)
    t.equal(text.slice(from, from + found.length), source)
  }
  t.equal(yaml.source(['b', 'missing']), undefined)
})

await t.test('a schema finds every problem, says it in words, and knows what was meant', async t => {
  const schema = {
    type: 'object',
    additionalProperties: false,
    required: ['host'],
    properties: {
      host: { type: 'string', description: 'Address of the source: host and port.', minLength: 1 },
      mode: { type: 'string', enum: ['live', 'delayed'] },
      port: { type: 'integer', minimum: 1, maximum: 65_535 },
      rate: { type: ['number', 'null'], exclusiveMinimum: 0 },
      token: { type: 'string', enum: ['s3cret-token'], writeOnly: true },
      names: { type: 'array', minItems: 1, uniqueItems: true, items: { type: 'string', pattern: '^[a-z]+$', description: 'Small letters.' } },
      deep: { type: 'object', additionalProperties: { type: 'boolean' } }
    }
  }
  const table: Array<[string, string[]]> = [
    ['host: x', []],
    ['a: 1', ['f.yaml:1:1 host: is missing (address of the source)', 'f.yaml:1:1 a: unknown key; allowed: deep, host, mode, names, port, rate, token']],
    ['hots: x', ['f.yaml:1:1 host: is missing (address of the source)', 'f.yaml:1:1 hots: unknown key; did you mean "host"?']],
    ['host: x\nPort: 1', ['f.yaml:2:1 Port: unknown key; did you mean "port"?']],
    ['host: x\nmode: dellayed', ['f.yaml:2:1 mode: "dellayed" is not allowed; did you mean "delayed"?']],
    ['host: x\nmode: frozen', ['f.yaml:2:1 mode: "frozen" is not allowed; allowed: delayed, live']],
    ['host: x\nmode: [live]', ['f.yaml:2:1 mode: must be a text, not a list', 'f.yaml:2:1 mode: must be one of live, delayed']],
    ['host: 127\nport: 0.5', ['f.yaml:1:1 host: must be a text, not a number', 'f.yaml:2:1 port: must be a whole number, not a number', 'f.yaml:2:1 port: must be at least 1']],
    ['host: ""\nport: 70000', ['f.yaml:1:1 host: must not be empty', 'f.yaml:2:1 port: must be at most 65535']],
    ['host: x\nrate: fast', ['f.yaml:2:1 rate: must be a number, not a text']],
    ['host: x\nrate: 0', ['f.yaml:2:1 rate: must be above 0']],
    ['host:\nrate: ~', ['f.yaml:1:1 host: must be a text, not empty']],
    ['host: x\ntoken: hunter2', ['f.yaml:2:1 token: must be one of s3cret-token']],
    ['host: x\nnames: [a, B, a]', ['f.yaml:2:1 names: items 0 and 2 are the same', 'f.yaml:2:12 names[1]: must match ^[a-z]+$ (Small letters)']],
    ['host: x\nnames: []', ['f.yaml:2:1 names: must not be empty']],
    ['host: x\ndeep: { "a/b": 1, "c~d": no }', ['f.yaml:2:9 deep["a/b"]: must be true or false, not a number', 'f.yaml:2:19 deep["c~d"]: must be true or false, not a text']],
    ['[host]', ['f.yaml:1:1: must be a map of keys, not a list']],
    ['', ['f.yaml:1:1: must be a map of keys, not empty']]
  ]
  for (const [text, lines] of table) t.strictSame(linesOf(() => checkYaml(readYaml('f.yaml', text), schema)), lines, JSON.stringify(text))
})

await t.test('defaults are filled into a copy', async t => {
  const schema = { type: 'object', properties: { a: { type: 'integer', default: 5 }, b: { type: 'object', default: { c: 1 } } } }
  const yaml = readYaml('f.yaml', '{}')
  t.strictSame(checkYaml(yaml, schema), { a: 5, b: { c: 1 } })
  t.strictSame(yaml.value, {})
})

await t.test('a long list of problems is cut, and none is lost as data', async t => {
  const yaml = readYaml('f.yaml', Array.from({ length: 80 }, (_, i) => `k${i}: 1`).join('\n'))
  try {
    checkYaml(yaml, { type: 'object', additionalProperties: false, properties: {} })
    t.fail('it must throw')
  } catch (error) {
    const { message, problems } = error as PlatformError
    t.equal(message.split('\n').length, 51)
    t.match(message, /… and 30 more$/)
    t.equal(problems?.length, 80)
    t.strictSame(problems?.[3], { file: 'f.yaml', line: 4, column: 1, path: 'k3', message: 'unknown key' })
  }
})

await t.test('no text crashes the reader with anything but a PlatformError', async t => {
  const fragment = fc.constantFrom('a', ': ', ':', '- ', '\n', '  ', '\t', '[', ']', '{', '}', ',', '"', "'", '|', '>', '#', '&a', '*a', '!', '!!str', '!x', '? ', '---', '...', '%YAML 1.2', '<<', '~', '1', '0x', '.inf', '9007199254740993', '__proto__', '\\', '\u0000', '\uD800', '\uFEFF', '\r', '@', '`', '${X}')
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.array(fragment, { maxLength: 40 }).map(parts => parts.join('')))
  fc.assert(fc.property(text, text => {
    try {
      const { value, where } = readYaml('f.yaml', text)
      JSON.stringify(value)
      where(['a', 0])
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== 'CONFIG_INVALID') throw error
      const lines = text.split(/\r\n|\r|\n/)
      for (const line of error.message.split('\n')) {
        const [, row, column] = /^f\.yaml:(\d+):(\d+).*: .+/.exec(line) ?? []
        if (row === undefined || Number(row) > lines.length || Number(column) > text.length + 1) throw new Error(`a bad line: ${line}`)
      }
      if (/\n\s+at /.test(error.message)) throw new Error('a stack trace')
    }
  }), { numRuns: Number(process.env['TWOLANE_FUZZ_RUNS'] ?? 2000) })
  t.pass()
})
