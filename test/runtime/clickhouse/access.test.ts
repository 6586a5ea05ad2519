import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { accessStatements, noAccess, revokeStatements } from '../../../runtime/clickhouse/access.ts'
import { applyAccess, readAccess } from '../../../runtime/clickhouse/access-apply.ts'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { startTestEngine } from './engine.ts'
import type { AccessState, AccessUser, ViewRight } from '../../../runtime/clickhouse/access.ts'

const golden = join(import.meta.dirname, 'access.sql')
const limits = { secondsMax: 30, memoryBytesMax: 512 * 2 ** 20, readRowsMax: 500_000_000, readBytesMax: 64 * 2 ** 30, resultRowsMax: 50_000_000, threadsMax: 2 }
const options = { limits, cluster: '' }
const passwordHash = 'ab'.repeat(32)

const all = (view: string): ViewRight => ({ database: 'data', view, columns: undefined, condition: undefined })
const some: ViewRight = { database: 'data', view: 'quotes', columns: ['symbol', 'at', 'bid'], condition: '`desk` = \'open\'' }
const user = (name: string, rights: readonly ViewRight[], more: Partial<AccessUser> = {}): AccessUser => ({ user: name, passwordHash, rights, rowsPerDay: undefined, requestsPerSecond: undefined, ...more })

const wanted = [user('ann', [all('quotes'), all('trades')]), user('bob', [all('trades'), all('quotes')], { requestsPerSecond: 10 }), user('gus', [some], { rowsPerDay: 1000 }), user('nan', [])]
const statements = accessStatements(wanted, noAccess, options)
const text = (all: readonly string[]): string => `${all.join(';\n')};\n`

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
  if (process.env['TAP_SNAPSHOT'] === '1') writeFileSync(golden, text(statements))
  t.equal(text(statements), readFileSync(golden, 'utf8'))
  t.end()
})

await t.test('ClickHouse\'s own parser takes all of them, on a cluster, too', async t => {
  const clustered = accessStatements(wanted, noAccess, { limits, cluster: 'main' })
  const revoked = revokeStatements(after(statements), { cluster: 'main' })
  for (const statement of [...statements, ...clustered, ...revoked]) t.equal((await engine.ask('/', { body: `EXPLAIN AST ${statement}` })).status, 200, statement)
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
  for (const gone of ['DROP USER IF EXISTS `twolane_bob`', 'DROP USER IF EXISTS `twolane_gus`', 'DROP QUOTA IF EXISTS `twolane_gus`', `DROP ROLE IF EXISTS \`${old}\``, 'DROP ROW POLICY IF EXISTS `twolane_others` ON `data`.`trades`']) t.ok(less.includes(gone), gone)
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

await t.test('an engine without users says so', async t => {
  const client = await connectClickHouse(engine.engine.url)
  await t.rejects(readAccess(client), { code: 'DESTINATION_REFUSED' })
  await t.rejects(applyAccess(client, wanted, { limits }), { code: 'DESTINATION_REFUSED' })
  await client.close()
})
