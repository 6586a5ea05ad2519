import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { checkExposure, isLoopback } from '../../../runtime/control/guard.ts'
import { readConfig } from '../../../runtime/config.ts'
import { RateLimit } from '../../../runtime/control/rate-limit.ts'
import { withoutPaths } from '../../../runtime/control/public-form.ts'
import { openEndpoint, pipeline, schema, token } from './endpoint.ts'
import type { AddressInfo } from 'node:net'
import type { LightMyRequestResponse } from 'fastify'

const files = { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': pipeline }

/** Health, the page and its parts, the way in, and what needs no rights because it says nothing about data. */
const forAnyone: ReadonlySet<string> = new Set([
  '/healthz', '/readyz', '/openapi.json', '/', '/assets/:name', '/status', '/v1/status', '/v1/status.svg', '/twolane.py', '/clickhouse/ping', '/clickhouse/replicas_status',
  '/v1/setup', '/v1/login', '/v1/login/oidc', '/v1/login/oidc/callback'
])

await t.test('the guard of the endpoint', async t => {
  const { app, table, ask, platform, project } = await openEndpoint(t, files, { limits: { wrongTokensPerMinuteMax: 10_000 } })
  const isProblem = (answer: LightMyRequestResponse, status: number, code: string): void => {
    t.equal(answer.statusCode, status)
    t.match(answer.headers['content-type'], /^application\/problem\+json/)
    const problem = answer.json<Record<string, unknown>>()
    t.match(problem, { type: /^urn:twolane:error:/, title: String, status, code, detail: /./, instance: answer.headers['x-request-id'] })
    t.notMatch(answer.body, /node_modules|\.ts:|at async/, 'no stack')
    t.notOk(answer.body.includes(project.folder), 'no path')
  }

  await t.test('every route needs the token, but for health and the description', async t => {
    t.ok(table.routes.length > 20, 'the table has the routes')
    const [open, guarded] = [true, false].map(isOpen => table.routes.filter(({ access }) => (access === 'anyone') === isOpen))
    t.strictSame([...new Set(open!.map(({ url }) => url))].filter(url => !forAnyone.has(url)), [], 'what anyone may ask for')
    const wrong = [undefined, '', 'Bearer', 'Bearer ', `Bearer ${token}x`, `Basic ${token}`, token, `Bearer ${token} ${token}`]
    for (const { method, url } of guarded!) {
      const path = url.replace(/:\w+/g, 'trades')
      for (const authorization of url === '/v1/pipelines' ? wrong : [undefined, `Bearer ${token}x`]) {
        const answer = await app.inject({ method: method as 'GET', url: path, headers: { ...(authorization !== undefined && { authorization }) } })
        // ClickHouse says 403 to a wrong password, and its clients expect that.
        const isClickHouse = url.startsWith('/clickhouse')
        t.ok(answer.statusCode === 401 || (isClickHouse && answer.statusCode === 403), `item 1: ${method} ${path} ${authorization ?? ''}: ${answer.statusCode}`)
        if (!isClickHouse) t.match(answer.headers['www-authenticate'], /^Bearer/)
      }
    }
    t.equal((await app.inject(`/v1/pipelines?token=${token}`)).statusCode, 401, 'an address carries no token')
    t.equal((await app.inject('/nope')).statusCode, 401, 'what there is not, is not told either')
    for (const { method, url } of open!) if (method === 'GET' && !url.includes('callback')) t.not((await app.inject(url)).statusCode, 401, url)
    t.equal((await app.inject({ url: '/v1/pipelines', headers: { authorization: `bearer ${token}` } })).statusCode, 200, 'the scheme in any capitals')
  })

  await t.test('all errors are problems', async () => {
    isProblem(await app.inject('/v1/pipelines'), 401, 'UNAUTHORIZED')
    isProblem(await ask('GET', '/nope'), 404, 'NOT_FOUND')
    isProblem(await ask('GET', '/v1/pipelines/nope'), 404, 'NOT_FOUND')
    isProblem(await ask('PATCH', '/v1/pipelines/trades'), 405, 'METHOD_NOT_ALLOWED')
    isProblem(await ask('GET', '/v1/pipelines/%zz'), 400, 'REQUEST_INVALID')
    isProblem(await ask('GET', `/v1/pipelines/${'a'.repeat(300)}`), 414, 'ADDRESS_TOO_LONG')
    isProblem(await ask('GET', '/v1/revisions?limit=many'), 422, 'REQUEST_INVALID')
    isProblem(await ask('GET', '/v1/revisions?limits=1'), 422, 'REQUEST_INVALID')
    isProblem(await ask('GET', '/v1/pipelines?x=1'), 422, 'REQUEST_INVALID')
    isProblem(await ask('GET', '/v1/revisions?limit=1&limit=2'), 422, 'REQUEST_INVALID')
    isProblem(await ask('PUT', '/v1/pipelines/trades', { headers: { 'content-type': 'text/plain' }, payload: 'topic: trades' }), 415, 'MEDIA_TYPE_UNSUPPORTED')
    isProblem(await ask('PUT', '/v1/pipelines/trades', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, payload: 'a=b' }), 415, 'MEDIA_TYPE_UNSUPPORTED')
    isProblem(await ask('PUT', '/v1/pipelines/trades', { headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' }, payload: 'x' }), 415, 'MEDIA_TYPE_UNSUPPORTED')
    isProblem(await ask('PUT', '/v1/pipelines/trades', { headers: { 'content-type': 'application/yaml' }, payload: 'x'.repeat(2 ** 20 + 1) }), 413, 'BODY_TOO_LARGE')
    isProblem(await ask('PUT', '/v1/pipelines/trades', { headers: { 'content-type': 'application/json' }, payload: '{"topic":' }), 400, 'REQUEST_INVALID')
    isProblem(await ask('POST', '/v1/query', { headers: { 'content-type': 'text/plain' }, payload: 'select 1' }), 503, 'ENGINE_UNAVAILABLE')
    for (const body of ['['.repeat(100_000), `{"a":${'{"a":'.repeat(5000)}1${'}'.repeat(5001)}`, `{"where":${'{"and":['.repeat(5000)}1${']}'.repeat(5000)}}`]) {
      for (const url of ['/v1/login', '/v1/changes', '/v1/data/trades.json', '/v1/queries']) isProblem(await ask('POST', url, { headers: { 'content-type': 'application/json' }, payload: body }), 400, 'REQUEST_INVALID')
    }
    isProblem(await ask('POST', '/v1/login', { payload: { user: '['.repeat(90), password: '\\"[{'.repeat(30) } }), 401, 'UNAUTHORIZED')
    isProblem(await ask('POST', '/v1/propose', { payload: { topic: 'x', input: { plugin: 'nope', options: {} } } }), 400, 'REQUEST_INVALID')
    t.equal((await ask('POST', '/v1/alerts/silences', { payload: { matches: 'x', hours: 48.9646266554313 } })).statusCode, 200, 'part of an hour')
    isProblem(await ask('POST', '/v1/query?format=../x', { headers: { 'content-type': 'text/plain' }, payload: 'select 1' }), 422, 'REQUEST_INVALID')
    const mistaken = await ask('DELETE', '/readyz')
    t.equal(mistaken.headers['allow'], 'GET, HEAD')
    t.equal((await ask('OPTIONS', '/v1/pipelines')).statusCode, 405, 'nothing is allowed to other origins')
  })

  await t.test('a fault of the platform itself is told without its text', async t => {
    const inspect = platform.broker.inspect
    t.teardown(() => { platform.broker.inspect = inspect })
    platform.broker.inspect = async () => { throw new Error('/root/secret broke') }
    const answer = await ask('GET', '/v1/topics')
    isProblem(answer, 500, 'INTERNAL')
    t.notMatch(answer.body, /secret/)
  })

  await t.test('names lead out of no folder', async t => {
    const names = ['..', '../x', '%2e%2e', '%2e%2e%2fx', '..%2f..%2fpackage', '..%5cx', '%00', 'a%00', '%2fetc%2fpasswd', 'a/../../b', 'A', 'trades.yaml', '.', '-x', '%E2%80%AE', 'a'.repeat(65), '__proto__', 'constructor', '%252e%252e%252fx', 'a b', 'trades%0a']
    for (const name of names) {
      for (const method of ['GET', 'DELETE', 'PUT'] as const) {
        const answer = await ask(method, `/v1/pipelines/${name}`, { headers: { 'content-type': 'application/yaml' }, ...(method === 'PUT' && { payload: 'topic: trades' }) })
        t.ok(answer.statusCode >= 400 && answer.statusCode < 500, `${method} ${name}: ${answer.statusCode}`)
      }
      t.ok((await ask('GET', `/v1/topics/${name}/tail`)).statusCode >= 400, `topic ${name}`)
    }
  })

  await t.test('every answer has the security headers', async t => {
    for (const answer of [await ask('GET', '/healthz'), await app.inject('/v1/pipelines'), await ask('GET', '/nope'), await ask('GET', '/%zz')]) {
      t.match(answer.headers, {
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'x-frame-options': 'DENY',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'cross-origin-opener-policy': 'same-origin',
        'x-request-id': /^[0-9a-f-]{36}$/
      })
      t.notOk(Object.keys(answer.headers).some(name => /^access-control|^server$|x-powered-by/.test(name)))
    }
  })

  await t.test('a name that was pointed at this machine gets no answer', async t => {
    for (const host of ['evil.example', 'evil.example:8080', '127.0.0.1.evil.example', 'localhost.evil.example', '10.0.0.1', '0.0.0.0']) {
      isProblem(await ask('GET', '/healthz', { headers: { host } }), 403, 'REQUEST_REFUSED')
    }
    for (const host of ['localhost', 'LOCALHOST:1', '127.0.0.1:8080', '127.9.9.9', '[::1]:8080']) t.equal((await ask('GET', '/healthz', { headers: { host } })).statusCode, 200, host)
  })

  await t.test('a page of another site changes nothing', async t => {
    const host = 'localhost:80'
    for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, { origin: 'http://localhost:81' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { origin: 'http://evil.example', 'x-forwarded-host': 'evil.example' }]) {
      isProblem(await ask('POST', '/v1/pipelines/nope/pause', { headers: { host, ...headers } as Record<string, string> }), 403, 'REQUEST_REFUSED')
    }
    for (const headers of [{}, { origin: 'http://localhost:8080', host: 'localhost:8080', 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }]) {
      t.equal((await ask('POST', '/v1/pipelines/nope/pause', { headers: headers as Record<string, string> })).statusCode, 404, 'it gets in')
    }
  })

  await t.test('the reasons of readiness are for this machine, and for the token', async t => {
    const from = async (remoteAddress: string, headers = {}): Promise<object> => (await app.inject({ url: '/readyz', remoteAddress, headers })).json()
    t.ok('failing' in await from('127.0.0.1'))
    t.notOk('failing' in await from('10.1.2.3'))
    t.notOk('failing' in await from('10.1.2.3', { 'x-forwarded-for': '127.0.0.1' }))
    t.ok('failing' in await from('10.1.2.3', { authorization: `Bearer ${token}` }))
  })
})

await t.test('bodies that mean harm do none', async t => {
  const { ask, project } = await openEndpoint(t, files)
  const put = (payload: string, type = 'application/json'): Promise<LightMyRequestResponse> => ask('PUT', '/v1/pipelines/evil', { headers: { 'content-type': type }, payload })
  const deep = `{"topic":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
  const bodies: Array<[string, string?]> = [
    ['{"__proto__":{"polluted":1},"topic":"trades"}'], ['{"topic":"trades","input":{"__proto__":{"polluted":1}}}'], ['{"constructor":{"prototype":{"polluted":1}}}'],
    ['{"\\u005f_proto__":{"polluted":1}}'], [deep], ['[]'], ['"text"'], ['1'], ['null'], ['true'], ['{}'], [''], ['{"topic":"trades","input":{"generate":{"rate":9007199254740993}}}'],
    ['__proto__: { polluted: 1 }', 'application/yaml'], [`topic: ${'['.repeat(100_000)}`, 'application/yaml'], ['a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b,*b]\n<<: *b', 'application/yaml'],
    ['topic: !!js/function x', 'application/yaml'], ['', 'application/yaml'], ['\0', 'application/yaml'], ['x: ***', 'text/yaml']
  ]
  for (const [body, type] of bodies) {
    const answer = await put(body, type)
    t.ok(answer.statusCode >= 400 && answer.statusCode < 500, `${JSON.stringify(body.slice(0, 40))}: ${answer.statusCode}`)
    t.match(answer.headers['content-type'], /problem\+json/)
  }
  t.notOk('polluted' in {}, 'no prototype was touched')
  t.notOk((await ask('GET', '/v1/pipelines')).body.includes('evil'), 'nothing is left')
  t.equal((await ask('GET', '/v1/pipelines/evil')).statusCode, 404)
  t.notOk((await import('node:fs')).existsSync(`${project.folder}/pipelines/evil.yaml`), 'no file is left')
})

await t.test('slow and broken clients are cut off', async t => {
  const { app } = await openEndpoint(t, files, { limits: { headersMsMax: 200, requestMsMax: 400, lookMs: 50 } })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const say = async (text: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    let answer = ''
    socket.on('data', chunk => { answer += String(chunk) })
    socket.on('error', () => {})
    socket.write(text)
    await once(socket, 'close')
    return answer
  }
  t.match(await say('GET /healthz HTTP/1.1\r\nHost: loc'), /^HTTP\/1.1 408 .*problem\+json/s, 'headers that do not end')
  t.match(await say(`PUT /v1/pipelines/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/yaml\r\nContent-Length: 100\r\n\r\nx`), /^(?:HTTP\/1.1 408 |$)/, 'a body that does not end')
  t.match(await say('this is no request\r\n\r\n'), /^HTTP\/1.1 400 .*problem\+json/s)
  t.match(await say(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1.1 431 .*"instance":/s)
  t.match(await say('GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 400 .*comes twice/s)
  t.match(await say('GET /readyz HTTP/1.0\r\n\r\n'), /^HTTP\/1.1 403 /, 'a request without a host')
  t.match(await say('TRACE /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 (?:401|405) /)
})

await t.test('an address that asks too often waits', async t => {
  const { app, ask } = await openEndpoint(t, files, { limits: { requestsPerSecondMax: 1000, wrongTokensPerMinuteMax: 3, queriesMax: 0 } })
  const guess = (remoteAddress: string): Promise<LightMyRequestResponse> => app.inject({ url: '/v1/pipelines', remoteAddress, headers: { authorization: 'Bearer wrong' } })
  for (let i = 0; i < 3; i++) t.equal((await guess('10.0.0.1')).statusCode, 401)
  const late = await guess('10.0.0.1')
  t.match(late.json(), { status: 429, code: 'TOO_MANY_REQUESTS' })
  t.match(late.headers['retry-after'], /^\d+$/)
  t.equal((await app.inject({ url: '/v1/pipelines', remoteAddress: '10.0.0.1', headers: { 'x-forwarded-for': '10.9.9.9' } })).statusCode, 429, 'another address cannot be pretended')
  t.equal((await guess('10.0.0.2')).statusCode, 401, 'others do not wait')
  t.equal((await ask('GET', '/v1/pipelines', { remoteAddress: '10.0.0.1' })).statusCode, 200, 'the right token is let in')
  t.match((await ask('POST', '/v1/query', { headers: { 'content-type': 'text/plain' }, payload: 'select 1' })).json(), { status: 429, detail: /queries run already/ })

  const limit = new RateLimit({ perSecond: 2, burst: 3 })
  t.strictSame([0, 0, 0, 0, 500, 500].map(now => limit.take('a', now)), [0, 0, 0, 1, 0, 1])
  t.strictSame([100_000, 100_000, 100_000, 100_000].map(now => limit.take('a', now)), [0, 0, 0, 1], 'patience is not saved up')
  for (let i = 0; i < 10_000; i++) limit.take(`client ${i}`, 100_000)
  t.equal(limit.take('a', 100_000), 0, 'what is remembered has a bound')
})

await t.test('what other machines can reach needs a token that a person has set', async t => {
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.org', '192.168.1.1', '2001:db8::1']) {
    t.notOk(isLoopback(host), host)
    t.throws(() => checkExposure({ host, adminToken: undefined, tls: undefined, insecureHttp: true }), { code: 'CONFIG_INVALID', message: /no admin token is set/, remedy: /TWOLANE_ADMIN_TOKEN/ })
    t.throws(() => checkExposure({ host, adminToken: token, tls: undefined, insecureHttp: false }), { code: 'CONFIG_INVALID', message: /in the clear/, remedy: /tls_certificate_file/ }, 'item 3: not without TLS')
    checkExposure({ host, adminToken: token, tls: undefined, insecureHttp: true })
    checkExposure({ host, adminToken: token, tls: { cert: '', key: '' }, insecureHttp: false })
  }
  for (const host of ['127.0.0.1', 'localhost', '::1', '127.1.2.3', '::ffff:127.0.0.1']) {
    t.ok(isLoopback(host), host)
    checkExposure({ host, adminToken: undefined, tls: undefined, insecureHttp: false })
  }
  const { ask, platform } = await openEndpoint(t, files, { env: { TWOLANE_HOST: '0.0.0.0', TWOLANE_INSECURE_HTTP: 'true', TWOLANE_TRUSTED_PROXIES: '10.1.0.0/16, fd00::5' } })
  t.equal((await ask('GET', '/v1/pipelines', { headers: { host: 'platform.example' } })).statusCode, 200, 'any name, as it can be reached by any')
  for (const [remoteAddress, client] of [['10.1.2.3', '192.0.2.7'], ['fd00::5', '192.0.2.7'], ['10.2.2.3', '10.2.2.3']] as const) {
    await ask('POST', '/v1/backups', { remoteAddress, headers: { 'x-forwarded-for': '198.51.100.1, 192.0.2.7' } })
    t.equal(platform.access.audit.read({ limit: 1 }).entries[0]?.address, client, `item 23: who is behind ${remoteAddress}`)
  }
  for (const proxies of ['proxy.example', '0.0.0.0/0', '10.0.0.0/33', '::/0']) await t.rejects(readConfig({ root: platform.root, env: { TWOLANE_TRUSTED_PROXIES: proxies } }), { code: 'CONFIG_INVALID' }, proxies)
})

await t.test('paths of the project become relative, other texts stay', async t => {
  for (const [text, expected] of [
    ['open /app/data/x failed', 'open data/x failed'], ['in /app', 'in .'], ['"/app/x"', '"x"'], ['https://host/app/x', 'https://host/app/x'],
    ['/application/x', '/application/x'], ['/srv/app/x', '/srv/app/x'], ['/app-2/x', '/app-2/x']
  ] as const) t.equal(withoutPaths(text, '/app'), expected)
  t.equal(withoutPaths('/etc/x', '/'), '/etc/x')
})
