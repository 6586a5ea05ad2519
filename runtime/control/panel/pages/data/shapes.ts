// What the API says about datasets.

export interface DatasetColumn {
  readonly name: string
  /** In the words of the engine: `Nullable(Decimal(18, 8))`. */
  readonly type: string
  readonly unit?: string
  readonly description?: string
}

export interface Dataset {
  readonly dataset: string
  readonly title: string
  readonly owner: string
  readonly topic: string
  readonly key: readonly string[]
  readonly event_time: string
  readonly columns: readonly DatasetColumn[]
  readonly freshness: { readonly last_event_at: string | null, readonly last_ingest_at: string | null, readonly seconds: number | null, readonly state: string }
  readonly rows: number
  /** The first day that is not handed over to the warehouse. */
  readonly boundary_day: string | null
  readonly guarantee: string
}

export type Row = Readonly<Record<string, unknown>>

export interface DatasetDetail extends Dataset {
  readonly sample: readonly Row[]
  readonly lineage: { readonly inputs: readonly string[], readonly pipelines: readonly string[], readonly outputs: readonly string[], readonly models: readonly string[] }
  readonly quality: { readonly rules: ReadonlyArray<{ readonly name: string, readonly description: string, readonly metric: string }> }
}

export interface DatasetRange {
  readonly start: string | null
  readonly end: string | null
  readonly boundary: string | null
  readonly realtime_start: string | null
}

export interface DayCondition {
  readonly day: string
  readonly condition: 'available' | 'degraded' | 'pending' | 'missing'
  readonly rows: number
  readonly lane: 'warehouse' | 'streaming' | 'both'
  readonly reason: string
  readonly last_modified_at: string | null
}

/** A page of rows. */
export interface RowsPage {
  readonly dataset: string
  readonly columns: readonly DatasetColumn[]
  readonly rows: readonly Row[]
  readonly next_page_token: string | null
}

/** `Nullable(Decimal(18, 8))` as `Decimal(18, 8)`. */
export function bareType (type: string): string {
  const [, inner] = /^(?:Nullable|LowCardinality)\((.*)\)$/.exec(type) ?? []
  return inner === undefined ? type : bareType(inner)
}

export type ColumnKind = 'text' | 'number' | 'time' | 'day' | 'yes' | 'list'

/** What a column holds, as far as it matters for what is done with it. */
export function kindOf ({ type }: Pick<DatasetColumn, 'type'>): ColumnKind {
  const bare = bareType(type)
  if (/^(?:U?Int|Float|Decimal)/.test(bare)) return 'number'
  if (bare.startsWith('DateTime')) return 'time'
  if (bare.startsWith('Date')) return 'day'
  if (bare === 'Bool') return 'yes'
  return /^(?:Array|Map|Tuple|JSON)/.test(bare) ? 'list' : 'text'
}

/** For people: `decimal(18, 8)`, `time (ms)`, `text`. */
export function typeWords ({ type }: Pick<DatasetColumn, 'type'>): string {
  const bare = bareType(type)
  const [, digits] = /^DateTime64\((\d)/.exec(bare) ?? []
  if (bare.startsWith('DateTime')) return `time (${({ 3: 'ms', 6: 'µs', 9: 'ns' } as Readonly<Record<string, string>>)[digits ?? ''] ?? 's'})`
  if (bare.startsWith('Date')) return 'day'
  if (bare === 'String') return 'text'
  if (bare === 'Bool') return 'true or false'
  if (bare.startsWith('Array(')) return `list of ${typeWords({ type: bare.slice(6, -1) })}`
  return bare.toLowerCase()
}

export function isOptional ({ type }: Pick<DatasetColumn, 'type'>): boolean {
  return type.includes('Nullable(') && !type.startsWith('Array')
}
