import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startEndpoint, pipeline, schema } from './endpoint.ts'
import type { Answer, RemoteEndpoint } from './endpoint.ts'
import type { Receipt } from '../../../runtime/receipt.ts'

const files = { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': pipeline, 'pipelines/idle.yaml': `enabled: false\n${pipeline.replace('out.', 'idle.')}` }
interface Refusal { readonly code: string, readonly detail: string, readonly problems: ReadonlyArray<{ readonly file: string, readonly line: number, readonly column: number, readonly path: string, readonly message: string }>, readonly receipt: Receipt }

function sender ({ ask }: RemoteEndpoint) {
  return (id: string, payload: string | object): Promise<Answer> => ask('PUT', `/v1/pipelines/${id}`, {
    headers: { 'content-type': typeof payload === 'string' ? 'application/yaml' : 'application/json' }, payload
  })
}

await t.test('files that are wrong and the pipelines of others', async t => {
  const endpoint = await startEndpoint(t, { ...files, 'pipelines/broken.yaml': 'topic: nope\noutputs: [{ file: a }]', 'pipelines/worse.yaml': 'topic: [' })
  const put = sender(endpoint)
  const { ask, project } = endpoint
  const ready = await ask('GET', '/readyz')
  t.equal(ready.statusCode, 503, 'a pipeline whose file is broken is wanted, too')
  t.match(ready.json(), { ready: false, failing: [{ name: 'broken', reasons: [/pipelines\/broken.yaml:1:1 topic: there is no schema "nope"/] }, { name: 'worse' }] })
  t.match((await ask('GET', '/v1/pipelines/worse')).json(), { state: 'broken', file: 'pipelines/worse.yaml' })
  t.match((await ask('GET', '/v1/pipelines')).json(), { pipelines: [{ id: 'broken' }, { id: 'idle' }, { id: 'trades', healthy: true }, { id: 'worse' }], problems: [{ file: 'pipelines/broken.yaml' }, { file: 'pipelines/worse.yaml' }] })

  t.equal((await put('trades', pipeline.replace('500', '300'))).statusCode, 200, 'one pipeline can be changed although others are broken')
  t.equal((await put('broken', pipeline.replace('out.', 'mended.'))).statusCode, 200, 'one can be mended although another is broken')
  t.equal((await ask('POST', '/v1/reload')).json<Refusal>().receipt.outcome, 'rejected', 'a reload of all is all or nothing')
  t.equal((await ask('DELETE', '/v1/pipelines/worse')).statusCode, 200)
  t.equal((await ask('GET', '/readyz')).statusCode, 200)

  // A file that breaks later does not stop what runs.
  writeFileSync(join(project.folder, 'pipelines/broken.yaml'), 'topic: [')
  t.equal((await ask('POST', '/v1/reload')).statusCode, 422)
  t.match((await ask('GET', '/v1/pipelines')).json(), { pipelines: [{ id: 'broken', state: 'running' }, {}, {}], problems: [{ file: 'pipelines/broken.yaml' }] })
  t.equal((await ask('GET', '/readyz')).statusCode, 200, 'it runs on as it was')
  rmSync(join(project.folder, 'pipelines/broken.yaml'))
  t.match((await ask('POST', '/v1/reload')).json(), { outcome: 'applied', changes: [{ pipeline: 'broken', change: 'removed' }] })
})

await t.test('plans, reloads and their receipts', async t => {
  const { ask, project } = await startEndpoint(t, files)
  t.match((await ask('POST', '/v1/plan')).json(), { changes: [], unchanged: ['trades'], problems: [] })
  project.write('pipelines/trades.yaml', pipeline.replace('500', '300'))
  const { hash, changes } = (await ask('POST', '/v1/plan')).json<{ hash: string, changes: object[] }>()
  t.match(changes, [{ pipeline: 'trades', change: 'changed' }])
  project.write('pipelines/more.yaml', pipeline.replace('out.', 'more.'))
  const stale = await ask('POST', `/v1/reload?plan=${hash}`)
  t.equal(stale.statusCode, 409)
  t.match(stale.json(), { code: 'STALE_PLAN', remedy: /new plan/ })
  t.match((await ask('POST', '/v1/plan')).json(), { changes: [{ pipeline: 'more' }, { pipeline: 'trades' }] }, 'nothing was applied')
  rmSync(join(project.folder, 'pipelines/more.yaml'))
  t.match((await ask('POST', `/v1/reload?plan=${hash}`)).json(), { revision: 1, outcome: 'applied', reason: '', problems: [], changes: [{ pipeline: 'trades', change: 'changed', inFlight: 'drained', ms: Number }], ms: Number, time: Number })
  t.match((await ask('POST', '/v1/reload')).json(), { revision: 2, outcome: 'unchanged' })
  project.write('pipelines/trades.yaml', 'topic: 1')
  t.equal((await ask('POST', '/v1/reload')).statusCode, 422)
  const { revisions } = (await ask('GET', '/v1/revisions?limit=2')).json<{ revisions: Receipt[] }>()
  t.match(revisions, [{ revision: 3, outcome: 'rejected', problems: [{ file: 'pipelines/trades.yaml' }] }, { revision: 2 }])
  t.equal(revisions.length, 2)
})

await t.test('plugins are listed as their code is now, packages in use among them', async t => {
  const plugin = (description: string): string => `export default { kind: 'output', description: '${description}', options: { path: { type: 'string', description: 'Where', default: 'x' } }, guarantee: 'at least once', async open () { return { async write () {}, async flush () {}, async close () {} } } }`
  // Packages are found above the project's folder, too.
  const { ask, project } = await startEndpoint(t, {
    'schemas/trades.yaml': schema,
    'pipelines/trades.yaml': 'topic: trades\noutputs: [{ acme-sink: {} }, { sink: {} }]',
    'plugins/outputs/sink/index.js': plugin('first'),
    'plugins/outputs/bad/index.js': 'throw new Error("no")',
    '../node_modules/acme-sink/package.json': '{"name":"acme-sink","type":"module","main":"main.js"}',
    '../node_modules/acme-sink/main.js': plugin('of a package')
  })
  const list = async (): Promise<Array<{ kind: string, name: string, description: string, problem?: string }>> => (await ask('GET', '/v1/plugins')).json<{ plugins: [] }>().plugins
  const before = await list()
  t.match(before.find(({ name }) => name === 'sink'), { kind: 'output', description: 'first', options: { path: { type: 'string' } }, guarantee: 'at least once' })
  t.match(before.find(({ name }) => name === 'bad')?.problem, /cannot be imported: no/)
  t.match(before.find(({ name }) => name === 'acme-sink'), { kind: 'output', description: 'of a package' })
  project.write('plugins/outputs/sink/index.js', plugin('second'))
  t.equal((await list()).find(({ name }) => name === 'sink')?.description, 'second')
})
