"""A journal read from outside, while it is open and after."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from stenod.core import records
from stenod.core.accounts import Account
from stenod.core.audit import audit
from stenod.core.chronology import Anchor
from stenod.core.timeline import State, Timeline
from stenod.core.transaction import Transaction
from stenod.edge.inspection import DamagedJournal, NoJournal, ledger_bytes, lines_after, read, survey
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


@pytest.mark.parametrize("killed", [False, True])
def test_where_nobody_may_write_it_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch, killed: bool) -> None:
    """What a clean end leaves, and a crash, with lines in the write-ahead log; nothing is put beside it, nor left."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as place:
        path, copy = Path(place) / "a", Path(place) / "b"
        path.mkdir()
        ledger, segments = journal(path)
        if not killed:
            ledger.close()
        shutil.copytree(path, copy, ignore=shutil.ignore_patterns("*-shm"))
        ledger.close()
        segments.close()
        Path(place).chmod(0o755)
        for one in (copy, *copy.rglob("*")):
            one.chmod(0o555 if one.is_dir() else 0o444)
        before = sorted(copy.rglob("*"))
        spare = Path(place) / "spare"
        spare.mkdir()
        spare.chmod(0o777)
        monkeypatch.setattr(tempfile, "tempdir", str(spare))
        os.seteuid(65534 if user == 0 else user)
        try:
            (stock,) = read(copy)
            assert () == audit(stock).faults
            assert 2 == len(stock.lines) == len(lines_after(copy, "desk", (0, -1)))
        finally:
            os.seteuid(user)
        assert before == sorted(copy.rglob("*"))
        assert [] == list(spare.iterdir())
        for one in (copy, *copy.rglob("*")):
            one.chmod(0o755)


def test_what_is_no_journal_is_said(tmp_path: Path) -> None:
    """An empty directory, a broken database, a stream that is not there."""
    with pytest.raises(NoJournal, match="there is no journal"):
        read(tmp_path)
    (tmp_path / "ledger.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(DamagedJournal, match="is damaged"):
        read(tmp_path)
    (tmp_path / "ledger.sqlite").unlink()
    ledger, segments = journal(tmp_path)
    with pytest.raises(NoJournal, match=r"no stream 'kitchen' in .*; there is desk"):
        lines_after(tmp_path, "kitchen", (-1, -1))
    ledger.close()
    segments.close()


LOOKS = (read, survey, lambda directory: lines_after(directory, "desk", (0, -1)))


@pytest.mark.parametrize("look", LOOKS)
def test_a_ledger_that_holds_nothing_of_ours(tmp_path: Path, look: Callable[[Path], object]) -> None:
    """What it is, and what becomes of it: empty, empty beside audio, of something else."""
    ledger = tmp_path / "ledger.sqlite"
    ledger.touch()
    with pytest.raises(NoJournal, match=r"no journal in .* yet, its ledger is empty; look again") as caught:
        look(tmp_path)
    assert 66 == caught.value.exit_code
    (tmp_path / "desk" / "audio").mkdir(parents=True)
    with pytest.raises(DamagedJournal, match="is empty; the next run begins it anew and transcribes the audio again"):
        look(tmp_path)
    with closing(sqlite3.connect(ledger)) as database:
        database.execute("CREATE TABLE x (a)")
    with pytest.raises(NoJournal, match="is no ledger of stenod's, but a database of something else; name") as caught:
        look(tmp_path)
    assert 66 == caught.value.exit_code


def test_a_record_that_never_was(tmp_path: Path) -> None:
    """An id from another journal is no reason to print nothing and call it done."""
    ledger, segments = journal(tmp_path)
    with pytest.raises(NoJournal, match=r"no record desk-0000-0000000041.*the newest is desk-0000-0000000001"):
        lines_after(tmp_path, "desk", (0, 41))
    assert [] == lines_after(tmp_path, "desk", (0, 1))
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


def test_what_is_wrong_is_shown_whoever_talked_since(tmp_path: Path) -> None:
    """The last five status records, and before them the last one of each other subject."""
    ledger, _ = journal(tmp_path)
    subjects = ["level", "level", "device", *["provider"] * 9]
    lines = [
        (2 + number, records.line(records.Status(stream="desk", at="", subject=subject, state=str(number), reason="")))
        for number, subject in enumerate(subjects)
    ]
    ledger.commit("desk", 0, Transaction(lines=lines, sequence=2 + len(lines), session=1, tail=4))
    (found,) = survey(tmp_path, "desk")
    assert ["1", "2", "7", "8", "9", "10", "11"] == [one["state"] for one in found.statuses]


def test_a_survey_has_the_last_and_the_sums(tmp_path: Path) -> None:
    """Sessions one by one and of folded months together; status records among others; what a reader waits for."""
    ledger, segments = journal(tmp_path)
    status = records.Status(stream="desk", at="", subject="provider", state="lost", reason="")
    lines = [(2, records.line(status)), (3, b'{"type":"final"}\n')]
    account = Account(
        name="desk-000001",
        provider="toy",
        opened_at=1.0,
        ready_at=2.0,
        alive_at=9.0,
        ended_at=None,
        audio=16_000,
        overlap=0,
        billed_seconds=7.0,
        cost=None,
    )
    transaction = Transaction(
        lines=lines,
        sequence=4,
        session=1,
        tail=4,
        anchors=(0, [Anchor(position=0, unix=5.0, boottime=3.0, pace=0.5, boot="b")]),
        accounts=[account],
    )
    ledger.commit("desk", 0, transaction)
    ledger._commits.execute("INSERT INTO session_month VALUES ('desk', 'toy', '2026-01', 3, 2, 32000, 0, 5.0, 1.0, 0)")
    ledger._commits.commit()
    (found,) = survey(tmp_path, "desk")
    assert [account] == list(found.accounts)
    assert [(1, 1, 1.0, 7.0, None), (3, 2, 2.0, 5.0, 1.0)] == [
        (one.openings, one.sessions, one.audio_seconds, one.billed_seconds, one.cost) for one in found.sums
    ]
    assert ["lost"] == [one["state"] for one in found.statuses]
    assert (4, {"stdout": 3}) == (found.records, dict(found.waiting))
    assert [Anchor(position=0, unix=5.0, pace=0.5)] == found.anchors
    ledger.commit("desk", 1, Transaction(lines=[(0, b"{}\n"), (1, b"{}\n")], sequence=2, session=1, tail=4))
    (later,) = survey(tmp_path)
    assert (6, {"stdout": 5}) == (later.records, dict(later.waiting))
    ledger.printed("desk", "stdout", 1, 1)
    assert {"stdout": 0} == dict(survey(tmp_path)[0].waiting)
    assert ledger_bytes(tmp_path) >= (tmp_path / "ledger.sqlite").stat().st_size > 0
    with pytest.raises(NoJournal, match=r"no stream 'kitchen' in .*; there is desk"):
        survey(tmp_path, "kitchen")
    ledger.close()
    segments.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("forbidden", ["a", "a/ledger.sqlite"])
def test_a_journal_of_somebody_else_is_said_to_be(forbidden: str) -> None:
    """A service's directory is its own: one sentence, and whom to ask as."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "a"
        path.mkdir()
        ledger, segments = journal(path)
        ledger.close()
        segments.close()
        Path(place).chmod(0o755)
        (Path(place) / forbidden).chmod(0)
        os.seteuid(65534)
        try:
            for look in LOOKS:
                with pytest.raises(NoJournal, match=r"Permission denied; ask as its user: `sudo -u root stenod …`$"):
                    look(path)
        finally:
            os.seteuid(0)


def test_a_ledger_torn_in_its_middle_is_not_sound(tmp_path: Path) -> None:
    """Also where the rows that are looked at can still be read."""
    ledger, segments = journal(tmp_path)
    for number in range(2, 400):
        ledger.commit("desk", 0, Transaction(lines=[(number, b"x" * 900)], sequence=number + 1, session=1, tail=4))
    ledger.close()
    segments.close()
    path = tmp_path / "ledger.sqlite"
    torn = bytearray(path.read_bytes())
    torn[len(torn) // 2 : len(torn) // 2 + 6000] = bytes(6000)
    path.write_bytes(torn)
    with pytest.raises(DamagedJournal) as raised:
        read(tmp_path)
    assert raised.value.exit_code == 1
