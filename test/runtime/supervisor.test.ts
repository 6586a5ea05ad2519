import { once } from 'node:events'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { freePort } from '../child.ts'
import { until } from '../conform/context.ts'
import { checkRows, goesOn, numbered, openShop, running, schema, startShop } from './shop.ts'
import type { AddressInfo } from 'node:net'

const limits = { beginMsMax: 10_000, closeMsMax: 1000, stopMsMax: 8000 }

const alone = { 'schemas/one.yaml': schema, 'pipelines/one.yaml': numbered('one') }
const base = { ...alone, 'schemas/two.yaml': schema, 'pipelines/two.yaml': numbered('two') }

await t.test('what is added, changed and removed is applied, and what is unchanged is not touched (Vector: topology_reload_with_new_components)', async t => {
  const shop = await openShop(t, base, limits)
  const { project, supervisor } = shop
  await running(shop, 'one', 'two')
  t.match(await supervisor.reload(), { outcome: 'unchanged', changes: [] })
  const { since } = shop.status('one')
  await goesOn(shop, 'two.ndjson')

  project.write('schemas/three.yaml', schema)
  project.write('pipelines/three.yaml', numbered('three'))
  project.write('pipelines/two.yaml', numbered('two', { rate: 500 }))
  const plan = await supervisor.plan()
  t.match(plan, { changes: [{ pipeline: 'three', change: 'added' }, { pipeline: 'two', change: 'changed' }], unchanged: ['one'] })
  const receipt = await supervisor.reload({ planHash: plan.hash })
  t.match(receipt, { outcome: 'applied', reason: '', problems: [], changes: [{ pipeline: 'three', change: 'added', inFlight: 'none' }, { pipeline: 'two', change: 'changed', inFlight: 'drained' }] })
  t.ok(receipt.revision > 1)
  await goesOn(shop, 'three.ndjson')
  await goesOn(shop, 'two.ndjson')

  rmSync(join(project.folder, 'pipelines/three.yaml'))
  t.match(await supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'three', change: 'removed', inFlight: 'drained' }] })
  t.throws(() => shop.status('three'), /no pipeline/)
  t.match(shop.status('one'), { since, restarts: 0, state: 'running' }, 'the same thread all the time')
  t.equal(shop.store.receipts(10).length, 3)
  await checkRows(t, shop, 'one.ndjson', 'two.ndjson', 'three.ndjson')
})

await t.test('a changed schema reaches its pipelines', async t => {
  const shop = await openShop(t, alone, limits)
  await running(shop, 'one')
  shop.project.write('schemas/one.yaml', `${schema}  price: { type: float64, description: Price }\n`)
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'one', change: 'changed' }] })
  t.equal(shop.supervisor.schemas.get('one')?.fields.length, 3)
  shop.project.write('schemas/one.yaml', 'fields: { n: { type: nonsense, description: x } }')
  t.match(await shop.supervisor.reload(), { outcome: 'rejected', reason: /schemas\/one\.yaml:1:16 fields\.n\.type: unknown type/ })
  await goesOn(shop, 'one.ndjson')
  await checkRows(t, shop, 'one.ndjson')
})

await t.test('one change at a time: a second one gets RELOAD_BUSY, and a stale plan is refused', async t => {
  const shop = await openShop(t, base, limits)
  const { project, supervisor } = shop
  project.write('pipelines/two.yaml', numbered('two', { rate: 301 }))
  const { hash } = await supervisor.plan()
  project.write('pipelines/two.yaml', numbered('two', { rate: 302 }))
  await t.rejects(supervisor.reload({ planHash: hash }), { code: 'STALE_PLAN' })
  const first = supervisor.reload()
  await t.rejects(supervisor.reload(), { code: 'RELOAD_BUSY' })
  await t.rejects(supervisor.pause('one'), { code: 'RELOAD_BUSY' })
  t.match(await first, { outcome: 'applied' })
  t.match(await supervisor.reload(), { outcome: 'unchanged' })
  await t.rejects(supervisor.pause('nobody'), { code: 'NOT_FOUND' })
})

await t.test('a pipeline that is paused stays so over a restart, and goes on where it was', async t => {
  const shop = await openShop(t, base, limits)
  await goesOn(shop, 'one.ndjson')
  await shop.supervisor.pause('one')
  const before = shop.rows('one.ndjson').length
  t.match(shop.status('one'), { state: 'paused', healthy: true })
  t.match(await shop.supervisor.reload(), { outcome: 'unchanged' }, 'a reload does not wake it')
  await shop.close()

  const again = await startShop(shop.project, limits, t)
  await goesOn(again, 'two.ndjson')
  t.match(again.status('one'), { state: 'paused' })
  t.equal(again.rows('one.ndjson').length, before)
  await again.supervisor.resume('one')
  await goesOn(again, 'one.ndjson')
  await again.supervisor.restart('one')
  await goesOn(again, 'one.ndjson')
  await checkRows(t, again, 'one.ndjson', 'two.ndjson')
})

await t.test('a pipeline that is disabled in its file does not run until it is enabled', async t => {
  const shop = await openShop(t, { ...alone, 'pipelines/one.yaml': `enabled: false\n${numbered('one')}` }, limits)
  t.match(shop.status('one'), { state: 'disabled', healthy: true })
  await t.rejects(shop.supervisor.resume('one'), { code: 'PIPELINE_DISABLED' })
  await t.rejects(shop.supervisor.restart('one'), { code: 'PIPELINE_DISABLED' })
  shop.project.write('pipelines/one.yaml', numbered('one'))
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ change: 'added' }] })
  await goesOn(shop, 'one.ndjson')
  shop.project.write('pipelines/one.yaml', `enabled: false\n${numbered('one')}`)
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ change: 'removed' }] })
  t.match(shop.status('one'), { state: 'disabled' })
  await checkRows(t, shop, 'one.ndjson')
})

/** A plugin that holds a port. */
const listener = (kind: 'input' | 'output'): string => `
import { createServer } from 'node:net'
import { once } from 'node:events'
async function listen (port) {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}
export default {
  kind: '${kind}', description: 'Holds a port', guarantee: 'at least once', options: { port: { type: 'integer', description: 'Port' }, note: { type: 'string', description: 'Anything', default: '' } },
  async * read ({ port }, { signal }) {
    const server = await listen(port)
    try { await once(signal, 'abort').catch(() => {}) } finally { server.close() }
  },
  async open ({ port }) {
    const server = await listen(port)
    return { async write () {}, async flush () {}, async close () { server.close() } }
  }
}
`
const listeners = { 'plugins/inputs/listener/index.ts': listener('input'), 'plugins/outputs/listener/index.ts': listener('output'), 'schemas/one.yaml': schema, 'schemas/two.yaml': schema }

await t.test('a port is handed over, also to a pipeline of another name (Vector: topology_reuse_old_port)', async t => {
  const port = await freePort()
  const text = (note: string): string => `input: { listener: { port: ${port}, note: "${note}" } }\ntopic: one\n`
  const shop = await openShop(t, { ...listeners, 'pipelines/one.yaml': text('a') }, limits)
  await running(shop, 'one')
  shop.project.write('pipelines/one.yaml', text('b'))
  t.match(await shop.supervisor.reload(), { outcome: 'applied' }, 'to its next revision')
  renameSync(join(shop.project.folder, 'pipelines/one.yaml'), join(shop.project.folder, 'pipelines/another.yaml'))
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'one', change: 'removed' }, { pipeline: 'another', change: 'added' }] }, 'to another pipeline')
  t.match(shop.status('another'), { state: 'running', healthy: true })
})

await t.test('ports are exchanged between steps and pipelines, and one that somebody else holds is refused (Vector: topology_reuse_old_port_cross_dependency, topology_rebuild_old)', async t => {
  const ports = [await freePort(), await freePort(), await freePort()]
  const text = (topic: string, input: number, output: number): string => `input: { listener: { port: ${ports[input]} } }\ntopic: ${topic}\noutputs: [{ listener: { port: ${ports[output]} } }]\n`
  const alone = (topic: string, output: number): string => `topic: ${topic}\noutputs: [{ listener: { port: ${ports[output]} } }]\n`
  const shop = await openShop(t, { ...listeners, 'pipelines/one.yaml': text('one', 0, 1), 'pipelines/two.yaml': alone('two', 2) }, limits)
  await running(shop, 'one', 'two')
  shop.project.write('pipelines/one.yaml', text('one', 1, 0))
  t.match(await shop.supervisor.reload(), { outcome: 'applied' }, 'between two steps')
  shop.project.write('pipelines/one.yaml', text('one', 2, 0))
  shop.project.write('pipelines/two.yaml', alone('two', 1))
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'one' }, { pipeline: 'two' }] }, 'between two pipelines')
  t.match([shop.status('one'), shop.status('two')], [{ state: 'running', healthy: true }, { state: 'running', healthy: true }])

  const stranger = createServer().listen(0, '127.0.0.1')
  t.teardown(() => stranger.close())
  await once(stranger, 'listening')
  ports[1] = (stranger.address() as AddressInfo).port
  shop.project.write('pipelines/two.yaml', alone('two', 1))
  t.match(await shop.supervisor.reload(), { outcome: 'rolled_back', reason: /^two: outputs\.listener: listen EADDRINUSE/ })
  await running(shop, 'two')
})

await t.test('a folder of files that is replaced behind a symbolic link is picked up (Benthos: TestReaderFileWatchingSymlinkReplace)', async t => {
  const shop = await openShop(t, alone, limits)
  const { folder } = shop.project
  const version = (name: string, rate: number): void => {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'one.yaml'), numbered('one', { rate }))
    symlinkSync(name, join(folder, 'next'))
    renameSync(join(folder, 'next'), join(folder, 'current'))
  }
  version('v1', 300)
  rmSync(join(folder, 'pipelines'), { recursive: true })
  symlinkSync('current', join(folder, 'pipelines'))
  t.match(await shop.supervisor.reload(), { outcome: 'unchanged' })
  version('v2', 350)
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'one', change: 'changed' }] })
  await goesOn(shop, 'one.ndjson')
  await checkRows(t, shop, 'one.ndjson')
})

await t.test('mounted ConfigMaps, whose files are links into a folder that is exchanged, bring new definitions and new code of plugins', async t => {
  const talker = (version: string): string => `
export default {
  kind: 'transform', description: 'Says its version', options: {},
  open (_config, { log }) { log.info({}, 'This is ${version}'); return { map: batch => batch } }
}
`
  const shop = await openShop(t, alone, limits)
  const { folder } = shop.project
  const exchange = (mounted: string, version: string, name: string, text: string): void => {
    mkdirSync(join(folder, mounted, `..${version}`), { recursive: true })
    writeFileSync(join(folder, mounted, `..${version}`, name), text)
    symlinkSync(`..${version}`, join(folder, mounted, '..data_tmp'))
    renameSync(join(folder, mounted, '..data_tmp'), join(folder, mounted, '..data'))
  }
  const says = (version: string): Promise<void> => until(() => shop.log.some(line => line.includes(`This is ${version}`)), version)
  rmSync(join(folder, 'pipelines'), { recursive: true })
  exchange('plugins/transforms/talker', 'v1', 'index.ts', talker('v1'))
  symlinkSync('..data/index.ts', join(folder, 'plugins/transforms/talker/index.ts'))
  exchange('pipelines', 'v1', 'one.yaml', `${numbered('one')}transforms: [talker]\n`)
  symlinkSync('..data/one.yaml', join(folder, 'pipelines/one.yaml'))
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'one', change: 'changed' }] })
  await says('v1')
  exchange('plugins/transforms/talker', 'v2', 'index.ts', talker('v2'))
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'one', change: 'changed' }] }, 'the code of the plugin')
  await says('v2')
  exchange('pipelines', 'v2', 'one.yaml', `${numbered('one', { rate: 350 })}transforms: [talker]\n`)
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'one', change: 'changed' }] }, 'the definition')
  t.match(await shop.supervisor.reload(), { outcome: 'unchanged' })
  await goesOn(shop, 'one.ndjson')
  await checkRows(t, shop, 'one.ndjson')
})

await t.test('files that are edited again and again, also half written, never take down what runs (Benthos: TestReaderWatcherRace)', async t => {
  const shop = await openShop(t, base, limits)
  await running(shop, 'one', 'two')
  const { project, supervisor } = shop
  const replace = (text: string): void => {
    writeFileSync(join(project.folder, 'pipelines/.two.yaml.swp'), text)
    renameSync(join(project.folder, 'pipelines/.two.yaml.swp'), join(project.folder, 'pipelines/two.yaml'))
  }
  const outcomes: string[] = []
  for (let edit = 0; edit < 3; edit++) {
    const text = numbered('two', { rate: 400 + edit })
    // Written in two halves, while the first one is read: it is refused, or was not seen.
    project.write('pipelines/two.yaml', text.slice(0, text.indexOf('count')))
    const reloading = supervisor.reload()
    replace(text)
    outcomes.push((await reloading).outcome)
    t.match(shop.status('two'), { state: 'running', healthy: true })
  }
  t.ok(outcomes.every(outcome => ['rejected', 'applied', 'unchanged'].includes(outcome)), outcomes.join())
  const last = await supervisor.reload()
  t.ok(['applied', 'unchanged'].includes(last.outcome), 'the last edit is the one that holds')
  t.match(supervisor.definitions().find(({ id }) => id === 'two')?.text, /rate: 402/)
  await goesOn(shop, 'two.ndjson')
  await checkRows(t, shop, 'one.ndjson', 'two.ndjson')
})

await t.test('a stop takes no longer than its limit, whatever the plugins do, and names who hangs (Kafka Connect: testBlockInSourceTaskStop)', async t => {
  const stuck = `
export default {
  kind: 'output', description: 'Hangs', guarantee: 'at least once', options: {},
  async open (_config, { log }) { return { async write () { log.info({}, 'It hangs now'); await new Promise(() => {}) }, async flush () {}, async close () {} } }
}
`
  const shop = await openShop(t, {
    ...alone,
    'schemas/three.yaml': schema,
    'schemas/four.yaml': schema,
    'plugins/outputs/stuck/index.ts': stuck,
    'plugins/inputs/deaf/index.ts': "export default { kind: 'input', description: 'Hears no signal', options: {}, async * read () { await new Promise(resolve => setTimeout(resolve, 1e9)) } }\n",
    'pipelines/three.yaml': 'input: { generate: { rate: 50, fields: { n: { counter: 0 } } } }\ntopic: three\noutputs: [{ stuck: {}, flush: { ms: 5 } }]\n',
    'pipelines/four.yaml': 'input: deaf\ntopic: four\noutputs: [{ file: { path: four.ndjson } }]\n'
  }, { ...limits, stopMsMax: 2000 })
  await running(shop, 'one', 'three', 'four')
  await goesOn(shop, 'one.ndjson')
  await until(() => shop.log.some(line => line.includes('It hangs now')), 'a write hangs')
  const began = performance.now()
  const endings = await shop.supervisor.close()
  const ms = performance.now() - began
  t.ok(ms < 8000, `${Math.round(ms)} ms`)
  t.strictSame(endings.map(({ how, plugin }) => `${how} ${plugin}`).sort(), ['stopped undefined', 'stuck input.deaf', 'stuck outputs.stuck'])
  await checkRows(t, shop, 'one.ndjson')
})
