-- Bid, ask, their middle and the spread of each quote that has both sides; one basis point is 1/10,000 of the middle
-- table: quotes
SELECT
    symbol,
    event_time,
    bid,
    ask,
    -- Half of a price with 8 decimals has 9.
    (CAST(bid AS Nullable(Decimal(28, 9))) + ask) / 2 AS mid,
    ask - bid AS spread,
    if(mid > 0, 10000 * toFloat64(spread) / toFloat64(mid), NULL) AS spread_bps,
    bid > ask AS crossed,
    bid_size,
    ask_size,
    delayed
FROM quotes
WHERE bid IS NOT NULL AND ask IS NOT NULL
