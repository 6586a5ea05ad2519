import { once } from 'node:events'
import { createServer, connect } from 'node:net'
import t from 'tap'
import { Access } from '../../../runtime/access/access.ts'
import { builtinRoles } from '../../../runtime/access/roles.ts'
import { limitSockets } from '../../../runtime/control/sockets.ts'
import { openEndpoint, pipeline, schema, token as adminToken } from './endpoint.ts'
import type { AddressInfo } from 'node:net'
import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Scope } from '../../../runtime/access/scopes.ts'

const files = { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': pipeline }
const password = 'four words that do'
const noQuota = { requests_per_second: null, rows_per_day: null }

type Method = NonNullable<InjectOptions['method']>
type Ask = (method: Method, url: string, payload?: object, headers?: Record<string, string>) => Promise<LightMyRequestResponse>

await t.test('access over HTTP', async t => {
  const { app, platform, table, project } = await openEndpoint(t, files, { limits: { requestsPerSecondMax: 100_000, wrongTokensPerMinuteMax: 100_000 } })
  const { access } = platform
  const { directory } = access
  // Each test from an address of its own, so that none runs into the limits of another.
  let addresses = 1
  const newAddress = (): string => `127.0.1.${++addresses}`
  const by = (headers: Record<string, string>): Ask => (method, url, payload, more = {}) => app.inject({ method, url, headers: { ...headers, ...more }, ...(payload !== undefined && { payload }) })
  const admin = by({ authorization: `Bearer ${adminToken}` })
  const login = async (user: string, remoteAddress = newAddress(), given = password): Promise<LightMyRequestResponse> => app.inject({ method: 'POST', url: '/v1/login', payload: { user, password: given }, remoteAddress })
  const cookieOf = (answer: LightMyRequestResponse): string => String(answer.headers['set-cookie']).split(';')[0]!
  const session = async (user: string): Promise<{ ask: Ask, cookie: string, csrf: string }> => {
    const answer = await login(user)
    const [cookie, { csrf }] = [cookieOf(answer), answer.json<{ csrf: string }>()]
    return { ask: by({ cookie, 'x-csrf-token': csrf }), cookie, csrf }
  }
  const is = (answer: LightMyRequestResponse, status: number, code: string, detail = /./): void => {
    t.equal(answer.statusCode, status, answer.body)
    t.match(answer.json(), { code, detail })
  }

  await t.test('item 2: the first start', async t => {
    t.strictSame((await app.inject('/v1/setup')).json(), { first_start: true, oidc: null })
    t.ok(directory.isEmpty, 'there is no default account')
    const setUp = (code: string, user = 'root'): Promise<LightMyRequestResponse> => app.inject({ method: 'POST', url: '/v1/setup', payload: { code, user, password } })
    const first = access.makeSetupCode()!
    t.equal(Buffer.from(first, 'base64url').length, 16, '128 bits')
    is(await setUp('x'.repeat(22)), 401, 'UNAUTHORIZED', /wrong, or has expired/)
    const code = access.makeSetupCode()!
    is(await setUp(first), 401, 'UNAUTHORIZED')
    is(await setUp(code, 'admin'), 400, 'REQUEST_INVALID', /stands for/)
    const [one, two] = await Promise.all([setUp(code), setUp(code, 'other')])
    t.strictSame([one.statusCode, two.statusCode].sort(), [200, 409], 'it is good for one user')
    t.equal(directory.users().length, 1)
    is(await setUp(code, 'third'), 409, 'NAME_TAKEN')
    t.equal(access.makeSetupCode(), undefined)
    t.strictSame((await app.inject('/v1/setup')).json(), { first_start: false, oidc: null })
    const clock = { now: 1e12 }
    const { setupCode } = new Access({ database: platform.store.database, dataFolder: project.data, secrets: [], now: () => clock.now })
    const late = setupCode.make()
    clock.now += 30 * 60_000
    t.notOk(setupCode.fits(late), 'it expires after half an hour')
  })

  for (const role of ['viewer', 'analyst', 'maintainer', 'admin']) t.equal((await admin('POST', '/v1/users', { user: role === 'admin' ? 'boss' : role, roles: [role], password })).statusCode, 201)
  t.equal((await admin('POST', '/v1/users', { user: 'nobody', password })).statusCode, 201)

  await t.test('item 12: each role on each route', async t => {
    let cells = 0
    for (const role of ['nobody', ...builtinRoles.keys()]) {
      const user = role === 'admin' ? 'boss' : role
      const scopes = [...directory.rights(user).scopes]
      t.strictSame(scopes.sort(), [...builtinRoles.get(role)?.scopes ?? []].sort())
      const { secret } = access.tokens.make({ user, title: 'matrix', scopes, grants: null, quota: noQuota, days: 1 })
      for (const { method, url, access: needed } of table.routes) {
        if (needed === 'anyone' || url.startsWith('/clickhouse')) continue
        // Nobody takes this parameter: who gets past the guard is stopped before anything is done.
        const path = `${url.replace(/:\w+/g, 'trades').replace('*', 'x')}?nobody_takes_this=1`
        const answer = await app.inject({ method: method as Method, url: path, headers: { authorization: `Bearer ${secret}` } })
        const allowed = needed === 'known' || scopes.includes(needed as Scope)
        cells++
        const isRefused = answer.statusCode === 403 && (method === 'HEAD' || answer.body.includes(`needs the scope ${needed}`))
        t.ok(allowed ? ![200, 201, 202, 401, 403, 500].includes(answer.statusCode) : isRefused, `${role} ${method} ${url}: ${answer.statusCode}`)
      }
    }
    t.ok(cells > 240, `${cells} cells`)
  })

  await t.test('item 5: an unknown user looks like a known one', async t => {
    const [known, unknown] = [await login('viewer', newAddress(), 'wrong'), await login('no-such-user', newAddress(), 'wrong')]
    const shown = ({ statusCode, body, headers }: LightMyRequestResponse): unknown => [statusCode, JSON.parse(body.replace(/"instance":"[^"]*",?/, '')), Object.keys(headers).sort()]
    t.strictSame(shown(known), shown(unknown))
    const [address, other] = [newAddress(), newAddress()]
    const tries = async (user: string, remoteAddress: string): Promise<number[]> => {
      const statuses: number[] = []
      for (let i = 0; i < 7; i++) statuses.push((await login(user, remoteAddress, 'wrong')).statusCode)
      return statuses
    }
    t.strictSame(await tries('viewer', address), [401, 401, 401, 401, 401, 429, 429], 'item 6: five, then a wait')
    t.strictSame(await tries('no-such-user', other), [401, 401, 401, 401, 401, 429, 429])
    t.match((await login('viewer', address)).headers['retry-after'], /^1\d$/, 'also with the right password')
    t.equal((await login('viewer')).statusCode, 200, 'from another address the user gets in')
    t.match((await admin('GET', '/v1/users/viewer')).json(), { locked_until: /^\d{4}-/ })
    const many = newAddress()
    const statuses = await Promise.all(Array.from({ length: 40 }, (_, i) => login(`guess-${i}`, many, 'x').then(({ statusCode }) => statusCode)))
    t.ok(statuses.filter(status => status === 429).length >= 10, 'item 22: an address has so many logins a minute, whoever it says it is')
  })

  await t.test('item 7: tokens', async t => {
    const { ask } = await session('analyst')
    const made = await ask('POST', '/v1/tokens', { title: 'notebook', scopes: ['data:read'] })
    t.equal(made.statusCode, 201)
    const { id, secret, expires_at: expires } = made.json<{ id: string, secret: string, expires_at: string }>()
    t.match(secret, /^tl_[\w-]{43}$/, '256 bits')
    t.ok(Math.abs(Date.parse(expires) - Date.now() - 90 * 86_400_000) < 3_600_000, '90 days')
    t.notOk((await ask('GET', '/v1/tokens')).body.includes(secret.slice(3)), 'shown once')
    const dump = JSON.stringify(platform.store.database.prepare('select * from access_tokens').all()) + (await admin('GET', '/v1/audit?limit=1000')).body
    t.notOk(dump.includes(secret.slice(3)), 'kept as a hash')
    const own = by({ authorization: `Bearer ${secret}` })
    t.match((await own('GET', '/v1/me')).json(), { kind: 'token', user: 'analyst', token: id, scopes: ['data:read'], csrf: null })
    t.match((await ask('GET', '/v1/tokens')).json<{ tokens: object[] }>().tokens.find(one => 'id' in one && one.id === id), { last_used_at: /^\d{4}-/ })
    is(await own('GET', '/v1/pipelines'), 403, 'SCOPE_MISSING', /scope platform:read, which this token of analyst lacks/)
    is(await own('POST', '/v1/tokens', { title: 'x', scopes: ['data:read'] }), 403, 'REQUEST_REFUSED', /makes no tokens/)
    is(await own('POST', '/v1/me/password', { current: password, password: 'another one here' }), 403, 'REQUEST_REFUSED')
    is(await ask('POST', '/v1/tokens', { title: 'x', scopes: ['sql:write'] }), 403, 'SCOPE_MISSING', /sql:write/)
    is(await ask('POST', '/v1/tokens', { title: 'x', scopes: ['data:read'], user: 'viewer' }), 403, 'SCOPE_MISSING', /access:write/)
    is(await ask('POST', '/v1/tokens', { title: 'x', scopes: ['data:read'], expires_days: 366 }), 422, 'REQUEST_INVALID')
    is(await admin('POST', '/v1/tokens', { title: 'x', scopes: ['data:read'] }), 400, 'REQUEST_INVALID', /whose token/)
    t.equal((await admin('POST', '/v1/tokens', { title: 'x', scopes: ['data:read'], user: 'viewer' })).statusCode, 201)
    for (const url of [`/v1/me?token=${secret}`, `/v1/me?access_token=${secret}`, `/v1/me?api_key=${adminToken}`]) t.equal((await app.inject(url)).statusCode, 401, 'item 11: an address carries no token')
    t.equal((await ask('DELETE', `/v1/tokens/${id}`)).statusCode, 200)
    t.equal((await own('GET', '/v1/me')).statusCode, 401, 'item 8: revoked at once')
  })

  await t.test('items 9 and 17: cookies', async t => {
    const answer = await login('maintainer')
    t.match(answer.headers['set-cookie'], /^twolane=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/)
    const cookie = cookieOf(answer)
    const { csrf } = answer.json<{ csrf: string }>()
    const ask = by({ cookie })
    t.match((await ask('GET', '/v1/me')).json(), { kind: 'user', user: 'maintainer', csrf })
    for (const given of [{}, { 'x-csrf-token': '' }, { 'x-csrf-token': 'x'.repeat(csrf.length) }, { 'x-csrf-token': `${csrf}x` }]) is(await ask('POST', '/v1/pipelines/nope/pause', undefined, given as Record<string, string>), 403, 'REQUEST_REFUSED', /x-csrf-token/)
    is(await ask('POST', '/v1/pipelines/nope/pause', undefined, { 'x-csrf-token': csrf }), 404, 'NOT_FOUND')
    for (const foreign of [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'same-site' }]) is(await ask('POST', '/v1/pipelines/nope/pause', undefined, { 'x-csrf-token': csrf, ...foreign } as Record<string, string>), 403, 'REQUEST_REFUSED', /another site/)
    is(await ask('GET', '/v1/me', undefined, { upgrade: 'websocket', connection: 'upgrade', origin: 'http://evil.example' }), 403, 'REQUEST_REFUSED', /another site/)
    const again = await app.inject({ method: 'POST', url: '/v1/login', payload: { user: 'maintainer', password }, headers: { cookie }, remoteAddress: newAddress() })
    t.not(cookieOf(again), cookie, 'a new id at login')
    t.equal((await ask('GET', '/v1/me')).statusCode, 401, 'and the old one has ended')
    const fresh = by({ cookie: cookieOf(again), 'x-csrf-token': again.json<{ csrf: string }>().csrf })
    t.equal((await fresh('POST', '/v1/logout')).statusCode, 200)
    t.equal((await fresh('GET', '/v1/me')).statusCode, 401, 'a logout ends it on the server')
    for (const planted of ['twolane=x', 'twolane=', `twolane=${adminToken}`, '__Host-twolane=x', 'twolane=a; twolane=b']) t.equal((await app.inject({ url: '/v1/me', headers: { cookie: planted } })).statusCode, 401, planted)
  })

  await t.test('item 10: a new password needs the old one, and ends other sessions', async t => {
    const [one, two] = [await session('viewer'), await session('viewer')]
    is(await one.ask('POST', '/v1/me/password', { current: 'wrong', password: 'quite another one' }), 401, 'UNAUTHORIZED')
    is(await one.ask('POST', '/v1/me/password', { current: password, password: 'password1' }), 422, 'PASSWORD_REFUSED')
    t.equal((await one.ask('POST', '/v1/me/password', { current: password, password: 'quite another one' })).statusCode, 200)
    t.equal((await one.ask('GET', '/v1/me')).statusCode, 200)
    t.equal((await two.ask('GET', '/v1/me')).statusCode, 401)
    t.equal((await login('viewer')).statusCode, 401)
    t.equal((await admin('POST', '/v1/users/viewer/password', { password })).statusCode, 200)
    t.equal((await one.ask('GET', '/v1/me')).statusCode, 401, 'one that an admin sets ends all')
  })

  await t.test('item 13: what belongs to others is not there', async t => {
    const { ask } = await session('analyst')
    const { id } = (await admin('POST', '/v1/tokens', { title: 'theirs', scopes: ['data:read'], user: 'maintainer' })).json<{ id: string }>()
    is(await ask('DELETE', `/v1/tokens/${id}`), 404, 'NOT_FOUND')
    is(await ask('DELETE', '/v1/tokens/0000'), 404, 'NOT_FOUND')
    t.notOk((await ask('GET', '/v1/tokens')).body.includes(id))
    is(await ask('GET', `/v1/access/explain?token=${id}`), 403, 'SCOPE_MISSING')
    is(await ask('GET', '/v1/access/explain?user=maintainer'), 403, 'SCOPE_MISSING')
    t.equal((await admin('DELETE', `/v1/tokens/${id}`)).statusCode, 200)
  })

  await t.test('item 14: what a body may not say is refused, not left out', async t => {
    const { ask } = await session('boss')
    for (const [method, url, body] of [
      ['POST', '/v1/users', { user: 'x', created_at: '2020' }], ['POST', '/v1/users', { user: 'x', provider_roles: ['admin'] }], ['PATCH', '/v1/users/viewer', { user: 'root' }], ['PATCH', '/v1/users/viewer', { password: 'x' }],
      ['PUT', '/v1/teams/a', { createdBy: 'x' }], ['PUT', '/v1/roles/a', { scopes: [], builtin: true }], ['POST', '/v1/tokens', { title: 'x', scopes: ['data:read'], id: '1' }], ['POST', '/v1/tokens', { title: 'x', scopes: ['all'] }],
      ['POST', '/v1/login', { user: 'x', password: 'x', role: 'admin' }], ['PATCH', '/v1/users/viewer', {}], ['PATCH', '/v1/users/viewer', { disabled: 'false' }], ['PATCH', '/v1/users/viewer', { quota: { rows: 1 } }],
      ['PUT', '/v1/roles/a', { scopes: ['data:read'], grants: [{ dataset: 'q', rows: 1 }] }], ['PUT', '/v1/roles/a', { scopes: ['data:read'], grants: [{ dataset: 'q; drop' }] }]
    ] as const) is(await ask(method, url, body), 422, 'REQUEST_INVALID')
    is(await ask('PUT', '/v1/teams/a', { roles: ['nope'] }), 400, 'REQUEST_INVALID', /no role nope/)
    for (const url of ['/v1/users/..', '/v1/users/%2e%2e%2fx', '/v1/users/__proto__', '/v1/teams/a%00', '/v1/roles/A', '/v1/tokens/..%2f']) t.ok([404, 405, 422].includes((await ask('DELETE', url)).statusCode), url)
  })

  await t.test('item 15: nobody gives more than they have, and an admin is left', async t => {
    t.equal((await admin('PUT', '/v1/roles/helpdesk', { scopes: ['access:read', 'access:write', 'data:read'], grants: [{ dataset: 'quotes', where: ['s', '=', 'X'] }] })).statusCode, 200)
    t.equal((await admin('POST', '/v1/users', { user: 'helper', roles: ['helpdesk'], password })).statusCode, 201)
    const { ask } = await session('helper')
    for (const [method, url, body] of [
      ['PATCH', '/v1/users/helper', { roles: ['admin'] }], ['PATCH', '/v1/users/helper', { grants: [{ dataset: '*' }] }], ['PATCH', '/v1/users/nobody', { roles: ['analyst'] }], ['POST', '/v1/users', { user: 'ally', roles: ['admin'] }],
      ['PUT', '/v1/roles/mine', { scopes: ['sql:write'] }], ['PUT', '/v1/roles/helpdesk', { scopes: ['access:write', 'sql:read'] }], ['PUT', '/v1/teams/mine', { roles: ['admin'], members: ['helper'] }], ['PUT', '/v1/teams/mine', { grants: [{ dataset: 'quotes' }] }],
      ['POST', '/v1/users/boss/password', { password: 'now it is mine' }], ['PATCH', '/v1/users/boss', { disabled: true }], ['DELETE', '/v1/users/boss', undefined], ['POST', '/v1/tokens', { title: 'x', scopes: ['data:read'], user: 'boss' }]
    ] as const) is(await ask(method, url, body), 403, 'SCOPE_MISSING')
    t.equal(directory.role('mine'), undefined)
    // What lies there until somebody enables it, adds a member or logs in.
    t.equal((await admin('POST', '/v1/users', { user: 'asleep', roles: ['admin'], disabled: true, email: 'asleep@example.com' })).statusCode, 201)
    t.equal((await admin('PATCH', '/v1/users/helper', { quota: { rows_per_day: 10 } })).statusCode, 200)
    const { ask: asking } = await session('helper')
    for (const [method, url, body] of [
      ['POST', '/v1/users', { user: 'ally', roles: ['admin'], disabled: true }], ['PUT', '/v1/teams/mine', { roles: ['admin'] }], ['POST', '/v1/users/asleep/password', { password: 'now it is mine' }], ['PATCH', '/v1/users/asleep', { email: 'helper@example.com' }],
      ['DELETE', '/v1/users/asleep', undefined], ['PATCH', '/v1/users/boss', { quota: { requests_per_second: 1 } }], ['PATCH', '/v1/users/helper', { quota: { rows_per_day: null } }], ['POST', '/v1/users', { user: 'ally', quota: { rows_per_day: 11 } }]
    ] as const) is(await asking(method, url, body), 403, 'SCOPE_MISSING')
    t.equal((await admin('PATCH', '/v1/users/helper', { quota: { rows_per_day: null } })).statusCode, 200)
    t.equal((await admin('DELETE', '/v1/users/asleep')).statusCode, 200)
    t.equal((await ask('POST', '/v1/users', { user: 'ally', roles: ['helpdesk'], grants: [{ dataset: 'quotes', columns: ['a'], where: { and: [['s', '=', 'X'], ['t', '>', 1]] } }] })).statusCode, 201, 'what they have they may give')
    t.equal((await ask('DELETE', '/v1/users/ally')).statusCode, 200)
    is(await admin('DELETE', '/v1/roles/helpdesk'), 409, 'IN_USE', /user helper/)
    for (const role of builtinRoles.keys()) is(await admin('PUT', `/v1/roles/${role}`, { scopes: [] }), 409, 'NAME_TAKEN')
    for (const other of directory.users().filter(({ user, roles }) => user !== 'boss' && roles.includes('admin'))) await admin('DELETE', `/v1/users/${other.user}`)
    for (const [method, url, body] of [['DELETE', '/v1/users/boss', undefined], ['PATCH', '/v1/users/boss', { roles: ['viewer'] }], ['PATCH', '/v1/users/boss', { disabled: true }]] as const) is(await admin(method, url, body), 409, 'LAST_ADMIN')
    t.equal((await admin('PUT', '/v1/teams/admins', { roles: ['admin'], members: ['viewer'] })).statusCode, 200)
    t.equal((await admin('PATCH', '/v1/users/boss', { roles: [] })).statusCode, 200, 'an admin by a team is one')
    is(await admin('DELETE', '/v1/teams/admins'), 409, 'LAST_ADMIN')
    t.equal((await admin('PATCH', '/v1/users/boss', { roles: ['admin'] })).statusCode, 200)
    t.equal((await admin('DELETE', '/v1/teams/admins')).statusCode, 200)
    t.strictSame(directory.user('viewer')?.teams, [])
  })

  await t.test('item 16: a pipeline uses the plugins that a role allows', async t => {
    t.equal((await admin('PUT', '/v1/roles/builder', { scopes: ['platform:read', 'pipelines:write'], plugins: ['generate', 'file'] })).statusCode, 200)
    t.equal((await admin('POST', '/v1/users', { user: 'builder', roles: ['builder'], password })).statusCode, 201)
    const { ask } = await session('builder')
    const put = (outputs: object[]): Promise<LightMyRequestResponse> => ask('PUT', '/v1/pipelines/made', { topic: 'trades', outputs })
    is(await put([{ http: { url: 'http://127.0.0.1:9/' } }]), 403, 'SCOPE_MISSING', /no role that allows the plugin "http"/)
    const planned = await ask('POST', '/v1/changes', { files: [{ path: 'pipelines/made.yaml', text: 'topic: trades\noutputs: [{ file: { path: a } }, { http: { url: "http://127.0.0.1:9/" } }]' }] })
    t.match(planned.json<{ problems: Array<{ message: string }> }>().problems.map(({ message }) => message).join(), 'no role that allows the plugin "http"')
    t.equal((await put([{ file: { path: 'made.ndjson' } }])).statusCode, 200)
    t.equal((await ask('DELETE', '/v1/pipelines/made')).statusCode, 200)
  })

  await t.test('item 19: no other origin is let in', async t => {
    for (const origin of ['https://evil.example', 'null', 'http://localhost:3000']) {
      const answer = await admin('GET', '/v1/me', undefined, { origin })
      t.notOk(Object.keys(answer.headers).some(name => name.startsWith('access-control')), origin)
    }
    t.equal((await admin('OPTIONS', '/v1/users', undefined, { origin: 'https://evil.example', 'access-control-request-method': 'POST' })).statusCode, 403)
  })

  await t.test('items 20 and 24: types of bodies, parameters twice, TRACE', async t => {
    for (const { method, url, access: needed } of table.routes) {
      if (!['POST', 'PUT', 'PATCH'].includes(method) || needed === 'anyone' || url.startsWith('/clickhouse')) continue
      const answer = await app.inject({ method: method as Method, url: url.replace(/:\w+/g, 'trades').replace('*', 'x'), headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/x-www-form-urlencoded' }, payload: 'a=b' })
      t.ok([415, 404, 422].includes(answer.statusCode), `${method} ${url}: ${answer.statusCode}`)
    }
    is(await app.inject({ method: 'POST', url: '/v1/login', headers: { 'content-type': 'text/plain' }, payload: '{"user":"viewer","password":"x"}' }), 415, 'MEDIA_TYPE_UNSUPPORTED')
    for (const url of ['/v1/audit?limit=1&limit=2', '/v1/audit?user=a&user=b', '/v1/access/explain?scope=data:read&scope=sql:read']) is(await admin('GET', url), 422, 'REQUEST_INVALID')
    t.equal((await admin('TRACE' as Method, '/v1/me')).statusCode, 405)
    for (const url of ['/v1/nope', '/v1/users/nope', '/v1/audit?limit=0']) t.notMatch((await admin('GET', url)).body, new RegExp(`node_modules|\\.ts:|at async|${platform.version.replaceAll('.', '\\.')}|fastify`, 'i'))
  })

  await t.test('item 23: a forwarded address is not believed', async t => {
    const remoteAddress = newAddress()
    for (let i = 0; i < 5; i++) await app.inject({ method: 'POST', url: '/v1/login', payload: { user: 'analyst', password: 'x' }, remoteAddress, headers: { 'x-forwarded-for': `10.0.0.${i}`, forwarded: `for=10.0.0.${i}` } })
    t.equal((await app.inject({ method: 'POST', url: '/v1/login', payload: { user: 'analyst', password }, remoteAddress, headers: { 'x-forwarded-for': '10.9.9.9' } })).statusCode, 429)
  })

  await t.test('item 22: a user and a token have a rate of their own', async t => {
    t.equal((await admin('PATCH', '/v1/users/analyst', { quota: { requests_per_second: 1 } })).statusCode, 200)
    const { ask } = await session('analyst')
    const answers = await Promise.all(Array.from({ length: 6 }, () => ask('GET', '/v1/me')))
    const slow = answers.filter(({ statusCode }) => statusCode === 429)
    t.ok(slow.length >= 3, 'two at once, and one a second')
    t.match(slow[0]?.headers['retry-after'], /^\d+$/)
    t.equal((await admin('GET', '/v1/me')).statusCode, 200, 'nobody else waits')
    await admin('PATCH', '/v1/users/analyst', { quota: { requests_per_second: null } })
  })

  await t.test('item 21: connections of one address have a bound', async t => {
    const server = createServer(socket => socket.resume().on('error', () => {}))
    t.teardown(() => server.close())
    limitSockets(server, { perAddressMax: 3, isCounted: () => true })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const sockets = await Promise.all(Array.from({ length: 3 }, async () => {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      await once(socket, 'connect')
      return socket
    }))
    t.teardown(() => { for (const socket of sockets) socket.destroy() })
    const fourth = connect(port, '127.0.0.1').on('error', () => {})
    await once(fourth, 'close')
    t.pass('the fourth one is closed')
    const ended = new Promise(resolve => server.once('connection', resolve))
    sockets.pop()?.destroy()
    // The server hears of the end a moment later.
    while (await new Promise<number>(resolve => server.getConnections((_, count) => resolve(count))) > 2) await new Promise(resolve => setImmediate(resolve))
    sockets.push(connect(port, '127.0.0.1').on('error', () => {}))
    await ended
    t.ok(sockets.at(-1)?.destroyed === false, 'there is room again')
  })

  await t.test('item 39: all of it is in the audit log', async t => {
    await admin('POST', '/v1/plan')
    await admin('POST', '/v1/jobs/nothing/pause')
    await admin('POST', '/v1/query', undefined, { 'content-type': 'text/plain' })
    await app.inject({ method: 'POST', url: '/v1/query', headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'text/plain' }, payload: "select 'a secret'" })
    const { entries } = (await admin('GET', '/v1/audit?limit=1000')).json<{ entries: Array<{ action: string, target: string, outcome: string, user: string, detail: Record<string, unknown> }> }>()
    const has = (action: string, outcome: string): boolean => entries.some(entry => entry.action === action && entry.outcome === outcome)
    for (const [action, outcome] of [['setup', 'ok'], ['setup', 'refused'], ['login', 'ok'], ['login', 'refused'], ['logout', 'ok'], ['token.add', 'ok'], ['token.revoke', 'ok'], ['user.add', 'ok'], ['user.add', 'refused'], ['user.remove', 'failed'], ['password.change', 'ok'], ['password.set', 'ok'], ['role.set', 'ok'], ['team.remove', 'ok'], ['pipeline.set', 'ok'], ['pipeline.set', 'refused'], ['GET /v1/pipelines', 'refused']] as const) t.ok(has(action, outcome), `${action} ${outcome}`)
    t.ok(entries.some(({ action, target }) => action === 'job.pause' && target === 'nothing'), 'the target is what the path names')
    const sql = entries.find(({ action, detail }) => action === 'POST /v1/query' && 'body_sha256' in detail)
    t.match(sql, { user: 'admin', outcome: 'failed', detail: { body_sha256: /^[0-9a-f]{64}$/ } }, 'a hash of the SQL')
    const text = JSON.stringify(entries)
    for (const secret of [password, 'a secret', adminToken, 'quite another one']) t.notOk(text.includes(secret), 'and no secret')
    t.match((await admin('GET', '/v1/audit/verify')).json(), { ok: true, broken_at: null })
    const exported = (await admin('GET', '/v1/audit/export')).body.trim().split('\n')
    t.ok(exported.length >= entries.length)
    t.ok((await admin('GET', '/v1/audit?action=GET%20/v1/audit/export&outcome=ok')).json<{ entries: object[] }>().entries.length === 1, 'the export, too')
  })

  await t.test('why, and why not', async t => {
    await admin('PUT', '/v1/teams/quants', { roles: ['viewer'], members: ['analyst'], grants: [{ dataset: 'crypto_*', columns: ['bid'] }] })
    const why = async (query: string): Promise<{ allowed: boolean, because: string[], missing: string[], remedy: string }> => (await admin('GET', `/v1/access/explain?${query}`)).json()
    t.match(await why('user=analyst&dataset=crypto_x'), { allowed: true, because: [/role analyst/, /role viewer \(team quants\)/, /crypto_x is granted through team quants \(columns bid, all rows\)/], missing: [] })
    t.match(await why('user=analyst&dataset=quotes'), { allowed: false, missing: [/No grant/], remedy: /a grant of quotes/ })
    t.match(await why('user=nobody&scope=sql:read'), { allowed: false, missing: [/nobody lacks the scope sql:read/], remedy: /analyst/ })
    t.match(await why(''), { allowed: true })
    const { ask } = await session('analyst')
    t.match((await ask('GET', '/v1/access/explain?scope=jobs:run')).json(), { allowed: false, remedy: /maintainer/ })
    t.match((await admin('GET', '/v1/access/explain?user=ghost')).json(), { code: 'NOT_FOUND' })
    const { rows } = (await admin('GET', '/v1/access/review')).json<{ rows: Array<{ user: string, token: string | null, datasets: object[] }> }>()
    t.match(rows.find(({ user, token }) => user === 'analyst' && token === null), { datasets: [{ dataset: 'crypto_*', columns: ['bid'], where: null, through: 'team quants' }] })
    await admin('PATCH', '/v1/users/analyst', { disabled: true })
    t.match(await why('user=analyst&scope=data:read'), { allowed: false, missing: [/disabled/, /lacks/], remedy: /enable/ })
    t.equal((await ask('GET', '/v1/me')).statusCode, 401)
  })

  await t.test('item 39: nobody fills the log by asking without a login', async t => {
    const remoteAddress = newAddress()
    const entries = (): number => (platform.store.database.prepare('select count(*) as n from audit').get() as { n: number }).n
    const before = entries()
    const payloads = [['/v1/login', { user: 'x', password: 'y' }], ['/v1/login', {}], ['/v1/setup', { code: 'x' }], ['/v1/query', {}]] as const
    for (let i = 0; i < 40; i++) for (const [url, payload] of payloads) await app.inject({ method: 'POST', url, payload, remoteAddress })
    t.ok(entries() - before < 12, `${entries() - before} entries of 160 requests`)
  })

  await t.test('item 40: where it cannot be told who may, nobody may', async t => {
    const { secret } = access.tokens.make({ user: 'boss', title: 'x', scopes: ['platform:read'], grants: null, quota: noQuota, days: 1 })
    const held = access.principalOfToken(secret)!
    const { cookie } = await session('boss')
    const { database } = platform.store
    database.exec('alter table access_tokens rename to gone; alter table access_sessions rename to gone_too')
    for (const headers of [{ authorization: `Bearer ${secret}` }, { cookie }]) is(await app.inject({ url: '/v1/me', headers }), 503, 'ACCESS_UNAVAILABLE')
    t.notOk(held.isValid(), 'an open stream ends')
    t.equal((await app.inject({ method: 'POST', url: '/v1/login', payload: { user: 'boss', password }, remoteAddress: newAddress() })).statusCode, 503)
    database.exec('alter table gone rename to access_tokens; alter table gone_too rename to access_sessions')
    t.equal((await app.inject({ url: '/v1/me', headers: { cookie } })).statusCode, 200)
  })
})
