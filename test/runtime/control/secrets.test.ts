/* eslint no-template-curly-in-string: "off" -- variables stand in the YAML */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeProject, startPlatform } from '../../system/project.ts'
import { eventually } from '../../waiting.ts'

const literal = 'canary/literal"7f3a9'
const environment = 'canary-environment-91bc'
const inOutput = 'canary-header-55d0'
const adminToken = 'a-token-for-tests-only'

// Tells its secrets wherever a plugin can: in the log, its health, its errors, its rejections.
const chatterbox = `export default { kind: 'output', description: 'Tells all it knows', guarantee: 'at least once',
  options: { password: { type: 'string', description: 'P', writeOnly: true }, headers: { type: 'object', description: 'H', additionalProperties: { type: 'string' }, writeOnly: true }, key: { type: 'string', description: 'K' } },
  async open (config, context) {
    const all = JSON.stringify(config)
    context.log.warn({ all, config }, 'Opening with ' + config.key)
    context.health({ ok: false, state: 'leaking', reason: all })
    let batches = 0
    return { async write (batch) { context.reject(0, 'refused for ' + all, batch); if (++batches > 8) throw new Error('no rows for ' + all) }, async flush () {}, async close () {} }
  } }`
const leaky = `topic: trades
outputs:
  - chatterbox:
      password: '${literal}'
      headers: { Authorization: ${inOutput} }
      key: '\${CANARY}'
`
const pipeline = `input: { generate: { rate: 100, fields: { n: { counter: 1 } } } }
${leaky}`

await t.test('secrets are in no answer, no log and no file of the data folder', async t => {
  const project = makeProject(t.testdir(), {
    'schemas/trades.yaml': 'fields: { n: { type: int64, required: true, description: N } }',
    'pipelines/leaky.yaml': pipeline,
    'plugins/outputs/chatterbox/index.js': chatterbox
  })
  const platform = await startPlatform(project, { CANARY: environment, TWOLANE_LOG_LEVEL: 'debug' })
  t.teardown(() => platform.kill())
  const canaries = [literal, encodeURIComponent(literal), JSON.stringify(literal).slice(1, -1), environment, inOutput, adminToken]
  const leaks = (text: string): string[] => canaries.filter(canary => text.includes(canary))
  const answers: string[] = []
  const ask = async (method: string, path: string, body?: { type: string, text: string }): Promise<number> => {
    const answer = await platform.api(method, path, body)
    answers.push(JSON.stringify(answer.body))
    t.strictSame(leaks(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)), [], `${method} ${path}`)
    return answer.status
  }
  const yaml = (text: string): { type: string, text: string } => ({ type: 'application/yaml', text })

  await eventually('it has failed and was tried again', async () => /leaking|backing_off/.test(JSON.stringify((await platform.api('GET', '/v1/pipelines')).body)) || undefined)
  await eventually('rows were rejected', async () => /refused for/.test(JSON.stringify((await platform.api('GET', '/v1/topics/trades.rejected/tail')).body)) || undefined)
  for (const path of ['/v1/pipelines', '/v1/pipelines/leaky', '/readyz', '/metrics', '/v1/topics', '/v1/topics/_platform/tail?rows=1000', '/v1/topics/trades.rejected/tail', '/v1/revisions', '/v1/plugins', '/openapi.json']) await ask('GET', path)
  t.ok(answers.some(answer => answer.includes('***')), 'secrets were there to be hidden')

  // What is wrong with a file is told without what variables and secrets hold.
  t.equal(await ask('PUT', '/v1/pipelines/leaky', yaml(pipeline.replace("key: '${CANARY}'", "key: 5\n      kay: '${CANARY}'"))), 422)
  t.equal(await ask('PUT', '/v1/pipelines/leaky', yaml(pipeline.replace('topic: trades', "topic: '${CANARY}'"))), 422)
  t.equal(await ask('PUT', '/v1/pipelines/leaky', yaml(pipeline.replace(`password: '${literal}'`, `password: ['${literal}']`))), 422)
  t.equal(await ask('PUT', '/v1/pipelines/leaky', yaml(`${pipeline}\n\t: [`)), 422)
  await ask('PUT', '/v1/pipelines/leaky', yaml(pipeline.replace('rate: 100', 'rate: 101')))
  t.equal(await ask('POST', '/v1/query', { type: 'text/plain', text: "select throwIf(1, getSetting('max_threads') || currentUser())" }), 422)
  await ask('POST', '/v1/pipelines/leaky/restart')
  await ask('POST', '/v1/plan')
  await ask('POST', '/v1/reload')
  await ask('GET', '/v1/revisions')

  // A definition that was shown and is sent back keeps the secrets that it does not show.
  const { body: { text } } = await platform.api<{ text: string }>('GET', '/v1/pipelines/leaky')
  t.equal((await platform.api('PUT', '/v1/pipelines/leaky', yaml(text))).status, 200)
  t.ok(readFileSync(join(project.folder, 'pipelines/leaky.yaml'), 'utf8').includes(literal), 'only the project has it')

  await platform.stop()
  t.strictSame(leaks(platform.output()), [], 'logs')
  t.match(platform.output(), /\*\*\*/)
  for (const entry of readdirSync(project.data, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) t.strictSame(leaks(readFileSync(join(entry.parentPath, entry.name), 'latin1')), [], join(entry.parentPath, entry.name).slice(project.data.length))
  }
})
