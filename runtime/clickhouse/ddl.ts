// A topic as a ClickHouse table: its columns, then the position of each row in the topic.
//
//   PARTITION BY the day of the event time, in UTC      what the handoff to the warehouse takes; the month in the warehouse
//   ORDER BY     key…, event time, _partition, _offset  what readers filter by; the position makes the order total
//   INDEX        (_partition, _offset) minmax           what the read-back after a crash filters by
//
// The table of the warehouse has one column more, `_version`, in the end: which version of its day a row belongs to.
//
// An enum is LowCardinality(String), not Enum8: it costs the same, the mapping has checked the values already, and one
// more value in the schema is then no change of the table.

import { PlatformError } from '../errors.ts'
import { localTable, onCluster, replicatedEngine } from './cluster.ts'
import { EXTRA, field } from '../schema.ts'
import type { Field, Topic, Type } from '../schema.ts'
import { quoteName, quoteTable, quoteText } from './sql.ts'
import type { TableName } from './sql.ts'

/** Which of the two databases a table is for. */
export type Lane = 'streaming' | 'warehouse'

export interface ColumnDefinition {
  readonly name: string
  readonly type: string
  readonly comment: string
  /** Empty: the engine's default. */
  readonly codec: string
}

/** Where a row stands in its topic. Both lanes, the read-back and the handoff rely on these columns. */
const positionColumns: readonly ColumnDefinition[] = [
  { name: '_topic', type: 'LowCardinality(String)', comment: 'Topic that the row came from', codec: '' },
  { name: '_partition', type: 'UInt16', comment: 'Partition of the topic', codec: '' },
  { name: '_offset', type: 'Int64', comment: 'Offset in the partition; with topic and partition it names the row', codec: 'DoubleDelta, ZSTD(1)' },
  { name: '_ingest_time', type: 'DateTime64(3, \'UTC\')', comment: 'When the row became durable in the topic', codec: 'DoubleDelta, ZSTD(1)' }
]

/** 0: loaded directly, always visible; any other: of a handoff, visible while the boundary names it. */
const versionColumn: ColumnDefinition = { name: '_version', type: 'UInt32', comment: 'Version of the day that the row belongs to; 0: loaded directly', codec: 'ZSTD(1)' }

/**
 * Deduplication by token stays off: it is not safe against a crash, and the offsets in the rows do its work. An insert
 * is answered once its files are synced, because the offset is committed on that answer.
 */
const durable = 'fsync_after_insert = 1, fsync_part_directory = 1'
const tableSettings = `non_replicated_deduplication_window = 0, ${durable}`

const digits = { s: 0, ms: 3, us: 6, ns: 9 } as const

const plainTypes = {
  string: 'String',
  json: 'String',
  bool: 'Bool',
  date: 'Date32',
  float32: 'Float32',
  float64: 'Float64',
  int8: 'Int8',
  int16: 'Int16',
  int32: 'Int32',
  int64: 'Int64',
  uint8: 'UInt8',
  uint16: 'UInt16',
  uint32: 'UInt32',
  uint64: 'UInt64'
} as const

/** The ClickHouse type of a field, written as system.columns writes it. */
export function columnType ({ type, mandatory, lowCardinality }: Pick<Field, 'type' | 'mandatory' | 'lowCardinality'>): string {
  // An array cannot be null: where the source has no list, the array is empty.
  if (type.kind === 'list') return `Array(${columnType({ type: type.of, mandatory: false, lowCardinality: false })})`
  const dictionary = type.kind === 'enum' || (type.kind === 'string' && lowCardinality)
  const nullable = mandatory ? scalarType(type) : `Nullable(${scalarType(type)})`
  return dictionary ? `LowCardinality(${nullable})` : nullable
}

function scalarType (type: Exclude<Type, { kind: 'list' }>): string {
  switch (type.kind) {
    case 'enum': return 'String'
    case 'timestamp': return `DateTime64(${digits[type.unit]}, 'UTC')`
    case 'decimal':
      if (type.precision > 38) {
        throw new PlatformError('CONFIG_INVALID', `decimal(${type.precision}, ${type.scale}) has more than 38 digits`, { remedy: 'Use a precision of at most 38.' })
      }
      return `Decimal(${type.precision}, ${type.scale})`
    default: return plainTypes[type.kind]
  }
}

const extra = field(EXTRA, { kind: 'json' }, { description: 'What the source sent and the schema does not know, as one JSON object' })

/** The fields that the topic's table stores: those of the schema, and what the source sent besides. */
export function fieldsOf (topic: Topic): readonly Field[] {
  return topic.fields.some(({ name }) => name === EXTRA) ? topic.fields : [...topic.fields, extra]
}

/** All columns of the topic's table, in order. */
export function columnsOf (topic: Topic, lane: Lane = 'streaming'): ColumnDefinition[] {
  const own = fieldsOf(topic).map(field => ({ name: field.name, type: columnType(field), comment: commentOf(field), codec: '' }))
  const taken = own.find(({ name }) => name === versionColumn.name || positionColumns.some(position => position.name === name))
  if (taken !== undefined) {
    throw new PlatformError('CONFIG_INVALID', `field ${taken.name} has the name of a column that every table has`, { where: `schemas/${topic.name}.yaml`, remedy: 'Give the field another name.' })
  }
  return [...own, ...positionColumns, ...lane === 'warehouse' ? [versionColumn] : []]
}

function commentOf ({ description, unit }: Field): string {
  if (unit === '') return description
  return description === '' ? `in ${unit}` : `${description} (${unit})`
}

/** The column that says when a row happened. */
export function timeColumn (topic: Topic): string {
  return topic.eventTime === '' ? '_ingest_time' : topic.eventTime
}

/**
 * What the table is partitioned by, in UTC because the columns are: the day, or in the warehouse the month. `toDate` would
 * turn over outside of 1970 to 2149.
 */
export function partitionKey (topic: Topic, lane: Lane = 'streaming'): string {
  return `${lane === 'warehouse' ? 'toYYYYMM' : 'toDate32'}(${quoteName(timeColumn(topic))})`
}

/** What the table is sorted by. */
export function sortingKey (topic: Topic): string[] {
  const time = timeColumn(topic)
  return [...topic.key.filter(name => name !== time), time, '_partition', '_offset']
}

export function columnDefinition ({ name, type, comment, codec }: ColumnDefinition): string {
  return `${quoteName(name)} ${type}${comment === '' ? '' : ` COMMENT ${quoteText(comment)}`}${codec === '' ? '' : ` CODEC(${codec})`}`
}

/** The statement that makes the topic's table where there is none; on a cluster, the one of each node that holds the rows. */
export function createTable (topic: Topic, table: TableName, cluster = '', lane: Lane = 'streaming'): string {
  const lines = [
    ...columnsOf(topic, lane).map(columnDefinition),
    'INDEX `_position` (_partition, _offset) TYPE minmax GRANULARITY 1'
  ]
  return [
    `CREATE TABLE IF NOT EXISTS ${quoteTable(localTable(table, cluster))}${onCluster(cluster)}`,
    '(',
    lines.map(line => `    ${line}`).join(',\n'),
    ')',
    `ENGINE = ${cluster === '' ? 'MergeTree' : replicatedEngine}`,
    `PARTITION BY ${partitionKey(topic, lane)}`,
    `ORDER BY (${sortingKey(topic).map(quoteName).join(', ')})`,
    // On a cluster the inserts themselves say that nothing is deduplicated.
    `SETTINGS ${cluster === '' ? tableSettings : durable}`,
    `COMMENT ${quoteText(topic.description)}`
  ].join('\n')
}
