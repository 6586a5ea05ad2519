/* eslint no-template-curly-in-string: "off" -- variables are what this is about */
import t from 'tap'
import { checkYaml } from '../../runtime/check.ts'
import fc from '../properties.ts'
import type { PlatformError } from '../../runtime/errors.ts'
import { coreScalar, interpolate } from '../../runtime/interpolate.ts'
import { readYaml } from '../../runtime/yaml.ts'

const env = { HOST: '10.0.0.7', PORT: '4001', TOKEN: 'canary-secret', EMPTY: '', DIGITS: '00420', BIG: '9007199254740993', YAML: '{a: [1]}\n- b: "x', SHORT: 'abc' }
const valueOf = (text: string): unknown => interpolate(readYaml('f.yaml', text), env).value

await t.test('variables are replaced in scalar values', async t => {
  const table: Array<[string, unknown]> = [
    ['a: ${HOST}', { a: '10.0.0.7' }],
    ['a: ${PORT}', { a: 4001 }],
    ["a: '${PORT}'", { a: '4001' }],
    ['a: "${PORT}"', { a: '4001' }],
    ['a: ${NONE:5000}', { a: 5000 }],
    ['a: ${NONE:true}', { a: true }],
    ['a: ${NONE:}', { a: '' }],
    ['a: ${EMPTY:x}', { a: '' }],
    ['a: ${NONE:http://localhost:8123/?a=b:c}', { a: 'http://localhost:8123/?a=b:c' }],
    ['a: tcp://${HOST}:${PORT}/x', { a: 'tcp://10.0.0.7:4001/x' }],
    ['a: ${PORT}${PORT}', { a: '40014001' }],
    ['a: $${HOST}', { a: '${HOST}' }],
    ['a: x$${HOST}y${PORT}', { a: 'x${HOST}y4001' }],
    ['a: $HOST $', { a: '$HOST $' }],
    ['a: [1, "${PORT}", {b: "${HOST}"}]', { a: [1, '4001', { b: '10.0.0.7' }] }],
    ['a: |\n  host ${HOST}\n  port ${PORT}\n', { a: 'host 10.0.0.7\nport 4001\n' }],
    ['a: ${BIG}', { a: '9007199254740993' }],
    ['a: ${DIGITS}', { a: 420 }],
    ['"${HOST}": ${HOST}', { '${HOST}': '10.0.0.7' }]
  ]
  for (const [text, value] of table) t.strictSame(valueOf(text), value, text)
})

await t.test('variables inside longer texts, with odd defaults and odd names (Benthos: TestEnvSwapping)', async t => {
  const env = { EMPTY: '', FOO: 'testfoo', BAR: 'test\nbar', B64: 'Zm9vYmFy' }
  const read = (text: string): unknown => (interpolate(readYaml('f.yaml', `a: ${JSON.stringify(text)}`), env).value as { a: unknown }).a
  const table: Array<[string, string]> = [
    ['foo ${NONE:} baz', 'foo  baz'], ['${NONE:}', ''], ['${EMPTY:}', ''], ['${FOO:}', 'testfoo'], ['foo ${FOO:bar} baz', 'foo testfoo baz'], ['foo ${FOO} baz', 'foo testfoo baz'],
    ['foo ${NONE:http://bar.com?wat=nuh#wat} baz', 'foo http://bar.com?wat=nuh#wat baz'], ['foo ${NONE:tcp://*:2020} baz', 'foo tcp://*:2020 baz'],
    ['foo ${NONE:wat@nuh.com} http://bar.com baz', 'foo wat@nuh.com http://bar.com baz'], ['foo ${NONE:foo,bar} baz', 'foo foo,bar baz'], ['foo ${NONE::} baz', 'foo : baz'],
    ['foo $${FOO:bar} baz', 'foo ${FOO:bar} baz'], ['foo $${FOO} baz', 'foo ${FOO} baz'],
    // A variable that is set and empty is empty, and one of two lines has two lines: nothing has to be escaped after the parse.
    ['foo ${EMPTY:bar} baz', 'foo  baz'], ['foo ${EMPTY} http://bar.com baz', 'foo  http://bar.com baz'], ['foo ${BAR} baz', 'foo test\nbar baz'],
    // There are no functions on variables: a bar belongs to the default.
    ['${NONE:foo|base64decode}', 'foo|base64decode']
  ]
  for (const [text, value] of table) t.equal(read(text), value, text)
  const refused: Array<[string, RegExp]> = [
    ['foo ${} baz', /letters, digits and _ .*write \$\$\{/], ['foo ${{FOO:bar}} baz', /write \$\$\{/], ['${FOO.BAR:x}', /letters, digits and _/], ['${B64|base64decode}', /letters, digits and _/],
    ['foo ${NOPE} baz', /NOPE is not set/], ['foo ${NOPE_A} baz ${NOPE_B} buz', /NOPE_A is not set[^]*NOPE_B is not set/],
    // Silently left as text it would be somebody's password.
    ['${NONE:${FOO}}', /the default of NONE holds another variable/], ['${FOO:${NONE}-x}', /the default of FOO holds another variable/]
  ]
  for (const [text, says] of refused) t.throws(() => read(text), { code: 'CONFIG_INVALID', message: says }, text)
})

await t.test('a variable never adds structure', async t => {
  t.strictSame(valueOf('a: ${YAML}'), { a: env.YAML })
})

await t.test('what the schema asks for decides how a variable is read', async t => {
  const schema = {
    type: 'object',
    properties: { text: { type: 'string' }, port: { type: 'integer' }, list: { type: 'array', items: { type: 'integer' } }, flag: { type: 'boolean' } }
  }
  const check = (text: string): unknown => checkYaml(interpolate(readYaml('f.yaml', text), env), schema)
  t.strictSame(check('text: ${DIGITS}\nport: "${PORT}"'), { text: '00420', port: 4001 })
  t.strictSame(check("{ list: ['${PORT}', 2], flag: '${NONE:true}' }"), { list: [4001, 2], flag: true })
  t.throws(() => check('port: ${TOKEN}'), { message: 'f.yaml:1:1 port: must be a whole number, not a text' })
  t.throws(() => check('port: "5"'), { message: 'f.yaml:1:1 port: must be a whole number, not a text' }, 'a literal stays what it is')
})

await t.test('what is wrong with a variable is said with the place', async t => {
  const text = 'a: ${NONE}\nb:\n  - x${NOT_SET}y\nc: ${\nd: ${1X}\ne: ${A-B:c}\nf: ${toString}'
  try {
    valueOf(text)
    t.fail('it must throw')
  } catch (error) {
    t.strictSame((error as PlatformError).message.split('\n'), [
      'f.yaml:1:1 a: the variable NONE is not set; set it in the environment, or give a default: ${NONE:default}',
      'f.yaml:3:5 b[0]: the variable NOT_SET is not set; set it in the environment, or give a default: ${NOT_SET:default}',
      'f.yaml:4:1 c: a variable is not closed with }; write $${ for the text ${',
      'f.yaml:5:1 d: a variable has letters, digits and _ in its name, and a default stands after a colon; write $${ for the text ${',
      'f.yaml:6:1 e: a variable has letters, digits and _ in its name, and a default stands after a colon; write $${ for the text ${',
      'f.yaml:7:1 f: the variable toString is not set; set it in the environment, or give a default: ${toString:default}'
    ])
  }
})

await t.test('what came from the environment is a secret, what stands in the file is not', async t => {
  const { secrets, secretPaths } = interpolate(readYaml('f.yaml', 'a: ${TOKEN}\nb: x ${HOST} ${TOKEN}\nc: ${NONE:default}\nd: ${SHORT}\ne: plain'), env)
  t.strictSame(secrets.toSorted(), ['10.0.0.7', 'canary-secret'])
  t.strictSame([...secretPaths].sort(), ['a', 'b', 'd'])
})

await t.test('scalars read as YAML reads them', async t => {
  const text = fc.oneof(fc.string(), fc.constantFrom('~', 'null', 'NULL', 'True', 'FALSE', 'yes', '.5', '5.', '1e5', '-1.5E-3', '0o17', '0xfF', '+7', '-0', '.inf', '1_000'), fc.double({ noNaN: true, noDefaultInfinity: true }).map(String), fc.maxSafeInteger().map(String))
  fc.assert(fc.property(text, text => {
    // Only what stands alone on a line as a plain scalar is comparable.
    if (!/^[\w.+~-]+$/.test(text) || /^[-.]/.test(text) || /inf|nan/i.test(text) || Math.abs(Number(text)) > Number.MAX_SAFE_INTEGER) return
    const { value } = readYaml('f.yaml', `a: ${text}`)
    const expected = (value as { a: unknown }).a
    if (!Object.is(coreScalar(text), expected)) throw new Error(`${text}: ${String(coreScalar(text))} is not ${String(expected)}`)
  }), { numRuns: 2000 })
  t.pass()
})
