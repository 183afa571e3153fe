"""A damaged ledger is set aside and the stream goes on: on real files, through the journal, to the audit."""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from fakes.clock import FakeClock
from fakes.journal import inline, status
from fakes.log import FakeLog
from fakes.source import speech
from stenod.core import records
from stenod.core.audit import audit
from stenod.core.timeline import Span, State
from stenod.edge.inspection import read
from stenod.edge.ledger import Ledger, LedgerUnusable
from stenod.edge.segments import Segments
from stenod.recovery import Opened, Recorded, open_ledger
from stenod.tasks.journal import Journal
from stenod.tasks.stored_audio import Keeping

RATE = 8000
STREAM = "room"
SAMPLES_MAX = 8000


class Place:
    """A state directory, as one process after the other finds it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ledger = directory / "ledger.sqlite"
        self.audio = directory / STREAM / "audio"
        self.log = FakeLog()
        self.clock = FakeClock()
        self.opened: Opened | None = None

    def start(self) -> Journal:
        """Open everything as the daemon does."""
        used = self.audio.exists()
        segments = Segments(self.audio, SAMPLES_MAX)
        recorded = Recorded(stream=STREAM, rate=RATE, segments=segments, used=used)
        self.opened = open_ledger(self.ledger, [recorded], self.log, unix=self.clock.wall())
        journal = Journal(
            stream=STREAM,
            state=self.opened.states[STREAM],
            segments=segments,
            ledger=self.opened.ledger,
            clock=self.clock,
            offload=inline,
            log=self.log,
            keeping=Keeping(),
        )
        for told in self.opened.statuses:
            journal.note(told)
        return journal

    async def record(self) -> list[str]:
        """Let a first process work: five seconds, two of them transcribed and gone; return the ids it printed."""
        journal = self.start()
        for start in range(0, 5 * RATE, RATE):
            journal.append(speech(start, RATE))
        written, _ = await journal.commit(
            [status(f"before {n}" * 400) for n in range(50)], [(0, 2 * RATE, State.TRANSCRIBED, None)]
        )
        journal.forget(0.0)
        close(journal)
        return [record.id for record in written]

    def lines(self) -> list[dict[str, Any]]:
        """Return what the present ledger's outbox holds."""
        assert self.opened is not None
        return [records.parsed(line) for _, _, line in self.opened.ledger.unprinted(STREAM, "tests", 9999)]

    @property
    def aside(self) -> list[str]:
        """What was set aside."""
        found = (path.name for path in self.directory.glob("ledger.sqlite.damaged-*"))
        return sorted(name for name in found if not name.endswith(("-wal", "-shm")))


def close(journal: Journal) -> None:
    """Close it and its ledger."""
    journal.close()
    journal._ledger.close()


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def shuffled(data: bytes) -> bytes:
    """Return it with nonsense in the middle."""
    dice = random.Random(7)
    middle = len(data) // 2
    return data[: middle - 9000] + dice.randbytes(18_000) + data[middle + 9000 :]


DAMAGES = {
    "truncated": lambda data: data[: len(data) // 2],
    "one page": lambda data: data[:4096],
    "half a page": lambda data: data[:2000],
    "zeroed header": lambda data: bytes(100) + data[100:],
    "zeroed": lambda data: bytes(len(data)),
    "random bytes": shuffled,
    "something else": lambda _: b"once upon a time " * 1000,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_damaged_ledger_costs_no_audio(
    autojump_clock: trio.abc.Clock, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    """Set aside whole, a new epoch, what is stored pending and marked, a person told; and verify finds it sound."""
    place = Place(tmp_path)
    before = await place.record()
    broken = damage(place.ledger.read_bytes())
    place.ledger.write_bytes(broken)

    journal = place.start()
    assert len(place.aside) == 1
    assert (tmp_path / place.aside[0]).read_bytes() == broken
    assert len(place.log.of("ledger.damaged")) == 1
    assert journal.tail == 5 * RATE
    assert [Span(2 * RATE, 5 * RATE)] == journal.pending(0, journal.tail)
    assert journal.read(2 * RATE, 3 * RATE) == speech(2 * RATE, 3 * RATE)
    assert journal.recovered(5 * RATE - 1)
    assert not journal.recovered(5 * RATE)
    written, _ = await journal.commit([status("after")], [(2 * RATE, 3 * RATE, State.TRANSCRIBED, None)])
    assert max(before) < written[0].id
    assert ["damaged", "here"] == [line["state"] for line in place.lines()]
    assert str(place.aside[0]) in place.lines()[0]["reason"]
    close(journal)
    (found,) = [audit(stock) for stock in read(tmp_path)]
    assert found.faults == ()
    assert found.seconds == {"unknown": 2.0, "transcribed": 1.0, "pending": 2.0}

    again = place.start()
    assert len(place.aside) == 1
    assert again.recovered(5 * RATE - 1)
    assert [Span(3 * RATE, 5 * RATE)] == again.pending(0, again.tail)
    close(again)


@pytest.mark.parametrize("how", ["deleted", "emptied", "with its log left"])
async def test_a_ledger_that_is_gone(autojump_clock: trio.abc.Clock, tmp_path: Path, how: str) -> None:
    """The audio says that there was one: no id is used again, and nothing stored is lost."""
    place = Place(tmp_path)
    before = await place.record()
    if how == "emptied":
        place.ledger.write_bytes(b"")
    else:
        place.ledger.unlink()
    if how == "with its log left":
        (tmp_path / "ledger.sqlite-wal").write_bytes(b"the log of the one that is gone" * 99)
    journal = place.start()
    assert [Span(2 * RATE, 5 * RATE)] == journal.pending(0, journal.tail)
    written, _ = await journal.commit([status("after")])
    assert max(before) < written[0].id
    assert place.opened is not None
    (told,) = place.opened.statuses
    assert "gone" in told.reason
    assert told.remedy.startswith("look after the disk")  # no file was set aside
    close(journal)


@pytest.mark.parametrize("how", ["no page", "a page", "no stream"])
async def test_a_start_that_came_to_nothing_is_no_loss(
    autojump_clock: trio.abc.Clock, tmp_path: Path, how: str
) -> None:
    """Killed, or out of room, before the ledger knew the stream: the next one begins as the first does."""
    place = Place(tmp_path)
    if how == "no page":
        place.ledger.touch()
    elif how == "a page":
        database = sqlite3.connect(place.ledger)
        database.execute("PRAGMA journal_mode = WAL")
        database.close()
    else:
        Ledger(place.ledger).close()
    journal = place.start()
    assert place.opened is not None
    assert ((), [], []) == (place.opened.statuses, place.log.lines, place.aside)
    written, _ = await journal.commit([status("first")])
    assert f"{STREAM}-0000-0000000000" == written[0].id
    close(journal)
    place.ledger.unlink()
    close(place.start())
    assert ["damaged"] == [told.state for told in place.opened.statuses], "but one that it knew is"


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("step", ["_create", "_begin"])
async def test_a_beginning_without_room_leaves_what_it_found(
    autojump_clock: trio.abc.Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool, step: str
) -> None:
    """Half a ledger would look like a lost one; one that was there stays. On a full disk: real/test_small_disk."""
    place = Place(tmp_path)
    if there:
        Ledger(place.ledger).close()
    before = contents(tmp_path)

    def full(ledger: Ledger, *_: object) -> None:
        ledger._commits.execute("PRAGMA max_page_count = 1")
        ledger._commits.execute("CREATE TABLE more (one)")

    monkeypatch.setattr(Ledger, step, full)
    with pytest.raises(LedgerUnusable, match="its disk is full; make room there, or name another directory"):
        place.start()
    assert before == contents(tmp_path)


async def test_damage_upon_damage(autojump_clock: trio.abc.Clock, tmp_path: Path) -> None:
    """Each one is kept, and each epoch is higher than those before, whatever could be read."""
    place = Place(tmp_path)
    highest = max(await place.record())
    for number, damage in enumerate([shuffled, DAMAGES["zeroed"], shuffled, DAMAGES["half a page"]]):
        place.ledger.write_bytes(damage(place.ledger.read_bytes()))
        journal = place.start()
        written, _ = await journal.commit([status("x" * 2000) for _ in range(50)])
        assert highest < written[0].id
        highest = max(record.id for record in written)
        assert journal.pending(0, journal.tail)
        close(journal)
        assert len(place.aside) == number + 1


async def test_damage_that_shows_at_work_is_mended_by_the_next_start(
    autojump_clock: trio.abc.Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends with a sentence; the restart does not have to find the damage again."""
    place = Place(tmp_path)
    before = await place.record()
    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "_check", lambda _: None)
        journal = place.start()
        with place.ledger.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (place.ledger.stat().st_size - 4096))
        place.opened.ledger._commits.execute("PRAGMA shrink_memory")
        with pytest.raises(LedgerUnusable, match=r"is damaged: .*start again"):
            await journal.commit([status("x" * 4000) for _ in range(99)])
        place.opened.ledger.close()
        journal = place.start()
    assert len(place.aside) >= 1
    written, _ = await journal.commit([status("after")])
    assert max(before) < written[0].id
    assert [Span(2 * RATE, 5 * RATE)] == journal.pending(0, journal.tail)
    close(journal)


@pytest.mark.parametrize("found", ["at the opening", "in the second stream"])
async def test_several_streams_go_on_in_the_same_ledger(
    autojump_clock: trio.abc.Clock, tmp_path: Path, found: str
) -> None:
    """Whichever of them shows the damage: it is set aside once, all begin anew, and each is told."""
    place = Place(tmp_path)
    streams = [
        Recorded(stream=stream, rate=RATE, segments=Segments(tmp_path / stream / "audio", SAMPLES_MAX), used=used)
        for used in (False, True)
        for stream in ("hall", STREAM)
    ]
    first = open_ledger(place.ledger, streams[:2], place.log, unix=1.0)
    assert (["hall", STREAM], ()) == (list(first.states), first.statuses)
    if found == "in the second stream":
        first.ledger._commits.execute("INSERT INTO span VALUES (?, 5, 3, 'quiet', NULL)", (STREAM,))
        first.ledger._commits.commit()
    first.ledger.close()
    if found == "at the opening":
        place.ledger.write_bytes(shuffled(place.ledger.read_bytes()))
    second = open_ledger(place.ledger, streams[2:], place.log, unix=2.0)
    assert [1, 1] == [state.epoch for state in second.states.values()]
    assert ["hall", STREAM] == [status.stream for status in second.statuses]
    assert len(place.aside) == 1
    second.ledger.close()
