// The platform is killed and stopped while it reads sources that forget what was acknowledged: the chaos cases of Conduit
// on the whole platform, all in the lives of one project.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeProject, startPlatform } from './project.ts'
import { Downstream, serve, Upstream, upstreamPlugin } from './upstream.ts'
import { eventually } from '../waiting.ts'
import type { RunningPlatform } from './project.ts'

const DRIFTED = 3
// More than can be used up before the kill.
const FAILURES = 1000
const schema = `
key: [source]
fields:
  n: { type: int64, required: true, description: Number of the row }
  source: { type: string, required: true, description: Where it is from }
  price: { type: float64, description: Price }
`

await t.test('the ledger tells a gap, and an acknowledgement out of order (Conduit: TestAckedSubsetOfDelivered_CatchesUnattributedAck)', async t => {
  const upstream = new Upstream({ prunes: true })
  upstream.ack(20)
  t.strictSame(upstream.read(20)?.[0], 20)
  t.strictSame(upstream.faults, [])
  upstream.read(0)
  upstream.ack(20)
  t.match(upstream.faults, [/rows from 0 on are asked for/, /20 is acknowledged after 20/])
})

await t.test('a platform that is killed and stopped while it reads upstreams', async t => {
  const [forgets, keeps] = [{ prunes: true }, { prunes: false }]
  const sources = { pruning: new Upstream(forgets), left: new Upstream(forgets), right: new Upstream(forgets), flaky: new Upstream(keeps), drift: new Upstream(forgets) }
  const destinations = { slow: new Downstream(), wall: new Downstream() }
  const { server, url } = await serve(sources, destinations, (source, n) => ({ n, source, price: source === 'drift' && n === DRIFTED ? 'no number' : n / 2 }))
  t.teardown(() => { server.closeAllConnections(); server.close() })
  Object.assign(destinations.slow, { delayMs: 120 })
  Object.assign(destinations.wall, { status: 503 })
  Object.assign(sources.flaky, { failAt: 60, failures: FAILURES })
  const pipeline = (name: keyof typeof sources, outputs: string, more = ''): string => `input: { upstream: { url: '${url}/${name}' } }\ntopic: ${name}\n${more}outputs:\n${outputs}`
  const file = (name: string): string => `  - file: { path: ${name}.ndjson }\n    flush: { rows: 40, ms: 30 }\n`
  const project = makeProject(join(t.testdir(), 'project'), {
    'plugins/inputs/upstream/index.ts': upstreamPlugin,
    ...Object.fromEntries([...Object.keys(sources), 'merged'].map(name => [`schemas/${name}.yaml`, schema])),
    'pipelines/pruning.yaml': pipeline('pruning', `${file('pruning')}  - http: { url: '${url}/slow' }\n    flush: { rows: 200, ms: 30 }\n`),
    'pipelines/left.yaml': pipeline('left', `  - topic: merged\n    flush: { rows: 40, ms: 30 }\n  - http: { url: '${url}/wall' }\n    flush: { rows: 40, ms: 30 }\n`),
    'pipelines/right.yaml': pipeline('right', '  - topic: merged\n    flush: { rows: 70, ms: 90 }\n'),
    'pipelines/merged.yaml': `topic: merged\noutputs:\n${file('merged')}`,
    'pipelines/flaky.yaml': pipeline('flaky', file('flaky')),
    'pipelines/drift.yaml': pipeline('drift', file('drift'), 'transforms:\n  - mapping: drift\n')
  })
  const start = async (): Promise<RunningPlatform> => {
    const platform = await startPlatform(project, { TWOLANE_CLICKHOUSE: 'http://127.0.0.1:9', TWOLANE_LOG_LEVEL: 'silent' })
    t.teardown(() => platform.kill())
    return platform
  }
  const read = (name: string): Array<{ n: number, source: string }> => readFileSync(join(project.data, `${name}.ndjson`), 'utf8').split('\n').slice(0, -1).map(line => JSON.parse(line) as { n: number, source: string })
  const faults = (): string[] => Object.entries(sources).flatMap(([name, upstream]) => upstream.faults.map(fault => `${name}: ${fault}`))
  const goOn = async (rows: number, names = Object.keys(sources) as Array<keyof typeof sources>): Promise<void> => {
    const goals = names.map(name => [sources[name], sources[name].acked + rows] as const)
    await eventually(`${names.join()} go on`, () => goals.every(([upstream, goal]) => upstream.acked >= goal) || undefined, 20)
  }

  await t.test('killed in the back-off of one and in the middle of the others (Conduit: TestSIGKILL_RecoveryLoop_CrashDuringBackoff)', async t => {
    const platform = await start()
    await goOn(100, ['pruning', 'left', 'right', 'drift'])
    await eventually('the flaky one waits', () => sources.flaky.refused > 1 || undefined, 20)
    await platform.kill()
    t.ok(sources.flaky.failures > 0, 'it was not over')
    t.equal(sources.flaky.acked, 60)
  })

  await t.test('killed in the run after a recovery (Conduit: TestSIGKILL_RecoveryLoop_CrashDuringRecoveredRun)', async t => {
    const { refused } = sources.flaky
    sources.flaky.failures = 1
    const platform = await start()
    await goOn(100)
    t.equal(sources.flaky.refused, refused + 1, 'it was refused once, and recovered')
    await platform.kill()
    t.strictSame(faults(), [], 'no source was asked for what it has forgotten')
  })

  await t.test('a change under load drains, and SIGTERM sends every acknowledgement that is owed (Conduit: TestSIGTERM_GracefulTeardown_DrainsDeferredAck)', async t => {
    const platform = await start()
    await goOn(60)
    project.write('pipelines/flaky.yaml', pipeline('flaky', file('flaky').replace('rows: 40', 'rows: 50')))
    const { body } = await platform.api('POST', '/v1/reload')
    t.match(body, { outcome: 'applied', changes: [{ pipeline: 'flaky', change: 'changed', inFlight: 'drained' }] })
    await goOn(60)
    const ended = once(platform.process, 'exit')
    platform.process.kill('SIGTERM')
    t.equal((await ended)[0], 0, 'it stops in the orderly way')
  })

  await t.test('every reading begins at or behind what was acknowledged, and after SIGTERM exactly there (Conduit: TestSIGKILL_PruningUpstream_NoGap)', async t => {
    const acked = Object.fromEntries(Object.entries(sources).map(([name, upstream]) => [name, upstream.acked]))
    for (const upstream of Object.values(sources)) upstream.total = upstream.acked + 50
    t.equal(destinations.wall.rows.length, 0)
    const before = await start()
    await eventually('all read again', () => Object.values(sources).every(({ acked, total }) => acked === total) || undefined)
    t.strictSame(Object.fromEntries(Object.entries(sources).map(([name, { opened }]) => [name, opened.at(-1)])), acked)
    const { body: { healthy, steps } } = await before.api<{ healthy: boolean, steps: Array<{ step: string, lag_rows?: number }> }>('GET', '/v1/pipelines/left')
    t.strictSame([healthy, steps.find(({ step }) => step === 'outputs.http')?.lag_rows], [false, sources.left.total], 'the position of what was refused has not moved')
    destinations.wall.status = 200
    const wanted = { pruning: sources.pruning.total, flaky: sources.flaky.total, drift: sources.drift.total - 1, merged: sources.left.total + sources.right.total }
    const arrived = (): boolean => Object.entries(wanted).every(([name, rows]) => read(name).length >= rows)
    const taken = (): boolean => new Set(destinations.slow.rows).size >= sources.pruning.total && new Set(destinations.wall.rows).size >= sources.left.total
    await eventually('all rows are there', () => (arrived() && taken()) || undefined)
    const { body: { rows: refused } } = await before.api<{ rows: unknown[] }>('GET', '/v1/topics/drift.rejected/tail?rows=10')
    t.equal(refused.length, 1, 'the drifted row was refused once, with a reason')
    t.equal(await before.stop(), 0)
    t.strictSame(faults(), [])
  })

  const numbers = (total: number): number[] => Array.from({ length: total }, (_, n) => n)

  await t.test('no gap, no double, in order, from sources that forget and from those that do not (Conduit: TestSIGKILL_DurableUpstream_NoGap)', async t => {
    for (const name of ['pruning', 'flaky'] as const) t.strictSame(read(name).map(({ n }) => n), numbers(sources[name].total), name)
  })

  await t.test('each branch has every row, also the slow one (Conduit: TestSIGKILL_MidFanout_GaplessResume)', async t => {
    t.strictSame([...new Set(destinations.slow.rows)], numbers(sources.pruning.total), 'the first time in order')
  })

  await t.test('two sources with the same positions keep theirs apart in one destination (Conduit: TestSIGKILL_NSource_FastAndSlow_GaplessIndependentResume)', async t => {
    const merged = read('merged')
    for (const name of ['left', 'right'] as const) t.strictSame(merged.filter(({ source }) => source === name).map(({ n }) => n), numbers(sources[name].total), name)
  })

  await t.test('a row that has drifted is set aside and passed, and a destination that takes none loses none (Conduit: TestSchemaDrift_TransportHalf_DLQRouting, TestSchemaDrift_TransportHalf_Halt_PositionNeverAdvances)', async t => {
    t.strictSame(read('drift').map(({ n }) => n), numbers(sources.drift.total).filter(n => n !== DRIFTED))
    t.strictSame([...new Set(destinations.wall.rows)], numbers(sources.left.total))
  })
})
