import t from 'tap'
import { columnType, createTable } from '../../../runtime/clickhouse/ddl.ts'
import { planMigration } from '../../../runtime/clickhouse/migrate.ts'
import type { TableState } from '../../../runtime/clickhouse/migrate.ts'
import { parseModel, viewStatement } from '../../../runtime/clickhouse/models.ts'
import { quoteName, quoteText } from '../../../runtime/clickhouse/sql.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { field } from '../../../runtime/schema.ts'
import type { Field, Topic } from '../../../runtime/schema.ts'

const table = { database: 'streaming', table: 'quotes' }

const fields: Field[] = [
  field('symbol', { kind: 'string' }, { mandatory: true, lowCardinality: true, description: 'Ticker of the exchange' }),
  field('event_time', { kind: 'timestamp', unit: 'ms' }, { mandatory: true, description: 'When it happened' }),
  field('last', { kind: 'float64' }, { description: 'Last price', unit: 'USD' }),
  field('price', { kind: 'decimal', precision: 18, scale: 8 }, { unit: 'USD' }),
  field('side', { kind: 'enum', values: ['buy', 'sell'] }),
  field('halted', { kind: 'bool' }),
  field('day', { kind: 'date' }),
  field('size', { kind: 'uint32' }),
  field('levels', { kind: 'list', of: { kind: 'float64' } }),
  field('note', { kind: 'string' }, { description: 'It\'s "free" \\ text' })
]

function topicWith (own: readonly Field[], more: Partial<Topic> = {}): Topic {
  return { name: 'quotes', description: 'Quotes of instruments', owner: '', fields: own, key: ['symbol'], eventTime: 'event_time', partitions: 1, retention: { ms: 1, bytes: 1, beyondOutputs: false }, hash: '', ...more }
}

function stateOf (topic: Topic, change: Partial<TableState> = {}): TableState {
  return {
    engine: 'MergeTree',
    comment: topic.description,
    partitionKey: 'toDate32(event_time)',
    sortingKey: 'symbol, event_time, _partition, _offset',
    columns: [
      ...topic.fields.map(own => ({ name: own.name, type: columnType(own), comment: [own.description, own.unit === '' ? '' : own.description === '' ? `in ${own.unit}` : `(${own.unit})`].filter(part => part !== '').join(' ') })),
      { name: 'extra', type: 'Nullable(String)', comment: 'What the source sent and the schema does not know, as one JSON object' },
      { name: '_topic', type: 'LowCardinality(String)', comment: 'Topic that the row came from' },
      { name: '_partition', type: 'UInt16', comment: 'Partition of the topic' },
      { name: '_offset', type: 'Int64', comment: 'Offset in the partition; with topic and partition it names the row' },
      { name: '_ingest_time', type: 'DateTime64(3, \'UTC\')', comment: 'When the row became durable in the topic' }
    ],
    ...change
  }
}

await t.test('a schema gives exactly this table', async t => {
  t.equal(createTable(topicWith(fields), table), `CREATE TABLE IF NOT EXISTS \`streaming\`.\`quotes\`
(
    \`symbol\` LowCardinality(String) COMMENT 'Ticker of the exchange',
    \`event_time\` DateTime64(3, 'UTC') COMMENT 'When it happened',
    \`last\` Nullable(Float64) COMMENT 'Last price (USD)',
    \`price\` Nullable(Decimal(18, 8)) COMMENT 'in USD',
    \`side\` LowCardinality(Nullable(String)),
    \`halted\` Nullable(Bool),
    \`day\` Nullable(Date32),
    \`size\` Nullable(UInt32),
    \`levels\` Array(Nullable(Float64)),
    \`note\` Nullable(String) COMMENT 'It\\'s "free" \\\\ text',
    \`extra\` Nullable(String) COMMENT 'What the source sent and the schema does not know, as one JSON object',
    \`_topic\` LowCardinality(String) COMMENT 'Topic that the row came from',
    \`_partition\` UInt16 COMMENT 'Partition of the topic',
    \`_offset\` Int64 COMMENT 'Offset in the partition; with topic and partition it names the row' CODEC(DoubleDelta, ZSTD(1)),
    \`_ingest_time\` DateTime64(3, 'UTC') COMMENT 'When the row became durable in the topic' CODEC(DoubleDelta, ZSTD(1)),
    INDEX \`_position\` (_partition, _offset) TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate32(\`event_time\`)
ORDER BY (\`symbol\`, \`event_time\`, \`_partition\`, \`_offset\`)
SETTINGS non_replicated_deduplication_window = 0, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Quotes of instruments'`)
})

await t.test('a topic without an event time is partitioned and sorted by the ingest time', async t => {
  const sql = createTable(topicWith(fields, { eventTime: '', key: [] }), table)
  t.match(sql, 'PARTITION BY toDate32(`_ingest_time`)')
  t.match(sql, 'ORDER BY (`_ingest_time`, `_partition`, `_offset`)')
})

await t.test('every type has one column type', async t => {
  const type = (own: Field): string => columnType(own)
  for (const kind of ['int8', 'int16', 'int32', 'int64'] as const) t.equal(type(field('x', { kind }, { mandatory: true })), kind.replace('int', 'Int'))
  for (const kind of ['uint8', 'uint16', 'uint32', 'uint64'] as const) t.equal(type(field('x', { kind }, { mandatory: true })), kind.replace('uint', 'UInt'))
  t.equal(type(field('x', { kind: 'float32' })), 'Nullable(Float32)')
  t.equal(type(field('x', { kind: 'string' }, { mandatory: true })), 'String')
  t.equal(type(field('x', { kind: 'string' }, { lowCardinality: true })), 'LowCardinality(Nullable(String))')
  for (const [unit, digits] of [['s', 0], ['ms', 3], ['us', 6], ['ns', 9]] as const) t.equal(type(field('x', { kind: 'timestamp', unit })), `Nullable(DateTime64(${digits}, 'UTC'))`)
  t.equal(type(field('x', { kind: 'list', of: { kind: 'list', of: { kind: 'enum', values: ['a'] } } })), 'Array(Array(LowCardinality(Nullable(String))))')
  t.throws(() => type(field('x', { kind: 'decimal', precision: 39, scale: 0 })), { code: 'CONFIG_INVALID' })
})

await t.test('a field may not have the name of a position column', async t => {
  t.throws(() => createTable(topicWith([...fields, field('_offset', { kind: 'int8' })]), table), { code: 'CONFIG_INVALID', message: /field _offset/ })
})

await t.test('names and texts are quoted, whatever they hold', async t => {
  t.equal(quoteName('a`b\\c'), '`a\\`b\\\\c`')
  t.equal(quoteText('a\'b\\c\nd\0'), '\'a\\\'b\\\\c\\nd\\0\'')
})

await t.test('a table that fits its schema is left alone', async t => {
  t.strictSame(planMigration(topicWith(fields), table, stateOf(topicWith(fields))), [])
})

await t.test('new fields, wider types and other descriptions are changed by one statement', async t => {
  const state = stateOf(topicWith(fields))
  const next = fields.flatMap(own => {
    if (own.name === 'last') return [{ ...own, description: 'Price of the last trade' }, field('mid', { kind: 'float64' }, { unit: 'USD' })]
    if (own.name === 'size') return [{ ...own, type: { kind: 'int64' } as const }]
    if (own.name === 'price') return [{ ...own, type: { kind: 'decimal', precision: 38, scale: 18 } as const }]
    return [own]
  })
  t.strictSame(planMigration(topicWith(next, { description: 'New' }), table, state), [
    'ALTER TABLE `streaming`.`quotes` COMMENT COLUMN `last` \'Price of the last trade (USD)\', ADD COLUMN IF NOT EXISTS `mid` Nullable(Float64) COMMENT \'in USD\' AFTER `last`, MODIFY COLUMN `price` Nullable(Decimal(38, 18)) COMMENT \'in USD\', MODIFY COLUMN `size` Nullable(Int64)',
    'ALTER TABLE `streaming`.`quotes` MODIFY COMMENT \'New\''
  ])
})

await t.test('a field that left the schema keeps its column', async t => {
  t.strictSame(planMigration(topicWith(fields.filter(({ name }) => name !== 'note')), table, stateOf(topicWith(fields))), [])
})

await t.test('only what keeps every value counts as wider', async t => {
  const change = (from: string, to: Field['type'], more: Partial<Field> = {}): boolean => {
    const topic = topicWith(fields.map(own => own.name === 'size' ? { ...own, type: to, ...more } : own))
    const state = stateOf(topic)
    const columns = state.columns.map(column => column.name === 'size' ? { ...column, type: from } : column)
    try {
      return planMigration(topic, table, { ...state, columns }).length === 1
    } catch (error) {
      t.ok(error instanceof PlatformError && error.code === 'SCHEMA_BREAKING')
      return false
    }
  }
  const wider: Array<[string, Field['type'], Partial<Field>?]> = [
    ['Nullable(Int8)', { kind: 'int16' }], ['Nullable(UInt8)', { kind: 'uint64' }], ['Nullable(UInt32)', { kind: 'int64' }],
    ['Nullable(Float32)', { kind: 'float64' }], ['UInt32', { kind: 'uint32' }], ['Nullable(String)', { kind: 'string' }, { lowCardinality: true }],
    ['LowCardinality(Nullable(String))', { kind: 'string' }], ['Nullable(Decimal(10, 2))', { kind: 'decimal', precision: 12, scale: 4 }],
    ['Nullable(DateTime64(0, \'UTC\'))', { kind: 'timestamp', unit: 'us' }], ['Array(Nullable(Int8))', { kind: 'list', of: { kind: 'int32' } }]
  ]
  for (const [from, to, more] of wider) t.ok(change(from, to, more), `${from} to ${JSON.stringify(to)}`)
  const breaking: Array<[string, Field['type'], Partial<Field>?]> = [
    ['Nullable(Int16)', { kind: 'int8' }], ['Nullable(Int32)', { kind: 'uint64' }], ['Nullable(UInt64)', { kind: 'int64' }],
    ['Nullable(Int64)', { kind: 'float64' }], ['Nullable(UInt32)', { kind: 'uint32' }, { mandatory: true }], ['Nullable(Float64)', { kind: 'string' }],
    ['Nullable(Decimal(10, 4))', { kind: 'decimal', precision: 12, scale: 2 }], ['Nullable(Decimal(10, 2))', { kind: 'decimal', precision: 10, scale: 4 }],
    ['Nullable(DateTime64(3, \'UTC\'))', { kind: 'timestamp', unit: 'ns' }], ['Nullable(DateTime64(3, \'UTC\'))', { kind: 'timestamp', unit: 's' }],
    ['Nullable(Int8)', { kind: 'list', of: { kind: 'int8' } }]
  ]
  for (const [from, to, more] of breaking) t.notOk(change(from, to, more), `${from} to ${JSON.stringify(to)}`)
})

await t.test('a breaking change is refused and names both sides', async t => {
  const refused = (topic: Topic, state: TableState, message: RegExp): void => {
    t.throws(() => planMigration(topic, table, state), { code: 'SCHEMA_BREAKING', message })
  }
  const topic = topicWith(fields)
  refused(topicWith(fields.map(own => own.name === 'last' ? { ...own, type: { kind: 'string' } } : own)), stateOf(topic), /column last is Nullable\(Float64\), the schema says Nullable\(String\)/)
  refused(topicWith(fields.map(own => own.name === 'symbol' ? { ...own, lowCardinality: false } : own)), stateOf(topic), /column symbol is LowCardinality\(String\), the schema says String/)
  refused(topicWith(fields, { key: [] }), stateOf(topic), /sorted by symbol,event_time,_partition,_offset, the schema says event_time,_partition,_offset/)
  refused(topicWith(fields, { eventTime: 'day' }), stateOf(topic), /partitioned by toDate32\(event_time\), the schema says toDate32\(day\)/)
  refused(topic, stateOf(topic, { engine: 'View', partitionKey: '', sortingKey: '' }), /it is a View.*by nothing/)
})

await t.test('a model becomes a view over the tables it names', async t => {
  const model = parseModel('m/latest.sql', 'latest', '-- Latest, it\'s\n-- table: quotes\nSELECT max(last) AS last\nFROM quotes')
  t.strictSame([model.description, model.tables], ['Latest, it\'s', ['quotes']])
  t.equal(viewStatement(model, { database: 'd' }), 'CREATE OR REPLACE VIEW `d`.`latest` AS WITH `quotes` AS (SELECT * FROM `d`.`quotes`) SELECT * FROM (\n-- Latest, it\'s\n-- table: quotes\nSELECT max(last) AS last\nFROM quotes\n) COMMENT \'Latest, it\\\'s (Twolane model)\'')
  t.match(viewStatement(model, { database: 'd', tables: { quotes: 'ticks' } }), '`quotes` AS (SELECT * FROM `d`.`ticks`)')
})

await t.test('a model that is not one says what to write', async t => {
  const refused = (name: string, sql: string, where: string, message: RegExp): void => {
    try {
      parseModel('m/x.sql', name, sql)
      t.fail('should throw')
    } catch (error) {
      t.ok(error instanceof PlatformError)
      t.equal((error as PlatformError).where, where)
      t.match((error as PlatformError).message, message)
    }
  }
  refused('X-1', '-- table: quotes\nSELECT 1', 'm/x.sql:1', /no name for a view/)
  refused('x', 'SELECT 1', 'm/x.sql:1', /does not say what it reads/)
  refused('x', '-- table: quotes\n\nDROP TABLE quotes', 'm/x.sql:3', /not a SELECT/)
  refused('x', '-- table: quotes\n', 'm/x.sql:1', /not a SELECT/)
  refused('x', '-- table: quotes\nSELECT \';\' -- ;\nFROM quotes;\n\nDROP TABLE quotes', 'm/x.sql:5', /more than one statement/)
  t.equal(parseModel('m/x.sql', 'x', '-- table: quotes\nSELECT \';\' FROM quotes;\n-- end').sql, '-- table: quotes\nSELECT \';\' FROM quotes')
})
