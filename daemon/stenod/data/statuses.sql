-- The last 500 status records of a stream among its last 20000 records, newest first.
SELECT line FROM (SELECT * FROM outbox WHERE stream = ? ORDER BY epoch DESC, sequence DESC LIMIT 20000)
WHERE substr(line, 1, 17) = CAST('{"type":"status",' AS BLOB) ORDER BY epoch DESC, sequence DESC LIMIT 500
