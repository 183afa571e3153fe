"""A journal read from outside: nothing is written, not even to a running one.

SQLite's read-only mode with one read transaction gives one consistent state of the ledger; the files are listed after
it, so audio that came meanwhile shows as pending. Half a sample at a file's end is audio being written.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from stenod.core.audit import Stock
from stenod.core.timeline import Cause, Settled, Span, State
from stenod.core.verdict import ExitCode

LEDGER_NAME = "ledger.sqlite"


class NoJournal(Exception):
    """There is no journal to look at; one sentence."""

    exit_code = ExitCode.NO_INPUT


def read(directory: Path) -> list[Stock]:
    """Return what each stream of a state directory holds; raises `NoJournal`."""
    with _opened(directory) as database:
        database.execute("BEGIN")
        names = database.execute("SELECT stream, rate, tail, sequence FROM stream ORDER BY stream").fetchall()
        return [_stock(database, directory, *row) for row in names]


def lines_after(directory: Path, stream: str, place: tuple[int, int]) -> list[tuple[int, int, bytes]]:
    """Return the records (epoch, sequence, line) behind a place in a stream's outbox; raises `NoJournal`."""
    with _opened(directory) as database:
        if database.execute("SELECT 1 FROM stream WHERE stream = ?", (stream,)).fetchone() is None:
            message = f"there is no stream {stream!r} in {directory}"
            raise NoJournal(message)
        query = (
            "SELECT epoch, sequence, line FROM outbox WHERE stream = ? AND (epoch, sequence) > (?, ?)"
            " ORDER BY epoch, sequence"
        )
        return list(database.execute(query, (stream, *place)))


@contextmanager
def _opened(directory: Path) -> Iterator[sqlite3.Connection]:
    path = directory / LEDGER_NAME
    if not path.is_file():
        message = f"there is no journal in {directory}: name the directory of a run with --state-dir"
        raise NoJournal(message)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True, timeout=5.0)) as database:
            yield database
    except sqlite3.Error as error:
        message = f"cannot read the journal in {directory}: {error}"
        raise NoJournal(message) from error


def _stock(database: sqlite3.Connection, directory: Path, stream: str, rate: int, tail: int, sequence: int) -> Stock:
    spans = database.execute("SELECT start, end, state, cause FROM span WHERE stream = ? ORDER BY start", (stream,))
    settled = [
        Settled(start, end, State(state), None if cause is None else Cause(cause)) for start, end, state, cause in spans
    ]
    lines = database.execute(
        "SELECT epoch, sequence, line FROM outbox WHERE stream = ? ORDER BY epoch, sequence", (stream,)
    ).fetchall()
    places: Mapping[str, tuple[int, int]] = {
        reader: (epoch, place)
        for reader, epoch, place in database.execute(
            "SELECT reader, epoch, sequence FROM reader WHERE stream = ?", (stream,)
        )
    }
    return Stock(
        stream=stream,
        rate=rate,
        tail=tail,
        sequence=sequence,
        spans=settled,
        stored=_stored(directory / stream / "audio"),
        lines=lines,
        places=places,
    )


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
