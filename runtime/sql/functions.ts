// Which functions a statement may call: those of a category that only computes, and some more by name. The rest is
// refused: functions that read files, dictionaries or settings, ask other servers, sleep, or tell about the machine.

import { askRows } from '../clickhouse/ask.ts'

export interface Functions {
  /** In small letters. */
  readonly allowed: ReadonlySet<string>
  readonly aggregates: ReadonlySet<string>
  /** What the engine has besides, table functions included; in small letters. */
  readonly denied: ReadonlySet<string>
  /** Endings of aggregate functions, in small letters. */
  readonly combinators: readonly string[]
}

/** What may stand behind FROM, besides datasets; in small letters. */
export const tableFunctions: ReadonlySet<string> = new Set(['numbers', 'numbers_mt', 'zeros', 'zeros_mt', 'values', 'sqlstandardvalues', 'generateseries', 'generate_series', 'primes'])

/** Categories of system.functions. */
const categories: ReadonlySet<string> = new Set([
  'Aggregate Functions', 'Arithmetic', 'Arrays', 'Bit', 'Bitmap', 'Comparison', 'Conditional', 'Dates and Times', 'Distance', 'Encoding', 'Financial',
  'Geo', 'Geo Polygon', 'Hash', 'IP Address', 'JSON', 'Logical', 'Map', 'Mathematical', 'Null', 'NumericIndexedVector', 'Random Number', 'Rounding',
  'String', 'String Replacement', 'String Search', 'String Splitting', 'Time Window', 'Tuple', 'Type Conversion', 'URL', 'UUID'
])

/** Of other categories, and what the parser makes of syntax. */
const further = [
  'bar', 'byteSize', 'countDigits', 'digits', 'defaultValueOfArgumentType', 'defaultValueOfTypeName', 'finalizeAggregation', 'formatReadableDecimalSize', 'formatReadableQuantity',
  'formatReadableSize', 'formatReadableTimeDelta', 'identity', 'ignore', 'initializeAggregation', 'isConstant', 'isDecimalOverflow', 'materialize', 'neighbor', 'parseReadableSize',
  'parseReadableSizeOrNull', 'parseReadableSizeOrZero', 'parseTimeDelta', 'rowNumberInAllBlocks', 'rowNumberInBlock', 'runningAccumulate', 'runningDifference',
  'runningDifferenceStartingWithFirstValue', 'toColumnTypeName', 'toTypeName', 'transform', 'variantElement', 'variantType', 'version', 'visibleWidth',
  'seriesDecomposeSTL', 'seriesOutliersDetectTukey', 'timeSeriesRange', 'timeSeriesFromGrid',
  'lambda', 'exists', 'grouping', 'caseWithExpression', '_CAST', 'untuple'
]

/** Of the categories above: they fail on purpose, show the engine's insides, or read what settings name. */
const besides: ReadonlySet<string> = new Set(['aggthrow', 'flamegraph', 'formatrow', 'formatrownonewline', 'groupformat', 'chdb', 'estimatecompressionratio', 'fuzzbits', 'naivebayesngrams', 'throwif'])

interface Row {
  readonly name: string
  readonly alias_to: string
  readonly categories: string
  readonly origin: string
  readonly is_aggregate: number
}

/** Asks the engine what it has. Throws as `askRows`. */
export async function readFunctions (clickhouse: string, signal: AbortSignal): Promise<Functions> {
  const ask = async <T>(sql: string): Promise<T[]> => askRows<T>(clickhouse, { sql, settings: { max_execution_time: '10' }, signal })
  const rows = await ask<Row>('SELECT name, alias_to, categories, toString(origin) AS origin, is_aggregate FROM system.functions')
  const others = await ask<{ name: string }>('SELECT name FROM system.table_functions')
  const combinators = await ask<{ name: string }>('SELECT name FROM system.aggregate_function_combinators')
  return sortFunctions(rows, others.map(({ name }) => name), combinators.map(({ name }) => name))
}

export function sortFunctions (rows: readonly Row[], tables: readonly string[], combinators: readonly string[]): Functions {
  const byName = new Map(rows.map(row => [row.name, row]))
  const names = new Set(further.map(name => name.toLowerCase()))
  const may = (row: Row): boolean => {
    const target = row.alias_to === '' ? row : byName.get(row.alias_to)
    if (target === undefined || target.origin !== 'System' || besides.has(target.name.toLowerCase())) return false
    return categories.has(target.categories) || names.has(target.name.toLowerCase())
  }
  const [allowed, refused] = [rows.filter(may), rows.filter(row => !may(row))].map(list => new Set(list.map(({ name }) => name.toLowerCase()))) as [Set<string>, Set<string>]
  // One that is refused under some spelling is refused under all of them.
  for (const name of refused) allowed.delete(name)
  for (const name of names) if (!refused.has(name)) allowed.add(name)
  for (const name of tables.map(table => table.toLowerCase())) if (!allowed.has(name) && !tableFunctions.has(name)) refused.add(name)
  const aggregates = new Set(rows.filter(({ is_aggregate: aggregate, name }) => Number(aggregate) === 1 && allowed.has(name.toLowerCase())).map(({ name }) => name.toLowerCase()))
  return { allowed, aggregates, denied: refused, combinators: [...combinators.map(name => name.toLowerCase()), '_respect_nulls', '_ignore_nulls'] }
}

/** Whether a function may be called, also an aggregate one with endings such as `If` and `Array`. */
export function mayCall ({ allowed, aggregates, denied, combinators }: Functions, name: string): boolean {
  const small = name.toLowerCase()
  if (denied.has(small)) return false
  if (allowed.has(small)) return true
  return isAggregate(small, aggregates, combinators)
}

function isAggregate (name: string, aggregates: ReadonlySet<string>, combinators: readonly string[]): boolean {
  return combinators.some(ending => name.endsWith(ending) && name.length > ending.length &&
    (aggregates.has(name.slice(0, -ending.length)) || isAggregate(name.slice(0, -ending.length), aggregates, combinators)))
}
