CREATE DATABASE IF NOT EXISTS `live` ON CLUSTER `main`;

CREATE TABLE IF NOT EXISTS `live`.`rows_local` ON CLUSTER `main`
(
    `symbol` LowCardinality(String),
    `at` DateTime64(3, 'UTC'),
    `n` Nullable(Int64),
    `price` Nullable(Decimal(18, 8)),
    `a_string` Nullable(String),
    `a_bool` Nullable(Bool),
    `a_float32` Nullable(Float32),
    `a_float64` Nullable(Float64),
    `a_date` Nullable(Date32),
    `a_json` Nullable(String),
    `a_int8` Nullable(Int8),
    `a_int16` Nullable(Int16),
    `a_int32` Nullable(Int32),
    `a_int64` Nullable(Int64),
    `a_uint8` Nullable(UInt8),
    `a_uint16` Nullable(UInt16),
    `a_uint32` Nullable(UInt32),
    `a_uint64` Nullable(UInt64),
    `a_time_s` Nullable(DateTime64(0, 'UTC')),
    `a_time_ms` Nullable(DateTime64(3, 'UTC')),
    `a_time_us` Nullable(DateTime64(6, 'UTC')),
    `a_time_ns` Nullable(DateTime64(9, 'UTC')),
    `a_decimal` Nullable(Decimal(38, 18)),
    `an_enum` LowCardinality(Nullable(String)),
    `a_list` Array(Nullable(Float64)),
    `named` LowCardinality(Nullable(String)) COMMENT 'It\'s a name (words)',
    `extra` Nullable(String) COMMENT 'What the source sent and the schema does not know, as one JSON object',
    `_topic` LowCardinality(String) COMMENT 'Topic that the row came from',
    `_partition` UInt16 COMMENT 'Partition of the topic',
    `_offset` Int64 COMMENT 'Offset in the partition; with topic and partition it names the row' CODEC(DoubleDelta, ZSTD(1)),
    `_ingest_time` DateTime64(3, 'UTC') COMMENT 'When the row became durable in the topic' CODEC(DoubleDelta, ZSTD(1)),
    INDEX `_position` (_partition, _offset) TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toDate32(`at`)
ORDER BY (`symbol`, `at`, `_partition`, `_offset`)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Rows with a field of each type';

CREATE TABLE IF NOT EXISTS `live`.`rows` ON CLUSTER `main` AS `live`.`rows_local`
ENGINE = Distributed('main', 'live', 'rows_local', _partition)
COMMENT 'Rows with a field of each type';

CREATE OR REPLACE VIEW `live`.`latest` ON CLUSTER `main` AS WITH `rows` AS (SELECT * FROM `live`.`rows`) SELECT * FROM (
-- The newest row of each symbol
-- table: rows
SELECT symbol, max(at) AS at
FROM rows
GROUP BY symbol
) COMMENT 'The newest row of each symbol (Twolane model)';

CREATE TABLE IF NOT EXISTS `live`.`_twolane_owners` ON CLUSTER `main`
(`table` String, `writer` String, `topic` String, `partition` UInt16, `epoch` UInt64, `since` DateTime64(3, 'UTC'))
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/{database}/{table}', '{shard}-{replica}', epoch)
ORDER BY (table, writer, topic, partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Twolane: which owner of a partition may write';

INSERT INTO `live`.`_twolane_owners` (`table`, `writer`, `topic`, `partition`, `epoch`, `since`) SELECT 'rows', 'quotes:outputs.streaming-database', 'rows', 0, 7, now64(3) WHERE throwIf(ifNull((SELECT max(epoch) FROM `live`.`_twolane_owners` WHERE table = 'rows' AND writer = 'quotes:outputs.streaming-database' AND topic = 'rows' AND partition = 0), 0) > 7, 'twolane: the partition has another owner') = 0;

INSERT INTO `live`.`rows` (`symbol`, `at`, `n`, `price`, `a_string`, `a_bool`, `a_float32`, `a_float64`, `a_date`, `a_json`, `a_int8`, `a_int16`, `a_int32`, `a_int64`, `a_uint8`, `a_uint16`, `a_uint32`, `a_uint64`, `a_time_s`, `a_time_ms`, `a_time_us`, `a_time_ns`, `a_decimal`, `an_enum`, `a_list`, `named`, `extra`, `_topic`, `_partition`, `_offset`, `_ingest_time`) SELECT `symbol`, `at`, `n`, `price`, `a_string`, `a_bool`, `a_float32`, `a_float64`, `a_date`, `a_json`, `a_int8`, `a_int16`, `a_int32`, `a_int64`, `a_uint8`, `a_uint16`, `a_uint32`, `a_uint64`, `a_time_s`, `a_time_ms`, `a_time_us`, `a_time_ns`, `a_decimal`, `an_enum`, `a_list`, `named`, `extra`, `_topic`, `_partition`, `_offset`, `_ingest_time` FROM input('`symbol` LowCardinality(String), `at` DateTime64(3, \'UTC\'), `n` Nullable(Int64), `price` Nullable(Decimal(18, 8)), `a_string` Nullable(String), `a_bool` Nullable(Bool), `a_float32` Nullable(Float32), `a_float64` Nullable(Float64), `a_date` Nullable(Date32), `a_json` Nullable(String), `a_int8` Nullable(Int8), `a_int16` Nullable(Int16), `a_int32` Nullable(Int32), `a_int64` Nullable(Int64), `a_uint8` Nullable(UInt8), `a_uint16` Nullable(UInt16), `a_uint32` Nullable(UInt32), `a_uint64` Nullable(UInt64), `a_time_s` Nullable(DateTime64(0, \'UTC\')), `a_time_ms` Nullable(DateTime64(3, \'UTC\')), `a_time_us` Nullable(DateTime64(6, \'UTC\')), `a_time_ns` Nullable(DateTime64(9, \'UTC\')), `a_decimal` Nullable(Decimal(38, 18)), `an_enum` LowCardinality(Nullable(String)), `a_list` Array(Nullable(Float64)), `named` LowCardinality(Nullable(String)), `extra` Nullable(String), `_topic` LowCardinality(String), `_partition` UInt16, `_offset` Int64, `_ingest_time` DateTime64(3, \'UTC\')') WHERE throwIf(ifNull((SELECT max(epoch) FROM `live`.`_twolane_owners` WHERE table = 'rows' AND writer = 'quotes:outputs.streaming-database' AND topic = 'rows' AND partition = 0), 0) != 7, 'twolane: the partition has another owner') = 0 FORMAT ArrowStream;

SELECT query_id FROM clusterAllReplicas('main', system.processes) WHERE startsWith(query_id, {name:String}) OR startsWith(initial_query_id, {name:String}) OR startsWith(Settings['log_comment'], {name:String});

SYSTEM SYNC REPLICA ON CLUSTER `main` `live`.`rows_local`;

INSERT INTO `live`.`_twolane_owners` (`table`, `writer`, `topic`, `partition`, `epoch`, `since`) SELECT 'rows', 'quotes:outputs.streaming-database', 'rows', 0, 8, now64(3) WHERE throwIf(ifNull((SELECT max(epoch) FROM `live`.`_twolane_owners` WHERE table = 'rows' AND writer = 'quotes:outputs.streaming-database' AND topic = 'rows' AND partition = 0), 0) > 8, 'twolane: the partition has another owner') = 0;

INSERT INTO `live`.`rows` (`symbol`, `at`, `n`, `price`, `a_string`, `a_bool`, `a_float32`, `a_float64`, `a_date`, `a_json`, `a_int8`, `a_int16`, `a_int32`, `a_int64`, `a_uint8`, `a_uint16`, `a_uint32`, `a_uint64`, `a_time_s`, `a_time_ms`, `a_time_us`, `a_time_ns`, `a_decimal`, `an_enum`, `a_list`, `named`, `extra`, `_topic`, `_partition`, `_offset`, `_ingest_time`) SELECT `symbol`, `at`, `n`, `price`, `a_string`, `a_bool`, `a_float32`, `a_float64`, `a_date`, `a_json`, `a_int8`, `a_int16`, `a_int32`, `a_int64`, `a_uint8`, `a_uint16`, `a_uint32`, `a_uint64`, `a_time_s`, `a_time_ms`, `a_time_us`, `a_time_ns`, `a_decimal`, `an_enum`, `a_list`, `named`, `extra`, `_topic`, `_partition`, `_offset`, `_ingest_time` FROM input('`symbol` LowCardinality(String), `at` DateTime64(3, \'UTC\'), `n` Nullable(Int64), `price` Nullable(Decimal(18, 8)), `a_string` Nullable(String), `a_bool` Nullable(Bool), `a_float32` Nullable(Float32), `a_float64` Nullable(Float64), `a_date` Nullable(Date32), `a_json` Nullable(String), `a_int8` Nullable(Int8), `a_int16` Nullable(Int16), `a_int32` Nullable(Int32), `a_int64` Nullable(Int64), `a_uint8` Nullable(UInt8), `a_uint16` Nullable(UInt16), `a_uint32` Nullable(UInt32), `a_uint64` Nullable(UInt64), `a_time_s` Nullable(DateTime64(0, \'UTC\')), `a_time_ms` Nullable(DateTime64(3, \'UTC\')), `a_time_us` Nullable(DateTime64(6, \'UTC\')), `a_time_ns` Nullable(DateTime64(9, \'UTC\')), `a_decimal` Nullable(Decimal(38, 18)), `an_enum` LowCardinality(Nullable(String)), `a_list` Array(Nullable(Float64)), `named` LowCardinality(Nullable(String)), `extra` Nullable(String), `_topic` LowCardinality(String), `_partition` UInt16, `_offset` Int64, `_ingest_time` DateTime64(3, \'UTC\')') WHERE throwIf(ifNull((SELECT max(epoch) FROM `live`.`_twolane_owners` WHERE table = 'rows' AND writer = 'quotes:outputs.streaming-database' AND topic = 'rows' AND partition = 0), 0) != 8, 'twolane: the partition has another owner') = 0 FORMAT ArrowStream;

ALTER TABLE `live`.`rows_local` ON CLUSTER `main` ADD COLUMN IF NOT EXISTS `venue` Nullable(String) AFTER `named`, ADD COLUMN IF NOT EXISTS `wide` Nullable(Int64) AFTER `venue`;

ALTER TABLE `live`.`rows_local` ON CLUSTER `main` MODIFY COMMENT 'More rows';

CREATE OR REPLACE TABLE `live`.`rows` ON CLUSTER `main` AS `live`.`rows_local`
ENGINE = Distributed('main', 'live', 'rows_local', _partition)
COMMENT 'More rows';

INSERT INTO `live`.`_twolane_owners` (`table`, `writer`, `topic`, `partition`, `epoch`, `since`) SELECT 'rows', 'quotes:outputs.streaming-database', 'rows', 0, 9, now64(3) WHERE throwIf(ifNull((SELECT max(epoch) FROM `live`.`_twolane_owners` WHERE table = 'rows' AND writer = 'quotes:outputs.streaming-database' AND topic = 'rows' AND partition = 0), 0) > 9, 'twolane: the partition has another owner') = 0;

INSERT INTO `live`.`rows` (`symbol`, `at`, `n`, `price`, `a_string`, `a_bool`, `a_float32`, `a_float64`, `a_date`, `a_json`, `a_int8`, `a_int16`, `a_int32`, `a_int64`, `a_uint8`, `a_uint16`, `a_uint32`, `a_uint64`, `a_time_s`, `a_time_ms`, `a_time_us`, `a_time_ns`, `a_decimal`, `an_enum`, `a_list`, `named`, `venue`, `wide`, `extra`, `_topic`, `_partition`, `_offset`, `_ingest_time`) SELECT `symbol`, `at`, `n`, `price`, `a_string`, `a_bool`, `a_float32`, `a_float64`, `a_date`, `a_json`, `a_int8`, `a_int16`, `a_int32`, `a_int64`, `a_uint8`, `a_uint16`, `a_uint32`, `a_uint64`, `a_time_s`, `a_time_ms`, `a_time_us`, `a_time_ns`, `a_decimal`, `an_enum`, `a_list`, `named`, `venue`, `wide`, `extra`, `_topic`, `_partition`, `_offset`, `_ingest_time` FROM input('`symbol` LowCardinality(String), `at` DateTime64(3, \'UTC\'), `n` Nullable(Int64), `price` Nullable(Decimal(18, 8)), `a_string` Nullable(String), `a_bool` Nullable(Bool), `a_float32` Nullable(Float32), `a_float64` Nullable(Float64), `a_date` Nullable(Date32), `a_json` Nullable(String), `a_int8` Nullable(Int8), `a_int16` Nullable(Int16), `a_int32` Nullable(Int32), `a_int64` Nullable(Int64), `a_uint8` Nullable(UInt8), `a_uint16` Nullable(UInt16), `a_uint32` Nullable(UInt32), `a_uint64` Nullable(UInt64), `a_time_s` Nullable(DateTime64(0, \'UTC\')), `a_time_ms` Nullable(DateTime64(3, \'UTC\')), `a_time_us` Nullable(DateTime64(6, \'UTC\')), `a_time_ns` Nullable(DateTime64(9, \'UTC\')), `a_decimal` Nullable(Decimal(38, 18)), `an_enum` LowCardinality(Nullable(String)), `a_list` Array(Nullable(Float64)), `named` LowCardinality(Nullable(String)), `venue` Nullable(String), `wide` Nullable(Int64), `extra` Nullable(String), `_topic` LowCardinality(String), `_partition` UInt16, `_offset` Int64, `_ingest_time` DateTime64(3, \'UTC\')') WHERE throwIf(ifNull((SELECT max(epoch) FROM `live`.`_twolane_owners` WHERE table = 'rows' AND writer = 'quotes:outputs.streaming-database' AND topic = 'rows' AND partition = 0), 0) != 9, 'twolane: the partition has another owner') = 0 FORMAT ArrowStream;

INSERT INTO `live`.`_twolane_owners` (`table`, `writer`, `topic`, `partition`, `epoch`, `since`) SELECT 'rows', 'quotes:outputs.streaming-database', 'rows', 0, 10, now64(3) WHERE throwIf(ifNull((SELECT max(epoch) FROM `live`.`_twolane_owners` WHERE table = 'rows' AND writer = 'quotes:outputs.streaming-database' AND topic = 'rows' AND partition = 0), 0) > 10, 'twolane: the partition has another owner') = 0;

INSERT INTO `live`.`rows` (`symbol`, `at`, `n`, `price`, `a_string`, `a_bool`, `a_float32`, `a_float64`, `a_date`, `a_json`, `a_int8`, `a_int16`, `a_int32`, `a_int64`, `a_uint8`, `a_uint16`, `a_uint32`, `a_uint64`, `a_time_s`, `a_time_ms`, `a_time_us`, `a_time_ns`, `a_decimal`, `an_enum`, `a_list`, `named`, `venue`, `wide`, `extra`, `_topic`, `_partition`, `_offset`, `_ingest_time`) SELECT `symbol`, `at`, `n`, `price`, `a_string`, `a_bool`, `a_float32`, `a_float64`, `a_date`, `a_json`, `a_int8`, `a_int16`, `a_int32`, `a_int64`, `a_uint8`, `a_uint16`, `a_uint32`, `a_uint64`, `a_time_s`, `a_time_ms`, `a_time_us`, `a_time_ns`, `a_decimal`, `an_enum`, `a_list`, `named`, `venue`, `wide`, `extra`, `_topic`, `_partition`, `_offset`, `_ingest_time` FROM input('`symbol` LowCardinality(String), `at` DateTime64(3, \'UTC\'), `n` Nullable(Int64), `price` Nullable(Decimal(18, 8)), `a_string` Nullable(String), `a_bool` Nullable(Bool), `a_float32` Nullable(Float32), `a_float64` Nullable(Float64), `a_date` Nullable(Date32), `a_json` Nullable(String), `a_int8` Nullable(Int8), `a_int16` Nullable(Int16), `a_int32` Nullable(Int32), `a_int64` Nullable(Int64), `a_uint8` Nullable(UInt8), `a_uint16` Nullable(UInt16), `a_uint32` Nullable(UInt32), `a_uint64` Nullable(UInt64), `a_time_s` Nullable(DateTime64(0, \'UTC\')), `a_time_ms` Nullable(DateTime64(3, \'UTC\')), `a_time_us` Nullable(DateTime64(6, \'UTC\')), `a_time_ns` Nullable(DateTime64(9, \'UTC\')), `a_decimal` Nullable(Decimal(38, 18)), `an_enum` LowCardinality(Nullable(String)), `a_list` Array(Nullable(Float64)), `named` LowCardinality(Nullable(String)), `venue` Nullable(String), `wide` Nullable(Int64), `extra` Nullable(String), `_topic` LowCardinality(String), `_partition` UInt16, `_offset` Int64, `_ingest_time` DateTime64(3, \'UTC\')') WHERE throwIf(ifNull((SELECT max(epoch) FROM `live`.`_twolane_owners` WHERE table = 'rows' AND writer = 'quotes:outputs.streaming-database' AND topic = 'rows' AND partition = 0), 0) != 10, 'twolane: the partition has another owner') = 0 FORMAT ArrowStream;
