// Pipelines whose parts come, go and change while rows flow. Most cases come from the tests of Vector's topology
// (test/peers/vector.md).

import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { range } from '../conform/broker.ts'
import { until } from '../conform/context.ts'
import { checkRows, goesOn, numbered, openShop, running, says, schema } from './shop.ts'
import type { Shop } from './shop.ts'

const limits = { beginMsMax: 10_000, closeMsMax: 1000, stopMsMax: 2000 }

const stamp = `
export default {
  kind: 'transform', description: 'Adds a word to the symbol', options: { word: { type: 'string', description: 'The word' } },
  open: ({ word }) => ({ map: batch => batch.with({ ...batch.columns, symbol: { kind: 'values', values: [...batch.rows()].map(({ symbol }) => symbol + word) } }) })
}
`
const stuck = `
export default {
  kind: 'output', description: 'Hangs', guarantee: 'at least once', options: {},
  async open (_config, { log }) { return { async write () { log.info({}, 'It hangs now'); await new Promise(() => {}) }, async flush () {}, async close () {} } }
}
`
const dying = `
export default {
  kind: 'input', description: 'Ends its thread', options: {},
  async * read () { setTimeout(() => { throw new Error('boom in a timer') }, 10); await new Promise(() => {}) }
}
`

/** Rows of one connector, which name it. */
const connector = (symbol: string): string => `input: { generate: { rate: 300, batch_rows: 50, fields: { n: { counter: 0 }, symbol: ${symbol} } } }\ntopic: all\n`
const processor = 'topic: all\noutputs:\n  - file: { path: all.ndjson }\n    flush: { rows: 1000, ms: 20 }\n'

interface Line { readonly n: number, readonly symbol: string }

function linesOf (shop: Shop, file: string): Line[] {
  const path = join(shop.project.data, file)
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8').split('\n').slice(0, -1).map(line => JSON.parse(line) as Line)
}

/** How many rows of the connector are in the file. */
function from (shop: Shop, symbol: string): number {
  return linesOf(shop, 'all.ndjson').filter(line => line.symbol === symbol).length
}

async function comesFrom (shop: Shop, symbol: string): Promise<void> {
  const before = from(shop, symbol)
  await until(() => from(shop, symbol) > before, `rows of ${symbol} come`)
}

await t.test('transforms and outputs come, go and change while rows flow: each row goes once through the one chain or the other (Vector: topology_swap_transform_is_atomic)', async t => {
  const chain = (...words: readonly string[]): string => words.map((word, i) => `{ stamp: { word: "${word}" }, name: s${i} }`).join(', ')
  const text = (words: readonly string[], more = ''): string => numbered('one', { more }).replace('[AAPL, MSFT]', '[X]').replace('outputs:', `transforms: [${chain(...words)}]\noutputs:`)
  const copy = '  - file: { path: copy.ndjson }\n    name: copy\n    flush: { rows: 300, ms: 5 }\n'
  const shop = await openShop(t, { 'plugins/transforms/stamp/index.ts': stamp, 'schemas/one.yaml': schema, 'pipelines/one.yaml': text(['1', '2']) }, limits)
  await running(shop, 'one')
  await goesOn(shop, 'one.ndjson')
  const chains = ['X12', 'X2', 'X3', 'X345', 'X45']
  const texts = [text(['2']), text(['3']), text(['3', '4', '5'], copy), text(['4', '5'])]
  for (const [i, wanted] of texts.entries()) {
    shop.project.write('pipelines/one.yaml', wanted)
    t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ change: 'changed', inFlight: 'drained' }] })
    await goesOn(shop, 'one.ndjson')
    await until(() => linesOf(shop, 'one.ndjson').at(-1)?.symbol === chains[i + 1], `rows go through ${chains[i + 1]}`)
    if (i === 2) await goesOn(shop, 'copy.ndjson')
  }
  const copied = shop.rows('copy.ndjson').length
  await goesOn(shop, 'one.ndjson', 100)
  t.equal(shop.rows('copy.ndjson').length, copied, 'an output that was removed gets nothing more')
  await checkRows(t, shop, 'one.ndjson', 'copy.ndjson')
  const seen = linesOf(shop, 'one.ndjson').map(({ symbol }) => symbol)
  t.strictSame(seen.filter((symbol, i) => symbol !== seen[i - 1]), chains, 'one chain after the other')
})

await t.test('connectors of one topic come, go and fail by themselves (Vector: topology_multiple_sources, topology_remove_one_source, topology_readd_input)', async t => {
  const shop = await openShop(t, { 'plugins/inputs/dying/index.ts': dying, 'schemas/all.yaml': schema, 'pipelines/a.yaml': connector('A'), 'pipelines/b.yaml': connector('B'), 'pipelines/out.yaml': processor }, limits)
  await running(shop, 'a', 'b', 'out')
  await comesFrom(shop, 'A')
  await comesFrom(shop, 'B')
  const { since } = shop.status('out')

  // The one row of the mark is in the topic behind all of A.
  rmSync(join(shop.project.folder, 'pipelines/a.yaml'))
  shop.project.write('pipelines/mark.yaml', connector('M').replace('rate: 300', 'rate: 0, count: 1'))
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'a', change: 'removed' }, { pipeline: 'mark', change: 'added' }] })
  await until(() => from(shop, 'M') === 1, 'the mark is there')
  const before = from(shop, 'A')
  await comesFrom(shop, 'B')
  t.equal(from(shop, 'A'), before, 'nothing comes of a connector that was removed')
  shop.project.write('pipelines/a.yaml', connector('A'))
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'a', change: 'added' }] })
  await comesFrom(shop, 'A')

  shop.project.write('pipelines/dies.yaml', 'input: dying\ntopic: all\n')
  t.match(await shop.supervisor.reload(), { outcome: 'rolled_back', reason: /^dies: .*boom in a timer/ })
  rmSync(join(shop.project.folder, 'pipelines/dies.yaml'))
  rmSync(join(shop.project.folder, 'pipelines/b.yaml'))
  shop.project.write('pipelines/c.yaml', connector('C'))
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'b', change: 'removed' }, { pipeline: 'c', change: 'added' }] })
  await comesFrom(shop, 'C')
  t.match(shop.status('out'), { since, restarts: 0, state: 'running' }, 'what reads the topic is not touched')
  await shop.close()
  for (const symbol of ['A', 'B', 'C']) {
    const rows = linesOf(shop, 'all.ndjson').filter(line => line.symbol === symbol).map(({ n }) => n)
    t.strictSame(rows, range(0, rows.length), `each of ${rows.length} rows of ${symbol} is there once`)
  }
})

await t.test('an output that hangs holds back neither the others nor a reload (Vector: default_fan_out)', async t => {
  const shop = await openShop(t, { 'plugins/outputs/stuck/index.ts': stuck, 'schemas/one.yaml': schema, 'pipelines/one.yaml': numbered('one', { more: '  - stuck: {}\n    flush: { ms: 5 }\n' }) }, { ...limits, stalledMsMax: 500 })
  await running(shop, 'one')
  await until(() => shop.log.some(line => line.includes('It hangs now')), 'a write hangs')
  await says(shop, 'one', /^outputs\.stuck is stalled/)
  await goesOn(shop, 'one.ndjson', 100)
  shop.project.write('pipelines/one.yaml', numbered('one'))
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ change: 'changed', inFlight: 'redelivered' }] })
  await goesOn(shop, 'one.ndjson', 100)
  t.match(shop.status('one'), { state: 'running', healthy: true })
  await checkRows(t, shop, 'one.ndjson')
})

await t.test('a pipeline that hangs while it opens holds up neither the start of the others nor that of the platform (Kafka Connect: testWorkerRestartWithBlockInConnectorStart)', async t => {
  const shop = await openShop(t, {
    'plugins/outputs/closed/index.ts': "export default { kind: 'output', description: 'Never opens', guarantee: 'at least once', options: {}, open: () => new Promise(() => {}) }\n",
    'schemas/one.yaml': schema,
    'schemas/all.yaml': schema,
    'pipelines/one.yaml': numbered('one'),
    'pipelines/hangs.yaml': 'topic: all\noutputs: [closed]\n'
  // The start would wait for longer than the test may take.
  }, { ...limits, beginMsMax: 3_600_000, openMsMax: 3_600_000, startMsMax: 100 })
  await goesOn(shop, 'one.ndjson')
  t.match(shop.status('hangs'), { state: 'starting', healthy: false, restarts: 0 })
  await says(shop, 'hangs', /^outputs\.closed has not begun/)
  await shop.supervisor.pause('hangs')
  await checkRows(t, shop, 'one.ndjson')
})

await t.test('an input that has ended leaves its pipeline healthy, and a reload changes what is left of it (Vector: sources_finished, closed_source)', async t => {
  const text = (count: number, more: string): string => numbered('one', { more }).replace('rate: 300', `rate: 0, count: ${count}`)
  const copy = '  - file: { path: copy.ndjson }\n    name: copy\n    flush: { rows: 300, ms: 5 }\n'
  const shop = await openShop(t, {
    'schemas/one.yaml': schema, 'schemas/all.yaml': schema, 'pipelines/one.yaml': text(120, copy), 'pipelines/alone.yaml': connector('A').replace('rate: 300', 'rate: 0, count: 70'), 'pipelines/out.yaml': processor
  }, limits)
  await until(() => shop.rows('one.ndjson').length === 120 && shop.rows('copy.ndjson').length === 120 && shop.rows('all.ndjson').length === 70, 'all rows are there')
  await until(() => shop.status('alone').state === 'ended', 'a pipeline that is only an input ends')
  await until(() => shop.status('one').steps.find(({ step }) => step === 'input.generate')?.state === 'ended', 'the input has ended')
  t.match([shop.status('one'), shop.status('alone')], [{ state: 'running', healthy: true }, { state: 'ended', healthy: true, restarts: 0 }])
  shop.project.write('pipelines/one.yaml', text(150, ''))
  shop.project.write('pipelines/alone.yaml', connector('A').replace('rate: 300', 'rate: 0, count: 90'))
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'alone' }, { pipeline: 'one' }] })
  await until(() => shop.rows('one.ndjson').length === 150 && shop.rows('all.ndjson').length === 90, 'the rest is there')
  t.equal(shop.rows('copy.ndjson').length, 120)
  await checkRows(t, shop, 'one.ndjson', 'copy.ndjson', 'all.ndjson')
})
