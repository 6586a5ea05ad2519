/* eslint no-template-curly-in-string: "off" -- variables stand in the YAML */
// Patterns that somebody gives and that are compared here, not in the engine: texts that almost fit take no longer.

import t from 'tap'
import { Binder } from '../../../runtime/data/binder.ts'
import { bindValue } from '../../../runtime/data/column.ts'
import { compileGlob } from '../../../runtime/intake/glob.ts'
import { likeMatcher } from '../../../runtime/live/like.ts'
import { publicText } from '../../../runtime/setup/public-text.ts'
import { LinearPattern } from '../../../runtime/quality/pattern.ts'
import { testPipelines } from '../../../runtime/setup/test-thread.ts'
import { parseType, readTopic } from '../../../runtime/schema-file.ts'
import fc from '../../properties.ts'
import { pattern, text } from '../quality/expressions.ts'
import { makeProject } from '../../system/project.ts'
import { pipeline, schema } from '../control/endpoint.ts'

await t.test('item 35: LIKE of a live feed', async t => {
  const almost = `${'a'.repeat(5000)}!`
  for (const pattern of ['%a'.repeat(50) + '%b', '%a_'.repeat(50) + 'b', '%'.repeat(500) + 'b', `${'%aaaaaaaa'.repeat(20)}b`]) t.notOk(likeMatcher(pattern)(almost), pattern)
  t.ok(likeMatcher('%a'.repeat(50) + '%!')(almost))
  const fits = (pattern: string, text: string): boolean => likeMatcher(pattern)(text)
  t.strictSame([fits('', ''), fits('%', ''), fits('_', ''), fits('a', 'A'), fits('a%c', 'a\nb\nc'), fits('%bc', 'abcbc'), fits('_', '\u{1F600}'), fits('a.c', 'abc')], [true, true, false, false, true, true, true, false])
  t.strictSame([fits('\\%', '%'), fits('\\%', 'a'), fits('\\_', '_'), fits('\\\\', '\\'), fits('a\\', 'a\\'), fits('\\a', '\\a'), fits('%a%b%', 'xxbxa'), fits('%a%b%', 'xaxbx')], [true, false, true, true, true, true, false, true])
  // The same as an expression that tries all places, for all short texts.
  const texts = Array.from({ length: 3 ** 6 }, (_, n) => n.toString(3).replaceAll('2', ''))
  for (const pattern of ['%0%1', '0%0_', '_%1%_', '%01%10%', '__', '%1%1%1%', '%0_1%']) {
    const slow = new RegExp(`^${pattern.replaceAll('%', '.*').replaceAll('_', '.')}$`)
    const wrong = texts.filter(text => fits(pattern, text) !== slow.test(text))
    t.strictSame(wrong, [], pattern)
  }
})

await t.test('item 35: globs of folders and buckets', async t => {
  for (const glob of [`${'*a'.repeat(40)}*b`, `${'*a?'.repeat(40)}b`, `${'**/a/'.repeat(20)}b`, `${'**/*a*a*/'.repeat(10)}b`, '*'.repeat(500) + 'b', `${'**/'.repeat(200)}b`]) {
    const pattern = compileGlob(glob)
    t.notOk(pattern.test('a'.repeat(1000)), glob)
    t.notOk(pattern.test('a/'.repeat(500)), glob)
  }
  const fits = (glob: string, ...names: string[]): boolean[] => names.map(name => compileGlob(glob).test(name))
  t.strictSame(fits('**/a/**/b', 'a/b', 'x/a/b', 'x/a/y/z/b', 'a/x', 'a/a/b', '.x/a/b', 'xa/b'), [true, true, true, false, true, false, false])
  t.strictSame(fits('*a*b*c', 'abc', 'aabbcc', 'xaxbxc', 'acb', '.abc', 'ab/c'), [true, true, true, false, false, false])
  t.strictSame(fits('{*a,*b}*c', 'xaxc', 'xbc', 'xc'), [true, true, false])
  t.strictSame(fits('**/**/x', 'x', 'a/x', 'a/b/x'), [true, true, true])
  t.strictSame(fits('a/**', 'a/b', 'a/b/c', 'a'), [true, true, false])
})

await t.test('item 35: an expression of a test of a pipeline ends with its thread', async t => {
  const { folder } = makeProject(t.testdir(), {
    'schemas/trades.yaml': schema,
    'pipelines/counter.yaml': pipeline.replace('outputs:', 'transforms:\n  - refusing: {}\noutputs:'),
    'plugins/transforms/refusing/index.ts': `export default { kind: 'transform', description: 'Refuses.', options: {}, open (config, { reject }) { return { map (batch) { for (let i = 0; i < batch.length; i++) reject(i, '${'a'.repeat(40)}!'); return batch } } } }`,
    'pipelines/counter.test.yaml': 'tests:\n  - { name: slow, input: [{ n: 1 }], rejected: [{ reason: /^(a+)+$/ }] }\n'
  })
  t.match(await testPipelines(folder, ['counter'], 2000), { passed: 0, failed: [{ faults: [/take more than 2 s/] }] })
})

await t.test('item 35: a pattern of a quality rule takes time that grows with the text alone, and finds what RegExp finds', async t => {
  const read = (pattern: string): unknown => readTopic('schemas/trades.yaml', `fields: { symbol: { type: string } }\nquality:\n  - { metric: invalidValues, field: symbol, arguments: { pattern: ${JSON.stringify(pattern)} }, mustBe: 0 }\n`)
  for (const pattern of ['(?=a)', '(a)\\1', '\\bx', '[[:a]', '[]', '[^]', 'a{1001}', '(?:a{50}){50}', '(', '('.repeat(60) + ')'.repeat(60)]) t.throws(() => read(pattern), { code: 'CONFIG_INVALID' }, pattern)
  const almost = `${'a'.repeat(200_000)}!`
  for (const pattern of ['^(a+)+$', '^(a|aa)+$', '^(?:[a-z]*x?)*$', '^((a*)*b?)+$', '(?:.*a){30}$', '(a?){300}a{300}b', '((((){1000}){1000}){1000}){1000}b']) t.notOk(new LinearPattern(pattern).test(almost), pattern)
  fc.assert(fc.property(pattern, fc.array(text, { minLength: 5, maxLength: 5 }), (pattern, texts) => {
    const [linear, other] = [new LinearPattern(pattern), new RegExp(pattern, 'su')]
    return texts.every(text => linear.test(text) === other.test(text))
  }), { numRuns: Number(process.env['TWOLANE_FUZZ_RUNS'] ?? 2000) })
})

// A reader that goes back over what it has read would not come to the end of these within the day.
await t.test('item 35: long texts of types, conditions and files are read in one pass', async t => {
  const [blank, zeros] = [' '.repeat(500_000), '0'.repeat(500_000)]
  t.strictSame(parseType(`enum(a${blank}b${blank},${blank}'c' )`), { kind: 'enum', values: [`a${blank}b`, 'c'] })
  t.throws(() => parseType(`enum(a${blank}(`), { message: /^a type ends/ })
  t.throws(() => parseType(`enum(${blank}'a'${blank}b)`), { message: /stand between commas/ })
  t.throws(() => parseType(`enum('${"''".repeat(1000)})`), { message: /stand between commas/ })
  t.throws(() => parseType(`enum(${Array.from({ length: 100_000 }, (_, i) => i).join(',')},77)`), { message: 'the enum has "77" twice' })
  const price = { name: 'price', type: 'Decimal(18, 2)' }
  t.throws(() => bindValue(new Binder(), price, `1.${zeros}1${zeros}1`), { code: 'REQUEST_INVALID', message: /at most 2 digits behind/ })
  t.doesNotThrow(() => bindValue(new Binder(), price, `1.5${zeros}`))
  t.match(publicText('config/platform.yaml', `a: "${'a.'.repeat(250_000)}"`, new Map()), /^a: "a.a/)
  t.match(publicText('config/platform.yaml', `a: "${'://a:'.repeat(100_000)}"`, new Map()), /^a: ":/)
})

await t.test('a number of JSON that a decimal has no digits for is refused, however small it is', async t => {
  const bound = (value: number, scale: number): unknown => {
    const binder = new Binder()
    bindValue(binder, { name: 'price', type: `Decimal(38, ${scale})` }, value)
    return binder.params['p0']
  }
  t.strictSame([bound(1e-7, 8), bound(-2.5e-7, 8), bound(1.23456789e-15, 23), bound(1e21, 0), bound(0.5, 1)], ['0.0000001', '-0.00000025', '0.00000000000000123456789', `1${'0'.repeat(21)}`, '0.5'])
  for (const value of [1e-25, -1e-21, 5e-324, 1e39, 1.7e308]) t.throws(() => bound(value, 18), { code: 'REQUEST_INVALID' }, String(value))
})

await t.test('item 37: a password in an address is not shown, whatever stands around it', async t => {
  for (const [address, shown] of [
    ['http://u:hunter2@h/x', 'http://u:***@h/x'], ['1http://u:hunter2@h', '1http://u:***@h'], ['http://u:hunter@2@h', 'http://u:***@h'], ['redis://:hunter2@h', 'redis://:***@h'], ['http://u:${A}hunter2@h', 'http://u:***@h'],
    ['http://u:${PW}@h', 'http://u:${PW}@h'], ['http://h:8080/a@b', 'http://h:8080/a@b']
  ] as const) t.equal(publicText('config/platform.yaml', `a: ${address}`, new Map()), `a: ${shown}`)
})
