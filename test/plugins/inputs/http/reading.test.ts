import t from 'tap'
import fc from '../../../properties.ts'
import http from '../../../../plugins/inputs/http/index.ts'
import { configure } from '../../../conform/configure.ts'
import { readSource, restSource, run, startSource } from './source.ts'
import type { Json, Row } from '../../../../runtime/plugin.ts'

const day = 86_400_000
const numbers = (rows: readonly Row[]): number[] => rows.map(row => Number(row['n']))

await t.test('a run that is killed behind any page goes on at the next one', async t => {
  const rows = Array.from({ length: 23 }, (_, n) => ({ n }))
  const source = await startSource(t, ({ query, path }) => {
    const at = Number(query['cursor'] ?? query['offset'] ?? (Number(query['page'] ?? 1) - 1) * 5)
    const next = at + 5 < rows.length ? String(at + 5) : null
    return { json: { rows: rows.slice(at, at + 5), next, url: next === null ? null : `${path}?offset=${next}&key=secret` }, headers: next === null ? {} : { link: `<?offset=${next}>; rel="next"` } }
  })
  for (const paging of [{ kind: 'page', size: 5 }, { kind: 'page' }, { kind: 'offset' }, { kind: 'cursor', next: '/next' }, { kind: 'link' }, { kind: 'link', next: '/url' }]) {
    const config = { url: source.url, rows: '/rows', paging, auth: { kind: 'query', name: 'key', value: 'secret' } }
    for (const chunks of [1, 2, 3, 4]) {
      const first = await readSource(config, { run: run('1'), chunks })
      t.notMatch(JSON.stringify(first.checkpoint), /secret/, 'a checkpoint holds no key')
      const rest = await readSource(config, { run: run('1'), checkpoint: first.checkpoint })
      t.equal(rest.error, undefined)
      t.strictSame(numbers([...first.rows, ...rest.rows]), rows.map(({ n }) => n), `${JSON.stringify(paging)} after ${chunks}`)
      t.strictSame((await readSource(config, { run: run('1'), checkpoint: rest.checkpoint })).rows, [], 'a run that has ended reads nothing')
    }
  }
  t.equal(source.asked.every(({ query }) => query['key'] === 'secret'), true, 'the key goes with every request')
})

await t.test('a cursor that the source has forgotten begins the reading anew; in order, nothing comes twice', async t => {
  const rows = Array.from({ length: 9 }, (_, n) => ({ n }))
  let generation = 'a'
  const source = await startSource(t, ({ query }) => {
    const [made, place = '0'] = (query['cursor'] ?? `${generation}:0`).split(':')
    if (made !== generation) return { json: { error: 'cursor expired' }, status: 410 }
    const found = rows.filter(({ n }) => n >= Number(query['from'] ?? 0)).slice(Number(place))
    return { json: { rows: found.slice(0, 3), next: found.length > 3 ? `${generation}:${Number(place) + 3}` : null } }
  })
  const config = { url: source.url, rows: '/rows', paging: { kind: 'cursor', next: '/next' }, incremental: { field: 'n', parameter: 'from', ascending: true } }
  const first = await readSource(config, { run: run('1'), chunks: 2 })
  generation = 'b'
  const rest = await readSource(config, { run: run('2'), checkpoint: first.checkpoint })
  t.equal(rest.error, undefined)
  t.strictSame(numbers([...first.rows, ...rest.rows]), rows.map(({ n }) => n))
  t.match(rest.context.logs, [{ level: 'warn', message: /begins anew/ }])
})

await t.test('what is new is taken once, whatever the pages, the order, the kills and the ties', async t => {
  const options = fc.record({ size: fc.integer({ min: 1, max: 5 }), newestFirst: fc.boolean(), exclusive: fc.boolean(), turns: fc.array(fc.record({ values: fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 6 }), kill: fc.integer({ min: 1, max: 6 }) }), { minLength: 1, maxLength: 5 }) })
  await fc.assert(fc.asyncProperty(options, async ({ size, newestFirst, exclusive, turns }) => {
    const rows: Array<{ n: number, at: number }> = []
    const source = await restSource(({ query }) => {
      const since = query['since'] === undefined ? -1 : Number(query['since'])
      const found = rows.filter(({ at }) => at >= since).sort((a, b) => newestFirst ? b.at - a.at || b.n - a.n : a.at - b.at || a.n - b.n)
      const offset = Number(query['offset'])
      return { json: found.slice(offset, offset + size) }
    })
    const config = { url: source.url, paging: { kind: 'offset' }, incremental: { field: 'at', parameter: 'since' } }
    const seen: number[] = []
    let checkpoint: Json | undefined
    let at = 0
    try {
      for (const [i, { values, kill }] of turns.entries()) {
        // Later rows have the greatest value so far, or a greater one.
        for (const value of values) rows.push({ n: rows.length, at: at += exclusive ? 1 : value })
        // Killed, resumed, and ended: new rows come between runs, as pages do not shift under one that is under way.
        for (const chunks of [kill, Infinity]) {
          const read = await readSource(config, { run: run(String(i)), checkpoint, chunks })
          if (read.error !== undefined) throw read.error
          seen.push(...numbers(read.rows))
          checkpoint = read.checkpoint
        }
      }
    } finally {
      await source.close()
    }
    t.strictSame(seen.toSorted((a, b) => a - b), rows.map(({ n }) => n)) || (() => { throw new Error('lost or doubled') })()
  }), { numRuns: 25 })
})

await t.test('rows that are the same in every field count as often as the source has them', async t => {
  const rows = [{ at: '2024-01-02T14:30:00Z', n: 1 }, { at: '2024-01-02T14:30:00Z', n: 1 }]
  const source = await startSource(t, () => ({ json: rows }))
  const config = { url: source.url, incremental: { field: 'at' } }
  const first = await readSource(config, { run: run('1') })
  t.equal(first.rows.length, 2)
  rows.push({ at: '2024-01-02T15:30:00+01:00', n: 1 }, { ...rows[0] as { at: string, n: number } })
  const next = await readSource(config, { run: run('2'), checkpoint: first.checkpoint })
  t.equal(next.rows.length, 2, 'one is the same moment in other words, one a third copy')
  t.match(next.context.counts, { rows_known: 2 })
})

await t.test('a row without a value to order it by is rejected; values of two kinds and too many ties fail the run', async t => {
  const source = await startSource(t, () => ({ json: [{ at: 1, n: 1 }, { at: null, n: 2 }, { n: 3 }] }))
  const { rows, context } = await readSource({ url: source.url, incremental: { field: 'at' } })
  t.strictSame(numbers(rows), [1])
  t.match(context.rejected, [{ row: { n: 2 }, reason: /no value in at/ }, { row: { n: 3 }, reason: /no value in at/ }])
  const mixed = await startSource(t, () => ({ json: [{ at: 1 }, { at: '2024-01-02T00:00:00Z' }] }))
  t.match((await readSource({ url: mixed.url, incremental: { field: 'at' } })).error, { code: 'SOURCE_REFUSED', message: /have no order/ })
  const ties = await startSource(t, () => ({ json: Array.from({ length: 30 }, (_, n) => ({ at: 1, n })) }))
  t.match((await readSource({ url: ties.url, incremental: { field: 'at' }, remembered_rows_max: 20 })).error, { code: 'SOURCE_REFUSED', message: /More than 20 rows have the value 1 in at/ })
  const falling = await startSource(t, () => ({ json: [{ at: 2 }, { at: 1 }] }))
  t.match((await readSource({ url: falling.url, incremental: { field: 'at', ascending: true } })).error, { code: 'SOURCE_REFUSED', message: /not in the order of at/ })
})

await t.test('a row without a value is rejected once, as often as the source has it, whatever stands around it and wherever the run stops', async t => {
  const rows: unknown[] = [{ at: 1, n: 1 }, { n: 2 }, { n: 2 }, 'no row', { at: null, n: 3 }]
  let asked = 0
  const source = await startSource(t, ({ query }) => ({ json: { time: asked++, rows: rows.slice(Number(query['offset']), Number(query['offset']) + 2) } }))
  const config = { url: source.url, rows: '/rows', envelope: { time: '/time' }, paging: { kind: 'offset' }, incremental: { field: 'at', key: ['n'] } }
  const rejected: unknown[] = []
  let checkpoint: Json | undefined
  for (const [id, chunks] of [['1', 2], ['1', Infinity], ['2', 1], ['2', Infinity]] as const) {
    const read = await readSource(config, { run: run(id), checkpoint, chunks })
    t.equal(read.error, undefined)
    checkpoint = read.checkpoint
    rejected.push(...read.context.rejected.map(({ row }) => (row as Row)['n'] ?? (row as Row)['text']))
  }
  t.strictSame(rejected, [2, '"no row"', 2, 3])

  rows.push({ n: 2 }, { at: 2, n: 4 })
  const next = await readSource(config, { run: run('3'), checkpoint })
  t.strictSame(numbers(next.rows), [4])
  t.match(next.context.rejected, [{ row: { n: 2 } }], 'a third one')
  t.match(next.context.counts, { rows_malformed: 1, rows_known: 5 })

  const many = await startSource(t, () => ({ json: Array.from({ length: 9 }, (_, n) => ({ n })) }))
  const bounded = { url: many.url, incremental: { field: 'at' }, remembered_rows_max: 6 }
  const first = await readSource(bounded, { run: run('1') })
  const second = await readSource(bounded, { run: run('2'), checkpoint: first.checkpoint })
  t.strictSame([first.context.rejected.length, second.context.rejected.length], [9, 3], 'what is not remembered is rejected again')
})

await t.test('the greatest value goes into the next request, in the format that is wanted', async t => {
  const source = await startSource(t, () => ({ json: [{ at: '2024-01-02T14:30:00.123456Z', n: 1 }] }))
  for (const [format, wanted] of Object.entries({ raw: '2024-01-02T14:30:00.123456Z', iso: '2024-01-02T14:30:00.123Z', date: '2024-01-02', unix_s: '1704205800', unix_ms: '1704205800123' })) {
    const config = { url: source.url, incremental: { field: 'at', parameter: 'since', start: '2024-01-01', format } }
    const first = await readSource(config, { run: run('1') })
    t.match(source.asked.at(-1)?.query['since'], format === 'raw' || format === 'date' ? '2024-01-01' : /^(2024-01-01T|1704067200)/)
    t.strictSame((await readSource(config, { run: run('2'), checkpoint: first.checkpoint })).rows, [])
    t.equal(source.asked.at(-1)?.query['since'], wanted)
  }
})

await t.test('windows cut the interval, follow each other over runs, and a full one is asked for in halves', async t => {
  const minute = 60_000
  const times = Array.from({ length: 300 }, (_, n) => n < 200 ? n * 10 * minute : 2000 * minute + n)
  const source = await startSource(t, ({ query }) => ({ json: times.flatMap((time, n) => time >= Number(query['from']) && time <= Number(query['to']) ? [{ n, time }] : []).slice(0, 20) }))
  const config = { url: source.url, query: { from: '{from:unix_ms}', to: '{to:unix_ms}' }, paging: { kind: 'window', window: '6h', size: 20, to_inclusive: true } }
  const first = await readSource(config, { run: run('1', 0, day), chunks: 3 })
  const second = await readSource(config, { run: run('2', day, 2 * day), checkpoint: first.checkpoint })
  t.equal(second.error, undefined)
  t.strictSame(numbers([...first.rows, ...second.rows]), times.map((_, n) => n))
  t.strictSame((await readSource(config, { run: run('3', day, 2 * day), checkpoint: second.checkpoint })).rows, [], 'what was read is not read again')
  t.strictSame(numbers((await readSource(config, { run: run('4', 0, 30 * minute, 'backfill') })).rows), [0, 1, 2], 'a backfill has an interval of its own')
  const dense = await startSource(t, () => ({ json: Array.from({ length: 20 }, (_, n) => ({ n })) }))
  t.match((await readSource({ ...config, url: dense.url }, { run: run('1', 0, day) })).error, { code: 'SOURCE_REFUSED', message: /The shortest window has 20 rows/ })
})

await t.test('whole days are asked for when they are over, without a gap and without a double', async t => {
  const source = await startSource(t, ({ path, query }) => ({ json: [{ n: Number(query['from']?.slice(8)), path }] }))
  const config = { url: `${source.url}/{from:date}`, query: { from: '{from:date}', to: '{to:date}' }, paging: { kind: 'window', window: '1d', to_inclusive: true } }
  const noon = (n: number): number => Date.UTC(2024, 0, n, 12)
  const first = await readSource(config, { run: run('1', noon(1), noon(3)), now: noon(3) })
  const second = await readSource(config, { run: run('2', noon(3), noon(4)), checkpoint: first.checkpoint, now: noon(4) })
  t.strictSame(numbers([...first.rows, ...second.rows]), [1, 2, 3])
  t.match(source.asked.map(({ path, query }) => [path, query]), [1, 2, 3].map(n => [`/rows/2024-01-0${n}`, { from: `2024-01-0${n}`, to: `2024-01-0${n}` }]))
})

await t.test('a POST carries its page in the body, and pages may end by a status or by a word', async t => {
  const posts = await startSource(t, ({ body }) => {
    const { page } = JSON.parse(body) as { page: number }
    return page <= 2 ? { json: [{ n: page }] } : { json: {}, status: 404 }
  })
  const { rows, error } = await readSource({ url: posts.url, method: 'POST', body: { page: '{page}', since: '{since}', filter: ['{page} {'] }, incremental: { field: 'n' }, paging: { kind: 'page', end_statuses: [404] } })
  t.equal(error, undefined)
  t.strictSame(numbers(rows), [1, 2])
  t.strictSame(JSON.parse(posts.asked[0]?.body ?? ''), { page: 1, filter: ['1 {'] })
  t.strictSame(posts.asked[0]?.query, {})
  const more = await startSource(t, ({ query }) => ({ json: { rows: [{ n: Number(query['page']) }], has_more: query['page'] !== '3' } }))
  t.strictSame(numbers((await readSource({ url: more.url, rows: '/rows', paging: { kind: 'page', size: 100, more: '/has_more' } })).rows), [1, 2, 3])
  const after = await startSource(t, ({ query }) => ({ json: [4, 5, 6].filter(n => n > Number(query['after'] ?? 0)).slice(0, 1).map(n => ({ n })) }))
  t.strictSame(numbers((await readSource({ url: after.url, paging: { kind: 'cursor', field: 'n', parameter: 'after' } })).rows), [4, 5, 6])
})

await t.test('a source that gives fewer rows a page than it is asked for is told, instead of being read in part', async t => {
  const source = await startSource(t, ({ query }) => ({ json: [{ n: Number(query['page']) }] }))
  const { error, rows } = await readSource({ url: source.url, paging: { kind: 'page', size: 500, size_parameter: 'limit' } })
  t.match(error, { code: 'SOURCE_REFUSED', message: /first page has 1 rows, not the 500/ })
  t.strictSame(rows, [])
})

await t.test('a page of many fields and few rows each is refused before it fills the memory', async t => {
  const source = await startSource(t, () => ({ json: Array.from({ length: 3000 }, (_, n) => ({ [`id_${n}`]: n })) }))
  t.match((await readSource({ url: source.url })).error, { code: 'SOURCE_REFUSED', message: /3000 different fields/ })
})

await t.test('an address with a password in it is refused, because addresses are shown', async t => {
  for (const url of ['http://user:secret@example.com/rows', 'https://token@example.com']) t.throws(() => configure(http, { url }), { message: /must match pattern/ })
  for (const url of ['https://example.com', 'http://[::1]:8080/rows?at=a@b', 'https://example.com/{from:date}/a@b']) t.doesNotThrow(() => configure(http, { url }))
})
