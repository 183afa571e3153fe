"""The journal's audio: one contract for the files and for their double in memory, then what only files can do."""

import os
import resource
import shutil
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
import trio

from fakes.log import FakeLog
from fakes.segments import MemoryFiles, MemorySegments
from stenod.core.timeline import Span, State
from stenod.core.transaction import Transaction
from stenod.edge.ledger import Ledger
from stenod.edge.segments import Segments
from stenod.tasks.journal import Journal
from stenod.tasks.stored_audio import Keeping

MAX = 100
PAGE = 4096


def audio(start: int, count: int) -> bytes:
    """Samples that say their own position, so that a misplaced one is seen."""
    return b"".join((position % 65521).to_bytes(2, "little") for position in range(start, start + count))


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


class Disk:
    """A directory that can lose what was not synced; it notes what the kernel was asked to make durable."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self._lengths: dict[int, int] = {}
        self._names: set[str] = set()
        fdatasync, fsync = os.fdatasync, os.fsync

        def note_length(descriptor: int) -> None:
            status = os.fstat(descriptor)
            fdatasync(descriptor)
            self._lengths[status.st_ino] = status.st_size

        def note_names(descriptor: int) -> None:
            names = {entry.name for entry in directory.iterdir()}
            fsync(descriptor)
            self._names = names

        monkeypatch.setattr(os, "fdatasync", note_length)
        monkeypatch.setattr(os, "fsync", note_names)

    def open(self, samples_max: int = MAX) -> Segments:
        return Segments(self.directory, samples_max)

    def cut_power(self) -> None:
        for path in self.directory.iterdir():
            if path.name in self._names:
                os.truncate(path, self._lengths.get(path.stat().st_ino, 0))
            else:
                path.unlink()


class Memory:
    """The double's disk."""

    def __init__(self) -> None:
        self.files = MemoryFiles()

    def open(self, samples_max: int = MAX) -> MemorySegments:
        return MemorySegments(samples_max, self.files)

    def cut_power(self) -> None:
        self.files = self.files.survivors()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audio"


@pytest.fixture(params=["files", "memory"])
def disk(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Disk | Memory:
    return Disk(folder, monkeypatch) if request.param == "files" else Memory()


@pytest.fixture(autouse=True)
def no_descriptor_is_lost() -> Iterator[None]:
    """After each test as many are open as before."""
    before = descriptors()
    yield
    assert before == descriptors()


class TestContract:
    """What the journal relies on."""

    def test_what_was_appended_is_read(self, disk: Disk | Memory) -> None:
        """Samples come back at their positions, whatever the pieces they were appended in."""
        segments = disk.open()
        segments.append(0, audio(0, 30))
        segments.append(30, audio(30, 50))

        assert 80 == segments.tail
        assert [Span(0, 80)] == segments.spans()
        assert audio(20, 40) == segments.read(20, 40)
        assert audio(70, 10) == segments.read(70, 1000)
        segments.close()

    def test_nothing_is_stored_at_first(self, disk: Disk | Memory) -> None:
        """An empty store has no spans, its tail is 0, and nothing can be read."""
        segments = disk.open()
        assert (0, [], b"") == (segments.tail, segments.spans(), segments.read(0, 10))
        assert 0 == segments.forget(lambda span: True)
        segments.append(0, b"")
        assert [] == segments.spans()
        segments.sync()
        segments.close()

    def test_a_file_ends_at_its_length(self, disk: Disk | Memory) -> None:
        """One large append is split at exactly `samples_max`, and read across the seams."""
        segments = disk.open()
        segments.append(0, audio(0, 250))
        segments.append(250, audio(250, 60))

        assert [Span(0, 100), Span(100, 200), Span(200, 300), Span(300, 310)] == segments.spans()
        assert audio(95, 210) == segments.read(95, 210)
        segments.close()

    def test_a_hole_between_two_files(self, disk: Disk | Memory) -> None:
        """A read ends before a hole, yields nothing inside one, and goes on behind it."""
        segments = disk.open()
        segments.append(10, audio(10, 20))
        segments.append(50, audio(50, 5))

        assert [Span(10, 30), Span(50, 55)] == segments.spans()
        assert audio(25, 5) == segments.read(25, 100)
        assert [b"", b"", b""] == [segments.read(position, 10) for position in (0, 30, 49)]
        assert audio(50, 5) == segments.read(50, 10)
        assert b"" == segments.read(55, 10)
        segments.close()

    @pytest.mark.parametrize("position", [0, 19])
    def test_nothing_is_written_twice(self, disk: Disk | Memory, position: int) -> None:
        """An append before the tail is a defect of the caller."""
        segments = disk.open()
        segments.append(0, audio(0, 20))
        with pytest.raises(AssertionError):
            segments.append(position, audio(position, 5))
        with pytest.raises(AssertionError):
            segments.append(20, b"odd")
        assert [Span(0, 20)] == segments.spans()
        segments.close()

    def test_forget_takes_whole_finished_files_only(self, disk: Disk | Memory) -> None:
        """The file being written stays, whatever is dispensable, and so does one that is needed in part."""
        segments = disk.open()
        segments.append(0, audio(0, 250))
        asked: list[Span] = []

        def dispensable(span: Span) -> bool:
            asked.append(span)
            return span.start == 0

        assert 100 == segments.forget(dispensable)
        assert [Span(0, 100), Span(100, 200)] == asked
        assert [Span(100, 200), Span(200, 250)] == segments.spans()
        assert b"" == segments.read(50, 100)
        assert 100 == segments.forget(lambda span: True)
        assert [Span(200, 250)] == segments.spans()
        segments.append(250, audio(250, 10))
        assert audio(200, 60) == segments.read(200, 60)
        segments.close()

    def test_an_ended_file_is_forgotten_and_writing_goes_on(self, disk: Disk | Memory) -> None:
        """`finish_file` gives the last file free; the next append begins another one at the same position."""
        segments = disk.open()
        segments.append(0, audio(0, 40))
        segments.finish_file()
        segments.append(40, audio(40, 10))
        assert [Span(0, 40), Span(40, 50)] == segments.spans()

        segments.finish_file()
        segments.finish_file()
        assert 50 == segments.forget(lambda span: True)
        assert (0, []) == (segments.tail, segments.spans())
        segments.append(50, audio(50, 10))
        assert audio(50, 10) == segments.read(50, 99)
        segments.close()

    def test_a_restart_finds_everything(self, disk: Disk | Memory) -> None:
        """The next run reads what the last one wrote, and appends in a file of its own."""
        segments = disk.open()
        segments.append(7, audio(7, 150))
        segments.close()

        again = disk.open()
        assert 157 == again.tail
        assert [Span(7, 107), Span(107, 157)] == again.spans()
        again.append(157, audio(157, 3))
        assert [Span(7, 107), Span(107, 157), Span(157, 160)] == again.spans()
        assert audio(7, 153) == again.read(7, 1000)
        assert 150 == again.forget(lambda span: span.end <= 157)
        again.close()

    def test_a_power_cut_takes_only_what_was_not_synced(self, disk: Disk | Memory) -> None:
        """What was appended before `sync` returned survives, also in files that ended since the last one."""
        segments = disk.open()
        segments.append(0, audio(0, 130))
        segments.sync()
        segments.append(130, audio(130, 200))
        segments.sync()
        segments.append(330, audio(330, 150))
        disk.cut_power()

        again = disk.open()
        assert 330 == again.tail
        assert audio(0, 330) == again.read(0, 1000)
        again.append(480, audio(480, 5))
        assert audio(480, 5) == again.read(480, 5)
        again.close()
        segments.close()

    def test_close_makes_all_durable(self, disk: Disk | Memory) -> None:
        """After an orderly end the power may go."""
        segments = disk.open()
        segments.append(0, audio(0, 130))
        segments.close()
        disk.cut_power()

        assert 130 == disk.open().tail


def test_the_files_are_plain_audio(folder: Path) -> None:
    """Any tool plays them: raw samples, named by the first one, in order of their names."""
    segments = Segments(folder, MAX)
    segments.append(16000, audio(0, 120))
    segments.close()

    files = sorted(folder.iterdir())
    assert ["0000000000016000.s16le", "0000000000016100.s16le"] == [path.name for path in files]
    assert audio(0, 120) == b"".join(path.read_bytes() for path in files)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_reads_the_audio(folder: Path, umask: int) -> None:
    """The directory is 0700 and the files 0600, whatever the umask."""
    before = os.umask(umask)
    try:
        segments = Segments(folder, MAX)
        segments.append(0, audio(0, 10))
        segments.close()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())]
    assert [0o700, 0o600] == modes


def test_a_folder_is_made_when_it_is_needed(folder: Path) -> None:
    """Who only looks leaves none behind."""
    segments = Segments(folder, MAX)
    assert ([], 0, b"") == (segments.spans(), segments.tail, segments.read(0, 10))
    assert not folder.exists()
    segments.make()
    assert 0 == len(list(folder.iterdir()))
    assert segments.free_bytes() > 0
    folder.rmdir()
    segments.append(0, audio(0, 10))
    assert audio(0, 10) == segments.read(0, 10)
    segments.close()


def test_half_a_sample_at_the_end_is_cut_off(folder: Path) -> None:
    """A kill between two bytes costs that sample, and the next one lands where it belongs."""
    segments = Segments(folder, MAX)
    segments.append(0, audio(0, 10))
    segments.close()
    with (folder / "0000000000000000.s16le").open("ab") as file:
        file.write(b"\x01")

    again = Segments(folder, MAX)
    again.append(10, audio(10, 5))
    assert audio(0, 15) == again.read(0, 20)
    assert [20, 10] == [path.stat().st_size for path in sorted(folder.iterdir())]
    again.close()


def test_an_empty_file_is_no_audio(folder: Path) -> None:
    """A crash right after the file was made leaves a name only: written to again, or forgotten."""
    folder.mkdir()
    for start in (50, 70):
        (folder / f"{start:016d}.s16le").touch()
    segments = Segments(folder, MAX)
    assert [] == segments.spans()

    segments.append(70, audio(70, 5))
    assert [Span(70, 75)] == segments.spans()
    assert 0 == segments.forget(lambda span: False)
    assert ["0000000000000070.s16le"] == [path.name for path in folder.iterdir()]
    segments.close()


@pytest.mark.parametrize(
    "name", ["notes.txt", "abc.s16le", ".s16le", "-000000000000001.s16le", "12.s16le", "0000000000000000.s16le.bak"]
)
def test_foreign_files_are_left_alone(folder: Path, name: str) -> None:
    """What somebody put there is neither audio nor a reason not to start."""
    folder.mkdir()
    (folder / name).write_bytes(b"xyz")
    (folder / "0000000000000005.s16le").mkdir()
    segments = Segments(folder, MAX)
    assert (0, []) == (segments.tail, segments.spans())

    segments.append(0, audio(0, 3))
    segments.finish_file()
    assert 3 == segments.forget(lambda span: True)
    assert b"xyz" == (folder / name).read_bytes()
    segments.close()


def test_sync_closes_ended_files(folder: Path) -> None:
    """However many files were written, one stays open after `sync`, and none after `close`."""
    before = len(descriptors())
    segments = Segments(folder, 10)
    segments.append(0, audio(0, 205))
    assert before + 21 == len(descriptors())
    segments.sync()
    assert before + 1 == len(descriptors())
    segments.finish_file()
    segments.sync()
    assert before == len(descriptors())
    segments.close()


def test_ended_files_are_forgotten_before_they_were_synced(folder: Path) -> None:
    """A file may be deleted while its descriptor still waits for `sync`."""
    segments = Segments(folder, 10)
    segments.append(0, audio(0, 35))
    assert 30 == segments.forget(lambda span: True)
    segments.sync()
    assert audio(30, 5) == segments.read(30, 10)
    segments.close()


@pytest.mark.slow
def test_sync_runs_beside_append(folder: Path) -> None:
    """A thousand appends over hundreds of files with `sync` all the time: nothing is lost, no descriptor either."""
    segments = Segments(folder, 7)
    done = threading.Event()
    failures: list[BaseException] = []

    def keep_syncing() -> None:
        try:
            while not done.is_set():
                segments.sync()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=keep_syncing)
    thread.start()
    try:
        for position in range(0, 3000, 3):
            segments.append(position, audio(position, 3))
            if position % 300 == 0:
                segments.forget(lambda span: span.end < 1500)
    finally:
        done.set()
        thread.join()

    assert [] == failures
    assert audio(1500, 1500) == segments.read(1500, 3000)
    segments.close()


def test_a_descriptor_that_was_handed_to_sync_is_not_synced_again(folder: Path, monkeypatch) -> None:
    """A file that ends while `sync` works is closed by the next one, and nothing syncs what is closed."""
    segments = Segments(folder, 10)
    segments.append(0, audio(0, 5))
    working, go_on = threading.Event(), threading.Event()
    fdatasync = os.fdatasync

    def slow(descriptor: int) -> None:
        working.set()
        go_on.wait()
        fdatasync(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    thread = threading.Thread(target=segments.sync)
    thread.start()
    working.wait()
    segments.append(5, audio(5, 20))
    go_on.set()
    thread.join()

    segments.sync()
    segments.sync()
    assert audio(0, 25) == segments.read(0, 30)
    segments.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of four pages; only the superuser may make one."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", f"size={4 * PAGE}", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("may not mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def files_limited(size: int) -> Iterator[None]:
    """Let no file grow over a size, as a full disk would; also not the report of the tests, so only for a moment."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_what_was_there(small_disk: Path) -> None:
    """An append that does not fit raises and leaves no part of it; with room again the next one works."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2 * PAGE))
    segments = Segments(small_disk / "audio", 10 * PAGE)
    segments.append(0, audio(0, PAGE // 2))

    with pytest.raises(OSError, match="No space"):
        segments.append(PAGE // 2, audio(PAGE // 2, 2 * PAGE))

    assert [PAGE] == [path.stat().st_size for path in segments._directory.iterdir()]
    assert [Span(0, PAGE // 2)] == segments.spans()
    segments.sync()
    ballast.unlink()
    segments.append(PAGE // 2, audio(PAGE // 2, 1000))
    assert audio(0, PAGE // 2 + 1000) == segments.read(0, 10 * PAGE)
    segments.close()
    assert PAGE // 2 + 1000 == Segments(small_disk / "audio", PAGE).tail


def test_a_disk_that_fills_between_two_files(small_disk: Path) -> None:
    """Of an append over several files nothing stays either: the caller knows where the tail is."""
    (small_disk / "ballast").write_bytes(bytes(PAGE))
    segments = Segments(small_disk / "audio", PAGE // 2)
    segments.append(0, audio(0, 1000))

    with pytest.raises(OSError, match="No space"):
        segments.append(1000, audio(1000, 3 * PAGE))

    assert (1000, [Span(0, 1000)]) == (segments.tail, segments.spans())
    segments.sync()
    segments.append(1000, audio(1000, 1500))
    assert audio(0, 2500) == segments.read(0, 9999)
    segments.close()
    assert 2500 == Segments(small_disk / "audio", PAGE // 2).tail


def test_a_file_that_may_not_grow(folder: Path) -> None:
    """The same with a limit on the size of files, which anybody can set: half a write is taken back."""
    segments = Segments(folder, 1000)
    segments.append(0, audio(0, 100))
    with files_limited(300), pytest.raises(OSError, match="File too large"):
        segments.append(100, audio(100, 100))
    assert [200] == [path.stat().st_size for path in folder.iterdir()]

    segments.append(100, audio(100, 20))
    assert [Span(0, 100), Span(100, 120)] == segments.spans()
    with files_limited(300), pytest.raises(OSError, match="File too large"):
        segments.append(500, audio(500, 200))
    assert (120, audio(0, 120)) == (segments.tail, segments.read(0, 1000))
    segments.close()


def test_no_descriptor_left_for_a_new_file(folder: Path) -> None:
    """Out of descriptors is an error like a full disk: what was stored stays, and later appends work."""
    segments = Segments(folder, 10)
    segments.append(0, audio(0, 8))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, descriptors())), hard))
    ballast = []
    try:
        with suppress(OSError):
            while True:
                ballast.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(OSError, match="Too many open files"):
            segments.append(8, audio(8, 10))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in ballast:
            os.close(descriptor)

    assert 8 == segments.tail
    segments.append(8, audio(8, 10))
    assert audio(0, 18) == segments.read(0, 20)
    segments.close()


class FrozenClock:
    """No time passes."""

    def now(self) -> float:
        return 0.0

    def wall(self) -> float:
        return 0.0


async def inline(work: Callable, *arguments: object) -> object:
    return work(*arguments)


def test_the_journal_tells_what_a_power_cut_took(folder: Path) -> None:
    """The rest of a file that had just ended, and of the last one, is a gap: printed once, and nobody's progress."""
    ledger = Ledger(None)
    ledger.open_stream("room", 1000)
    ledger.commit("room", 0, Transaction(sequence=0, session=0, tail=120))
    folder.mkdir()
    (folder / f"{0:016d}.s16le").write_bytes(audio(0, 90))
    (folder / f"{100:016d}.s16le").write_bytes(audio(100, 10))

    for settled in (10, 0):
        state = ledger.open_stream("room", 1000)
        segments = Segments(folder, MAX)
        journal = Journal(
            stream="room",
            state=state,
            segments=segments,
            ledger=ledger,
            clock=FrozenClock(),
            offload=inline,
            log=FakeLog(),
            keeping=Keeping(),
        )
        assert [Span(10 - settled, 90), Span(100, 110)] == journal.pending(0, 120)
        assert ([], settled) == trio.run(journal.commit, [], [(0, 10, State.TRANSCRIBED, None)])

    lines = [msgspec.json.decode(line) for _, _, line in ledger.unprinted("room", "tests", 9)]
    assert [(90, 100, "disk"), (110, 120, "disk")] == [
        (round(one["start"] * 1000), round(one["end"] * 1000), one["cause"]) for one in lines
    ]
    assert 100 == journal.settled()[1].end
    ledger.close()
