import { DatabaseSync } from 'node:sqlite'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Access } from '../../../runtime/access/access.ts'
import { ChainCheck } from '../../../runtime/access/audit-chain.ts'
import { Audit } from '../../../runtime/access/audit.ts'
import { clientOf } from '../../../runtime/access/client-address.ts'
import { checkGrants, combine, covers, matches, narrow } from '../../../runtime/access/grants.ts'
import { Lockout } from '../../../runtime/access/lockout.ts'
import { checkPassword, hashPassword, isPassword } from '../../../runtime/access/passwords.ts'
import { makeTables } from '../../../runtime/access/tables.ts'
import type { AuditEntry } from '../../../runtime/access/audit-chain.ts'
import type { Grant } from '../../../runtime/access/grants.ts'
import type { Test } from 'tap'

const HOUR_MS = 3_600_000

function open (t: Test, { now = 1_700_000_000_000 } = {}): { access: Access, database: DatabaseSync, folder: string, clock: { now: number } } {
  const folder = mkdtempSync(join(t.testdir({}), 'access-'))
  const database = new DatabaseSync(join(folder, 'control.db'))
  database.exec('pragma journal_mode = wal; pragma synchronous = off')
  const clock = { now }
  const access = new Access({ database, dataFolder: folder, secrets: ['canary-secret'], now: () => clock.now })
  t.teardown(() => {
    access.close()
    database.close()
  })
  return { access, database, folder, clock }
}

const grant = (dataset: string, columns: readonly string[] | null = null, where: Grant['where'] = null): Grant => ({ dataset, columns, where })

await t.test('grants', async t => {
  await t.test('a pattern matches whole names', async t => {
    for (const [pattern, yes, no] of [['quotes', ['quotes'], ['quote', 'quotes2', 'Quotes']], ['*', ['', 'a', 'a*b'], []], ['crypto_*', ['crypto_', 'crypto_x'], ['crypto', 'xcrypto_']], ['*_eod', ['a_eod', '_eod'], ['a_eod2']], ['a*b*c', ['abc', 'axbxc', 'abbc'], ['ab', 'acb', 'abcx']], ['a*a', ['aa', 'aba'], ['a']]] as const) {
      for (const name of yes) t.ok(matches(pattern, name), `${pattern} ${name}`)
      for (const name of no) t.notOk(matches(pattern, name), `${pattern} ${name}`)
    }
    t.notOk(matches('a*'.repeat(40), 'a'.repeat(39) + 'b'.repeat(39)), 'and no pattern takes long')
  })

  await t.test('nothing is seen that no single grant shows', async t => {
    t.equal(combine([grant('quotes')], 'trades'), undefined)
    t.strictSame(combine([grant('quotes')], 'quotes'), { columns: undefined, where: undefined })
    t.strictSame(combine([grant('*', ['a']), grant('quotes')], 'quotes'), { columns: undefined, where: undefined }, 'one without limits wins')
    const [x, y] = [['s', '=', 'X'], ['s', '=', 'Y']] as const
    t.strictSame(combine([grant('q', null, x), grant('q', null, y)], 'q'), { columns: undefined, where: { or: [x, y] } })
    t.strictSame(combine([grant('q', ['a', 'b'], x), grant('q', ['b', 'c'], y)], 'q'), { columns: ['b'], where: { or: [x, y] } })
    t.strictSame(combine([grant('q', ['a', 'b']), grant('q', null, y)], 'q'), { columns: ['a', 'b'], where: undefined }, 'all rows by the one, and the columns of that one')
    t.equal(combine([grant('q', ['a']), grant('q', ['b'])], 'q'), undefined, 'no column in common')
    t.strictSame(narrow({ columns: undefined, where: x }, { columns: ['a'], where: y }), { columns: ['a'], where: { and: [x, y] } })
    t.equal(narrow({ columns: ['b'], where: undefined }, { columns: ['a'], where: undefined }), undefined)
    t.equal(narrow(undefined, { columns: undefined, where: undefined }), undefined)
  })

  await t.test('what covers what is told carefully', async t => {
    const x = ['s', '=', 'X'] as const
    t.ok(covers([grant('*')], grant('a', ['c'], x)))
    t.ok(covers([grant('a', ['c', 'd'], x)], grant('a', ['c'], { and: [x, ['t', '>', 1]] })))
    t.notOk(covers([grant('a', ['c'])], grant('a')), 'all columns are more than some')
    t.notOk(covers([grant('a', null, x)], grant('a')), 'all rows are more than some')
    t.notOk(covers([grant('a')], grant('*')))
    t.notOk(covers([grant('a', null, x)], grant('a', null, { or: [x, ['t', '>', 1]] })))
  })

  await t.test('a where that is no filter is refused', async t => {
    const deep = (n: number): unknown => n === 0 ? ['a', '=', 1] : { and: [deep(n - 1)] }
    const bad = [1, 'a = 1', [], ['a'], ['a', '=', null], ['a', '=', [1]], ['a', 'in', 1], ['a', 'in', []], ['a', 'is null', 1], ['a', '; drop', 1], ['', '=', 1], ['a', '=', 1, 2], {}, { and: [] }, { and: [['a', '=', 1]], or: [] }, { not: [] }, { and: 'x' }, deep(20), { or: Array.from({ length: 200 }, () => ['a', '=', 1]) }, ['a', '=', NaN], ['a', '=', 'x'.repeat(2000)]]
    for (const where of bad) t.throws(() => checkGrants([{ dataset: 'q', where }]), { code: 'REQUEST_INVALID', message: /^grants\[0\]\.where is no filter/ }, JSON.stringify(where).slice(0, 50))
    for (const where of [undefined, null, ['a', 'is null'], ['a', 'in', ['x', 1, true]], deep(5)]) checkGrants([{ dataset: 'q', where }])
  })
})

await t.test('item 4: passwords', async t => {
  const kept = await hashPassword('four words that do')
  t.match(kept, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/, 'argon2id, 19 MiB, two passes')
  t.not(kept, await hashPassword('four words that do'), 'each with a salt of its own')
  t.ok(await isPassword('four words that do', kept))
  t.notOk(await isPassword('four words that dO', kept))
  t.notOk(await isPassword('', undefined))
  t.notOk(await isPassword('x', 'no hash'))
  const long = 'x7'.repeat(63) + 'ab'
  t.notOk(await isPassword(`${long.slice(0, -1)}c`, await hashPassword(long)), 'the last of 128 characters counts')
  for (const password of ['', 'short1!', 'p'.repeat(129), 'password', 'Password', 'PASSWORD1', 'qwertyuiop', '12345678', 'aaaaaaaaaaaa', 'anna-maria']) await t.rejects(checkPassword(password, 'anna-maria'), { code: 'PASSWORD_REFUSED', remedy: /./ }, password)
  for (const password of ['tr0mbone-fern', 'ünï cödé wörds', `${'ab1'.repeat(42)}cd`]) await checkPassword(password, 'anna')
  const many = await Promise.allSettled(Array.from({ length: 60 }, () => isPassword('x', undefined)))
  t.ok(many.some(({ status }) => status === 'rejected'), 'what waits has a bound')
  t.ok(many.filter(({ status }) => status === 'fulfilled').length >= 52, 'and all that waited were answered')
})

await t.test('item 6: guesses wait longer and longer, for that user from that address', async t => {
  const { database, clock } = open(t)
  const lockout = new Lockout(database, () => clock.now)
  for (let i = 0; i < 4; i++) lockout.fail('anna', '10.0.0.1')
  t.equal(lockout.waitSeconds('anna', '10.0.0.1'), 0)
  const waits = Array.from({ length: 9 }, () => {
    lockout.fail('anna', '10.0.0.1')
    const seconds = lockout.waitSeconds('anna', '10.0.0.1')
    clock.now += seconds * 1000
    return seconds
  })
  t.strictSame(waits, [15, 30, 60, 120, 240, 480, 900, 900, 900], 'twice as long each time, up to a quarter of an hour')
  lockout.fail('anna', '10.0.0.1')
  t.equal(lockout.waitSeconds('anna', '10.0.0.2'), 0, 'another address is not locked out')
  t.equal(lockout.waitSeconds('bert', '10.0.0.1'), 0)
  t.equal(lockout.lockedUntil('anna'), clock.now + 900_000)
  clock.now += 2 * HOUR_MS
  t.equal(lockout.lockedUntil('anna'), undefined)
  for (let i = 0; i < 5; i++) lockout.fail('dora', `2001:db8:0:7:${i}::${i}`)
  t.ok(lockout.waitSeconds('dora', '2001:db8::7:ffff:0:0:1') > 0, 'whoever has a network of IPv6 has one number of tries')
  t.equal(lockout.waitSeconds('dora', '2001:db8:0:8::1'), 0)
  t.strictSame(['::1', '::ffff:10.1.2.3', '2001:db8::1', 'fe80::1%eth0', '10.1.2.3', 'unknown'].map(clientOf), ['0:0:0:0::/64', '10.1.2.3', '2001:db8:0:0::/64', 'fe80:0:0:0::/64', '10.1.2.3', 'unknown'])
  lockout.fail('anna', '10.0.0.1')
  t.equal(lockout.waitSeconds('anna', '10.0.0.1'), 0, 'an hour later it is forgotten')
  for (let i = 0; i < 5; i++) lockout.fail('anna', '10.0.0.1')
  lockout.succeed('anna', '10.0.0.1')
  t.equal(lockout.waitSeconds('anna', '10.0.0.1'), 0)
})

await t.test('items 8 and 9: sessions and tokens end', async t => {
  const { access, clock } = open(t)
  const nobody = { principal: undefined, address: undefined }
  const put = (user: string, fields: object): void => access.change(nobody, { action: 'test' }, () => access.directory.putUser({ ...access.directory.user(user) ?? access.newUser(user), ...fields }))
  put('root', { roles: ['admin'] })
  put('anna', { roles: ['analyst'], grants: [grant('quotes')] })

  await t.test('after 30 idle minutes, and after 12 hours', async t => {
    const idle = access.sessions.open('anna')
    clock.now += 29 * 60_000
    t.ok(access.sessions.find(idle.secret), 'seen again')
    clock.now += 29 * 60_000
    t.ok(access.sessions.find(idle.secret))
    clock.now += 31 * 60_000
    t.equal(access.sessions.find(idle.secret), undefined)
    const busy = access.sessions.open('anna')
    for (let i = 0; i < 35; i++) {
      clock.now += 20 * 60_000
      t.ok(access.sessions.find(busy.secret))
    }
    clock.now += 20 * 60_000
    t.equal(access.sessions.find(busy.secret), undefined)
    const all = Array.from({ length: 25 }, () => access.sessions.open('anna'))
    t.equal(all.filter(({ secret }) => access.sessions.find(secret) !== undefined).length, 20, 'a user has so many at once')
    access.sessions.endAll('anna')
  })

  await t.test('an open stream is told at its next look', async t => {
    const session = access.sessions.open('anna')
    const secret = access.tokens.make({ user: 'anna', title: 'x', scopes: ['data:read'], grants: null, quota: { requests_per_second: null, rows_per_day: null }, days: 1 })
    const own = (): ReturnType<typeof access.principalOfToken> => access.principalOfToken(secret.secret)
    const [byToken, bySession] = [own()!, access.principalOfSession(session)!]
    t.ok(byToken.isValid() && bySession.isValid())
    put('bert', { roles: ['viewer'] })
    t.ok(byToken.isValid() && bySession.isValid(), 'what is done to others does not matter')
    put('anna', { grants: [grant('quotes', ['bid'])] })
    t.notOk(byToken.isValid() || bySession.isValid(), 'a grant was changed')
    t.ok(access.sessions.find(session.secret), 'the session holds, with what is granted now')
    put('anna', { roles: ['viewer'] })
    t.equal(access.sessions.find(session.secret), undefined, 'with another role one has to log in again')
    const narrow = own()!
    t.strictSame([...narrow.scopes], ['data:read'])
    put('anna', { roles: [] })
    t.strictSame([...own()!.scopes], [], 'a token never has more than its owner has now')
    put('anna', { roles: ['analyst'] })
    const again = own()!
    put('anna', { disabled: true })
    t.notOk(again.isValid())
    t.equal(own(), undefined, 'a disabled user has no tokens')
    put('anna', { disabled: false })
    const last = own()!
    access.tokens.revoke(secret.id)
    t.notOk(last.isValid())
    t.equal(own(), undefined, 'a revoked one is none')
    const short = access.tokens.make({ user: 'anna', title: 'x', scopes: ['data:read'], grants: null, quota: { requests_per_second: null, rows_per_day: null }, days: 1 })
    const held = access.principalOfToken(short.secret)!
    clock.now += 24 * HOUR_MS
    t.notOk(held.isValid())
    t.equal(access.principalOfToken(short.secret), undefined, 'it has expired')
    t.equal(access.principalOfToken(`${short.secret}x`), undefined)
  })
})

await t.test('rows of a day are counted, for the user and the token, and over a restart', async t => {
  const { access, database, folder, clock } = open(t)
  access.change({ principal: undefined, address: undefined }, { action: 'test' }, () => access.directory.putUser(access.newUser('anna', { roles: ['viewer'], quota: { requests_per_second: 3, rows_per_day: 100 } })))
  const { secret } = access.tokens.make({ user: 'anna', title: 'x', scopes: ['data:read'], grants: null, quota: { requests_per_second: null, rows_per_day: 60 }, days: 365 })
  const principal = access.principalOfToken(secret)!
  t.strictSame(principal.quota, { requestsPerSecond: 3, rowsPerDay: 60 }, 'the smaller one holds')
  access.takeRows(principal, 50)
  t.throws(() => access.takeRows(principal, 11), { code: 'QUOTA_EXCEEDED', message: /60 rows a day.*50 are used.*11 more/, retryable: true })
  access.takeRows(principal, 10)
  const session = access.principalOfSession(access.sessions.open('anna'))!
  t.equal(access.rowsToday(session), 60, 'rows of the token are rows of its owner')
  access.takeRows(session, 40)
  const failed = t.throws(() => access.takeRows(session, 1), { code: 'QUOTA_EXCEEDED' }) as unknown as { retryAfterSeconds: number } | undefined
  const untilMidnight = 86_400 - Math.floor(clock.now / 1000) % 86_400
  t.equal(failed?.retryAfterSeconds, untilMidnight, 'until midnight, UTC')
  access.close()
  const again = new Access({ database, dataFolder: folder, secrets: [], now: () => clock.now })
  t.teardown(() => again.close())
  t.equal(again.rowsToday(session), 100)
  clock.now += untilMidnight * 1000
  again.takeRows(session, 100)
  t.equal(again.rowsToday(session), 100, 'a new day')
})

await t.test('item 39: the audit log', async t => {
  const { access, database, folder, clock } = open(t)
  const { audit } = access
  const add = (target: string, detail = {}): AuditEntry => audit.add({ user: 'anna', address: '127.0.0.1', action: 'test', target, outcome: 'ok', detail })

  await t.test('a line break, a terminal code or a turned text makes no second entry', async t => {
    const entry = add('a\nb\u001b[2Jc\u202e\u2028', { text: 'x\ny\u0007', canary: 'canary-secret', nested: { list: ['\u009b1m'] } })
    t.equal(entry.target, 'a\\u{a}b\\u{1b}[2Jc\\u{202e}\\u{2028}')
    t.strictSame(entry.detail, { text: 'x\\u{a}y\\u{7}', canary: '***', nested: { list: ['\\u{9b}1m'] } }, 'and secrets are masked')
    t.equal(add('x'.repeat(10_000)).target.length, 500)
    t.strictSame(add('x', { long: 'y'.repeat(10_000) }).detail, { too_long: true })
    t.match(await audit.verify(), { ok: true, entries: 3 })
  })

  await t.test('it cannot be changed or shortened, and the chain shows when it was', async t => {
    for (let i = 0; i < 5; i++) add(String(i))
    for (const sql of ["update audit set user = 'x' where seq = 3", 'delete from audit where seq = 3', 'delete from audit', 'update audit set seq = seq + 1']) t.throws(() => database.exec(sql), /the audit log is not/, sql)
    database.exec('drop trigger audit_is_not_changed; drop trigger audit_is_not_shortened; begin')
    for (const [sql, seq] of [["update audit set user = 'x' where seq = 3", 3], ['delete from audit where seq = 5', 6], ["update audit set detail = '{}' where seq = 1", 1]] as const) {
      database.exec(`savepoint s; ${sql}`)
      t.match(await audit.verify(), { ok: false, broken_at: seq }, sql)
      database.exec('rollback to s')
    }
    database.exec('rollback')
    t.match(await audit.verify(), { ok: true, entries: 8 })
  })

  await t.test('refusals of a kind are counted, and of very many kinds, too', async t => {
    const before = audit.read({ limit: 1 }).entries[0]!.seq
    const refuse = (user: string): void => audit.refuse({ user, address: '10.0.0.1', action: 'login', target: user, kind: '401' })
    for (let i = 0; i < 1000; i++) refuse('anna')
    t.equal(audit.read({ limit: 1 }).entries[0]!.seq, before + 1, 'the first one at once')
    clock.now += 61_000
    refuse('bert')
    t.match(audit.read({ limit: 2 }).entries.map(({ user, detail }) => [user, detail]), [['bert', {}], ['anna', { more_within_a_minute: 999 }]])
    for (let i = 0; i < 3000; i++) refuse(`user-${i}`)
    t.ok(audit.read({ limit: 1 }).entries[0]!.seq < before + 600)
    audit.settle()
    t.ok(audit.read({ limit: 1000, outcome: 'refused' }).entries.some(({ target, detail }) => target === 'of many kinds' && Number(detail['more_within_a_minute']) > 2000), 'none is lost')
  })

  await t.test('it is read by time, user, action and outcome, page by page', async t => {
    t.strictSame(audit.read({ user: 'bert', limit: 10 }).entries.map(({ user }) => user), ['bert'])
    t.equal(audit.read({ from: new Date(clock.now + 1).toISOString(), limit: 10 }).entries.length, 0)
    t.ok(audit.read({ action: 'log', limit: 10 }).entries.every(({ action }) => action === 'login'))
    t.equal(audit.read({ action: '%', limit: 10 }).entries.length, 0)
    const first = audit.read({ limit: 3 })
    const second = audit.read({ limit: 3, before: first.next! })
    t.equal(second.entries[0]!.seq, first.entries[2]!.seq - 1)
    t.equal(audit.read({ limit: 3, before: 2 }).next, null)
  })

  await t.test('a change that is taken back takes its entry along, and the chain goes on', async t => {
    const before = audit.read({ limit: 1 }).entries[0]!
    t.throws(() => access.change({ principal: undefined, address: undefined }, { action: 'test' }, () => { throw new Error('no') }))
    t.strictSame(audit.read({ limit: 1 }).entries[0], before)
    add('after')
    t.match(await audit.verify(), { ok: true })
  })

  await t.test('old entries go into files, and the chain goes over both', async t => {
    const other = new DatabaseSync(':memory:')
    t.teardown(() => other.close())
    makeTables(other)
    const small = new Audit({ database: other, folder, now: () => clock.now, mask: text => text, entriesMax: 20 })
    for (let i = 0; i < 31; i++) {
      small.add({ action: 'test', target: String(i), outcome: 'ok' })
      small.archive()
    }
    const files = readdirSync(join(folder, 'audit')).sort((a, b) => Number.parseInt(a) - Number.parseInt(b))
    t.strictSame(files.slice(0, 2), ['1-2.ndjson', '3-4.ndjson'])
    t.match(await small.verify(), { ok: true })
    const check = new ChainCheck(undefined)
    for (const file of files) for (const line of readFileSync(join(folder, 'audit', file), 'utf8').trim().split('\n')) check.add(JSON.parse(line) as AuditEntry)
    for await (const entry of small.entries()) check.add(entry)
    t.match(check.verdict, { ok: true, entries: 31 })
    t.throws(() => other.exec('delete from audit'), /is not shortened/)
    t.match(new Audit({ database: other, folder, now: () => clock.now, mask: text => text }).add({ action: 'x', outcome: 'ok' }), { seq: 32 })
  })
})
