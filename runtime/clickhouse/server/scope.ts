import type { Connection } from './engine.ts'
import { fault } from './errors.ts'
import type { QueryError } from './errors.ts'
import type { QueryRequest } from './request.ts'
import type { Source } from './source.ts'
import { quote } from './sql.ts'

const readingVerbs = new Set(['SELECT', 'WITH', '(', 'FROM', 'SHOW', 'DESCRIBE', 'DESC', 'EXISTS', 'EXPLAIN', 'SET', 'USE'])
const writeSeconds = '3600'
/** Statements that keep what they set, in a session. */
const settingVerbs = new Set(['SET', 'USE'])

/**
 * Puts the request's database, settings and parameters on a connection that ends with the request.
 * GET, and a request that sets `readonly`, get a connection that can change nothing.
 */
export async function dress (connection: Connection, { request, statement }: Source): Promise<void> {
  const settings = settingsOf(request, statement.verb)
  if (request.readonly && !settings.has('readonly')) settings.set('readonly', '2')
  // Last of all, for nothing can be set behind it.
  const level = settings.get('readonly')
  settings.delete('readonly')
  if (level !== undefined) settings.set('readonly', level)
  await assign(connection, request, settings)
}

/**
 * The same on a session's connection, which outlives the request: resolves with the function that takes it all back,
 * for a server keeps a request's own settings out of the session.
 */
export async function dressSession (connection: Connection, { request, statement, text }: Source, leftovers: Set<string>): Promise<() => Promise<void>> {
  const settings = settingsOf(request, statement.verb)
  // SET readonly could never be taken back, so the kind of statement decides.
  if ((request.readonly || Number(settings.get('readonly') ?? 0) > 0) && !readingVerbs.has(statement.verb)) throw readonlyError()
  settings.delete('readonly')
  refuseLeftovers(text.toString('utf8', 0, statement.end), request, leftovers)
  const undo = settingVerbs.has(statement.verb) ? async () => {} : await remember(connection, [...settings.keys()])
  await assign(connection, request, settings)
  return undo
}

/** SQL: whether a running query has that id. */
export function hasQueryId (id: string): string {
  return `(Settings['log_comment'] = ${quote(id)} OR endsWith(Settings['log_comment'], ${quote(behindComment(id))}))`
}

/** Where a query has a comment of its own, its id stands behind it. */
function behindComment (id: string): string {
  return ` query_id=${id}`
}

/**
 * The query's id travels as its comment, the one thing by which the engine's list of queries can be searched.
 * What writes may take longer than a read may: cut off in the middle it could leave a part of its rows behind.
 */
function settingsOf (request: QueryRequest, verb: string): Map<string, string> {
  const patience: Array<[string, string]> = readingVerbs.has(verb) ? [] : [['max_execution_time', writeSeconds]]
  const comment = request.settings.get('log_comment') ?? ''
  return new Map([...patience, ...request.settings, ['log_comment', comment === '' ? request.queryId : `${comment}${behindComment(request.queryId)}`]])
}

async function assign (connection: Connection, request: QueryRequest, settings: ReadonlyMap<string, string>): Promise<void> {
  if (request.database !== undefined) await connection.run(`USE ${quoteDatabase(request.database)}`, 'Null')
  const assignments = [
    ...[...request.parameters].map(([name, value]) => `param_${name} = ${quote(value)}`),
    ...[...settings].map(([name, value]) => `${name} = ${quote(value)}`)
  ]
  await connection.run(`SET ${assignments.join(', ')}`, 'Null')
}

/** A parameter of a former request would silently fill a place that this one left open. */
function refuseLeftovers (sql: string, { parameters }: QueryRequest, leftovers: Set<string>): void {
  for (const name of leftovers) {
    if (sql.includes(`param_${name}`)) leftovers.delete(name) // SET param_… makes it the session's own.
    else if (!parameters.has(name) && new RegExp(`\\{\\s*${name}\\s*:`).test(sql)) {
      throw fault('UNKNOWN_QUERY_PARAMETER', `Substitution \`${name}\` is not set`)
    }
  }
  for (const name of parameters.keys()) leftovers.add(name)
}

function readonlyError (): QueryError {
  return fault('READONLY', 'Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries')
}

async function remember (connection: Connection, names: readonly string[]): Promise<() => Promise<void>> {
  const query = `SELECT name, value, changed FROM system.settings WHERE name IN (${names.map(quote).join(', ')}) UNION ALL SELECT '', currentDatabase(), 1`
  const lines = Buffer.from((await connection.run(query, 'JSONCompactEachRow')).bytes).toString().trim().split('\n')
  const before = lines.map(line => JSON.parse(line) as [string, string, number])
  return async () => {
    const settings = before.filter(([name]) => name !== '').map(([name, value, changed]) => `${name} = ${changed === 1 ? quote(value) : 'DEFAULT'}`)
    const database = before.find(([name]) => name === '')?.[1] ?? 'default'
    await connection.run(`USE ${quoteDatabase(database)}`, 'Null')
    await connection.run(`SET ${settings.join(', ')}`, 'Null')
  }
}

function quoteDatabase (name: string): string {
  return `\`${name.replace(/\\/g, '\\\\').replace(/`/g, '\\`')}\``
}
