-- Bars of one day, in UTC, by the last price and by the middle of bid and ask; a day without an update has no bar
-- table: quotes
SELECT
    symbol,
    toDate32(event_time) AS day,
    argMin(last, (event_time, _offset)) AS open,
    max(last) AS high,
    min(last) AS low,
    argMax(last, (event_time, _offset)) AS close,
    argMin(mid, (event_time, _offset)) AS open_mid,
    max(mid) AS high_mid,
    min(mid) AS low_mid,
    argMax(mid, (event_time, _offset)) AS close_mid,
    -- The source counts from the beginning of the session, which may lie within a day of UTC.
    max(volume) AS volume,
    count() AS ticks,
    max(delayed) AS delayed
FROM
(
    -- Half of a price with 8 decimals has 9.
    SELECT *, (CAST(bid AS Nullable(Decimal(28, 9))) + ask) / 2 AS mid
    FROM quotes
    -- The first values after a subscription may be older than their time.
    WHERE NOT ifNull(snapshot, false)
)
GROUP BY symbol, day
