-- The latest quote of each instrument, with every field as it stands
-- table: quotes
SELECT
    symbol,
    latest.1 AS event_time,
    latest.2 AS received_time,
    latest.3 AS last,
    latest.4 AS bid,
    latest.5 AS ask,
    latest.6 AS bid_size,
    latest.7 AS ask_size,
    latest.8 AS last_size,
    latest.9 AS volume,
    latest.10 AS market_data_status,
    latest.11 AS delayed,
    latest.12 AS conid,
    updates
FROM
(
    SELECT
        symbol,
        -- As one tuple: argMax of a single column would pass over the rows where it is null.
        argMax((event_time, received_time, last, bid, ask, bid_size, ask_size, last_size, volume, market_data_status, delayed, conid), (event_time, _offset)) AS latest,
        count() AS updates
    FROM quotes
    GROUP BY symbol
)
