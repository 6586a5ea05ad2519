// ClickHouse, through its official client: rows are streamed as JSON with the types in front.

import { ClickHouseError, createClient } from '@clickhouse/client'
import { formatTime } from '../../../runtime/data-interval.ts'
import { parseJson } from '../../../runtime/json.ts'
import { failed, parseDatabaseUrl, plainTime, tlsOf } from './database.ts'
import type { TimeFormat } from '../../../runtime/data-interval.ts'
import type { PlatformError } from '../../../runtime/errors.ts'
import type { Ordered } from '../../../runtime/value-order.ts'
import type { Column, Database, OpenOptions, Parameter } from './database.ts'

/** So that no digit is lost on the way, and NaN does not become null. */
const settings = {
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_decimals: 1,
  output_format_json_quote_denormals: 1,
  output_format_json_named_tuples_as_objects: 1,
  date_time_output_format: 'iso'
} as const

export async function openClickHouse ({ config, root, signal }: OpenOptions): Promise<Database> {
  const address = parseDatabaseUrl(config.url)
  const secure = address.protocol === 'https' || config.tls
  const { ca, cert, key } = tlsOf({ ...config, tls: secure }, root) ?? {}
  const { place } = address
  const client = createClient({
    url: `${secure ? 'https' : 'http'}://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port ?? (secure ? 8443 : 8123)}`,
    username: address.user === '' ? 'default' : address.user,
    password: address.password,
    database: address.database === '' ? 'default' : address.database,
    application: 'twolane',
    request_timeout: config.statement_seconds * 1000,
    log: { level: 127 },
    ...(cert !== undefined && key !== undefined ? { tls: { ca_cert: ca ?? Buffer.alloc(0), cert, key } } : ca !== undefined ? { tls: { ca_cert: ca } } : {})
  })
  return {
    quote: name => `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``,
    parameter: (n: number, value: Ordered, type: string): Parameter => {
      const inUtc = type !== '' ? utc(type) : typeof value === 'string' ? 'String' : Number.isInteger(value) ? 'Int64' : 'Float64'
      return { sql: `{p${n}:${inUtc}}`, value: inUtc.startsWith('DateTime') ? plainTime(value) : value }
    },
    time: (n: number, ms: number, format?: TimeFormat): Parameter => {
      if (format === undefined) return { sql: `{p${n}:DateTime64(3, 'UTC')}`, value: formatTime(ms, 'sql') }
      const type = format.startsWith('unix_') ? 'Int64' : format === 'date' ? 'Date32' : 'String'
      return { sql: `{p${n}:${type}}`, value: formatTime(ms, format) }
    },
    async * read (sql, parameters) {
      try {
        const answer = await client.query({
          query: sql,
          format: 'JSONCompactEachRowWithNamesAndTypes',
          query_params: Object.fromEntries(parameters.map(({ value }, i) => [`p${i + 1}`, value])),
          clickhouse_settings: { ...settings, max_execution_time: Math.ceil(config.statement_seconds) },
          abort_signal: signal
        })
        let names: readonly string[] | undefined
        let columns: readonly Column[] | undefined
        let rows: unknown[][] = []
        for await (const lines of answer.stream() as AsyncIterable<ReadonlyArray<{ readonly text: string }>>) {
          for (const { text } of lines) {
            const row = parseJson(text) as unknown[]
            if (names === undefined) names = row as string[]
            else if (columns === undefined) columns = names.map((name, i) => ({ name, type: row[i] as string }))
            else rows.push(row)
            if (columns === undefined || rows.length < config.fetch_rows) continue
            yield { columns, rows }
            rows = []
          }
        }
        if (rows.length > 0) yield { columns: columns ?? [], rows }
      } catch (error) {
        throw clickhouseError(error, place)
      }
    },
    close: () => client.close()
  }
}

/** The type of a parameter for values of a column; times come in UTC, whatever the zone of the column. */
function utc (type: string): string {
  let inside = type
  for (let wrapped = /^(?:Nullable|LowCardinality)\((.*)\)$/s.exec(inside); wrapped !== null; wrapped = /^(?:Nullable|LowCardinality)\((.*)\)$/s.exec(inside)) inside = wrapped[1] as string
  const [, digits] = /^DateTime64\((\d)/.exec(inside) ?? []
  if (digits !== undefined) return `DateTime64(${digits}, 'UTC')`
  if (inside.startsWith('DateTime')) return "DateTime('UTC')"
  return inside.startsWith('Enum') ? 'String' : inside
}

/** Codes that another attempt may not meet: too many queries, timeout, memory, network and the like. */
const passing = new Set(['159', '160', '202', '209', '210', '241', '243', '252', '279', '319', '439', '999'])

function clickhouseError (error: unknown, place: string): PlatformError {
  if (error instanceof ClickHouseError) {
    if (error.code === '516' || error.code === '497') return failed('SOURCE_REFUSED', place, error, 'Check user and password in url, and the rights of the user.')
    if (!passing.has(error.code)) return failed('SOURCE_REFUSED', place, error, 'Check table, query, key and incremental.')
  }
  return failed('SOURCE_UNAVAILABLE', place, error)
}
