// What follows from what, and what people without a login are told.

import t from 'tap'
import { DatabaseSync } from 'node:sqlite'
import { Backups } from '../../../runtime/backup/backups.ts'
import { HealthMetrics } from '../../../runtime/health/health-metrics.ts'
import { engineNotes } from '../../../runtime/health/engine-notes.ts'
import { findingsOf } from '../../../runtime/health/findings.ts'
import { Refusals } from '../../../runtime/health/refusals.ts'
import { HealthRecord } from '../../../runtime/health/record.ts'
import { badgeOf, publicStatus } from '../../../runtime/health/public-status.ts'
import { grouped, judge } from '../../../runtime/health/verdict.ts'
import { changesSince } from '../../../runtime/health/changes.ts'
import type { TopicState } from '../../../runtime/broker/broker.ts'
import type { Facts } from '../../../runtime/health/facts.ts'
import type { Finding } from '../../../runtime/health/findings.ts'
import type { Pipeline } from '../../../runtime/pipeline.ts'
import type { Looked } from '../../../runtime/health/health-metrics.ts'
import type { Opening } from '../../../runtime/platform.ts'
import type { Topic } from '../../../runtime/schema.ts'

const now = Date.parse('2024-01-02T15:00:00Z')
const day = 86_400_000

function schema (name: string, more: Partial<Topic> = {}): Topic {
  return { name, description: name, owner: '', fields: [], key: [], eventTime: '', partitions: 1, retention: { ms: day, bytes: 1, beyondOutputs: false }, hash: '', ...more }
}

function pipeline (id: string, topic: string): Pipeline {
  const flush = { rows: 1, ms: 250, bytes: 1 }
  return {
    id,
    topic,
    enabled: true,
    revision: '',
    transforms: [],
    schedule: undefined,
    input: { kind: 'input', plugin: 'websocket', name: 'input.websocket', config: {} },
    outputs: [{ kind: 'output', plugin: 'streaming-database', name: 'outputs.streaming-database', config: { url: null, database: 'streaming', table: null, schema: null }, flush }]
  } as unknown as Pipeline
}

/** Two healthy pipelines with fresh rows, but for what is given. */
function facts (more: Partial<Facts> = {}): Facts {
  const status = (id: string): Facts['pipelines'][number] => ({ id, state: 'running', healthy: true, reasons: [], revision: '', topic: id, steps: [], restarts: 0, lastFailure: '', since: 0 })
  const topic = (name: string) => ({ name, bytes: 1, partitions: [{ partition: 0, first: 0, next: 9, time: now - 2000 }], groups: [] })
  return {
    now,
    pipelines: [status('quotes'), status('secret')],
    definitions: [pipeline('quotes', 'quotes'), pipeline('secret', 'secret')],
    schemas: new Map([['quotes', schema('quotes', { public: true })], ['secret', schema('secret')]]),
    broken: [],
    engine: { known: true, value: { clockMs: 0, outOfSpace: 0, unreadable: 0 } },
    warehouse: undefined,
    topics: { known: true, value: new Map([['quotes', topic('quotes')], ['secret', topic('secret')]]) },
    lags: [],
    disk: { known: true, value: { freeBytes: 50 * 2 ** 30, totalBytes: 100 * 2 ** 30, reserveBytes: 2 ** 30 } },
    waiting: [],
    jobs: [],
    canary: { state: 'ok', at: now - 12_000, hops: [] },
    quality: [],
    markets: new Map(),
    refused: [],
    runtimes: [],
    notes: [],
    ...more
  }
}

function topicOf (next: number, taken: number): TopicState {
  return { name: '', bytes: 1, partitions: [{ partition: 0, first: 0, next, time: 0 }], groups: [{ group: 'a', partition: 0, offset: taken, lagMs: 0 }] }
}

function broken (id: string, step: string, reason: string): Facts['pipelines'][number] {
  return { id, state: 'running', healthy: false, reasons: [reason], revision: '', topic: id, steps: [{ step, ok: false, state: 'backing_off', reason }], restarts: 0, lastFailure: '', since: 0 }
}

const down = { known: false, reason: 'connection refused' } as const

await t.test('green needs evidence: the canary arrived', async t => {
  const { state, sentence } = judge(facts())
  t.equal(state, 'ok')
  t.equal(sentence, 'All 2 datasets are up to date, and the canary of 12 s ago arrived everywhere.')
  t.match(judge(facts({ canary: { state: 'absent', at: 0, hops: [] } })).sentence, /no canary is sent that would prove it/)
  t.equal(judge(facts({ canary: { state: 'absent', at: 0, hops: [] } })).evidence[0]?.ok, false)
})

await t.test('a database that is down is one problem, whatever follows from it', async t => {
  const late = { hop: 'streaming database', pipeline: 'canary', step: 'outputs.streaming-database', state: 'late', at: 0, ms: 0, reason: 'no row' } as const
  const verdict = judge(facts({ engine: down, pipelines: [broken('quotes', 'outputs.streaming-database', 'refused'), broken('secret', 'outputs.streaming-database', 'refused')], lags: [{ pipeline: 'quotes', step: 'outputs.streaming-database', rows: 9, seconds: 500 }], canary: { state: 'late', at: 0, hops: [late] } }))
  t.equal(verdict.state, 'down')
  t.equal(verdict.problems.length, 1)
  t.match(verdict.problems[0], { id: 'engine', severity: 'error', datasets: ['canary', 'quotes', 'secret'] })
  t.equal(verdict.problems[0]?.hides.length, 4)
  t.match(verdict.sentence, /^The streaming database does not answer: connection refused\. It holds up canary, quotes, secret\.$/)
})

await t.test('a connector that is dead hides the age of its dataset, and no other one', async t => {
  const rule = { name: 'fresh', metric: 'freshness', description: '', dimension: '', unit: 'seconds', during: 'XNYS', by: [], reject: false, lookbackMs: day, error: { operator: 'mustBeLessThan', values: [60] } } as const
  const topics = facts().topics
  if (topics.known) (topics.value as Map<string, unknown>).set('quotes', { name: 'quotes', bytes: 1, partitions: [{ partition: 0, first: 0, next: 9, time: now - 600_000 }], groups: [] })
  const stale = facts({ topics, schemas: new Map([['quotes', schema('quotes', { quality: [rule] })], ['secret', schema('secret')]]), markets: new Map([['quotes', { calendar: 'XNYS', openMs: now - 3_600_000 }]]) })
  t.match(judge(stale).problems, [{ id: 'dataset/quotes', severity: 'error', cause: /No row came for 600 s while XNYS is open/ }])
  const dead = judge({ ...stale, pipelines: [broken('quotes', 'input.websocket', 'the venue does not answer'), ...stale.pipelines.slice(1)] })
  t.equal(dead.state, 'degraded')
  t.match(dead.problems, [{ id: 'pipeline/quotes/input.websocket', datasets: ['quotes'], hides: [{ part: 'dataset quotes' }] }])
  t.match(dead.problems[0]?.actions, [{ title: 'Restart', method: 'POST', path: '/v1/pipelines/quotes/restart' }])
  const closed = judge({ ...stale, markets: new Map([['quotes', { calendar: 'XNYS', openMs: undefined }]]) })
  t.same(closed.problems, [], 'nobody is woken while the market is closed')
  t.equal(closed.datasets.find(({ dataset }) => dataset === 'quotes')?.state, 'closed')
})

await t.test('item 40: what cannot be known is a fault, never a sign that all is well', async t => {
  for (const one of [{ engine: down }, { topics: down }, { disk: down }]) t.not(judge(facts(one)).state, 'ok')
  t.equal(judge(facts({ topics: down })).datasets[0]?.state, 'unknown')
})

await t.test('findings that name each other as the cause still have a root', async t => {
  const one = (id: string, follows: string[]): Finding => ({ id, part: id, severity: 'warning', cause: id, remedy: '', actions: [], follows, datasets: [] })
  const problems = grouped([one('a', ['b']), one('b', ['a']), one('c', ['a'])])
  t.equal(problems.reduce((sum, { hides }) => sum + 1 + hides.length, 0), 3)
})

await t.test('a pipeline that refuses what comes is not green, although it runs', async t => {
  const found = judge(facts({ refused: [{ topic: 'quotes', rows: 100, refused: 99, reason: 'price: no number' }, { topic: 'secret', rows: 100, refused: 2, reason: '' }] }))
  t.equal(found.state, 'degraded')
  t.match(found.problems, [{ id: 'refused/quotes', severity: 'error', cause: '99% of the newest rows of quotes were refused (99 of 100): price: no number', datasets: ['quotes'], remedy: /npx twolane rejected quotes/ }, { id: 'refused/secret', severity: 'warning' }])

  const refusals = new Refusals()
  const look = (at: number, rows: number, refused: number, taken = rows): unknown => refusals.take(new Map([['quotes', topicOf(rows, taken)], ['quotes.rejected', topicOf(refused, 0)]]), at)
  t.same(look(0, 1000, 500), [], 'what was before is nobody\'s business')
  t.same(look(15_000, 1100, 501, 1100), [{ topic: 'quotes', rows: 100, refused: 1 }])
  t.same(look(day / 2, 1100, 501, 1100), [{ topic: 'quotes', rows: 100, refused: 1 }], 'until others come')
  t.same(look(2 * day, 1100, 501, 1100), [], 'or a day is over')
  t.same(look(2 * day + 1000, 1100, 1501, 2100), [{ topic: 'quotes', rows: 1000, refused: 1000 }], 'an output that was behind')
  t.same(look(2 * day + 3000, 5, 0), [], 'a topic that was made anew')
})

await t.test('schedules that stand still, and runs that did not begin, are told', async t => {
  const job = (id: string, next: number, more = {}): unknown => ({ task: { id, schedule: { when: { kind: 'every', ms: 60_000 } } }, next, queued: 0, paused: false, ...more })
  const jobs = [job('fine', now + 60_000), job('back', now + day), job('late', now - 600_000), job('rests', now + day, { paused: true }), job('works', now - 600_000, { running: {} })] as Facts['jobs']
  t.match(findingsOf(facts({ jobs })), [{ id: 'schedules', cause: 'The clock was set back: the schedules of back stand still until 2024-01-03T15:00:00.000Z' }, { id: 'late/late', cause: /should have begun at 2024-01-02T14:50/ }])
})

await t.test('failed jobs, days that wait, full disks and clocks apart are told', async t => {
  const last = { state: 'failed', id: 'r1', error: 'no route' }
  const found = findingsOf(facts({
    disk: { known: true, value: { freeBytes: 2 ** 29, totalBytes: 2 ** 36, reserveBytes: 0 } },
    engine: { known: true, value: { clockMs: -9000, outOfSpace: 0, unreadable: 7 } },
    jobs: [{ task: { id: 'handoff', schedule: { when: { kind: 'manual' } } }, kind: 'task', last }] as unknown as Facts['jobs'],
    waiting: [{ dataset: 'quotes', topic: 'quotes', day: '2024-01-01', reason: 'late rows', since: now - 7_200_000 }],
    runtimes: ['The runtime b was not heard of for 30 s']
  }))
  t.same(found.map(({ id }) => id), ['disk/low', 'unreadable/clickhouse', 'clock', 'runtime/The runtime b was not heard of', 'job/handoff', 'handoff/quotes'])
  t.same(found.filter(({ actions }) => actions.length > 2), [])
})

await t.test('item 43: people without a login learn no name that is not public, and no cause', async t => {
  const verdict = judge(facts({ pipelines: [broken('secret', 'outputs.streaming-database', 'password of hunter2 refused')] }))
  const record = new HealthRecord(new DatabaseSync(':memory:'))
  record.note(verdict)
  const status = publicStatus(verdict, record.incidents(10), () => undefined)
  t.notMatch(JSON.stringify(status), /secret|hunter2/)
  t.same(status.datasets, [{ dataset: 'quotes', state: 'fresh', seconds: 2 }])
  t.equal(status.parts.find(({ name }) => name === 'Streaming database')?.state, 'degraded')
  t.equal(status.incidents[0]?.part, 'Streaming database')
  t.match(badgeOf('degraded'), /aria-label="Twolane: degraded"/)
})

await t.test('incidents begin and end, and time in which nobody looked is down', async t => {
  const record = new HealthRecord(new DatabaseSync(':memory:'))
  const bad = judge(facts({ engine: down }))
  record.note({ ...bad, at: now })
  record.note({ ...bad, at: now + 15_000 })
  t.equal(record.since({ id: 'engine' }, now + 20_000), now)
  const notice = judge(facts({ notes: [{ part: 'backup', severity: 'notice', cause: 'none', remedy: '' }] })).problems
  record.note({ at: now + 15_000, state: 'down', problems: [...bad.problems, ...notice] })
  t.equal(record.since({ id: 'note/backup' }, now + 29_000), now + 15_000, 'also of one that is no error')
  record.note({ at: now + 30_000, state: 'ok', problems: [] })
  t.match(record.incidents(10), [{ problem: 'engine', since: now, until: now + 30_000 }])
  record.note({ at: now + 60_000, state: 'ok', problems: [] })
  t.equal(record.uptime(1, now + 60_000), 45 / 60)
  record.note({ at: now + 3 * day, state: 'ok', problems: [] })
  t.ok((record.uptime(30, now + 3 * day) ?? 1) < 0.001)
  t.equal(record.incidents(10).length, 1)
})

await t.test('what has changed since somebody looked is told once they come back', async t => {
  const record = new HealthRecord(new DatabaseSync(':memory:'))
  t.equal(record.look('ann', now), now - day, 'at first the day before')
  t.equal(record.look('ann', now + 60_000), now - day, 'while they look it stays')
  t.equal(record.look('ann', now + 7_200_000), now + 60_000)
  const receipt = { revision: 3, time: now, outcome: 'applied', reason: '', problems: [], changes: [{ pipeline: 'quotes', change: 'changed', from: 'a', to: 'b', inFlight: 'none', ms: 1 }], runtimes: [], ms: 1 } as const
  t.match(changesSince(now, [receipt], [{ at: now + 1, user: 'bob', action: 'user.create', target: 'eve' }]), [{ who: 'bob', what: 'user.create eve' }, { kind: 'reload', what: 'Reload 3: quotes changed' }])
})

await t.test('a disk with some room left is a warning, and the cause of nothing', async t => {
  const low: Facts['disk'] = { known: true, value: { freeBytes: 3 * 2 ** 30, totalBytes: 100 * 2 ** 30, reserveBytes: 2 ** 30 } }
  const { problems } = judge(facts({ disk: low, pipelines: [broken('quotes', 'input.websocket', 'Connection refused')] }))
  t.match(problems.map(({ id, severity, hides }) => [id, severity, hides.length]).toSorted(), [['disk/low', 'warning', 0], ['pipeline/quotes/input.websocket', 'error']])
  const small: Facts['disk'] = { known: true, value: { freeBytes: 0.9 * 2 ** 30, totalBytes: 2 ** 30, reserveBytes: 2 ** 26 } }
  t.match(judge(facts({ disk: small })).problems, [{ id: 'disk/low' }])
})

await t.test('the disk is forecast from the growth of days, not of minutes', async t => {
  const record = new HealthRecord(new DatabaseSync(':memory:'))
  t.equal(record.sample(100, now), undefined)
  t.equal(record.sample(10, now + 3_600_000), undefined)
  t.equal(record.sample(50, now + 2 * day + 3_600_000)?.toFixed(0), '2')
})

await t.test('an engine that hung or died is told for an hour, although it came back', async t => {
  const hung = { at: now - 60_000, kind: 'hung', reason: 'it did not answer for 60 s and was ended' } as const
  const died = { at: now - 120_000, kind: 'died', reason: 'the process ended (SIGKILL)' } as const
  const { state, problems } = judge(facts({ notes: engineNotes([hung], now) }))
  t.equal(state, 'degraded')
  t.match(problems, [{ part: 'clickhouse process', cause: /was started again, at 2024-01-02T14:59:00Z the last time: it did not answer for 60 s and was ended$/, remedy: /Nothing is lost/ }])
  t.match(engineNotes([died], now), [{ severity: 'warning', remedy: /ran out of memory/ }])
  t.match(engineNotes([died, died, died], now), [{ severity: 'error', cause: /was started again 3 times in the last hour/ }])
  t.same(engineNotes([hung], now + 3_600_000), [])
  t.same(engineNotes([{ ...died, kind: 'asked' }], now), [])
})

await t.test('that no backup was made is told from when its place was set, over all restarts', async t => {
  const database = new DatabaseSync(':memory:')
  t.teardown(() => database.close())
  const start = (backupTo: string): Backups => new Backups({ store: { database }, config: { backupTo } } as unknown as Opening)
  t.same(start('/backups').notes(now), [])
  t.same(start('/backups').notes(now + day), [])
  t.match(start('/backups').notes(now + 2 * day), [{ part: 'backup', severity: 'error', cause: 'No backup was made since the place for them was set, 2 days ago' }])
  t.same(start('/elsewhere').notes(now + 2 * day), [], 'another place has its own time')
  database.prepare('insert into backups (id, at, place) values (?, ?, ?)').run('one', now, '/backups')
  t.match(start('/backups').notes(now + 2 * day), [{ cause: 'The newest backup is 2 days old' }])
})

await t.test('metrics of the health have few labels, and leave out what nobody knows', async t => {
  const look = (more: Partial<Facts> = {}): Looked => ({ verdict: judge(facts(more)), facts: facts(more) })
  const read = async (looked: Looked | undefined, lastBackup?: number) => {
    const metrics = new HealthMetrics({ looked: () => looked, alerts: () => [{ severity: 'error', fired: 1 }, { severity: 'error', fired: 0 }], lastBackup: () => lastBackup })
    return new Map((await metrics.read(now)).flatMap(({ name, values }) => values.map(({ labels, value }) => [[name, ...Object.values(labels)].join(' '), value])))
  }
  t.same(await read(undefined), new Map())
  const hops = [{ hop: 'topic', pipeline: 'canary', step: 'input.generate', state: 'ok', at: now, ms: 20, reason: '' }, { hop: 'lake', pipeline: 'canary', step: 'outputs.lake', state: 'late', at: 0, ms: 0, reason: 'no row for 500 s' }] as const
  const series = await read(look({ engine: down, canary: { state: 'late', at: 0, hops } }))
  t.match(Object.fromEntries(series), {
    twolane_health_state: 2,
    'twolane_part_state Streaming database': 2,
    'twolane_part_state Lake': 1,
    'twolane_problems error': 2,
    'twolane_canary_hop_seconds topic': 0.02,
    'twolane_canary_hop_late topic': 0,
    'twolane_canary_hop_late lake': 1,
    'twolane_alerts_open error': 1,
    twolane_disk_free_bytes: 50 * 2 ** 30
  })
  for (const name of ['twolane_canary_hop_seconds lake', 'twolane_canary_age_seconds', 'twolane_backup_age_seconds']) t.notOk(series.has(name), name)
  t.match(Object.fromEntries(await read(look(), now - 5000)), { twolane_health_state: 0, twolane_canary_age_seconds: 12, twolane_backup_age_seconds: 5 })
  const many = Array.from({ length: 500 }, (_, i) => ({ part: `part ${i}`, severity: 'error', cause: 'broken', remedy: '' } as const))
  t.ok((await read(look({ notes: many }))).size < 30)
})

await t.test('the hop at which the canary stopped is named in the problem and on the status of all', async t => {
  const names = ['connector', 'topic', 'streaming database', 'data', 'warehouse', 'lake']
  const parts = ['Connectors', 'Topics', 'Streaming database', 'Streaming database', 'Warehouse', 'Lake']
  for (const [i, name] of names.entries()) {
    const hops = names.map((hop, j) => ({ hop, pipeline: 'canary', step: `step ${hop}`, state: j < i ? 'ok' : 'late', at: 0, ms: 0, reason: j < i ? '' : 'no row for 500 s' } as const))
    const verdict = judge(facts({ canary: { state: 'late', at: now, hops } }))
    t.match(verdict.problems, [{ part: 'canary', cause: `The canary has not arrived at the hop "${name}": no row for 500 s`, remedy: `Look at step ${name} of canary.` }], name)
    const status = publicStatus(verdict, [], () => 1)
    t.equal(status.canary.stopped_at, name)
    t.same(status.parts.filter(({ state }) => state !== 'ok').map(({ name }) => name), [parts[i]])
  }
})

await t.test('a disk below its reserve is an error that says that inputs wait, and hides their steps', async t => {
  const full = { known: true, value: { freeBytes: 9 * 2 ** 30, totalBytes: 100 * 2 ** 30, reserveBytes: 10 * 2 ** 30 } } as const
  const { problems, sentence } = judge(facts({ disk: full, pipelines: [broken('quotes', 'input.websocket', 'The disk has 9 GB left')] }))
  t.match(problems, [{ id: 'disk', severity: 'error', hides: [{ id: 'pipeline/quotes/input.websocket' }], datasets: ['quotes', 'secret'], remedy: /go on by themselves/ }])
  t.match(sentence, /has 9\.0 of 100 GB left, and 10 GB stay free: inputs wait\. It holds up quotes, secret/)
})
