"""A damaged ledger: out of the way with all that belongs to it, nothing deleted, read as far as it goes."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stenod.core.beginning import Salvage
from stenod.edge.ledger import MARK as LEDGERS_MARK
from stenod.edge.ledger import Ledger
from stenod.edge.salvage import MARK, all_aside, orphaned, salvaged, set_aside

MOMENT = "20260131T090000Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a ledger is, with two streams."""
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.open_stream("desk", 16_000)
    ledger.open_stream("hall", 8_000)
    ledger.close()
    return path


def test_everything_that_belongs_to_it_goes_along(path: Path) -> None:
    """Database, log, index; the mark has served. Nothing is overwritten by the next one of the same second."""
    for end in ("-wal", "-shm", MARK):
        path.with_name(path.name + end).write_bytes(end.encode())
    content = path.read_bytes()
    first = set_aside(path, MOMENT)
    path.write_bytes(b"second")
    second = set_aside(path, MOMENT)
    assert [first, second] == all_aside(path)
    assert first.read_bytes() == content
    assert first.with_name(first.name + "-wal").read_bytes() == b"-wal"
    assert first.with_name(first.name + "-shm").read_bytes() == b"-shm"
    assert second.read_bytes() == b"second"
    assert {first.name, second.name, first.name + "-wal", first.name + "-shm"} == {
        one.name for one in path.parent.iterdir()
    }
    assert MARK == LEDGERS_MARK


def test_a_log_without_its_database_is_seen(path: Path) -> None:
    """A crash while they were set aside: it must not meet the next database."""
    assert not orphaned(path)
    path.unlink()
    assert not orphaned(path)
    path.with_name(path.name + "-wal").write_bytes(b"log")
    assert orphaned(path)
    set_aside(path, MOMENT)
    assert not orphaned(path)
    assert all_aside(path) == []


def test_what_can_be_read_is_read(path: Path) -> None:
    """Also with a log beside it, and whatever the first pages say."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE stream SET epoch = 4, session = 9, tail = 700 WHERE stream = 'hall'")
    aside = set_aside(path, MOMENT)
    assert salvaged(aside) == {"desk": Salvage(16_000, 0, 0, 0), "hall": Salvage(8_000, 4, 9, 700)}


@pytest.mark.parametrize("content", [b"", b"garbage" * 999, bytes(40_960)])
def test_what_cannot_be_read_is_nothing(path: Path, content: bytes) -> None:
    """No error, no guess."""
    path.write_bytes(content)
    assert salvaged(path) == {}
    assert salvaged(path.with_name("missing")) == {}
