import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { pipeline, schema, startEndpoint } from './endpoint.ts'
import { eventually } from '../../waiting.ts'
import { changeSet, planHash } from '../../../runtime/setup/change-set.ts'
import type { ChangeRequest } from '../../../runtime/setup/change-set.ts'
import type { Answer } from './endpoint.ts'

interface PlanAnswer {
  readonly plan: string
  readonly diffs: ReadonlyArray<{ readonly path: string, readonly change: string, readonly unified: string, readonly added: number, readonly removed: number, readonly secrets: boolean }>
  readonly problems: ReadonlyArray<{ readonly file: string, readonly line: number, readonly message: string }>
  readonly elsewhere: readonly unknown[]
  readonly tests: { readonly passed: number, readonly failed: number }
  readonly effects: { readonly start: string[], readonly stop: string[], readonly restart: string[], readonly schemas: ReadonlyArray<{ readonly topic: string, readonly fields: object }>, readonly notes: string[] }
}

const secret = 'hunter2-hunter2'
const sending = `# Sends them on.
topic: trades
outputs:
  - http: # the desk
      url: https://desk.example.com/rows
      token: ${secret}
  - file: { path: two.ndjson } # kept here
`
const testFile = `tests:
  - name: the number goes through
    input: [{ n: 1 }]
    outputs: { file: [{ n: 1 }] }
`

await t.test('changes', async t => {
  process.env['TWOLANE_TEST_PATH'] = 'bulk-a.ndjson'
  const { ask, project } = await startEndpoint(t, {
    'schemas/trades.yaml': schema,
    'pipelines/counter.yaml': pipeline,
    'plugins/transforms/stubborn/index.ts': "export default { kind: 'transform', description: 'Never opens.', options: {}, open () { throw new Error('it will not') } }",
    'pipelines/counter.test.yaml': testFile,
    'pipelines/desk.yaml': `enabled: false\n${sending}`
  })
  const post = (url: string, payload: object): Promise<Answer> => ask('POST', url, { payload, headers: { 'content-type': 'application/json' } })
  const plan = async (payload: object): Promise<PlanAnswer> => {
    const answer = await post('/v1/changes', payload)
    if (answer.statusCode !== 200) throw new Error(answer.body)
    return answer.json<PlanAnswer>()
  }
  // The hash of a plan that nobody looks at is reckoned here: a plan takes threads.
  const apply = async (payload: ChangeRequest, hash?: string): Promise<Answer> => post('/v1/changes/apply', { ...payload, plan: hash ?? planHash(await changeSet(project.folder, payload)) })
  const stepsOf = async (id: string): Promise<string[]> => (await ask('GET', `/v1/pipelines/${id}`)).json<{ steps: Array<{ step: string }> }>().steps.map(({ step }) => step).sort()
  const textOf = (file: string): string => readFileSync(join(project.folder, file), 'utf8')

  await t.test('a plan shows the diff and what it would do, and writes nothing; as planned it is applied, and runs', async t => {
    const change = { output: { pipeline: 'counter', name: 'second', definition: { file: { path: 'second.ndjson' } } } }
    const { plan: hash, diffs, problems, effects, tests } = await plan(change)
    t.same(problems, [])
    t.match(diffs, [{ path: 'pipelines/counter.yaml', change: 'changed', removed: 0 }])
    t.match(diffs[0]?.unified, /^\+.*second\.ndjson/m)
    t.match(diffs[0]?.unified, / {2}- file: \{ path: out\.ndjson \}/)
    t.match(effects, { start: [], stop: [], restart: ['counter'] })
    t.same(tests, { passed: 1, failed: 0 })
    t.equal(textOf('pipelines/counter.yaml'), pipeline)
    t.match((await apply(change, hash)).json(), { outcome: 'applied', changes: [{ pipeline: 'counter' }] })
    t.match(textOf('pipelines/counter.yaml'), /# Made for a test\.[\s\S]*# a counter[\s\S]*name: second/)
    t.same(await stepsOf('counter'), ['input.generate', 'outputs.file', 'outputs.second'])
  })

  await t.test('a plan whose files have changed since is not applied', async t => {
    const change = { files: [{ path: 'schemas/other.yaml', text: schema }] }
    const { plan: hash } = await plan(change)
    project.write('schemas/other.yaml', `${schema} # by hand`)
    t.match((await apply(change, hash)).json(), { status: 409, code: 'STALE_PLAN' })
    t.match((await apply({ files: [{ path: 'schemas/third.yaml', text: schema }] }, hash)).json(), { status: 409, code: 'STALE_PLAN' })
    t.match(textOf('schemas/other.yaml'), /by hand/)
    t.notOk(existsSync(join(project.folder, 'schemas/third.yaml')))
  })

  await t.test('nor is a text that was made from another one', async t => {
    const path = 'schemas/other.yaml'
    const { hash: read } = (await ask('GET', `/v1/files/${path}`)).json<{ hash: string }>()
    project.write(path, `${schema} # once more`)
    const refused = await post('/v1/changes', { files: [{ path, text: schema, hash: read }] })
    t.match(refused.json(), { status: 409, code: 'FILE_CHANGED', remedy: /Read the file again/ })
    t.match((await post('/v1/changes', { files: [{ path, text: schema, hash: '' }] })).json(), { code: 'FILE_CHANGED' }, 'nor one that takes the file for new')
    const { hash: now } = (await ask('GET', `/v1/files/${path}`)).json<{ hash: string }>()
    t.match((await plan({ files: [{ path, text: schema, hash: now }] })).diffs, [{ path, change: 'changed' }])
  })

  await t.test('schema, pipeline and its tests are added at once, and taken away again', async t => {
    const change = {
      files: [{ path: 'pipelines/fresh.test.yaml', text: testFile }],
      schema: { topic: 'fresh', definition: { fields: { n: { type: 'int64', required: true } } } },
      pipeline: { id: 'fresh', definition: { input: { generate: { rate: 10, fields: { n: { counter: 1 } } } }, topic: 'fresh', outputs: [{ file: { path: 'fresh.ndjson' } }] } }
    }
    const planned = await plan(change)
    t.same(planned.problems, [])
    t.match(planned.effects, { start: ['fresh'], schemas: [{ topic: 'fresh', fields: { added: ['n'] } }] })
    t.match((await apply(change, planned.plan)).json(), { outcome: 'applied' })
    t.match((await ask('GET', '/v1/pipelines/fresh')).json(), { state: 'running' })
    const away = { files: ['pipelines/fresh.test.yaml', 'pipelines/fresh.yaml', 'schemas/fresh.yaml'].map(path => ({ path, text: null })) }
    t.match((await apply(away)).json(), { outcome: 'applied', changes: [{ pipeline: 'fresh', change: 'removed' }] })
    t.notOk(existsSync(join(project.folder, 'schemas/fresh.yaml')))
    t.match((await ask('GET', '/v1/topics/fresh/tail')).json(), { status: 404 }, 'the schema is forgotten')
  })

  await t.test('several pipelines at once take their variables, or none of them is written (Benthos: TestTypeAPISetStreams)', async t => {
    const file = (id: string, path: string): { path: string, text: string } => ({ path: `pipelines/${id}.yaml`, text: `topic: trades\noutputs: [{ file: { path: '${path}' } }]\n` })
    // eslint-disable-next-line no-template-curly-in-string -- a variable of a pipeline file
    const [set, unset] = ['${TWOLANE_TEST_PATH}', '${TWOLANE_TEST_NOT_SET}']
    const wrong = { files: [file('bulk-a', set), file('bulk-b', unset)] }
    t.match((await plan(wrong)).problems, [{ file: 'pipelines/bulk-b.yaml', line: 2, message: /the variable TWOLANE_TEST_NOT_SET is not set/ }])
    t.match((await apply(wrong)).json(), { status: 422, code: 'CONFIG_INVALID' })
    t.notOk(existsSync(join(project.folder, 'pipelines/bulk-a.yaml')), 'not even the good one')
    t.match((await apply({ files: [file('bulk-a', set), file('bulk-b', 'bulk-b.ndjson')] })).json(), { outcome: 'applied', changes: [{ pipeline: 'bulk-a', change: 'added' }, { pipeline: 'bulk-b', change: 'added' }] })
    t.match(textOf('pipelines/bulk-a.yaml'), set, 'the file keeps the variable')
    await eventually('rows go where the variable says', () => existsSync(join(project.data, process.env['TWOLANE_TEST_PATH'] as string)) || undefined)
    t.match((await apply({ files: ['a', 'b'].map(id => ({ path: `pipelines/bulk-${id}.yaml`, text: null })) })).json(), { outcome: 'applied', changes: [{ change: 'removed' }, { change: 'removed' }] })
  })

  await t.test('what is wrong is told with its place, and cannot be applied', async t => {
    const change = { input: { pipeline: 'counter', definition: { generate: { rat: 1 } } } }
    const planned = await plan(change)
    t.match(planned.problems, [{ file: 'pipelines/counter.yaml', line: 2, message: /did you mean/ }])
    t.match((await apply(change, planned.plan)).json(), { status: 422, code: 'CONFIG_INVALID', problems: [{ file: 'pipelines/counter.yaml' }] })
    const several = await plan({ schema: { topic: 'trades', definition: null }, files: [{ path: 'pipelines/desk.test.yaml', text: testFile }] })
    t.match(several.problems.find(({ file }) => file === 'pipelines/counter.yaml'), { message: /no schema "trades"/ })
    const broken = await plan({ files: [{ path: 'pipelines/counter.test.yaml', text: testFile.replace('[{ n: 1 }]', '[{ n: 2 }]') }] })
    t.match(broken.problems, [{ file: 'pipelines/counter.test.yaml', message: /the number goes through/ }])
    t.match((await post('/v1/changes', {})).statusCode, 422)
    t.match((await post('/v1/changes', { output: { pipeline: 'counter', name: 'none', definition: null } })).json(), { status: 404 })
  })

  await t.test('what fails when it begins is rolled back with its file', async t => {
    const before = textOf('pipelines/counter.yaml')
    const change = { files: [{ path: 'pipelines/counter.yaml', text: pipeline.replace('outputs:', 'transforms:\n  - stubborn: {}\noutputs:') }, { path: 'pipelines/counter.test.yaml', text: null }] }
    const answer = await apply(change)
    t.equal(answer.statusCode, 422)
    t.match(answer.json(), { code: /RELOAD_/, receipt: { outcome: /rolled_back|rejected/ } })
    t.equal(textOf('pipelines/counter.yaml'), before)
    t.ok(existsSync(join(project.folder, 'pipelines/counter.test.yaml')), 'what was removed is there again')
  })

  await t.test('secrets are *** in diffs, and what is sent back as *** stays', async t => {
    const change = { output: { pipeline: 'desk', name: 'http', definition: { http: { url: 'https://desk.example.com/other', token: '***' } } } }
    const planned = await plan(change)
    t.same(planned.problems, [])
    t.notMatch(JSON.stringify(planned), secret)
    t.match(planned.diffs[0]?.unified, /other/)
    t.match((await apply(change, planned.plan)).statusCode, 200)
    t.match(textOf('pipelines/desk.yaml'), secret)
    t.match(textOf('pipelines/desk.yaml'), /# the desk[\s\S]*# kept here/)
    t.match((await apply({ output: { pipeline: 'desk', name: 'file', definition: null } })).json(), { outcome: 'unchanged' }, 'a pipeline that does not run')
    t.notMatch(textOf('pipelines/desk.yaml'), /kept here/)
    const rotated = await plan({ output: { pipeline: 'desk', name: 'http', definition: { http: { url: 'https://desk.example.com/other', token: 'another-secret-of-it' } } } })
    t.match(rotated.diffs, [{ secrets: true, added: 0 }])
    t.notMatch(JSON.stringify(rotated), 'another-secret')
  })

  await t.test('item 38: a saved secret is not sent to a changed host', async t => {
    const moved = { output: { pipeline: 'desk', name: 'http', definition: { http: { url: 'https://evil.example.net/rows', token: '***' } } } }
    t.match((await post('/v1/changes', moved)).json(), { status: 422, problems: [{ message: /another host/ }] })
    const files = { files: [{ path: 'pipelines/desk.yaml', text: sending.replace(secret, "'***'").replace('desk.example.com', 'desk.example.com:8443') }] }
    t.match((await post('/v1/changes', files)).json(), { status: 422, problems: [{ message: /another host/ }] })
    const put = await ask('PUT', '/v1/pipelines/desk', { payload: sending.replace(secret, "'***'").replace('desk.example.com', 'evil.example.net'), headers: { 'content-type': 'application/yaml' } })
    t.match(put.json(), { status: 422, problems: [{ message: /another host/ }] })
    const first = { files: [{ path: 'pipelines/desk.yaml', text: "enabled: false\ntopic: trades\noutputs:\n  - file: { path: two.ndjson }\n  - http: { url: 'https://desk.example.com/x', token: '***' }\n" }] }
    t.same((await plan(first)).problems, [], 'a step that moved in its list keeps its secret')
  })

  await t.test('files are listed and read without their secrets', async t => {
    const { files } = (await ask('GET', '/v1/files')).json<{ files: Array<{ path: string, kind: string }> }>()
    t.match(files.find(({ path }) => path === 'pipelines/counter.yaml'), { kind: 'pipeline' })
    t.ok(files.some(({ path }) => path === 'pipelines/counter.test.yaml'))
    const desk = (await ask('GET', '/v1/files/pipelines/desk.yaml')).json<{ text: string }>()
    t.notMatch(desk.text, secret)
    t.match(desk.text, /token: '\*\*\*'/)
    t.equal((await ask('GET', '/v1/files/pipelines/none.yaml')).statusCode, 404)
  })
})
