import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { pipeline, schema, startEndpoint, token } from './endpoint.ts'
import { main } from '../../../runtime/cli/main.ts'
import { eventually } from '../../waiting.ts'
import type { Answer } from './endpoint.ts'

const secret = 'the-key-of-the-desk'
const desk = `enabled: false
input: { http-server: { port: 0, token: ${secret} } }
topic: orders
outputs:
  - http: { url: https://desk.example.com/rows, token: ${secret} }
`

await t.test('setting up', async t => {
  const { ask, project } = await startEndpoint(t, {
    'schemas/trades.yaml': schema,
    'schemas/orders.yaml': schema,
    'schemas/unused.yaml': schema,
    'schemas/models/of_trades.sql': '-- All of them\n-- table: trades\nSELECT * FROM trades\n',
    'pipelines/counter.yaml': pipeline,
    'pipelines/desk.yaml': desk,
    'pipelines/broken.yaml': desk.replace('token:', 'tokens:'),
    'config/alerts.yaml': `webhook_token: ${secret}\naddress: https://me:${secret}@example.com/\n`
  })
  const get = async <T>(url: string): Promise<T> => (await ask('GET', url)).json<T>()
  const post = (url: string, payload: object): Promise<Answer> => ask('POST', url, { payload, headers: { 'content-type': 'application/json' } })

  await t.test('plugins come with what a form needs', async t => {
    const { plugins } = await get<{ plugins: Array<{ kind: string, name: string, title: string, allowed: boolean, schema: { properties: Record<string, { description: string, writeOnly?: boolean }> } }> }>('/v1/plugins')
    const http = plugins.find(({ kind, name }) => kind === 'output' && name === 'http')
    t.match(http, { title: 'HTTP', allowed: true, schema: { required: ['url'], properties: { token: { writeOnly: true, description: /./ } } } })
    t.ok(plugins.every(({ schema }) => Object.values(schema.properties ?? {}).every(({ description }) => description.length > 0)))
  })

  await t.test('sources and destinations are told from the pipelines, without their secrets', async t => {
    const [sources, destinations] = [await get<object[]>('/v1/sources'), await get<object[]>('/v1/destinations')]
    t.match(sources, [{ pipeline: 'counter', step: 'input.generate', name: 'generate', state: /./, topic: 'trades' }, { pipeline: 'desk', plugin: 'http-server', state: 'disabled' }])
    t.match(destinations, [{ pipeline: 'counter', plugin: 'file', options: { path: 'out.ndjson' } }, { pipeline: 'desk', plugin: 'http', options: { url: 'https://desk.example.com/rows', token: '***' } }])
    t.notMatch(JSON.stringify([sources, destinations]), secret)
  })

  await t.test('the guide knows what is done', async t => {
    const steps = await eventually('rows of the source', async () => {
      const { steps } = await get<{ steps: Array<{ step: string, done: boolean }> }>('/v1/guide')
      return steps.find(({ step }) => step === 'rows')?.done === true ? steps : undefined
    })
    t.same(steps.map(({ step, done }) => [step, done]), [['admin', false], ['source', true], ['rows', true], ['destination', true], ['backup', false], ['alert', false]])
  })

  await t.test('item 37: the export is an archive that tar reads, and holds no secret', async t => {
    const folder = t.testdir()
    const printed: string[] = []
    const code = await main(['export', 'project.tar.gz', '--token', token], { root: project.folder, folder, env: {}, print: line => { printed.push(line) }, complain: line => { printed.push(line) } })
    t.equal(code, 0, printed.join('\n'))
    execFileSync('tar', ['-xzf', 'project.tar.gz'], { cwd: folder })
    t.equal(readFileSync(join(folder, 'pipelines/counter.yaml'), 'utf8'), pipeline)
    t.ok(existsSync(join(folder, 'schemas/models/of_trades.sql')))
    for (const file of ['pipelines/desk.yaml', 'pipelines/broken.yaml', 'config/alerts.yaml']) t.notMatch(readFileSync(join(folder, file), 'utf8'), secret, file)
    t.match(readFileSync(join(folder, 'config/alerts.yaml'), 'utf8'), /webhook_token: '\*\*\*'\naddress: https:\/\/me:\*\*\*@/)
  })

  await t.test('item 32: 200 names that lead elsewhere are refused, to read and to write', async t => {
    const ups = ['../', '..\\', '%2e%2e%2f', '%2e%2e/', '..%2f', '..%5c', '....//', '..;/', '.%00./', '..%c0%af', '..%252f', '\u2025/', '．．/', './../', '/../']
    const targets = ['etc/passwd', 'data/control.db', 'data/admin-token', 'package.json', 'config/platform.yaml', '.git/config']
    const starts = ['', 'pipelines/', 'schemas/models/']
    const names = [
      ...starts.flatMap(start => ups.flatMap(up => targets.slice(0, 4).map(target => `${start}${up}${up}${target}`))),
      ...targets.flatMap(target => [`/${target}`, `file:///${target}`]), 'pipelines/a.yaml\0', 'pipelines/\0.yaml', 'pipelines/a.yaml/../../x', 'PIPELINES/a.yaml', 'pipelines/A.yaml', 'pipelines/.hidden.yaml', 'pipelines/a.yml', 'pipelines//a.yaml', 'pipelines/a b.yaml', `pipelines/${'a'.repeat(65)}.yaml`, 'pipelines/ä.yaml', 'pipelines/a.yaml ', 'schemas/a..b.yaml', 'schemas/models/../x.sql', 'C:\\windows\\x.yaml'
    ]
    t.ok(names.length >= 200, String(names.length))
    for (let i = 0; i < names.length; i++) {
      const path = names[i] as string
      const answer = await post('/v1/changes', { files: [{ path, text: 'x: 1' }] })
      if (answer.statusCode !== 400) t.equal(answer.statusCode, 400, path)
      if (i % 4 !== 0) continue
      const read = await ask('GET', `/v1/files/${encodeURIComponent(path)}`)
      if (read.statusCode !== 400 && read.statusCode !== 414) t.equal(read.statusCode, 400, path)
    }
    mkdirSync(join(project.folder, 'outside'))
    writeFileSync(join(project.folder, 'outside/other.yaml'), 'inner: 1')
    symlinkSync(join(project.folder, 'outside/other.yaml'), join(project.folder, 'config/linked.yaml'))
    t.match((await ask('GET', '/v1/files/config/linked.yaml')).json(), { status: 400, detail: /leads out of its folder/ })
    t.equal((await post('/v1/changes', { files: [{ path: 'config/linked.yaml', text: 'x: 1' }] })).statusCode, 400)
    t.notMatch((await ask('GET', '/v1/files')).body, /linked/)
  })

  await t.test('items 33 and 34: bombs, merge keys, doubled keys, large numbers and prototypes are refused by every route that takes YAML or JSON', async t => {
    const bomb = `${Array.from({ length: 10 }, (_, n) => `a${n}: &a${n} [${Array.from({ length: 9 }, () => n === 0 ? 'x' : `*a${n - 1}`).join(', ')}]`).join('\n')}\n`
    const texts = [bomb, `a: ${'['.repeat(60)}${']'.repeat(60)}\n`, 'a: &x { b: 1 }\nc: { <<: *x }\n', 'topic: a\ntopic: b\n', 'topic: a\nn: 99999999999999999999\n', '__proto__: { polluted: 1 }\n', 'constructor: { prototype: { polluted: 1 } }\n', 'topic: !!js/function "x"\n', 'a: 1\n---\nb: 2\n', `a: '${'x'.repeat(2 ** 20)}'\n`]
    for (const text of texts) {
      const shown = text.slice(0, 30)
      const put = await ask('PUT', '/v1/pipelines/bomb', { payload: text, headers: { 'content-type': 'application/yaml' } })
      t.ok([413, 422].includes(put.statusCode), `put ${put.statusCode} ${shown}`)
      const plan = await post('/v1/changes', { files: [{ path: 'pipelines/bomb.yaml', text }] })
      t.ok(plan.statusCode === 413 || plan.statusCode === 422 || plan.json<{ problems: object[] }>().problems.length > 0, `plan ${plan.statusCode} ${shown}`)
    }
    const bodies = ['{"__proto__":{"polluted":1},"files":[]}', '{"constructor":{"prototype":{"polluted":1}}}', '{"pipeline":{"id":"x","definition":{"__proto__":{"polluted":1}}}}', '{"pipeline":{"id":"x","definition":{"topic":"x","n":99999999999999999999}}}', `{"pipeline":{"id":"x","definition":{"a":${'['.repeat(80)}${']'.repeat(80)}}}}`, '{"pipeline":{"id":"../x","definition":{}}}', '{"files":[{"path":"pipelines/x.yaml","text":"a: 1","kind":"pipeline"}]}']
    for (const body of bodies) {
      for (const url of ['/v1/changes', '/v1/check', '/v1/propose']) {
        const { statusCode } = await ask('POST', url, { payload: body, headers: { 'content-type': 'application/json' } })
        t.ok(statusCode === 400 || statusCode === 422, `${url} ${statusCode} ${body.slice(0, 60)}`)
      }
    }
    t.notOk(existsSync(join(project.folder, 'pipelines/bomb.yaml')))
    t.equal((await ask('GET', '/healthz')).statusCode, 200)
  })

  await t.test('a teardown lists what goes, asks for the name, and waits until nobody reads it', async t => {
    const topic = await get<{ goes: Array<{ what: string }>, readers: string[] }>('/v1/teardown/topic/trades')
    t.match(topic.goes.map(({ what }) => what), ['schemas/trades.yaml', 'rows of the topic trades'])
    t.match(topic.readers, ['the pipeline counter'])
    t.match((await post('/v1/teardown/topic/trades', { name: 'trades', rows: true })).json(), { status: 409, code: 'STILL_READ', detail: /counter/ })
    t.match((await post('/v1/teardown/pipeline/counter', { name: 'count' })).json(), { status: 400 })
    t.match((await post('/v1/teardown/pipeline/counter', { name: 'counter' })).json(), { goes: [{ what: 'pipelines/counter.yaml' }], stays: [/trades/] })
    t.notOk(existsSync(join(project.folder, 'pipelines/counter.yaml')))
    t.match((await post('/v1/teardown/topic/trades', { name: 'trades', rows: true })).statusCode, 200)
    t.notOk(existsSync(join(project.folder, 'schemas/trades.yaml')))
    const left = (await get<{ topics: Array<{ name: string, partitions: Array<{ first: number, next: number }> }> }>('/v1/topics')).topics.find(({ name }) => name === 'trades')
    t.equal(left?.partitions[0]?.first, left?.partitions[0]?.next, 'it holds no row')
    t.equal((await ask('GET', '/v1/teardown/pipeline/none')).statusCode, 404)
    t.match((await post('/v1/teardown/topic/unused', { name: 'unused' })).statusCode, 200)
  })
})
