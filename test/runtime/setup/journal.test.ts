import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { pipeline, schema, token } from '../control/endpoint.ts'
import { makeProject, startPlatform } from '../../system/project.ts'
import { eventually } from '../../waiting.ts'
import { readConfig } from '../../../runtime/config.ts'
import { openPlatform } from '../../../runtime/platform.ts'
import { changeSet, planHash } from '../../../runtime/setup/change-set.ts'
import { beginJournal, endJournal, undoBroken } from '../../../runtime/setup/journal.ts'
import { writeText } from '../../../runtime/setup/project-files.ts'
import type { RunningPlatform } from '../../system/project.ts'

const env = { TWOLANE_CLICKHOUSE: 'http://127.0.0.1:9', TWOLANE_ADMIN_TOKEN: token, TWOLANE_LOG_LEVEL: 'silent' }

await t.test('a platform that is killed in the middle of a change has none of it at its next start', async t => {
  const running: RunningPlatform[] = []
  t.teardown(() => Promise.all(running.map(platform => platform.kill())))
  const project = makeProject(join(t.testdir(), 'project'), {
    'schemas/trades.yaml': schema,
    'plugins/transforms/slow/index.ts': "export default { kind: 'transform', description: 'Takes its time.', options: {}, open: () => new Promise(() => {}) }"
  })
  const platform = await startPlatform(project, env)
  running.push(platform)
  const change = {
    files: [
      ...Array.from({ length: 40 }, (_, n) => ({ path: `schemas/made${n}.yaml`, text: schema })),
      { path: 'schemas/trades.yaml', text: `${schema} # changed\n` },
      // Its pipeline is never ready, so the reload still waits when the end comes.
      { path: 'pipelines/slow.yaml', text: pipeline.replace('outputs:', 'transforms:\n  - slow: {}\noutputs:') }
    ]
  }
  const made = (): string[] => readdirSync(join(project.folder, 'schemas')).filter(name => name.startsWith('made'))
  const asked = platform.api('POST', '/v1/changes/apply', { type: 'application/json', text: JSON.stringify({ ...change, plan: planHash(await changeSet(project.folder, change)) }) })
  asked.catch(() => {})
  await eventually('a file of the change', () => made().length > 0 ? true : undefined)
  await platform.kill()
  await t.rejects(asked)
  t.ok(existsSync(join(project.data, 'change-journal.json')))
  mkdirSync(join(project.data, 'scratch/left'), { recursive: true })

  const next = await openPlatform({ root: project.folder, config: await readConfig({ root: project.folder, env }) })
  t.teardown(() => next.close())
  t.same(made(), [])
  t.equal(readFileSync(join(project.folder, 'schemas/trades.yaml'), 'utf8'), schema)
  t.same(next.supervisor.status().map(({ id }) => id), [], 'no pipeline of it')
  t.notOk(existsSync(join(project.folder, 'pipelines/slow.yaml')))
  t.notOk(existsSync(join(project.data, 'change-journal.json')))
  t.notOk(existsSync(join(project.data, 'scratch')))
})

await t.test('a half is undone, and what somebody has edited since is left as it is', async t => {
  const root = t.testdir({ schemas: { 'a.yaml': 'old a' }, pipelines: { 'b.yaml': 'old b', 'b.yaml.tmp': 'half of a te', 'd.yaml': 'old d' }, data: {} })
  const told: string[] = []
  const place = { root, dataFolder: join(root, 'data'), log: { warn: (_: object, message: string) => { told.push(message) }, error () {} } }
  const changes = [
    { path: 'schemas/a.yaml', before: 'old a', after: 'new a' }, { path: 'schemas/c.yaml', before: undefined, after: 'new c' },
    { path: 'pipelines/d.yaml', before: 'old d', after: undefined }, { path: 'pipelines/b.yaml', before: 'old b', after: 'new b' }
  ]
  await beginJournal(place, changes)
  t.equal(statSync(join(root, 'data/change-journal.json')).mode & 0o077, 0, 'others do not read it')
  for (const { path, after } of changes.slice(0, 3)) await writeText(root, path, after)
  writeFileSync(join(root, 'schemas/a.yaml'), 'by hand')
  await undoBroken(place)
  const text = (path: string): string => readFileSync(join(root, path), 'utf8')
  t.same([text('schemas/a.yaml'), text('pipelines/b.yaml'), text('pipelines/d.yaml'), existsSync(join(root, 'schemas/c.yaml')), existsSync(join(root, 'pipelines/b.yaml.tmp'))], ['by hand', 'old b', 'old d', false, false])
  t.match(told, [/edited since/, /broken off/])
  await undoBroken(place)
  t.equal(told.length, 2, 'only once')
  await beginJournal(place, changes)
  await endJournal(place)
  await undoBroken(place)
  t.equal(text('pipelines/b.yaml'), 'old b')
  writeFileSync(join(root, 'data/change-journal.json'), '[{')
  await t.rejects(undoBroken(place), { code: 'CONFIG_INVALID', message: /journal/ })
})
