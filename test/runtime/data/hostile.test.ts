// What nobody should send: nothing but an answer or a refusal, and never a row of another dataset (item 25).

import t from 'tap'
import fc from '../../properties.ts'
import { openGround, tradesOf } from './ground.ts'

const ground = await openGround(t)
await ground.put('trades', tradesOf(0, ['AAPL', 'MSFT'], 5))
await ground.put('secrets', tradesOf(0, ['SECRET'], 5))
const secret = ground.token([{ dataset: 'trades', columns: ['symbol', 'at', 'price', 'size', 'side'], where: ['desk', '=', 'open'] }])

const payloads = [
  '\'', '"', '`', '\\', '\\\'', '\0', '\n', '--', '/*', ';', ')', '}', '{p0:String}', '{p0:Identifier}', '%27', '\' OR 1=1 --', '\') UNION ALL SELECT * FROM data.secrets --', '` FROM data.secrets --',
  'symbol, (SELECT any(symbol) FROM data.secrets)', 'x) AS y FROM data.secrets; --', '\\\') OR 1 --', '1; DROP TABLE streaming.trades', 'url(\'http://127.0.0.1\')', 'file(\'/etc/passwd\')', '1 SETTINGS readonly=0', '__proto__', 'constructor', 'toString',
  '\u2028', '\ud800', 'ＳＥＬＥＣＴ', 'NaN', '1e400', '-0', '9'.repeat(30), '2024-02-30', '0001-01-01', '9999-12-31', 'UTC\', 1) --', '{{7*7}}'
]
const word = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...payloads) }, fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('symbol', 'at', 'price', 'size', 'desk', 'note', 'side', '5', 'AAPL'), fc.tuple(fc.constantFrom('symbol', 'price', 'AAPL', '2024-03-01', '5m'), fc.constantFrom(...payloads)).map(parts => parts.join('')))
const operator = fc.oneof(fc.constantFrom('=', '!=', '<', 'in', 'not in', 'is null', 'like'), word)
const value = fc.oneof(word, fc.double(), fc.integer(), fc.boolean(), fc.array(word, { maxLength: 3 }), fc.constant(null), fc.object({ maxDepth: 1 }))
const filter = fc.letrec(tie => ({ filter: fc.oneof({ maxDepth: 3 }, fc.tuple(word, operator, value), fc.record({ and: fc.array(tie('filter'), { maxLength: 2 }) }), fc.record({ or: fc.array(tie('filter'), { maxLength: 2 }) })) })).filter
const names = ['symbols', 'fields', 'start', 'end', 'last', 'page_token', 'sort', 'on_time', 'price_type'] as const
const kinds = { data: names, latest: names, bars: [...names.filter(name => name !== 'fields'), 'every', 'price', 'size', 'tz', 'fill', 'label'], join: [...names, 'take', 'tolerance', 'direction', 'left', 'right'] } as const
const request = fc.constantFrom('data', 'latest', 'bars', 'join').chain(kind => fc.record({
  kind: fc.constant(kind),
  dataset: fc.oneof({ weight: 8, arbitrary: fc.constant('trades') }, fc.constant('secrets'), word),
  format: fc.constantFrom('json', 'ndjson', 'csv'),
  // A few at a time: with all of them wrong, the first one would hide the others.
  params: fc.dictionary(fc.constantFrom(...kinds[kind]), word, { maxKeys: 2 }),
  where: fc.option(filter, { nil: undefined })
}))

await t.test('no parameter becomes SQL (item 25)', async t => {
  let answered = 0
  await fc.assert(fc.asyncProperty(request, async ({ kind, dataset, format, params, where }) => {
    const target = kind === 'join' ? 'asof' : encodeURIComponent(dataset.toWellFormed())
    const fixed = kind === 'bars' ? { every: '5m' } : kind === 'join' ? { left: dataset, right: 'trades' } : {}
    const payload = { ...fixed, ...params, ...(where !== undefined && { where }) }
    const answer = await ground.ask('POST', `/v1/${kind}/${target}.${format}`, { headers: { authorization: `Bearer ${secret}` }, payload })
    if (answer.statusCode === 200) answered++
    else if (answer.statusCode < 400 || answer.statusCode >= 500) throw new Error(`${answer.statusCode} ${answer.body}`)
    if (answer.statusCode === 200 && /SECRET|hidden|desk/.test(answer.body)) throw new Error(answer.body)
    // What is refused is refused here: nothing wrong reaches the engine.
    if (answer.statusCode !== 200 && /Code: \d+|DB::Exception|QUERY_REFUSED/.test(answer.body)) throw new Error(`${JSON.stringify(payload)} ${answer.body}`)
  }), { numRuns: Number(process.env['TWOLANE_FUZZ_RUNS'] ?? 150) })
  t.ok(answered > 0, `${answered} were answered`)
  const [row] = await ground.streaming.rows<{ n: string }>('SELECT count() AS n FROM streaming.trades')
  t.equal(row?.n, '10')
})

await t.test('addresses with hostile names are refused (items 24, 32 and 34)', async t => {
  for (const name of ['..%2f..%2fetc%2fpasswd', '%00', 'trades%27', '__proto__', 'constructor', 'a'.repeat(300), '%2e%2e', 'trades%20FINAL', 'system%2Enumbers']) {
    const answer = await ground.get(`/v1/data/${name}.csv`, secret)
    t.ok([404, 414, 422].includes(answer.statusCode), `${name} ${answer.statusCode}`)
  }
  t.equal((await ground.get('/v1/data/trades.csv?symbols=AAPL&symbols=MSFT', secret)).statusCode, 422, 'a parameter that comes twice')
  t.equal((await ground.get('/v1/data/trades.csv?token=x', secret)).statusCode, 422)
  t.equal((await ground.get('/v1/data/trades.exe', secret)).statusCode, 422)
})

await t.test('a grant whose filter no longer fits refuses, and opens nothing', async t => {
  const broken = ground.token([{ dataset: 'trades', columns: null, where: ['gone', '=', 'x'] }])
  const answer = await ground.get('/v1/data/trades.csv', broken)
  t.ok(answer.statusCode >= 400)
  t.notMatch(answer.body, /AAPL/)
})
