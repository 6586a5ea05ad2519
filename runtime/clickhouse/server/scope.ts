import type { Connection } from './engine.ts'
import { QueryError } from './errors.ts'
import type { QueryRequest } from './request.ts'
import { quote } from './sql.ts'

const readingVerbs = new Set(['SELECT', 'WITH', '(', 'FROM', 'SHOW', 'DESCRIBE', 'DESC', 'EXISTS', 'EXPLAIN', 'SET', 'USE'])
/** Statements that keep what they set, in a session. */
const settingVerbs = new Set(['SET', 'USE'])

/**
 * Puts the request's database, settings and parameters on a connection. On a fresh one they end with it;
 * on a session's they are taken back by the returned function, for a server keeps them out of the session too.
 */
export async function dress (connection: Connection, request: QueryRequest, verb: string): Promise<() => Promise<void>> {
  const settings = new Map([['log_comment', request.queryId], ...request.settings])
  const locked = request.readonly || Number(settings.get('readonly') ?? 0) > 0
  let undo = async () => {}
  if (request.session !== undefined) {
    // SET readonly could never be taken back: in a session the kind of statement decides.
    if (locked && !readingVerbs.has(verb)) throw readonlyError()
    settings.delete('readonly')
    if (!settingVerbs.has(verb)) undo = await remember(connection, [...settings.keys()])
  } else if (locked) {
    // Last of all, for nothing can be set behind it.
    const level = settings.get('readonly') ?? '2'
    settings.delete('readonly')
    settings.set('readonly', level)
  }
  if (request.database !== undefined) await connection.run(`USE ${quoteDatabase(request.database)}`, 'Null')
  const assignments = [
    ...[...request.parameters].map(([name, value]) => `param_${name} = ${quote(value)}`),
    ...[...settings].map(([name, value]) => `${name} = ${quote(value)}`)
  ]
  await connection.run(`SET ${assignments.join(', ')}`, 'Null')
  return undo
}

export function readonlyError (): QueryError {
  return new QueryError(164, 'READONLY', 'Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries')
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
