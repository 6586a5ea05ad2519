import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { eventually } from '../../waiting.ts'
import { startEndpoint, pipeline, schema } from './endpoint.ts'
import type { AddressInfo } from 'node:net'
import type { Answer, RemoteEndpoint } from './endpoint.ts'
import type { Receipt } from '../../../runtime/receipt.ts'

const files = { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': pipeline, 'pipelines/idle.yaml': `enabled: false\n${pipeline.replace('out.', 'idle.')}` }
interface Status { readonly id: string, readonly state: string, readonly healthy: boolean, readonly reasons: string[], readonly revision: string, readonly restarts: number, readonly steps: ReadonlyArray<{ readonly step: string, readonly rows_per_second: number, readonly lag_rows?: number }> }
interface Refusal { readonly code: string, readonly detail: string, readonly problems: ReadonlyArray<{ readonly file: string, readonly line: number, readonly column: number, readonly path: string, readonly message: string }>, readonly receipt: Receipt }

function sender ({ ask }: RemoteEndpoint) {
  return (id: string, payload: string | object): Promise<Answer> => ask('PUT', `/v1/pipelines/${id}`, {
    headers: { 'content-type': typeof payload === 'string' ? 'application/yaml' : 'application/json' }, payload
  })
}

await t.test('pipelines are shown, changed, paused and removed', async t => {
  const endpoint = await startEndpoint(t, files)
  const { ask, project } = endpoint
  const put = sender(endpoint)
  const status = async (id: string): Promise<Status> => (await ask('GET', `/v1/pipelines/${id}`)).json()
  const fileText = (id: string): string => readFileSync(join(project.folder, 'pipelines', `${id}.yaml`), 'utf8')

  await t.test('a list says how they are and what their steps do (Benthos: TestTypeAPIList, TestTypeAPIGetStats)', async t => {
    const rate = await eventually('rows go through', async () => (await status('trades')).steps.find(({ step, rows_per_second: rate }) => step === 'outputs.file' && rate > 0))
    t.type(rate.lag_rows, 'number')
    const { pipelines, problems } = (await ask('GET', '/v1/pipelines')).json<{ pipelines: Status[], problems: unknown[] }>()
    t.match(pipelines, [{ id: 'idle', state: 'disabled', healthy: true }, { id: 'trades', state: 'running', healthy: true, reasons: [], restarts: 0 }])
    t.strictSame(problems, [])
  })

  await t.test('what is shown can be sent back, and nothing changes', async t => {
    const shown = (await ask('GET', '/v1/pipelines/trades')).json<{ text: string, definition: object, file: string }>()
    t.equal(shown.text, pipeline)
    t.equal(shown.file, 'pipelines/trades.yaml')
    for (const body of [shown.text, shown.definition]) {
      const answer = await put('trades', body)
      t.equal(answer.statusCode, 200)
      t.match(answer.json(), { outcome: 'unchanged', changes: [] })
    }
    t.equal(fileText('trades'), pipeline, 'not even a comment is lost')
  })

  await t.test('a definition as JSON leaves comments where they are', async t => {
    const { definition } = (await ask('GET', '/v1/pipelines/trades')).json<{ definition: { input: { generate: { rate: number } } } }>()
    const before = (await status('trades')).revision
    const answer = await put('trades', { ...definition, input: { generate: { ...definition.input.generate, rate: 400 } } })
    t.match(answer.json(), { outcome: 'applied', changes: [{ pipeline: 'trades', change: 'changed', from: before, inFlight: 'drained' }] })
    t.equal(fileText('trades').replace('400', '500'), pipeline)
    t.not((await status('trades')).revision, before)
  })

  await t.test('a file that is wrong is refused by line and column, and all is as before (Benthos: TestTypeAPIBasicOperationsYAML)', async t => {
    const before = await status('trades')
    const text = fileText('trades')
    const cases = [
      ['topic: trades\noutputs:\n  - file: { pth: x }\n', { line: 3, column: 5, path: 'outputs[0].file.path', message: /is missing/ }],
      ['topic: tradse\noutputs: [{ file: x }]\n', { line: 1, column: 1, path: 'topic', message: /did you mean "trades"/ }]
    ] as const
    for (const [bad, place] of cases) {
      const answer = await put('trades', bad)
      t.equal(answer.statusCode, 422)
      const refusal = answer.json<Refusal>()
      t.match(refusal, { code: 'RELOAD_REJECTED', detail: /pipelines\/trades.yaml:\d+:\d+/, receipt: { outcome: 'rejected', changes: [] } })
      t.match(refusal.problems.find(({ path }) => path === place.path), { file: 'pipelines/trades.yaml', ...place, column: Number })
      t.equal(fileText('trades'), text, 'the old file is back')
    }
    const broken = await put('trades', 'topic: [')
    t.match(broken.json(), { status: 422, code: 'CONFIG_INVALID', problems: [{ file: 'pipelines/trades.yaml', line: 1, path: '', message: /bracket/ }] }, 'what is no YAML is not even written')
    t.match(await status('trades'), { state: 'running', revision: before.revision, restarts: 0 }, 'the old pipeline runs on')
    t.equal((await put('fresh', 'topic: nope\noutputs: [{ file: x }]')).statusCode, 422)
    t.notOk(existsSync(join(project.folder, 'pipelines/fresh.yaml')), 'a new file that is refused is gone again')
    t.equal((await ask('GET', '/readyz')).statusCode, 200)
  })

  await t.test('a pipeline that cannot begin is rolled back, and the old one runs on (Benthos: PUT of a stream that fails while it starts)', async t => {
    project.write('plugins/outputs/wall/index.js', 'export default { kind: "output", description: "Refuses", options: {}, guarantee: "at least once", async open () { throw new Error("the wall is closed") } }')
    const text = fileText('trades')
    const answer = await put('trades', text.replace('file: { path: out.ndjson }', 'wall: {}'))
    t.equal(answer.statusCode, 422)
    t.match(answer.json<Refusal>(), { code: 'RELOAD_ROLLED_BACK', detail: /the wall is closed/, receipt: { outcome: 'rolled_back' } })
    t.equal(fileText('trades'), text)
    t.match(await status('trades'), { state: 'running', healthy: true })
  })

  await t.test('a pipeline rests until it is resumed', async t => {
    t.match((await ask('POST', '/v1/pipelines/trades/pause')).json(), { id: 'trades', state: 'paused', healthy: true })
    t.equal((await ask('GET', '/readyz')).statusCode, 200, 'resting is no fault')
    t.match((await ask('POST', '/v1/pipelines/trades/resume')).json(), { state: 'running' })
    t.match((await ask('POST', '/v1/pipelines/trades/restart')).json(), { state: 'running', restarts: 0 })
    t.equal((await ask('POST', '/v1/pipelines/idle/restart')).json<Refusal>().code, 'PIPELINE_DISABLED')
    t.equal((await ask('POST', '/v1/pipelines/nope/pause')).statusCode, 404)
  })

  await t.test('a new one comes and goes (Benthos: TestTypeAPIBasicOperations)', async t => {
    const answer = await put('second', { topic: 'trades', outputs: [{ file: { path: 'second.ndjson' } }] })
    t.match(answer.json(), { outcome: 'applied', changes: [{ pipeline: 'second', change: 'added', inFlight: 'none' }] })
    t.equal((await ask('POST', '/v1/pipelines/second/pause')).statusCode, 200)
    t.match((await ask('DELETE', '/v1/pipelines/second')).json(), { outcome: 'unchanged' }, 'it did not run')
    t.notOk(existsSync(join(project.folder, 'pipelines/second.yaml')))
    t.equal((await ask('GET', '/v1/pipelines/second')).statusCode, 404)
    t.equal((await ask('DELETE', '/v1/pipelines/second')).statusCode, 404)
    t.match((await put('second', { topic: 'trades', outputs: [{ file: { path: 'second.ndjson' } }] })).json(), { outcome: 'applied' })
    t.match((await status('second')).state, 'running', 'the pause went with the old one')
    t.match((await ask('DELETE', '/v1/pipelines/second')).json(), { outcome: 'applied', changes: [{ change: 'removed', inFlight: 'drained' }] })
  })

  await t.test('what is not known is refused at its line and column, with what was meant (Benthos: TestTypeAPILinting)', async t => {
    const cases = [
      ['input:\n  generat: { rate: 5 }\ntopic: trades\n', { line: 2, column: 3, message: /there is no input "generat"; did you mean "generate"/ }],
      ['topic: trades\noutputs:\n  - file: x\n  - file:\n      path: y\n      inproc: meow\n', { line: 6, column: 7, message: /unknown .*inproc|inproc.* unknown/ }],
      ['topic: trades\ncache_resources:\n  - label: not_interested\n', { line: 2, column: 1, message: /unknown .*cache_resources|cache_resources.* unknown/ }],
      ['topic: trades\noutputs: [{ file: x }]\noutptus: []\n', { line: 3, column: 1, message: /did you mean "outputs"/ }]
    ] as const
    for (const [text, { line, column, message }] of cases) {
      const answer = await put('fresh', text)
      t.equal(answer.statusCode, 422)
      const { problems } = answer.json<Refusal>()
      t.ok(problems.some(problem => problem.line === line && problem.column === column && message.test(`${problem.path}: ${problem.message}`)), JSON.stringify(problems))
      t.notOk(existsSync(join(project.folder, 'pipelines/fresh.yaml')), 'nothing is stored')
    }
    t.equal((await ask('PATCH', '/v1/pipelines/trades', { headers: { 'content-type': 'application/json' }, payload: { inpt: {} } })).statusCode, 405, 'there is no way around the check')
  })

  await t.test('a pipeline that cannot deliver makes the platform not ready, and its removal says what it leaves (Benthos: TestAPIReady)', async t => {
    const server = createServer((_request, response) => { setTimeout(() => response.writeHead(503).end(), 200) }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
      t.match((await put('deaf', { topic: 'trades', outputs: [{ http: { url } }, { file: { path: 'deaf.ndjson' } }] })).json(), { outcome: 'applied' })
      await eventually('it is not ready', async () => (await ask('GET', '/readyz')).statusCode === 503 || undefined)
      t.match((await ask('GET', '/readyz')).json(), { failing: [{ name: 'deaf', reasons: [/503/] }] })
      await ask('POST', '/v1/pipelines/trades/pause')
      const left = (await ask('DELETE', '/v1/pipelines/deaf')).json<{ outcome: string, undelivered: Array<{ step: string, rows: number }> }>()
      t.match(left, { outcome: 'applied', changes: [{ pipeline: 'deaf', change: 'removed' }] })
      t.ok((left.undelivered.find(({ step }) => step === 'outputs.http')?.rows ?? 0) > 0, JSON.stringify(left))
      await eventually('it is ready again', async () => (await ask('GET', '/readyz')).statusCode === 200 || undefined)
      await ask('POST', '/v1/pipelines/trades/resume')
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  await t.test('one change at a time', async t => {
    const answers = await Promise.all([1, 2, 3].map(n => put('trades', pipeline.replace('500', `${500 + n}`))))
    t.strictSame(answers.map(({ statusCode }) => statusCode).sort(), [200, 409, 409])
    t.equal(fileText('trades'), pipeline.replace('500', `${500 + 1 + answers.findIndex(({ statusCode }) => statusCode === 200)}`), 'those that were refused left no trace')
  })
})

await t.test('topics show what they hold', async t => {
  const { ask } = await startEndpoint(t, files)
  const topic = await eventually('rows are there', async () => {
    const { topics } = (await ask('GET', '/v1/topics')).json<{ topics: Array<{ name: string, partitions: Array<{ next: number }>, groups: unknown[] }> }>()
    return topics.find(({ name, partitions }) => name === 'trades' && (partitions[0]?.next ?? 0) > 100)
  })
  t.match(topic, { bytes: Number, partitions: [{ partition: 0, first: 0 }] })
  const { rows } = (await ask('GET', '/v1/topics/trades/tail?rows=3')).json<{ rows: Array<{ offset: number, row: { n: number } }> }>()
  t.equal(rows.length, 3)
  t.ok(rows.every(({ offset, row }) => row.n === offset + 1))
  t.equal((await ask('GET', '/v1/topics/_platform/tail')).statusCode, 200)
  t.equal((await ask('GET', '/v1/topics/trades.rejected/tail')).statusCode, 200)
  for (const url of ['/v1/topics/nope/tail', '/v1/topics/nope.rejected/tail']) t.equal((await ask('GET', url)).statusCode, 404)
  for (const rows of ['0', '1001', 'x', '1.5']) t.equal((await ask('GET', `/v1/topics/trades/tail?rows=${rows}`)).statusCode, 422)
})
