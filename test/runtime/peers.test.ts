// A reload over several runtimes, each with files and pipelines of its own. The embedded broker carries what they tell
// each other.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openEmbedded } from '../../runtime/broker/embedded.ts'
import { Fleet } from '../../runtime/fleet.ts'
import { execute, Follower, peersOf } from '../../runtime/peers.ts'
import { until } from '../conform/context.ts'
import { numbered, openShop, running, schema } from './shop.ts'
import type { Test } from 'tap'
import type { Shop } from './shop.ts'

interface Runtime { readonly shop: Shop, readonly fleet: Fleet }

const files = { 'schemas/rows.yaml': schema, 'pipelines/rows.yaml': numbered('rows') }

async function start (t: Test, folder: string, name: string): Promise<Runtime> {
  const shop = await openShop(t, files)
  const broker = openEmbedded({ folder })
  const fleet = new Fleet({
    broker,
    shared: true,
    name,
    role: 'any',
    log: { error () {}, warn () {}, info () {}, debug () {} },
    status: async () => ({ url: '', version: '1', digest: await shop.supervisor.digest(), clickhouse: '', database: '', pipelines: [], failing: [] }),
    execute: command => execute(shop.supervisor, command)
  })
  fleet.open()
  t.teardown(async () => {
    await fleet.close()
    await broker.close()
  })
  return { shop, fleet }
}

async function startTwo (t: Test): Promise<[Runtime, Runtime]> {
  const folder = t.testdir()
  const two: [Runtime, Runtime] = [await start(t, folder, 'a'), await start(t, folder, 'b')]
  for (const { shop, fleet } of two) {
    await until(async () => (await fleet.members()).length === 2, 'they know each other')
    await running(shop, 'rows')
  }
  return two
}

/** Each test changes the rate; the files of both are the same at its end. */
const withRate = (rate: number): string => numbered('rows', { rate })
const [a, b] = await startTwo(t)
const write = (text: string): void => { for (const { shop } of [a, b]) shop.project.write('pipelines/rows.yaml', text) }

await t.test('a reload reaches all runtimes, with one receipt', async t => {
  write(withRate(400))
  const receipt = await a.shop.supervisor.reload({}, peersOf(a.fleet))
  t.match(receipt, { outcome: 'applied', changes: [{ pipeline: 'rows' }], runtimes: [{ runtime: 'b', outcome: 'applied' }] })
  t.equal(a.shop.status('rows').revision, b.shop.status('rows').revision)
})

await t.test('where one runtime has other files nothing is touched anywhere', async t => {
  const before = a.shop.status('rows').revision
  a.shop.project.write('pipelines/rows.yaml', withRate(500))
  const receipt = await a.shop.supervisor.reload({}, peersOf(a.fleet))
  t.match(receipt, { outcome: 'rejected', reason: /^b has other files/, changes: [], runtimes: [] })
  t.equal(a.shop.status('rows').revision, before)
  t.equal(b.shop.status('rows').revision, before)
  write(withRate(400))
})

await t.test('what fails in one runtime is taken back in all', async t => {
  const before = a.shop.status('rows').revision
  const throwing = (reason: string): string => `export default { kind: 'transform', description: 'x', options: {}, open () { ${reason}; return { map: batch => batch } } }`
  write(withRate(600).replace('outputs:', 'transforms: [bad]\noutputs:'))
  a.shop.project.write('plugins/transforms/bad/index.ts', throwing(''))
  b.shop.project.write('plugins/transforms/bad/index.ts', throwing("throw new Error('not on this machine')"))
  const receipt = await a.shop.supervisor.reload({}, peersOf(a.fleet))
  t.match(receipt, { outcome: 'rolled_back', reason: /^b: .*not on this machine/, runtimes: [{ runtime: 'b', outcome: 'rejected' }] })
  for (const { shop } of [a, b]) {
    t.equal(shop.status('rows').revision, before)
    await running(shop, 'rows')
    rmSync(join(shop.project.folder, 'plugins/transforms/bad'), { recursive: true })
  }
  write(withRate(400))
})

await t.test('a pipeline is paused and resumed in all runtimes', async t => {
  for (const verb of ['pause', 'resume'] as const) {
    t.strictSame(await a.fleet.command({ verb, pipeline: 'rows' }), [{ runtime: 'b', result: null, error: '' }])
    t.equal(b.shop.status('rows').state, verb === 'pause' ? 'paused' : 'running')
  }
})

await t.test('a runtime that missed a change follows the control side, and says so where it cannot', async t => {
  const control = { members: async () => (await b.fleet.members()).map(member => ({ ...member, control: member.runtime === 'a' })) }
  const platform = { supervisor: b.shop.supervisor, log: { error () {}, warn () {}, info () {}, debug () {} }, config: { name: 'b' } }
  const follower = new Follower(control as never, platform as never)
  const looks = async (): Promise<void> => { for (let i = 0; i < 3; i++) await follower.look() }
  await looks()
  const before = b.shop.status('rows').revision

  a.shop.project.write('pipelines/rows.yaml', withRate(700))
  t.match(await a.shop.supervisor.reload(), { outcome: 'applied' }, 'without the other one')
  const revision = await a.shop.supervisor.digest()
  await until(async () => (await b.fleet.members()).find(({ runtime }) => runtime === 'a')?.digest === revision, 'it is known')
  await looks()
  t.match(follower.trouble, /other files than the control side a/)
  t.equal(b.shop.status('rows').revision, before)

  b.shop.project.write('pipelines/rows.yaml', withRate(700))
  await looks()
  t.equal(b.shop.status('rows').revision, a.shop.status('rows').revision, 'it has the files, and runs them')
})
