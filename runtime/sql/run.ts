// One statement of a user, from its text to the stream of its answer: written anew (text.ts), names put in their place
// (rewrite.ts), read by the engine and checked (tree.ts, guard.ts), run in the world of the principal (worlds.ts), pinned
// to one boundary, behind the gate and within the limits of the data API.

import { createHash } from 'node:crypto'
import { finished } from 'node:stream'
import { ask, askText, EngineRefusal } from '../clickhouse/ask.ts'
import { boundaryOf } from '../data/pin.ts'
import { askerOf, gatesOf, queryLimits, refusalOf } from '../data/stream.ts'
import { PlatformError } from '../errors.ts'
import { pinComment } from '../warehouse/boundary.ts'
import { checkText, checkTree, tableRefused } from './guard.ts'
import { openTables, rewrite } from './rewrite.ts'
import { inOwnPlace } from './place.ts'
import { isWord, readText, refused, writeText } from './text.ts'
import { readTree } from './tree.ts'
import { Worlds } from './worlds.ts'
import type { Principal } from '../access/principal.ts'
import type { Answer } from '../clickhouse/ask.ts'
import type { Platform } from '../platform.ts'
import type { LaneName } from './rewrite.ts'
import type { Piece } from './text.ts'
import type { Node } from './tree.ts'
import type { World } from './world.ts'

export interface SqlRequest {
  readonly sql: string
  readonly principal: Principal
  /** Where names without a database are looked for. */
  readonly lane: LaneName
  /** Of the answer, where the statement names none. */
  readonly format: string
  /** Values of `{name:Type}` as ClickHouse's HTTP interface takes them: text, escaped. */
  readonly params?: Readonly<Record<string, string>>
  /** Settings of the engine, checked by the caller. */
  readonly settings?: Readonly<Record<string, string>>
  /** Header Accept-Encoding; undefined: the answer is not packed. */
  readonly encodings?: string | undefined
  readonly signal: AbortSignal
}

export interface SqlAnswer extends Answer {
  readonly format: string
  /** The boundary that the statement keeps to; undefined: there is none yet. */
  readonly seq: number | undefined
}

/** Formats of answers that hold rows and nothing of the engine's. */
export const formats: ReadonlySet<string> = new Set([
  'Arrow', 'ArrowStream', 'CSV', 'CSVWithNames', 'CSVWithNamesAndTypes', 'JSON', 'JSONColumns', 'JSONColumnsWithMetadata', 'JSONCompact', 'JSONCompactColumns', 'JSONCompactEachRow',
  'JSONCompactEachRowWithNames', 'JSONCompactEachRowWithNamesAndTypes', 'JSONCompactEachRowWithProgress', 'JSONCompactStrings', 'JSONEachRow', 'JSONEachRowWithProgress', 'JSONLines', 'JSONObjectEachRow', 'JSONStrings',
  'JSONStringsEachRow', 'Markdown', 'MsgPack', 'NDJSON', 'Native', 'Null', 'Parquet', 'Pretty', 'PrettyCompact', 'PrettyCompactMonoBlock', 'PrettyCompactNoEscapes', 'PrettyNoEscapes', 'RowBinary', 'RowBinaryWithNames',
  'RowBinaryWithNamesAndTypes', 'SQLInsert', 'TSV', 'TSVRaw', 'TSVWithNames', 'TSVWithNamesAndTypes', 'TabSeparated', 'TabSeparatedRaw', 'TabSeparatedWithNames',
  'TabSeparatedWithNamesAndTypes', 'Values', 'Vertical', 'XML'
])

/**
 * Where rows are hidden, no condition of the user may be asked of a row before that of the grant: an error that only a
 * hidden row raises would tell of it.
 */
const orderKept: Readonly<Record<string, string>> = {
  query_plan_filter_push_down: '0',
  query_plan_merge_filters: '0',
  query_plan_merge_expressions: '0',
  enable_optimize_predicate_expression: '0',
  enable_join_transitive_predicates: '0',
  query_plan_merge_filter_into_join_condition: '0',
  query_plan_lift_up_array_join: '0',
  query_plan_execute_functions_after_sorting: '0',
  short_circuit_function_evaluation: 'enable'
}
/** Of the statement that only asks how the engine reads the text. */
const PARSE_SECONDS_MAX = '10'
const TREE = 'EXPLAIN AST '
const unknownTable = 60
const paramName = /^[A-Za-z_]\w{0,63}$/

const known = new WeakMap<object, Worlds>()

/** Of this platform. Throws ENGINE_UNAVAILABLE where it has no ClickHouse. */
export function worldsOf ({ store, config, clickhouse }: Platform): Worlds {
  if (clickhouse === undefined) throw new PlatformError('ENGINE_UNAVAILABLE', 'There is no ClickHouse')
  const found = known.get(store) ?? new Worlds(clickhouse, config.clickhouse === 'embedded')
  known.set(store, found)
  return found
}

/** What the audit log says of a statement: no text, which may hold what is nobody's business. */
export function textHash (sql: string): string {
  return createHash('sha256').update(sql).digest('hex')
}

/**
 * Resolves with the answer, to be streamed on. Throws QUERY_REFUSED with what is not allowed, or with the engine's words
 * where it refuses (then the cause is its EngineRefusal), and as the data API does: TOO_MANY_REQUESTS, QUERY_TIMEOUT,
 * RESULT_TOO_LARGE, ENGINE_UNAVAILABLE.
 */
export async function runSql (platform: Platform, request: SqlRequest): Promise<SqlAnswer> {
  const { principal, lane, signal } = request
  const text = readText(request.sql)
  const format = text.format ?? request.format
  if (!formats.has(format)) throw refused(`The format ${format} is not allowed`, 'Such as JSONEachRow, CSVWithNames, Parquet, ArrowStream, Native.')
  for (const name of Object.keys(request.params ?? {})) if (!paramName.test(name)) throw refused(`The parameter ${JSON.stringify(name)} is not allowed`, 'Names of parameters are letters, digits and underscores.')
  const worlds = worldsOf(platform)
  const leave = await gatesOf(platform).streaming.enter(askerOf(principal), signal)
  let free = true
  try {
    for (let tries = 1; ; tries++) {
      const world = await worlds.open(principal, lane)
      try {
        const answer = await send(platform, worlds, { ...request, format, world, pieces: text.pieces })
        finished(answer.body, { writable: false }, leave)
        free = false
        return answer
      } catch (error) {
        if (tries > 1 || !worlds.lost(world, error)) throw plain(error, world)
      }
    }
  } catch (error) {
    throw refusalOf(error, { limits: queryLimits.streaming, ownWords: true })
  } finally {
    if (free) leave()
  }
}

interface Prepared extends SqlRequest {
  readonly world: World
  readonly pieces: readonly Piece[]
}

async function send (platform: Platform, worlds: Worlds, { sql: given, principal, lane, format, params = {}, settings, encodings, signal, world, pieces }: Prepared): Promise<SqlAnswer> {
  const [{ databases, datasets }, functions] = await Promise.all([worlds.catalog(), worlds.functions()])
  const address = platform.clickhouse as string
  const { database, views } = world
  const written = rewrite(pieces, { database, views, known: new Set(datasets.keys()), databases, lane, user: principal.user })
  checkText(written, { functions, databases })
  const sql = writeText(written)
  const within = { database, readonly: '2', ...Object.fromEntries(Object.entries(params).map(([name, value]) => [`param_${name}`, value])) }

  const tree = await treeOf(address, { sql, settings: within, signal }).catch((error: unknown) => {
    throw inOwnPlace(error, { sql: given, pieces: written, before: TREE.length })
  })
  const tables = new Set([...[...views].map(view => `${database}.${view}`), ...[...openTables].map(table => `system.${table}`)])
  checkTree(tree, written, { functions, tables, databases: new Set([...databases, database]) })

  const seq = await boundaryOf(platform, signal)
  const pinned = seq === undefined ? {} : { log_comment: pinComment(seq) }
  const order = world.filtered ? orderKept : {}
  if (principal.quota.rowsPerDay !== undefined && !isWord(pieces[0], 'DESCRIBE', 'DESC')) {
    // How many rows went out is known only when they have, so they are counted before.
    const rows = await askText(address, { sql: `SELECT count() FROM (${sql}) FORMAT TabSeparated`, settings: { ...within, ...order, ...pinned, ...boundsOf() }, signal })
    platform.access.takeRows(principal, Number(rows))
  }
  const answer = await ask(address, {
    sql,
    encodings,
    signal,
    settings: {
      output_format_pretty_color: '0',
      ...settings,
      ...within,
      ...order,
      ...pinned,
      ...boundsOf(),
      default_format: format
    }
  })
  return { ...answer, format, seq }
}

/** How the engine reads a statement. Throws QUERY_REFUSED where that cannot be told, and as `askText`. */
export async function treeOf (address: string, { sql, settings, signal }: { readonly sql: string, readonly settings: Readonly<Record<string, string>>, readonly signal: AbortSignal }): Promise<Node> {
  const lines = await askText(address, { sql: `${TREE}${sql}`, settings: { ...settings, max_execution_time: PARSE_SECONDS_MAX, default_format: 'JSONCompactEachRow' }, signal })
  const tree = readTree(linesOf(lines))
  if (tree === undefined) throw refused('The statement cannot be checked', 'Leave out clauses about the output, and write it more simply.')
  return tree
}

function boundsOf (): Readonly<Record<string, string>> {
  const { secondsMax, memoryBytesMax, readRowsMax, readBytesMax, resultRowsMax, threadsMax } = queryLimits.streaming
  return {
    max_execution_time: String(secondsMax),
    timeout_overflow_mode: 'throw',
    max_memory_usage: String(memoryBytesMax),
    max_rows_to_read: String(readRowsMax),
    max_bytes_to_read: String(readBytesMax),
    read_overflow_mode: 'throw',
    max_result_rows: String(resultRowsMax),
    result_overflow_mode: 'throw',
    max_threads: String(threadsMax)
  }
}

/** Of an answer in JSONCompactEachRow with one column of text. */
function linesOf (text: string): string[] {
  try {
    return text.split('\n').filter(line => line !== '').map(line => String((JSON.parse(line) as [string])[0]))
  } catch {
    return []
  }
}

/** Where the engine goes on about other tables, the text of views, and how it works inside. */
const inside = /[.:,]? (?:maybe you meant|in scope|while executing|while processing|while evaluating)\b|: In scope/i

/** The engine's words, without those that say what who asks did not write. */
function plain (error: unknown, { database }: World): unknown {
  if (!(error instanceof EngineRefusal)) return error
  const words = error.message.replace(/^Code: \d+\. DB::Exception: /, '').replace(/(?: \([A-Z][A-Z0-9_]+\))?(?: \(version [^)]*(?:\)\))?)?\s*$/, '')
  const at = words.search(inside)
  const message = (at < 0 ? words : words.slice(0, at))
    .replaceAll(new RegExp(`\`?${database}\`?\\.`, 'g'), '')
    .replaceAll(database, 'data')
    .replaceAll(/ \([0-9a-f]{8}-[0-9a-f-]{27}\)/g, '')
  const table = error.code === unknownTable ? /identifier '([^']+)'/.exec(message)?.[1] : undefined
  return table === undefined ? new EngineRefusal(error.code, message.replace(/[.\s]*$/, '')) : new EngineRefusal(error.code, tableRefused(table).message)
}
