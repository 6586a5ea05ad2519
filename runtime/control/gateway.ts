// ClickHouse's own HTTP interface for users of the platform, at /clickhouse: DBeaver, Grafana, clickhouse-connect and
// @clickhouse/client speak to it as to a server, and see what is granted.
//
//   user, password   a user of the platform, `token` or `default`, and a token of theirs; by Basic or X-ClickHouse-User and
//                    -Key, never in the address
//   statement        as POST /v1/sql; `database` says where names without one are looked for
//   settings         those that change the look of an answer go to the engine, those of limits and transport have no effect,
//                    others are an error
//   errors           Code: N. DB::Exception: …, with X-ClickHouse-Exception-Code

import { render } from '../clickhouse/server/errors.ts'
import { askText } from '../clickhouse/ask.ts'
import { runSql, textHash } from '../sql/run.ts'
import { droppedSettings, passedSettings } from '../sql/settings.ts'
import { note } from './audited.ts'
import { fault, faultOf } from './gateway-faults.ts'
import { principalOf } from './guard.ts'
import { problemResponse } from './problem.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { Credentials } from './authenticate.ts'
import type { Platform } from '../platform.ts'
import type { LaneName } from '../sql/rewrite.ts'

const PER_MINUTE = 1200
/** Names under which any token may come: those that clients use where nobody says another. */
const anyUser: ReadonlySet<string> = new Set(['', 'default', 'token'])

/** What `database` may be. */
const databases: Readonly<Record<string, LaneName>> = { '': 'data', default: 'data', data: 'data', realtime: 'realtime', history: 'history', system: 'data' }

type Query = Readonly<Record<string, string>>

const text = { type: 'string' }
const querystring = {
  type: 'object',
  additionalProperties: false,
  patternProperties: { '^param_[A-Za-z_][A-Za-z0-9_]{0,63}$': { type: 'string', description: 'Value of {name:Type} in the statement' } },
  properties: {
    query: { type: 'string', description: 'The statement, or its beginning: the body follows' },
    database: { type: 'string', description: 'Where names without a database are looked for: data, realtime or history' },
    default_format: { type: 'string', description: 'Of the answer, where the statement has no FORMAT' },
    ...Object.fromEntries([...passedSettings, ...droppedSettings].map(name => [name, text]))
  }
}
const failed = { description: 'What is wrong, in ClickHouse\'s words', content: { ...problemResponse.content, 'text/plain': { schema: { type: 'string' } } } }
const response = { default: failed, 200: { description: 'The rows in the format asked for', content: { '*/*': { schema: { type: 'string' } } } } }

/** Registers the routes with content types and errors of their own. */
export async function gatewayRoutes (app: FastifyInstance, platform: Platform): Promise<void> {
  await app.register(async routes => {
    routes.removeAllContentTypeParsers()
    routes.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    routes.setErrorHandler((error, request, reply) => answerFault(platform, error, request, reply))
    for (const path of ['/clickhouse/ping', '/clickhouse/replicas_status']) {
      routes.get(path, { config: { access: 'anyone' }, schema: { summary: 'Whether the gateway answers', tags: ['clickhouse'], querystring, response: { default: failed, 200: { description: 'Ok.', content: { 'text/html': { schema: { type: 'string' } } } } } } }, async (_request, reply) => reply.type('text/html; charset=UTF-8').send('Ok.\n'))
    }
    for (const url of ['/clickhouse', '/clickhouse/']) {
      routes.route<{ Querystring: Query, Body?: Buffer }>({
        method: ['GET', 'POST'],
        url,
        config: { access: 'sql:read', asks: true, audit: true, perMinute: PER_MINUTE, credentials },
        schema: {
          summary: 'ClickHouse\'s HTTP interface, for its clients',
          description: 'User and token by Basic authentication, or by X-ClickHouse-User and X-ClickHouse-Key. The statement is in the query, in the body, or begins in the one and ends in the other. What it may do is that of POST /v1/sql.',
          tags: ['clickhouse'],
          querystring,
          response
        },
        handler: async (request, reply) => answer(platform, request, reply)
      })
    }
  })
}

async function answer (platform: Platform, request: FastifyRequest<{ Querystring: Query, Body?: Buffer }>, reply: FastifyReply): Promise<FastifyReply> {
  const { sql, params } = await statementOf(request)
  if (sql === '') return reply.type('text/html; charset=UTF-8').send('Ok.\n')
  note(request, { detail: { sql_sha256: textHash(sql) } })
  const { query, headers } = request
  const database = query['database'] ?? headerOf(headers, 'x-clickhouse-database') ?? ''
  const lane = Object.hasOwn(databases, database) ? databases[database] : undefined
  if (lane === undefined) throw fault(81, 'UNKNOWN_DATABASE', `Database ${database} does not exist: there are data, realtime and history`)
  if (query['compress'] === '1' || query['decompress'] === '1') throw fault(48, 'NOT_IMPLEMENTED', 'ClickHouse\'s own block compression (compress=1, decompress=1) is not supported: switch it off in the client, or use enable_http_compression')
  const left = new AbortController()
  reply.raw.once('close', () => left.abort())
  const found = await runSql(platform, {
    sql,
    principal: principalOf(request),
    lane,
    format: query['default_format'] ?? headerOf(headers, 'x-clickhouse-format') ?? 'TabSeparated',
    params,
    settings: {
      ...Object.fromEntries(Object.entries(query).filter(([name]) => passedSettings.has(name))),
      ...(query['wait_end_of_query'] === '1' && { wait_end_of_query: '1' })
    },
    encodings: query['enable_http_compression'] === '1' ? headers['accept-encoding'] : undefined,
    signal: left.signal
  })
  void reply.header('x-clickhouse-query-id', query['query_id'] ?? request.id).header('x-clickhouse-server-display-name', 'twolane').header('x-clickhouse-format', found.format)
  for (const name of ['x-clickhouse-timezone', 'x-clickhouse-exception-tag', 'x-clickhouse-summary', 'content-encoding']) {
    const value = found.headers[name]
    if (value !== undefined) void reply.header(name, value)
  }
  if (found.seq !== undefined) void reply.header('x-data-boundary', found.seq)
  return reply.type(found.contentType).send(found.body)
}

/** From the address, the body, or a form, as ClickHouse takes them. */
async function statementOf ({ query, body, headers }: FastifyRequest<{ Querystring: Query, Body?: Buffer }>): Promise<{ readonly sql: string, readonly params: Record<string, string> }> {
  const params = Object.fromEntries(Object.entries(query).flatMap(([name, value]) => name.startsWith('param_') ? [[name.slice(6), value]] : []))
  const type = headers['content-type'] ?? ''
  let sql = query['query'] ?? ''
  if (body === undefined || !type.startsWith('multipart/form-data')) {
    const rest = body?.toString() ?? ''
    return { sql: (sql !== '' && rest !== '' ? `${sql}\n${rest}` : sql + rest).trim(), params }
  }
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData().catch(() => { throw fault(36, 'BAD_ARGUMENTS', 'The form cannot be read') })
  for (const [name, value] of form) {
    if (typeof value !== 'string') throw fault(48, 'NOT_IMPLEMENTED', 'External tables in a form are not supported')
    if (name === 'query') sql += value
    else if (/^param_[A-Za-z_]\w{0,63}$/.test(name)) params[name.slice(6)] = value
    else throw fault(36, 'BAD_ARGUMENTS', `The field ${JSON.stringify(name.slice(0, 64))} of the form is not known`)
  }
  return { sql: sql.trim(), params }
}

/** Of Basic authentication or ClickHouse's headers; a bearer token, too. */
function credentials (headers: IncomingHttpHeaders): Credentials | undefined {
  const { authorization = '' } = headers
  const [, scheme = '', value = ''] = /^(basic|bearer) +(\S+)$/i.exec(authorization) ?? []
  if (scheme.toLowerCase() === 'bearer') return { user: undefined, token: value }
  if (scheme !== '') {
    const decoded = Buffer.from(value, 'base64').toString()
    const colon = decoded.indexOf(':')
    return colon < 0 ? undefined : named(decoded.slice(0, colon), decoded.slice(colon + 1))
  }
  const key = headerOf(headers, 'x-clickhouse-key')
  return key === undefined ? undefined : named(headerOf(headers, 'x-clickhouse-user') ?? '', key)
}

function named (user: string, token: string): Credentials {
  return { user: anyUser.has(user) ? undefined : user, token }
}

function headerOf (headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

async function answerFault (platform: Platform, error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { error: shown, status, isAnonymous } = faultOf(platform, error, request)
  if (isAnonymous) void reply.header('www-authenticate', 'Basic realm="ClickHouse server HTTP API"')
  return reply.code(status).header('x-clickhouse-exception-code', String(shown.code)).type('text/plain; charset=UTF-8').send(render(shown, await versionOf(platform)))
}

const versions = new WeakMap<object, string>()

/** Of the engine, as its own errors end with it. */
async function versionOf ({ store, clickhouse }: Platform): Promise<string> {
  const known = versions.get(store)
  if (known !== undefined || clickhouse === undefined) return known ?? ''
  try {
    const version = (await askText(clickhouse, { sql: 'SELECT version()', signal: AbortSignal.timeout(5000) })).trim()
    versions.set(store, version)
    return version
  } catch {
    // The error that is told does not need it.
    return ''
  }
}
