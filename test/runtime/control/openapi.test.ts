import { Ajv2020 } from 'ajv/dist/2020.js'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { builtinRoles } from '../../../runtime/access/roles.ts'
import fc from '../../properties.ts'
import { openEndpoint, schema, token } from './endpoint.ts'
import { requestsOf } from './requests.ts'
import type { Described } from './requests.ts'

interface Operation {
  readonly summary?: string
  readonly tags?: string[]
  readonly security?: object[]
  readonly parameters?: ReadonlyArray<{ readonly name: string, readonly in: string, readonly required?: boolean, readonly schema: object }>
  readonly requestBody?: { readonly required?: boolean, readonly content: Readonly<Record<string, { readonly schema?: object }>> }
  readonly responses: Readonly<Record<string, { readonly description: string, readonly content?: Readonly<Record<string, { readonly schema?: object }>> }>>
}
interface Document {
  readonly openapi: string
  readonly info: { readonly title: string, readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly securitySchemes: object }
}

// Checked by hand against OpenAPI 3.1, section by section: a validator would be a dependency for one test.
await t.test('the description is OpenAPI 3.1 and covers every route', async t => {
  const { app, table } = await openEndpoint(t, { 'schemas/trades.yaml': schema })
  const answer = await app.inject('/openapi.json')
  const document = answer.json<Document>()
  t.match(document, { openapi: /^3\.1\.\d+$/, info: { title: /./, version: /^\d+\.\d+\.\d+/ }, components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } }, security: [{ token: [] }] })
  t.notOk(Object.keys(document).some(key => !['openapi', 'info', 'servers', 'paths', 'components', 'security', 'tags', 'externalDocs', 'webhooks', 'jsonSchemaDialect'].includes(key)))

  const open = new Set(table.routes.filter(({ access }) => access === 'anyone').map(({ url }) => url))
  const described = new Set<string>()
  const ajv = new Ajv2020({ strict: false })
  const checkSchema = (where: string, schema: object | undefined): void => {
    t.ok(schema !== undefined && ajv.validateSchema(schema), `${where} has a valid schema`)
  }
  for (const [path, operations] of Object.entries(document.paths)) {
    t.match(path, /^\//)
    for (const [method, operation] of Object.entries(operations)) {
      const where = `${method} ${path}`
      described.add(where)
      t.match(operation, { summary: /^[A-Z].*[^.]$/, tags: [/./] }, where)
      const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map(match => match[1])
      const parameters = operation.parameters ?? []
      t.strictSame(parameters.filter(parameter => parameter.in === 'path').map(({ name }) => name), inPath, `${where} describes its path`)
      for (const parameter of parameters) {
        t.ok(['query', 'header'].includes(parameter.in) || (parameter.in === 'path' && parameter.required), `${where} ${parameter.name}`)
        checkSchema(`${where} ${parameter.name}`, parameter.schema)
      }
      for (const [type, { schema }] of Object.entries(operation.requestBody?.content ?? {})) checkSchema(`${where} ${type}`, schema)
      t.ok(['200', '201', '202', '204'].some(status => status in operation.responses) && 'default' in operation.responses, `${where} describes success and failure`)
      for (const [status, { description, content }] of Object.entries(operation.responses)) {
        t.match(status, /^(?:[1-5]\d\d|[1-5]XX|default)$/)
        t.type(description, 'string')
        for (const [type, { schema }] of Object.entries(content ?? {})) checkSchema(`${where} ${status} ${type}`, schema)
      }
      t.ok('application/problem+json' in (operation.responses['default']?.content ?? {}), `${where} fails with a problem`)
      t.equal(operation.security?.length === 0, open.has(path), `${where} says whether it needs the token`)
    }
  }
  t.strictSame(['/v1/tests/run', '/v1/jobs/{id}/runs', '/v1/tokens'].map(path => document.paths[path]?.['post']?.requestBody?.required), [false, false, true], 'a body that may be null may be left out')
  // The web page is no part of the API, and a WebSocket is nothing that OpenAPI describes.
  const others = new Set(['/', '/status', '/assets/:name', '/openapi.json', '/v1/live'])
  const routes = table.routes.filter(({ method, url }) => method !== 'HEAD' && !others.has(url))
  t.strictSame([...described].sort(), routes.map(({ method, url }) => `${method.toLowerCase()} ${url.replace(/:(\w+)|(\*)/g, '{$1$2}')}`).sort())
})

// Items 1, 12, 24, 25, 32, 34 and 36 at once, for what nobody thought of.
await t.test('whatever is sent to any operation by any role is answered or refused, and the platform is as it was', async t => {
  const { app, platform, project, table } = await openEndpoint(t, { 'schemas/trades.yaml': schema }, { limits: { requestsPerSecondMax: 1e6, wrongTokensPerMinuteMax: 1e6 } })
  const { access } = platform
  const scopesOf = new Map<string, ReadonlySet<string>>()
  for (const [role, { scopes }] of builtinRoles) {
    const user = `a-${role}`
    const made = await app.inject({ method: 'POST', url: '/v1/users', headers: { authorization: `Bearer ${token}` }, payload: { user, roles: [role], password: 'four words that do' } })
    t.equal(made.statusCode, 201)
    scopesOf.set(access.tokens.make({ user, title: 'wild', scopes: [...scopes], grants: null, quota: { requests_per_second: null, rows_per_day: null }, days: 1 }).secret, new Set(scopes))
  }
  const needed = new Map(table.routes.map(({ method, url, access }) => [`${method} ${url.replace(/:(\w+)|(\*)/g, '{$1$2}')}`, access]))
  const answered = new Set<number>()
  await fc.assert(fc.asyncProperty(requestsOf((await app.inject('/openapi.json')).json<Described>()), fc.constantFrom(...scopesOf.keys()), async ({ method, path, url, headers, payload }, secret) => {
    const answer = await app.inject({ method: method as 'GET', url, headers: { ...headers, authorization: `Bearer ${secret}` }, payloadAsStream: true, ...(payload !== undefined && { payload }) })
    const stream = answer.stream()
    const isEndless = /event-stream|ndjson/.test(String(answer.headers['content-type']))
    const body = isEndless ? '' : await text(stream)
    if (isEndless) stream.destroy()
    answered.add(answer.statusCode)
    const right = needed.get(`${method} ${path}`) as string
    const mayNot = !['anyone', 'known'].includes(right) && scopesOf.get(secret)?.has(right) === false
    if (mayNot && answer.statusCode < 400) throw new Error(`${answer.statusCode} without ${right}`)
    // There is no database behind it, so that much may be missing.
    if (answer.statusCode >= 500 && answer.statusCode !== 503) throw new Error(`${answer.statusCode} ${body}`)
    if (answer.statusCode >= 400 && !path.startsWith('/clickhouse') && path !== '/readyz' && !String(answer.headers['content-type']).startsWith('application/problem+json')) throw new Error(`no problem: ${answer.statusCode} ${body}`)
    if (/node_modules|\.ts:\d|root:x:0|a-token-for-tests/.test(body) || body.includes(project.folder)) throw new Error(`it tells too much: ${body}`)
    if (Object.keys(answer.headers).includes('set-cookie') && !path.startsWith('/v1/log')) throw new Error('a cookie')
  }), { numRuns: Number(process.env['TWOLANE_FUZZ_RUNS'] ?? 120) })
  t.ok(answered.has(200) && answered.has(403), `answered with ${[...answered].sort().join(', ')}`)
  t.notOk('polluted' in {})
  t.equal((await app.inject('/healthz')).statusCode, 200)
})
