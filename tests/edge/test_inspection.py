"""A journal read from outside, while it is open and after."""

from pathlib import Path

import pytest

from stenod.core.audit import audit
from stenod.core.timeline import State, Timeline
from stenod.core.transaction import Transaction
from stenod.edge.inspection import NoJournal, lines_after, read
from stenod.edge.ledger import Ledger
from stenod.edge.segments import Segments


def journal(directory: Path) -> tuple[Ledger, Segments]:
    """Two samples transcribed, two pending, two lines of which one is printed."""
    ledger = Ledger(directory / "ledger.sqlite")
    ledger.open_stream("desk", 16_000)
    segments = Segments(directory / "desk" / "audio", 100)
    segments.append(0, bytes(8))
    change = Timeline(4).settle(0, 2, State.TRANSCRIBED)
    lines = [(0, b'{"id":"desk-0000-0000000000"}\n'), (1, b'{"id":"desk-0000-0000000001"}\n')]
    ledger.commit("desk", 0, Transaction(changes=[change], lines=lines, sequence=2, session=1, tail=4))
    ledger.printed("desk", "stdout", 0, 0)
    return ledger, segments


def test_a_running_journal_is_read_as_it_is(tmp_path: Path) -> None:
    """The writer is not in the way, and nothing is changed for it."""
    ledger, segments = journal(tmp_path)
    (stock,) = read(tmp_path)
    assert () == audit(stock).faults
    assert {"stdout": 1} == dict(audit(stock).unprinted)
    assert [1] == [sequence for _, sequence, _ in lines_after(tmp_path, "desk", (0, 0))]
    segments.append(4, bytes(3 * 2))
    ledger.printed("desk", "stdout", 0, 1)
    assert 7 == read(tmp_path)[0].stored[-1].end
    ledger.close()
    segments.close()


def test_a_copy_is_as_good(tmp_path: Path) -> None:
    """After a clean end, wherever it lies."""
    ledger, segments = journal(tmp_path / "a") if (tmp_path / "a").mkdir() is None else (None, None)
    ledger.close()
    segments.close()
    (tmp_path / "a").rename(tmp_path / "b?c#d")
    assert "desk" == read(tmp_path / "b?c#d")[0].stream


def test_what_is_no_journal_is_said(tmp_path: Path) -> None:
    """An empty directory, a broken database, a stream that is not there."""
    with pytest.raises(NoJournal, match="there is no journal"):
        read(tmp_path)
    (tmp_path / "ledger.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(NoJournal, match="cannot read"):
        read(tmp_path)
    (tmp_path / "ledger.sqlite").unlink()
    ledger, segments = journal(tmp_path)
    with pytest.raises(NoJournal, match="no stream 'kitchen'"):
        lines_after(tmp_path, "kitchen", (-1, -1))
    ledger.close()
    segments.close()


def test_audio_that_is_being_written_is_counted_in_whole_samples(tmp_path: Path) -> None:
    """And files that are not ours are not counted."""
    ledger, segments = journal(tmp_path)
    ledger.close()
    segments.close()
    audio = tmp_path / "desk" / "audio"
    with next(audio.glob("*.s16le")).open("ab") as file:
        file.write(b"x")
    (audio / "notes.s16le").write_bytes(b"xxxx")
    assert [4] == [span.end for span in read(tmp_path)[0].stored]
