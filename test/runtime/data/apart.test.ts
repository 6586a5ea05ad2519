// The same where the warehouse is a server of its own: rows of both come as one answer, in order.

import t from 'tap'
import { openGround, tradesOf } from './ground.ts'

const ground = await openGround(t, { apart: true })
for (let day = 0; day < 3; day++) await ground.put('trades', tradesOf(day, ['AAPL', 'MSFT'], 40))
await ground.put('quotes', `SELECT symbol, at - INTERVAL 300 MILLISECOND AS at, toDecimal64(size, 8) AS bid, toDecimal64(size + 2, 8) AS ask, ['X', 'Y'] AS venues FROM (${tradesOf(0, ['AAPL', 'MSFT'], 20)})`)
await ground.put('bars', 'SELECT \'X\' AS symbol, toDateTime64(\'2024-03-01 00:00:00\', 3, \'UTC\') + 60 * number AS at, number + 1. AS open, number + 3. AS high, number + 0. AS low, number + 2. AS close, 10. AS volume FROM numbers(4)')

interface Page { readonly rows: ReadonlyArray<Readonly<Record<string, unknown>>>, readonly next_page_token: string | null }
const body = async (url: string): Promise<string> => {
  const answer = await ground.get(url)
  if (answer.statusCode !== 200) throw new Error(answer.body)
  return answer.body
}
const urls = [
  '/v1/data/trades.ndjson', '/v1/data/trades.csv?sort=desc&symbols=AAPL', '/v1/data/trades.csv?limit=90&where=["size",">",3]', '/v1/bars/trades.csv?every=1h', '/v1/bars/bars.csv?every=1h', '/v1/data/bars.csv',
  '/v1/latest/trades.csv', '/v1/latest/trades.csv?symbols=AAPL', '/v1/latest/bars.csv', '/v1/join/asof.csv?left=trades&right=quotes&fields=symbol,at&take=bid', '/v1/datasets/trades/symbols'
]
const before = await Promise.all(urls.map(body))

await t.test('answers are the same before a handoff to the other server and after it', async t => {
  await ground.handOver(3)
  const [sides] = await ground.warehouse.rows<{ n: string }>('SELECT count() AS n FROM history.trades')
  t.equal(sides?.n, '160', 'two days are over there')
  for (const [i, url] of urls.entries()) t.equal(await body(url), before[i], url)
  // Of rows with the same name the last one counts, whichever server has the one before.
  await ground.put('bars', 'SELECT \'X\' AS symbol, toDateTime64(\'2024-03-01 00:00:00\', 3, \'UTC\') AS at, 7. AS open, 9. AS high, 6. AS low, 8. AS close, 5. AS volume')
  await ground.streaming.command('ALTER TABLE streaming.bars UPDATE _ingest_time = now64(3) WHERE open = 7 SETTINGS mutations_sync = 1')
  t.strictSame((await body('/v1/data/bars.csv?fields=open,close')).trim().split('\n'), ['"open","close"', '7,8', '2,3', '3,4', '4,5'])
  t.strictSame((await body('/v1/data/bars.csv?fields=open,close&where=["open","<",2]')).trim().split('\n'), ['"open","close"'], 'a row that was replaced does not come to light')
})

await t.test('pages go over both servers, and a row comes once while more is handed over', async t => {
  const whole = (await body('/v1/data/trades.ndjson?fields=symbol,at')).trim().split('\n')
  const read: string[] = []
  let token: string | null = ''
  for (let pages = 1; token !== null; pages++) {
    const page = JSON.parse(await body(`/v1/data/trades.json?fields=symbol,at&page_size=50${token === '' ? '' : `&page_token=${token}`}`)) as Page
    read.push(...page.rows.map(row => JSON.stringify(row)))
    token = page.next_page_token
    if (pages === 2) await ground.handOver(4, { grace_seconds: 3600 })
  }
  t.strictSame(read, whole)
})

await t.test('a warehouse that does not answer is an error, never half an answer', async t => {
  const answer = await ground.get('/v1/estimate/data/trades')
  t.equal(answer.statusCode, 200)
  await ground.stopWarehouse()
  const refused = await ground.get('/v1/data/trades.ndjson')
  t.ok(refused.statusCode >= 422, String(refused.statusCode))
  t.notMatch(refused.body, /password|default:|127\.0\.0\.1/)
})
