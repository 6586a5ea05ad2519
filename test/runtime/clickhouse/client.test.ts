import t from 'tap'
import type { Test } from 'tap'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ClickHouseError } from '@clickhouse/client'
import { Table, Utf8, makeVector, tableToIPC, vectorFromArray } from 'apache-arrow'
import { classify, engineCode } from '../../../runtime/clickhouse/answers.ts'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import type { ClickHouse, InsertColumn } from '../../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { PlatformError, describe } from '../../../runtime/errors.ts'

const engine = await startEmbedded({ folder: t.testdir(), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())

async function failure (work: Promise<unknown>): Promise<PlatformError> {
  try {
    await work
  } catch (error) {
    if (error instanceof PlatformError) return error
    throw error
  }
  throw new Error('did not fail')
}

async function connected (work: (client: ClickHouse) => Promise<void>, url = engine.url): Promise<void> {
  const client = await connectClickHouse(url)
  try {
    await work(client)
  } finally {
    await client.close()
  }
}

/** A server that stores settings it was sent, as an engine does, until it is told to behave otherwise. */
async function fake (t: Test, answer: (request: IncomingMessage, response: ServerResponse, url: URL) => boolean): Promise<{ url: string, seen: URL[] }> {
  const seen: URL[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x')
    seen.push(url)
    request.resume()
    request.on('end', () => {
      if (answer(request, response, url)) return
      const settings = [...url.searchParams].map(([name, value]) => JSON.stringify({ name, value }))
      response.end(`${settings.join('\n')}\n`)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

const columns = (...names: string[]): InsertColumn[] => names.map(name => ({ name, type: name === 'a' ? 'Int32' : 'Nullable(String)' }))
const arrow = (): Uint8Array => tableToIPC(new Table({ a: makeVector(Int32Array.of(1, 2)), b: vectorFromArray(['x', null], new Utf8()) }), 'stream')

await t.test('an engine takes the settings that correctness rests on', async t => {
  await connected(async client => {
    t.equal(client.address, new URL(engine.url).origin)
    const settings = await client.rows<{ name: string, value: string }>('SELECT name, value FROM system.settings WHERE name LIKE \'output_format_json_quote%\' ORDER BY name')
    t.ok(settings.filter(({ value }) => value === '1').length >= 3)
  })
})

await t.test('an engine that does not take one is refused, and the setting is named', async t => {
  const { url } = await fake(t, (_, response, { searchParams }) => {
    const settings = [...searchParams].map(([name, value]) => JSON.stringify({ name, value: name === 'async_insert' ? '1' : value }))
    response.end(`${settings.join('\n')}\n`)
    return true
  })
  const error = await failure(connectClickHouse(url))
  t.equal(error.code, 'DESTINATION_REFUSED')
  t.match(error.message, /has async_insert = 1 where 0 was sent/)
})

await t.test('a setting that this version does not know is not sent', async t => {
  const { url, seen } = await fake(t, () => false)
  await connected(async client => {
    await client.insertArrow({ database: 'd', table: 't' }, columns('a'), arrow(), { queryId: 'q1', partitionsMax: 7 })
  }, url)
  const insert = seen.at(-1)?.searchParams
  t.equal(insert?.get('query'), 'INSERT INTO `d`.`t` (`a`) FORMAT ArrowStream')
  t.equal(insert?.get('query_id'), 'q1')
  t.equal(insert?.get('max_partitions_per_insert_block'), '7')
  t.equal(insert?.get('async_insert'), '0')
  t.equal(insert?.get('deduplicate_insert'), null)
})

await t.test('large numbers come as text, and an error behind the first rows is an error', async t => {
  await connected(async client => {
    t.strictSame(await client.rows('SELECT toUInt64(18446744073709551615) AS u, toDecimal128(\'1.10\', 2) AS d, inf AS i'), [{ u: '18446744073709551615', d: '1.1', i: 'inf' }])
    const error = await failure(client.rows('SELECT throwIf(number = 300000) FROM numbers(400000) SETTINGS max_block_size = 1000'))
    t.equal(engineCode(error), 395)
  })
})

await t.test('an insert goes by column names, all or nothing', async t => {
  await connected(async client => {
    await client.command('CREATE DATABASE c')
    await client.command('CREATE TABLE c.t (b Nullable(String), a Int32, z Nullable(Int8)) ENGINE = MergeTree ORDER BY a')
    const table = { database: 'c', table: 't' }
    const options = { queryId: 'insert-1', partitionsMax: 10 }
    await client.insertArrow(table, columns('a', 'b'), arrow(), options)
    t.strictSame(await client.rows('SELECT a, b, z FROM c.t ORDER BY a'), [{ a: 1, b: 'x', z: null }, { a: 2, b: null, z: null }])

    const unknown = await failure(client.insertArrow(table, columns('a', 'nowhere'), arrow(), options))
    t.strictSame([unknown.code, engineCode(unknown)], ['DESTINATION_REFUSED', 16])
    await client.command('CREATE TABLE c.strict (a Int32, b String) ENGINE = MergeTree ORDER BY a')
    const nulls = await failure(client.insertArrow({ database: 'c', table: 'strict' }, columns('a', 'b'), arrow(), options))
    t.equal(nulls.retryable, false)
    t.match(nulls.message, /NULL|Nullable/i)
    const missing = await failure(client.insertArrow(table, columns('a', 'b', 'z'), arrow(), options))
    t.equal(missing.retryable, false, 'a column that the data lack is not filled in')
    const cut = await failure(client.insertArrow(table, columns('a', 'b'), arrow().subarray(0, 300), options))
    t.ok(cut.code.startsWith('DESTINATION'))
    t.strictSame(await client.rows('SELECT count() AS n FROM c.t'), [{ n: '2' }])
    t.strictSame(await client.rows('SELECT count() AS n FROM c.strict'), [{ n: '0' }])
  })
})

await t.test('a statement that takes too long is ended by the engine, and that can be tried again', async t => {
  const client = await connectClickHouse(engine.url, { statementSeconds: 3 })
  const error = await failure(client.rows('SELECT sleepEachRow(0.2) FROM numbers(60) SETTINGS max_block_size = 1'))
  t.strictSame([error.code, engineCode(error)], ['DESTINATION_UNAVAILABLE', 159])
  await client.close()
})

await t.test('an abort at our side means that the outcome is not known', async t => {
  await connected(async client => {
    const abort = new AbortController()
    const asked = failure(client.rows('SELECT sleep(2)', { signal: abort.signal }))
    abort.abort()
    t.equal((await asked).code, 'DESTINATION_UNAVAILABLE')
  })
})

await t.test('what the network does is not known, what the engine says is', async t => {
  const code = (code: number, name: string) => (response: ServerResponse) => {
    response.writeHead(500, { 'X-ClickHouse-Exception-Code': String(code) }).end(`Code: ${code}. DB::Exception: words. (${name}) (version 26.7.2.1)`)
  }
  const cases: ReadonlyArray<readonly [string, (response: ServerResponse) => void, string]> = [
    ['too many parts', code(252, 'TOO_MANY_PARTS'), 'DESTINATION_UNAVAILABLE'],
    ['memory', code(241, 'MEMORY_LIMIT_EXCEEDED'), 'DESTINATION_UNAVAILABLE'],
    ['keeper', code(999, 'KEEPER_EXCEPTION'), 'DESTINATION_UNAVAILABLE'],
    ['unknown table', code(60, 'UNKNOWN_TABLE'), 'DESTINATION_REFUSED'],
    ['constraint', code(469, 'VIOLATED_CONSTRAINT'), 'DESTINATION_REFUSED'],
    ['full disk', code(243, 'NOT_ENOUGH_SPACE'), 'DISK_FULL'],
    ['full disk, as its file system says it', response => {
      response.writeHead(500, { 'X-ClickHouse-Exception-Code': '1001' }).end('Code: 1001. DB::Exception: filesystem error: in rename: No space left on device. (STD_EXCEPTION) (version 26.7.2.1)')
    }, 'DISK_FULL'],
    ['a proxy in between', response => { response.writeHead(502).end('<html>Bad gateway</html>') }, 'DESTINATION_UNAVAILABLE'],
    ['a reset', response => { response.destroy() }, 'DESTINATION_UNAVAILABLE'],
    ['a cut answer', response => {
      response.writeHead(200, { 'Content-Length': '100' })
      response.write('half', () => response.destroy())
    }, 'DESTINATION_UNAVAILABLE']
  ]
  let respond: ((response: ServerResponse) => void) | undefined
  const { url } = await fake(t, (_, response) => {
    respond?.(response)
    return respond !== undefined
  })
  const client = await connectClickHouse(url)
  for (const [name, response, wanted] of cases) {
    respond = response
    const error = await failure(client.insertArrow({ database: 'd', table: 't' }, columns('a'), arrow(), { queryId: name, partitionsMax: 1 }))
    t.equal(error.code, wanted, `${name}: ${describe(error)}`)
  }
  await client.close()
})

await t.test('answers that pass by themselves are tried again, and no others (ClickHouse Kafka Connect sink: Utils.handleException)', async t => {
  const passing = {
    UNEXPECTED_END_OF_FILE: 3,
    FILE_DOESNT_EXIST: 107,
    TIMEOUT_EXCEEDED: 159,
    READONLY: 164,
    TOO_MANY_SIMULTANEOUS_QUERIES: 202,
    NO_FREE_CONNECTION: 203,
    SOCKET_TIMEOUT: 209,
    NETWORK_ERROR: 210,
    MEMORY_LIMIT_EXCEEDED: 241,
    TABLE_IS_READ_ONLY: 242,
    TOO_MANY_PARTS: 252,
    TOO_FEW_LIVE_REPLICAS: 285,
    UNKNOWN_STATUS_OF_INSERT: 319,
    SYSTEM_ERROR: 425,
    KEEPER_EXCEPTION: 999,
    STD_EXCEPTION: 1001,
    // Those that it gives up at.
    ATTEMPT_TO_READ_AFTER_EOF: 32,
    CANNOT_ALLOCATE_MEMORY: 173,
    DNS_ERROR: 198,
    ABORTED: 236,
    ALL_CONNECTION_TRIES_FAILED: 279,
    QUERY_WAS_CANCELLED: 394,
    S3_ERROR: 499,
    POCO_EXCEPTION: 1000
  }
  const final = {
    NO_SUCH_COLUMN_IN_TABLE: 16,
    CANNOT_PARSE_INPUT_ASSERTION_FAILED: 27,
    TYPE_MISMATCH: 53,
    UNKNOWN_TABLE: 60,
    SYNTAX_ERROR: 62,
    UNKNOWN_DATABASE: 81,
    INCORRECT_DATA: 117,
    UNKNOWN_USER: 192,
    CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN: 349,
    VIOLATED_CONSTRAINT: 469,
    ACCESS_DENIED: 497,
    AUTHENTICATION_FAILED: 516
  }
  const codes = [...Object.entries(passing), ...Object.entries(final)]
  await connected(async client => {
    const names = await client.rows<{ name: string }>('SELECT errorCodeToName(arrayJoin({codes:Array(UInt16)})) AS name', { query_params: { codes: codes.map(([, code]) => code) } })
    t.strictSame(names.map(({ name }) => name), codes.map(([name]) => name), 'as the engine calls them')
  })
  for (const [name, code] of codes) {
    const error = classify(new ClickHouseError({ message: 'words', code: String(code), type: name }), 'x')
    t.equal(error.retryable, name in passing, name)
  }
})

await t.test('an address that cannot be used gives a clear error without its password', async t => {
  t.match(await failure(connectClickHouse('nonsense')), { code: 'CONFIG_INVALID', remedy: /http:\/\/host:8123/ })
  const gone = await failure(connectClickHouse('http://user:secret@127.0.0.1:1'))
  t.equal(gone.code, 'DESTINATION_UNAVAILABLE')
  const wrong = await failure(connectClickHouse(engine.url.replace(/:[^:]*@/, ':secret@')))
  t.equal(wrong.code, 'DESTINATION_REFUSED')
  for (const error of [gone, wrong]) t.notMatch(`${error.toString()} ${describe(error.cause)}`, 'secret')
})

await t.test('an error of ours stays as it is', async t => {
  const error = new PlatformError('DISK_FULL', 'full')
  t.equal(classify(error, 'x'), error)
  t.equal(engineCode(error), undefined)
})
