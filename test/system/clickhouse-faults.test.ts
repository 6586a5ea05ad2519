// A platform on a ClickHouse server that fails in every way that an engine really fails in: each time health says what
// is wrong and what to do, rows wait, and it goes on by itself.

import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { connectClickHouse } from '../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../runtime/clickhouse/embedded.ts'
import { makeProject, startPlatform } from './project.ts'
import { eventually } from '../waiting.ts'

const schema = `
key: [symbol]
event_time: t
fields:
  n: { type: int64, required: true }
  t: { type: timestamp(ms), required: true, cast: { unit: ms } }
  symbol: { type: string, required: true }
`
const pipeline = `
input:
  file: { path: rows.ndjson, follow: true, poll_ms: 20 }
topic: trades
transforms:
  - mapping: trades
outputs:
  - streaming-database: {}
    flush: { rows: 1000, ms: 20 }
`

const project = makeProject(t.testdir(), { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': pipeline, 'rows.ndjson': '' })
const engine = await startEmbedded({ folder: join(project.folder, 'engine'), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())
const client = await connectClickHouse(engine.url)
t.teardown(() => client.close())

/** Settings that every statement gets on its way, and what is left out of it. */
let more: Readonly<Record<string, string>> = {}
const front = createServer((message, response) => {
  const url = new URL(message.url ?? '/', engine.url)
  for (const [name, value] of Object.entries(more)) url.searchParams.set(name, value)
  const onward = request(url, { method: message.method ?? 'POST', headers: message.headers }, answer => {
    response.writeHead(answer.statusCode ?? 500, answer.headers)
    answer.pipe(response)
  })
  onward.on('error', () => response.destroy())
  message.pipe(onward)
})
async function listen (port: number): Promise<number> {
  front.listen(port, '127.0.0.1')
  await once(front, 'listening')
  return (front.address() as AddressInfo).port
}
async function hangUp (): Promise<void> {
  const closed = once(front, 'close')
  front.close()
  front.closeAllConnections()
  await closed
}
const port = await listen(0)
await hangUp()
t.teardown(() => {
  front.closeAllConnections()
  front.close()
})

let rows = 0
function append (): void {
  const lines = Array.from({ length: 50 }, (_, i) => JSON.stringify({ n: rows + i, t: 1704205800000 + i, symbol: 'AAPL' }))
  rows += 50
  appendFileSync(join(project.folder, 'rows.ndjson'), `${lines.join('\n')}\n`)
}

const { username, password } = new URL(engine.url)
append()
const platform = await startPlatform(project, { TWOLANE_CLICKHOUSE: `http://${username}:${password}@127.0.0.1:${port}` })
t.teardown(() => platform.kill())

async function reason (): Promise<string> {
  const { body } = await platform.api<{ failing: Array<{ reasons: string[] }> }>('GET', '/readyz')
  return body.failing.flatMap(({ reasons }) => reasons).join('\n')
}

async function says (what: RegExp): Promise<string> {
  let last = ''
  return eventually(`health says ${String(what)}`, async () => {
    last = await reason()
    return what.test(last) ? last : undefined
  }).catch((error: unknown) => { throw new Error(`${String(error)}; it says ${last}`) })
}

/** All rows are there, each once, and health has nothing to say. */
async function recovers (): Promise<void> {
  await eventually(`${rows} rows are there`, async () => {
    const [found] = await client.rows<{ all: string, different: string }>('SELECT count() AS all, uniqExact(n) AS different FROM streaming.trades').catch(() => [])
    if (Number(found?.all) > rows) throw new Error(`${String(found?.all)} rows of ${rows}`)
    return found?.all === String(rows) && found.different === String(rows) ? true : undefined
  })
  await eventually('all is well', async () => await reason() === '' ? true : undefined)
}

await t.test('it is not there at the start', async t => {
  t.match(await says(/ECONNREFUSED/), /Check that ClickHouse runs and can be reached/)
  await listen(port)
  await recovers()
})

await t.test('it goes away in the middle', async t => {
  await hangUp()
  append()
  t.match(await says(/ECONNREFUSED/), /Check that ClickHouse runs and can be reached/)
  await listen(port)
  await recovers()
})

const faults: ReadonlyArray<readonly [string, Record<string, string>, RegExp, RegExp]> = [
  ['the user is read-only', { readonly: '1' }, /readonly mode/i, /The user or the server is read-only: let its profile allow writing/],
  ['it is over its memory limit', { max_memory_usage: '1000', max_untracked_memory: '1' }, /memory limit/i, /goes on by itself when there is some; give it more/]
]
for (const [name, settings, wanted, remedy] of faults) {
  await t.test(name, async t => {
    more = settings
    append()
    t.match(await says(wanted), remedy)
    more = {}
    await recovers()
  })
}

await t.test('it has too many parts', async t => {
  await client.command('SYSTEM STOP MERGES streaming.trades')
  await client.command('ALTER TABLE streaming.trades MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1')
  append()
  t.match(await says(/too many parts/i), /let outputs flush more rows at a time/)
  await client.command('ALTER TABLE streaming.trades RESET SETTING parts_to_throw_insert, parts_to_delay_insert')
  await client.command('SYSTEM START MERGES streaming.trades')
  await recovers()
})

await t.test('it is killed and starts again', async t => {
  const { pid } = engine
  process.kill(pid as number, 'SIGKILL')
  append()
  await eventually('the engine is back', () => engine.pid !== undefined && engine.pid !== pid ? true : undefined)
  await recovers()
  t.pass('nothing is lost')
})

await t.test('the password is wrong, and is not told', async t => {
  const other = makeProject(t.testdir(), { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': pipeline, 'rows.ndjson': '' })
  const wrong = await startPlatform(other, { TWOLANE_CLICKHOUSE: `http://default:canary-password@127.0.0.1:${port}` })
  try {
    const { body } = await eventually('health says so', async () => {
      const answer = await wrong.api('GET', '/readyz')
      return JSON.stringify(answer.body).includes('Authentication failed') ? answer : undefined
    })
    t.match(JSON.stringify(body), /Correct user and password in the address/)
    t.notMatch(JSON.stringify(body) + wrong.output(), 'canary-password')
  } finally {
    await wrong.kill()
  }
})
