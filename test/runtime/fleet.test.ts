// Two runtimes on one topic. The embedded broker stands in for Kafka: what a fleet says and hears are rows of a topic.

import t from 'tap'
import { openEmbedded } from '../../runtime/broker/embedded.ts'
import { Fleet } from '../../runtime/fleet.ts'
import { PlatformError } from '../../runtime/errors.ts'
import { until } from '../conform/context.ts'
import type { Test } from 'tap'
import type { Command, FleetOptions } from '../../runtime/fleet.ts'
import type { Json } from '../../runtime/plugin.ts'

const quiet = { error () {}, warn () {}, info () {}, debug () {} }

interface Runtime { readonly fleet: Fleet, readonly obeyed: Command[] }

function start (t: Test, folder: string, name: string, { execute, ...more }: Partial<FleetOptions> = {}): Runtime {
  const broker = openEmbedded({ folder })
  const obeyed: Command[] = []
  const fleet = new Fleet({
    broker,
    shared: true,
    name,
    role: 'any',
    log: quiet,
    status: async () => ({ url: `http://${name}`, version: '1', digest: 'd', clickhouse: 'http://db', database: '', pipelines: [], failing: [] }),
    execute: async command => {
      obeyed.push(command)
      return execute === undefined ? `${name} did` : execute(command)
    },
    ...more
  })
  fleet.open()
  t.teardown(async () => {
    await fleet.close()
    await broker.close()
  })
  return { fleet, obeyed }
}

async function namesOf (fleet: Fleet): Promise<string[]> {
  return (await fleet.members()).map(({ runtime }) => runtime)
}

async function together (...runtimes: readonly Runtime[]): Promise<void> {
  for (const { fleet } of runtimes) await until(async () => (await namesOf(fleet)).length === runtimes.length, 'all know each other')
}

await t.test('each runtime sees all others and how they are', async t => {
  const folder = t.testdir()
  const [a, b] = [start(t, folder, 'a'), start(t, folder, 'b', { role: 'worker' })]
  await together(a, b)
  t.match(await a.fleet.members(), [{ runtime: 'a', role: 'any', control: true, url: 'http://a' }, { runtime: 'b', role: 'worker', control: false, url: 'http://b' }])
  t.notOk(b.fleet.isControl, 'a worker never is the control side')
})

await t.test('a command reaches all others once, and each one answers', async t => {
  const folder = t.testdir()
  const [a, b, c] = [start(t, folder, 'a'), start(t, folder, 'b'), start(t, folder, 'c', { execute: async (): Promise<Json> => { throw new PlatformError('NOT_FOUND', 'no such pipeline') } })]
  await together(a, b, c)
  t.strictSame(await a.fleet.command({ verb: 'pause', pipeline: 'quotes' }), [
    { runtime: 'b', result: 'b did', error: '' },
    { runtime: 'c', result: null, error: 'no such pipeline' }
  ], 'with its result or what was wrong')
  t.match(b.obeyed, [{ verb: 'pause', pipeline: 'quotes' }])
  t.strictSame(a.obeyed, [], 'who commands does it by itself')
  await a.fleet.command({ verb: 'revert' }, ['c'])
  t.equal(b.obeyed.length, 1, 'a command to one is not for the others')
  t.equal(c.obeyed.length, 2)
})

await t.test('what was commanded before a runtime began is not for it', async t => {
  const folder = t.testdir()
  const [a, b] = [start(t, folder, 'a'), start(t, folder, 'b')]
  await together(a, b)
  await a.fleet.command({ verb: 'reload' })
  await b.fleet.close()
  const again = start(t, folder, 'b')
  await together(a, again)
  t.strictSame(again.obeyed, [])
})

await t.test('a runtime that falls silent while it is asked is not waited for to the end', async t => {
  const folder = t.testdir()
  const never = Promise.withResolvers<Json>()
  const [a, b] = [start(t, folder, 'a'), start(t, folder, 'b', { execute: () => never.promise })]
  await together(a, b)
  const answers = a.fleet.command({ verb: 'reload' })
  await until(() => b.obeyed.length === 1, 'it was heard')
  await b.fleet.close()
  t.match(await answers, [{ runtime: 'b', result: null, error: /did not answer/ }])
  never.resolve(null)
})

await t.test('alone, nothing is said and nothing is waited for', async t => {
  const { fleet } = start(t, t.testdir(), 'a', { shared: false })
  await fleet.known(60_000)
  t.ok(fleet.isControl)
  t.strictSame(await namesOf(fleet), ['a'])
  t.strictSame(await fleet.command({ verb: 'reload' }), [])
})
