"""A file of lines that is moved, removed, replaced or forbidden while it is written to."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
import trio.testing

from fakes.log import FakeLog
from stenod.edge.output import Output
from stenod.edge.output_file import GONE_SECONDS, OutputFile, OutputUnusable


class Watch:
    """A clock that stands still unless it is set."""

    now = 100.0

    def __call__(self) -> float:
        """Return monotonic seconds."""
        return self.now


@dataclass(frozen=True)
class Place:
    """Where lines go, and where others move the file."""

    talk: Path
    old: Path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder without a file."""
    return Place(tmp_path / "talk.jsonl", tmp_path / "talk.jsonl.1")


async def test_lines_are_appended(place: Place) -> None:
    """To what is there, which only its owner may read when it was made here."""
    place.talk.write_bytes(b"old\n")
    file = OutputFile(place.talk, FakeLog())
    output = Output(file=file)
    await output.begin(cut=False)
    await output.write(b"new\n")
    assert b"old\nnew\n" == place.talk.read_bytes()
    made = OutputFile(place.talk.with_name("made"), FakeLog())
    assert 0o600 == made.path.stat().st_mode & 0o777
    for one in (file, made):
        os.close(one.descriptor)


@pytest.mark.parametrize("cut", [False, True])
async def test_half_a_line_is_completed(place: Place, cut: bool) -> None:
    """Whatever was noted: the file says itself what stands in it."""
    place.talk.write_bytes(b'old\n{"a":')
    file = OutputFile(place.talk, FakeLog())
    output = Output(file=file)
    await output.begin(cut=cut)
    assert output.whole(b"x" * 1_000_000)
    await output.write(b'{"a":1}\n')
    assert b'old\n{"a":1}\n' == place.talk.read_bytes()
    os.close(file.descriptor)


async def test_the_next_line_goes_to_whichever_file_has_the_name(place: Place) -> None:
    """Moved, and another one made: as logrotate's `create` does. Half a line there is ended first."""
    file = OutputFile(place.talk, FakeLog())
    output = Output(file=file)
    await output.write(b"1\n")
    place.talk.rename(place.old)
    place.talk.write_bytes(b"half")
    await output.write(b"2\n")
    assert (b"1\n", b"half\n2\n") == (place.old.read_bytes(), place.talk.read_bytes())
    os.close(file.descriptor)


async def test_a_file_that_is_gone_is_made_again_after_a_moment(place: Place) -> None:
    """Whoever moved it may be about to make its successor; until then lines go to the old one."""
    watch = Watch()
    file = OutputFile(place.talk, FakeLog(), watch)
    output = Output(file=file)
    place.talk.rename(place.old)
    await output.write(b"1\n")
    watch.now += GONE_SECONDS - 0.01
    await output.write(b"2\n")
    assert not place.talk.exists()
    watch.now += 0.01
    await output.write(b"3\n")
    assert (b"1\n2\n", b"3\n") == (place.old.read_bytes(), place.talk.read_bytes())
    place.talk.rename(place.old)
    await output.write(b"4\n")
    assert not place.talk.exists(), "each time anew"
    os.close(file.descriptor)


async def test_a_file_that_was_removed_takes_no_line(place: Place) -> None:
    """Nobody could read it there: another one is made before the next line. One with a second name was moved."""
    file = OutputFile(place.talk, FakeLog(), Watch())
    output = Output(file=file)
    for number in range(3):
        await output.write(b"%d\n" % number)
        assert b"%d\n" % number == place.talk.read_bytes()
        place.talk.unlink()
    place.talk.write_bytes(b"")
    await output.write(b"3\n")
    place.old.hardlink_to(place.talk)
    place.talk.unlink()
    await output.write(b"4\n")
    assert b"3\n4\n" == place.old.read_bytes()
    place.old.unlink()
    await output.write(b"5\n")
    assert b"5\n" == place.talk.read_bytes()
    os.close(file.descriptor)


async def test_a_folder_that_was_removed_with_its_file_ends_the_foreground(tmp_path: Path) -> None:
    """With a sentence, for the line would be lost; a reload before it ends nothing."""
    (tmp_path / "talks").mkdir()
    file = OutputFile(tmp_path / "talks" / "talk.jsonl", FakeLog())
    output = Output(file=file)
    shutil.rmtree(tmp_path / "talks")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.follow)
        output.renew()
        await trio.testing.wait_all_tasks_blocked(0.05)
        nursery.cancel_scope.cancel()
    with pytest.raises(OutputUnusable, match=r"No such file or directory; make its directory first: mkdir -p "):
        await output.write(b"line\n")
    os.close(file.descriptor)


async def test_a_folder_that_was_removed_with_its_file_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whoever holds on: told once, and each line is there when the folder is."""
    monkeypatch.setattr("stenod.edge.output.FULL_SECONDS", 0.05)
    log, folder = FakeLog(), tmp_path / "talks"
    folder.mkdir()
    file = OutputFile(folder / "talk.jsonl", log)
    output = Output(file=file, log=log)
    await output.write(b"1\n")
    shutil.rmtree(folder)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.write, b"2\n")
        nursery.start_soon(output.write, b"3\n")
        with trio.fail_after(10):
            while not log.lines:  # noqa: ASYNC110 - it is a thread that finds out
                await trio.sleep(0.01)
        folder.mkdir()
    assert {b"2\n3\n", b"3\n2\n"} & {file.path.read_bytes()}
    assert ["output.lost", "output.reopened", "output.back"] == [event for _, event, _ in log.lines]
    assert f"mkdir -p {folder}; lines wait" in str(log.of("output.lost")[0]["reason"])
    os.close(file.descriptor)


async def test_a_file_that_cannot_be_opened_at_first_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whoever is patient: why stands in its health from the beginning, and each line is there when the folder is."""
    monkeypatch.setattr("stenod.edge.output.FULL_SECONDS", 0.05)
    log, folder = FakeLog(), tmp_path / "talks"
    file = OutputFile(folder / "talk.jsonl", log, patient=True)
    output = Output(file=file, log=log)
    assert f"mkdir -p {folder}" in output.trouble[0]
    await output.begin(cut=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.write, b"1\n")
        with trio.fail_after(10):
            while not log.lines:  # noqa: ASYNC110 - it is a thread that finds out
                await trio.sleep(0.01)
        assert f"mkdir -p {folder}" in output.trouble[0]
        folder.mkdir()
    await output.write(b"2\n")
    assert file.path.read_bytes() == b"1\n2\n"
    assert output.trouble == ("", "")
    assert ["output.lost", "output.reopened", "output.back"] == [event for _, event, _ in log.lines]
    file.close()


async def test_a_reload_opens_what_could_not_be_opened(tmp_path: Path) -> None:
    """At once, without a line to write."""
    file = OutputFile(tmp_path / "talks" / "talk.jsonl", FakeLog(), patient=True)
    output = Output(file=file, log=FakeLog())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.follow)
        output.renew()
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert output.trouble[0]
        (tmp_path / "talks").mkdir()
        output.renew()
        with trio.fail_after(10):
            while output.trouble[0]:  # noqa: ASYNC110 - it is a thread that opens
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert file.path.exists()
    file.close()


async def test_several_streams_move_on_together(place: Place) -> None:
    """Whoever writes first finds the new file; each line is in one of the two, whole, and each stream in order."""
    file = OutputFile(place.talk, FakeLog())
    output = Output(file=file, printers=2)

    async def print_lines(name: str) -> None:
        await output.begin(cut=False)
        for number in range(50):
            await output.write(f'{{"{name}":{number}}}\n'.encode())
            if (name, number) == ("a", 25):
                place.talk.rename(place.old)
                place.talk.touch()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(print_lines, "a")
            nursery.start_soon(print_lines, "b")
    lines = (place.old.read_bytes() + place.talk.read_bytes()).decode().splitlines()
    for name in ("a", "b"):
        assert [f'{{"{name}":{number}}}' for number in range(50)] == [line for line in lines if name in line]
    assert 100 == len(lines)
    assert place.old.read_bytes().count(b"\n") < 80
    os.close(file.descriptor)


async def test_a_reload_makes_it_at_once(place: Place) -> None:
    """Without a line: whoever watches the name sees the new file, and the old one is let go."""
    log = FakeLog()
    file = OutputFile(place.talk, log, Watch())
    output = Output(file=file)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(output.follow)
        for _ in range(2):
            place.talk.rename(place.old)
            output.renew()
            with trio.fail_after(10):
                while not place.talk.exists():  # noqa: ASYNC110 - it is a thread that makes it
                    await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert place.talk.stat().st_ino == os.fstat(file.descriptor).st_ino
    assert [{"file": str(place.talk)}] * 2 == log.of("output.reopened")
    os.close(file.descriptor)


async def test_a_reload_without_a_change_changes_nothing(place: Place) -> None:
    """SIGHUP is for keys too, and standard output has no name."""
    log = FakeLog()
    file = OutputFile(place.talk, log)
    before = file.descriptor
    for output in (Output(file=file), Output()):
        output.renew()
    assert not file.follow()
    assert (before, []) == (file.descriptor, log.lines)
    os.close(file.descriptor)


async def test_what_cannot_be_opened_leaves_the_old_file(place: Place) -> None:
    """A line in the file that was moved is not lost; told once, and again when it happens again."""
    log = FakeLog()
    file = OutputFile(place.talk, log)
    output = Output(file=file)
    place.talk.rename(place.old)
    for number in (1, 2):
        place.talk.mkdir()
        await output.write(b"old\n")
        await output.write(b"old\n")
        assert number == len(log.of("output.not_reopened"))
        place.talk.rmdir()
        place.talk.write_bytes(b"")
        await output.write(b"new\n")
        assert b"new\n" == place.talk.read_bytes()
        place.talk.rename(place.old)
    assert "Is a directory" in str(log.of("output.not_reopened")[0]["reason"])
    os.close(file.descriptor)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("missing/talk", "No such file or directory; make its directory first: mkdir -p {}/missing"),
        ("file/talk", "Not a directory; {}/file is no directory"),
        ("folder", "Is a directory; it is no file; name one"),
        ("pipe", "No such device or address; it is no file; name one"),
    ],
)
def test_what_is_no_place_for_lines(tmp_path: Path, name: str, told: str) -> None:
    """A sentence that says what to do, and exit code 73; a FIFO without a reader holds nobody up."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputUnusable) as raised:
        OutputFile(tmp_path / name, FakeLog())
    assert f"cannot open the output file {tmp_path / name}: {told.format(tmp_path)}" == str(raised.value)
    assert 73 == raised.value.exit_code


def test_a_device_is_no_file() -> None:
    """Half a line could not be found again there."""
    with pytest.raises(OutputUnusable, match=r"leave output.file away for standard output"):
        OutputFile(Path("/dev/null"), FakeLog())


async def test_a_full_disk_ends_the_foreground(place: Place) -> None:
    """With a sentence; a service waits, see tests/real/test_small_disk."""
    file = OutputFile(place.talk, FakeLog())
    os.close(file.descriptor)
    file.descriptor = os.open("/dev/full", os.O_WRONLY)
    place.talk.unlink()
    with pytest.raises(OutputUnusable, match="No space left on device; make room"):
        await Output(file=file).write(b"line\n")
    os.close(file.descriptor)
