// Patterns that somebody gives and that are compared here, not in the engine: texts that almost fit take no longer.

import t from 'tap'
import { compileGlob } from '../../../runtime/intake/glob.ts'
import { likeMatcher } from '../../../runtime/live/like.ts'
import { testPipelines } from '../../../runtime/setup/test-thread.ts'
import { readTopic } from '../../../runtime/schema-file.ts'
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

await t.test('item 35: a quality rule that repeats repetitions is refused, and others are not', async t => {
  const read = (pattern: string): unknown => readTopic('schemas/trades.yaml', `fields: { symbol: { type: string } }\nquality:\n  - { metric: invalidValues, field: symbol, arguments: { pattern: ${JSON.stringify(pattern)} }, mustBe: 0 }\n`)
  for (const pattern of ['^(a+)+$', '^(?:[a-z]*x?)*$', '((a*)b?)+', '(a{2,}){3,}', '(?:[)]+)*']) t.throws(() => read(pattern), { code: 'CONFIG_INVALID', message: /repeats a group/ }, pattern)
  for (const pattern of ['^[A-Z+*]+$', '^(?:[A-Z]{1,9},)*$', '^(ab)+c*$', '\\(a+\\)+', '^(?:[A-Z]+)?$', '^(?:a+){1,20}$']) t.doesNotThrow(() => read(pattern), pattern)
})
