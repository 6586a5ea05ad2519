import t from 'tap'
import { until } from '../../conform/context.ts'
import { main } from '../../../runtime/cli/main.ts'
import { capture } from '../cli/capture.ts'
import { openEndpoint, token } from '../control/endpoint.ts'

const ROWS = 600
const begin = Date.UTC(2024, 0, 2)
const endpoint = await openEndpoint(t, {
  'schemas/trades.yaml': `key: [symbol]
event_time: time
fields:
  n: { type: int64, required: true }
  symbol: { type: string, required: true }
  time: { type: timestamp(ms), required: true, cast: { unit: ms } }
  price: { type: 'decimal(18, 4)', required: true }
`,
  'pipelines/trades.yaml': `input: { file: { path: rows.ndjson } }
topic: trades
transforms: [mapping]
outputs:
  - streaming-database: { models: none }
  - lake: {}
    flush: { ms: 50 }
`,
  // The last ones happened a day later, and some have no price.
  'rows.ndjson': Array.from({ length: ROWS }, (_, n) => `${JSON.stringify({ n, symbol: `S${n % 5}`, time: begin + n * 1000 + (n < 500 ? 0 : 86_400_000), price: n % 100 === 99 ? 'none' : n / 4 })}\n`).join('')
}, { env: { TWOLANE_CLICKHOUSE: 'embedded' } })
const address = await endpoint.app.listen({ port: 0, host: '127.0.0.1' })

async function sql (statement: string): Promise<string> {
  const { statusCode, body } = await endpoint.ask('POST', '/v1/query', { headers: { 'content-type': 'text/plain' }, payload: statement })
  if (statusCode !== 200) throw new Error(body)
  return body
}

async function parity (day = '2024-01-02'): Promise<{ readonly code: number, readonly text: string }> {
  const { terminal, lines, complaints } = capture(endpoint.project.folder, { TWOLANE_URL: address, TWOLANE_ADMIN_TOKEN: token })
  const code = await main(['parity', 'trades', day], terminal)
  return { code, text: [...lines, ...complaints].join('\n') }
}

await until(async () => (await sql('SELECT count() AS n FROM streaming.trades').catch(() => '')).includes('594'), 'the rows are stored')
await until(async () => {
  const answer = await endpoint.ask('GET', '/v1/topics')
  const { topics } = answer.json<{ topics: Array<{ name: string, groups: Array<{ offset: number }> }> }>()
  return topics.find(({ name }) => name === 'trades')?.groups.every(({ offset }) => offset === ROWS) === true
}, 'the lake has them, too')

await t.test('a day that is the same on both sides is said to be', async t => {
  const { code, text } = await parity()
  t.equal(code, 0, text)
  t.match(text, /rows +495 +495 +same/)
  t.match(text, /keys \(symbol\) +5 +5 +same/)
  t.match(text, /sum of price .* same\n/)
  t.match(text, /hash of all columns +([0-9a-f]{16}) +\1 +same/)
  t.match(text, /refused 5/)
  t.equal((await parity('2024-01-03')).code, 0, 'the other day')
  t.equal((await parity('2024-02-01')).code, 0, 'a day without rows')
})

await t.test('one changed value is found, with its position and both values', async t => {
  await sql('ALTER TABLE streaming.trades UPDATE price = 7 WHERE n = 321 SETTINGS mutations_sync = 1')
  const { code, text } = await parity()
  t.equal(code, 1)
  t.match(text, /trades differs from the lake, first at trades\/0 offset 321: the row is another one: price is 80\.25 by the lake and 7 in the lane/)
  t.match(text, /sum of price .*DIFFERS/)
  t.match(text, /rows +495 +495 +same/)
  t.equal((text.match(/trades\/0:\d+/g) ?? []).length, 1, 'and no other row')
})

await t.test('a missing row and an extra one are found', async t => {
  await sql('ALTER TABLE streaming.trades UPDATE price = 80.25 WHERE n = 321 SETTINGS mutations_sync = 1')
  await sql('DELETE FROM streaming.trades WHERE n = 17')
  await sql('INSERT INTO streaming.trades SELECT * FROM streaming.trades WHERE n = 40')
  await sql('INSERT INTO streaming.trades SELECT * REPLACE (99 AS _offset) FROM streaming.trades WHERE n = 98')
  const { code, text } = await parity()
  t.equal(code, 1)
  t.match(text, /rows +495 +496 +DIFFERS/)
  t.match(text, /trades\/0:17 +missing/)
  t.match(text, /trades\/0:40 +changed +number of rows +1 +2/)
  t.match(text, /trades\/0:99 +extra/)
  t.match(text, /rows of \('S2'\) +100 +99 +DIFFERS/)
  t.equal((await parity('2024-01-03')).code, 0, 'the other day is not concerned')
})

await t.test('nothing is left behind, and what makes no sense is refused', async t => {
  t.notMatch(await sql('SHOW DATABASES'), /twolane_parity/)
  t.match((await parity('2024-13-01')).text, /is no day/)
  t.match((await endpoint.ask('POST', '/v1/parity', { payload: { topic: 'nothing', day: '2024-01-02' } })).json(), { status: 404 })
})
