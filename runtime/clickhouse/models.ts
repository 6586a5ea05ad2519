// Data models on top of the ingestion tables: schemas/models/<name>.sql becomes the view <name>.
//
//   -- The latest quote of each instrument        what it shows, for the catalogue
//   -- table: quotes                              what it reads: tables of the same database, separated by commas
//   SELECT …                                      one SELECT, which calls the tables by these names
//
// A view is exact at every moment, because it holds nothing. A materialized view is not atomic with its source: a crash
// between the two leaves them apart for good.

import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PlatformError } from '../errors.ts'
import type { ClickHouse } from './client.ts'
import { onCluster } from './cluster.ts'
import { tokenize } from './server/tokens.ts'
import { quoteName, quoteTable, quoteText } from './sql.ts'

export interface Model {
  readonly name: string
  readonly file: string
  readonly description: string
  readonly tables: readonly string[]
  readonly sql: string
}

export interface ModelTarget {
  readonly database: string
  /** Tables that have another name than the models call them by. */
  readonly tables?: Readonly<Record<string, string>>
  /** Name of the cluster that the view is made on. */
  readonly cluster?: string
  /** Only models that read this table. */
  readonly of?: string
}

/** At the end of a view's comment: the platform has made it and may replace it. */
const MARK = ' (Twolane model)'

const namePattern = /^[a-z][a-z0-9_]*$/

/** All models of a folder, by name. A folder that is not there holds none. */
export async function readModels (folder: string): Promise<Model[]> {
  let files: string[]
  try {
    files = await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const models = files.filter(file => file.endsWith('.sql')).sort().map(async file => parseModel(join(folder, file), file.slice(0, -4), await readFile(join(folder, file), 'utf8')))
  return Promise.all(models)
}

export function parseModel (file: string, name: string, sql: string): Model {
  const invalid: Invalid = (message, line, remedy) => new PlatformError('CONFIG_INVALID', message, { where: `${file}:${line}`, remedy })
  if (!namePattern.test(name)) throw invalid(`${name} is no name for a view`, 1, 'Use small letters, digits and underscores.')
  const description: string[] = []
  let tables: string[] = []
  for (const line of sql.split('\n')) {
    if (!line.startsWith('--')) break
    const comment = line.slice(2).trim()
    const named = /^tables?:\s*(.*)$/.exec(comment)
    if (named === null) description.push(comment)
    else tables = (named[1] as string).split(',').map(table => table.trim()).filter(table => table !== '')
  }
  if (tables.length === 0) throw invalid('the model does not say what it reads', 1, 'Begin the file with a line such as `-- table: quotes`.')
  return { name, file, description: description.join(' '), tables, sql: oneSelect(sql, invalid) }
}

type Invalid = (message: string, line: number, remedy: string) => PlatformError

/** The text without the semicolon that may end it. Throws where it is anything but one SELECT. */
function oneSelect (sql: string, invalid: Invalid): string {
  const lineAt = (at: number): number => sql.slice(0, at).split('\n').length
  let end: number | undefined
  let first = true
  for (const { text, start } of tokenize(sql)) {
    if (first && text !== 'SELECT' && text !== 'WITH') throw invalid('the model is not a SELECT', lineAt(start), 'Write one SELECT after the comment; the platform makes the view.')
    if (end !== undefined) throw invalid('the model is more than one statement', lineAt(start), 'Write one SELECT a file.')
    if (text === ';') end = start
    first = false
  }
  if (first) throw invalid('the model is not a SELECT', 1, 'Write one SELECT after the comment; the platform makes the view.')
  return sql.slice(0, end)
}

/** Makes the views whose tables exist; returns their names. Throws CONFIG_INVALID with file and line where the engine refuses one. */
export async function applyModels (client: ClickHouse, models: readonly Model[], target: ModelTarget): Promise<string[]> {
  const found = await client.rows<{ name: string, engine: string, comment: string }>('SELECT name, engine, comment FROM system.tables WHERE database = {database:String}', { query_params: { database: target.database } })
  const existing = new Map(found.map(table => [table.name, table]))
  const applied: string[] = []
  for (const model of models) {
    const tables = model.tables.map(table => target.tables?.[table] ?? table)
    if (target.of !== undefined && !tables.includes(target.of)) continue
    if (!tables.every(table => existing.has(table))) continue
    // CREATE OR REPLACE would put the view in the place of whatever is there.
    const { engine, comment } = existing.get(model.name) ?? { engine: 'View', comment: MARK }
    if (engine !== 'View') throw new PlatformError('CONFIG_INVALID', `the model ${model.name} has the name of a table`, { where: model.file, remedy: 'Rename the file.' })
    // Views of the first version had no mark.
    if (!comment.endsWith(MARK) && comment !== model.description) {
      throw new PlatformError('CONFIG_INVALID', `the model ${model.name} has the name of a view that the platform has not made`, { where: model.file, remedy: 'Rename the file, or drop the view.' })
    }
    const statement = viewStatement(model, { ...target, cluster: client.cluster })
    try {
      await client.command(statement)
    } catch (error) {
      throw refused(model, statement, error)
    }
    applied.push(model.name)
  }
  return applied
}

/**
 * The view, with the model's text as it stands from the second line on, so that places in it can be told. The names that the model uses are bound to tables of its database, whatever a reader's default is.
 */
export function viewStatement (model: Model, { database, tables, cluster = '' }: ModelTarget): string {
  const bound = model.tables.map(name => `${quoteName(name)} AS (SELECT * FROM ${quoteTable({ database, table: tables?.[name] ?? name })})`)
  return `CREATE OR REPLACE VIEW ${quoteTable({ database, table: model.name })}${onCluster(cluster)} AS WITH ${bound.join(', ')} SELECT * FROM (\n${model.sql.trimEnd()}\n) COMMENT ${quoteText(`${model.description}${MARK}`)}`
}

function refused (model: Model, statement: string, error: unknown): unknown {
  if (!(error instanceof PlatformError) || error.retryable) return error
  return new PlatformError('CONFIG_INVALID', `the model ${model.name} is refused: ${error.message.slice(0, 500)}`, {
    where: `${model.file}:${faultyLine(model.sql, statement, error.message)}`, remedy: 'Correct the SELECT.', cause: error
  })
}

/** A syntax error carries a position in the statement; an unknown name is looked up; anything else is about the SELECT as a whole. */
function faultyLine (sql: string, statement: string, message: string): number {
  const position = /failed at position (\d+)/.exec(message)?.[1]
  const lines = sql.split('\n')
  if (position !== undefined) {
    const before = Buffer.from(statement).subarray(0, Number(position) - 1).toString()
    return Math.min(Math.max(1, before.split('\n').length - 1), lines.length)
  }
  const name = /[`'"]([\w.]+)[`'"]/.exec(message)?.[1]
  const first = lines.findIndex(line => !line.startsWith('--'))
  const at = name === undefined ? -1 : lines.findIndex((line, i) => i >= first && line.includes(name))
  return (at < 0 ? first : at) + 1
}
