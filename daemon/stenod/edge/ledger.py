"""The ledger: everything of the journal that must change together, in one SQLite database.

Spans, the outbox, the readers' places, the sessions and the clock's anchors of all streams of one state directory.
"Final written and its span transcribed" is one transaction, and recovery after a crash is SQLite's own.

Durability: WAL with `synchronous=FULL`, so a commit is on the disk when it returns and audio may be deleted after it.
A reader's place is written with `synchronous=NORMAL`: a killed process loses none, a power cut may repeat the last
lines with the same ids, and an SD card is spared one sync a line.

All methods block; the journal calls them one at a time, in a thread (inline in simulation). Nothing else knows SQL.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from importlib import resources
from pathlib import Path
from typing import Any

from stenod.core.accounts import INTERRUPTED, Account
from stenod.core.chronology import Anchor
from stenod.core.outage import CHECK, ROOM
from stenod.core.records import parsed
from stenod.core.timeline import Cause, Settled, State
from stenod.core.transaction import Beginning, LedgerStalled, StreamState, Transaction
from stenod.core.troubles import standing
from stenod.core.verdict import ExitCode

SCHEMA_VERSION = 2
SCHEMA = "ledger.sql"
"""In `stenod.data`."""
BEFORE_ALL = (0, -1)
"""The place of a reader that has got nothing: epoch and sequence."""
SESSIONS_MAX = 1_000
"""Accounts kept one by one; older ones only count in their month's sum."""
STATUSES = "statuses.sql"
FOLD = "fold.sql"
"""In `stenod.data`: adds accounts to their month's sum, and deletes them."""
STATES = {state.value for state in State}
CAUSES = {None, *(cause.value for cause in Cause)}
MARK = ".damaged"
"""Beside a database that was found damaged while it was used; a look at its opening may not find it again."""
CHECK_SECONDS = 2.0
"""How long a start may look for damage: enough for a hundred megabytes."""
CHECK_STEPS = 10_000
LOG_BYTES_MAX = 4_194_304
"""What SQLite's log is cut to after a long reader let it grow."""
STALLED = {
    sqlite3.SQLITE_FULL: ROOM,
    sqlite3.SQLITE_IOERR: CHECK,
    sqlite3.SQLITE_CANTOPEN: CHECK,
    sqlite3.SQLITE_BUSY: "end whatever else uses the journal's database",
    sqlite3.SQLITE_LOCKED: "end whatever else uses the journal's database",
}
"""What goes away by itself or by a person's hand, while we wait; with what to do."""
FULL = "its disk is full; make room there, or name another directory with --state-dir"
NO_ROOM = {sqlite3.SQLITE_FULL: FULL, sqlite3.SQLITE_IOERR_SHMSIZE: FULL}
"""What a full disk is called at the opening; the second for the file by which processes share memory."""
LINE_SAMPLES_MAX = 48_000 * 600
"""No line is longer than ten minutes: how far back a search for what touches a place begins."""


class LedgerUnusable(Exception):
    """The database cannot be used as it is; the text says why and what to do."""

    exit_code = ExitCode.CANNOT_CREATE


class LedgerDamaged(LedgerUnusable):
    """What stands in the database cannot be believed. Whoever opens it next is told so at once."""


class Ledger:
    """One database file, or `:memory:` for simulation."""

    def __init__(self, path: Path | None) -> None:
        self._name = ":memory:" if path is None else str(path)
        self._mark = None if path is None else path.with_name(path.name + MARK)
        self._connections: list[sqlite3.Connection] = []
        try:
            with self._explained():
                if self._mark is not None and self._mark.exists():
                    raise self._damaged("it was found damaged while it was used")
                self._commits = self._connect("FULL")
                self._create()
                self._check()
                self._places = self._commits if path is None else self._connect("NORMAL")
        except LedgerUnusable:
            self.close()
            raise

    def open_stream(self, stream: str, rate: int, beginning: Callable[[], Beginning] = Beginning) -> StreamState:
        """Return the stream's state; one that is not known begins as is said. Nobody else may be using the stream."""
        with self._explained(), self._commits as database:
            query = "SELECT rate, epoch, sequence, session, tail, recovered_until FROM stream WHERE stream = ?"
            if database.execute(query, (stream,)).fetchone() is None:
                self._begin(stream, rate, beginning())
            rate, epoch, sequence, session, tail, recovered_until = database.execute(query, (stream,)).fetchone()
            # Of sessions that are still open, the process died.
            database.execute(
                "UPDATE session SET ended_at = alive_at, verdict = ? WHERE stream = ? AND ended_at IS NULL",
                (INTERRUPTED, stream),
            )
            spans, anchors = self._spans(stream), tuple(self._anchors(stream))
            query = "SELECT coalesce(max(sequence), -1) FROM outbox WHERE (stream, epoch) = (?, ?)"
            (last,) = database.execute(query, (stream, epoch)).fetchone()
            if rate < 1 or min(epoch, session, tail) < 0 or sequence <= last:
                raise self._damaged(f"what it says of the stream {stream!r} contradicts itself")
            statuses = [parsed(line) for (line,) in database.execute(_script(STATUSES), (stream,))]
            troubles = frozenset(standing(reversed(statuses)))
        return StreamState(rate, epoch, sequence, session, tail, spans, anchors, recovered_until, troubles)

    def source_start(self, stream: str, identity: str, tail: int) -> int:
        """Return where a source that can be read again begins on the timeline: where it began, or at the tail."""
        with self._explained(), self._commits as database:
            known = database.execute("SELECT identity, start FROM source WHERE stream = ?", (stream,)).fetchone()
            if known is not None and known[0] == identity:
                start: int = known[1]
                return start
            database.execute("INSERT OR REPLACE INTO source VALUES (?, ?, ?)", (stream, identity, tail))
        return tail

    def streams(self) -> list[tuple[str, int]]:
        """Return the names and rates of all streams."""
        return list(self._commits.execute("SELECT stream, rate FROM stream ORDER BY stream"))

    def commit(self, stream: str, epoch: int, transaction: Transaction) -> None:
        """Write all of it or nothing; durable when it returns. Raises `LedgerStalled` where it may be tried again."""
        with self._at_work(), self._commits as database:
            for change in transaction.changes:
                database.executemany(
                    "DELETE FROM span WHERE stream = ? AND start = ?", [(stream, start) for start in change.removed]
                )
                database.executemany("INSERT INTO span VALUES (?, ?, ?, ?, ?)", _rows(stream, change.added))
            database.executemany(
                "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (stream, epoch, sequence, line, *transaction.spoken.get(sequence, (None, None)))
                    for sequence, line in transaction.lines
                ],
            )
            if transaction.anchors is not None:
                first, anchors = transaction.anchors
                database.execute("DELETE FROM anchor WHERE stream = ? AND position >= ?", (stream, first))
                database.executemany("INSERT INTO anchor VALUES (?, ?, ?, ?, ?, ?, ?)", _rows(stream, anchors))
            database.execute(
                "UPDATE stream SET sequence = ?, session = ?, tail = ? WHERE stream = ?",
                (transaction.sequence, transaction.session, transaction.tail, stream),
            )
            self._write_accounts(stream, transaction.accounts)

    def unprinted(self, stream: str, reader: str, count: int) -> list[tuple[int, int, bytes]]:
        """Return up to `count` records (epoch, sequence, line) that the reader has not seen, in order."""
        read = "SELECT epoch, sequence FROM reader WHERE stream = ? AND reader = ?"
        query = "SELECT epoch, sequence, line FROM outbox WHERE stream = ? AND (epoch, sequence) > (?, ?)"
        with self._at_work():
            place = self._commits.execute(read, (stream, reader)).fetchone() or BEFORE_ALL
            return list(self._commits.execute(f"{query} ORDER BY epoch, sequence LIMIT ?", (stream, *place, count)))

    def spoken(self, stream: str, start: int, end: int) -> list[bytes]:
        """Return the lines whose words touch [start, end), in the order in which they were written."""
        query = "SELECT line FROM outbox WHERE stream = ? AND end > ? AND start > ? AND start < ?"
        place = (stream, start, start - LINE_SAMPLES_MAX, end)
        with self._at_work():
            return [line for (line,) in self._commits.execute(f"{query} ORDER BY epoch, sequence", place)]

    def recent(self, stream: str, count: int) -> list[bytes]:
        """Return the last lines with words, oldest first."""
        query = "SELECT line FROM outbox WHERE stream = ? AND start IS NOT NULL ORDER BY epoch DESC, sequence DESC"
        with self._at_work():
            return [line for (line,) in self._commits.execute(f"{query} LIMIT ?", (stream, count))][::-1]

    def printed(self, stream: str, reader: str, epoch: int, sequence: int) -> None:
        """Move the reader's place behind this record; what the reader has ends with a whole line."""
        with self._at_work(), self._places as database:
            database.execute("INSERT OR REPLACE INTO reader VALUES (?, ?, ?, ?, 0)", (stream, reader, epoch, sequence))

    def printing(self, stream: str, reader: str) -> None:
        """Note that a line is on its way to the reader which an end of the process may cut."""
        with self._at_work(), self._places as database:
            database.execute(
                "INSERT INTO reader VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET cut = 1",
                (stream, reader, *BEFORE_ALL),
            )

    def cut(self, stream: str, reader: str) -> bool:
        """Return whether the reader may have got the beginning of a line only."""
        query = "SELECT 1 FROM reader WHERE stream = ? AND reader = ? AND cut"
        with self._at_work():
            return self._commits.execute(query, (stream, reader)).fetchone() is not None

    def printed_by_all(self, stream: str, count: int) -> list[tuple[int, int, bytes]]:
        """Return the first records (epoch, sequence, line) of the outbox, as far as every reader has them."""
        query = "SELECT epoch, sequence, line FROM outbox WHERE stream = ? AND (epoch, sequence) <= (?, ?)"
        with self._at_work():
            rows = self._commits.execute(f"{query} ORDER BY epoch, sequence LIMIT ?", (*self._slowest(stream), count))
            return list(rows)

    def prune(self, stream: str, epoch: int, sequence: int) -> None:
        """Delete the records up to this one that every reader has."""
        with self._at_work(), self._commits as database:
            place = min((epoch, sequence), self._slowest(stream)[1:])
            database.execute("DELETE FROM outbox WHERE stream = ? AND (epoch, sequence) <= (?, ?)", (stream, *place))
            database.execute("UPDATE stream SET oldest = max(oldest, ?) WHERE stream = ?", (place[1] + 1, stream))

    def close(self) -> None:
        """Close the database; what was committed stays."""
        for connection in reversed(self._connections):
            connection.close()

    def _slowest(self, stream: str) -> tuple[str, int, int]:
        """The stream and the place of the reader that has the least; before all where there is no reader."""
        query = "SELECT epoch, sequence FROM reader WHERE stream = ? ORDER BY epoch, sequence LIMIT 1"
        return (stream, *(self._commits.execute(query, (stream,)).fetchone() or BEFORE_ALL))

    def _connect(self, synchronous: str) -> sqlite3.Connection:
        database = sqlite3.connect(self._name, timeout=5.0, check_same_thread=False)
        self._connections.append(database)
        self._check_format(database)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA synchronous = {synchronous}")
        database.execute("PRAGMA secure_delete = ON")
        database.execute(f"PRAGMA journal_size_limit = {LOG_BYTES_MAX}")
        return database

    def _check_format(self, database: sqlite3.Connection) -> None:
        """Leave what is not ours as it is: a ledger of ours has its tables and its version, a new one neither."""
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version != (SCHEMA_VERSION if database.execute("SELECT 1 FROM sqlite_master").fetchone() else 0):
            said = "is a database of something else; move it away"
            if version:
                said = f"has format {version}, and this stenod reads {SCHEMA_VERSION}; use the version that wrote it"
            raise LedgerUnusable(f"cannot use the ledger {self._name}: it {said}, or use another state directory")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what a failure of the database means, and what to do."""
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # A defect of ours, which no remedy mends.
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0)
            if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise self._damaged(str(error)) from error
            said = NO_ROOM.get(code) or f"{error}; see that its disk has room and that nobody else uses it"
            raise LedgerUnusable(f"cannot use the ledger {self._name}: {said}") from error

    def _damaged(self, reason: str) -> LedgerDamaged:
        if self._mark is not None:
            with suppress(OSError):
                self._mark.touch(0o600)
        remedy = "start again: it will be set aside, and the audio that is left transcribed again"
        return LedgerDamaged(f"the ledger {self._name} is damaged: {reason}; {remedy}")

    def _check(self) -> None:
        """Look for damage, for as long as a start may take."""
        deadline = time.monotonic() + CHECK_SECONDS
        self._commits.set_progress_handler(lambda: time.monotonic() > deadline, CHECK_STEPS)
        try:
            (found,) = self._commits.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_INTERRUPT:
                raise
            return
        finally:
            self._commits.set_progress_handler(None, 0)
        if found != "ok":
            raise self._damaged(" ".join(str(found).split()))

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Tell what passes (`LedgerStalled`) from what does not (`LedgerUnusable`)."""
        with self._explained():
            try:
                yield
            except sqlite3.OperationalError as error:
                remedy = STALLED.get(error.sqlite_errorcode & 0xFF)
                if remedy is None:
                    raise
                raise LedgerStalled(str(error), remedy) from error

    def _create(self) -> None:
        if self._commits.execute("PRAGMA user_version").fetchone() == (0,):
            self._commits.executescript(f"BEGIN; {_script(SCHEMA)} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")

    def _write_accounts(self, stream: str, accounts: Sequence[Account]) -> None:
        """Write accounts anew; where there are too many, the oldest become part of their month's sum."""
        self._commits.executemany(
            "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            _rows(stream, accounts),
        )
        if all(account.ended_at is None for account in accounts):
            return
        query = (
            "SELECT name FROM session WHERE stream = ? AND ended_at IS NOT NULL"
            " ORDER BY length(name) DESC, name DESC LIMIT 1 OFFSET ?"
        )
        for (name,) in self._commits.execute(query, (stream, SESSIONS_MAX)).fetchall():
            for statement in _script(FOLD).split(";\n"):
                self._commits.execute(statement, (stream, name))

    def _begin(self, stream: str, rate: int, beginning: Beginning) -> None:
        numbers = (beginning.epoch, beginning.session, beginning.tail, beginning.recovered_until)
        self._commits.execute(
            "INSERT INTO stream VALUES (?, ?, ?, 0, ?, ?, ?, 0)", (stream, beginning.rate or rate, *numbers)
        )
        self._commits.executemany("INSERT INTO span VALUES (?, ?, ?, ?, ?)", _rows(stream, beginning.spans))
        anchors = _rows(stream, beginning.anchors)
        self._commits.executemany("INSERT INTO anchor VALUES (?, ?, ?, ?, ?, ?, ?)", anchors)

    def _spans(self, stream: str) -> tuple[Settled, ...]:
        query = "SELECT start, end, state, cause FROM span WHERE stream = ? ORDER BY start"
        spans, position = [], 0
        for start, end, state, cause in self._commits.execute(query, (stream,)):
            if not position <= start < end or state not in STATES or cause not in CAUSES:
                raise self._damaged(f"the span at {start} of the stream {stream!r} cannot be")
            spans.append(Settled(start, end, State(state), None if cause is None else Cause(cause)))
            position = end
        return tuple(spans)

    def _anchors(self, stream: str) -> Iterable[Anchor]:
        query = (
            "SELECT position, unix, boottime, pace, boot, synchronised FROM anchor WHERE stream = ? ORDER BY position"
        )
        for position, unix, boottime, pace, boot, synchronised in self._commits.execute(query, (stream,)):
            yield Anchor(
                position=position, unix=unix, boottime=boottime, pace=pace, boot=boot, synchronised=bool(synchronised)
            )


def _script(name: str) -> str:
    return resources.files("stenod.data").joinpath(name).read_text("utf-8")


def _rows(stream: str, things: Iterable[Settled | Anchor | Account]) -> list[tuple[Any, ...]]:
    """Their fields stand in the order of the table's columns."""
    return [(stream, *astuple(one)) for one in things]
