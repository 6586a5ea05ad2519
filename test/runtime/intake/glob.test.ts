import { matchesGlob } from 'node:path/posix'
import t from 'tap'
import { baseOf, compileGlob, isGlob } from '../../../runtime/intake/glob.ts'
import fc from '../../properties.ts'

await t.test('globs match as they should', async t => {
  for (const [glob, yes, no] of [
    ['*.csv', ['a.csv', 'ü .csv', 'a\nb.csv'], ['.csv', '.a.csv', 'a/b.csv', 'a.csvx']],
    ['a?c', ['abc', 'a😀c'], ['ac', 'a/c', 'abbc']],
    ['[a-c!]x', ['ax', '!x'], ['dx', 'x']],
    ['[!a]x', ['bx'], ['ax', '/x']],
    ['**/x', ['x', 'a/x', 'a/b/x'], ['.a/x', 'ax']],
    ['a/**', ['a/b', 'a/b/c'], ['a', 'b/a', 'a/.b']],
    ['{a,b/{c,d}}*.z', ['a1.z', 'b/c.z', 'b/d22.z'], ['c.z', 'b/.z']],
    ['a\\*\\{b', ['a*{b'], ['axb']],
    ['.*', ['.a'], ['a']],
    ['(a|b).+$^', ['(a|b).+$^'], ['a']]
  ] as const) {
    const pattern = compileGlob(glob)
    for (const name of yes) t.match(name, pattern, `${glob} ${JSON.stringify(name)}`)
    for (const name of no) t.notMatch(name, pattern, `${glob} ${JSON.stringify(name)}`)
  }
})

await t.test('they agree with Node on what both know', async t => {
  const part = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '[ab]', '{a,b}', '-'), minLength: 1, maxLength: 4 }).filter(text => !text.includes('**'))
  const glob = fc.array(fc.oneof(part, fc.constant('**')), { minLength: 1, maxLength: 3 }).map(parts => parts.join('/')).filter(text => !text.endsWith('**'))
  const name = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }).map(parts => parts.join('/'))
  fc.assert(fc.property(glob, fc.array(name, { minLength: 1, maxLength: 20 }), (glob, names) => {
    const pattern = compileGlob(glob)
    return names.every(name => pattern.test(name) === matchesGlob(name, glob))
  }), { numRuns: 500 })
  t.pass('500 globs')
})

await t.test('the folder of a glob, and what is none', async t => {
  t.equal(baseOf('/a/b/*.csv'), '/a/b/')
  t.equal(baseOf('a{b,c}/d'), '')
  t.equal(baseOf('a/b\\*/d'), 'a/')
  t.ok(isGlob('a*') && !isGlob('a/b.csv'))
  for (const glob of ['[a', '{a', '{a,{b}']) t.throws(() => compileGlob(glob), SyntaxError)
  t.throws(() => compileGlob('{a,b}'.repeat(11)), /more than 1000/)
})
