import t from 'tap'
import { Batch, fromRows } from '../../../runtime/batch.ts'
import { connect } from '../../../runtime/connector.ts'
import { mapping } from './mapped.ts'
import { readTopic } from '../../../runtime/schema-file.ts'
import { proposeSchema } from '../../../runtime/setup/propose.ts'
import type { Row } from '../../../runtime/plugin.ts'

/** The rows through the connector and the mapping of the schema that was proposed from them. */
async function roundTrip (topicName: string, rows: readonly Row[]): Promise<{ readonly cast: readonly Row[], readonly rejected: readonly string[], readonly text: string, readonly notes: readonly string[] }> {
  const { path, text, notes } = proposeSchema(topicName, rows)
  const topic = readTopic(path, text)
  const raw = connect(topic)(new Batch(topic, rows.length, fromRows(topic, rows).columns, { position: { partition: 0, offset: 0, time: 0 } }))
  return { ...await mapping(topic, raw), text, notes }
}

await t.test('schemas from samples', async t => {
  await t.test('rows of a CSV file, where all is text', async t => {
    const rows = ['AAPL,2026-01-02T14:30:00.123Z,193.18,100,0042', 'MSFT,2026-01-02T14:30:01.5Z,402,50,0043', 'AAPL,2026-01-02T14:30:02Z,193.2,10,0044', 'IBM,2026-01-02T14:30:03Z,,7,0045']
      .map(line => { const [symbol, time, price, size, code] = line.split(','); return { Symbol: symbol, time, lastPrice: price, size, code } })
    const { cast, rejected, text, notes } = await roundTrip('trades', rows)
    t.same(rejected, [])
    t.equal(cast.length, 4)
    t.match(cast[0], { symbol: 'AAPL', code: '0042' })
    t.equal(String(cast[0]?.['size']), '100')
    t.equal(cast[3]?.['last_price'], null)
    t.match(text, /key:\n {2}- symbol\nevent_time: time/)
    t.match(text, /last_price:\n {4}type: decimal\(18, 8\)/)
    t.match(text, /aliases:\n {6}- lastPrice/)
    t.match(notes.join('\n'), /last_price: .*no value/)
  })

  await t.test('rows of NDJSON, typed and nested', async t => {
    const rows = Array.from({ length: 20 }, (_, n) => ({ id: n, ts: 1767364200123 + n, px: n + 0.5, side: n % 2 === 0 ? 'buy' : 'sell', live: true, tags: ['a', 'b'], book: { bid: 1 }, ratio: n / 3 * 1e-20, day: '2026-01-02' }))
    const { cast, rejected, text } = await roundTrip('orders', rows)
    t.same(rejected, [])
    t.equal(cast.length, 20)
    t.match(text, /event_time: ts/)
    t.match(text, /ts:\n {4}type: timestamp\(ms\)\n {4}required: true\n {4}unit: ms/)
    t.match(text, /live:\n {4}type: bool/)
    t.match(text, /tags:\n {4}type: list\(string\)/)
    t.match(text, /book:\n {4}type: json/)
    t.match(text, /side:\n {4}type: string[\s\S]*?low_cardinality: true/)
    t.match(text, /ratio:\n {4}type: float64/)
    t.match(text, /day:\n {4}type: date/)
  })

  await t.test('rows as a broker of shares sends them: marks, thousands, percents, abbreviations', async t => {
    const rows = [
      { conid: 265598, symbol: 'AAPL', _updated: 1767364200123, 31: 'C193.18', 84: '193.17', 85: '1,200', 83: '-1.25%', 7762: '12.2M', 6509: 'RpB' },
      { conid: 265598, symbol: 'AAPL', _updated: 1767364200223, 31: '193.20', 84: '193.19', 85: '300', 83: '0.5%', 7762: '12.3M', 6509: 'RpB' },
      { conid: 272093, symbol: 'MSFT', _updated: 1767364200323, 31: 'H402.1', 84: '402', 85: '1,000,000', 83: '2%', 7762: '8M', 6509: 'D' }
    ] as unknown as Row[]
    const { cast, rejected, text, notes } = await roundTrip('quotes', rows)
    t.same(rejected, [])
    t.equal(cast.length, 3)
    t.match(text, /field_31:\n {4}type: decimal\(18, 8\)[\s\S]*?prefixes:\n {8}- C\n {8}- H/)
    t.match(text, /field_85:[\s\S]*?thousands: ","|field_85:[\s\S]*?thousands: ,/)
    t.match(notes.join('\n'), /field_31: the source calls it "31"/)
    t.match(notes.join('\n'), /letters C, H/)
    t.equal(cast[0]?.['field_83'], -1.25)
    t.equal(cast[0]?.['field_7762'], 12_200_000)
  })

  await t.test('doubts are told: mixed types, several forms of time, numbers beyond 64 bits, names that fall together', async t => {
    const rows = [
      { when: '2026-01-02T00:00:00Z', mixed: 1, large: '99999999999999999999', 'a-b': 1, a_b: 2, bare: '2026-01-02 10:00:00', gone: 'N/A' },
      { when: '1767364200', mixed: 'x', large: '1', 'a-b': 1, a_b: 2, bare: '2026-01-02 10:00:01', gone: '5' },
      { when: '2026-01-02T00:00:02Z', mixed: 2, large: '2', 'a-b': 1, a_b: 2, bare: '2026-01-02 10:00:02', gone: '6' }
    ]
    const { cast, rejected, notes } = await roundTrip('doubts', rows)
    t.same(rejected, [])
    t.equal(cast.length, 3)
    const all = notes.join('\n')
    for (const note of [/when: times come in several forms/, /mixed: 2 of 3 values are numbers/, /large: whole numbers beyond 64 bits/, /a_b_2: the source calls it "a-b"/, /bare: the times carry no zone/, /gone: "N\/A" is taken for no value/, /key: no field names/]) t.match(all, note)
    t.equal(cast[0]?.['gone'], null)
  })

  await t.test('rows without fields, or with values for names, are refused', async t => {
    t.throws(() => proposeSchema('x', [{}]), { code: 'REQUEST_INVALID' })
    t.throws(() => proposeSchema('x', [Object.fromEntries(Array.from({ length: 600 }, (_, n) => [`f${n}`, n]))]), { code: 'REQUEST_INVALID', message: /500 at most/ })
    t.match(proposeSchema('x', [{ extra: 1, _own: 2, ÄÖ: 3 }]).fields.map(({ name }) => name), ['extra_field', 'own', 'field'])
  })
})
