import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { until } from '../conform/context.ts'
import { checkRows, goesOn, numbered, openShop, running, schema } from './shop.ts'

const limits = { beginMsMax: 10_000, closeMsMax: 1000, stopMsMax: 8000 }

/** A transform in two files. */
const stamper = (stamp: string): string => `
import { stamp } from './stamp.ts'
export default {
  kind: 'transform', description: 'Stamps the symbol', options: {},
  open: () => ({ map: batch => batch.with({ ...batch.columns, symbol: { kind: 'values', values: new Array(batch.length).fill(stamp + '${stamp}') } }) })
}
`
const failing = (when: string): string => `
export default {
  kind: 'output', description: 'Fails', guarantee: 'at least once', options: {},
  async open () { ${when === 'open' ? "throw new Error('no such bucket')" : ''}${when === 'wait' ? 'await new Promise(() => {})' : ''}; return { async write () {}, async flush () {}, async close () {} } }
}
`

const base = {
  'schemas/one.yaml': schema,
  'schemas/two.yaml': schema,
  'pipelines/one.yaml': numbered('one'),
  'pipelines/two.yaml': numbered('two')
}

await t.test('files that are wrong are rejected with the reason, and everything runs on', async t => {
  const shop = await openShop(t, { ...base }, { ...limits, prepareMsMax: 6000 })
  const { project, supervisor } = shop
  await running(shop, 'one', 'two')
  const { since, revision } = shop.status('one')
  const good = numbered('one')
  const cases: Readonly<Record<string, { readonly text: string, readonly says: RegExp }>> = {
    'YAML that cannot be parsed': { text: 'input: [', says: /pipelines\/one\.yaml:1/ },
    'an unknown option': { text: good.replace('rate: 300', 'rat: 300'), says: /one\.yaml:3:.*rat: unknown key; did you mean "rate"\?/ },
    'an option of the wrong type': { text: good.replace('rate: 300', 'rate: fast'), says: /one\.yaml:3:.*must be a number, not a text/ },
    'a schema that is not there': { text: good.replace('topic: one', 'topic: none'), says: /one\.yaml:4:.*there is no schema "none"/ },
    'a plugin that is not there': { text: good.replace('file:', 'fil:'), says: /one\.yaml:6:.*there is no output "fil"; did you mean "file"\?/ },
    'a plugin that throws when it is imported': { text: good.replace('file:', 'broken:'), says: /one\.yaml:6:.*cannot be imported: boom/ },
    'a transform that throws when it opens': { text: good.replace('outputs:', 'transforms: [{ refuses: {} }]\noutputs:'), says: /^one: .*not today/ },
    'a transform that never opens': { text: good.replace('outputs:', 'transforms: [{ refuses: { how: wait } }]\noutputs:'), says: /^one: it was not prepared within 6 s/ },
    'a variable that is not set': { text: good.replace('rate: 300', 'rate: "$' + '{NO_SUCH_VARIABLE}"'), says: /one\.yaml:3:.*NO_SUCH_VARIABLE/ },
    'an empty file': { text: '', says: /one\.yaml/ }
  }
  project.write('plugins/outputs/broken/index.ts', "throw new Error('boom')\n")
  project.write('plugins/transforms/refuses/index.ts', "export default { kind: 'transform', description: 'Refuses', options: { how: { type: 'string', description: 'How', default: '' } }, open ({ how }) { if (how === 'wait') return new Promise(() => {}); throw new Error('not today') } }\n")
  // A second pipeline that is fine does not make it any better: all or nothing.
  project.write('pipelines/two.yaml', numbered('two', { rate: 400 }))
  const two = shop.status('two').revision
  for (const [name, { text, says }] of Object.entries(cases)) {
    project.write('pipelines/one.yaml', text)
    const receipt = await supervisor.reload()
    t.equal(receipt.outcome, 'rejected', name)
    t.match(receipt.reason, says, name)
    t.match([shop.status('one'), shop.status('two')], [{ since, revision, state: 'running' }, { revision: two, state: 'running' }], 'they run on')
  }
  project.write('pipelines/one.yaml', good)
  t.match(await supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'two' }] })
  await checkRows(t, shop, 'one.ndjson', 'two.ndjson')
})

await t.test('an output that fails or hangs while it opens is rolled back, and no row is lost or doubled', async t => {
  const shop = await openShop(t, { ...base, 'plugins/outputs/fails/index.ts': failing('open'), 'plugins/outputs/hangs/index.ts': failing('wait') }, { ...limits, beginMsMax: 3000, stopMsMax: 3000 })
  const { project, supervisor } = shop
  await running(shop, 'one', 'two')
  const { since } = shop.status('two')
  project.write('pipelines/one.yaml', numbered('one', { more: '  - fails: {}\n' }))
  t.match(await supervisor.reload(), { outcome: 'rolled_back', reason: /^one: outputs\.fails: no such bucket/ })
  await running(shop, 'one')
  project.write('pipelines/one.yaml', numbered('one', { more: '  - hangs: {}\n' }))
  t.match(await supervisor.reload(), { outcome: 'rolled_back', reason: /outputs\.hangs has not begun/ })
  await running(shop, 'one')
  await goesOn(shop, 'one.ndjson', 100)
  t.match(shop.status('two'), { since, restarts: 0 }, 'another pipeline is not touched')
  await checkRows(t, shop, 'one.ndjson', 'two.ndjson')
})

await t.test('changed code of a plugin, also in a file that it imports, is picked up', async t => {
  const shop = await openShop(t, {
    ...base,
    'plugins/transforms/stamper/index.ts': stamper('a'),
    'plugins/transforms/stamper/stamp.ts': "export const stamp: string = '1'\n",
    'pipelines/one.yaml': numbered('one').replace('outputs:', 'transforms: [stamper]\noutputs:')
  }, limits)
  const { project, supervisor } = shop
  const stamps = async (wanted: string): Promise<void> => {
    await until(() => (JSON.parse(readFileSync(join(project.data, 'one.ndjson'), 'utf8').trimEnd().split('\n').at(-1) as string) as { symbol: string }).symbol === wanted, `rows are stamped ${wanted}`)
  }
  await goesOn(shop, 'one.ndjson')
  await stamps('1a')
  project.write('plugins/transforms/stamper/stamp.ts', "export const stamp: string = '2'\n")
  t.match(await supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'one', change: 'changed' }] })
  await stamps('2a')
  project.write('plugins/transforms/stamper/index.ts', stamper('b'))
  t.match(await supervisor.reload(), { outcome: 'applied' })
  await stamps('2b')
  await checkRows(t, shop, 'one.ndjson')
})
