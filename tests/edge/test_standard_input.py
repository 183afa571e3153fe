"""Standard input over real pipes, files and terminals; the descriptor is handed in, so that fd 0 stays pytest's."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from stenod.core.source import Block, Reader, SourceError, SourceLost
from stenod.edge.standard_input import StandardInput


async def inline(work, *arguments):
    return work(*arguments)


def opened(fd: int, *, rate: int = 16000, channels: int = 1, position_seconds: float = 0.0):
    return StandardInput(rate=rate, channels=channels, fd=fd, offload=inline).open(position_seconds)


async def to_the_end(reader: Reader) -> list[Block]:
    blocks = []
    while (block := await reader.read()) is not None:
        blocks.append(block)
    return blocks


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for fd in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(fd)


async def test_a_pipe_is_live_and_ends(pipe: tuple[int, int]) -> None:
    """What is piped in comes out in order, in blocks of a tenth of a second at most, each with its time."""
    reading, writing = pipe
    pcm = bytes(range(256)) * 20
    os.write(writing, pcm)
    os.close(writing)
    source = StandardInput(rate=16000, channels=1, fd=reading)
    before = time.clock_gettime(time.CLOCK_MONOTONIC)

    async with source.open(7.0) as reader:
        blocks = await to_the_end(reader)
        assert await reader.read() is None

    assert (source.live, source.ends, source.description) == (True, True, "standard input")
    assert [block.frames for block in blocks] == [1600, 960]
    assert pcm == b"".join(block.pcm for block in blocks)
    assert before <= blocks[0].monotonic <= blocks[1].monotonic <= time.clock_gettime(time.CLOCK_MONOTONIC)
    assert blocks[0].boottime >= blocks[0].monotonic - 0.001
    assert blocks[0].wall == pytest.approx(time.time(), abs=60.0)


async def test_a_slow_writer_is_not_waited_for(pipe: tuple[int, int]) -> None:
    """A few samples are handed over at once; half a sample waits for its other half."""
    reading, writing = pipe
    async with opened(reading) as reader:
        os.write(writing, b"abcdef")
        assert (await reader.read()).pcm == b"abcdef"

        os.write(writing, b"ghi")
        assert (await reader.read()).pcm == b"gh"
        os.write(writing, b"jk")
        assert (await reader.read()).pcm == b"ij"
        os.close(writing)
        assert await reader.read() is None  # "k" alone is no sample


async def test_frames_of_several_channels_stay_whole(pipe: tuple[int, int]) -> None:
    """Left must not become right because a pipe was cut between them."""
    reading, writing = pipe
    async with opened(reading, channels=2) as reader:
        os.write(writing, b"lLrRl")
        assert (await reader.read()).pcm == b"lLrR"
        os.write(writing, b"LrR")
        assert (await reader.read()).pcm == b"lLrR"


async def test_one_sample_is_a_recording(pipe: tuple[int, int]) -> None:
    """The look at the first four bytes does not swallow an input that has fewer."""
    reading, writing = pipe
    os.write(writing, b"ab")
    os.close(writing)
    async with opened(reading) as reader:
        assert [block.pcm for block in await to_the_end(reader)] == [b"ab"]


async def test_reading_can_be_cancelled_and_taken_up_again(pipe: tuple[int, int]) -> None:
    """A cancelled wait loses nothing, not even half a sample."""
    reading, writing = pipe
    os.write(writing, b"abcde")
    async with opened(reading) as reader:
        assert (await reader.read()).pcm == b"abcd"
        with trio.move_on_after(0.01) as scope:
            await reader.read()
        assert scope.cancelled_caught
        os.write(writing, b"f")
        assert (await reader.read()).pcm == b"ef"


async def test_the_descriptor_keeps_its_flags(pipe: tuple[int, int]) -> None:
    """O_NONBLOCK would outlive us in the shell that shares the open file."""
    reading, writing = pipe
    os.write(writing, b"abcd")
    async with opened(reading) as reader:
        await reader.read()
        assert os.get_blocking(reading)
    assert os.get_blocking(reading)


async def test_a_file_is_not_live_and_opens_at_a_position(tmp_path: Path) -> None:
    """A redirected file waits for us, has no clock, and can be read again from anywhere."""
    path = tmp_path / "raw"
    path.write_bytes(bytes(range(250)) * 64)
    with path.open("rb") as file:
        source = StandardInput(rate=8000, channels=1, fd=file.fileno())
        async with source.open(0.0) as reader:
            blocks = await to_the_end(reader)
        async with source.open(0.5) as reader:
            rest = await to_the_end(reader)

    assert not source.live
    assert path.read_bytes() == b"".join(block.pcm for block in blocks)
    assert path.read_bytes()[8000:] == b"".join(block.pcm for block in rest)
    assert {(800, None, None)} == {(block.frames, block.monotonic, block.boottime) for block in blocks}


async def test_a_file_is_read_from_where_its_offset_stands(tmp_path: Path) -> None:
    """`(head -c 44 >skip; stenod run --input -) < file` has skipped what it wanted to skip."""
    path = tmp_path / "raw"
    path.write_bytes(b"skipped!" + bytes(3200))
    with path.open("rb") as file:
        os.lseek(file.fileno(), 8, os.SEEK_SET)
        async with opened(file.fileno()) as reader:
            assert sum(block.frames for block in await to_the_end(reader)) == 1600


async def test_nothing_at_all_is_the_end() -> None:
    """/dev/null, which a service has for its standard input, cannot be waited for and ends at once."""
    null = os.open("/dev/null", os.O_RDONLY)
    async with opened(null) as reader:
        assert await reader.read() is None
    os.close(null)


async def test_a_terminal_is_refused() -> None:
    """Somebody typed the command without a pipe: the sentence shows one that works."""
    leader, terminal = os.openpty()
    try:
        with pytest.raises(SourceError, match=r"it is a terminal; pipe raw audio into it, e\.g\. `ffmpeg") as caught:
            async with opened(terminal):
                pass
        assert caught.value.exit_code == 64
    finally:
        os.close(leader)
        os.close(terminal)


async def test_a_closed_descriptor_is_refused(pipe: tuple[int, int]) -> None:
    """`stenod run --input - <&-` has nothing to read."""
    os.close(pipe[0])
    with pytest.raises(SourceError, match="it is closed") as caught:
        async with opened(pipe[0]):
            pass
    assert caught.value.exit_code == 64


@pytest.mark.parametrize(
    ("start", "kind"), [(b"RIFF", "WAV"), (b"fLaC", "FLAC"), ((b"\xff\xe3\x14\xc4" + bytes(44)) * 2, "MP3")]
)
async def test_a_container_is_refused(pipe: tuple[int, int], start: bytes, kind: str) -> None:
    """A compressed file read as samples is minutes of noise at a provider's price."""
    reading, writing = pipe
    os.write(writing, start[:3])
    os.write(writing, start[3:] + bytes(100))
    with pytest.raises(SourceError, match=f"it is {kind}, not raw audio; give the file by its name") as caught:
        async with opened(reading) as reader:
            await reader.read()
    assert caught.value.exit_code == 65


async def test_a_failing_read_is_a_loss(tmp_path: Path) -> None:
    """An error of the disk or the line is said in words (here: a folder, which can be opened and not read)."""
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(SourceLost, match="cannot read standard input: is a directory"):
            async with opened(fd) as reader:
                await reader.read()
    finally:
        os.close(fd)


@pytest.mark.slow
def test_it_reads_descriptor_0_of_a_real_process() -> None:
    """The whole way, as a shell does it."""
    program = """
import sys, trio
from stenod.edge.standard_input import StandardInput
async def main():
    async with StandardInput(rate=16000, channels=1).open(0.0) as reader:
        while (block := await reader.read()) is not None:
            sys.stdout.buffer.write(block.pcm)
trio.run(main)
"""
    pcm = os.urandom(100_000)
    done = subprocess.run([sys.executable, "-c", program], input=b"\0\0" + pcm, capture_output=True, check=True)
    assert b"\0\0" + pcm == done.stdout
