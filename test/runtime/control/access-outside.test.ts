// What only a real connection shows: TLS, and the login at an identity provider.

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
// @ts-expect-error -- it comes without types
import OidcProvider from 'oidc-provider'
import { connect as connectAdmin } from '../../../runtime/cli/admin.ts'
import { makeAuthority } from '../../kafka/certificates.ts'
import { makeProject, startPlatform } from '../../system/project.ts'
import { openEndpoint, token } from './endpoint.ts'
import type { IncomingHttpHeaders, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Endpoint } from './endpoint.ts'

await t.test('item 3: TLS by two lines', async t => {
  const folder = t.testdir({})
  const authority = makeAuthority(join(folder, 'tls'), 'authority')
  const { certificate, key } = authority.issue('panel', 30)
  const project = makeProject(join(folder, 'project'), { 'config/platform.yaml': 'tls_certificate_file: panel.pem\ntls_key_file: panel.key\n' })
  writeFileSync(join(project.folder, 'panel.pem'), certificate)
  writeFileSync(join(project.folder, 'panel.key'), key)
  const platform = await startPlatform(project, { TWOLANE_CLICKHOUSE: 'http://127.0.0.1:9', TWOLANE_LOG_LEVEL: 'silent' })
  t.teardown(() => platform.kill())
  const { port } = new URL(platform.url)
  t.match(platform.url, /^https:/)

  const ask = async (method: string, path: string, body?: object): Promise<{ status: number | undefined, headers: IncomingHttpHeaders }> => {
    const sent = request({ host: '127.0.0.1', port, method, path, ca: authority.certificate, headers: { ...(body !== undefined && { 'content-type': 'application/json' }) } })
    sent.end(body === undefined ? undefined : JSON.stringify(body))
    const [answer] = await once(sent, 'response')
    answer.resume()
    return { status: answer.statusCode, headers: answer.headers }
  }
  t.match(await ask('GET', '/healthz'), { status: 200, headers: { 'strict-transport-security': /max-age=31536000/ } })
  const code = /#\/setup\/(\S+)/.exec(platform.output())?.[1] ?? ''
  const entered = await ask('POST', '/v1/setup', { code, user: 'anna', password: 'four words that do' })
  t.equal(entered.status, 200)
  t.match(entered.headers['set-cookie']?.[0], /^__Host-twolane=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Strict$/, 'item 9')
  const old = connect({ host: '127.0.0.1', port: Number(port), ca: authority.certificate, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })
  const [failed] = await once(old, 'error').catch((error: unknown) => [error]) as [Error]
  t.match(failed.message, /protocol|version|alert|handshake/i, 'nothing below TLS 1.2')
  const plain = await fetch(`http://127.0.0.1:${port}/healthz`).then(({ status }) => status, () => 0)
  t.not(plain, 200, 'and nothing in the clear')

  // The certificate is of no authority that this machine knows: the one in the configuration is trusted, and no other.
  const admin = await connectAdmin({ root: project.folder, env: { TWOLANE_ADMIN_TOKEN: token } }, undefined)
  t.match(await admin.json('GET', '/v1/me'), { kind: 'admin' })
  const { certificate: other, key: otherKey } = makeAuthority(join(folder, 'tls'), 'other').issue('stranger', 30)
  writeFileSync(join(project.folder, 'panel.pem'), other)
  writeFileSync(join(project.folder, 'panel.key'), otherKey)
  await t.rejects((await connectAdmin({ root: project.folder, env: { TWOLANE_ADMIN_TOKEN: token } }, undefined)).json('GET', '/v1/me'), { code: 'NOT_RUNNING' })
})

await t.test('a login at an identity provider', async t => {
  const people: Record<string, object> = {
    anna: { email: 'Anna@Example.org', email_verified: true, name: 'Anna', groups: ['quants', 'others', '__proto__'] },
    mallory: { email: 'root@example.org', email_verified: false, groups: ['operators'] },
    guest: { email: 'guest@example.org', email_verified: true }
  }
  const server: Server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => { server.closeAllConnections(); server.close() })
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const endpoint: Endpoint = await openEndpoint(t, {}, {
    env: { TWOLANE_OIDC_ISSUER: issuer, TWOLANE_OIDC_CLIENT_ID: 'twolane', TWOLANE_OIDC_CLIENT_SECRET: 'a-secret-of-the-provider', TWOLANE_OIDC_ROLES: 'quants=analyst, operators=admin', TWOLANE_OIDC_TITLE: 'Company' }
  })
  const { app, platform, ask } = endpoint
  await app.listen({ host: '127.0.0.1', port: 0 })
  const base = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  const provider = new OidcProvider(issuer, {
    clients: [{ client_id: 'twolane', client_secret: 'a-secret-of-the-provider', redirect_uris: [`${base}/v1/login/oidc/callback`] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    scopes: ['openid', 'email', 'profile', 'groups'],
    pkce: { required: () => true },
    findAccount: (_: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
    cookies: { keys: ['a key of the test'] },
    jwks: { keys: [await signingKey()] }
  } as never)
  server.on('request', provider.callback() as never)

  /** Goes where a browser is sent, with the cookies that it gets; `who` logs in at the provider. */
  const visit = async (who: string, { until = /^$/, flow }: { until?: RegExp, flow?: string } = {}): Promise<{ url: string, status: number, cookies: Map<string, string>, body: string }> => {
    const jars = new Map<string, Map<string, string>>()
    let url = `${base}/v1/login/oidc`
    let form: URLSearchParams | undefined
    for (let i = 0; i < 20; i++) {
      const { origin } = new URL(url)
      const jar = jars.get(origin) ?? new Map<string, string>()
      jars.set(origin, jar)
      if (flow !== undefined && url.includes('/callback')) jar.set('twolane-login', flow)
      const answer = await fetch(url, { redirect: 'manual', method: form === undefined ? 'GET' : 'POST', headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') }, ...(form !== undefined && { body: form }) })
      for (const cookie of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
        jar.set(name, value)
      }
      const body = await answer.text()
      const location = answer.headers.get('location')
      form = undefined
      const next = location ?? /action="([^"]+)"/.exec(body)?.[1]
      const end = next === undefined || (origin === base && answer.status !== 302) || until.test(url) || (origin === base && next.startsWith('/#'))
      if (end) return { url: next ?? url, status: answer.status, cookies: jars.get(base)!, body }
      if (location === null) form = new URLSearchParams({ prompt: /name="prompt" value="(\w+)"/.exec(body)?.[1] ?? 'login', login: who, password: 'x' })
      url = new URL(next, url).href
    }
    throw new Error('It goes round and round')
  }

  t.strictSame((await app.inject('/v1/setup')).json(), { first_start: true, oidc: { title: 'Company' } })
  const anna = await visit('anna')
  t.equal(anna.url, '/#/home', anna.body)
  const me = await fetch(`${base}/v1/me`, { headers: { cookie: `twolane=${anna.cookies.get('twolane')}` } }).then(answer => answer.json())
  t.match(me, { kind: 'user', user: 'anna@example.org', roles: ['analyst'], scopes: ['platform:read', 'data:read', 'queries:write', 'sql:read'] })
  t.match(await visit('guest'), { url: '/#/home' })
  t.match((await ask('GET', '/v1/users/guest@example.org')).json(), { roles: [], provider_roles: [], password: false }, 'no role unless a group has one')

  people['anna'] = { ...people['anna'], groups: ['others'] }
  await visit('anna')
  t.match((await ask('GET', '/v1/users/anna@example.org')).json(), { provider_roles: [], title: 'Anna' }, 'a role goes with its group')
  t.equal((await fetch(`${base}/v1/me`, { headers: { cookie: `twolane=${anna.cookies.get('twolane')}` } })).status, 401, 'and the sessions with it')

  t.match(await visit('mallory'), { status: 401, body: /no e-mail address that it has verified/ })
  await ask('POST', '/v1/users', { payload: { user: 'root', email: 'root@example.org', roles: ['admin'], password: 'four words that do' } })
  people['mallory'] = { email: 'root@example.org', email_verified: true, groups: [] }
  t.match(await visit('mallory'), { status: 401, body: /logs in with a password/ }, 'nobody takes over a user by an address')
  await ask('PATCH', '/v1/users/guest@example.org', { payload: { disabled: true } })
  t.match(await visit('guest'), { status: 401, body: /disabled/ })
  t.match(await visit('anna', { flow: 'of-another-browser' }), { status: 401, body: /not begun in this browser/ })
  const back = await fetch(`${base}/v1/login/oidc/callback?code=x&state=y`)
  t.equal(back.status, 401)
  t.notMatch(JSON.stringify(platform.access.audit.read({ limit: 1000 })), /a-secret-of-the-provider/)
  t.ok(platform.access.audit.read({ limit: 1000, action: 'login', outcome: 'refused' }).entries.length > 0)
})

async function signingKey (): Promise<object> {
  const { privateKey } = await crypto.subtle.generateKey({ name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, true, ['sign', 'verify'])
  return { ...await crypto.subtle.exportKey('jwk', privateKey), use: 'sig', alg: 'RS256', kid: 'one', key_ops: undefined, ext: undefined }
}
