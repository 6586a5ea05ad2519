import t from 'tap'

await t.test('the runner runs TypeScript', async t => {
  t.equal(process.version.split('.')[0], 'v24')
})
