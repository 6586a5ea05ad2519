import t from 'tap'
import { names, standardFields } from '../../../../plugins/inputs/interactive-brokers/fields.ts'
import { readFrame } from '../../../../plugins/inputs/interactive-brokers/frames.ts'
import { Quotes } from '../../../../plugins/inputs/interactive-brokers/quotes.ts'
import { Caster } from '../../../../runtime/cast/cast.ts'
import { checkNames, connect } from '../../../../runtime/connector.ts'
import { fromRows } from '../../../../runtime/batch.ts'
import { until } from '../../../conform/context.ts'
import { apple, run, sameAsSent, simulate, stream, topics } from './driver.ts'
import type { Chunk, Row, Topic } from '../../../../runtime/plugin.ts'

const aapl = { symbol: 'AAPL', conid: apple }

await t.test('text and binary frames are read alike, and numbers keep their digits', async t => {
  const text = '{"topic":"smd+265598","conid":265598,"_updated":1777542000123,"31":"C1,193.18","87":"12.2M","87_raw":1.22E7,"9999":12345678901234567890,"83":0.5612345678901234567}'
  const frame = readFrame(text)
  t.strictSame(readFrame(new TextEncoder().encode(text).buffer), frame)
  t.match(frame, { kind: 'data', conid: apple, values: { _updated: 1777542000123, 31: 'C1,193.18', 87: '12.2M', '87_raw': 12200000, 9999: '12345678901234567890', 83: '0.5612345678901234567' } })
})

await t.test('whatever cannot be read is told apart and passed over', async t => {
  const cases: Array<[string, object]> = [
    ['', { kind: 'rejected', reason: 'garbage' }],
    ['{"topic":"smd+265598","31":"19', { kind: 'rejected', reason: 'garbage' }],
    ['[1,2]', { kind: 'rejected', reason: 'garbage' }],
    ['null', { kind: 'rejected', reason: 'garbage' }],
    ['"text"', { kind: 'rejected', reason: 'garbage' }],
    ['{}', { kind: 'rejected', reason: 'empty' }],
    ['{"topic":7}', { kind: 'rejected', reason: 'unknown' }],
    ['{"topic":"xyz","args":{}}', { kind: 'rejected', reason: 'unknown' }],
    ['{"topic":"smd+abc","31":"1"}', { kind: 'rejected', reason: 'garbage' }],
    ['{"topic":"smd+265598","server_id":"q1","_updated":1}', { kind: 'rejected', reason: 'empty' }],
    ['{"topic":"smd+265598","31":"1","_updated":1}', { kind: 'data', conid: apple }],
    ['{"topic":"smd+265598","error":"no"}', { kind: 'error', topic: 'smd+265598', text: 'no' }],
    ['{"error":"Topic unknown","code":1}', { kind: 'error', topic: '', text: 'Topic unknown' }],
    ['{"message":"waiting for session"}', { kind: 'waiting' }],
    ['{"message":"Unsubscribed 7"}', { kind: 'known' }],
    ['{"topic":"sts","args":null}', { kind: 'session', args: {} }],
    ['{"topic":"system","hb":1}', { kind: 'known' }],
    ['{"topic":"tic","alive":true}', { kind: 'tic' }],
    ['ech+hb', { kind: 'rejected', reason: 'garbage' }],
    [`{"topic":"ntf","args":"${'x'.repeat(2 ** 20)}"}`, { kind: 'rejected', reason: 'huge' }],
    [`${'['.repeat(5000)}${']'.repeat(5000)}`, { kind: 'rejected', reason: 'garbage' }]
  ]
  for (const [text, expected] of cases) t.match(readFrame(text), expected, text.slice(0, 40))
})

await t.test('rows hold the values as they stand, and begin anew after an interruption', async t => {
  const quotes = new Quotes()
  const first = quotes.merge(aapl, { topic: 'smd+265598', conid: apple, _updated: 1, 31: 'C193.18', 84: '193.06', 6509: 'DPB' }, 10)
  t.match(first.row, { symbol: 'AAPL', conid: apple, received_time: 10, snapshot: true, delayed: true, 31: 'C193.18', changed: ['last', 'bid', 'market_data_status'] })
  const second = quotes.merge(aapl, { conid: apple, _updated: 2, 84: '193.07' }, 11)
  t.match(second.row, { snapshot: false, delayed: true, 31: 'C193.18', 84: '193.07', 6509: 'DPB', _updated: 2, changed: ['bid'] })
  t.ok(second.differs)
  t.notOk(quotes.merge(aapl, { conid: apple, _updated: 3, 84: '193.07' }, 12).differs)
  quotes.restart(apple)
  const third = quotes.merge(aapl, { conid: apple, _updated: 4, 84: '193.07' }, 13)
  t.match(third.row, { snapshot: true, 84: '193.07', changed: ['bid'] })
  t.notOk('31' in third.row, 'what was known before is not carried over')
  t.notOk(third.differs, 'but it still tells whether something was missed')
})

await t.test('hostile names do no harm, and their number is bounded', async t => {
  const quotes = new Quotes()
  const frame = readFrame('{"topic":"smd+265598","31":"1","__proto__":{"polluted":true},"constructor":"x","symbol":"EVIL","changed":"EVIL"}')
  t.equal(frame.kind, 'data')
  const { row } = quotes.merge(aapl, (frame as { values: Record<string, unknown> }).values, 1)
  t.match(row, { symbol: 'AAPL', changed: ['last'], constructor: 'x' })
  t.equal(({} as Record<string, unknown>)['polluted'], undefined)
  for (let i = 0; i < 5000; i++) quotes.merge(aapl, { [String(10_000 + i)]: i }, 1)
  const after = quotes.merge(aapl, { 31: '2' }, 1).row
  t.ok(Object.keys(after).length < 600, 'the merged values are bounded')
})

await t.test('each field that has a name has its place in a schema, and what has none goes to extra', async t => {
  const quotes = topics.get('quotes') as Topic
  const bars = topics.get('bars') as Topic
  for (const name of Object.values(names)) t.ok([...quotes.fields, ...bars.fields].some(field => field.name === name), name)
  for (const id of standardFields) t.ok(id in names, id)
  const { row } = new Quotes().merge(aapl, { topic: 'smd+265598', conid: apple, conidEx: '265598', server_id: 'q1', _updated: 5, 6119: 'q1', 31: '1', 7308: '0.5' }, 6)
  const [renamed] = [...connect(quotes, names)(fromRows(quotes, [row])).rows()]
  t.match(renamed, { symbol: 'AAPL', event_time: 5, received_time: 6, last: '1', server_id: 'q1', request_marker: 'q1', contract: '265598', stream: 'smd+265598', extra: { 7308: '0.5' } })
  t.equal(renamed?.['bid'], 'not present in source system')
})

await t.test('what it writes passes the mapping of its topics', async t => {
  const simulator = await simulate(t, { faults: [{ name: 'closed', args: { conid: 8314 } }, { name: 'not-subscribed', args: { conid: 272093 } }] })
  const refused: unknown[] = []
  const cast = ({ batch }: Chunk): void => {
    const renamed = connect(batch.topic, names)(batch)
    checkNames(batch.topic, renamed)
    for (const field of batch.topic.fields) new Caster(field).cast(renamed.columns[field.name], batch.length, { add: (_, value, fault) => { refused.push([field.name, value, fault]) } })
  }
  const running = await stream(t, simulator, { instruments: ['AAPL', 'IBM', 'MSFT'] }, { take: cast })
  simulator.fault('close-1011')
  await until(() => running.gaps.filter(({ state }) => state === 'filled').length === 3, 'rows of all three topics')
  await running.stop()
  t.ok(running.bars.length > 0)
  t.strictSame(refused, [])
})

const harmless = ['garbage', 'empty-object', 'empty-update', 'error-frame', 'unknown-topic', 'huge-frame']
await t.test(`${harmless.join(', ')}: counted and passed over`, async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator)
  for (const fault of harmless) simulator.fault(fault)
  await running.more(20)
  await until(() => (running.context.counts['frames_rejected'] ?? 0) >= 6, 'they are counted')
  t.equal(running.context.counts['frames_with_error'], 2)
  t.equal(simulator.stats.socketsOpened, 1)
  t.strictSame(running.gaps, [])
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('duplicate, out-of-order, clock-skew: rows are neither dropped nor sorted', async t => {
  const simulator = await simulate(t, { faults: [{ name: 'duplicate' }, { name: 'out-of-order' }, { name: 'clock-skew' }] })
  const running = await stream(t, simulator)
  await running.more(40)
  await running.stop()
  sameAsSent(t, simulator, running)
  t.ok(simulator.sent.some(({ duplicate }) => duplicate))
  t.ok(running.quotes.every(row => Math.abs(Number(row['received_time']) - Date.now()) < 60_000), 'received_time is of the own clock')
  t.strictSame(running.gaps, [])
})

await t.test('delayed and frozen: the status is on every row', async t => {
  const simulator = await simulate(t, { faults: [{ name: 'delayed', args: { conid: apple } }] })
  const running = await stream(t, simulator)
  await running.more(30)
  for (const row of running.quotes) t.equal(row['delayed'], row['conid'] === apple)
  simulator.fault('frozen')
  simulator.clearFault('delayed')
  await until(() => running.quotes.at(-1)?.['6509'] === 'ZB', 'frozen')
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('live_only: delayed rows are rejected with the reason, the others arrive', async t => {
  const simulator = await simulate(t, { faults: [{ name: 'delayed', args: { conid: apple } }] })
  const running = run(t, simulator, { live_only: true })
  await running.more(5, 8314)
  await until(() => running.context.rejected.length >= 5, 'rejected rows')
  t.match(running.context.rejected[0], { row: { symbol: 'AAPL', 6509: 'DPB' }, reason: /delayed, and live_only is on/ })
  t.match(running.context.healths.at(-1), { ok: false, state: 'streaming', reason: /Rows of 1 instruments are refused/ })
  await running.stop()
  t.ok(running.quotes.every(row => row['conid'] === 8314))
  sameAsSent(t, simulator, { ...running, quotes: [...running.quotes, ...running.context.rejected.map(({ row }) => row as Row)] })
})

await t.test('rejected rows alone still reach the runtime', async t => {
  const simulator = await simulate(t, { faults: [{ name: 'delayed' }] })
  let chunks = 0
  const running = run(t, simulator, { live_only: true }, { take: ({ batch }) => { chunks += batch.length === 0 ? 1 : 0 } })
  await until(() => chunks >= 2, 'empty batches, with which the rejected rows become durable')
  await running.stop()
})

for (const [fault, says] of [['not-subscribed', /no market data rights/], ['no-agreement', /agreement is not accepted/]] as const) {
  await t.test(`${fault}: health says why there are no prices`, async t => {
    const simulator = await simulate(t, { faults: [{ name: fault, args: { conid: apple } }] })
    const running = await stream(t, simulator)
    await until(() => says.test(running.context.healths.at(-1)?.reason ?? ''), 'the reason')
    t.match(running.context.healths.at(-1), { ok: false, state: 'streaming', reason: /No prices for AAPL/ })
    simulator.clearFault()
    await until(() => running.context.healths.at(-1)?.ok === true, 'it is taken back')
    await running.stop()
    sameAsSent(t, simulator, running)
  })
}

await t.test('closed and halted: prefixes stay as they are', async t => {
  const simulator = await simulate(t, { faults: [{ name: 'closed', args: { conid: apple } }, { name: 'halted', args: { conid: 8314 } }] })
  const running = await stream(t, simulator)
  await running.stop()
  t.match(running.quotes.find(row => row['conid'] === apple)?.['31'], /^C\d/)
  t.match(running.quotes.find(row => row['conid'] === 8314)?.['31'], /^H\d/)
  sameAsSent(t, simulator, running)
})
