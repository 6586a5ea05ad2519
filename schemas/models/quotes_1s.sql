-- Bars of one second by the last price and by the middle of bid and ask; a second without an update has no bar
-- table: quotes
SELECT
    symbol,
    time,
    open,
    high,
    low,
    close,
    open_mid,
    high_mid,
    low_mid,
    close_mid,
    -- The source counts the volume of the day. Where it is less than before, a new day has begun.
    multiIf(volume_before IS NULL, NULL, volume_of_day >= volume_before, volume_of_day - volume_before, volume_of_day) AS volume,
    ticks,
    delayed
FROM
(
    SELECT
        *,
        lagInFrame(volume_of_day) OVER (PARTITION BY symbol ORDER BY time ASC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS volume_before
    FROM
    (
        SELECT
            symbol,
            toStartOfSecond(event_time) AS time,
            argMin(last, (event_time, _offset)) AS open,
            max(last) AS high,
            min(last) AS low,
            argMax(last, (event_time, _offset)) AS close,
            argMin(mid, (event_time, _offset)) AS open_mid,
            max(mid) AS high_mid,
            min(mid) AS low_mid,
            argMax(mid, (event_time, _offset)) AS close_mid,
            argMax(volume, (event_time, _offset)) AS volume_of_day,
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
        GROUP BY symbol, time
    )
)
