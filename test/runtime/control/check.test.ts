import { createServer } from 'node:http'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { pipeline, schema, startEndpoint } from './endpoint.ts'
import type { AddressInfo } from 'node:net'
import type { Answer } from './endpoint.ts'

interface CheckAnswer {
  readonly ok: boolean
  readonly steps: ReadonlyArray<{ readonly name: string, readonly ok: boolean, readonly ms: number, readonly detail: string }>
  readonly sample: ReadonlyArray<Readonly<Record<string, unknown>>>
}

const secret = 'a-secret-that-nobody-sees'

await t.test('connection tests', async t => {
  const asked: string[] = []
  const server = createServer((question, answer) => {
    asked.push(`${question.method} ${question.url} ${question.headers.authorization ?? ''}`)
    if (question.headers.authorization !== `Bearer ${secret}`) return answer.writeHead(401).end('{"error":"no"}')
    return answer.end(JSON.stringify(Array.from({ length: 50 }, (_, n) => ({ n, symbol: 'AAPL' }))))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const { ask, project } = await startEndpoint(t, {
    'schemas/trades.yaml': schema,
    'pipelines/counter.yaml': pipeline,
    'config/platform.yaml': `connect_allow: 127.0.0.1:${port}\n`,
    'rows/trades.csv': 'n,symbol\n1,AAPL\n2,MSFT\n3,IBM\n',
    'plugins/inputs/http/index.ts': `export { default } from ${JSON.stringify(join(import.meta.dirname, '../../../plugins/inputs/http/index.ts'))}`,
    'plugins/inputs/ending/index.ts': "export default { kind: 'input', description: 'Ends its thread.', options: {}, async * read () { process.exit(3) } }"
  })
  const check = async (payload: object): Promise<CheckAnswer> => {
    const answer: Answer = await ask('POST', '/v1/check', { payload, headers: { 'content-type': 'application/json' } })
    if (answer.statusCode !== 200) throw new Error(answer.body)
    return answer.json<CheckAnswer>()
  }

  await t.test('a source that answers shows its steps and its first rows', async t => {
    const { ok, steps, sample } = await check({ kind: 'input', plugin: 'http', options: { url: `http://127.0.0.1:${port}/trades`, auth: { kind: 'bearer', token: secret } }, rows: 5 })
    t.ok(ok)
    t.match(steps.map(({ name, ok }) => [name, ok]), [['connect', true], ['log in', true], ['first rows', true]])
    t.same(sample.map(({ n }) => n), [0, 1, 2, 3, 4])
    t.match(steps.at(-1)?.detail, /5 of the first 50 rows/)
  })

  await t.test('a wrong key is told at the login, without the key', async t => {
    const answer = await check({ kind: 'input', plugin: 'http', options: { url: `http://127.0.0.1:${port}/trades`, auth: { kind: 'bearer', token: 'wrong-key-wrong-key' } } })
    t.match(answer, { ok: false, sample: [] })
    t.match(answer.steps.map(({ name, ok }) => [name, ok]), [['connect', true], ['log in', false]])
    t.match(answer.steps.at(-1)?.detail, /401/)
    t.notMatch(JSON.stringify(answer), 'wrong-key-wrong-key')
  })

  await t.test('item 31: what only the machine can reach is refused before a packet is sent', async t => {
    const hidden = createServer((_, answer) => answer.end('[{"inner":1}]'))
    hidden.listen(0, '127.0.0.1')
    await once(hidden, 'listening')
    t.teardown(() => hidden.close())
    let connections = 0
    hidden.on('connection', () => connections++)
    const at = (hidden.address() as AddressInfo).port
    for (const url of [`http://localhost:${at}/`, `http://[::ffff:127.0.0.1]:${at}/`, 'http://169.254.169.254/latest/meta-data/']) {
      const answer = await check({ kind: 'input', plugin: 'http', options: { url, retries: 0 } })
      t.match(answer, { ok: false, steps: [{ name: 'resolve', ok: false, detail: /nobody allowed to connect/ }], sample: [] }, url)
    }
    t.equal(connections, 0)
  })

  await t.test('a file gives its first rows, and a file that is not there says so', async t => {
    const found = await check({ kind: 'input', plugin: 'file', options: { path: 'rows/trades.csv' } })
    t.match(found, { ok: true, sample: [{ symbol: 'AAPL' }, { symbol: 'MSFT' }, { symbol: 'IBM' }] })
    t.match(await check({ kind: 'input', plugin: 'file', options: { path: 'rows/none.csv' } }), { ok: false, steps: [{ detail: /none\.csv/ }] })
  })

  await t.test('a destination is asked and gets no row', async t => {
    asked.length = 0
    t.match(await check({ kind: 'output', plugin: 'http', options: { url: `http://127.0.0.1:${port}/rows`, token: secret } }), { ok: true })
    t.notOk(asked.some(line => line.startsWith('POST')), asked.join('; '))
    t.match(await check({ kind: 'output', plugin: 'file', options: { path: 'checked.ndjson' } }), { ok: true })
    t.notOk(existsSync(join(project.data, 'checked.ndjson')))
  })

  await t.test('wrong options are told by name, and nothing is started', async t => {
    t.match(await check({ kind: 'input', plugin: 'http', options: { ur: 'https://example.com' } }), { ok: false, steps: [{ name: 'options', detail: /did you mean/ }] })
    t.match(await check({ kind: 'input', plugin: 'nothing-like-it', options: {} }), { ok: false, steps: [{ name: 'options', detail: /there is no input/ }] })
    t.match(await check({ kind: 'input', plugin: 'http', options: { url: 'https://example.com', auth: { kind: 'bearer', token: '***' } } }).catch((error: Error) => error.message), /has none at this place/)
  })

  await t.test('a plugin that ends its thread ends nothing else', async t => {
    t.match(await check({ kind: 'input', plugin: 'ending', options: {} }), { ok: false, steps: [{ detail: /process\.exit\(3\)/ }] })
    t.equal((await ask('GET', '/healthz')).statusCode, 200)
  })
})
