"""A journal read from outside: nothing is written, not even to a running one.

SQLite's read-only mode with one read transaction gives one consistent state of the ledger; the files are listed after
it, so audio that came meanwhile shows as pending. Half a sample at a file's end is audio being written.

Also who reads a write-ahead log has to put an index beside it. Where that may not be (a journal of somebody else, a
read-only disk) and nobody runs who has one, a private copy of the ledger is read.
"""

import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stenod.core import records
from stenod.core.accounts import Account, Sum
from stenod.core.audit import Stock
from stenod.core.chronology import Anchor
from stenod.core.overview import Survey
from stenod.core.timeline import Cause, Settled, Span, State
from stenod.core.verdict import ExitCode

LEDGER_NAME = "ledger.sqlite"
UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
BEFORE_ALL = (0, -1)
"""Where no record is before."""
ACCOUNTS_SHOWN = 5
STATUSES_SHOWN = 5
"""And the last one of each subject besides: what is wrong is still wrong when others have talked since."""
ACCOUNT_FIELDS = [field.name for field in fields(Account)]
ACCOUNTS = """
SELECT name, provider, opened_at, ready_at, alive_at, ended_at, audio, overlap, billed_seconds, cost, verdict, code
FROM session WHERE stream = ? ORDER BY length(name) DESC, name DESC LIMIT ?
"""
SUMS = """
SELECT provider, count(*), count(ready_at), sum(audio), sum(overlap), sum(billed_seconds), sum(cost),
    sum(iif(cost IS NULL, billed_seconds, 0.0))
FROM session WHERE stream = ?1 GROUP BY provider
UNION ALL
SELECT provider, openings, sessions, audio, overlap, billed_seconds, cost, unpriced_seconds
FROM session_month WHERE stream = ?1
"""
STATUSES = "statuses.sql"
"""In `stenod.data`."""


class NoJournal(Exception):
    """There is no journal to look at; one sentence."""

    exit_code = ExitCode.NO_INPUT


class DamagedJournal(NoJournal):
    """The ledger is there and cannot be trusted; one sentence."""

    exit_code = 1


def read(directory: Path) -> list[Stock]:
    """Return what each stream of a state directory holds; raises `NoJournal`, and `DamagedJournal` where it is torn."""
    with _opened(directory) as database:
        database.execute("BEGIN")
        (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise DamagedJournal(_damaged(directory, found))
        names = database.execute("SELECT stream, rate, tail, sequence, oldest FROM stream ORDER BY stream").fetchall()
        return [_stock(database, directory, *row) for row in names]


def lines_after(directory: Path, stream: str, place: tuple[int, int]) -> list[tuple[int, int, bytes]]:
    """Return the records (epoch, sequence, line) behind a place in a stream's outbox; raises `NoJournal`."""
    with _opened(directory) as database:
        known = database.execute("SELECT epoch, oldest FROM stream WHERE stream = ?", (stream,)).fetchone()
        if known is None:
            names = database.execute("SELECT stream FROM stream ORDER BY stream").fetchall()
            raise NoJournal(_no_stream(stream, directory, [name for (name,) in names]))
        epoch, oldest = known
        if oldest and BEFORE_ALL <= place < (epoch, oldest - 1):
            raise NoJournal(_pruned(*(records.record_id(stream, epoch, number) for number in (oldest - 1, oldest))))
        newest = "SELECT epoch, sequence FROM outbox WHERE stream = ? ORDER BY epoch DESC, sequence DESC LIMIT 1"
        last = database.execute(newest, (stream,)).fetchone() or (epoch, oldest - 1)
        if place > max(last, BEFORE_ALL):
            raise NoJournal(_not_yet(stream, place, last))
        query = (
            "SELECT epoch, sequence, line FROM outbox WHERE stream = ? AND (epoch, sequence) > (?, ?)"
            " ORDER BY epoch, sequence"
        )
        return list(database.execute(query, (stream, *place)))


def survey(directory: Path, stream: str | None = None) -> list[Survey]:
    """Return what each stream, or one, has to show at a glance; raises `NoJournal`."""
    with _opened(directory) as database:
        database.execute("BEGIN")
        known = database.execute("SELECT stream, rate, tail FROM stream ORDER BY stream").fetchall()
        chosen = [row for row in known if stream in (None, row[0])]
        if stream is not None and not chosen:
            raise NoJournal(_no_stream(stream, directory, [name for name, _, _ in known]))
        return [_survey(database, directory, *row) for row in chosen]


@contextmanager
def _opened(directory: Path) -> Iterator[sqlite3.Connection]:
    path = directory / LEDGER_NAME
    try:
        there = path.is_file()
        # Asked, not opened: closing it would end the locks that this process has on it.
        if there and not os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    except OSError as error:
        raise NoJournal(_unreadable(directory, error)) from error
    if not there:
        message = f"there is no journal in {directory}: name the directory of a run with --state-dir"
        raise NoJournal(message)
    try:
        with _connected(path) as database:
            _check(database, directory)
            yield database
    except OSError as error:
        raise NoJournal(_unreadable(directory, error)) from error
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise DamagedJournal(_damaged(directory, str(error))) from error
        message = f"cannot read the journal in {directory}: {error}"
        raise NoJournal(message) from error


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    with ExitStack() as stack:
        database = stack.enter_context(closing(_reader(path)))
        try:
            database.execute("PRAGMA schema_version")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in UNWRITABLE:
                raise
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stenod-")))
            for one in (path, path.with_name(f"{path.name}-wal")):
                if one.exists():
                    shutil.copyfile(one, place / one.name)
            database = stack.enter_context(closing(_reader(place / path.name)))
        yield database


def _check(database: sqlite3.Connection, directory: Path) -> None:
    """Raise `NoJournal` for a database that holds nothing, or something else."""
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "stream" in tables:
        return
    if tables:
        message = f"{directory / LEDGER_NAME} is no ledger of stenod's, but a database of something else"
        raise NoJournal(f"{message}; name the directory of a run with --state-dir")
    if any(directory.glob("*/audio")):
        message = f"the ledger in {directory} is empty; the next run begins it anew and transcribes the audio again"
        raise DamagedJournal(message)
    message = f"there is no journal in {directory} yet, its ledger is empty; look again when a run has begun there"
    raise NoJournal(message)


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True, timeout=5.0)


def _pruned(last: str, first: str) -> str:
    return (
        f"the lines up to {last} are no longer in the journal (output.outbox_days), so what came after that id is not "
        f"all there; the first that is left is {first}: go on with --since {last}, or without it"
    )


def _not_yet(stream: str, place: tuple[int, int], last: tuple[int, int]) -> str:
    newest = f"the newest is {records.record_id(stream, *last)}" if last[1] >= 0 else "there is none yet"
    return f"there is no record {records.record_id(stream, *place)} in this journal: {newest}; check id and --state-dir"


def _no_stream(stream: str, directory: Path, known: Sequence[str]) -> str:
    there = f"; there is {', '.join(known)}" if known else ""
    return f"there is no stream {stream!r} in {directory}{there}"


def _survey(database: sqlite3.Connection, directory: Path, stream: str, rate: int, tail: int) -> Survey:
    script = resources.files("stenod.data").joinpath(STATUSES).read_text()
    statuses = database.execute(script, (stream,)).fetchall()
    accounts = database.execute(ACCOUNTS, (stream, ACCOUNTS_SHOWN)).fetchall()
    anchors = database.execute("SELECT position, unix, pace FROM anchor WHERE stream = ? ORDER BY position", (stream,))
    return Survey(
        stream=stream,
        rate=rate,
        tail=tail,
        spans=_settled(database, stream),
        anchors=[Anchor(position=position, unix=unix, pace=pace) for position, unix, pace in anchors],
        accounts=[Account(**dict(zip(ACCOUNT_FIELDS, row, strict=True))) for row in reversed(accounts)],
        sums=[_sum(row, rate) for row in database.execute(SUMS, (stream,))],
        statuses=_shown([records.parsed(line) for (line,) in statuses]),
        records=_records_after(database, stream, BEFORE_ALL),
        waiting={
            reader: _records_after(database, stream, place) for reader, place in _places(database, stream).items()
        },
        stored=_stored(directory / stream / "audio"),
    )


def _shown(statuses: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is shown of status records that come newest first, oldest first."""
    subjects: set[Any] = set()
    shown = []
    for number, status in enumerate(statuses):
        if number < STATUSES_SHOWN or status.get("subject") not in subjects:
            shown.append(status)
        subjects.add(status.get("subject"))
    return shown[::-1]


def _records_after(database: sqlite3.Connection, stream: str, place: tuple[int, int]) -> int:
    """Return how many records lie behind a place; within an epoch they have no holes, so no line need be read."""
    after = "FROM outbox WHERE stream = ? AND (epoch, sequence) > (?, ?) ORDER BY epoch"
    first = database.execute(f"SELECT epoch, sequence {after}, sequence LIMIT 1", (stream, *place)).fetchone()
    last = database.execute(f"SELECT epoch, sequence {after} DESC, sequence DESC LIMIT 1", (stream, *place)).fetchone()
    if first is None:
        return 0
    if first[0] == last[0]:
        return int(last[1] - first[1] + 1)
    return int(database.execute(f"SELECT count(*) {after}", (stream, *place)).fetchone()[0])


def _sum(row: tuple[Any, ...], rate: int) -> Sum:
    provider, openings, sessions, audio, overlap, billed_seconds, cost, unpriced_seconds = row
    return Sum(
        provider=provider,
        openings=openings,
        sessions=sessions,
        audio_seconds=audio / rate,
        overlap_seconds=overlap / rate,
        billed_seconds=billed_seconds,
        cost=cost,
        unpriced_seconds=unpriced_seconds,
    )


def _stock(
    database: sqlite3.Connection, directory: Path, stream: str, rate: int, tail: int, sequence: int, oldest: int
) -> Stock:
    lines = database.execute(
        "SELECT epoch, sequence, line FROM outbox WHERE stream = ? ORDER BY epoch, sequence", (stream,)
    ).fetchall()
    return Stock(
        stream=stream,
        rate=rate,
        tail=tail,
        sequence=sequence,
        oldest=oldest,
        spans=_settled(database, stream),
        stored=_stored(directory / stream / "audio"),
        lines=lines,
        places=_places(database, stream),
    )


def _settled(database: sqlite3.Connection, stream: str) -> list[Settled]:
    rows = database.execute("SELECT start, end, state, cause FROM span WHERE stream = ? ORDER BY start", (stream,))
    return [
        Settled(start, end, State(state), None if cause is None else Cause(cause)) for start, end, state, cause in rows
    ]


def _places(database: sqlite3.Connection, stream: str) -> dict[str, tuple[int, int]]:
    rows = database.execute("SELECT reader, epoch, sequence FROM reader WHERE stream = ?", (stream,))
    return {reader: (epoch, sequence) for reader, epoch, sequence in rows}


def _stored(directory: Path) -> list[Span]:
    found = []
    for path in sorted(directory.glob("*.s16le")):
        name = path.name.removesuffix(".s16le")
        try:
            count = path.stat().st_size // 2
        except FileNotFoundError:
            continue
        if name.isdigit() and count:
            found.append(Span(int(name), int(name) + count))
    return found


def ledger_bytes(directory: Path) -> int:
    """Return what the database takes on the disk, its write-ahead log included."""
    return sum(path.stat().st_size for path in directory.glob(f"{LEDGER_NAME}*"))


def whose(path: Path) -> str:
    """Return the user to whom a path belongs, or as much of it as can be looked at."""
    for one in (path, *path.absolute().parents):
        with suppress(OSError, KeyError):
            return one.owner()
    return "root"


def _unreadable(directory: Path, error: OSError) -> str:
    remedy = ""
    if isinstance(error, PermissionError):
        remedy = f"; ask as its user: `sudo -u {whose(Path(error.filename or directory))} stenod …`"
    return f"cannot read the journal in {directory}: {error.strerror}{remedy}"


def _damaged(directory: Path, found: str) -> str:
    first = found.strip().splitlines()[-1]
    return f"the ledger in {directory} is damaged ({first}); the next run sets it aside and transcribes the audio again"
