// Exports and saved queries over HTTP, on the embedded database. Items of the security checklist: 13 (objects of others),
// 14 (unknown properties), 32 (names of files).

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { eventually } from '../../waiting.ts'
import { openStage } from '../live/stage.ts'
import type { Stage } from '../live/stage.ts'

interface Found { readonly id: string, readonly state: string, readonly reason: string, readonly rows: number, readonly files: ReadonlyArray<{ readonly name: string, readonly bytes: number, readonly sha256: string, readonly rows: number, readonly url: string }> }

const day = (date: number): number => Date.UTC(2026, 0, date, 14, 30)
const ended = (stage: Stage, id: string, headers = {}): Promise<Found> => eventually('the export has ended', async () => {
  const found = (await stage.ask('GET', `/v1/exports/${id}`, { headers })).json<Found>()
  return found.state === 'queued' || found.state === 'running' ? undefined : found
})

await t.test('exports and saved queries', async t => {
  const stage = await openStage(t)
  await stage.send([1, 2, 4].flatMap(date => Array.from({ length: 10 }, (_, i) => ({ symbol: i % 2 === 0 ? 'AAPL' : 'MSFT', time: day(date) + i, price: String(100 + i), size: String(i) }))))
  await eventually('the rows are stored', async () => {
    const answer = await stage.ask('GET', '/v1/data/ticks.json')
    return answer.statusCode === 200 && answer.json<{ rows: object[] }>().rows.length === 30 ? true : undefined
  })
  await t.test('rows become a file each day, with hash and rows, and are fetched whole or in parts', async t => {
    const answer = await stage.ask('POST', '/v1/exports', { payload: { dataset: 'ticks', start: '2026-01-01', end: '2026-01-05', format: 'csv', split: 'day', symbols: 'AAPL' } })
    t.equal(answer.statusCode, 202, answer.body)
    const found = await ended(stage, answer.json<Found>().id)
    t.match(found, { state: 'done', rows: 15 }, found.reason)
    t.same(found.files.map(({ name, rows }) => [name, rows]), [['ticks-2026-01-01.csv', 5], ['ticks-2026-01-02.csv', 5], ['ticks-2026-01-04.csv', 5]], 'a day without rows has no file')
    for (const { url, bytes, sha256 } of found.files) {
      const file = await stage.ask('GET', url)
      t.equal(createHash('sha256').update(file.rawPayload).digest('hex'), sha256)
      t.equal(file.rawPayload.length, bytes)
    }
    const [{ url = '' } = {}] = found.files
    const whole = (await stage.ask('GET', url)).body
    const part = await stage.ask('GET', url, { headers: { range: 'bytes=5-9' } })
    t.equal(part.statusCode, 206)
    t.equal(part.body, whole.slice(5, 10))
    t.equal((await stage.ask('GET', url, { headers: { range: 'bytes=-4' } })).body, whole.slice(-4))
    t.equal((await stage.ask('GET', url, { headers: { range: `bytes=${whole.length}-` } })).statusCode, 416)
    const folder = join(stage.platform.config.dataFolder, 'exports', found.id)
    t.ok(existsSync(folder))
    t.equal((await stage.ask('DELETE', `/v1/exports/${found.id}`)).statusCode, 204)
    t.notOk(existsSync(folder), 'its files go with it')
    t.equal((await stage.ask('GET', `/v1/exports/${found.id}`)).statusCode, 404)
  })

  await t.test('item 32: a name of a file never leaves the folder', async t => {
    const { id } = (await stage.ask('POST', '/v1/exports', { payload: { dataset: 'ticks', last: '1d' } })).json<Found>()
    await ended(stage, id)
    for (const name of ['..%2f..%2fcontrol.db', '%2e%2e%2f%2e%2e%2fcontrol.db', '..%5ccontrol.db', 'control.db', 'ticks-all.csv%00', '%2fetc%2fpasswd', 'a'.repeat(500), 'ticks-9999-01-01.parquet']) {
      const { statusCode } = await stage.ask('GET', `/v1/exports/${id}/files/${name}`)
      t.ok([400, 404, 414, 422].includes(statusCode), `${name.slice(0, 40)}: ${statusCode}`)
    }
    for (const other of ['..', '%2e%2e', 'x']) t.ok([400, 404, 405, 422].includes((await stage.ask('GET', `/v1/exports/${other}`)).statusCode), other)
  })

  await t.test('item 14: what is wrong is refused, and nothing is begun', async t => {
    for (const [payload, status] of [
      [{ dataset: 'none' }, 404],
      [{ dataset: 'ticks', format: 'json' }, 422],
      [{ dataset: 'ticks', owner: 'root' }, 422],
      [{ dataset: 'ticks', every: '5m' }, 400],
      [{ dataset: 'ticks', kind: 'bars' }, 400],
      [{ dataset: 'ticks', split: 'day' }, 400],
      [{ dataset: 'ticks', fields: ['secret'] }, 400],
      [{ dataset: 'ticks', start: '1900-01-01', split: 'day' }, 400]
    ] as const) t.equal((await stage.ask('POST', '/v1/exports', { payload })).statusCode, status, JSON.stringify(payload))
  })

  await t.test('a saved query answers under its own address, with parameters replaced', async t => {
    const saved = await stage.ask('POST', '/v1/queries', { payload: { slug: 'apple', title: 'Apple', spec: { kind: 'data', dataset: 'ticks', symbols: ['AAPL'], start: '2026-01-01', fields: ['time', 'price'] }, shared: false } })
    t.equal(saved.statusCode, 201, saved.body)
    t.match(saved.json(), { slug: 'apple', owner: 'admin', shared: false, spec: { kind: 'data', symbols: ['AAPL'] } })
    t.equal((await stage.ask('GET', '/v1/q/apple.json')).json<{ rows: object[] }>().rows.length, 15)
    t.equal((await stage.ask('GET', '/v1/q/apple.json?symbols=MSFT&limit=3&fields=symbol')).json<{ rows: object[] }>().rows.length, 3)
    t.equal((await stage.ask('GET', '/v1/q/apple.json?last=1d')).json<{ rows: object[] }>().rows.length, 0, 'a range replaces the one that was saved')
    t.equal((await stage.ask('GET', '/v1/q/apple.csv')).body.trim().split('\n').length, 16)
    t.equal((await stage.ask('GET', '/v1/q/apple.json?every=5m')).statusCode, 400, 'a parameter of another kind')
    t.equal((await stage.ask('PUT', '/v1/queries/apple', { payload: { spec: { kind: 'bars', dataset: 'ticks', every: '1d', price: 'price' }, shared: true } })).statusCode, 200)
    t.equal((await stage.ask('GET', '/v1/q/apple.json')).json<{ rows: object[] }>().rows.length, 6, 'three days of two symbols')
    t.strictSame(stage.platform.watch.queriesOf(['ticks', 'none']), ['apple'], 'whoever looks at what a fault touches sees those that are shared')
    for (const [payload, status] of [
      [{ slug: 'apple', spec: { kind: 'data', dataset: 'ticks' } }, 409],
      [{ slug: 'b', spec: { kind: 'data', dataset: 'none' } }, 404],
      [{ slug: 'b', spec: { kind: 'data', dataset: 'ticks', fields: ['secret'] } }, 400],
      [{ slug: 'b', spec: { kind: 'sql', dataset: 'ticks' } }, 422],
      [{ slug: '../b', spec: { kind: 'data', dataset: 'ticks' } }, 422]
    ] as const) t.equal((await stage.ask('POST', '/v1/queries', { payload })).statusCode, status, JSON.stringify(payload))
    t.equal((await stage.ask('DELETE', '/v1/queries/apple')).statusCode, 204)
    t.equal((await stage.ask('GET', '/v1/q/apple.json')).statusCode, 404)
  })

  await t.test('item 13: what somebody else has made is not there, unless it is shared, and then with the rights of who asks', async t => {
    const [apple, micro] = [await stage.person('apple', [{ dataset: 'ticks', columns: null, where: ['symbol', '=', 'AAPL'] }]), await stage.person('micro', [{ dataset: 'ticks', columns: ['symbol', 'time', 'price'], where: ['symbol', '=', 'MSFT'] }])]
    const { id } = (await stage.ask('POST', '/v1/exports', { headers: apple.headers, payload: { dataset: 'ticks', format: 'ndjson' } })).json<Found>()
    const found = await ended(stage, id, apple.headers)
    t.equal(found.rows, 15, 'the row filter of the grant holds')
    const { url = '' } = found.files[0] ?? {}
    for (const path of [`/v1/exports/${id}`, url]) {
      t.equal((await stage.ask('GET', path, { headers: apple.headers })).statusCode, 200)
      t.equal((await stage.ask('GET', path, { headers: micro.headers })).statusCode, 404)
    }
    t.equal((await stage.ask('DELETE', `/v1/exports/${id}`, { headers: micro.headers })).statusCode, 404)
    t.same((await stage.ask('GET', '/v1/exports', { headers: micro.headers })).json(), { exports: [] })
    t.equal((await stage.ask('GET', url)).statusCode, 403, 'others may not have files that were made under another grant')

    const payload = { slug: 'mine', spec: { kind: 'data', dataset: 'ticks' }, shared: false }
    t.equal((await stage.ask('POST', '/v1/queries', { headers: apple.headers, payload })).statusCode, 201)
    t.equal((await stage.ask('GET', '/v1/q/mine.json', { headers: micro.headers })).statusCode, 404)
    t.equal((await stage.ask('PUT', '/v1/queries/mine', { headers: apple.headers, payload: { spec: payload.spec, shared: true } })).statusCode, 200)
    const { rows } = (await stage.ask('GET', '/v1/q/mine.json', { headers: micro.headers })).json<{ rows: Array<Record<string, unknown>> }>()
    t.same([...new Set(rows.map(({ symbol }) => symbol))], ['MSFT'])
    t.same(Object.keys(rows[0] ?? {}), ['symbol', 'time', 'price'])
    t.equal((await stage.ask('DELETE', '/v1/queries/mine', { headers: micro.headers })).statusCode, 403)
  })
})
