-- Daily bars as they were read last: a backfill after a split brings the same bars with adjusted prices
-- table: daily_bars
SELECT *
FROM daily_bars
ORDER BY received_time DESC, _offset DESC
LIMIT 1 BY symbol, start_time
