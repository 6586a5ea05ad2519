import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { accessStatements, noAccess, revokeStatements } from '../../../runtime/clickhouse/access.ts'
import { applyAccess, readAccess } from '../../../runtime/clickhouse/access-apply.ts'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { readConfig } from '../../../runtime/config.ts'
import { openEndpoint, schema } from '../control/endpoint.ts'
import { eventually } from '../../waiting.ts'
import { startTestEngine } from './engine.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AccessState, AccessUser, ViewRight } from '../../../runtime/clickhouse/access.ts'

const golden = join(import.meta.dirname, 'access.sql')
const limits = { secondsMax: 30, memoryBytesMax: 512 * 2 ** 20, readRowsMax: 500_000_000, readBytesMax: 64 * 2 ** 30, resultRowsMax: 50_000_000, threadsMax: 2 }
const options = { limits, cluster: '' }
const passwordHash = 'ab'.repeat(32)

const all = (view: string): ViewRight => ({ database: 'data', view, columns: undefined, condition: undefined })
const some: ViewRight = { database: 'data', view: 'quotes', columns: ['symbol', 'at', 'bid'], condition: '`desk` = \'open\'' }
const user = (name: string, rights: readonly ViewRight[], more: Partial<AccessUser> = {}): AccessUser => ({ user: name, passwordHash, until: Date.UTC(2030, 0, 2), rights, quota: undefined, ...more })

const wanted = [user('ann', [all('quotes'), all('trades')]), user('bob', [all('trades'), all('quotes')], { quota: { name: 'bob', requestsPerSecond: 10, rowsPerDay: undefined } }), user('gus', [some], { quota: { name: 'gus', requestsPerSecond: undefined, rowsPerDay: 1000 } }), user('nan', [])]
const statements = accessStatements(wanted, noAccess, options)
const asFile = (all: readonly string[]): string => `${all.join(';\n')};\n`

/** What a server holds after the statements, as far as names go. */
function after (all: readonly string[]): AccessState {
  const state = { users: new Map<string, string[]>(), roles: new Set<string>(), policies: new Set<string>(), quotas: new Set<string>() }
  for (const statement of all) {
    const names = [...statement.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string)
    const [first = '', second = '', third = ''] = names
    if (statement.startsWith('CREATE ROLE')) state.roles.add(first)
    if (statement.startsWith('CREATE USER')) state.users.set(first, [])
    if (statement.startsWith('CREATE ROW POLICY')) state.policies.add(`${first} ON ${second}.${third}`)
    if (statement.startsWith('CREATE QUOTA')) state.quotas.add(first)
    if (/^GRANT `/.test(statement)) state.users.get(second)?.push(first)
  }
  return state
}

const engine = await startTestEngine()
t.teardown(() => engine.stop())

await t.test('the statements for a server are those of the file', t => {
  if (process.env['TAP_SNAPSHOT'] === '1') writeFileSync(golden, asFile(statements))
  t.equal(asFile(statements), readFileSync(golden, 'utf8'))
  t.end()
})

await t.test('ClickHouse\'s own parser takes all of them, on a cluster, too', async t => {
  const clustered = accessStatements(wanted, noAccess, { limits, cluster: 'main' })
  const revoked = revokeStatements(after(statements), { cluster: 'main' })
  const again = accessStatements(wanted, after(statements), { limits, cluster: 'main' })
  for (const statement of [...statements, ...clustered, ...again, ...revoked]) t.equal((await engine.ask('/', { body: `EXPLAIN AST ${statement}` })).status, 200, statement)
  t.ok(clustered.every(statement => statement.includes('ON CLUSTER `main`')))
})

await t.test('users with the same rights share a role, and one without rights is not made', t => {
  const { users, roles } = after(statements)
  t.same(users.get('twolane_ann'), users.get('twolane_bob'))
  t.notSame(users.get('twolane_ann'), users.get('twolane_gus'))
  t.equal(roles.size, 2)
  t.notOk(users.has('twolane_nan'))
  t.end()
})

await t.test('a role has its policies before anybody has the role', t => {
  const at = (pattern: RegExp): number => statements.findIndex(statement => pattern.test(statement))
  const last = (pattern: RegExp): number => statements.findLastIndex(statement => pattern.test(statement))
  t.ok(last(/^CREATE ROLE/) < at(/^CREATE ROW POLICY/))
  t.ok(last(/^CREATE ROW POLICY/) < at(/^GRANT/))
  t.ok(last(/^GRANT SELECT/) < at(/^CREATE USER/))
  t.ok(last(/^CREATE USER/) < at(/^CREATE QUOTA/) && last(/^CREATE QUOTA/) < at(/^GRANT `/), 'and a user has its bounds')
  t.end()
})

await t.test('what is there already is not made again; what is not wanted any more goes', t => {
  const there = after(statements)
  const again = accessStatements(wanted, there, options)
  t.notOk(again.some(statement => /^(?:CREATE (?:ROLE|USER)|GRANT|DROP|REVOKE)/.test(statement)), 'nothing is left to do')
  const less = accessStatements([user('ann', [some])], there, options)
  const role = there.users.get('twolane_gus')?.[0] ?? ''
  const old = there.users.get('twolane_ann')?.[0] ?? ''
  t.ok(less.indexOf(`REVOKE \`${old}\` FROM \`twolane_ann\``) >= 0 && less.indexOf(`REVOKE \`${old}\` FROM \`twolane_ann\``) < less.indexOf(`GRANT \`${role}\` TO \`twolane_ann\``), 'never both')
  t.ok(less.some(statement => /POLICY OR REPLACE `twolane_others`.*quotes/.test(statement) && statement.includes(old) && statement.includes(role)), 'who still has the old role is not among the others')
  for (const gone of ['DROP USER IF EXISTS `twolane_bob`', 'DROP USER IF EXISTS `twolane_gus`', 'DROP QUOTA IF EXISTS `twolane_gus`', 'DROP QUOTA IF EXISTS `twolane_bob`', `DROP ROLE IF EXISTS \`${old}\``, 'DROP ROW POLICY IF EXISTS `twolane_others` ON `data`.`trades`']) t.ok(less.includes(gone), gone)
  t.ok(less.indexOf('DROP USER IF EXISTS `twolane_gus`') < less.indexOf(`DROP ROW POLICY IF EXISTS \`${old}\` ON \`data\`.\`quotes\``))
  t.ok(revokeStatements(there, { cluster: '' }).every(statement => statement.startsWith('DROP')))
  t.end()
})

await t.test('names and conditions are quoted', t => {
  const odd = accessStatements([user('o\'x`y', [{ ...some, view: 'a`b', columns: ['c`d'] }])], noAccess, options)
  t.ok(odd.some(statement => statement.includes('`twolane_o\'x\\`y`')))
  t.ok(odd.some(statement => statement.includes('SELECT(`c\\`d`) ON `data`.`a\\`b`')))
  t.end()
})

// A server with users, as far as the platform can tell: the engine reads its statements, they are recorded and change what
// the system tables say, and everything else is the engine's. It has entities of others, some with names like ours.
await t.test('the platform keeps the users of a server', async t => {
  const accessOf = /^(?:(?:CREATE|ALTER|DROP) (?:USER|ROLE|ROW POLICY|QUOTA|SETTINGS PROFILE)|GRANT|REVOKE|ALTER TABLE .* SQL SECURITY)/
  const lookalike = 'twolane_mine.00000000000000aa'
  const state = { users: new Map<string, string[]>([['twolane_app', []], [lookalike, []], ['twolane_gone.00000000000000ff', []]]), profiled: new Set(['twolane_gone.00000000000000ff']), roles: new Set(['twolane_admins', 'twolane_rights_mine']), policies: new Set(['twolane_own ON data.quotes']), quotas: new Set(['twolane_limits']) }
  const recorded: string[] = []
  let refuses = false
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<unknown> => {
    const sent = await text(request)
    const answer = async (body: string): Promise<void> => {
      const { status, headers, bytes } = await engine.ask(request.url ?? '/', { method: request.method ?? 'POST', ...(request.method !== 'GET' && { body }) })
      response.writeHead(status, Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-clickhouse') || name === 'content-type'))).end(bytes)
    }
    if (!accessOf.test(sent)) return answer(withTables(sent))
    if (refuses) return response.writeHead(403, { 'x-clickhouse-exception-code': '497' }).end('Code: 497. DB::Exception: Not enough privileges. (ACCESS_DENIED)')
    t.equal((await engine.ask('/', { body: `EXPLAIN AST ${sent}` })).status, 200, sent)
    recorded.push(sent)
    change(sent)
    return response.end()
  }
  const server = createServer((request, response) => { take(request, response).catch((error: unknown) => response.destroy(error as Error)) })
  const withTables = (sql: string): string => {
    const rows = (names: string, values: readonly string[][]): string => `(SELECT * FROM values('${names.split(' ').map(name => `${name} String`).join(', ')}', ${values.map(row => `(${row.map(one => `'${one}'`).join(', ')})`).join(', ') || '(\'\', \'\')'}))`
    return sql.replace('system.users', rows('name', [...state.users.keys()].map(name => [name])))
      .replace('system.settings_profile_elements', rows('user_name inherit_profile', [...state.profiled].map(name => [name, 'twolane_reader'])))
      .replace('system.role_grants', rows('user_name granted_role_name', [...state.users].flatMap(([user, roles]) => roles.map(role => [user, role]))))
      .replace('system.roles', rows('name', [...state.roles].map(name => [name])))
      .replace('system.row_policies', rows('name short_name', [...state.policies].map(name => [name, name.split(' ')[0] as string])))
      .replace('system.quotas', rows('name', [...state.quotas].map(name => [name])))
  }
  const change = (sql: string): void => {
    const [first = '', second = '', third = ''] = [...sql.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string)
    const policy = `${first} ON ${second}.${third}`
    if (sql.startsWith('CREATE ROLE')) state.roles.add(first)
    if (sql.startsWith('DROP ROLE')) state.roles.delete(first)
    if (sql.startsWith('CREATE ROW POLICY')) state.policies.add(policy)
    if (sql.startsWith('DROP ROW POLICY')) state.policies.delete(policy)
    if (sql.startsWith('CREATE QUOTA')) state.quotas.add(first)
    if (sql.startsWith('DROP QUOTA')) state.quotas.delete(first)
    if (sql.startsWith('CREATE USER')) state.users.set(state.profiled.add(first) && first, [])
    if (sql.startsWith('DROP USER')) state.users.delete(first)
    if (sql.startsWith('GRANT `')) state.users.get(second)?.push(first)
    if (sql.startsWith('REVOKE')) state.users.set(second, state.users.get(second)?.filter(role => role !== first) ?? [])
  }
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  for (const sql of ['CREATE DATABASE IF NOT EXISTS data', 'CREATE VIEW data.quotes AS SELECT \'AAPL\' AS symbol, 1.5 AS bid, 2.5 AS ask', 'CREATE VIEW data.trades AS SELECT 1 AS n']) await engine.ask('/', { body: sql })
  const { ask, platform } = await openEndpoint(t, { 'schemas/other.yaml': schema }, { env: { TWOLANE_CLICKHOUSE: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, TWOLANE_CLICKHOUSE_USERS: 'keep' } })
  const took = async (what: string, pattern: RegExp): Promise<string> => eventually(what, () => recorded.find(statement => pattern.test(statement)))

  await took('what is ours from before goes', /^DROP USER IF EXISTS `twolane_gone\.00000000000000ff`/)
  await ask('POST', '/v1/users', { payload: { user: 'ann', roles: ['analyst'], grants: [{ dataset: 'quotes', columns: ['symbol', 'bid'], where: ['symbol', '=', 'AAPL'] }], quota: { rows_per_day: 100 } } })
  const { id, secret } = (await ask('POST', '/v1/tokens', { payload: { title: 'x', scopes: ['sql:read'], user: 'ann' } })).json<{ id: string, secret: string }>()
  await ask('POST', '/v1/tokens', { payload: { title: 'no SQL', scopes: ['data:read'], user: 'ann' } })
  const name = `twolane_ann.${id}`
  await took('the user gets its role', new RegExp(`^ALTER USER \`${name}\` DEFAULT ROLE`))
  const made = recorded.find(statement => statement.startsWith('CREATE USER')) ?? ''
  t.ok(made.includes(`\`${name}\``) && made.includes(createHash('sha256').update(secret).digest('hex')) && /VALID UNTIL '\d{4}-\d\d-\d\dT/.test(made) && made.endsWith('SETTINGS PROFILE \'twolane_reader\''), made)
  t.equal(recorded.filter(statement => statement.startsWith('CREATE USER')).length, 1, 'a token without sql:read is no user')
  const role = state.users.get(name)?.[0] ?? ''
  t.ok(recorded.includes(`GRANT SELECT(\`symbol\`, \`bid\`) ON \`data\`.\`quotes\` TO \`${role}\``))
  t.ok(recorded.includes(`CREATE ROW POLICY OR REPLACE \`${role}\` ON \`data\`.\`quotes\` FOR SELECT USING \`symbol\` = 'AAPL' AS PERMISSIVE TO \`${role}\``))
  t.ok(recorded.some(statement => statement.startsWith('CREATE QUOTA IF NOT EXISTS `twolane_ann.quota` NOT KEYED') && statement.includes('MAX result_rows = 100 ')))
  const order = ['CREATE ROLE', 'CREATE ROW POLICY', 'GRANT SELECT', 'CREATE USER', 'CREATE QUOTA', 'GRANT `'].map(first => recorded.findLastIndex(statement => statement.startsWith(first)))
  t.strictSame(order, order.toSorted((a, b) => a - b), 'in an order that never shows more')

  recorded.length = 0
  await ask('PATCH', '/v1/users/ann', { payload: { grants: [{ dataset: 'trades' }] } })
  await took('the other role', new RegExp(`^DROP ROLE IF EXISTS \`${role}\``))
  await took('the policies of the first one go', new RegExp(`^DROP ROW POLICY IF EXISTS \`${role}\` ON`))
  t.notOk(recorded.some(statement => /^(?:CREATE|DROP) USER|^(?:CREATE|DROP) QUOTA/.test(statement)), 'what is right already is left alone')
  t.ok(recorded.findIndex(statement => statement.startsWith('REVOKE')) < recorded.findIndex(statement => statement.startsWith('GRANT `')))

  refuses = true
  await ask('DELETE', `/v1/tokens/${id}`)
  const { sentence, remedy } = await eventually('health says so', async () => {
    await platform.watch.health.look()
    const { problems } = (await ask('GET', '/v1/health')).json<{ problems: Array<{ part: string, cause: string, remedy: string }> }>()
    const found = problems.find(({ part }) => part === 'clickhouse users')
    return found === undefined ? undefined : { sentence: found.cause, remedy: found.remedy }
  })
  t.match(sentence, /a token that was revoked may still let in there: .*Not enough privileges/)
  t.match(remedy, /ACCESS MANAGEMENT/)
  t.equal((await ask('GET', '/healthz')).statusCode, 200, 'and all else goes on')
  refuses = false
  await ask('PATCH', '/v1/users/ann', { payload: { title: 'Ann' } })
  await took('what was left to do is done', new RegExp(`^DROP USER IF EXISTS \`${name}\``))
  await took('with its quota', /^DROP QUOTA IF EXISTS `twolane_ann\.quota`/)
  await eventually('and health is well', async () => {
    await platform.watch.health.look()
    return (await ask('GET', '/v1/health')).body.includes('clickhouse users') ? undefined : true
  })
  t.strictSame([[...state.users.keys()].sort(), [...state.roles].sort(), [...state.policies].sort(), [...state.quotas]], [['twolane_app', lookalike], ['twolane_admins', 'twolane_rights_mine'], ['twolane_own ON data.quotes'], ['twolane_limits']], 'what is not ours is as it was')
  await t.rejects(readConfig({ root: platform.root, env: { TWOLANE_CLICKHOUSE_USERS: 'keep' } }), { code: 'CONFIG_INVALID', message: /has no users/ })
})

await t.test('an engine without users says so', async t => {
  const client = await connectClickHouse(engine.engine.url)
  await t.rejects(readAccess(client), { code: 'DESTINATION_REFUSED' })
  await t.rejects(applyAccess(client, wanted, { limits }), { code: 'DESTINATION_REFUSED' })
  await client.close()
})
