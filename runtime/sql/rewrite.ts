// What names with a database mean, put in their place; and the few statements besides SELECT that tools send.
//
//   data.quotes      the view of that name in the database of what is granted
//   system.tables    likewise: a view that lists what is granted
//   SHOW TABLES …    a SELECT on such a view

import { quoteName, quoteTable, quoteText } from '../clickhouse/sql.ts'
import { tableRefused } from './guard.ts'
import { isMark, isWord, nameOf, rawPiece, readText, refused } from './text.ts'
import type { Piece } from './text.ts'

/** The databases of datasets, as users know them. */
export const lanes = ['data', 'realtime', 'history'] as const
export type LaneName = typeof lanes[number]

/** Tables of the engine that tell nothing about it but what it can do. */
export const openTables: ReadonlySet<string> = new Set(['one', 'numbers', 'numbers_mt', 'zeros', 'zeros_mt', 'data_type_families', 'formats', 'time_zones', 'collations', 'keywords', 'aggregate_function_combinators'])

/** What names mean to one principal. */
export interface Names {
  /** The database that holds what is granted, and nothing else. */
  readonly database: string
  /** Names in it, such as `data.quotes` and `system.tables`. */
  readonly views: ReadonlySet<string>
  /** What the engine has in the databases of datasets, granted or not, such as `data.quotes`. */
  readonly known: ReadonlySet<string>
  readonly databases: ReadonlySet<string>
  /** Which lane a name without a database is in. */
  readonly lane: LaneName
  readonly user: string
}

const reading: readonly string[] = ['SELECT', 'WITH', 'FROM']
const ownDatabase: readonly string[] = ['CURRENTDATABASE', 'DATABASE', 'SCHEMA', 'CURRENT_DATABASE']
const ownUser: readonly string[] = ['CURRENTUSER', 'USER', 'CURRENT_USER', 'SESSION_USER']

/** Throws QUERY_REFUSED where a name is not granted, or the statement is none that reads. */
export function rewrite (pieces: readonly Piece[], names: Names): readonly Piece[] {
  const first = pieces[0]
  if (isWord(first, 'SHOW')) return bound(shown(pieces, names), names)
  if (isWord(first, 'EXISTS')) return bound(existing(pieces, names), names)
  if (!isMark(first, '(') && !isWord(first, ...reading, 'DESCRIBE', 'DESC')) {
    const word = (first?.key ?? '').slice(0, 40)
    throw refused(`A statement that begins with ${word} is not allowed`, 'Allowed is one SELECT over the datasets that are granted; DESCRIBE, SHOW DATABASES and SHOW TABLES.')
  }
  return bound(pieces, names)
}

/** Puts what they mean in the place of names with a database. */
function bound (pieces: readonly Piece[], names: Names): readonly Piece[] {
  const written: Piece[] = []
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i] as Piece
    const call = isMark(pieces[i + 1], '(') && isMark(pieces[i + 2], ')') && !isMark(pieces[i - 1], '.')
    const literal = !call ? undefined : isWord(piece, ...ownDatabase) ? names.lane : isWord(piece, ...ownUser) ? names.user : undefined
    if (literal !== undefined) {
      written.push(rawPiece(quoteText(literal), piece))
      i += 2
      continue
    }
    const target = isMark(pieces[i - 1], '.') ? undefined : meant(pieces, i, names)
    written.push(target === undefined ? piece : rawPiece(target, piece))
    if (target !== undefined) i += 2
  }
  return written
}

/** What `database.name` at this place stands for; undefined: it is no such name, but perhaps a column of an alias. */
function meant (pieces: readonly Piece[], at: number, { database, views, known, databases }: Names): string | undefined {
  const [first, second] = [nameOf(pieces[at]), nameOf(pieces[at + 2])]
  if (first === undefined || second === undefined || !isMark(pieces[at + 1], '.')) return undefined
  const full = `${first}.${second}`
  if (views.has(full)) return quoteTable({ database, table: full })
  if (first === 'default' && views.has(`data.${second}`)) return quoteTable({ database, table: `data.${second}` })
  if (first === 'system' && openTables.has(second)) return undefined
  if (first === 'system') throw refused(`The table ${full} is not allowed`, `Allowed are ${[...views].filter(view => view.startsWith('system.')).join(', ')}.`)
  const isLane = (lanes as readonly string[]).includes(first)
  if (isLane ? known.has(full) : databases.has(first)) throw tableRefused(full)
  return undefined
}

/** SHOW DATABASES [LIKE 'pattern'], SHOW [FULL] [TEMPORARY] TABLES [FROM database] [LIKE 'pattern']: FULL adds the engine, and nothing is temporary. */
function shown (pieces: readonly Piece[], { lane }: Names): readonly Piece[] {
  const words = pieces.filter(piece => !isWord(piece, 'FULL', 'TEMPORARY'))
  const has = (word: string): boolean => pieces.some(piece => isWord(piece, word))
  const what = words[1]
  if (!isWord(what, 'TABLES', 'DATABASES')) throw refused(`SHOW ${(what?.key ?? '').slice(0, 40)} is not allowed`, 'Allowed are SHOW DATABASES and SHOW TABLES.')
  const from = isWord(what, 'TABLES') && isWord(words[2], 'FROM', 'IN') ? nameOf(words[3]) : undefined
  const rest = words.slice(from === undefined ? 2 : 4)
  const like = isWord(rest[0], 'LIKE') && rest[1]?.kind === 'string' ? [{ ...rest[1], blank: true }] : []
  if (rest.length !== 2 * like.length) throw refused(`This form of SHOW ${what?.key ?? ''} is not allowed`, 'Write SHOW DATABASES, SHOW TABLES or SHOW TABLES FROM data, and behind it LIKE \'…\'.')
  const listed = isWord(what, 'DATABASES') ? 'name FROM system.databases WHERE 1' : `name${has('FULL') ? ', engine' : ''} FROM system.tables WHERE ${has('TEMPORARY') ? '0' : `database = ${quoteText(named(from ?? lane))}`}`
  const order = readText('WITH ORDER BY name').pieces.slice(1).map(piece => ({ ...piece, blank: true }))
  return [...readText(`SELECT ${listed}${like.length === 0 ? '' : ' AND name LIKE'}`).pieces, ...like, ...order]
}

/** EXISTS [TABLE | VIEW] [database.]name. */
function existing (pieces: readonly Piece[], { lane }: Names): readonly Piece[] {
  const rest = pieces.slice(isWord(pieces[1], 'TABLE', 'VIEW') ? 2 : 1)
  const [first, second] = [nameOf(rest[0]), nameOf(rest[2])]
  if (first === undefined || (rest.length !== 1 && (rest.length !== 3 || !isMark(rest[1], '.') || second === undefined))) {
    throw refused('This form of EXISTS is not allowed', 'Write EXISTS TABLE data.quotes.')
  }
  const [database, table] = second === undefined ? [lane, first] : [named(first), second]
  return readText(`SELECT toUInt8(count() > 0) AS result FROM system.tables WHERE database = ${quoteText(database)} AND name = ${quoteText(table)}`).pieces
}

function named (database: string): string {
  return database === 'default' ? 'data' : database
}

/** `data.quotes` as the tree of the engine prints the view that it stands for. */
export function printed (database: string, view: string): string {
  return `${database}.${view}`
}

/** A view without a database, as a name of SQL. */
export function viewName (view: string): string {
  return quoteName(view)
}
