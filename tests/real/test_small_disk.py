"""A disk of one megabyte, really full: no audio is refused silently, nothing that was promised is lost."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trio.testing
from daemon import PROGRAM, environment_in
from printed import NOWHERE
from server import ANY_KEY

from fakes.clock import FakeClock
from fakes.journal import inline, status
from fakes.log import FakeLog
from fakes.source import speech
from stenod.core.audit import audit
from stenod.core.outage import WAIT_SECONDS
from stenod.core.retention import RetentionLimits
from stenod.core.timeline import State
from stenod.edge.inspection import read
from stenod.edge.ledger import Ledger
from stenod.edge.output import Output
from stenod.edge.output_file import OutputFile, OutputUnusable
from stenod.edge.reserve import Reserve
from stenod.edge.segments import Segments
from stenod.recovery import Recorded, open_ledger
from stenod.tasks.journal import Journal
from stenod.tasks.stored_audio import Keeping

RATE = 8000
STREAM = "room"
DISK_BYTES = 1 << 20
PAGE_BYTES = 4096


@pytest.fixture
def disk(request: pytest.FixtureRequest, tmp_path: Path, missing: Callable[[str], None]) -> Iterator[Path]:
    """Mount a small file system; needs root."""
    made = subprocess.run(
        [
            "mount",
            "-t",
            "tmpfs",
            "-o",
            f"size={getattr(request, 'param', DISK_BYTES)},mode=0700",
            "tmpfs",
            str(tmp_path),
        ],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        missing(f"cannot mount: {made.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def opened(disk: Path, keeping: Keeping | None = None) -> Journal:
    """Open the journal there as the daemon does."""
    log, clock, folder = FakeLog(), FakeClock(), disk / STREAM / "audio"
    used = folder.exists()
    segments = Segments(folder, RATE)
    recorded = Recorded(stream=STREAM, rate=RATE, segments=segments, used=used)
    found = open_ledger(disk / "ledger.sqlite", [recorded], log, unix=clock.wall())
    assert found.statuses == ()
    return Journal(
        stream=STREAM,
        state=found.states[STREAM],
        segments=segments,
        ledger=found.ledger,
        clock=clock,
        offload=inline,
        log=log,
        keeping=keeping or Keeping(),
        reserve=Reserve(disk / "reserve", DISK_BYTES // 8),
    )


def close(journal: Journal) -> None:
    """Close it and its ledger."""
    journal.close()
    journal._ledger.close()


async def record(journal: Journal, seconds: int) -> None:
    """Append in real time, as capture does."""
    for _ in range(10 * seconds):
        journal.append(speech(journal.tail, RATE // 10))
        await trio.sleep(0.1)


def fill(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def checked(disk: Path, journal: Journal) -> None:
    """Close it, and hold that it is sound, and that what is pending can be read."""
    for span in journal.pending(0, journal.tail):
        assert journal.read(span.start, span.count) == speech(span.start, span.count)
    close(journal)
    (found,) = [audit(stock) for stock in read(disk)]
    assert found.faults == ()


def states(journal: Journal) -> list[str]:
    """Return what a person was told of the journal."""
    rows = journal._ledger.unprinted(STREAM, "tests", 9999)
    return [state for state in ("lost", "back") for _, _, line in rows if f'"{state}"'.encode() in line]


async def test_a_disk_that_fills_up(autojump_clock: trio.abc.Clock, disk: Path) -> None:
    """Audio is lost and told while there is no room, and comes back by itself when there is."""
    journal = opened(disk)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.maintain, 1.0)
        await record(journal, 120)
        assert journal.tail == 120 * RATE
        stored = journal.pending(0, journal.tail)[0].end
        assert stored < 70 * RATE
        await journal.commit([], [(0, stored, State.TRANSCRIBED, None)])
        await record(journal, 45)
        assert journal.tail == 165 * RATE
        await trio.sleep(WAIT_SECONDS[-1])
        nursery.cancel_scope.cancel()
    back = journal.pending(0, journal.tail)[0]
    assert back.start < 160 * RATE
    assert back.end == journal.tail
    assert ["lost", "back"] == states(journal)
    checked(disk, journal)


async def test_a_ledger_without_room(autojump_clock: trio.abc.Clock, disk: Path) -> None:
    """Commits wait for room, none is lost, and memory and ledger are equal."""
    journal = opened(disk)
    filler = disk / "filler"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.maintain, 1.0)
        await record(journal, 5)
        fill(filler)
        big = [status("x" * 40_000) for _ in range(5)]
        nursery.start_soon(journal.commit, big, [(0, RATE, State.TRANSCRIBED, None)])
        await record(journal, 30)
        assert len(journal._ledger.unprinted(STREAM, "tests", 9)) <= 1, "only what the reserve had room for"
        filler.unlink()
        await record(journal, 20)
        await trio.sleep(WAIT_SECONDS[-1])
        nursery.cancel_scope.cancel()
    assert len([line for *_, line in journal._ledger.unprinted(STREAM, "tests", 99) if len(line) > 40_000]) == 5
    assert ["lost", "back"] == states(journal)
    settled = journal.settled()
    checked(disk, journal)
    again = opened(disk)
    assert settled == again.settled()
    again.close()


@pytest.mark.parametrize("disk", [8 * DISK_BYTES], indirect=True)
async def test_the_floor_holds(autojump_clock: trio.abc.Clock, disk: Path) -> None:
    """With limits the disk never gets full: the oldest goes in time."""
    journal = opened(disk, Keeping(limits=RetentionLimits(free_bytes_min=4 * DISK_BYTES)))
    least = 8 * DISK_BYTES
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.maintain, 10.0)
        for _ in range(100):
            journal.append(bytes(2 * 10 * RATE))
            await trio.sleep(10.0)
            least = min(least, os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize)
        nursery.cancel_scope.cancel()
    assert least > 3 * DISK_BYTES
    close(journal)
    (found,) = [audit(stock) for stock in read(disk)]
    assert found.faults == ()
    assert set(found.seconds) == {"gap:retention", "pending"}


@pytest.mark.parametrize("disk", [16_384], indirect=True)
async def test_an_output_without_room(disk: Path) -> None:
    """Whoever holds on waits: a line goes on where it stopped when there is room, and nobody's comes in between."""
    log, filler = FakeLog(), disk / "filler"
    filler.write_bytes(bytes(8192))
    descriptor = os.open(disk / "lines", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    output = Output(descriptor, log=log)
    long, short = b"l" * 10_000 + b"\n", b"s\n"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.write, long)
        with trio.fail_after(10):
            while not log.lines:  # noqa: ASYNC110 - it is a thread that finds out
                await trio.sleep(0.01)
        nursery.start_soon(output.write, short)
        await trio.testing.wait_all_tasks_blocked()
        filler.unlink()
    os.close(descriptor)
    assert (disk / "lines").read_bytes() == long + short
    assert [event for _, event, _ in log.lines] == ["output.lost", "output.back"]


@pytest.mark.parametrize("disk", [32_768], indirect=True)
async def test_a_file_that_is_moved_while_its_line_waits(disk: Path) -> None:
    """The line is whole in the new file, and its half ends the old one: a reader skips what is no line."""
    log, filler, path, old = FakeLog(), disk / "filler", disk / "lines", disk / "lines.1"
    filler.write_bytes(bytes(24_576))
    file = OutputFile(path, log)
    output = Output(log=log, file=file)
    line = b"l" * 9000 + b"\n"
    async with trio.open_nursery() as nursery:
        await output.write(b"first\n")
        nursery.start_soon(output.write, line)
        with trio.fail_after(10):
            while not log.lines:  # noqa: ASYNC110 - it is a thread that finds out
                await trio.sleep(0.01)
        path.rename(old)
        path.touch()
        filler.unlink()
    os.close(file.descriptor)
    assert path.read_bytes() == line
    assert old.read_bytes().startswith(b"first\nl")
    assert b"\n" not in old.read_bytes()[6:]
    assert [event for _, event, _ in log.lines] == ["output.lost", "output.reopened", "output.back"]


def test_an_output_that_nobody_may_write(disk: Path) -> None:
    """As a unit sees all but its own folders: the sentence names them."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(OutputUnusable, match=r"Read-only file system; .* below its LogsDirectory= only"):
        OutputFile(disk / "talk.jsonl", FakeLog())


def started(place: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a stenod whose journal is on the disk, with nothing to record."""
    return subprocess.run(
        [PROGRAM, "run", *NOWHERE, *words],
        env=environment_in(place, **ANY_KEY),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("disk", [2 * DISK_BYTES], indirect=True)
@pytest.mark.parametrize("named", [True, False])
def test_a_first_run_on_a_full_disk(disk: Path, named: bool) -> None:
    """Whatever little room there is: a sentence, nothing that looks like an earlier run, and then a clean first one."""
    words = ["--state-dir", str(disk / "new")] if named else []
    environment_in(disk)
    for free_pages in (0, 2, 8, 16):
        filler = disk / "filler"
        filler.write_bytes(bytes(2 * DISK_BYTES - (free_pages + 1) * PAGE_BYTES))
        while os.statvfs(disk).f_bavail > free_pages:
            with filler.open("ab") as file:
                file.write(bytes(PAGE_BYTES))
        done = started(disk, *words)
        (told,) = done.stderr.splitlines()
        assert (73, "") == (done.returncode, done.stdout)
        assert told.endswith("; make room there, or name another directory with --state-dir"), free_pages
        filler.unlink()
        assert (0, "", "") == ((again := started(disk, *words)).returncode, again.stdout, again.stderr), free_pages
        if named:
            ledger = Ledger(disk / "new" / "ledger.sqlite")
            assert (0, 0) == ((state := ledger.open_stream("default", 16_000)).epoch, state.sequence)
            ledger.close()
            shutil.rmtree(disk / "new")
        else:
            assert [] == list((disk / "state" / "stenod").iterdir())
