-- ?1: the stream, ?2: the last session whose account becomes part of its month's sum; see edge/ledger.py.
INSERT INTO session_month
    SELECT stream, provider, strftime('%Y-%m', opened_at, 'unixepoch') AS month, count(*), count(ready_at), sum(audio),
        sum(overlap), sum(billed_seconds), sum(cost), sum(iif(cost IS NULL, billed_seconds, 0.0))
    FROM session WHERE stream = ?1 AND ended_at IS NOT NULL AND (length(name), name) <= (length(?2), ?2)
    GROUP BY provider, month
ON CONFLICT DO UPDATE SET
    openings = openings + excluded.openings, sessions = sessions + excluded.sessions, audio = audio + excluded.audio,
    overlap = overlap + excluded.overlap, billed_seconds = billed_seconds + excluded.billed_seconds,
    cost = coalesce(cost + excluded.cost, cost, excluded.cost),
    unpriced_seconds = unpriced_seconds + excluded.unpriced_seconds;
DELETE FROM session WHERE stream = ?1 AND ended_at IS NOT NULL AND (length(name), name) <= (length(?2), ?2)
