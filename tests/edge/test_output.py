"""Lines to real pipes, sockets and terminals, with readers that are slow, gone or share the descriptor."""

import errno
import os
import pty
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from stenod.core.reader import ReaderGone
from stenod.edge.output import Output

HUGE = b"x" * 1_000_000 + b"\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The reading and the writing end."""
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        with suppress(OSError):
            os.close(descriptor)


async def read(descriptor: int, count: int) -> bytes:
    """Read so many bytes in a thread."""

    def gather() -> bytes:
        data = b""
        while len(data) < count and (more := os.read(descriptor, count - len(data))):
            data += more
        return data

    return await trio.to_thread.run_sync(gather)


async def test_lines_are_written(pipe: tuple[int, int]) -> None:
    """In order, as they are, at once."""
    output = Output(pipe[1])
    await output.write(b'{"a":1}\n')
    await output.write("grüß\n".encode())
    assert '{"a":1}\ngrüß\n'.encode() == os.read(pipe[0], 100)


async def test_a_slow_reader_blocks_only_its_thread(pipe: tuple[int, int]) -> None:
    """While a line does not fit into the pipe the loop turns, and the rest follows when there is room."""
    output = Output(pipe[1])
    written = trio.Event()

    async def write() -> None:
        await output.write(HUGE)
        written.set()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            assert HUGE[:1000] == await read(pipe[0], 1000)
            for _ in range(100):
                await trio.lowlevel.checkpoint()
            assert not written.is_set()
            assert HUGE[1000:] == await read(pipe[0], len(HUGE) - 1000)
    assert written.is_set()


async def test_a_reader_that_went(pipe: tuple[int, int]) -> None:
    """`stenod run | head -1` ends as it should."""
    os.close(pipe[0])
    with pytest.raises(ReaderGone):
        await Output(pipe[1]).write(b"line\n")


async def test_a_reader_that_goes_in_the_middle_of_a_line(pipe: tuple[int, int]) -> None:
    """A blocked write ends too."""

    async def leave() -> None:
        await read(pipe[0], 1000)
        os.close(pipe[0])

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave)
            with pytest.raises(ReaderGone):
                await Output(pipe[1]).write(HUGE)


async def test_a_descriptor_that_is_closed() -> None:
    """A service without standard output has no reader."""
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    with pytest.raises(ReaderGone):
        await Output(writing).write(b"line\n")


async def test_a_terminal_that_was_hung_up() -> None:
    """Closing the window is the reader's going."""
    ours, theirs = pty.openpty()
    output = Output(theirs)
    await output.write(b"line\n")
    os.close(ours)
    with pytest.raises(ReaderGone):
        await output.write(b"line\n")
    os.close(theirs)


async def test_other_errors_are_not_the_readers() -> None:
    """A full disk behind a redirection is told as what it is."""
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="No space") as caught:
            await Output(full).write(b"line\n")
    finally:
        os.close(full)
    assert errno.ENOSPC == caught.value.errno


async def test_a_disk_that_fails_is_no_reader_that_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent to a file by a shell says EIO as a terminal does that was hung up."""
    with (tmp_path / "lines").open("wb") as file:
        output = Output(file.fileno())
        await output.begin(cut=False)

        def fail(*_: object) -> int:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr("stenod.edge.output.os.write", fail)
        with pytest.raises(OSError, match="Input/output error"):
            await output.write(b"line\n")


async def test_a_descriptor_that_somebody_made_non_blocking() -> None:
    """Whoever shares the other end of it may have; we wait for room, and leave it as it is."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(Output(ours.fileno()).write, HUGE)
                assert HUGE == await read(theirs.fileno(), len(HUGE))
        assert not os.get_blocking(ours.fileno())


async def test_a_blocking_descriptor_stays_one(pipe: tuple[int, int]) -> None:
    """Shells share it."""
    await Output(pipe[1]).write(b"line\n")
    assert os.get_blocking(pipe[1])


LINE = b'{"type":"final","id":"room-0000-0000000007"}\n'


@pytest.mark.parametrize("flags", [os.O_APPEND, 0], ids=["append", "shared-offset"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", LINE),
        (b"old\n", b"old\n" + LINE),
        (b"old\n" + LINE[:9], b"old\n" + LINE),
        (LINE[:-1], LINE),
        (b'{"type":"partial', b'{"type":"partial\n' + LINE),
        (b"x" * 300_000, b"x" * 300_000 + b"\n" + LINE),
    ],
    ids=["empty", "whole", "half", "no-newline", "another", "no-line"],
)
async def test_half_a_line_in_a_file_is_completed(tmp_path: Path, before: bytes, after: bytes, flags: int) -> None:
    """Whatever an earlier run left: what belongs to the line is not written again, anything else is ended."""
    descriptor = os.open(tmp_path / "lines", os.O_WRONLY | os.O_CREAT | flags)
    os.write(descriptor, before)
    output = Output(descriptor)
    await output.begin(cut=True)
    assert output.whole(HUGE)
    await output.write(LINE)
    await output.write(b"next\n")
    os.close(descriptor)
    assert after + b"next\n" == (tmp_path / "lines").read_bytes()


async def test_a_file_that_cannot_be_read_back_needs_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of somebody else's that is open for writing only: it is like a socket."""

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    descriptor = os.open(tmp_path / "lines", os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"half")
    output = Output(descriptor)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        await output.begin(cut=True)
    assert not output.whole(LINE)
    await output.write(LINE)
    os.close(descriptor)
    assert b"half\n" + LINE == (tmp_path / "lines").read_bytes()


async def test_half_a_line_in_a_file_that_is_begun_anew(tmp_path: Path) -> None:
    """What stands behind the place of writing does not count."""
    descriptor = os.open(tmp_path / "lines", os.O_RDWR | os.O_CREAT)
    os.write(descriptor, b"half")
    os.lseek(descriptor, 0, os.SEEK_SET)
    output = Output(descriptor)
    await output.begin(cut=False)
    await output.write(LINE)
    assert LINE == os.pread(descriptor, 100, 0)
    os.close(descriptor)


@pytest.mark.parametrize("cut", [False, True])
async def test_half_a_line_in_a_pipe_is_ended(pipe: tuple[int, int], cut: bool) -> None:
    """Where it was noted; once, and in one write with the line. Only what is longer than its buffer needs a note."""
    output = Output(pipe[1])
    await output.begin(cut=cut)
    assert output.whole(b"x" * select.PIPE_BUF)
    assert not output.whole(b"x" * (select.PIPE_BUF + 1))
    await output.write(LINE)
    await output.write(b"next\n")
    assert b"\n" * cut + LINE + b"next\n" == os.read(pipe[0], 1000)


async def test_a_socket_may_cut_any_line() -> None:
    """So each is noted; a terminal has a person before it."""
    ours, theirs = socket.socketpair()
    terminal = pty.openpty()
    with ours, theirs:
        for descriptor, whole in ((ours.fileno(), False), (terminal[1], True)):
            output = Output(descriptor)
            await output.begin(cut=False)
            assert whole == output.whole(b"x")
    for descriptor in terminal:
        os.close(descriptor)


async def test_cancelled_while_blocked(pipe: tuple[int, int]) -> None:
    """The way down does not wait for the reader; the thread that is left ends with it."""
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Output(pipe[1]).write, HUGE)
            assert b"x" * 10 == await read(pipe[0], 10)
            nursery.cancel_scope.cancel()
    assert HUGE[10:] == await read(pipe[0], len(HUGE) - 10)


async def test_a_line_after_a_cancelled_one_waits_for_it(pipe: tuple[int, int]) -> None:
    """Two lines never mix, whatever became of whoever wrote the first."""
    output = Output(pipe[1])
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(output.write, HUGE)
            await read(pipe[0], 10)
            nursery.cancel_scope.cancel()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(output.write, b"second\n")
            assert HUGE[10:] + b"second\n" == await read(pipe[0], len(HUGE) - 10 + 7)


@pytest.mark.parametrize("order", [(True, False), (False, True)])
async def test_printers_that_share_it_begin_before_any_writes(pipe: tuple[int, int], order: tuple[bool, bool]) -> None:
    """Half a line may be another's: whoever writes first begins on a line of its own, and every line is whole."""
    output = Output(pipe[1], printers=2)

    async def print_lines(name: str, cut: bool, pause: float) -> None:
        await trio.sleep(pause)
        await output.begin(cut=cut)
        for number in range(100):
            await output.write(f'{{"{name}":{number}}}\n'.encode())

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(print_lines, "a", order[0], 0.0)
            await trio.sleep(0.05)
            assert not select.select([pipe[0]], [], [], 0)[0]
            nursery.start_soon(print_lines, "b", order[1], 0.05)
    got = os.read(pipe[0], 1 << 16)
    assert got.startswith(b"\n")
    lines = got.split()
    for name in ("a", "b"):
        expected = [f'{{"{name}":{number}}}'.encode() for number in range(100)]
        assert expected == [line for line in lines if line.startswith(f'{{"{name}"'.encode())]
    assert 200 == len(lines)
