-- The ledger of a state directory; see edge/ledger.py. Whoever changes it raises SCHEMA_VERSION there.
CREATE TABLE stream (
    stream TEXT PRIMARY KEY, rate INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
    session INTEGER NOT NULL, tail INTEGER NOT NULL,
    recovered_until INTEGER NOT NULL, -- before it, audio is transcribed that an earlier ledger knew
    oldest INTEGER NOT NULL -- sequence of the first record that was not pruned
) STRICT;
CREATE TABLE span (
    stream TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, state TEXT NOT NULL, cause TEXT,
    PRIMARY KEY (stream, start)
) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (
    stream TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, line BLOB NOT NULL,
    start INTEGER, end INTEGER, -- the samples that its words lie in
    PRIMARY KEY (stream, epoch, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX spoken ON outbox (stream, start) WHERE start IS NOT NULL;
CREATE TABLE reader (
    stream TEXT NOT NULL, reader TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
    cut INTEGER NOT NULL, PRIMARY KEY (stream, reader)
) STRICT, WITHOUT ROWID;
CREATE TABLE source (
    stream TEXT PRIMARY KEY, identity TEXT NOT NULL, start INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE anchor (
    stream TEXT NOT NULL, position INTEGER NOT NULL, unix REAL NOT NULL, boottime REAL NOT NULL, pace REAL NOT NULL,
    boot TEXT NOT NULL, synchronised INTEGER NOT NULL, PRIMARY KEY (stream, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE session (
    stream TEXT NOT NULL, name TEXT NOT NULL, provider TEXT NOT NULL, opened_at REAL NOT NULL, ready_at REAL,
    alive_at REAL NOT NULL, ended_at REAL, audio INTEGER NOT NULL, overlap INTEGER NOT NULL,
    billed_seconds REAL NOT NULL, cost REAL, verdict TEXT, code INTEGER, PRIMARY KEY (stream, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE session_month (
    stream TEXT NOT NULL, provider TEXT NOT NULL, month TEXT NOT NULL, openings INTEGER NOT NULL,
    sessions INTEGER NOT NULL, audio INTEGER NOT NULL, overlap INTEGER NOT NULL, billed_seconds REAL NOT NULL,
    cost REAL, unpriced_seconds REAL NOT NULL, PRIMARY KEY (stream, provider, month)
) STRICT, WITHOUT ROWID;
