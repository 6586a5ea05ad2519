// Rows of a dataset over HTTP, from both lanes, on one engine.

import t from 'tap'
import { tableFromIPC } from 'apache-arrow'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { zstdDecompressSync } from 'node:zlib'
import { findDataset } from '../../../runtime/data/catalog.ts'
import { pinOf } from '../../../runtime/data/pin.ts'
import { recentRowsAreOfTable } from '../../../runtime/data/recent.ts'
import { gatesOf } from '../../../runtime/data/stream.ts'
import { until } from '../../conform/context.ts'
import { openGround, tradesOf } from './ground.ts'
import type { Principal } from '../../../runtime/access/principal.ts'

interface Page {
  readonly columns: ReadonlyArray<{ readonly name: string, readonly type: string }>
  readonly rows: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly next_page_token: string | null
}
interface Refused { readonly code: string, readonly detail: string }

const ground = await openGround(t)
for (let day = 0; day < 3; day++) await ground.put('trades', tradesOf(day, ['AAPL', 'MSFT'], 50))
await ground.put('secrets', tradesOf(0, ['SECRET'], 10))
await ground.put('quotes', `SELECT symbol, at - INTERVAL 300 MILLISECOND AS at, toDecimal64(number, 8) AS bid, toDecimal64(number + 2, 8) AS ask, ['X', 'Y'] AS venues FROM (SELECT *, size - 1 AS number FROM (${tradesOf(0, ['AAPL', 'MSFT'], 20)}))`)
await ground.handOver(3)

const page = async (url: string, secret?: string): Promise<Page> => {
  const answer = await ground.get(url, secret)
  if (answer.statusCode !== 200) throw new Error(answer.body)
  return answer.json()
}
const lines = async (url: string): Promise<Array<Record<string, unknown>>> => (await ground.get(url)).body.split('\n').filter(line => line !== '').map(line => JSON.parse(line) as Record<string, unknown>)

await t.test('rows of both lanes come once, in the order of time, key and position', async t => {
  const rows = await lines('/v1/data/trades.ndjson?fields=at,symbol,_offset')
  t.equal(rows.length, 300)
  t.strictSame(rows, rows.toSorted((a, b) => `${a['at']} ${a['symbol']}` < `${b['at']} ${b['symbol']}` ? -1 : 1))
  t.equal(new Set(rows.map(row => row['_offset'])).size, 300)
  const back = await lines('/v1/data/trades.ndjson?fields=at,symbol,_offset&sort=desc')
  t.strictSame(back, rows.toReversed())
})

await t.test('start is inclusive, end exclusive, and no zone is UTC', async t => {
  const times = async (range: string): Promise<unknown[]> => (await page(`/v1/data/trades.json?symbols=AAPL&fields=at&${range}`)).rows.map(row => row['at'])
  t.strictSame(await times('start=2024-03-01T00:00:48&end=2024-03-01T00:00:49Z'), ['2024-03-01T00:00:48.000Z'])
  t.strictSame(await times('start=2024-03-01T00:00:48.0000001&end=2024-03-01T00:00:49.0000001Z'), ['2024-03-01T00:00:49.000Z'], 'finer than the column is')
  t.strictSame(await times('start=1709251248000000000&end=1709251249000000000'), ['2024-03-01T00:00:48.000Z'], 'nanoseconds')
  t.equal((await times('start=2024-03-02&end=2024-03-03')).length, 50)
  t.strictSame(await times('start=2024-03-02&end=2024-03-02'), [])
  for (const [start, means] of [['1709251248', '2024-03-01T00:00:48.000Z'], ['1709251248001', '2024-03-01T00:00:48.001Z'], ['1709251248000001', '2024-03-01T00:00:48.000001Z'], ['20240301', '2024-03-01T00:00:00.000Z'], ['2024-03-01T02:00:00 02:00', '2024-03-01T00:00:00.000Z']] as const) {
    t.match((await ground.get(`/v1/data/trades.json?limit=1&start=${start}`)).headers['x-data-range'], `${means}/..`, start)
  }
  const today = new Date().toISOString().slice(0, 10)
  t.match((await ground.get('/v1/data/trades.json?start=yesterday&end=today')).headers['x-data-range'], new RegExp(`T00:00:00.000Z/(?:${today}|${new Date().toISOString().slice(0, 10)})T00:00:00.000Z$`))
  t.match((await ground.get('/v1/data/trades.json?start=-2h&end=now')).headers['x-data-range'], /^\d{4}.*Z\/\d{4}.*Z$/)
  for (const start of ['17092512', '1', '-1', '02024-03-01', '1709251248000000000000']) t.equal((await ground.get(`/v1/data/trades.json?start=${start}`)).statusCode, 400, start)
  t.match((await ground.ask('POST', '/v1/data/trades.json', { payload: { start: Number('1709251248000000001') } })).json<Refused & { remedy: string }>().remedy, /as text/, 'a number that JSON has rounded')
  const last = await ground.get('/v1/data/trades.json?last=7d')
  t.match(last.headers['x-data-range'], /^\d{4}-\d\d-\d\dT[\d:.]+Z\/\d{4}-\d\d-\d\dT[\d:.]+Z$/, 'a relative range is told as an absolute one')
})

await t.test('each format has the same rows, and an empty answer has the columns', async t => {
  const url = '/v1/data/trades.FORMAT?symbols=AAPL&fields=at,price,size,note&limit=60'
  const of = async (format: string, more = ''): Promise<Buffer> => (await ground.get(url.replace('FORMAT', format) + more)).rawPayload
  const json = (JSON.parse(String(await of('json', '&page_size=100'))) as Page).rows
  t.equal(json.length, 60)
  t.strictSame((await lines(url.replace('FORMAT', 'ndjson'))), json)
  t.strictSame(json[1], { at: '2024-03-01T00:00:01.000Z', price: 101.001, size: '2', note: '=1+1' }, 'integers of 64 bits are text')
  const csv = String(await of('csv')).trim().split('\n')
  t.strictSame(csv.slice(0, 3), ['"at","price","size","note"', '"2024-03-01T00:00:00.000Z",100,1,', '"2024-03-01T00:00:01.000Z",101.001,2,"\'=1+1"'], 'a text that begins like a formula is none any more (item 30)')
  t.equal(csv.length, 61)
  const arrow = tableFromIPC(await of('arrow'))
  t.equal(arrow.numRows, 60)
  t.equal(arrow.getChild('price')?.get(1), 101.001)
  const parquet = await of('parquet')
  const read = await parquetReadObjects({ file: new Uint8Array(parquet).buffer, compressors })
  t.equal(read.length, 60)
  t.equal(read[1]?.['note'], '=1+1', 'only CSV is opened by spreadsheets')
  for (const format of ['csv', 'arrow', 'parquet', 'ndjson', 'json']) {
    const answer = await ground.get(`/v1/data/empty.${format}`)
    t.equal(answer.statusCode, 200, format)
    if (format !== 'ndjson') t.match(String(answer.rawPayload), /symbol/)
  }
})

await t.test('decimals come as numbers, as text, or as integers of 1e-9', async t => {
  const price = async (type: string): Promise<unknown> => (await page(`/v1/data/trades.json?symbols=AAPL&fields=price&limit=2&price_type=${type}`)).rows[1]?.['price']
  t.strictSame([await price('number'), await price('decimal'), await price('fixed')], [101.001, '101.001', '101001000000'])
})

await t.test('a stream says at its end how many rows it had, and is packed where that is wished', async t => {
  const answer = await ground.ask('GET', '/v1/data/trades.ndjson?trailer=true', { headers: { 'accept-encoding': 'gzip;q=0, zstd' } })
  t.equal(answer.headers['content-encoding'], 'zstd')
  t.match(String(zstdDecompressSync(answer.rawPayload)), /\{"_end":true,"rows":300\}\n$/)
  for (const format of ['csv', 'arrow', 'parquet']) {
    const answer = await ground.get(`/v1/data/trades.${format}`)
    t.equal(answer.trailers['x-row-count'], '300', format)
    t.equal(answer.headers['content-disposition'], `attachment; filename="trades.${format}"`)
  }
})

await t.test('pages follow each other, and keep to their boundary over a handoff between them', async t => {
  const whole = await lines('/v1/data/trades.ndjson?fields=symbol,at,size')
  const read: unknown[] = []
  let token: string | null = ''
  let pages = 0
  while (token !== null) {
    const found: Page = await page(`/v1/data/trades.json?fields=symbol,at,size&page_size=70${token === '' ? '' : `&page_token=${token}`}`)
    read.push(...found.rows)
    token = found.next_page_token
    // The rows of before stay for readers who began then.
    if (++pages === 2) await ground.handOver(4, { grace_seconds: 3600 })
  }
  t.equal(pages, 5)
  t.strictSame(read, whole)
  const first = await page('/v1/data/trades.json?page_size=1')
  const url = (more: string): string => `/v1/data/trades.json?page_size=1${more}&page_token=${first.next_page_token}`
  t.equal((await ground.get(url('&symbols=AAPL'))).statusCode, 400, 'of another question')
  t.equal((await ground.get(url('').slice(0, -4))).statusCode, 400, 'a token that was changed')
  t.notOk(Buffer.from(String(first.next_page_token), 'base64url').includes('AAPL'), 'a token shows nothing')
  t.strictSame((await page('/v1/data/trades.json?limit=3&page_size=2')).rows.length, 2)
})

await t.test('a page whose rows were cleaned up since is refused, and says what to do', async t => {
  const first = await page('/v1/data/trades.json?page_size=10')
  await ground.put('trades', tradesOf(0, ['LATE'], 5))
  await ground.handOver(4)
  await ground.handOver(4)
  const answer = await ground.get(`/v1/data/trades.json?page_size=10&page_token=${first.next_page_token}`)
  t.equal(answer.statusCode, 409)
  t.equal(answer.json<Refused>().code, 'PAGE_EXPIRED')
  t.equal((await lines('/v1/data/trades.ndjson?symbols=LATE')).length, 5)
})

await t.test('an answer about closed days has a tag, and is not sent twice', async t => {
  const url = '/v1/data/trades.csv?start=2024-03-01&end=2024-03-02'
  const { headers: { etag } } = await ground.get(url)
  t.type(etag, 'string')
  const again = await ground.ask('GET', url, { headers: { 'if-none-match': String(etag) } })
  t.strictSame([again.statusCode, again.body], [304, ''])
  t.equal((await ground.get('/v1/data/trades.csv?start=2024-03-01')).headers.etag, undefined, 'the range is open')
  await ground.put('trades', tradesOf(0, ['LATER'], 1))
  t.equal((await ground.get(url)).headers.etag, undefined, 'a late row is not certified yet')
})

await t.test('a symbol that is not there is a warning, or with strict an error', async t => {
  const answer = await ground.get('/v1/data/trades.csv?symbols=AAPL,NOPE%C3%A9&limit=1')
  t.equal(answer.statusCode, 200)
  t.strictSame(JSON.parse(String(answer.headers['x-warning'])), ['SymbolNotFound: trades has no row of NOPEé'])
  t.equal((await ground.get('/v1/data/trades.csv?symbols=AAPL,NOPE&strict=true')).statusCode, 400)
})

await t.test('POST takes the same names in a body, of which none is bent to fit', async t => {
  const post = (payload: object): ReturnType<typeof ground.ask> => ground.ask('POST', '/v1/data/trades.json', { payload })
  const symbols = Array.from({ length: 2000 }, (_, i) => i === 7 ? 'AAPL' : `S${i}`)
  const answer = await post({ symbols, fields: ['symbol', 'size'], where: { or: [['size', '=', 1], ['size', 'in', [2, '3']]] }, end: '2024-03-02' })
  t.strictSame(answer.json<Page>().rows, [{ symbol: 'AAPL', size: '1' }, { symbol: 'AAPL', size: '2' }, { symbol: 'AAPL', size: '3' }])
  t.equal((await post({ limit: '3' })).statusCode, 422)
  t.equal((await post({ limits: 3 })).statusCode, 422)
})

await t.test('bars are made of trades, of quotes and of bars, and gaps are filled where that is wished', async t => {
  const bars = async (url: string): Promise<string[]> => (await ground.get(`/v1/bars/${url}`)).body.trim().split('\n')
  const range = 'symbols=AAPL&start=2024-03-01&end=2024-03-01T00:01:20'
  t.strictSame(await bars(`trades.csv?every=40s&${range}`), [
    '"time","symbol","open","high","low","close","volume","vwap","count"',
    '"2024-03-01T00:00:00Z","AAPL",100,106.034,100,104.039,820,102.97721951219513,40',
    '"2024-03-01T00:00:40Z","AAPL",105.04,106.048,100.042,100.049,455,103.23369230769231,10'
  ])
  const last = async (fill: string): Promise<string | undefined> => (await bars(`trades.csv?every=20s&${range}&fill=${fill}`)).at(-1)
  t.equal(await last('prev'), '"2024-03-01T00:01:00Z","AAPL",100.049,100.049,100.049,100.049,0,,0')
  t.equal(await last('zero'), '"2024-03-01T00:01:00Z","AAPL",0,0,0,0,0,,0')
  t.equal(await last('null'), '"2024-03-01T00:01:00Z","AAPL",,,,,,,0')
  t.equal((await bars('trades.csv?every=1d&symbols=AAPL&tz=America/New_York&end=2024-03-02'))[1]?.slice(0, 30), '"2024-02-29T05:00:00Z","AAPL",', 'days of the zone')
  t.equal((await bars(`trades.csv?every=40s&label=right&${range}`))[1]?.slice(0, 23), '"2024-03-01T00:00:40Z",')
  t.equal((await bars('quotes.csv?every=1mo&symbols=AAPL'))[1], '"2024-02-01T00:00:00Z","AAPL",1,1,1,1,,,1', 'the middle of bid and ask')
  await ground.put('bars', 'SELECT \'X\' AS symbol, toDateTime64(\'2024-03-01 00:00:00\', 3, \'UTC\') + 60 * number AS at, number + 1. AS open, number + 3. AS high, number + 0. AS low, number + 2. AS close, 10. AS volume FROM numbers(4)')
  await ground.put('bars', 'SELECT \'X\' AS symbol, toDateTime64(\'2024-03-01 00:00:00\', 3, \'UTC\') AS at, 7. AS open, 9. AS high, 6. AS low, 8. AS close, 5. AS volume')
  t.equal((await bars('bars.csv?every=1h'))[1], '"2024-03-01T00:00:00Z","X",7,9,1,5,35,4.571428571428571,4', 'longer bars of those that count')
  const paged = await page('/v1/bars/trades.json?every=10s&page_size=3&end=2024-03-02')
  const next = await page(`/v1/bars/trades.json?every=10s&page_size=3&end=2024-03-02&page_token=${paged.next_page_token}`)
  const all = await page('/v1/bars/trades.json?every=10s&end=2024-03-02')
  t.strictSame([...paged.rows, ...next.rows], all.rows.slice(0, 6))
  t.equal((await ground.get('/v1/bars/trades.json?every=1s&fill=prev')).statusCode, 400, 'gaps of what')
  t.equal((await ground.get('/v1/bars/trades.json?every=1ms&fill=prev&start=2024-03-01&end=2024-03-02')).statusCode, 400, 'too many of them')
})

await t.test('the last row of each symbol is found in whichever lane it is', async t => {
  const latest = async (more: string): Promise<unknown[][]> => (await page(`/v1/latest/trades.json?fields=symbol,at${more}`)).rows.map(row => [row['symbol'], row['at']])
  const [aapl, late] = [['AAPL', '2024-03-03T00:00:49.000Z'], ['LATE', '2024-03-01T00:00:04.000Z']]
  t.strictSame(await latest('&symbols=AAPL,LATE'), [aapl, late])
  await ground.put('trades', tradesOf(3, ['AAPL'], 3))
  t.strictSame(await latest('&symbols=AAPL,LATE'), [['AAPL', '2024-03-04T00:00:02.000Z'], late])
  t.strictSame(await latest(''), [['AAPL', '2024-03-04T00:00:02.000Z'], late, ['LATER', '2024-03-01T00:00:00.000Z'], ['MSFT', '2024-03-03T00:00:49.000Z']])
  t.strictSame(await latest('&symbols=AAPL&end=2024-03-02'), [['AAPL', '2024-03-01T00:00:49.000Z']], 'as of a moment')
  t.strictSame((await page('/v1/latest/bars.json?fields=open')).rows, [{ open: 4 }])
})

await t.test('a join as of a moment takes what was valid, warns of what was not known, and can leave it out', async t => {
  const join = (more: string): ReturnType<typeof ground.get> => ground.get(`/v1/join/asof.json?left=trades&right=quotes&symbols=AAPL&start=2024-03-01T00:00:01&end=2024-03-01T00:00:03&fields=size&take=bid${more}`)
  const event = await join('')
  t.strictSame(event.json<Page>().rows, [{ size: '2', bid: 1, look_ahead: true }, { size: '3', bid: 2, look_ahead: true }])
  t.match(String(event.headers['x-warning']), /LookAhead: 2 rows/)
  const ingest = await join('&on_time=ingest')
  t.strictSame(ingest.json<Page>().rows, [{ size: '2', bid: 0, look_ahead: false }, { size: '3', bid: 1, look_ahead: false }])
  t.equal(ingest.headers['x-warning'], undefined)
  t.strictSame((await join('&tolerance=100ms')).json<Page>().rows.map(row => row['bid']), [null, null])
  t.strictSame((await join('&direction=forward')).json<Page>().rows.map(row => row['bid']), [2, 3])
  for (const [tolerance, venues] of [['1s', ['X', 'Y']], ['100ms', []]] as const) {
    const table = tableFromIPC((await ground.get(`/v1/join/asof.arrow?left=trades&right=quotes&symbols=AAPL&start=2024-03-01T00:00:01&end=2024-03-01T00:00:02&take=venues&tolerance=${tolerance}`)).rawPayload)
    t.equal(String(table.schema.fields.find(({ name }) => name === 'venues')?.type), 'List<Utf8>', 'a type that data frames know')
    t.strictSame([...table.getChild('venues')?.get(0) as Iterable<string>], venues)
  }
  const first = (await join('&page_size=1')).json<Page>()
  t.strictSame((await join(`&page_size=1&page_token=${first.next_page_token}`)).json<Page>().rows.map(row => row['bid']), [2])
})

await t.test('as_of shows what was known at a moment, in rows, bars, last rows and joins', async t => {
  // Each row of the ground was ingested a second after it happened.
  const by = 'as_of=2024-03-01T00:00:02.500Z&symbols=AAPL'
  t.strictSame((await page(`/v1/data/trades.json?fields=size&${by}`)).rows.map(row => row['size']), ['1', '2'])
  t.strictSame((await page('/v1/data/trades.json?fields=size&symbols=AAPL&as_of=2024-03-01T00:00:01')).rows.map(row => row['size']), ['1'], 'the moment is included')
  t.strictSame((await page(`/v1/latest/trades.json?fields=size&${by}`)).rows.map(row => row['size']), ['2'])
  t.notSame((await page('/v1/latest/trades.json?fields=size&symbols=AAPL')).rows.map(row => row['size']), ['2'], 'nor is it remembered for others')
  t.strictSame((await page(`/v1/bars/trades.json?every=1d&${by}`)).rows.map(row => row['count']), [2])
  t.equal((await page(`/v1/join/asof.json?left=trades&right=quotes&take=bid&${by}`)).rows.length, 2)
  t.match((await ground.get('/v1/data/bars.json?as_of=2024-03-01')).json<Refused>(), { code: 'REQUEST_INVALID', detail: /replace each other/ })
})

await t.test('recent rows come from the table itself, unless rows were loaded directly, and are those of the view', async t => {
  const day = '2024-03-09'
  await ground.put('quotes', `SELECT symbol, at, toDecimal64(1, 8) AS bid, toDecimal64(2, 8) AS ask, [] AS venues FROM (${tradesOf(8, ['AAPL', 'MSFT', 'NVDA'], 30)})`)
  const inView = await ground.streaming.rows<{ symbol: string, n: string }>(`SELECT symbol, toString(_offset) AS n FROM data.quotes WHERE at >= '${day}' ORDER BY at, symbol`)
  t.equal(inView.length, 90)
  t.strictSame((await lines(`/v1/data/quotes.ndjson?fields=symbol,_offset&start=${day}`)).map(row => [row['symbol'], row['_offset']]), inView.map(({ symbol, n }) => [symbol, n]))
  const few = await page('/v1/latest/quotes.json?symbols=NVDA,AAPL,AAPL')
  t.strictSame(few.rows, (await page('/v1/latest/quotes.json')).rows.filter(({ symbol }) => symbol !== 'MSFT'), 'each symbol once, however often it is named')
  t.equal(few.rows.length, 2)
  const readable = await findDataset(ground.platform, { grant: () => ({ columns: undefined, where: undefined }) } as unknown as Principal, 'quotes', AbortSignal.timeout(60_000))
  const pin = await pinOf(ground.platform, 'quotes', { range: { start: undefined, end: undefined }, signal: AbortSignal.timeout(60_000) })
  const ofTable = (): Promise<boolean> => recentRowsAreOfTable({ warehouse: ground.platform.warehouse, supervisor: { files: {} } as never }, readable, pin)
  t.equal(await ofTable(), true)
  t.equal(await recentRowsAreOfTable(ground.platform, readable, { ...pin, seq: undefined }), false, 'no boundary is known')
  await ground.warehouse.command("INSERT INTO warehouse.quotes (symbol, at, _topic, _partition, _offset, _version) SELECT 'LOADED', toDateTime64('2024-03-09 12:00:00', 3, 'UTC'), 'loaded', 0, 1, 0")
  t.equal(await ofTable(), false)
})

await t.test('a day without a session of the market is not missing', async t => {
  const { days } = (await ground.get('/v1/datasets/quotes/condition?start=2024-03-01&end=2024-03-05')).json<{ days: Array<{ day: string, condition: string, rows: number, reason: string }> }>()
  t.strictSame(days.map(({ day, condition, rows, reason }) => [day.slice(-2), condition, rows, reason]), [
    ['01', 'available', 38, ''], ['02', 'available', 0, 'XNYS is closed'], ['03', 'available', 0, 'XNYS is closed'], ['04', 'missing', 0, '']
  ])
})

await t.test('a name that is wrong is told with the one that was probably meant', async t => {
  for (const [url, status, says] of [
    ['/v1/data/trade.csv', 404, /Did you mean trades\?/],
    ['/v1/data/trades.csv?fields=pice', 400, /Did you mean price\?/],
    ['/v1/data/trades.csv?feilds=price', 422, /did you mean \\"fields\\"/],
    ['/v1/data/trades.csvv', 422, /did you mean \\"csv\\"/],
    ['/v1/data/trades.csv?last=1w', 422, /not written like 7d/],
    ['/v1/data/trades', 404, /trades\.json, \.ndjson, \.csv/]
  ] as const) {
    const answer = await ground.get(url)
    t.equal(answer.statusCode, status, url)
    t.match(answer.body, says)
  }
})

await t.test('rows, columns and datasets that are not granted are not there, whatever asks for them (items 13 and 25)', async t => {
  const secret = ground.token([{ dataset: 'trades', columns: ['symbol', 'at', 'size', 'price'], where: ['desk', '=', 'open'] }])
  const get = (url: string): ReturnType<typeof ground.get> => ground.get(url, secret)
  const all = (await get('/v1/data/trades.ndjson')).body
  const shown = (await lines('/v1/data/trades.ndjson?where=["desk","=","open"]')).length
  t.equal(all.trim().split('\n').length, shown)
  t.notMatch(all, /desk|hidden|note/)
  const counted = (await get('/v1/datasets/trades/symbols')).json<{ symbols: Array<{ rows: number }> }>().symbols.reduce((sum, { rows }) => sum + rows, 0)
  t.equal(counted, shown, 'symbols count what is shown')
  t.equal((await get('/v1/datasets/trades/condition')).json<{ days: Array<{ rows: number }> }>().days.reduce((sum, { rows }) => sum + rows, 0), 0, 'the newest days have none')
  t.equal((await get('/v1/datasets/trades/condition?end=2024-03-05')).json<{ days: Array<{ rows: number }> }>().days.reduce((sum, { rows }) => sum + rows, 0), shown)
  t.notMatch((await get('/v1/datasets/trades')).body, /desk|hidden/)
  const [hidden, absent] = await Promise.all(['desk', 'nope'].map(async name => (await get(`/v1/data/trades.json?fields=${name}`)).json<Refused>().detail.replace(name, 'X')))
  t.equal(hidden, absent, 'a column that is not granted is told like one that is not there')
  for (const url of ['/v1/data/secrets.csv', '/v1/latest/secrets.csv', '/v1/bars/secrets.csv?every=1d', '/v1/join/asof.csv?left=trades&right=secrets', '/v1/join/asof.csv?left=secrets&right=trades', '/v1/datasets/secrets', '/v1/datasets/secrets/range', '/v1/estimate/data/secrets']) {
    const [refused, none] = await Promise.all([get(url), get(url.replaceAll('secrets', 'nothing'))])
    t.equal(refused.statusCode, 404, url)
    t.equal(refused.json<Refused>().detail, none.json<Refused>().detail.replaceAll('nothing', 'secrets'))
  }
  t.strictSame((await get('/v1/datasets')).json<{ datasets: Array<{ dataset: string }> }>().datasets.map(({ dataset }) => dataset), ['trades'])
  t.equal((await get('/v1/latest/trades.json?symbols=AAPL')).json<Page>().rows[0]?.['size'], '3', 'the last row that is shown')
  t.equal((await get('/v1/data/trades.json?where=["desk","=","open"]')).statusCode, 400, 'nor can it be asked about')
})

await t.test('rows are counted against the quota, and an answer that goes beyond it is cut (item 22)', async t => {
  const secret = ground.token([{ dataset: 'trades', columns: null, where: null }], { requests_per_second: null, rows_per_day: 100 })
  t.equal((await ground.get('/v1/data/trades.json?page_size=60', secret)).statusCode, 200)
  const over = await ground.get('/v1/data/trades.json?page_size=60', secret)
  t.equal(over.statusCode, 429)
  t.equal(over.json<Refused>().code, 'QUOTA_EXCEEDED')
  await t.rejects(ground.get('/v1/data/trades.ndjson', secret).then(answer => { if (answer.statusCode !== 200 || answer.trailers['x-row-count'] === undefined) throw new Error('cut') }), 'no half is taken for whole')
  t.equal((await ground.get('/v1/estimate/data/trades', secret)).json<{ allowed: boolean }>().allowed, false)
})

await t.test('whoever leaves gives its place back', async t => {
  await until(() => gatesOf(ground.platform).streaming.running + gatesOf(ground.platform).warehouse.running === 0, 'no query is under way')
  t.pass('all places are free')
})
