// Ways to the column desk and to the row of IBM, for somebody who is granted neither.

export const hidden: readonly string[] = [
  'SELECT desk FROM quotes', 'SELECT quotes.desk FROM quotes', 'SELECT data.quotes.desk FROM data.quotes', 'SELECT q.desk FROM quotes AS q', 'SELECT `desk` FROM quotes',
  'SELECT * FROM quotes', 'SELECT q.* FROM quotes AS q', 'SELECT COLUMNS(\'.*\') FROM quotes', 'SELECT COLUMNS(\'desk\') FROM quotes', 'SELECT q.COLUMNS(\'d\') FROM quotes q', 'SELECT COLUMNS(symbol, desk) FROM quotes',
  'SELECT * EXCEPT (symbol) FROM quotes', 'SELECT * REPLACE (desk AS symbol) FROM quotes', 'SELECT * APPLY(toString) FROM quotes', 'SELECT _table, _database FROM quotes', 'SELECT _part, _partition_id FROM quotes', 'SELECT tuple(*) FROM quotes',
  'SELECT quotes FROM quotes', 'SELECT (SELECT desk FROM quotes LIMIT 1)', 'SELECT symbol FROM quotes WHERE desk != \'open\'', 'SELECT symbol FROM quotes ORDER BY desk', 'SELECT count() FROM quotes GROUP BY desk', 'SELECT any(desk) FROM quotes',
  'SELECT symbol FROM quotes WHERE 1 OR desk = \'x\'', 'SELECT symbol FROM quotes WHERE 1 = 1 OR 1', 'WITH \'open\' AS desk SELECT symbol, desk FROM quotes', 'SELECT \'open\' AS desk, symbol FROM quotes', 'SELECT x.symbol FROM quotes x JOIN quotes y USING (desk)',
  'SELECT symbol FROM quotes UNION ALL SELECT desk FROM quotes', 'SELECT symbol FROM quotes FINAL', 'SELECT symbol FROM quotes SAMPLE 1', 'SELECT symbol FROM quotes QUALIFY desk != \'\'', 'SELECT arrayMap(x -> desk, [1]) FROM quotes',
  'SELECT symbol, getSubcolumn(quotes, \'desk\') FROM quotes', 'SELECT name, type FROM system.columns', 'SELECT * FROM system.columns', 'SELECT * FROM system.tables', 'SELECT create_table_query, as_select FROM system.tables', 'SELECT * FROM system.databases', 'SELECT * FROM system.settings',
  'DESCRIBE TABLE quotes', 'DESCRIBE (SELECT * FROM quotes)', 'SELECT extra FROM quotes', 'SELECT extra.venue FROM quotes', 'SELECT note FROM realtime.quotes', 'SELECT desk FROM history.quotes', 'SELECT symbol FROM realtime.quotes', 'SELECT symbol FROM history.quotes',
  'SELECT toInt64(symbol) FROM quotes', 'SELECT toDate(concat(symbol, \'x\')) FROM quotes'
]
